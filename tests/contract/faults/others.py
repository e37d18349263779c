"""Faults of checks that no other fault needs, written after those checks."""

import itertools
import json
import re
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from fault_injection import FaultInjector, FaultyRequest, FaultyResponse
from faults.altering import CALLS, is_call, lenient, token_of
from faults.rows import (
    AGENT,
    CLOCK_PATH,
    REJECTING,
    Alter,
    as_fault,
    instead,
    overlooked,
    read_body,
    respond,
    says,
    shown,
)
from voice_sandbox.journal.journal import Journal


def _create_what_is_rejected(injector: FaultInjector) -> None:
    """A creation with a wrong agent is rejected, and a call is created all the same."""

    def alter(request: FaultyRequest) -> None:
        value = lenient(request.body)
        if request.path == CALLS and isinstance(value, dict) and value.get("agent") == f"{AGENT} ":
            request.put("x-wrong", b"1")
            request.body = json.dumps({**value, "agent": AGENT}).encode()

    injector.on_request(alter)

    def reject(request: FaultyRequest, response: FaultyResponse) -> None:
        if request.values("x-wrong") and response.status == 201:
            response.status = 422
            response.put("content-type", b"application/problem+json")
            response.put("location", None)
            request_id = response.values("x-request-id")[0].decode()
            response.put_json({**_PROBLEM, "request_id": request_id})

    injector.on_response(reject)


_PROBLEM = {
    "type": "/errors/#validation_failed",
    "title": "Validation failed",
    "status": 422,
    "detail": "The body does not fit the contract in 1 place.",
    "code": "validation_failed",
    "errors": [{"pointer": "/agent", "detail": "There is no such agent."}],
}


def _keep_validators(injector: FaultInjector) -> None:
    """A response has a validator, and a request with it gets none of the body."""

    def alter(request: FaultyRequest, response: FaultyResponse) -> None:
        if request.path == "/v1/agents" and response.status == 200:
            response.put("etag", b'"agents"')
            if request.values("if-none-match") == [b'"agents"']:
                response.put_json({"agents": response.json["agents"][:1]})

    injector.on_response(alter)


def _mix(injector: FaultInjector) -> None:
    """An advance moves the clocks of all keys, as they are shown."""
    moved: list[float] = []

    def remember(request: FaultyRequest) -> None:
        value = lenient(request.body)
        if request.path == CLOCK_PATH and isinstance(value, dict) and "advance_seconds" in value:
            moved.append(value["advance_seconds"])

    injector.on_request(remember)
    shown(CLOCK_PATH, lambda v: v.update(rate=1 + len(moved)))(injector)


def _read_the_end_without_case(value: dict[str, Any]) -> None:
    if "event_type" not in value and isinstance(value.get("transcript"), str):
        value["transcript"] = value["transcript"].strip() or value["transcript"]


def _two_calls_at_once(injector: FaultInjector) -> None:
    """An Idempotency-Key is looked up by key and body, so other bodies make other calls."""

    def alter(request: FaultyRequest) -> None:
        for key in request.values("idempotency-key"):
            if key == b"different-at-once":
                number = re.search(rb"[0-9]{11}", request.body)
                request.put("idempotency-key", key + (number[0] if number else b""))

    injector.on_request(alter)


def _forget_after_an_hour(injector: FaultInjector) -> None:
    """An Idempotency-Key is free as soon as its clock was advanced by hours."""
    late: set[bytes] = set()

    def alter(request: FaultyRequest) -> None:
        value = lenient(request.body)
        if request.path == CLOCK_PATH and isinstance(value, dict):
            seconds = value.get("advance_seconds", 0)
            if isinstance(seconds, int | float) and seconds > 80_000:
                late.add(token_of(request))
        for key in request.values("idempotency-key"):
            if token_of(request) in late:
                request.put("idempotency-key", key + b"-late")

    injector.on_request(alter)


_COUNT: Iterator[int] = itertools.count()

OTHERS = [
    (
        "limits",
        "rejected_bodies_create_nothing",
        "rejected_agent_is_called",
        "A creation with a wrong agent is rejected, and a call is created all the same.",
        _create_what_is_rejected,
    ),
    (
        "limits",
        "completions_at_the_limits_are_kept",
        "longest_talk_is_shortened",
        "A duration of a day is saved a second shorter.",
        read_body(lambda v: v.update(duration=86_399) if v.get("duration") == 86_400 else None),
    ),
    (
        "irrelevant",
        "validators_of_a_cache_change_nothing",
        "known_agents_are_left_out",
        "A request with the validator of a response gets less.",
        _keep_validators,
    ),
    (
        "irrelevant",
        "connection_survives_every_error",
        "second_request_is_another",
        "After a rejection the next request over the connection is answered wrongly.",
        lambda i: _confuse(i),
    ),
    (
        "irrelevant",
        "http_1_0_is_answered_alike",
        "closed_connections_get_less",
        "A request that does not keep its connection gets another header.",
        respond(
            lambda q, r: q.path == "/v1/agents",
            lambda r: r.put("x-count", str(next(_COUNT)).encode()),
        ),
    ),
    (
        "idempotency",
        "different_bodies_at_once_leave_one_call",
        "bodies_at_once_are_not_compared",
        "Different bodies under one key at once make several calls.",
        _two_calls_at_once,
    ),
    (
        "idempotency",
        "key_outlives_the_call_and_not_the_day",
        "keys_are_kept_less_than_a_day",
        "An Idempotency-Key is free before a day has passed.",
        _forget_after_an_hour,
    ),
    (
        "idempotency",
        "kept_key_comes_before_the_number",
        "rejecting_number_hides_the_conflict",
        "A kept key with a number that rejects is answered by the number.",
        instead(
            "idempotency_conflict",
            "provider_unavailable",
            lambda q: any(number in q.body for number in REJECTING),
        ),
    ),
    (
        "text",
        "text_of_an_ordered_end_survives",
        "text_of_an_end_is_stripped",
        "The transcript of an end on demand loses the blanks around it.",
        read_body(_read_the_end_without_case),
    ),
    (
        "state",
        "one_of_many_ends_every_state",
        "loser_is_told_that_it_won",
        "Of two ends at once the second is told that it was saved.",
        overlooked("call_already_ended", says(b'"busy"')),
    ),
    (
        "state",
        "every_scenario_yields_to_a_completion_by_hand",
        "completion_by_hand_is_overlooked",
        "A completion by hand of a call with several plans is overlooked.",
        respond(
            lambda q, r: is_call(q) and b"by hand" in r.body,
            lambda r: r.put_json({**r.json, "duration": r.json["duration"] + 1}),
        ),
    ),
    (
        "time",
        "clocks_and_calls_never_mix",
        "rates_mix",
        "The advances of one key are told to another.",
        _mix,
    ),
    (
        "on request",
        "armed_faults_are_disarmed",
        "disarmed_faults_are_listed",
        "A fault that was disarmed is still listed.",
        lambda i: _list_for_ever(i),
    ),
]


def _confuse(injector: FaultInjector) -> None:
    """The read after a rejection leaves an agent out."""
    rejected: set[bytes] = set()

    def alter(request: FaultyRequest, response: FaultyResponse) -> None:
        if response.status >= 400:
            rejected.add(token_of(request))
        elif request.path == "/v1/agents" and token_of(request) in rejected and response.body:
            rejected.discard(token_of(request))
            response.put_json({"agents": response.json["agents"][:1]})

    injector.on_response(alter)


def _list_for_ever(injector: FaultInjector) -> None:
    known: dict[bytes, list[Any]] = {}

    def alter(request: FaultyRequest, response: FaultyResponse) -> None:
        if request.path == "/sandbox/faults" and response.status == 201:
            known.setdefault(token_of(request), []).append(response.json)
        if request.path == "/sandbox/faults" and response.status == 200:
            response.put_json({"faults": known.get(token_of(request), [])})

    injector.on_response(alter)


def streamed(times: Callable[[int], int]) -> Alter:
    """A stream tells its nth exchange so many times."""

    def make(original: Any) -> Any:
        async def follow(*arguments: Any, **named: Any) -> AsyncIterator[bytes]:
            number = 0
            async for event in original(*arguments, **named):
                number += 1
                for _ in range(times(number)):
                    yield event

        return follow

    return lambda injector: injector.wrap(Journal, "follow", make)


OTHERS += [
    (
        "journal",
        "stream_equals_the_journal",
        "stream_leaves_exchanges_out",
        "A stream leaves out every third exchange.",
        streamed(lambda number: int(number % 3 != 0)),
    ),
    (
        "journal",
        "stream_tells_what_happens_meanwhile",
        "stream_repeats_exchanges",
        "A stream tells every second exchange twice.",
        streamed(lambda number: 2 - number % 2),
    ),
    (
        "schema",
        "what_calls_itself_a_sandbox_is_one",
        "sandbox_has_a_number_for_a_version",
        "GET /sandbox says a number as its version.",
        shown("/sandbox", lambda v: v.update(version=1)),
    ),
]
ROWS = [as_fault(*row) for row in OTHERS]
