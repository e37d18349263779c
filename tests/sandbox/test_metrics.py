"""Metrics: true numbers under names that stay, and nothing in them that a client chose."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from sandbox_process import ROOT, SandboxServer, start_sandbox
from voice_sandbox import create_app
from voice_sandbox.http.authentication import namespace_of
from voice_sandbox.installation import how_to_install
from voice_sandbox.server.metrics import NO_OPERATION, Metrics, exposed
from voice_sandbox.store import open_store
from voice_sandbox.store.protocol import StorageUnavailable

from .conftest import SCENARIOS, FakeWall, Sandbox, client_of, new_call
from .test_cli import free_port

pytestmark = pytest.mark.anyio
KEY = "sandbox_measured_secret"
NAMES = {
    "voice_sandbox_requests",
    "voice_sandbox_request_duration_seconds",
    "voice_sandbox_calls_created",
    "voice_sandbox_deliveries",
    "voice_sandbox_faults_struck",
    "voice_sandbox_store_errors",
    "voice_sandbox_journal_backlog_exchanges",
    "voice_sandbox_connections",
}
LABELS = {"operation", "status", "scenario", "le"}


def numbers(text: str) -> dict[tuple[str, ...], float]:
    """`("voice_sandbox_requests_total", "getCall", "200")` → how many."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
async def measured(registry: CollectorRegistry, wall: FakeWall) -> Any:
    """A sandbox that counts, and how many it has counted."""
    metrics = Metrics(registry)
    app = create_app(wall=wall, observe=metrics.observe, wrap_store=metrics.counting)
    async with app.router.lifespan_context(app), client_of(app, KEY) as client:
        yield Sandbox(app, wall, client)


async def test_counts_what_happened(measured: Sandbox, registry: CollectorRegistry) -> None:
    """Requests, calls and deliveries are counted once each, replays as requests alone."""
    number = SCENARIOS.default.number
    call_id = await measured.create(number, **{"Idempotency-Key": "one"})
    await measured.create(number, **{"Idempotency-Key": "one"})
    await measured.read(call_id)
    await measured.client.get("/v1/calls/none")
    await measured.client.get("/v1/nowhere/at/all")
    await measured.client.post("/sandbox/clock", json={"until": "idle"})
    counted = numbers(generate_latest(registry).decode())
    total = "voice_sandbox_requests_total"
    assert counted[total, "createCall", "201"] == 2
    assert counted[total, "getCall", "200"] == 1
    assert counted[total, "getCall", "404"] == 1
    assert counted[total, NO_OPERATION, "404"] == 1
    assert (total, "callCompleted", "200") not in counted  # the provider is no integrator
    assert counted["voice_sandbox_calls_created_total", SCENARIOS.default.name] == 1
    assert counted["voice_sandbox_deliveries_total", "200"] == 1
    assert counted["voice_sandbox_request_duration_seconds_count", "getCall"] == 2


async def test_nothing_a_client_chose_is_a_label(
    measured: Sandbox, registry: CollectorRegistry
) -> None:
    """A thousand paths and keys make no new series, and no key stands in one."""
    await measured.create(new_call()["phone"])
    before = len(numbers(generate_latest(registry).decode()))
    for number in range(1000):
        headers = {"Authorization": f"Bearer {KEY}{number}", "X-Number": str(number)}
        await measured.client.request("GET", f"/v1/{number}", headers=headers)
    text = generate_latest(registry).decode()
    assert len(numbers(text)) <= before + 20
    assert "measured_secret" not in text
    assert namespace_of(KEY).hex() not in text
    assert set(re.findall(r'[{,](\w+)="', text)) <= LABELS


async def test_counts_when_the_store_does_not_serve(registry: CollectorRegistry) -> None:
    """Each failure of the database counts, whoever met it."""
    store = Metrics(registry).counting(open_store("sqlite:///:memory:"))  # nobody opened it
    for _ in range(3):
        with pytest.raises(StorageUnavailable):
            await store.ping()
    assert numbers(generate_latest(registry).decode())["voice_sandbox_store_errors_total",] == 3


def test_port_is_given_back(registry: CollectorRegistry) -> None:
    """The address answers as long as it is exposed, and no longer."""
    with exposed("127.0.0.1", 0) as port:
        assert httpx2.get(f"http://127.0.0.1:{port}/metrics").status_code == 200
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(f"http://127.0.0.1:{port}/metrics")


# A real process


@pytest.fixture(params=["1", "2"], ids=["one process", "two workers"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[SandboxServer, str]]:
    """A sandbox, and where it answers Prometheus."""
    port = str(free_port())
    options = ["--metrics-port", port, "--workers", request.param]
    with start_sandbox(tmp_path, *options) as server:
        yield server, f"http://127.0.0.1:{port}/metrics"


def test_all_workers_are_counted(server: tuple[SandboxServer, str]) -> None:
    """One address tells of all processes, under the names that the hosting page lists."""
    sandbox, metrics = server
    for _ in range(20):  # on connections of their own, so that every worker gets some
        httpx2.get(f"{sandbox.url}/v1/agents", headers={"Authorization": f"Bearer {KEY}"})
    text = httpx2.get(metrics).text
    assert numbers(text)["voice_sandbox_requests_total", "listAgents", "200"] == 20
    families = {family.name for family in text_string_to_metric_families(text)}
    assert families >= {"voice_sandbox_requests", "voice_sandbox_connections"}
    assert {name for name in families if name.startswith("voice_")} <= NAMES
    assert "measured_secret" not in text


def test_metrics_are_nowhere_else(server: tuple[SandboxServer, str]) -> None:
    """The port of the clients does not answer Prometheus."""
    assert httpx2.get(f"{server[0].url}/metrics").status_code == 404


def test_taken_port_is_explained(tmp_path: Path) -> None:
    """Where Prometheus cannot be answered, the command says so and how to go on."""
    with exposed("127.0.0.1", 0) as port:
        ended = subprocess.run(
            [
                *(sys.executable, "-m", "voice_sandbox", "serve", "--port", "0"),
                *("--metrics-port", str(port)),
            ],
            cwd=ROOT,
            env={"VOICE_SANDBOX_DATABASE": f"sqlite:///{tmp_path}/calls.db"},
            capture_output=True,
            text=True,
            timeout=30,
        )
    assert (ended.returncode, "--metrics-port" in ended.stderr) == (1, True)


def test_library_is_loaded_only_where_it_is_wanted() -> None:
    """Who wants no metrics needs no library for them, and waits for none."""
    program = "import sys, voice_sandbox.cli.main; print('prometheus_client' in sys.modules)"
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ran.stdout == "False\n"


def test_missing_library_is_explained(tmp_path: Path) -> None:
    """Without the extra, the option says how to get it."""
    (tmp_path / "prometheus_client.py").write_text("raise ImportError")
    ended = subprocess.run(
        [sys.executable, "-m", "voice_sandbox", "serve", "--port", "0", "--metrics-port", "0"],
        cwd=ROOT,
        env={"PYTHONPATH": str(tmp_path), "VOICE_SANDBOX_DATABASE": "sqlite:///:memory:"},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (ended.returncode, how_to_install("metrics") in ended.stderr) == (1, True)
