"""Calls against a model of their rules: each state, each word, each way to end."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from voice_sandbox.calls.scenarios import Scenario
from voice_sandbox.clock import DAY_SECONDS
from voice_sandbox.verification.api import JSON, Api
from voice_sandbox.verification.check import Needs, check
from voice_sandbox.verification.finding import must, must_be, must_be_unknown_call
from voice_sandbox.verification.guard import CALLS_PATH, WEBHOOK_PATH
from voice_sandbox.verification.http1 import SentRequest
from voice_sandbox.verification.model import (
    UNANSWERED,
    ModelCall,
    call_at,
    normalized,
    state_at,
)
from voice_sandbox.verification.requests import as_json

WAYS: Final = ("alias", "reference", "order")
"""By hand for the newest call, by hand for a call by the provider's id, by the provider's order."""
JUMPS: Final = (1, DAY_SECONDS, 7 * DAY_SECONDS, 365 * DAY_SECONDS)
_ENDLESS: Final = "never_completes"
_TEXT: Final = "agent: Hello\nuser: Hi"


@dataclass(slots=True)
class _CheckedCall:
    """A call, and what the rules say of it."""

    call_id: str
    reference: str
    model: ModelCall


@check(Needs.SANDBOX)
def every_word_ends_every_state_as_the_rules_say(api: Api) -> None:
    """In each state each word of the provider, however it arrives, has the effect of the rules."""
    api.stop_clock()
    for state, way, word in api.some(_combinations(api)):
        known = _call_in(api, state)
        _complete(api, known, way, {"status": word, "transcript": _TEXT, "duration": 7})
        _must_show(api, known)


@check(Needs.SANDBOX)
def every_repetition_is_told_apart(api: Api) -> None:
    """After each end the same result again is 200, in any words; any other one is 409."""
    api.stop_clock()
    combinations = islice(_combinations(api), 0, None, len(WAYS))
    for turn, (state, way, word) in enumerate(api.some(combinations)):
        known = _call_in(api, state)
        first = {"status": word, "transcript": _TEXT, "duration": 7}
        _complete(api, known, way, first)
        if known.model.result is None:
            continue
        for number, again in enumerate(_repetitions(api, word, first)):
            _complete(api, known, WAYS[(turn + number) % len(WAYS)], again)
        _must_show(api, known)


@check(Needs.SANDBOX)
def finished_calls_outlive_every_jump(api: Api) -> None:
    """A second, a day, a week and a year later a finished call shows the same, until a reset."""
    api.stop_clock()
    ended = []
    for word in api.target.catalogue.normalized_status:
        known = _call_in(api, "queued")
        _complete(api, known, "reference", {"status": word, "transcript": _TEXT, "duration": 7})
        ended.append(known)
    waiting = _call_in(api, "queued")
    for jump in JUMPS:
        api.advance(jump)
        for known in ended:
            _must_show(api, known)
    waiting.model.state = _state_after(api, _ENDLESS, sum(JUMPS))
    _must_show(api, waiting)
    api.reset()
    for known in (*ended, waiting):
        path = f"{CALLS_PATH}/{known.call_id}"
        must_be_unknown_call(api.get(path), when="the namespace of a call was emptied")
        completion = api.completion(provider_call_id=known.reference)
        response = api.post(WEBHOOK_PATH, completion)
        must_be_unknown_call(response, when="a call is completed whose namespace was emptied")


@check(Needs.SANDBOX)
def every_scenario_follows_its_times(api: Api) -> None:
    """Just before and at each time of each scenario a call is what the catalogue says."""
    for scenario in api.some(api.target.played):
        own = api.empty()
        own.stop_clock()
        known = _CheckedCall(own.create(call=_call_to(own, scenario)), "", ModelCall("queued"))
        passed = 0.0
        for instant in _instants(scenario):
            for seconds in (instant - 0.002, instant):
                own.advance(round(seconds - passed, 3))
                passed = seconds
                known.model = _expected(own, scenario, seconds)
                _must_show(own, known, what=f"{scenario.name} after {seconds:g} seconds")


@check(Needs.SANDBOX)
def every_scenario_yields_to_a_completion_by_hand(api: Api) -> None:
    """A completion by hand, at any point of any scenario, stands whatever was planned."""
    points = [
        (scenario, seconds)
        for scenario in api.target.played
        for seconds in (0.0, *_instants(scenario))
    ]
    words = list(api.target.catalogue.normalized_status)
    for number, (scenario, seconds) in enumerate(api.some(points)):
        own = api.empty()
        own.stop_clock()
        call_id = own.create(call=_call_to(own, scenario))
        reference = own.inspect(call_id)["provider_call_id"]
        own.advance(seconds)
        known = _CheckedCall(call_id, reference, _expected(own, scenario, seconds))
        word, way = words[number % len(words)], WAYS[number % len(WAYS)]
        _complete(own, known, way, {"status": word, "transcript": "by hand", "duration": 3})
        if known.model.result is not None:
            own.advance(DAY_SECONDS / 24)
            what = f"{scenario.name} that was ended after {seconds:g} seconds"
            _must_show(own, known, what=what)


@check(Needs.SANDBOX)
def one_of_many_ends_every_state(api: Api) -> None:
    """Of many different ends at once, in each state, one stands, and each response says which."""
    api.stop_clock()
    words = api.target.catalogue.normalized_status
    for state in ("queued", "ringing", "in_progress"):
        known = _call_in(api, state)
        headers = (("Authorization", f"Bearer {api.key}"), JSON)
        results = [(word, f"agent: {word}", 5) for word in words]
        requests = []
        for word, text, duration in results * 2:
            outcome = {"status": word, "transcript": text, "duration": duration}
            requests.append(SentRequest("POST", *_sent(api, known, "reference", outcome, headers)))
        responses = api.send_at_once(requests)
        call = api.read(known.call_id)
        shown = call["status"], call["transcript"], call["duration"]
        for (word, text, duration), response in zip(results * 2, responses, strict=True):
            result = normalized(words, word, text, duration)
            must(
                (response.status == 200) == (result == shown),
                f"Of many ends of a call that is {state}, {word} at once with others is answered "
                f"{response.status}, but the call shows {call['status']}.",
                response,
            )


# Steps


def _combinations(api: Api) -> Iterator[tuple[str, str, str]]:
    """Every state with every word in every way: of each three in a row the way differs."""
    for state in ("queued", "ringing", "in_progress"):
        for number, word in enumerate(api.target.catalogue.normalized_status):
            for way in (*WAYS[number % len(WAYS) :], *WAYS[: number % len(WAYS)]):
                yield state, way, word


def _repetitions(api: Api, word: str, first: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The same result in other words, and others in each field."""
    words = api.target.catalogue.normalized_status
    yield first
    for other in words:
        yield {**first, "status": other}
    for text in (None, "", _TEXT + " ", _TEXT.upper(), _TEXT[:-1], "null"):
        yield {**first, "transcript": text}
    for seconds in (0, 1, 6, 8, 70):
        yield {**first, "duration": seconds}
    if words[word] in UNANSWERED:
        yield {"status": word, "transcript": None, "duration": 0}
    yield first


def _call_in(api: Api, state: str) -> _CheckedCall:
    """A call of a scenario that nobody ends, advanced to a state."""
    [scenario] = [one for one in api.target.played if one.name == _ENDLESS]
    call_id = api.create(_ENDLESS)
    reference = api.inspect(call_id)["provider_call_id"]
    after = {
        "queued": None,
        "ringing": scenario.ringing_after_seconds,
        "in_progress": scenario.answered_after_seconds,
    }[state]
    if after is not None:
        api.advance(after)
    known = _CheckedCall(call_id, reference, ModelCall(state))
    must(
        api.read(call_id)["status"] == state,
        f"{after or 0:g} seconds after its creation a call must be {state}.",
        api.last(),
    )
    return known


def _complete(api: Api, known: _CheckedCall, way: str, outcome: dict[str, Any]) -> None:
    """Sends a completion in one of the ways, and holds the response against the rules."""
    headers = (("Authorization", f"Bearer {api.key}"), JSON)
    response = api.send(SentRequest("POST", *_sent(api, known, way, outcome, headers)))
    words = api.target.catalogue.normalized_status
    before = copy(known.model)
    result = normalized(words, outcome["status"], outcome["transcript"], outcome["duration"])
    status, code = known.model.complete(result)
    state = before.state if before.result is None else f"ended as {before.result[0]}"
    when = f"a call that is {state} gets {_shown(outcome)} by {way}"
    must_be(response, status, code, when=when)


def _sent(
    api: Api, known: _CheckedCall, way: str, outcome: dict[str, Any], headers: Any
) -> tuple[str, Any, bytes]:
    if way == "order":
        return f"/sandbox/calls/{known.call_id}/end", headers, as_json(outcome)
    reference = api.newest_call_alias if way == "alias" else known.reference
    completion = {"event_type": "call.completed", "provider_call_id": reference, **outcome}
    return WEBHOOK_PATH, headers, as_json(completion)


def _must_show(api: Api, known: _CheckedCall, *, what: str = "it") -> None:
    call = api.read(known.call_id)
    expected = known.model.result or (known.model.state, None, None)
    found = call["status"], call["transcript"], call["duration"]
    must(
        found == expected,
        f"The call of {what} must show {str(expected)[:80]}, but it shows {str(found)[:80]}."
        if what != "it"
        else f"The call must show {str(expected)[:80]}, but it shows {str(found)[:80]}.",
        api.last(),
    )


def _shown(outcome: dict[str, Any]) -> str:
    return f"{outcome['status']}, {str(outcome['transcript'])[:20]!a}, {outcome['duration']}"


# The catalogue


def _call_to(api: Api, scenario: Scenario) -> dict[str, str]:
    return {"phone": scenario.number, "agent": api.agent}


def _instants(scenario: Scenario) -> list[float]:
    """The times at which something happens, seconds after the creation."""
    times = [scenario.ringing_after_seconds, scenario.answered_after_seconds]
    times += [completion.after_seconds for completion in scenario.completions]
    return sorted({seconds for seconds in times if seconds})


def _expected(api: Api, scenario: Scenario, seconds: float) -> ModelCall:
    catalogue = api.target.catalogue
    return call_at(
        scenario,
        catalogue.normalized_status,
        seconds=seconds,
    )


def _state_after(api: Api, name: str, seconds: float) -> str:
    [scenario] = [one for one in api.target.played if one.name == name]
    return state_at(scenario, seconds)
