"""The programs of Follow a call that wait for the end survive every fault that can be armed."""

import os
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from node_tools import NodeTools
from voice_sandbox.contract.faults import FAULTS
from voice_sandbox.testing.client import SandboxClient

TOLD: dict[str, dict[str, Any]] = {
    "problem": {"code": "rate_limited", "retry_after": 1},
    "late_response": {"seconds": 0.01},
    "slow_body": {"seconds": 0.01},
    "gateway_error": {"status": 504},
}
OPERATIONS = ("createCall", "getCall")
PHONE = "+996700000001"


@pytest.fixture
def program(root: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """``wait.py`` as a module, with pauses that take no time."""
    module = ModuleType("wait")
    exec((root / "docs/examples/waiting/wait.py").read_text("utf-8"), module.__dict__)
    monkeypatch.setattr(module.time, "sleep", lambda _: None)
    return module


def prepared(voice_sandbox: SandboxClient) -> str:
    """Sets a clock that reads move; returns the first agent."""
    voice_sandbox.clock_mode("polls")
    return str(voice_sandbox.client.get("/v1/agents").json()["agents"][0]["key"])


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("kind", FAULTS)
def test_program_survives_every_fault(
    voice_sandbox: SandboxClient, program: Any, kind: str, operation: str
) -> None:
    """It ends with the result of one call, whatever struck, and the phone rang once."""
    agent = prepared(voice_sandbox)
    voice_sandbox.fail(operation, kind, times=2, **TOLD.get(kind, {}))
    call = program.call_and_wait(voice_sandbox.client, PHONE, agent, "order-1842")
    assert call["status"] == "completed"
    assert voice_sandbox.rings(PHONE) == 1
    assert all(fault["struck"] > 0 for fault in voice_sandbox.faults())


def test_program_gives_up_on_a_call_that_never_ends(
    voice_sandbox: SandboxClient, program: Any
) -> None:
    """A stuck call ends the loop at its deadline, and not before."""
    agent = prepared(voice_sandbox)
    voice_sandbox.number(PHONE, "stuck_ringing")
    program.DEADLINE_SECONDS, program.PAUSE_SECONDS = 3, 2
    instants = iter(range(100))
    program.time = type(
        "Clock", (), {"monotonic": lambda *_: next(instants), "sleep": lambda *_: None}
    )()
    with pytest.raises(TimeoutError, match=r"ringing|queued"):
        program.call_and_wait(voice_sandbox.client, PHONE, agent, "order-1842")


def test_program_in_javascript_survives_every_fault(
    voice_sandbox: SandboxClient, root: Path, node_tools: NodeTools, tmp_path: Path
) -> None:
    """One run meets each fault of both operations in turn, and rings once."""
    agent = prepared(voice_sandbox)
    for kind in FAULTS:
        for operation in OPERATIONS:
            voice_sandbox.fail(operation, kind, **TOLD.get(kind, {}))
    text = (root / "docs/examples/waiting/wait.mjs").read_text("utf-8")
    for shown, real in {
        "{{ quickstart.phone }}": PHONE,
        "{{ quickstart.agent }}": agent,
        "PAUSE_MS = 2_000": "PAUSE_MS = 1",
        "PAUSE_MS = 30_000": "PAUSE_MS = 1",
    }.items():
        assert shown in text
        text = text.replace(shown, real)
    (tmp_path / "wait.mjs").write_text(text)
    environment = {
        **os.environ,
        "VOICE_API_URL": voice_sandbox.url,
        "VOICE_API_KEY": voice_sandbox.key,
    }
    ran = subprocess.run(
        [node_tools.node, tmp_path / "wait.mjs"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.stdout.startswith("completed"), ran.stderr
    assert voice_sandbox.rings(PHONE) == 1
