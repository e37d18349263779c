"""The twelve tasks with Mockoon, which plays mockoon.py. MOCKOON_URL names a running one."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import httpx2
import program
import pytest

PHONE = "+996700000001"
URL = os.environ.get("MOCKOON_URL", "http://127.0.0.1:3000")


@pytest.fixture(autouse=True)
def access(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    task = request.node.name.removeprefix("test_")
    monkeypatch.setenv("VOICE_API_URL", f"{URL}/{task}")
    monkeypatch.setenv("VOICE_API_KEY", "sandbox_tasks")
    monkeypatch.setenv("VOICE_AGENT", "anybody")


def test_busy() -> None:
    assert program.call_and_wait(PHONE)["status"] == "busy"


def test_no_answer() -> None:
    assert program.call_and_wait(PHONE)["status"] == "no_answer"


def test_retry_after_503() -> None:
    assert program.call_and_wait(PHONE)["status"] == "completed"


def test_retry_after_429() -> None:
    assert program.call_and_wait(PHONE)["status"] == "completed"


def test_stuck_call() -> None:
    with pytest.raises(TimeoutError):
        program.call_and_wait(PHONE)


def test_late_result() -> None:
    assert program.call_and_wait(PHONE)["status"] == "completed"


def test_own_transcript() -> None:
    assert "half past ten" in program.call_and_wait(PHONE)["transcript"]


def test_fifty_at_once() -> None:
    with ThreadPoolExecutor(50) as pool:
        calls = list(pool.map(program.call_and_wait, [PHONE] * 50))
    assert {call["status"] for call in calls} == {"completed"}


def test_without_sleeping() -> None:
    assert program.call_and_wait(PHONE)["status"] == "completed"


def test_what_was_sent() -> None:
    program.call_and_wait(PHONE, "order-1842")
    signed = {"Authorization": "Bearer sandbox_tasks"}
    assert PHONE in httpx2.get(f"{URL}/mockoon-admin/logs", headers=signed).text
