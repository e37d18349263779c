"""The control API for calls that go wrong on purpose: armed faults, numbers of one's own, rings.

Owns what a key arranges for requests that nobody may change. Rejects what could never strike.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

import msgspec
import orjson

from voice_sandbox import clock
from voice_sandbox.calls.scenarios import OWN_SCENARIO, OutcomeError, read_outcome
from voice_sandbox.contract.problems import FieldError, ProblemError
from voice_sandbox.http.armed_faults import FAULTS_LIMIT, Fault, check
from voice_sandbox.http.exchange import Handler, Request, Response
from voice_sandbox.simulation.faults import decoded, encoded
from voice_sandbox.simulation.simulation import Simulation
from voice_sandbox.store.protocol import ArmedFault, BoundNumber, Ring

ALWAYS: Final = "always"

BOUND_NUMBERS_LIMIT: Final = 1000
_COMPLETION_MEMBERS: Final = (
    *("after", "status", "unknown_status", "transcript", "repeat_to"),
    *("repeat_to_limit", "ended", "lasted"),
)

_RINGS_A_TURN: Final = 500
_IDS_LIMIT: Final = 100
"""Calls that are named for each number: the newest."""
_NUMBERS_LIMIT: Final = 1000
"""Numbers that are listed: those that were dialled last."""


def handlers(simulation: Simulation) -> Mapping[str, Handler]:
    """One handler for each operationId of this module."""
    return {
        "armFault": partial(arm_fault, simulation),
        "listFaults": partial(list_faults, simulation),
        "disarmFault": partial(disarm_fault, simulation),
        "disarmFaults": partial(disarm_faults, simulation),
        "countRings": partial(count_rings, simulation),
        "bindNumber": partial(bind_number, simulation),
        "listNumbers": partial(list_numbers, simulation),
        "unbindNumber": partial(unbind_number, simulation),
    }


async def arm_fault(simulation: Simulation, request: Request) -> Response:
    """Arms a fault behind those before it. Raises: `ProblemError` ``validation_failed``."""
    body, namespace = request.body, request.principal.namespace
    fault = msgspec.convert(body["fault"], Fault)
    check(fault, operation_id=body["operation"], operations=simulation.contract.operations)
    times = body.get("times", 1)
    armed = ArmedFault(
        fault_id=clock.new_fault_id(),
        operation_id=body["operation"],
        fault=encoded(fault),
        phone=body.get("phone"),
        skip=body.get("skip", 0),
        times=None if times == ALWAYS else times,
    )
    await simulation.clock(namespace)  # a fault needs an open namespace
    if not await simulation.store.arm_fault(namespace, armed, limit=FAULTS_LIMIT):
        raise ProblemError(
            "validation_failed",
            f"This key has {FAULTS_LIMIT} armed faults that have not struck for the last time, "
            "which is the limit. Disarm some with DELETE /sandbox/faults first.",
            errors=[FieldError("", f"At most {FAULTS_LIMIT} faults of a key are armed.")],
        )
    await simulation.faults.settle()
    return Response(_shown(armed))


async def list_faults(simulation: Simulation, request: Request) -> Response:
    """The faults of the key in the order in which they were armed."""
    faults = await simulation.store.faults(request.principal.namespace)
    return Response({"faults": [_shown(fault) for fault in faults]})


async def disarm_fault(simulation: Simulation, request: Request) -> Response:
    """Disarms one fault. Raises: `ProblemError` ``fault_not_found``."""
    removed = await simulation.store.disarm_faults(
        request.principal.namespace, fault_id=request.parameters["id"]
    )
    if not removed:
        raise ProblemError(
            "fault_not_found",
            "This key has armed no fault with this id. GET /sandbox/faults lists those it has.",
        )
    return Response()


async def disarm_faults(simulation: Simulation, request: Request) -> Response:
    """Disarms all faults of the key."""
    await simulation.store.disarm_faults(request.principal.namespace)
    return Response()


async def count_rings(simulation: Simulation, request: Request) -> Response:
    """How often each number was dialled: a call that was created has rung, a replay has not."""
    wanted = request.parameters.get("phone")
    rings: dict[str, list[Ring]] = {}
    counts = Counter[str]()
    after = 0  # the sample call
    while True:
        part = await simulation.store.rings(
            request.principal.namespace, after=after, limit=_RINGS_A_TURN
        )
        for ring in part:
            if wanted is None or ring.phone == wanted:
                counts[ring.phone] += 1
                # The number that was dialled last comes last, and so is left out last.
                newest = [*rings.pop(ring.phone, ()), ring][-_IDS_LIMIT:]
                rings[ring.phone] = newest
        if len(part) < _RINGS_A_TURN:
            break
        after = part[-1].seq
        await asyncio.sleep(0)  # other requests have their turn
    newest_numbers = list(rings)[-_NUMBERS_LIMIT:]
    if wanted is not None and not newest_numbers:
        newest_numbers = [wanted]
    return Response(
        {
            "rings": [
                {
                    "phone": phone,
                    "count": counts[phone],
                    "call_ids": [str(ring.call_id) for ring in rings.get(phone, ())],
                    "request_ids": [ring.requested_by for ring in rings.get(phone, ())],
                }
                for phone in newest_numbers
            ]
        }
    )


async def bind_number(simulation: Simulation, request: Request) -> Response:
    """Binds a number. Raises: `ProblemError` ``validation_failed``."""
    namespace = request.principal.namespace
    bound = _bound(simulation, request.parameters["phone"], request.body)
    await simulation.clock(namespace)  # a number needs an open namespace
    if not await simulation.store.bind_number(namespace, bound, limit=BOUND_NUMBERS_LIMIT):
        raise _wrong(
            "", f"At most {BOUND_NUMBERS_LIMIT} numbers of a key are bound. Unbind one first."
        )
    return Response(_shown_number(bound))


async def list_numbers(simulation: Simulation, request: Request) -> Response:
    """The numbers that the key has bound."""
    numbers = await simulation.store.numbers(request.principal.namespace)
    return Response({"numbers": [_shown_number(number) for number in numbers]})


async def unbind_number(simulation: Simulation, request: Request) -> Response:
    """Lets a number play again what the catalogue says; one that was not bound does already."""
    await simulation.store.unbind_number(request.principal.namespace, request.parameters["phone"])
    return Response()


def _bound(simulation: Simulation, phone: str, body: Mapping[str, Any]) -> BoundNumber:
    name, outcome = body.get("scenario"), _without_nulls(body)
    if name is None:
        try:
            read_outcome(outcome, simulation.catalogue)
        except OutcomeError as error:
            raise _wrong(error.pointer, error.message) from None
        return BoundNumber(phone, OWN_SCENARIO, orjson.dumps(outcome).decode())
    if name not in simulation.scenarios.by_name:
        names = ", ".join(simulation.scenarios.by_name)
        raise _wrong("/scenario", f"There is no such scenario. This must be one of: {names}.")
    if len(outcome) > 1:
        other = next(word for word in outcome if word != "scenario")
        raise _wrong(f"/{other}", "Give either a scenario or an outcome. Remove one of them.")
    return BoundNumber(phone, name, None)


def _without_nulls(value: Mapping[str, Any]) -> dict[str, Any]:
    """An outcome as the catalogue writes it: what is missing is not there at all."""

    def plain(name: str, member: Any) -> Any:
        if isinstance(member, dict):
            return _without_nulls(member)
        if name == "completions":
            return [_without_nulls(completion) for completion in member]
        return member

    return {
        name: plain(name, member)
        for name, member in value.items()
        if member is not None or name == "transcript"
    }


def _wrong(pointer: str, detail: str) -> ProblemError:
    return ProblemError(
        "validation_failed",
        "The body does not fit in 1 place. Fix what errors lists and send it again.",
        errors=[FieldError(pointer, detail)],
    )


def _shown_number(bound: BoundNumber) -> dict[str, Any]:
    is_own = bound.outcome is not None
    outcome = orjson.loads(bound.outcome or "{}")
    completions = outcome.get("completions")
    shown = {name: outcome.get(name) for name in ("ringing", "in_progress")}
    shown["completions"] = completions and [
        {name: completion.get(name) for name in _COMPLETION_MEMBERS} for completion in completions
    ]
    rejection = outcome.get("refusal")
    shown["refusal"] = rejection and {"times": None, **rejection}
    return {
        "phone": bound.phone,
        "scenario": None if is_own else bound.scenario,
        "outcome": shown if is_own else None,
    }


def _shown(armed: ArmedFault) -> dict[str, Any]:
    return {
        "id": armed.fault_id,
        "operation": armed.operation_id,
        "fault": msgspec.structs.asdict(decoded(armed)),
        "times": ALWAYS if armed.times is None else armed.times,
        "skip": armed.skip,
        "phone": armed.phone,
        "struck": armed.struck,
    }
