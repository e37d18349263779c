"""Faults of time: the virtual clock, and what is due when."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from msgspec.structs import replace
from uuid_utils import UUID

from fault_injection import FaultInjector, FaultyRequest, FaultyResponse
from faults.altering import (
    CALLS,
    complete,
    lenient,
    put_problem,
    remember_calls,
    token_of,
)
from faults.fault import fault
from read_once import contracts
from voice_sandbox.calls.scenarios import load_scenarios
from voice_sandbox.contract.catalogue import read_catalogue
from voice_sandbox.simulation.delivery import Deliverer
from voice_sandbox.simulation.simulation import Simulation

Advance = Callable[[float], Awaitable[Any]]
"""Moves a clock until a time, as the sandbox does, and returns the clock."""


def on_advance(
    injector: FaultInjector, change: Callable[[Advance, Simulation, bytes, float], Awaitable[Any]]
) -> None:
    """Stand around every advance: `await change(advance, simulation, namespace, until)`."""

    def make(original: Any) -> Any:
        async def advance(deliverer: Any, namespace: bytes, until: float, **more: Any) -> Any:
            plainly = partial(original, deliverer, namespace, **more)
            return await change(plainly, deliverer._simulation, namespace, until)

        return advance

    injector.wrap(Deliverer, "advance", make)


@fault("time", "advancing_delivers_what_was_due")
def advance_returns_too_early(injector: FaultInjector) -> None:
    """Advancing the clock delivers nothing by itself."""

    async def change(_: Advance, simulation: Simulation, namespace: bytes, until: float) -> Any:
        await simulation.store.move_clock(namespace, until, wall_now=simulation.wall())
        return await simulation.clock(namespace)

    on_advance(injector, change)
    injector.replace(Deliverer, "run", _sleep_for_ever)


async def _sleep_for_ever(self: Any) -> None:
    await asyncio.Event().wait()


@fault("time", "clock_advances_and_never_goes_back")
def advance_is_ignored(injector: FaultInjector) -> None:
    """The clock does not move when it is told to."""
    on_advance(injector, lambda _, simulation, namespace, until: simulation.clock(namespace))


@fault("time", "clock_advances_and_never_goes_back")
def advance_is_in_minutes(injector: FaultInjector) -> None:
    """The clock moves sixty times too far."""

    async def change(advance: Advance, simulation: Simulation, _: bytes, until: float) -> Any:
        now = simulation.wall()
        return await advance(now + max(0.0, until - now) * 60)

    on_advance(injector, change)


@fault("time", "advancing_delivers_what_was_due")
def completions_come_early(injector: FaultInjector) -> None:
    """A completion is delivered before it is due."""

    async def change(
        advance: Advance, simulation: Simulation, namespace: bytes, until: float
    ) -> Any:
        await advance(until + 30)
        return await simulation.clock(namespace)

    on_advance(injector, change)


@fault("time", "end_arrives_whole")
def duration_counts_the_ringing(injector: FaultInjector) -> None:
    """The duration is counted from the creation of the call."""
    complete(injector, lambda r: replace(r, duration_seconds=r.duration_seconds + 3))


@fault("time", "time_passes_by_itself_alone")
def reading_moves_time(injector: FaultInjector) -> None:
    """Each read moves the call on."""
    original = Simulation.status
    reads: dict[Any, int] = {}

    def status(self: Any, call: Any, now: float) -> str:
        reads[call.call_id] = reads.get(call.call_id, -1) + 1
        return original(self, call, now + reads[call.call_id])

    injector.replace(Simulation, "status", status)


@fault("time", "new_call_is_found_at_its_location")
def call_completes_at_once(injector: FaultInjector) -> None:
    """A call is in progress as soon as it is created."""
    original = Simulation.status
    injector.replace(Simulation, "status", lambda self, call, now: original(self, call, now + 7))


@fault("time", "new_key_finds_the_sample_call")
def sample_call_is_missing(injector: FaultInjector) -> None:
    """A new key has no sample call."""
    made: set[UUID] = set()

    async def shown(read: Any, namespace: bytes, call_id: UUID) -> Any:
        return await read(namespace, call_id) if call_id in made else None

    remember_calls(injector, lambda namespace, call: made.add(call.call_id))
    injector.read_calls(shown)


@fault("time", "preferred_problems_are_given")
def preference_is_ignored(injector: FaultInjector) -> None:
    """A problem that was asked for is not given, and a call is created instead."""

    def alter(request: FaultyRequest) -> None:
        request.put("prefer", None)

    injector.on_request(alter)


def create_all_the_same(
    injector: FaultInjector, is_rejected: Callable[[FaultyRequest], bool]
) -> None:
    """Create the call of a creation that is then rejected."""
    [number] = [
        s.number for s in load_scenarios(read_catalogue(contracts()[0])) if s.name == "answered"
    ]
    codes = {b"429": "rate_limited", b"503": "provider_unavailable"}
    chosen: dict[int, str] = {}

    def before(request: FaultyRequest) -> None:
        if request.method == "POST" and request.path == CALLS and is_rejected(request):
            wanted = re.search(rb"(429|503)", b"".join(request.values("prefer")))
            name = "rate_limited" if b"0121" in request.body else "provider_unavailable"
            chosen[id(request)] = codes[wanted[1]] if wanted else name
            request.put("prefer", None)
            request.body = re.sub(rb"\+1202555[0-9]{4}", number.encode(), request.body)

    def after(request: FaultyRequest, response: FaultyResponse) -> None:
        if code := chosen.pop(id(request), None):
            response.body = json.dumps(
                {"detail": "This was refused. Try it again later.", "request_id": ""}
                | {"request_id": response.values("x-request-id")[0].decode()}
            ).encode()
            put_problem(response, code)
            response.put("content-type", b"application/problem+json")
            response.put("retry-after", b"1")
            response.put("location", None)
            response.put("preference-applied", f"code={response.status}".encode())

    injector.on_request(before)
    injector.on_response(after)


@fault("time", "rejected_creations_say_when_to_retry")
def rejection_creates_a_call(injector: FaultInjector) -> None:
    """A creation that is rejected with 429 or 503 creates its call all the same."""
    create_all_the_same(
        injector, lambda request: re.search(rb"\+120255501(2[0-9])", request.body) is not None
    )


@fault("time", "preferred_problems_are_given")
def preferred_problem_creates_a_call(injector: FaultInjector) -> None:
    """A problem that was asked for comes after the call was created."""
    create_all_the_same(injector, lambda request: bool(request.values("prefer")))


@fault("time", "advancing_delivers_what_was_due")
def completions_come_late(injector: FaultInjector) -> None:
    """A completion is delivered a second and a half after it is due."""

    async def change(
        advance: Advance, simulation: Simulation, namespace: bytes, until: float
    ) -> Any:
        await advance(until - 1.5)
        await simulation.store.move_clock(namespace, until, wall_now=simulation.wall())
        return await simulation.clock(namespace)

    on_advance(injector, change)
    injector.replace(Deliverer, "run", _sleep_for_ever)


@fault("time", "clock_advances_and_never_goes_back")
def clock_goes_back(injector: FaultInjector) -> None:
    """Advancing by nothing sets the clock back."""

    def alter(request: FaultyRequest, response: FaultyResponse) -> None:
        if (
            request.path == "/sandbox/clock"
            and token_of(request) in still
            and response.status == 200
        ):
            response.put_json(response.json | {"now": "2020-01-01T00:00:00.000Z"})
        if request.path == "/sandbox/clock" and lenient(request.body) == {"advance_seconds": 0}:
            still.add(token_of(request))

    still: set[bytes] = set()
    injector.on_response(alter)
