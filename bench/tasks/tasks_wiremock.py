"""The twelve tasks with WireMock, for which each test writes stubs. WIREMOCK_URL names one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import program
import pytest

PHONE = "+996700000001"
CALL_ID = "01890a5d-ac96-774b-bcce-b302099a8057"
TALK = "agent: Is half past ten fine?\nuser: Yes."
URL = os.environ.get("WIREMOCK_URL", "http://127.0.0.1:8080")


@pytest.fixture(autouse=True)
def access(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("VOICE_API_URL", URL)
    monkeypatch.setenv("VOICE_API_KEY", "sandbox_tasks")
    monkeypatch.setenv("VOICE_AGENT", "anybody")
    yield
    httpx2.post(f"{URL}/__admin/reset").raise_for_status()


def stub(method: str, path: str, response: dict[str, Any], at: str = "", then: str = "") -> None:
    mapping: dict[str, Any] = {
        "request": {"method": method, "urlPath": path},
        "response": {"headers": {"Content-Type": "application/json"}, **response},
    }
    if at or then:
        mapping |= {"scenarioName": path + method, "requiredScenarioState": at or "Started"}
    if then:
        mapping["newScenarioState"] = then
    httpx2.post(f"{URL}/__admin/mappings", json=mapping).raise_for_status()


def created(**state: str) -> None:
    stub("POST", "/v1/calls", {"status": 201, "jsonBody": {"call_id": CALL_ID}}, **state)


def reads(status: str, transcript: str | None = None, ended: bool = True, **state: str) -> None:
    call = {"call_id": CALL_ID, "status": status, "transcript": transcript}
    body = {**call, "duration": 0 if ended else None}
    stub("GET", f"/v1/calls/{CALL_ID}", {"status": 200, "jsonBody": body}, **state)


def test_busy() -> None:
    created()
    reads("queued", ended=False, then="ringing")
    reads("ringing", ended=False, at="ringing", then="ended")
    reads("busy", at="ended")
    assert program.call_and_wait(PHONE)["status"] == "busy"


def test_no_answer() -> None:
    created()
    reads("queued", ended=False, then="ringing")
    reads("ringing", ended=False, at="ringing", then="ended")
    reads("no_answer", at="ended")
    assert program.call_and_wait(PHONE)["status"] == "no_answer"


def test_retry_after_503() -> None:
    stub("POST", "/v1/calls", {"status": 503}, then="once")
    stub("POST", "/v1/calls", {"status": 503}, at="once", then="twice")
    created(at="twice")
    reads("completed", "agent: Hello")
    assert program.call_and_wait(PHONE)["status"] == "completed"


def test_retry_after_429() -> None:
    rejected = {"status": 429, "headers": {"Retry-After": "1"}}
    stub("POST", "/v1/calls", rejected, then="once")
    created(at="once")
    reads("completed", "agent: Hello")
    assert program.call_and_wait(PHONE)["status"] == "completed"


def test_lost_response() -> None:
    stub("POST", "/v1/calls", {"fault": "CONNECTION_RESET_BY_PEER"}, then="lost")
    created(at="lost")
    reads("completed", "agent: Hello")
    program.call_and_wait(PHONE, "order-1842")
    wanted = {"method": "POST", "headers": {"Idempotency-Key": {"equalTo": "order-1842"}}}
    counted = httpx2.post(f"{URL}/__admin/requests/count", json=wanted).json()
    assert counted["count"] == 2  # it cannot say how often a phone would ring


def test_stuck_call() -> None:
    created()
    reads("ringing", ended=False)
    with pytest.raises(TimeoutError):
        program.call_and_wait(PHONE)


def test_late_result() -> None:
    created()
    reads("queued", ended=False, then="answered")
    reads("in_progress", ended=False, at="answered", then="still")
    reads("in_progress", ended=False, at="still", then="ended")
    reads("completed", "agent: Hello", at="ended")
    assert program.call_and_wait(PHONE)["status"] == "completed"


def test_own_transcript() -> None:
    created()
    reads("completed", TALK)
    assert program.call_and_wait(PHONE)["transcript"] == TALK


def test_fifty_at_once() -> None:
    created()
    reads("completed", TALK)  # one call for all of them: states are shared
    with ThreadPoolExecutor(50) as pool:
        calls = list(pool.map(program.call_and_wait, [PHONE] * 50))
    assert {call["status"] for call in calls} == {"completed"}


def test_without_sleeping() -> None:
    created()
    reads("completed", TALK)
    assert program.call_and_wait(PHONE)["status"] == "completed"


def test_what_was_sent() -> None:
    created()
    reads("completed", TALK)
    program.call_and_wait(PHONE, "order-1842")
    wanted = {"method": "POST", "urlPath": "/v1/calls"}
    [sent] = httpx2.post(f"{URL}/__admin/requests/find", json=wanted).json()["requests"]
    assert PHONE in sent["body"]
