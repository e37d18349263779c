"""The twelve tasks with this sandbox."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import program
import pytest

from voice_sandbox.testing.client import SandboxClient

PHONE = "+996700000001"
TALK = "agent: Is half past ten fine?\nuser: Yes."


@pytest.fixture(autouse=True)
def access(voice_sandbox: SandboxClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOICE_API_URL", voice_sandbox.url)
    monkeypatch.setenv("VOICE_API_KEY", voice_sandbox.key)
    monkeypatch.setenv("VOICE_AGENT", voice_sandbox.agents()[0]["key"])
    voice_sandbox.clock_mode("polls")


def test_busy(voice_sandbox: SandboxClient) -> None:
    voice_sandbox.number(PHONE, "busy")
    assert program.call_and_wait(PHONE)["status"] == "busy"


def test_no_answer(voice_sandbox: SandboxClient) -> None:
    voice_sandbox.number(PHONE, "no_answer")
    assert program.call_and_wait(PHONE)["status"] == "no_answer"


def test_retry_after_503(voice_sandbox: SandboxClient) -> None:
    voice_sandbox.fail("createCall", "internal_error", times=2)
    assert program.call_and_wait(PHONE)["status"] == "completed"


def test_retry_after_429(voice_sandbox: SandboxClient) -> None:
    voice_sandbox.fail("createCall", "problem", code="rate_limited", retry_after=1)
    assert program.call_and_wait(PHONE)["status"] == "completed"


def test_lost_response(voice_sandbox: SandboxClient) -> None:
    voice_sandbox.fail("createCall", "lost_response")
    program.call_and_wait(PHONE, "order-1842")
    assert voice_sandbox.rings(PHONE) == 1


def test_stuck_call(voice_sandbox: SandboxClient) -> None:
    voice_sandbox.number(PHONE, "stuck_ringing")
    with pytest.raises(TimeoutError):
        program.call_and_wait(PHONE)


def test_late_result(voice_sandbox: SandboxClient) -> None:
    voice_sandbox.number(PHONE, "delivered_late")
    assert program.call_and_wait(PHONE)["status"] == "completed"


def test_conflicting_results(voice_sandbox: SandboxClient) -> None:
    voice_sandbox.number(PHONE, "conflicting")
    call = program.call_and_wait(PHONE)
    voice_sandbox.until_idle()
    assert voice_sandbox.status(call["call_id"]) == call


def test_own_transcript(voice_sandbox: SandboxClient) -> None:
    completion = {"after": 5, "status": "completed", "transcript": TALK}
    voice_sandbox.number(PHONE, ringing=1, in_progress=2, completions=[completion])
    assert program.call_and_wait(PHONE)["transcript"] == TALK


def test_fifty_at_once(voice_sandbox: SandboxClient) -> None:
    with ThreadPoolExecutor(50) as pool:
        calls = list(pool.map(program.call_and_wait, [PHONE] * 50))
    assert {call["status"] for call in calls} == {"completed"}


def test_without_sleeping(voice_sandbox: SandboxClient) -> None:
    call_id = voice_sandbox.call("long_talk")
    voice_sandbox.until_idle()
    assert voice_sandbox.status(call_id)["duration"] == 120


def test_what_was_sent(voice_sandbox: SandboxClient) -> None:
    program.call_and_wait(PHONE, "order-1842")
    [sent] = voice_sandbox.journal(operation="createCall")
    assert PHONE[:4] in voice_sandbox.exchange(sent["request_id"])["request"]["body"]
