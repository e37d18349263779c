"""The service's own operations, one function an operationId."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Final

import orjson
from uuid_utils import UUID

from voice_sandbox import clock
from voice_sandbox.calls import call as calls
from voice_sandbox.calls.call import CompletionDecision
from voice_sandbox.calls.provider import ID_PREFIX, call_id_of, first_due_at
from voice_sandbox.calls.scenarios import RejectedCreation, Scenario
from voice_sandbox.contract.problems import FieldError, ProblemError
from voice_sandbox.http.exchange import Handler, Request, Response
from voice_sandbox.simulation.simulation import Simulation, no_such_call
from voice_sandbox.store.protocol import IdempotencyKey, KeptCall

CHANGES_STATE: Final = frozenset({"createCall", "callCompleted"})
"""The operations after whose success the state of a key is another one.

The pytest export of the journal sends them again before the exchange that it tells of.
"""
IDEMPOTENCY_SECONDS: Final = clock.DAY_SECONDS


Advance = Callable[[bytes, float], Awaitable[object]]
"""Moves the clock of a namespace to an instant, and delivers what is due by then."""


def handlers(simulation: Simulation, advance: Advance) -> Mapping[str, Handler]:
    """One handler for each operationId of the service's contract."""
    return {
        "createCall": partial(create_call, simulation),
        "getCall": partial(get_call, simulation, advance),
        "listAgents": partial(list_agents, simulation),
        "callCompleted": partial(call_completed, simulation),
    }


async def create_call(simulation: Simulation, request: Request) -> Response:
    """Places a call.

    Raises: `ProblemError` as the number's scenario says, ``idempotency_conflict``, or
    ``rate_limited`` where the key holds too many calls.
    """
    namespace, store, phone = request.principal.namespace, simulation.store, request.body["phone"]
    virtual = await simulation.clock(namespace)
    if virtual.has_faults:
        await request.meet_faults(phone)
    scenario, outcome = await simulation.scenario(namespace, phone, has_numbers=virtual.has_numbers)
    now = virtual.now(simulation.wall())
    key = _idempotency_key(request, now)
    if key is not None and scenario.rejection is not None:
        # A rejection is counted, and a retry or a conflict must not use one up.
        kept = await store.kept_call(namespace, key.value, now=now)
        if kept is not None:
            return _repeated(simulation, key, kept, scenario)
    try:
        await _admit(simulation, namespace, phone, scenario)
    except ProblemError:
        # A key that was used is a retry or a conflict, whatever a new call would meet.
        kept = None if key is None else await store.kept_call(namespace, key.value, now=now)
        if key is None or kept is None:
            raise
        return _repeated(simulation, key, kept, scenario)
    call = calls.Call(
        call_id=clock.new_call_id(),
        phone=phone,
        agent=request.body["agent"],
        scenario=scenario.name,
        created_at=now,
        requested_by=request.request_id,
        outcome=outcome,
    )
    due_at = first_due_at(call, scenario)
    kept = await store.create_call(namespace, call, due_at=due_at, idempotency_key=key)
    if key is not None and kept is not None:
        return _repeated(simulation, key, kept, scenario)
    if due_at is not None:
        simulation.wake_up.planned(virtual.wall_at(due_at))
    return _created(simulation, call.call_id, scenario)


async def get_call(simulation: Simulation, advance: Advance, request: Request) -> Response:
    """Reads one call, and moves a clock that goes by reads to the call's next change.

    Raises: `ProblemError` ``call_not_found``.
    """
    namespace = request.principal.namespace
    virtual, call = await simulation.call(namespace, UUID(request.parameters["call_id"]))
    if virtual.has_faults:
        await request.meet_faults(None if call is None else call.phone)
    if call is None:
        raise no_such_call()
    result, now, why = call.result, virtual.now(simulation.wall()), ""
    if virtual.mode == clock.POLLS_MODE and result is None:
        change = simulation.next_change_at(call, now)
        if change is not None:
            await advance(namespace, change)
            why = (
                f"This read moved the clock to {clock.rfc3339(change)}, when its call changes next."
            )
    return Response(
        {
            "call_id": str(call.call_id),
            "status": simulation.status(call, now),
            "transcript": result and result.transcript,
            "duration": None if result is None else result.duration_seconds,
        },
        call_id=call.call_id,
        scenario=call.scenario,
        why=why,
    )


async def list_agents(simulation: Simulation, request: Request) -> Response:
    """The catalogue, as it stands in the contract."""
    if await simulation.faults.may_strike(request.principal.namespace):
        await request.meet_faults(None)
    return Response(simulation.catalogue.agent_list)


async def call_completed(simulation: Simulation, request: Request) -> Response:
    """Saves a final result.

    Raises: `ProblemError` ``call_not_found``, ``call_already_ended``, ``impossible_outcome``,
    ``validation_failed`` for a transcript that could never be sent back.
    """
    body = request.body
    if body["transcript"] and ID_PREFIX in body["transcript"]:
        raise ProblemError(
            "validation_failed",
            "The body does not fit in 1 place. Fix what errors lists and send it again.",
            errors=[
                FieldError(
                    "/transcript", "A transcript must not hold an identifier of the provider."
                )
            ],
        )
    namespace = request.principal.namespace
    call_id = await _completed_call_id(simulation, namespace, body["provider_call_id"])
    virtual, call = await simulation.call(namespace, call_id)
    if virtual.has_faults:
        await request.meet_faults(None if call is None else call.phone)
    if call is None:
        raise no_such_call()
    now = virtual.now(simulation.wall())
    result = calls.normalized(
        simulation.catalogue.normalized_status[body["status"]], body["transcript"], body["duration"]
    )
    live_status = simulation.status(call, now)
    verdict = calls.judge(result, live_status=live_status, ended=call.result)
    if verdict is CompletionDecision.ACCEPTED:
        saved = await simulation.store.complete_call(
            namespace,
            call_id,
            result,
            ended_at=now,
            completed_by=request.request_id,
            drop_plan=not request.principal.is_provider,
        )
        if not saved:  # another completion came in between, and stands
            call = await simulation.store.call(namespace, call_id) or call
            verdict = calls.judge(result, live_status=live_status, ended=call.result)
    if verdict is CompletionDecision.ALREADY_ENDED:
        raise ProblemError(
            "call_already_ended",
            f"This call {_how_it_ended(call)} with another result, and the first result stands. "
            "To complete a call by hand, create a new one and complete it before the simulated "
            "provider does.",
            call_id=call_id,
            scenario=call.scenario,
        )
    if verdict is CompletionDecision.IMPOSSIBLE:
        raise ProblemError(
            "impossible_outcome",
            f"A call that is {live_status} cannot end as {result.status}. "
            f"It can end as {' or '.join(calls.possible_ends(live_status))}.",
            call_id=call_id,
            scenario=call.scenario,
        )
    return Response(
        {"received": True},
        call_id=call_id,
        scenario=call.scenario,
        why=f"Saved as {result.status}."
        if verdict is CompletionDecision.ACCEPTED
        else f"Changed nothing: this call {_how_it_ended(call)} with the same result.",
    )


async def _completed_call_id(
    simulation: Simulation, namespace: bytes, provider_call_id: str
) -> UUID:
    if provider_call_id == simulation.catalogue.newest_call_alias:
        await simulation.clock(namespace)  # a new namespace has a call too: the sample
        call_id = await simulation.store.newest_call_id(namespace)
    else:
        call_id = call_id_of(provider_call_id)
    if call_id is None:
        raise no_such_call()
    return call_id


def _idempotency_key(request: Request, now: float) -> IdempotencyKey | None:
    value = request.parameters.get("Idempotency-Key")
    if value is None:
        return None
    canonical = orjson.dumps(request.body, option=orjson.OPT_SORT_KEYS)
    return IdempotencyKey(
        # What a client makes a key of, an order or worse a secret, is not the store's to know.
        hashlib.sha256(value.encode()).hexdigest(),
        hashlib.sha256(canonical).digest(),
        now + IDEMPOTENCY_SECONDS,
    )


async def _admit(simulation: Simulation, namespace: bytes, phone: str, scenario: Scenario) -> None:
    """Raises: `ProblemError` where no new call is created."""
    rejected = scenario.rejection
    if rejected is not None and await _is_rejected(simulation, namespace, phone, rejected):
        remedy = (
            "Calls to this number are always rejected, so waiting does not help: call another."
            if rejected.times is None
            else f"It is rejected {rejected.times} times, then it works: send the same request "
            "again after as many seconds as Retry-After says."
        )
        raise ProblemError(
            rejected.code,
            f"The number {phone} plays the scenario {scenario.name}: no call was created. {remedy}",
            headers={"Retry-After": str(rejected.retry_after_seconds)},
            scenario=scenario.name,
        )
    if simulation.admit_call is not None:
        await simulation.admit_call(namespace)


async def _is_rejected(
    simulation: Simulation, namespace: bytes, phone: str, rejected: RejectedCreation
) -> bool:
    if rejected.times is None:
        return True
    return await simulation.store.count_rejection(namespace, phone, limit=rejected.times)


def _repeated(
    simulation: Simulation, key: IdempotencyKey, kept: KeptCall, scenario: Scenario
) -> Response:
    """The stored response. Raises: `ProblemError` ``idempotency_conflict`` for another body."""
    if kept.fingerprint != key.fingerprint:
        raise ProblemError(
            "idempotency_conflict",
            "This Idempotency-Key was used within the last 24 hours with another body. "
            "Send a new key for a new request, or the first body for a retry.",
            call_id=kept.call_id,
        )
    return _created(simulation, kept.call_id, scenario, replayed=True)


def _created(
    simulation: Simulation, call_id: UUID, scenario: Scenario, *, replayed: bool = False
) -> Response:
    get_call = simulation.contract.operations["getCall"]
    headers = {"Location": get_call.path_with(call_id=call_id)}
    if replayed:
        headers["Idempotent-Replayed"] = "true"
    return Response(
        {"call_id": str(call_id)},
        headers,
        call_id=call_id,
        scenario=scenario.name,
        replayed=replayed,
        why="The stored response to the first request with this Idempotency-Key." * replayed,
    )


def _how_it_ended(call: calls.Call) -> str:
    if call.result is None or call.ended_at is None:
        return "has ended"
    by = f", completed by {call.completed_by}," if call.completed_by else ""
    return f"ended at {clock.rfc3339(call.ended_at)} as {call.result.status}{by}"
