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

from voice_sandbox.api import failures
from voice_sandbox.api.service import CHANGES_STATE
from voice_sandbox.calls.call import IN_PROGRESS, QUEUED, RINGING, Call
from voice_sandbox.calls.provider import EVENT_TYPE, Plan, provider_call_id
from voice_sandbox.clock import VirtualClock, from_rfc3339, rfc3339
from voice_sandbox.contract.problems import FieldError, ProblemError
from voice_sandbox.http.exchange import Handler, Request, Response
from voice_sandbox.http.rate_limits import StreamSlots
from voice_sandbox.installation import __version__
from voice_sandbox.journal import coverage, exports
from voice_sandbox.journal.javascript_export import as_javascript
from voice_sandbox.journal.journal import Journal
from voice_sandbox.journal.pytest_export import as_pytest
from voice_sandbox.journal.search import Search
from voice_sandbox.simulation.delivery import Deliverer
from voice_sandbox.simulation.simulation import Simulation, no_such_call
from voice_sandbox.store.protocol import LATEST_SEQ

DEFAULT_LIMIT = 50
_SUMMARY_LEAVES_OUT = {"request", "response"}


class ControlContext(msgspec.Struct, frozen=True):
    """What the control handlers work with."""

    simulation: Simulation
    deliverer: Deliverer
    journal: Journal
    streams: StreamSlots


def handlers(context: ControlContext) -> Mapping[str, Handler]:
    """One handler for each operationId of the control contract."""
    return {
        "describeSandbox": partial(describe_sandbox, context),
        "inspectCall": partial(inspect_call, context),
        "endCall": partial(end_call, context),
        "listScenarios": partial(list_scenarios, context),
        "searchJournal": partial(search_journal, context),
        "streamJournal": partial(stream_journal, context),
        "exportJournal": partial(export_journal, context),
        "readExchange": partial(read_exchange, context),
        "readCoverage": partial(read_coverage, context),
        "readClock": partial(read_clock, context),
        "advanceClock": partial(advance_clock, context),
        "resetState": partial(reset_state, context),
        **failures.handlers(context.simulation),
    }


async def describe_sandbox(context: ControlContext, request: Request) -> Response:
    """Says that this is a sandbox and which contract it keeps."""
    contract = context.simulation.contract
    return Response(
        {
            "sandbox": True,
            "version": __version__,
            "contract": {"version": contract.version, "sha256": contract.sha256},
        },
    )


async def inspect_call(context: ControlContext, request: Request) -> Response:
    """The provider's side of a call. Raises: `ProblemError` ``call_not_found``."""
    simulation, namespace = context.simulation, request.principal.namespace
    clock = await simulation.clock(namespace)
    call = await _call(context, request)
    now = clock.now(simulation.wall())
    plan = simulation.plan(call)
    made = len(call.delivery_statuses)
    # Only an accepted delivery leaves those planned after it: any other end drops the plan.
    is_dropped = call.result is not None and 200 not in call.delivery_statuses
    deliveries = plan.deliveries[:made] if is_dropped else plan.deliveries
    return Response(
        {
            "call_id": str(call.call_id),
            "provider_call_id": provider_call_id(call.call_id),
            "scenario": call.scenario,
            "status": simulation.status(call, now),
            "now": rfc3339(now),
            "timeline": _timeline(call, plan, now),
            "completed_by": call.completed_by,
            "deliveries": [
                {"due_at": rfc3339(d.due_at), "answered": response, "payload": d.payload}
                for d, response in zip_longest(deliveries, call.delivery_statuses)
            ],
        },
        call_id=call.call_id,
        scenario=call.scenario,
    )


async def end_call(context: ControlContext, request: Request) -> Response:
    """The provider ends a call now. Raises: `ProblemError` as the webhook rejects it."""
    await context.simulation.clock(request.principal.namespace)
    call = await _call(context, request)
    posted = await context.deliverer.end(
        request.principal.namespace,
        call,
        {
            "event_type": EVENT_TYPE,
            "provider_call_id": provider_call_id(call.call_id),
            **request.body,
        },
    )
    if posted.status >= 400:
        raise ProblemError(
            posted.body["code"],
            posted.body["detail"],
            errors=[FieldError(**error) for error in posted.body.get("errors", ())],
            call_id=call.call_id,
        )
    await context.simulation.store.drop_plan(request.principal.namespace, call.call_id)
    return await inspect_call(context, request)


async def list_scenarios(context: ControlContext, request: Request) -> Response:
    """What can become of a call."""
    scenarios = context.simulation.scenarios
    return Response(
        {
            "default_scenario": scenarios.default.name,
            "default_agent": context.simulation.catalogue.agents[0].key,
            "scenarios": [
                {"name": scenario.name, "number": scenario.number, "line": scenario.line}
                for scenario in scenarios
            ],
        },
    )


async def search_journal(context: ControlContext, request: Request) -> Response:
    """The exchanges of the namespace that match, the newest first."""
    wanted = request.parameters
    limit = int(wanted.get("limit", DEFAULT_LIMIT))
    since, until = wanted.get("since"), wanted.get("until")
    found = await context.journal.search(
        request.principal.namespace,
        replace(
            _search(wanted),
            before=wanted.get("before", LATEST_SEQ),
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
    return Response(
        {"exchanges": exchanges, "next_before": exchanges[-1]["seq"] if has_more else None}
    )


async def stream_journal(context: ControlContext, request: Request) -> Response:
    """The exchanges of the namespace as they end."""
    await (
        context.simulation.store.ping()
    )  # once a stream has begun it can only wait, and not reject
    wanted = request.parameters
    events = context.journal.follow(
        request.principal.namespace, _search(wanted), after=wanted.get("Last-Event-ID")
    )
    return Response(events=events, release=context.streams.take(request.principal.namespace))


async def export_journal(context: ControlContext, request: Request) -> Response:
    """All exchanges of the namespace as an HTTP Archive, the oldest first."""
    exchanges = await context.journal.all(request.principal.namespace)
    return Response(pieces=exports.as_har(exchanges, origin=request.origin))


async def read_exchange(context: ControlContext, request: Request) -> Response:
    """One exchange with its exports. Raises: `ProblemError` ``exchange_not_found``."""
    entry = await context.journal.exchange(
        request.principal.namespace, request.parameters["request_id"]
    )
    if entry is None:
        raise ProblemError(
            "exchange_not_found",
            "The journal of this key has no exchange with this request_id. "
            f"It keeps the last {context.journal.limit} for 24 hours.",
        )
    earlier: list[dict[str, Any]] = []
    if entry["call_id"] is not None:
        earlier = await context.journal.search(
            request.principal.namespace, Search(before=entry["seq"], call_id=entry["call_id"])
        )
    scenarios = context.simulation.scenarios
    return Response(
        {
            **entry,
            "curl": exports.as_curl(entry, origin=request.origin, scenarios=scenarios),
            "javascript": as_javascript(entry, origin=request.origin, scenarios=scenarios),
            "pytest": as_pytest(
                entry,
                reversed(earlier),
                scenarios=scenarios,
                changes_state=CHANGES_STATE,
                sample_call_id=str(context.simulation.catalogue.sample.call_id),
            ),
        },
    )


async def read_coverage(context: ControlContext, request: Request) -> Response:
    """What the requests of the namespace have covered of the contract and the catalogue."""
    items = coverage.measure(
        context.simulation.contract,
        context.simulation.scenarios,
        await context.journal.coverage(request.principal.namespace),
        operation=request.parameters.get("operation"),
        provider=request.parameters.get("provider") == "true",
    )
    return Response(
        {
            "percent": coverage.percent(items),
            "items": [msgspec.structs.asdict(item) for item in items],
        },
    )


async def read_clock(context: ControlContext, request: Request) -> Response:
    """What the clock of the namespace shows."""
    clock = await context.simulation.clock(request.principal.namespace)
    return await _clock(context, request.principal.namespace, clock)


async def advance_clock(context: ControlContext, request: Request) -> Response:
    """Moves the clock forward and delivers everything that becomes due, or sets what moves it."""
    namespace, wall = request.principal.namespace, context.simulation.wall
    clock = await context.simulation.clock(namespace)
    if mode := request.body.get("mode"):
        store = context.simulation.store
        clock = await store.move_clock(namespace, -inf, wall_now=wall(), mode=mode) or clock
        # What was due already is not left behind by a clock that stands from now on.
        clock = await context.deliverer.advance(namespace, clock.now(wall()))
        return await _clock(context, namespace, clock)
    seconds = request.body.get("advance_seconds", inf)
    until = clock.now(context.simulation.wall()) + seconds
    advanced = await context.deliverer.advance(namespace, until, is_given_up=request.is_given_up)
    return await _clock(context, namespace, advanced)


async def reset_state(context: ControlContext, request: Request) -> Response:
    """Empties the namespace."""
    await context.simulation.store.delete_namespace(
        request.principal.namespace, reset_at=context.journal.now()
    )
    return Response()


async def _call(context: ControlContext, request: Request) -> Call:
    call_id = UUID(request.parameters["call_id"])
    call = await context.simulation.store.call(request.principal.namespace, call_id)
    if call is None:
        raise no_such_call()
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


async def _clock(context: ControlContext, namespace: bytes, clock: VirtualClock) -> Response:
    next_due_at = await context.simulation.store.next_due_at(namespace)
    if next_due_at is not None:  # a clock that was moved has brought it nearer
        context.simulation.wake_up.planned(clock.wall_at(next_due_at))
    return Response(
        {
            "now": rfc3339(clock.now(context.simulation.wall())),
            "rate": clock.rate,
            "mode": clock.mode,
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
