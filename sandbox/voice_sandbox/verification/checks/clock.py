"""The virtual clock and the provider's side of a call, against the catalogue of scenarios."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from voice_sandbox import clock
from voice_sandbox.calls.scenarios import Scenario
from voice_sandbox.clock import DAY_SECONDS
from voice_sandbox.verification.api import Api
from voice_sandbox.verification.check import Needs, check
from voice_sandbox.verification.finding import must, must_be
from voice_sandbox.verification.guard import CALLS_PATH, WEBHOOK_PATH
from voice_sandbox.verification.http1 import JOURNAL_SECONDS, ReceivedResponse
from voice_sandbox.verification.model import ENDS, call_at, delivered, transcript_of

CLOCK: Final = "/sandbox/clock"
STEPS: Final = (
    0,
    0.001,
    0.5,
    1,
    1.999,
    59.999,
    60,
    3600,
    DAY_SECONDS - 1,
    DAY_SECONDS,
    365 * DAY_SECONDS,
)
_PRECISION: Final = 0.0015
"""The clock is shown in milliseconds."""


@check(Needs.SANDBOX)
def clock_moves_by_what_was_asked(api: Api) -> None:
    """A clock that stands moves by each advance exactly, and says so in every response."""
    api.stop_clock()
    for step in STEPS:
        before = api.now()
        api.advance(step)
        advanced = api.last()
        read = api.get(CLOCK)
        must(
            read.json() == advanced.json(),
            "A clock that stands must show the same in an advance and in the next read.",
            read,
        )
        moved = _seconds(read.json()["now"]) - before
        must(
            abs(moved - step) < _PRECISION,
            f"The clock was advanced by {step} seconds, but it moved by {moved:.3f}.",
            advanced,
        )


@check(Needs.SANDBOX)
def clock_runs_at_its_rate(api: Api) -> None:
    """On the wall a clock moves by its rate, and in the mode `manual` it stands."""
    # A deployment may give new keys a clock that stands.
    started = api.post(CLOCK, {"mode": "wall"})
    must_be(started, 200, when="the clock is set to run")
    rate = started.json()["rate"]
    outer = clock.monotonic()
    first = api.now()
    inner = clock.monotonic()
    while clock.monotonic() - inner < 0.05:
        api.get("/v1/agents")
    passed = clock.monotonic() - inner
    second = api.now()
    whole = clock.monotonic() - outer
    must(
        passed * rate - _PRECISION <= second - first <= whole * rate + _PRECISION,
        f"At the rate {rate} the clock moved {second - first:.3f} seconds in {whole:.3f}.",
        api.last(),
    )
    api.stop_clock()
    stood = api.now()
    api.create("answered")
    must(api.now() == stood, "A clock in the mode manual moved by itself.", api.last())
    back = api.post(CLOCK, {"mode": "wall"})
    must_be(back, 200, when="the clock is set to run again")
    must(
        back.json()["mode"] == "wall" and _seconds(back.json()["now"]) >= stood - _PRECISION,
        "A clock that runs again must go on from where it stood.",
        back,
    )


@check(Needs.SANDBOX)
def reads_move_a_clock_of_polls(api: Api) -> None:
    """In the mode `polls` each read of a call returns its state and moves it to the next."""
    for scenario in api.some(api.target.played):
        own = api.empty()
        response = own.post(CLOCK, {"mode": "polls"})
        must_be(response, 200, when="the clock is set to move by reads")
        call_id = own.create(call=_call_to(own, scenario))
        expected = _states(own, scenario)
        found: list[str] = []
        for _ in range(len(expected) + 2):
            status = own.read(call_id)["status"]
            if not found or found[-1] != status:
                found.append(status)
        must(
            found == expected,
            f"A call of {scenario.name} that is polled must be {' → '.join(expected)}, "
            f"but it was {' → '.join(found)}.",
            own.last(),
        )


@check(Needs.SANDBOX)
def next_due_is_the_earliest_planned(api: Api) -> None:
    """`next_due_at` is when the first of all planned completions is due, at every moment."""
    api.stop_clock()
    calls = [
        api.create(call=_call_to(api, scenario))
        for scenario in api.target.played
        if api.target.share == 1 or scenario.name in ("answered", "delivered_twice", "busy")
    ]
    for step in (0, 4, 0.5, 3.5, 2, 10, 60, 300):
        api.advance(step)
        due = [one["due_at"] for call_id in calls for one in _planned(api, call_id)]
        shown = api.get(CLOCK)
        must(
            shown.json()["next_due_at"] == min(due, default=None),
            f"The next completion is due at {min(due, default=None)}, "
            f"but the clock says {shown.json()['next_due_at']}.",
            shown,
        )


@check(Needs.SANDBOX)
def idle_leaves_nothing_due(api: Api) -> None:
    """`until: idle` delivers everything planned and stops at the last due time."""
    for scenario in api.some(api.target.played):
        own = api.empty()
        own.stop_clock()
        began = own.now()
        call_id = own.create(call=_call_to(own, scenario))
        response = own.post(CLOCK, {"until": "idle"})
        must_be(response, 200, when="the clock is advanced until nothing is due")
        last = max((one.after_seconds for one in scenario.completions), default=0)
        moved = _seconds(response.json()["now"]) - began
        must(
            response.json()["next_due_at"] is None and abs(moved - last) < _PRECISION,
            f"Until nothing is due the clock must move {last} seconds with {scenario.name}, "
            f"but it moved {moved:.3f}, and {response.json()['next_due_at']} is due.",
            response,
        )
        must(not _planned(own, call_id), "An idle sandbox has planned completions.", own.last())


@check(Needs.SANDBOX)
def provider_side_equals_the_catalogue(api: Api) -> None:
    """At each step of each scenario `inspectCall` shows plan, time line and responses as listed."""
    for scenario in api.some(api.target.played):
        own = api.empty()
        own.stop_clock()
        began = own.now()
        call_id = own.create(call=_call_to(own, scenario))
        passed = 0.0
        for instant in (0.0, *_instants(scenario)):
            own.advance(round(instant - passed, 3))
            passed = instant
            inspected = own.inspect(call_id)
            _must_be_planned(own, scenario, inspected, began)
            _must_be_passed(own, scenario, inspected, began, instant)
            must(
                inspected["status"] == own.read(call_id)["status"],
                "The provider's side of a call must show the state that the service shows.",
                own.last(),
            )


@check(Needs.SANDBOX)
def ends_by_hand_and_by_order_are_told_apart(api: Api) -> None:
    """A call names what completed it, and after an end nothing that was planned is left."""
    api.stop_clock()
    for scenario in api.some(api.target.played):
        by_hand, ordered = (api.create(call=_call_to(api, scenario)) for _ in range(2))
        reference = api.inspect(by_hand)["provider_call_id"]
        completed = api.complete(provider_call_id=reference, duration=9)
        must_be(completed, 200, when="a call is completed by hand")
        [request_id] = completed.values("x-request-id")
        inspected = api.inspect(by_hand)
        must(
            inspected["completed_by"] == request_id and inspected["deliveries"] == [],
            "A call that was completed by hand must name that request, and plan nothing more.",
            api.last(),
        )
        ending = {"status": "completed", "transcript": None, "duration": 9}
        response = api.post(f"/sandbox/calls/{ordered}/end", ending)
        must_be(response, 200, when="the provider ends a call on demand")
        must(
            response.json() == api.inspect(ordered),
            "An end must return the call as it is inspected afterwards.",
            response,
        )
        _must_be_by_provider(api, response)
        now = api.get(CLOCK)
        must(
            now.json()["next_due_at"] is None,
            f"After an end by hand and one on demand of {scenario.name} nothing may be due.",
            now,
        )


@check(Needs.SANDBOX)
def clocks_and_calls_never_mix(api: Api) -> None:
    """What one key does moves no clock, call, count or fault of another."""
    other = api.another_key()
    for one in (api, other):
        one.stop_clock()
        one.create("never_completes")
    _await_journal(other)
    seen = _everything(other)
    api.advance(10 * DAY_SECONDS)
    api.complete()
    api.create("busy", ("Idempotency-Key", "mine"))
    api.post("/sandbox/faults", {"operation": "getCall", "fault": {"kind": "empty"}, "times": 1})
    api.post(CLOCK, {"mode": "polls"})
    api.reset()
    must(_everything(other) == seen, "What one key did changed something of another.", other.last())


@check(Needs.SANDBOX)
def reset_makes_a_key_as_new(api: Api) -> None:
    """After a reset every read of the control API returns what it returns to a new key."""
    _await_journal(api)
    fresh = _everything(api.another_key())
    must(_everything(api) == fresh, "Two new keys must find the same.", api.last())
    api.stop_clock()
    api.create("busy", ("Idempotency-Key", "of-the-reset"))
    api.create("never_completes")
    api.post("/sandbox/faults", {"operation": "createCall", "fault": {"kind": "empty"}, "skip": 9})
    api.get(f"{CALLS_PATH}/nowhere")
    api.advance(DAY_SECONDS)
    # What another worker writes late would come after the reset.
    _await_journal(api)
    for _ in range(2):
        api.reset()
        found = _everything(api)
        for path, expected in fresh.items():
            must(
                found[path] == expected,
                f"After a reset {path} must be as for a new key: {str(expected)[:100]}, "
                f"but it is {str(found[path])[:100]}.",
                api.last(),
            )
    response = api.post(CALLS_PATH, api.new_call(), ("Idempotency-Key", "of-the-reset"))
    must_be(response, 201, when="an Idempotency-Key is used after a reset")


# What is compared


def _await_journal(api: Api) -> None:
    """Returns when every worker has written down what was sent so far under the key."""
    own = ("Authorization", f"Bearer {api.key}")
    service = [one for one in api.exchanges if one.sent.target.startswith("/v1")]
    signed = [one for one in service if own in one.sent.headers]
    sent = {value for response in signed for value in response.values("x-request-id")}

    def is_written(response: ReceivedResponse) -> bool:
        return sent <= {one["request_id"] for one in response.json()["exchanges"]}

    api.get_until("/sandbox/journal?limit=999", is_written)
    if api.target.listed_keys:  # of an earlier check of the same key, too
        clock.sleep(JOURNAL_SECONDS / 2)


def _everything(api: Api) -> dict[str, Any]:
    """What each read of the control API returns, without what is of the moment."""
    found: dict[str, Any] = {}
    for operation in api.target.control_contract.operations.values():
        streams = operation.success.media_type == "text/event-stream"
        if operation.method != "GET" or operation.path_parameters or streams:
            continue
        response = api.get(operation.path)
        must_be(response, 200, when=f"{operation.path} is read")
        value = response.json()
        if operation.path == CLOCK:
            value["now"] = None
        found[operation.path] = value
    return found


def _must_be_planned(api: Api, scenario: Scenario, inspected: Any, began: float) -> None:
    expected = [
        (
            completion.after_seconds,
            completion.status,
            transcript_of(completion),
            completion.duration_seconds,
        )
        for completion in scenario.completions
    ]
    found = [
        (
            round(_seconds(one["due_at"]) - began, 2),
            one["payload"]["status"],
            one["payload"]["transcript"],
            one["payload"]["duration"],
        )
        for one in inspected["deliveries"]
    ]
    must(
        found == [(round(after, 2), *rest) for after, *rest in expected],
        f"The plan of {scenario.name} must be {str(expected)[:100]}, but is {str(found)[:100]}.",
        api.last(),
    )
    must(
        {one["payload"]["provider_call_id"] for one in inspected["deliveries"]}
        <= {inspected["provider_call_id"]}
        and inspected["scenario"] == scenario.name,
        f"The plan must be that of {scenario.name}, for the call itself.",
        api.last(),
    )


def _must_be_passed(
    api: Api, scenario: Scenario, inspected: Any, began: float, instant: float
) -> None:
    """What the time line shows, and how the deliveries up to now were answered."""
    words = api.target.catalogue.normalized_status
    line: list[tuple[str, float]] = [("queued", 0.0)]
    answered: list[int | None] = []
    ended_at: float | None = None
    for completion in scenario.completions:
        if completion.after_seconds > instant:
            answered.append(None)
            continue
        before = call_at(scenario, words, seconds=completion.after_seconds - 0.0005)
        after = call_at(scenario, words, seconds=completion.after_seconds)
        if completion.status not in words:
            answered.append(422)
        elif before.result is None and after.result is not None:
            answered.append(200)
            ended_at = completion.after_seconds
        else:
            same = before.result is not None and before.result == _result(api, completion)
            answered.append(200 if same else 409)
    limit = instant if ended_at is None else ended_at
    for state, reached in (
        ("ringing", scenario.ringing_after_seconds),
        ("in_progress", scenario.answered_after_seconds),
    ):
        if reached is not None and reached <= limit:
            line.append((state, reached))
    call = call_at(scenario, words, seconds=instant)
    if call.result is not None and ended_at is not None:
        line.append((call.result[0], ended_at))
    found = [
        (one["status"], round(_seconds(one["at"]) - began, 2)) for one in inspected["timeline"]
    ]
    must(
        found == [(state, round(at, 2)) for state, at in line],
        f"{instant:g} seconds after its creation a call of {scenario.name} must have gone "
        f"{line}, but it went {found}.",
        api.last(),
    )
    statuses = [one["answered"] for one in inspected["deliveries"]]
    must(
        statuses == answered,
        f"The deliveries of {scenario.name} must be answered {answered}, but were {statuses}.",
        api.last(),
    )
    must(
        (inspected["completed_by"] is None) == (call.result is None),
        "A call names what completed it as soon as it has ended, and not before.",
        api.last(),
    )


def _result(api: Api, completion: Any) -> Any:
    catalogue = api.target.catalogue
    return delivered(completion, catalogue.normalized_status)


def _must_be_by_provider(api: Api, response: ReceivedResponse) -> None:
    completed_by = response.json()["completed_by"]
    entry = api.get_until(f"/sandbox/exchanges/{completed_by}", lambda found: found.status == 200)
    must_be(entry, 200, when="the exchange that completed a call is read")
    exchange = entry.json()
    must(
        (exchange["sender"], exchange["path"]) == ("provider", WEBHOOK_PATH),
        "A call that was ended on demand must name a completion of the provider.",
        entry,
    )


def _states(api: Api, scenario: Scenario) -> list[str]:
    """The states that a call goes through, the last one as it ends."""
    words = api.target.catalogue.normalized_status
    found = ["queued"]
    for instant in _instants(scenario):
        call = call_at(scenario, words, seconds=instant)
        state = call.state if call.result is None else call.result[0]
        if state != found[-1]:
            found.append(state)
        if state not in ENDS:
            break
    return found


def _planned(api: Api, call_id: str) -> list[Any]:
    return [one for one in api.inspect(call_id)["deliveries"] if one["answered"] is None]


def _call_to(api: Api, scenario: Scenario) -> dict[str, str]:
    return {"phone": scenario.number, "agent": api.agent}


def _instants(scenario: Scenario) -> list[float]:
    times = [scenario.ringing_after_seconds, scenario.answered_after_seconds]
    times += [completion.after_seconds for completion in scenario.completions]
    return sorted({seconds for seconds in times if seconds})


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
