"""What the handlers share: the facts of the contract, the store and the time.

A namespace comes into being here, with its fresh clock and its finished sample call.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import msgspec
from uuid_utils import UUID

from voice_sandbox.calls.call import Call, Result
from voice_sandbox.calls.own_numbers import DEFAULT_NUMBER, OwnNumber
from voice_sandbox.calls.provider import Plan, next_change_at, plan, status_at
from voice_sandbox.calls.scenarios import Scenario, Scenarios
from voice_sandbox.clock import VirtualClock, Wall
from voice_sandbox.contract.catalogue import Catalogue
from voice_sandbox.contract.model import Contract
from voice_sandbox.contract.problems import ProblemError
from voice_sandbox.simulation.faults import ArmedFaults
from voice_sandbox.simulation.wake_up import WakeUp
from voice_sandbox.store.protocol import BoundNumber, Store


class Playing(NamedTuple):
    """What a call plays; ``outcome`` is JSON where it is no scenario of the catalogue."""

    scenario: Scenario
    outcome: str | None


class Simulation(msgspec.Struct, frozen=True):
    contract: Contract
    catalogue: Catalogue
    scenarios: Scenarios
    store: Store
    wall: Wall
    speed: float
    """Seconds of virtual time for each second on the wall, for namespaces opened from now on."""
    clock_mode: str
    """What moves their clocks."""
    admit_call: Callable[[bytes], Awaitable[None]] | None
    """Rejects a namespace that holds too many calls; ``None`` where there is no such limit."""
    wake_up: WakeUp
    """Is told when a new completion is due."""
    faults: ArmedFaults
    own_outcome: Callable[[str], Scenario]
    """What a number of one's own plays, from the outcome that is stored."""
    own_numbers: Mapping[str, OwnNumber] = MappingProxyType({})
    """What numbers play for every key that has not bound them otherwise."""

    async def clock(self, namespace: bytes) -> VirtualClock:
        """The clock of a namespace, which is opened where it is new."""
        return await self.store.clock(namespace) or await self._opened(namespace)

    async def scenario(self, namespace: bytes, phone: str, *, has_numbers: bool) -> Playing:
        """What a new call to a number plays.

        As the key has bound it, as the deployment has bound it, or as the catalogue has it. What
        is bound to ``default`` comes after all that is said of the very number.
        """
        bound = await self.store.number(namespace, phone) if has_numbers else None
        if bound is not None and bound.phone == phone:
            return self._playing(bound)
        if phone in self.own_numbers:
            return self._playing(self.own_numbers[phone])
        if phone in self.scenarios.by_number:
            return Playing(self.scenarios.by_number[phone], None)
        default = bound or self.own_numbers.get(DEFAULT_NUMBER)
        return Playing(self.scenarios.default, None) if default is None else self._playing(default)

    def _playing(self, number: BoundNumber | OwnNumber) -> Playing:
        if number.outcome is not None:
            return Playing(self.own_outcome(number.outcome), number.outcome)
        return Playing(self.scenarios.by_name[number.scenario or ""], None)

    async def call(self, namespace: bytes, call_id: UUID) -> tuple[VirtualClock, Call | None]:
        """A call and the clock it is read by, in one reading of the store."""
        found = await self.store.call_with_clock(namespace, call_id)
        if found is None:
            clock = await self._opened(namespace)
            found = await self.store.call_with_clock(namespace, call_id) or (clock, None)
        return found

    def plan(self, call: Call) -> Plan:
        """What the simulated provider does with a call."""
        return plan(call, self._scenario(call))

    def status(self, call: Call, now: float) -> str:
        """Where a call stands at an instant of its namespace's clock."""
        return call.result.status if call.result else status_at(call, self._scenario(call), now)

    def next_change_at(self, call: Call, now: float) -> float | None:
        """When an unfinished call changes next."""
        return next_change_at(call, self._scenario(call), now)

    def _scenario(self, call: Call) -> Scenario:
        if call.outcome is not None:
            return self.own_outcome(call.outcome)
        # A database may be older than the catalogue, and hold a scenario that is gone.
        return self.scenarios.by_name.get(call.scenario, self.scenarios.default)

    async def _opened(self, namespace: bytes) -> VirtualClock:
        now = self.wall()
        return await self.store.open_namespace(
            namespace,
            fresh=VirtualClock(now, now, self.speed, self.clock_mode),
            sample=self._sample_call(now),
        )

    def _sample_call(self, now: float) -> Call:
        sample = self.catalogue.sample
        return Call(
            call_id=sample.call_id,
            phone=sample.phone,
            agent=sample.agent,
            scenario=self.scenarios.default.name,
            created_at=now - sample.duration_seconds,
            result=Result(sample.status, sample.transcript, sample.duration_seconds),
            ended_at=now,
        )


def no_such_call() -> ProblemError:
    """The same for calls of other keys and for calls that never existed."""
    return ProblemError(
        "call_not_found",
        "There is no such call under this key. "
        "Use a call_id that createCall returned to the same key.",
    )
