"""Calls and the simulated provider against a model: the same rules once more, in few lines.

Hypothesis makes up sequences of requests, holds every response against the model, and shortens the
first sequence that does not fit.
"""

import asyncio
import secrets
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from math import inf
from typing import Any

import httpx2
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from voice_sandbox import create_app

from .conftest import CATALOGUE, SCENARIOS, START, FakeWall, client_of, new_call

ON_ENGINES = ["sqlite-memory", "sqlite-file", "postgresql"]

UNANSWERED = {"no_answer", "busy", "canceled"}
ENDS = {
    "queued": {"completed", "failed", *UNANSWERED},
    "ringing": {"completed", "failed", *UNANSWERED},
    "in_progress": {"completed", "failed"},
}
WORDS = [*CATALOGUE.normalized_status, "no_such_word"]
PHONES = [scenario.number for scenario in SCENARIOS if scenario.rejection is None]
REJECTING = {
    scenario.number: scenario.rejection.times for scenario in SCENARIOS if scenario.rejection
}
"""Numbers whose calls are rejected, always or so many times."""
ALWAYS_REJECTING = [number for number, times in REJECTING.items() if times is None]
UNSTABLE = [number for number, times in REJECTING.items() if times is not None]
AGENT = CATALOGUE.agents[0].key
DAY = 24 * 60 * 60

Result = tuple[str, str | None, int]


@dataclass
class ModelCall:
    """What is known of a call from what was asked and when."""

    phone: str
    created_at: float
    result: Result | None = None
    is_planned: bool = True
    delivered: int = 0

    @property
    def completions(self) -> list[Any]:
        return list(SCENARIOS.for_number(self.phone).completions)

    def due_at(self) -> float:
        left = self.completions[self.delivered :] if self.is_planned else []
        return self.created_at + left[0].after_seconds if left else inf

    def status(self, now: float) -> str:
        if self.result is not None:
            return self.result[0]
        scenario = SCENARIOS.for_number(self.phone)
        reached = "queued"
        for status, after in (
            ("ringing", scenario.ringing_after_seconds),
            ("in_progress", scenario.answered_after_seconds),
        ):
            if after is not None and now >= self.created_at + after:
                reached = status
        return reached

    def complete(self, word: str, transcript: str | None, duration: int, now: float) -> int:
        """What a completion is answered with; it changes the call where it is accepted."""
        if word not in CATALOGUE.normalized_status:
            return 422
        status = CATALOGUE.normalized_status[word]
        result: Result = (status, transcript or None, duration)
        if status in UNANSWERED:
            result = (status, None, 0)
        if self.result is not None:
            return 200 if self.result == result else 409
        if status not in ENDS[self.status(now)]:
            return 409
        self.result = result
        return 200


@dataclass(frozen=True)
class Kept:
    """What an Idempotency-Key stands for."""

    phone: str
    call_id: str
    expires_at: float


@dataclass
class Model:
    """A namespace: its clock, its calls in the order of their creation, its kept keys."""

    now: float
    calls: dict[str, ModelCall] = field(default_factory=dict)
    kept: dict[str, Kept] = field(default_factory=dict)
    rejections: Counter[str] = field(default_factory=Counter)

    def next_due_at(self) -> float:
        return min((call.due_at() for call in self.calls.values()), default=inf)

    def advance(self, until: float) -> None:
        while (due := self.next_due_at()) <= until:
            if due == inf:
                break
            self.now = due
            call = next(call for call in self.calls.values() if call.due_at() == due)
            sent = call.completions[call.delivered]
            text = sent.transcript
            if sent.repeat_to:
                text = (text * (sent.repeat_to // len(text) + 1))[: sent.repeat_to]
            call.complete(sent.status, text, sent.duration_seconds, due)
            call.delivered += 1
        if until < inf:
            self.now = until


class Calls(RuleBasedStateMachine):
    """One key of a running sandbox."""

    client: httpx2.AsyncClient
    run: Callable[[Coroutine[Any, Any, httpx2.Response]], httpx2.Response]
    calls = Bundle("calls")

    def __init__(self) -> None:
        super().__init__()
        self.key = f"sandbox_{secrets.token_hex(8)}"
        self.model = Model(START)

    def request(
        self, method: str, path: str, body: Any = None, key: str | None = None, **headers: str
    ) -> httpx2.Response:
        return self.run(
            self.client.request(
                method,
                path,
                json=body,
                headers={"Authorization": f"Bearer {key or self.key}", **headers},
            )
        )

    @rule(target=calls, phone=st.sampled_from([*PHONES, new_call()["phone"]]))
    def create(self, phone: str) -> str:
        """A call of its own for each request without an Idempotency-Key."""
        response = self.request("POST", "/v1/calls", {"phone": phone, "agent": AGENT})
        return self.created(response, phone)

    @rule(target=calls, phone=st.sampled_from(PHONES[:2]), key=st.sampled_from(["one", "two"]))
    def create_once(self, phone: str, key: str) -> str:
        """With an Idempotency-Key a new call, the kept one, or a conflict."""
        body = {"phone": phone, "agent": AGENT}
        response = self.request("POST", "/v1/calls", body, **{"Idempotency-Key": key})
        kept = self.model.kept.get(key)
        if kept is None or self.model.now >= kept.expires_at:
            call_id = self.created(response, phone)
            self.model.kept[key] = Kept(phone, call_id, self.model.now + DAY)
            return call_id
        if kept.phone == phone:
            assert response.status_code == 201
            assert response.json()["call_id"] == kept.call_id
            assert response.headers["idempotent-replayed"] == "true"
        else:
            assert response.status_code == 409
        return kept.call_id

    def created(self, response: httpx2.Response, phone: str) -> str:
        """The id of a call that was just made, which the model learns of."""
        assert response.status_code == 201, response.text
        assert "idempotent-replayed" not in response.headers
        call_id: str = response.json()["call_id"]
        assert call_id not in self.model.calls
        self.model.calls[call_id] = ModelCall(phone, self.model.now)
        return call_id

    @precondition(lambda self: len(self.model.calls) % 4 == 3)
    @rule(phone=st.sampled_from(ALWAYS_REJECTING), kept_as=st.sampled_from(["one", "two"]))
    def create_rejected(self, phone: str, kept_as: str) -> None:
        """A rejected creation creates and keeps nothing; a kept key is a conflict before that."""
        body = {"phone": phone, "agent": AGENT}
        response = self.request("POST", "/v1/calls", body, **{"Idempotency-Key": kept_as})
        kept = self.model.kept.get(kept_as)
        is_kept = kept is not None and self.model.now < kept.expires_at
        assert response.status_code in ((409,) if is_kept else (429, 503))

    @rule(target=calls, phone=st.sampled_from(UNSTABLE))
    def create_unstable(self, phone: str) -> Any:
        """Some numbers reject so many times, and then a call is created as with any other."""
        response = self.request("POST", "/v1/calls", {"phone": phone, "agent": AGENT})
        if self.model.rejections[phone] == REJECTING[phone]:
            return self.created(response, phone)
        self.model.rejections[phone] += 1
        assert response.status_code in (429, 503)
        return multiple()

    @rule(call_id=calls)
    def read_any(self, call_id: str) -> None:
        """Older calls stay as they are."""
        self.read(call_id)

    def read(self, call_id: str) -> None:
        """A call reads as the model has it, and as nothing where the namespace was emptied."""
        response = self.request("GET", f"/v1/calls/{call_id}")
        call = self.model.calls.get(call_id)
        if call is None:
            assert response.status_code == 404
            return
        result = call.result or (None, None, None)
        assert response.json() == {
            "call_id": call_id,
            "status": call.status(self.model.now),
            "transcript": result[1],
            "duration": result[2],
        }

    @rule(call_id=calls)
    def read_with_another_key(self, call_id: str) -> None:
        """Nobody else's calls exist."""
        response = self.request("GET", f"/v1/calls/{call_id}", key="sandbox_stranger")
        assert response.status_code == 404

    @rule(seconds=st.sampled_from([1, 2, 3, 5, 130, DAY]))
    def advance(self, seconds: int) -> None:
        """Everything due has happened when the response comes."""
        response = self.request("POST", "/sandbox/clock", {"advance_seconds": seconds})
        assert response.status_code == 200
        self.model.advance(self.model.now + seconds)

    @precondition(lambda self: self.model.next_due_at() < inf)
    @rule()
    def advance_until_idle(self) -> None:
        """Nothing is pending when the response comes."""
        response = self.request("POST", "/sandbox/clock", {"until": "idle"})
        assert response.json()["next_due_at"] is None
        self.model.advance(inf)

    @rule(
        call_id=calls,
        word=st.sampled_from(WORDS),
        transcript=st.sampled_from([None, "", "agent: Hello", "user: \U0001f600 саламатсызбы"]),
        duration=st.sampled_from([0, 1, 120]),
        by=st.sampled_from(["hand", "provider"]),
    )
    def complete(
        self, call_id: str, word: str, transcript: str | None, duration: int, by: str
    ) -> None:
        """A completion by hand or by the provider's order is answered as the states allow."""
        call = self.model.calls.get(call_id)
        if call is None:
            return
        outcome = {"status": word, "transcript": transcript, "duration": duration}
        if by == "provider":
            response = self.request("POST", f"/sandbox/calls/{call_id}/end", outcome)
        else:
            known = self.request("GET", f"/sandbox/calls/{call_id}").json()
            body = {
                "event_type": "call.completed",
                "provider_call_id": known["provider_call_id"],
                **outcome,
            }
            response = self.request("POST", "/v1/webhooks/call-completed", body)
        was_over = call.result is not None
        expected = call.complete(word, transcript, duration, self.model.now)
        assert response.status_code == expected, response.text
        if expected == 200 and (by == "provider" or not was_over):
            call.is_planned = False

    @precondition(lambda self: len(self.model.calls) >= 6)
    @rule(call_id=consumes(calls))
    def reset(self, call_id: str) -> None:
        """An emptied namespace is as new; the calls it held are gone."""
        assert self.request("DELETE", "/sandbox/state").status_code == 204
        self.model = Model(START)
        assert self.request("GET", f"/v1/calls/{call_id}").status_code == 404

    @invariant()
    def newest_call_reads_as_the_model_has_it(self) -> None:
        """After each step, whatever it was."""
        for call_id in list(self.model.calls)[-1:]:
            self.read(call_id)

    @invariant()
    def clock_shows_what_the_model_shows(self) -> None:
        """The clock moves by what was asked, and never back."""
        shown = self.request("GET", "/sandbox/clock").json()
        assert _seconds(shown["now"]) == pytest.approx(self.model.now, abs=0.002)
        assert (shown["next_due_at"] is None) == (self.model.next_due_at() == inf)


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


@pytest.fixture
def machine(database: str) -> Iterator[type[Calls]]:
    """The state machine for a sandbox on each engine."""
    with asyncio.Runner() as runner:
        app = create_app(database=database, wall=FakeWall())
        running, client = app.router.lifespan_context(app), client_of(app, None)
        runner.run(running.__aenter__())
        yield type("Calls", (Calls,), {"client": client, "run": staticmethod(runner.run)})
        runner.run(client.aclose())
        runner.run(running.__aexit__(None, None, None))


def test_sandbox_behaves_as_the_model(machine: type[Calls]) -> None:
    """Whatever is asked in whatever order, every response is the one that the rules give."""
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=40,
            stateful_step_count=30,
            deadline=None,
        ),
    )
