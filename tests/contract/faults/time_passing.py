"""Faults of time: the virtual clock, and what is due when."""

import asyncio
import json
import re
from collections.abc import Callable
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
from voice_sandbox.simulation import simulation as world
from voice_sandbox.simulation.delivery import Deliverer


@fault("time", "advancing_delivers_what_was_due")
def advance_returns_too_early(shop: FaultInjector) -> None:
    """Advancing the clock delivers nothing by itself."""

    async def advance(self: Any, namespace: bytes, until: float) -> Any:
        store, wall = self._world.store, self._world.wall
        await store.move_clock(namespace, until, wall_now=wall())
        return await self._world.clock(namespace)

    shop.replace(Deliverer, "advance", advance)
    shop.replace(Deliverer, "run", _sleep_for_ever)


async def _sleep_for_ever(self: Any) -> None:
    await asyncio.Event().wait()


@fault("time", "clock_advances_and_never_goes_back")
def advance_is_ignored(shop: FaultInjector) -> None:
    """The clock does not move when it is told to."""

    async def advance(self: Any, namespace: bytes, until: float) -> Any:
        return await self._world.clock(namespace)

    shop.replace(Deliverer, "advance", advance)


@fault("time", "clock_advances_and_never_goes_back")
def advance_is_in_minutes(shop: FaultInjector) -> None:
    """The clock moves sixty times too far."""
    original = Deliverer.advance

    async def advance(self: Any, namespace: bytes, until: float) -> Any:
        now = self._world.wall()
        return await original(self, namespace, now + max(0.0, until - now) * 60)

    shop.replace(Deliverer, "advance", advance)


@fault("time", "advancing_delivers_what_was_due")
def completions_come_early(shop: FaultInjector) -> None:
    """A completion is delivered before it is due."""
    original = Deliverer.advance

    async def advance(self: Any, namespace: bytes, until: float) -> Any:
        await original(self, namespace, until + 30)
        return await self._world.clock(namespace)

    shop.replace(Deliverer, "advance", advance)


@fault("time", "end_arrives_whole")
def duration_counts_the_ringing(shop: FaultInjector) -> None:
    """The duration is counted from the creation of the call."""
    complete(shop, lambda r: replace(r, duration_seconds=r.duration_seconds + 3))


@fault("time", "time_passes_by_itself_alone")
def reading_moves_time(shop: FaultInjector) -> None:
    """Each read moves the call on."""
    original = world.Simulation.status
    reads: dict[Any, int] = {}

    def status(self: Any, call: Any, now: float) -> str:
        reads[call.call_id] = reads.get(call.call_id, -1) + 1
        return original(self, call, now + reads[call.call_id])

    shop.replace(world.Simulation, "status", status)


@fault("time", "new_call_is_found_at_its_location")
def call_completes_at_once(shop: FaultInjector) -> None:
    """A call is in progress as soon as it is created."""
    original = world.Simulation.status
    shop.replace(world.Simulation, "status", lambda self, call, now: original(self, call, now + 7))


@fault("time", "new_key_finds_the_sample_call")
def sample_call_is_missing(shop: FaultInjector) -> None:
    """A new key has no sample call."""
    made: set[UUID] = set()

    async def shown(read: Any, namespace: bytes, call_id: UUID) -> Any:
        return await read(namespace, call_id) if call_id in made else None

    remember_calls(shop, lambda namespace, call: made.add(call.call_id))
    shop.read_calls(shown)


@fault("time", "preferred_problems_are_given")
def preference_is_ignored(shop: FaultInjector) -> None:
    """A problem that was asked for is not given, and a call is created instead."""

    def alter(ask: FaultyRequest) -> None:
        ask.put("prefer", None)

    shop.on_request(alter)


def create_all_the_same(shop: FaultInjector, is_refused: Callable[[FaultyRequest], bool]) -> None:
    """Create the call of a creation that is then refused."""
    [number] = [
        s.number for s in load_scenarios(read_catalogue(contracts()[0])) if s.name == "answered"
    ]
    codes = {b"429": "rate_limited", b"503": "provider_unavailable"}
    chosen: dict[int, str] = {}

    def before(ask: FaultyRequest) -> None:
        if ask.method == "POST" and ask.path == CALLS and is_refused(ask):
            wanted = re.search(rb"(429|503)", b"".join(ask.values("prefer")))
            name = "rate_limited" if b"0121" in ask.body else "provider_unavailable"
            chosen[id(ask)] = codes[wanted[1]] if wanted else name
            ask.put("prefer", None)
            ask.body = re.sub(rb"\+1202555[0-9]{4}", number.encode(), ask.body)

    def after(ask: FaultyRequest, reply: FaultyResponse) -> None:
        if code := chosen.pop(id(ask), None):
            reply.body = json.dumps(
                {"detail": "This was refused. Try it again later.", "request_id": ""}
                | {"request_id": reply.values("x-request-id")[0].decode()}
            ).encode()
            put_problem(reply, code)
            reply.put("content-type", b"application/problem+json")
            reply.put("retry-after", b"1")
            reply.put("location", None)
            reply.put("preference-applied", f"code={reply.status}".encode())

    shop.on_request(before)
    shop.on_answer(after)


@fault("time", "refused_creations_say_when_to_retry")
def refusal_creates_a_call(shop: FaultInjector) -> None:
    """A creation that is refused with 429 or 503 creates its call all the same."""
    create_all_the_same(shop, lambda ask: re.search(rb"\+120255501(2[0-9])", ask.body) is not None)


@fault("time", "preferred_problems_are_given")
def preferred_problem_creates_a_call(shop: FaultInjector) -> None:
    """A problem that was asked for comes after the call was created."""
    create_all_the_same(shop, lambda ask: bool(ask.values("prefer")))


@fault("time", "advancing_delivers_what_was_due")
def completions_come_late(shop: FaultInjector) -> None:
    """A completion is delivered a second and a half after it is due."""
    original = Deliverer.advance

    async def advance(self: Any, namespace: bytes, until: float) -> Any:
        await original(self, namespace, until - 1.5)
        await self._world.store.move_clock(namespace, until, wall_now=self._world.wall())
        return await self._world.clock(namespace)

    shop.replace(Deliverer, "advance", advance)
    shop.replace(Deliverer, "run", _sleep_for_ever)


@fault("time", "clock_advances_and_never_goes_back")
def clock_goes_back(shop: FaultInjector) -> None:
    """Advancing by nothing sets the clock back."""

    def alter(ask: FaultyRequest, reply: FaultyResponse) -> None:
        if ask.path == "/sandbox/clock" and token_of(ask) in still and reply.status == 200:
            reply.put_json(reply.json | {"now": "2020-01-01T00:00:00.000Z"})
        if ask.path == "/sandbox/clock" and lenient(ask.body) == {"advance_seconds": 0}:
            still.add(token_of(ask))

    still: set[bytes] = set()
    shop.on_answer(alter)
