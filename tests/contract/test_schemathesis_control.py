"""Schemathesis at its strictest, over the control contract of the sandbox."""

import os
import secrets
from pathlib import Path
from typing import Any

import httpx2
import pytest

from read_once import contracts
from sandbox_process import SandboxServer
from schemathesis_runs import Gates, schemathesis
from voice_sandbox.contract.catalogue import read_catalogue

WALKS = "stateful.enabled = true"
# Beside the links of the control contract Schemathesis infers as many again. Where walks are fewer
# or shorter than this, now and then one of them all is not followed.
MORE_WALKS = """
stateful.max-steps = 12
stateful.generation.max-examples = 400
"""

WITH_TEST_DATA = """
[dictionaries]
call_ids.values = {call_ids}
request_ids.values = {request_ids}
fault_ids.values = {fault_ids}

[parameters]
"path.call_id" = {{ dictionary = "call_ids", probability = 0.5 }}
"path.id" = {{ dictionary = "fault_ids", probability = 0.5 }}
"path.request_id" = {{ dictionary = "request_ids", probability = 0.5 }}

# Emptying the namespace would take the live calls from every other operation.
[[operations]]
include-operation-id = "resetState"
headers = {{ Authorization = "Bearer ${{VOICE_API_KEY}}_to_empty" }}

[[operations]]
include-operation-id = "disarmFaults"
headers = {{ Authorization = "Bearer ${{VOICE_API_KEY}}_to_empty" }}
"""


def with_test_data(url: str, key: str, agent: str, *, calls: int) -> str:
    """Configuration that names calls that go on, exchanges, and armed faults.

    The control contract makes no call, and what it arms is disarmed before it is asked for.
    """
    with httpx2.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}) as client:
        scenarios = client.get("/sandbox/scenarios").json()["scenarios"]
        [number] = [s["number"] for s in scenarios if s["name"] == "never_completes"]
        call = {"phone": number, "agent": agent}
        created = [client.post("/v1/calls", json=call) for _ in range(calls)]
        fault = {"operation": "listAgents", "fault": {"kind": "internal_error"}}
        armed = [client.post("/sandbox/faults", json=fault) for _ in range(calls)]
    return WITH_TEST_DATA.format(
        call_ids=[response.json()["call_id"] for response in created],
        request_ids=[response.headers["x-request-id"] for response in created],
        fault_ids=[response.json()["id"] for response in armed],
    )


@pytest.fixture(scope="module")
def report(
    sandbox_server: SandboxServer, root: Path, tmp_path_factory: pytest.TempPathFactory
) -> Any:
    """Every phase and every check, with calls and exchanges to ask for."""
    key = f"sandbox_schemathesis_{secrets.token_hex(8)}"
    contract, _ = contracts()
    # Ending a call uses it up, so there are more of them where more requests are generated.
    calls = max(200, 2 * int(os.environ.get("CONTRACT_EXAMPLES") or 0))
    strictest = (root / "schemathesis.toml").read_text()
    assert WALKS in strictest
    config = tmp_path_factory.mktemp("schemathesis") / "schemathesis.toml"
    config.write_text(
        strictest.replace(WALKS, WALKS + MORE_WALKS)
        + with_test_data(
            sandbox_server.url, key, read_catalogue(contract).agents[0].key, calls=calls
        )
    )
    return schemathesis(
        root / "sandbox/voice_sandbox/control.yaml",
        config=config,
        url=sandbox_server.url,
        key=key,
        root=root,
        reports=root / "reports",
    )


class TestControl(Gates):
    """The run reached all that it must."""
