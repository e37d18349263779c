"""Numbers of one's own: what is bound is played, listed, kept apart and given back."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote

import orjson

from voice_sandbox.verification.api import JSON, Api
from voice_sandbox.verification.check import Needs, check
from voice_sandbox.verification.finding import must, must_be, must_be_invalid
from voice_sandbox.verification.guard import CALLS_PATH
from voice_sandbox.verification.http1 import ReceivedResponse, SentRequest

NUMBERS: Final = "/sandbox/numbers"
_OWN: Final = "+99912345671"
_OTHER: Final = "+99912345672"
_DEFAULT: Final = "default"
_PLAYED: Final = ("busy", "no_answer", "canceled", "russian", "answered")
_TRANSCRIPT: Final = "agent: How are you?\nuser: Fine: thank you."
_TALK: Final = {"ringing": 1, "in_progress": 2}
_DONE: Final = {"status": "completed", "transcript": _TRANSCRIPT}
_OUTCOMES: Final[tuple[tuple[dict[str, Any], str, str | None, int], ...]] = (
    ({**_TALK, "completions": [{**_DONE, "after": 5}]}, "completed", _TRANSCRIPT, 3),
    ({**_TALK, "completions": [{**_DONE, "after": 9, "ended": 6}]}, "completed", _TRANSCRIPT, 4),
    ({"completions": [{**_DONE, "after": 4, "lasted": 3}]}, "completed", _TRANSCRIPT, 3),
    ({"completions": [{**_DONE, "after": 4, "lasted": 4}]}, "completed", _TRANSCRIPT, 4),
    ({"completions": [{**_DONE, "after": 0.6, "lasted": 0}]}, "completed", _TRANSCRIPT, 0),
    (
        {**_TALK, "completions": [{**_DONE, "after": 4, "transcript": "a: b ", "repeat_to": 12}]},
        "completed",
        "a: b a: b a:",
        2,
    ),
    (
        {**_TALK, "completions": [{**_DONE, "after": 5, "status": "failed"}]},
        "failed",
        _TRANSCRIPT,
        3,
    ),
    (
        {"completions": [{"after": 3, "status": "no-answer", "transcript": ""}]},
        "no_answer",
        None,
        0,
    ),
    (
        {"ringing": 2, "completions": [{"after": 4, "status": "busy", "transcript": ""}]},
        "busy",
        None,
        0,
    ),
)
"""An outcome in the form of the catalogue, and how the call then ends."""


@check(Needs.SANDBOX)
def bound_numbers_play_a_scenario(api: Api) -> None:
    """A call to a number that is bound to a scenario ends as a call to the scenario's own."""
    for scenario in _PLAYED:
        own = api.empty()
        _bind(own, _OWN, {"scenario": scenario})
        bound, usual = _ended(own, _OWN), _ended(own, own.number(scenario))
        must(
            bound == usual,
            f"A call to a number that plays {scenario} must end as {usual}, but ends as {bound}.",
            own.last(),
        )
    own = api.empty()
    usual = _ended(own, own.number("voicemail"))
    _bind(own, own.number("busy"), {"scenario": "voicemail"})
    must(
        _ended(own, own.number("busy")) == usual,
        "A number of the catalogue that is bound must play what it is bound to.",
        own.last(),
    )
    _bind(own, _OWN, {"scenario": "provider_unavailable"})
    response = own.post(CALLS_PATH, {**own.new_call(), "phone": _OWN})
    must_be(response, 503, "provider_unavailable", when="a number plays the scenario of that name")


@check(Needs.SANDBOX)
def bound_numbers_play_an_outcome(api: Api) -> None:
    """A call to a number with an outcome of its own ends when and as the outcome says."""
    for outcome, *expected in _OUTCOMES:
        own = api.empty()
        own.stop_clock()
        _bind(own, _OWN, outcome)
        call_id = own.create(call={**own.new_call(), "phone": _OWN})
        ends_at = outcome["completions"][0]["after"]
        own.advance(ends_at - 0.5)
        must(own.is_open(call_id), f"A call that ends after {ends_at} s ends early.", own.last())
        own.advance(1)
        call = own.read(call_id)
        found = [call["status"], call["transcript"], call["duration"]]
        must(
            found == expected,
            f"The outcome {outcome} says {expected}, but the call shows {found}.",
            own.last(),
        )


@check(Needs.SANDBOX)
def default_number_is_every_other(api: Api) -> None:
    """What is bound to `default` is played by numbers without a scenario, and by no others."""
    _bind(api, _OWN, {"scenario": "no_answer"})
    _bind(api, _DEFAULT, {"scenario": "busy"})
    expected = {
        _OTHER: "busy",
        _OWN: "no_answer",
        api.number("answered"): "completed",
        api.number("canceled"): "canceled",
    }
    for phone, status in expected.items():
        found = _ended(api, phone)[0]
        must(
            found == status,
            f"With busy bound to default a call to {phone} must end as {status}, not as {found}.",
            api.last(),
        )


@check(Needs.SANDBOX)
def bound_numbers_are_listed_and_given_back(api: Api) -> None:
    """The list holds what is bound, and only that; unbound, a number plays what it did before."""
    api.stop_clock()
    before = _ended(api, _OWN)
    bound = [
        _bind(api, phone, body)
        for phone, body in (
            (_OWN, {"scenario": "busy"}),
            (_OTHER, _OUTCOMES[0][0]),
            (_DEFAULT, {"scenario": "no_answer"}),
            (_OWN, {"scenario": "canceled"}),
        )
    ]
    _must_list(api, {one["phone"]: one for one in bound})
    other = api.another_key()
    if not api.target.listed_keys:
        _must_list(other, {})
    kept = api.create(call={**api.new_call(), "phone": _OWN})
    for phone in (_OWN, _DEFAULT, _OWN):
        must_be(_unbind(api, phone), 204, when=f"{phone} is unbound")
    _must_list(api, {_OTHER: bound[1]})
    after = _ended(api, _OWN)
    must(
        after == before,
        f"A number that is unbound must end calls as {before}, but they end as {after}.",
        api.last(),
    )
    must(
        api.read(kept)["status"] == "canceled",
        "A call that was created while its number was bound must keep its outcome.",
        api.last(),
    )
    api.reset()
    _must_list(api, {})


@check(Needs.SANDBOX)
def numbers_that_cannot_be_bound_are_rejected(api: Api) -> None:
    """A wrong number, scenario or outcome is rejected at its place, and nothing is bound."""
    for phone in (
        "12345678",
        "+0123456789",
        "+123",
        "+1234567890123456",
        "Default",
        "+1202555010a",
    ):
        must_be_invalid(_put(api, phone, {"scenario": "busy"}), "/phone", when=f"{phone} is bound")
    completion = {"after": 5, "status": "completed", "transcript": ""}
    for body, pointers in (
        ({"scenario": "nosuch"}, ["/scenario"]),
        ({"scenario": "busy", "ringing": 1}, ["/ringing"]),
        (
            {"in_progress": 1, "completions": [{**completion, "after": -1}]},
            ["/completions/0/after"],
        ),
        ({"completions": [{**completion, "status": "no_answer"}]}, ["/completions/0/status"]),
        ({"completions": [completion], "surplus": 1}, ["/surplus"]),
    ):
        must_be_invalid(_put(api, _OWN, body), *pointers, when=f"{body} is bound")
    # They ring before they are answered, and are answered before they end.
    for body in (
        {"ringing": 9, "completions": [completion]},
        {"ringing": 2, "in_progress": 1, "completions": [completion]},
        {"in_progress": 1, "completions": [completion, {**completion, "after": 2}]},
    ):
        must_be(_put(api, _OWN, body), 422, "validation_failed", when=f"{body} is bound")
    _must_list(api, {})


def _ended(api: Api, phone: str) -> tuple[str, Any, Any]:
    """Status, duration and transcript of a new call once nothing is due."""
    call_id = api.create(call={**api.new_call(), "phone": phone})
    must_be(api.post("/sandbox/clock", {"until": "idle"}), 200, when="the clock is advanced")
    call = api.read(call_id)
    return call["status"], call["duration"], call["transcript"]


def _path(phone: str) -> str:
    return f"{NUMBERS}/{quote(phone, safe='')}"


def _put(api: Api, phone: str, body: Any) -> ReceivedResponse:
    headers = (("Authorization", f"Bearer {api.key}"), JSON)
    return api.send(SentRequest("PUT", _path(phone), headers, orjson.dumps(body)))


def _bind(api: Api, phone: str, body: Any) -> dict[str, Any]:
    response = _put(api, phone, body)
    must_be(response, 200, when=f"{phone} is bound")
    bound: dict[str, Any] = response.json()
    must(bound["phone"] == phone, f"{phone} was bound, but the response names another.", response)
    return bound


def _unbind(api: Api, phone: str) -> ReceivedResponse:
    headers = (("Authorization", f"Bearer {api.key}"),)
    return api.send(SentRequest("DELETE", _path(phone), headers))


def _must_list(api: Api, expected: dict[str, Any]) -> None:
    response = api.get(NUMBERS)
    must_be(response, 200, when="the numbers are listed")
    found = {one["phone"]: one for one in response.json()["numbers"]}
    must(
        found == expected and len(response.json()["numbers"]) == len(expected),
        f"The list must hold {', '.join(expected) or 'no number'} as it was bound, but it holds "
        f"{', '.join(found) or 'no number'}, or another outcome.",
        response,
    )
