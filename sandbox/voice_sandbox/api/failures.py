"""The control API for calls that go wrong on purpose: armed faults and rings.

Owns what a key arranges for requests that nobody may change. Rejects what could never strike.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

import msgspec

from voice_sandbox import clock
from voice_sandbox.contract.problems import FieldError, ProblemError
from voice_sandbox.http.armed_faults import FAULTS_LIMIT, Fault, check
from voice_sandbox.http.exchange import Handler, Request, Response
from voice_sandbox.simulation.faults import decoded, encoded
from voice_sandbox.simulation.simulation import Simulation
from voice_sandbox.store.protocol import ArmedFault, Ring

ALWAYS: Final = "always"

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
