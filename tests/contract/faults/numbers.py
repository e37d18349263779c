"""Faults of numbers that a key has bound, written after the checks of them."""

import json
from collections.abc import Callable
from typing import Any

from fault_injection import FaultInjector, FaultyRequest, FaultyResponse
from faults.altering import CALLS
from faults.rows import Alter, as_fault, shown

_NUMBERS = "/sandbox/numbers"
_OUTCOME, _DEFAULT = "bound_numbers_play_an_outcome", "default_number_is_every_other"
_LISTED = "bound_numbers_are_listed_and_given_back"
_SCENARIO = "bound_numbers_play_a_scenario"
_WRONG = "numbers_that_cannot_be_bound_are_rejected"


def bound(change: Callable[[dict[str, Any]], Any]) -> Alter:
    """What is bound is something else than was sent."""

    def alter(request: FaultyRequest) -> None:
        if request.method == "PUT" and request.path.startswith(_NUMBERS):
            value = json.loads(request.body)
            change(value)
            request.body = json.dumps(value).encode()

    return lambda injector: injector.on_request(alter)


def first_completion(**changes: Any) -> Alter:
    def change(value: dict[str, Any]) -> None:
        for one in (value.get("completions") or [])[:1]:
            one.update(changes)

    return bound(change)


def on_number(method: str, change: Callable[[FaultyRequest], Any]) -> Alter:
    def alter(request: FaultyRequest) -> None:
        if request.method == method and request.path.startswith(f"{_NUMBERS}/"):
            change(request)

    return lambda injector: injector.on_request(alter)


def elsewhere(request: FaultyRequest) -> None:
    """Another number, which no check looks at."""
    request.path = f"{_NUMBERS}/+99900000000"


def _call_another(injector: FaultInjector) -> None:
    """A number that is bound is dialled as one that plays the default scenario."""

    def alter(request: FaultyRequest) -> None:
        if request.path == CALLS and b"+99912345671" in request.body:
            request.body = request.body.replace(b"+99912345671", b"+99912345679")

    injector.on_request(alter)


def accepted(word: str) -> Alter:
    """A binding that must be rejected is answered as if it was made."""

    def alter(request: FaultyRequest, response: FaultyResponse) -> None:
        wrong = request.path.startswith(f"{_NUMBERS}/") and word.encode() in request.body
        if wrong and response.status == 422:
            response.status = 200
            response.put("content-type", b"application/json")
            received = {"phone": "+99912345671", "scenario": "busy", "outcome": None}
            response.put_json(received)

    return lambda injector: injector.on_response(alter)


ROWS = [
    as_fault("on request", caught_by, name, sentence, alter)
    for caught_by, name, sentence, alter in (
        (
            _SCENARIO,
            "bound_number_plays_another_scenario",
            "A number that is bound to russian plays the first scenario.",
            bound(lambda v: v.update(scenario="answered") if v.get("scenario") == "russian" else 0),
        ),
        (
            _SCENARIO,
            "bound_number_is_dialled_as_another",
            "What is bound to a number is not played.",
            _call_another,
        ),
        (
            _OUTCOME,
            "own_transcript_is_cut",
            "An outcome of one's own ends with another transcript.",
            first_completion(transcript="agent: How are you?"),
        ),
        (
            _OUTCOME,
            "own_outcome_ends_early",
            "An outcome of one's own ends after a second.",
            first_completion(after=2.5),
        ),
        (
            _OUTCOME,
            "own_outcome_ends_late",
            "An outcome of one's own ends a minute later.",
            first_completion(after=65),
        ),
        (
            _DEFAULT,
            "default_is_forgotten",
            "What is bound to default is played by no number.",
            on_number("PUT", lambda r: elsewhere(r) if r.path.endswith("default") else None),
        ),
        (
            _LISTED,
            "list_of_numbers_leaves_one_out",
            "The list leaves out the number that was bound last.",
            shown(_NUMBERS, lambda v: v["numbers"].pop() and None if v["numbers"] else None),
        ),
        (
            _LISTED,
            "list_of_numbers_hides_outcomes",
            "The list shows no outcome.",
            shown(_NUMBERS, lambda v: [one.update(outcome=None) for one in v["numbers"]] and None),
        ),
        (
            _LISTED,
            "unbound_number_stays_bound",
            "A number that is unbound plays what it was bound to.",
            on_number("DELETE", elsewhere),
        ),
        (
            _WRONG,
            "unknown_scenario_is_bound",
            "A number is bound to a scenario that does not exist.",
            accepted("nosuch"),
        ),
        (
            _WRONG,
            "impossible_outcome_is_bound",
            "A number is bound to a call that is answered before it rings.",
            accepted('"ringing":2,"in_progress":1'),
        ),
    )
]
