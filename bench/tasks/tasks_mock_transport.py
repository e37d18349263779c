"""The twelve tasks with a mock inside the test's own process: httpx2's `MockTransport`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import program
import pytest

PHONE = "+996700000001"
CALL_ID = "01890a5d-ac96-774b-bcce-b302099a8057"
TALK = "agent: Is half past ten fine?\nuser: Yes."
CREATED = httpx2.Response(201, json={"call_id": CALL_ID})
Mock = Callable[..., list[httpx2.Request]]


@pytest.fixture
def mock(monkeypatch: pytest.MonkeyPatch) -> Mock:
    monkeypatch.setenv("VOICE_API_URL", "http://mock.test")
    monkeypatch.setenv("VOICE_API_KEY", "sandbox_tasks")
    monkeypatch.setenv("VOICE_AGENT", "anybody")

    def answering(posts: list[Any], gets: list[Any]) -> list[httpx2.Request]:
        """The last response of each list is sent again and again."""
        seen: list[httpx2.Request] = []
        left: dict[str, Iterator[Any]] = {"POST": iter(posts), "GET": iter(gets)}
        last = {"POST": posts[-1], "GET": gets[-1]}

        def handle(request: httpx2.Request) -> httpx2.Response:
            seen.append(request)
            response = next(left[request.method], last[request.method])
            if isinstance(response, Exception):
                raise response
            found: httpx2.Response = response
            return found

        transport = httpx2.MockTransport(handle)
        client = httpx2.Client
        monkeypatch.setattr(httpx2, "Client", lambda **given: client(transport=transport, **given))
        return seen

    return answering


def read(status: str, transcript: str | None = None, *, ended: bool = True) -> httpx2.Response:
    call = {"call_id": CALL_ID, "status": status, "transcript": transcript}
    return httpx2.Response(200, json={**call, "duration": 0 if ended else None})


def test_busy(mock: Mock) -> None:
    mock([CREATED], [read("queued", ended=False), read("ringing", ended=False), read("busy")])
    assert program.call_and_wait(PHONE)["status"] == "busy"


def test_no_answer(mock: Mock) -> None:
    mock([CREATED], [read("queued", ended=False), read("ringing", ended=False), read("no_answer")])
    assert program.call_and_wait(PHONE)["status"] == "no_answer"


def test_retry_after_503(mock: Mock) -> None:
    mock([httpx2.Response(503), httpx2.Response(503), CREATED], [read("completed", TALK)])
    assert program.call_and_wait(PHONE)["status"] == "completed"


def test_retry_after_429(mock: Mock) -> None:
    rejected = httpx2.Response(429, headers={"Retry-After": "1"})
    mock([rejected, CREATED], [read("completed", TALK)])
    assert program.call_and_wait(PHONE)["status"] == "completed"


def test_lost_response(mock: Mock) -> None:
    seen = mock([httpx2.ReadError("reset"), CREATED], [read("completed", TALK)])
    program.call_and_wait(PHONE, "order-1842")
    keys = [one.headers["Idempotency-Key"] for one in seen if one.method == "POST"]
    assert keys == ["order-1842"] * 2  # it cannot say how often a phone would ring


def test_stuck_call(mock: Mock) -> None:
    mock([CREATED], [read("ringing", ended=False)])
    with pytest.raises(TimeoutError):
        program.call_and_wait(PHONE)


def test_late_result(mock: Mock) -> None:
    late = [read("in_progress", ended=False)] * 3
    mock([CREATED], [read("queued", ended=False), *late, read("completed", TALK)])
    assert program.call_and_wait(PHONE)["status"] == "completed"


def test_own_transcript(mock: Mock) -> None:
    mock([CREATED], [read("completed", TALK)])
    assert program.call_and_wait(PHONE)["transcript"] == TALK


def test_fifty_at_once(mock: Mock) -> None:
    mock([CREATED], [read("completed", TALK)])  # one call for all of them
    with ThreadPoolExecutor(50) as pool:
        calls = list(pool.map(program.call_and_wait, [PHONE] * 50))
    assert {call["status"] for call in calls} == {"completed"}


def test_without_sleeping(mock: Mock) -> None:
    mock([CREATED], [read("completed", TALK)])
    assert program.call_and_wait(PHONE)["status"] == "completed"


def test_what_was_sent(mock: Mock) -> None:
    seen = mock([CREATED], [read("completed", TALK)])
    program.call_and_wait(PHONE, "order-1842")
    assert PHONE.encode() in seen[0].content
