"""The control API: what only the sandbox can do, one function an operationId of control.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from itertools import zip_longest
from math import inf
from typing import Any

import msgspec
from msgspec.structs import replace
from uuid_utils import UUID

import sandbox
from sandbox import coverage, exports
from sandbox.calls import IN_PROGRESS, QUEUED, RINGING, Call
from sandbox.clock import VirtualClock, from_rfc3339, rfc3339
from sandbox.contract import Contract
from sandbox.delivery import Deliverer
from sandbox.exchange import Answer, Handler, Request
from sandbox.journal import LATEST, Journal, Search
from sandbox.problems import FieldError, Refusal
from sandbox.provider import EVENT_TYPE, Plan, provider_call_id
from sandbox.replay import as_pytest
from sandbox.world import World

DEFAULT_LIMIT = 50
_SUMMARY_LEAVES_OUT = {"request", "response"}


class Desk(msgspec.Struct, frozen=True):
    """What the control handlers work with."""

    world: World
    contract: Contract
    deliverer: Deliverer
    journal: Journal


def handlers(desk: Desk) -> Mapping[str, Handler]:
    """One handler for each operationId of the control contract."""
    return {
        "describeSandbox": partial(describe_sandbox, desk),
        "inspectCall": partial(inspect_call, desk),
        "endCall": partial(end_call, desk),
        "listScenarios": partial(list_scenarios, desk),
        "searchJournal": partial(search_journal, desk),
        "streamJournal": partial(stream_journal, desk),
        "exportJournal": partial(export_journal, desk),
        "readExchange": partial(read_exchange, desk),
        "readCoverage": partial(read_coverage, desk),
        "readClock": partial(read_clock, desk),
        "advanceClock": partial(advance_clock, desk),
        "resetState": partial(reset_state, desk),
    }


async def describe_sandbox(desk: Desk, request: Request) -> Answer:
    """Says that this is a sandbox and which contract it keeps."""
    return Answer(
        200,
        {
            "sandbox": True,
            "version": sandbox.__version__,
            "contract": {"version": desk.contract.version, "sha256": desk.contract.sha256},
        },
    )


async def inspect_call(desk: Desk, request: Request) -> Answer:
    """The provider's side of a call. Raises: `Refusal` ``call_not_found``."""
    world, namespace = desk.world, request.principal.namespace
    clock = await world.clock(namespace)
    call = await _call(desk, request)
    now = clock.now(world.wall())
    plan = world.plan(call)
    made = len(call.delivery_answers)
    # Only an accepted delivery leaves those planned after it: any other end drops the plan.
    is_dropped = call.result is not None and 200 not in call.delivery_answers
    deliveries = plan.deliveries[:made] if is_dropped else plan.deliveries
    return Answer(
        200,
        {
            "call_id": str(call.call_id),
            "provider_call_id": provider_call_id(call.call_id),
            "scenario": call.scenario,
            "status": world.status(call, now),
            "now": rfc3339(now),
            "timeline": _timeline(call, plan, now),
            "completed_by": call.completed_by,
            "deliveries": [
                {"due_at": rfc3339(d.due_at), "answered": answer, "payload": d.payload}
                for d, answer in zip_longest(deliveries, call.delivery_answers)
            ],
        },
        call_id=call.call_id,
        scenario=call.scenario,
    )


async def end_call(desk: Desk, request: Request) -> Answer:
    """The provider ends a call now. Raises: `Refusal` as the webhook refuses the completion."""
    await desk.world.clock(request.principal.namespace)
    call = await _call(desk, request)
    posted = await desk.deliverer.end(
        request.principal.namespace,
        call,
        {
            "event_type": EVENT_TYPE,
            "provider_call_id": provider_call_id(call.call_id),
            **request.body,
        },
    )
    if posted.status >= 400:
        raise Refusal(
            posted.body["code"],
            posted.body["detail"],
            errors=[FieldError(**error) for error in posted.body.get("errors", ())],
            call_id=call.call_id,
        )
    await desk.world.store.drop_plan(request.principal.namespace, call.call_id)
    return await inspect_call(desk, request)


async def list_scenarios(desk: Desk, request: Request) -> Answer:
    """What can become of a call."""
    scenarios = desk.world.scenarios
    return Answer(
        200,
        {
            "default_scenario": scenarios.default.name,
            "default_agent": desk.world.catalogue.agents[0].key,
            "scenarios": [
                {"name": scenario.name, "number": scenario.number, "line": scenario.line}
                for scenario in scenarios
            ],
        },
    )


async def search_journal(desk: Desk, request: Request) -> Answer:
    """The exchanges of the namespace that match, the newest first."""
    wanted = request.parameters
    limit = int(wanted.get("limit", DEFAULT_LIMIT))
    since, until = wanted.get("since"), wanted.get("until")
    found = await desk.journal.search(
        request.principal.namespace,
        replace(
            _search(wanted),
            before=wanted.get("before", LATEST),
            limit=limit + 1,
            since=None if since is None else from_rfc3339(since),
            until=None if until is None else from_rfc3339(until),
        ),
    )
    exchanges = [
        {name: value for name, value in entry.items() if name not in _SUMMARY_LEAVES_OUT}
        for entry in found[:limit]
    ]
    has_more = len(found) > limit
    return Answer(
        200, {"exchanges": exchanges, "next_before": exchanges[-1]["seq"] if has_more else None}
    )


async def stream_journal(desk: Desk, request: Request) -> Answer:
    """The exchanges of the namespace as they end."""
    await desk.world.store.ping()  # once a stream has begun it can only wait, and not refuse
    wanted = request.parameters
    events = desk.journal.follow(
        request.principal.namespace, _search(wanted), after=wanted.get("Last-Event-ID")
    )
    return Answer(200, None, events=events)


async def export_journal(desk: Desk, request: Request) -> Answer:
    """All exchanges of the namespace as an HTTP Archive, the oldest first."""
    found = await desk.journal.search(
        request.principal.namespace, Search(before=LATEST, limit=desk.journal.most)
    )
    return Answer(200, exports.as_har(reversed(found), origin=request.origin))


async def read_exchange(desk: Desk, request: Request) -> Answer:
    """One exchange with its exports. Raises: `Refusal` ``exchange_not_found``."""
    entry = await desk.journal.exchange(
        request.principal.namespace, request.parameters["request_id"]
    )
    if entry is None:
        raise Refusal(
            "exchange_not_found",
            "The journal of this key has no exchange with this request_id. "
            f"It keeps the last {desk.journal.most} for 24 hours.",
        )
    earlier: list[dict[str, Any]] = []
    if entry["call_id"] is not None:
        earlier = await desk.journal.search(
            request.principal.namespace, Search(before=entry["seq"], call_id=entry["call_id"])
        )
    scenarios = desk.world.scenarios
    return Answer(
        200,
        {
            **entry,
            "curl": exports.as_curl(entry, origin=request.origin, scenarios=scenarios),
            "pytest": as_pytest(
                entry,
                reversed(earlier),
                scenarios=scenarios,
                sample_call_id=str(desk.world.catalogue.sample.call_id),
            ),
        },
    )


async def read_coverage(desk: Desk, request: Request) -> Answer:
    """What the requests of the namespace have met of the contract and the catalogue."""
    covered = await desk.journal.coverage(request.principal.namespace)
    items = coverage.measure(desk.contract, desk.world.scenarios, covered)
    return Answer(
        200,
        {
            "percent": coverage.percent(items),
            "items": [msgspec.structs.asdict(item) for item in items],
        },
    )


async def read_clock(desk: Desk, request: Request) -> Answer:
    """What the clock of the namespace shows."""
    clock = await desk.world.clock(request.principal.namespace)
    return await _clock(desk, request.principal.namespace, clock)


async def advance_clock(desk: Desk, request: Request) -> Answer:
    """Moves the clock forward and delivers everything that becomes due."""
    namespace = request.principal.namespace
    clock = await desk.world.clock(namespace)
    seconds = request.body.get("advance_seconds", inf)
    until = clock.now(desk.world.wall()) + seconds
    return await _clock(desk, namespace, await desk.deliverer.advance(namespace, until))


async def reset_state(desk: Desk, request: Request) -> Answer:
    """Empties the namespace."""
    await desk.journal.forget(request.principal.namespace)
    await desk.world.store.delete_namespace(request.principal.namespace)
    return Answer(204, None)


async def _call(desk: Desk, request: Request) -> Call:
    call_id = UUID(request.parameters["call_id"])
    call = await desk.world.store.call(request.principal.namespace, call_id)
    if call is None:
        raise Refusal(
            "call_not_found",
            "There is no such call under this key. "
            "Use a call_id that createCall returned to the same key.",
        )
    return call


def _search(wanted: Mapping[str, str]) -> Search:
    """What a search and a stream are narrowed down by."""
    status_from, status_to = _status_range(wanted.get("status"))
    return Search(
        operation_id=wanted.get("operation"),
        status_from=status_from,
        status_to=status_to,
        call_id=wanted["call_id"].lower() if "call_id" in wanted else None,
        text=wanted.get("text"),
    )


def _status_range(status: str | None) -> tuple[int | None, int | None]:
    """The statuses that ``404`` or ``4xx`` stands for."""
    if status is None:
        return None, None
    return int(status.replace("x", "0")), int(status.replace("x", "9"))


async def _clock(desk: Desk, namespace: bytes, clock: VirtualClock) -> Answer:
    next_due_at = await desk.world.store.next_due_at(namespace)
    return Answer(
        200,
        {
            "now": rfc3339(clock.now(desk.world.wall())),
            "rate": clock.rate,
            "next_due_at": None if next_due_at is None else rfc3339(next_due_at),
        },
    )


def _timeline(call: Call, plan: Plan, now: float) -> list[dict[str, Any]]:
    """The states that the call has reached; one that ended early skipped the rest."""
    over = now if call.ended_at is None else call.ended_at
    reached = [(QUEUED, call.created_at)]
    for status, at in ((RINGING, plan.ringing_at), (IN_PROGRESS, plan.answered_at)):
        if at is not None and at <= over:
            reached.append((status, at))
    if call.result is not None and call.ended_at is not None:
        reached.append((call.result.status, call.ended_at))
    return [{"status": status, "at": rfc3339(at)} for status, at in reached]
