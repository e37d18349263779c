"""Schemathesis at its strictest, over every contract the sandbox keeps."""

import json
import os
import re
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from sandbox.catalogue import read_catalogue
from sandbox.contract import load_contract
from sandbox_process import SandboxServer

PHASES = ("examples", "coverage", "fuzzing", "stateful")
WALKS = "stateful.enabled = true"
# Beside the links of the control contract Schemathesis infers as many again. Where walks are fewer
# or shorter than this, now and then one of them all is not followed.
MORE_WALKS = """
stateful.max-steps = 12
stateful.generation.max-examples = 300
"""

WITH_TEST_DATA = """
[dictionaries]
call_ids.values = {call_ids}
request_ids.values = {request_ids}

[parameters]
"path.call_id" = {{ dictionary = "call_ids", probability = 0.5 }}
"path.request_id" = {{ dictionary = "request_ids", probability = 0.5 }}

# Emptying the namespace would take the live calls from every other operation.
[[operations]]
include-operation-id = "resetState"
headers = {{ Authorization = "Bearer ${{VOICE_API_KEY}}_to_empty" }}
"""


def schemathesis(
    contract: Path, *, config: Path, url: str, key: str, root: Path, reports: Path
) -> Any:
    """Run every phase with every check as the configuration says; return its JSON report."""
    reports.mkdir(parents=True, exist_ok=True)
    seed = os.environ.get("CONTRACT_SEED")
    if seed == "random":
        seed = str(secrets.randbelow(2**32))
    examples = os.environ.get("CONTRACT_EXAMPLES")
    report = reports / f"schemathesis-{contract.stem}.json"
    ran = subprocess.run(
        [
            str(Path(sys.executable).with_name("schemathesis")),
            "--no-color",
            f"--config-file={config}",
            "run",
            str(contract),
            f"--url={url}",
            "--report=json,junit",
            f"--report-json-path={report}",
            f"--report-junit-path={report.with_suffix('.xml')}",
            *([f"--seed={seed}"] if seed else []),
            *([f"--max-examples={examples}"] if examples else []),
        ],
        cwd=root,
        env={**os.environ, "VOICE_API_KEY": key},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    links = re.search(r"API Links: +(\d+) covered / (\d+) selected / (\d+) total", ran.stdout)
    return json.loads(report.read_text()) | {
        "links": [int(n) for n in links.groups()] if links else []
    }


def with_test_data(url: str, key: str, agent: str, *, calls: int) -> str:
    """Configuration that names calls that go on, and exchanges: the control contract makes none."""
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}) as client:
        scenarios = client.get("/sandbox/scenarios").json()["scenarios"]
        [number] = [s["number"] for s in scenarios if s["name"] == "never_completes"]
        call = {"phone": number, "agent": agent}
        created = [client.post("/v1/calls", json=call) for _ in range(calls)]
    return WITH_TEST_DATA.format(
        call_ids=[answer.json()["call_id"] for answer in created],
        request_ids=[answer.headers["x-request-id"] for answer in created],
    )


@pytest.fixture(scope="module", params=["openapi.yaml", "sandbox/control.yaml"])
def report(
    request: pytest.FixtureRequest,
    sandbox_server: SandboxServer,
    root: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Any]:
    """One whole run over each contract, in a namespace that nothing else has touched."""
    key = f"sandbox_schemathesis_{secrets.token_hex(8)}"
    config = root / "schemathesis.toml"
    if request.param == "sandbox/control.yaml":
        agent = read_catalogue(load_contract(root / "openapi.yaml")).agents[0].key
        strictest = config.read_text()
        config = tmp_path_factory.mktemp("schemathesis") / "schemathesis.toml"
        # Ending a call uses it up, so there are more of them where more requests are made up.
        calls = max(200, 2 * int(os.environ.get("CONTRACT_EXAMPLES") or 0))
        assert WALKS in strictest
        strictest = strictest.replace(WALKS, WALKS + MORE_WALKS)
        config.write_text(strictest + with_test_data(sandbox_server.url, key, agent, calls=calls))
    found: dict[str, Any] = schemathesis(
        root / request.param,
        config=config,
        url=sandbox_server.url,
        key=key,
        root=root,
        reports=root / "reports",
    )
    return found


def test_no_check_finds_a_failure(report: dict[str, Any]) -> None:
    """Every generated request is answered as the contract says."""
    assert report["complete"]
    assert report["failures"] == report["errors"] == []
    assert report["test_cases"]["with_failures"] == 0
    assert report["filtered"] == 0


def test_every_phase_runs_on_every_operation(report: dict[str, Any]) -> None:
    """No phase is switched off, and no operation is left out."""
    operations = report["operations"]
    assert operations["tested"] == operations["selected"] == operations["total"]
    statuses = {phase: report["phases"][phase]["status"] for phase in PHASES}
    assert set(statuses.values()) == {"success"}, statuses


def test_every_operation_accepts_valid_data(report: dict[str, Any]) -> None:
    """A suite in which an operation never succeeds would prove nothing about it."""
    accepted = {
        operation: sum(phase["accepted"] for phase in phases.values())
        for operation, phases in report["valid_rates"].items()
    }
    assert [operation for operation, count in accepted.items() if count == 0] == []
    assert len(accepted) == report["operations"]["total"]


def test_every_link_is_followed(report: dict[str, Any]) -> None:
    """The stateful phase walks along each link that the contract describes."""
    covered, selected, total = report["links"]
    assert covered == selected == total > 0


def test_nothing_is_only_a_warning(report: dict[str, Any]) -> None:
    """Whatever Schemathesis would merely warn of is a finding here."""
    assert {name: found for name, found in report["warnings"].items() if found} == {}
