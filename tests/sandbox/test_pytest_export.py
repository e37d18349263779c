"""Every exchange of the journal can be had again: as a test, a command and a module."""

import json
import os
import re
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from inner_pytest import run_pytest
from node_tools import NodeTools
from voice_sandbox import create_app
from voice_sandbox.api.service import CHANGES_STATE
from voice_sandbox.journal.pytest_export import as_pytest
from voice_sandbox.testing.client import SandboxClient

from .conftest import (
    CONTRACT,
    KEY,
    SCENARIOS,
    FakeWall,
    client_of,
    completion,
    first_example,
    new_call,
)

JSON = {"Content-Type": "application/json"}
ODD_TARGETS = [
    *("/v1/../v1/agents", "/v1/./agents", "/v1//agents", "/v1/agents/..", "/v1/%2e%2e/v1/agents"),
    *("/v1/calls/a[1-3]", "/v1/calls/{abc}", "/v1/calls/{a,b}", "/v1/agents?y=[1]&z={a}"),
    *("/v1/calls/a%23b", "/v1/calls/a%3Fb", "/v1/calls/a%25b", "/v1/calls/a%20b", "/v1/calls/%0A"),
    *("/v1/calls/a%2Fb", "/v1/calls/a?b?c%23d", "/v1/agents?", "/v1/calls/'$(x)`x`!\"*~|^\\"),
    *("/v1/calls/%D0%BA%00", "/v1/calls/a%zz", "/v1/agents?a=%20+%26;b", "/v1/calls/@:,;=+&$"),
]
"""Paths that programs on the way like to change."""
WEBHOOK = "/v1/webhooks/call-completed"


def exchanges_of_every_kind(sandbox: SandboxClient) -> None:
    """What an integrator's requests and the provider's deliveries can be answered with."""
    client, call = sandbox.client, new_call()
    for scenario in SCENARIOS:
        client.post("/v1/calls", json={**call, "phone": scenario.number})
    sandbox.until_idle()

    client.get("/v1/agents")
    client.head("/v1/agents")
    client.get("/v1/nothing?a=1&b=it's")
    for target in ODD_TARGETS:
        client.get("/", extensions={"target": target.encode()})
    client.delete("/v1/calls")
    client.request("A|B`C", "/v1/calls")
    client.get("/v1/agents", headers={"Prefer": "code=503"})
    client.get("/v1/calls/00000000-0000-0000-0000-000000000000")

    client.post("/v1/calls", json={**call, "phone": "447911123456"})
    client.post("/v1/calls", content=b'{"phone": "it\'s', headers=JSON)
    client.post("/v1/calls", content=b"{}", headers={"Content-Type": "text/plain"})
    client.post("/v1/calls", content=b"{}", headers={**JSON, "Content-Encoding": "gzip"})
    client.post("/v1/calls", content=b"x" * 3_000_000, headers=JSON)
    client.post("/v1/calls", json=call, headers={"Idempotency-Key": ""})
    client.post("/v1/calls", json={**call, "phone": "+447911123456"})
    for phone in ("+12025550100", "+12025550100", "+12025550111"):
        client.post("/v1/calls", json={**call, "phone": phone}, headers={"Idempotency-Key": "once"})

    call_id = sandbox.call("never_completes")
    client.get(f"/v1/calls/{call_id}")
    client.post(WEBHOOK, json=completion(transcript="agent: Салам 'x' \"y\""))
    client.post(WEBHOOK, json=completion(transcript="agent: Салам 'x' \"y\""))
    client.post(WEBHOOK, json=completion(transcript="agent: another"))
    client.get(f"/v1/calls/{call_id}")

    call_id = sandbox.call("never_completes")
    theirs = sandbox.inspect(call_id)["provider_call_id"]
    sandbox.advance(5)
    busy = completion(provider_call_id=theirs, status="busy", transcript=None, duration=0)
    client.post(WEBHOOK, json=busy)
    client.post(WEBHOOK, json=completion(provider_call_id=theirs))

    call_id = sandbox.call("answered")
    sandbox.end(call_id, "failed", "agent: H", 3)
    client.get(f"/v1/calls/{call_id}")


@pytest.fixture
def exchanges(voice_sandbox: SandboxClient) -> list[dict[str, Any]]:
    """Exchanges of every kind, whole, the oldest first."""
    exchanges_of_every_kind(voice_sandbox)
    listed = voice_sandbox.journal(limit="500")
    return [voice_sandbox.exchange(entry["request_id"]) for entry in reversed(listed)]


def test_each_exchange_is_a_test_that_passes(
    exchanges: list[dict[str, Any]], tmp_path: Path
) -> None:
    """Its test does first what led to it, on a key of its own, and is answered alike."""
    for number, exchange in enumerate(exchanges):
        (tmp_path / f"test_{number}.py").write_text(exchange["pytest"], "utf-8")
    ran = run_pytest(tmp_path, "-rs")
    assert f"{len(exchanges)} passed" in ran.stdout, ran.stdout + ran.stderr


def test_each_exchange_is_a_command_that_runs(
    exchanges: list[dict[str, Any]], voice_sandbox: SandboxClient, tmp_path: Path
) -> None:
    """In a POSIX shell with the same key, each command is answered as the exchange was."""
    cut = [exchange for exchange in exchanges if exchange["request"]["truncated"]]
    assert {exchange["scenario"] for exchange in cut} == {"longest_transcript", "long_line"}
    whole = [exchange for exchange in exchanges if exchange not in cut]
    script = "".join(
        f"command() {{ curl -sS -o /dev/null -w '%{{http_code}}\\n' \"$@\"; }}\n"
        f"{exchange['curl'].replace('curl ', 'command ')}\n"
        for exchange in whole
    )
    ran = subprocess.run(
        ["sh", "-c", script],
        cwd=tmp_path,
        env={**os.environ, "VOICE_API_KEY": voice_sandbox.key},
        capture_output=True,
        text=True,
    )
    assert ran.stderr == ""
    answered = [int(line) for line in ran.stdout.split()]
    assert answered == [exchange["status"] for exchange in whole]


def run_modules(
    exchanges: list[dict[str, Any]], node: NodeTools, key: str, folder: Path
) -> list[str]:
    """What the JavaScript of each exchange prints, up to its first blank."""
    (folder / "run.mjs").write_text(
        "import { readdirSync } from 'node:fs';\n"
        "for (const name of readdirSync('.').filter((name) => name.startsWith('sent')).sort())"
        " await import(`./${name}`);\n"
    )
    for number, exchange in enumerate(exchanges):
        (folder / f"sent{number:03}.mjs").write_text(exchange["javascript"], "utf-8")
    ran = subprocess.run(
        [node.node, "run.mjs"],
        cwd=folder,
        env={**os.environ, "VOICE_API_KEY": key},
        capture_output=True,
        text=True,
    )
    assert ran.stderr == ""
    return re.findall(r"^\d{3}(?= )", ran.stdout, re.MULTILINE)


def test_each_exchange_is_a_module_that_runs(
    exchanges: list[dict[str, Any]],
    voice_sandbox: SandboxClient,
    node_tools: NodeTools,
    tmp_path: Path,
) -> None:
    """In Node with the same key, each module is answered as the exchange was."""
    whole = [exchange for exchange in exchanges if not exchange["request"]["truncated"]]
    printed = run_modules(whole, node_tools, voice_sandbox.key, tmp_path)
    assert [int(status) for status in printed] == [exchange["status"] for exchange in whole]
    [cut, *_] = [exchange for exchange in exchanges if exchange["request"]["truncated"]]
    assert "into body.json" in cut["javascript"]
    assert 'await readFile("body.json")' in cut["javascript"]


def test_each_export_sends_the_same_path(
    voice_sandbox: SandboxClient, node_tools: NodeTools, tmp_path: Path
) -> None:
    """All exports send every byte of a path as it was, and the archive holds a valid URI."""
    for target in ODD_TARGETS:
        voice_sandbox.client.get("/", extensions={"target": target.encode()})
    entries = voice_sandbox.journal(limit="500")
    exchanges = [voice_sandbox.exchange(entry["request_id"]) for entry in reversed(entries)]
    assert len(exchanges) == len(ODD_TARGETS)
    har = voice_sandbox.client.get("/sandbox/journal/har").json()["log"]["entries"]
    for entry in har:
        assert re.fullmatch(r"(?:[!$&-;=?-Z_a-z~]|%[0-9A-Fa-f]{2})+", entry["request"]["url"])

    voice_sandbox.reset()
    subprocess.run(
        ["sh", "-c", "\n".join(exchange["curl"] for exchange in exchanges)],
        cwd=tmp_path,
        env={**os.environ, "VOICE_API_KEY": voice_sandbox.key},
        capture_output=True,
        check=True,
    )
    sent = [entry["path"] for entry in reversed(voice_sandbox.journal(limit="500"))]
    assert sent == [exchange["path"] for exchange in exchanges]

    voice_sandbox.reset()
    run_modules(exchanges, node_tools, voice_sandbox.key, tmp_path)
    sent = [entry["path"] for entry in reversed(voice_sandbox.journal(limit="500"))]
    assert sent == [exchange["path"] for exchange in exchanges]

    voice_sandbox.reset()
    for exchange in exchanges:
        [run] = _tests_of(exchange["pytest"])
        run(voice_sandbox)
    sent = [entry["path"] for entry in reversed(voice_sandbox.journal(limit="500"))]
    assert sent == [exchange["path"] for exchange in exchanges]


def _tests_of(source: str) -> list[Any]:
    module: dict[str, Any] = {}
    exec(source, module)
    return [value for name, value in module.items() if name.startswith("test_")]


@pytest.mark.anyio
async def test_the_export_knows_what_changes_state(tmp_path: Path, wall: FakeWall) -> None:
    """Each operation leaves other calls behind if, and only if, the handlers list says so."""
    database = tmp_path / "calls.db"
    app = create_app(database=f"sqlite:///{database}", wall=wall)
    changed = set()
    async with app.router.lifespan_context(app), client_of(app, KEY) as client:
        await client.post("/v1/calls", json=new_call())
        call_id = (await client.post("/v1/calls", json=new_call())).json()["call_id"]
        for operation in CONTRACT.operations.values():
            before = _calls(database)
            response = await client.request(
                operation.method,
                operation.path.format(call_id=call_id),
                json=None if operation.body is None else first_example(operation.operation_id),
            )
            assert response.is_success, response.text
            if _calls(database) != before:
                changed.add(operation.operation_id)
    assert changed == CHANGES_STATE


def _calls(database: Path) -> list[Any]:
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute("SELECT * FROM calls ORDER BY 1, 2").fetchall()


def test_a_body_that_was_cut_is_said_to_be(
    exchanges: list[dict[str, Any]], voice_sandbox: SandboxClient
) -> None:
    """A command with a body that the journal has not whole says what to do first."""
    cut = [exchange for exchange in exchanges if exchange["request"]["truncated"]]
    assert cut
    for exchange in cut:
        assert exchange["curl"].startswith("# First write the body of ")
    body = json.dumps(completion(transcript="x" * 5000)).encode()
    response = voice_sandbox.client.post(WEBHOOK, content=body, headers=JSON)
    kept = voice_sandbox.exchange(response.headers["x-request-id"])
    assert "pytest.skip(" in kept["pytest"]


def test_an_exchange_of_the_moment_is_skipped(tmp_path: Path) -> None:
    """A rejection that was due to the sandbox's load says so, instead of failing elsewhere."""
    entry = {
        "operation_id": "listAgents",
        "status": 503,
        "code": "storage_unavailable",
        "request_id": "req_x",
        "scenario": None,
        "fault": None,
        "request": {"headers": [], "body": "", "truncated": False},
    }
    text = as_pytest(entry, [], scenarios=SCENARIOS, changes_state=(), sample_call_id="")
    assert "pytest.skip('This response was due to the state of the sandbox" in text


def test_a_long_story_is_not_told(voice_sandbox: SandboxClient) -> None:
    """A call with hundreds of completions gives no test that nobody could read."""
    voice_sandbox.call("never_completes")
    for _ in range(30):
        body = completion(transcript="x" * 3500)
        response = voice_sandbox.client.post(WEBHOOK, json=body)
    kept = voice_sandbox.exchange(response.headers["x-request-id"])
    assert "Too much has happened" in kept["pytest"]
    assert len(kept["pytest"]) < 1000


def test_an_exchange_with_an_armed_fault_is_skipped(voice_sandbox: SandboxClient) -> None:
    """The test says which fault struck; what happened before it is told as ever."""
    client = voice_sandbox.client
    fault = {"operation": "createCall", "fault": {"kind": "internal_error"}}
    client.post("/sandbox/faults", json=fault)
    struck = client.post("/v1/calls", json=new_call())
    exported = voice_sandbox.exchange(struck.headers["x-request-id"])["pytest"]
    assert "pytest.skip('An armed fault struck: arm internal_error first.')" in exported
