"""What a store promises, whatever engine keeps the rows.

Who needs only a part of it asks for that part: namespaces, calls, deliveries, faults,
numbers, or the journal.

A namespace is named by 16 bytes made from its key. Every method that changes something returns
after the change is committed. Everything a store cannot do now raises `StorageUnavailable`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final, Protocol

import msgspec
from uuid_utils import UUID

from voice_sandbox.calls.call import Call, Result
from voice_sandbox.clock import VirtualClock

LATEST_SEQ: Final = "~"
"""A `seq` after every other."""
ALL_SEGMENTS: Final = 2**31


class StoreError(Exception):
    """The database cannot be used at all; the message says how to fix that."""


class StorageUnavailable(Exception):
    """The database cannot serve this request now; nothing was changed."""


class DatabaseAway(StorageUnavailable):
    """The database itself does not serve now, and not only what was asked of it."""


class IdempotencyKey(msgspec.Struct, frozen=True):
    """A key to keep with a new call. ``expires_at`` is of the namespace's virtual clock."""

    value: str
    fingerprint: bytes
    """Digest of the request's body: the same key with another body is a conflict."""
    expires_at: float


class KeptCall(msgspec.Struct, frozen=True):
    """What an idempotency key in use stands for."""

    call_id: UUID
    fingerprint: bytes


class Due(msgspec.Struct, frozen=True):
    """A call whose next completion this process has claimed, to deliver before the lease ends."""

    namespace: bytes
    call_id: UUID
    due_at: float


class LastShown(msgspec.Struct, frozen=True):
    """The latest time that anybody can have seen."""

    wall: float
    """At which a clock was started or moved; 0 where none was."""
    seq: str
    """The last `seq` of any journal, empty where there is none."""


class JournalSegment(msgspec.Struct, frozen=True):
    """Exchanges of a namespace that were written down together; ``entries`` is their bytes."""

    namespace: bytes
    last_seq: str
    newest_at: float
    """When the last of them started, on the wall."""
    exchanges: int
    entries: bytes


class Covered(msgspec.Struct, frozen=True):
    """How often a namespace had one response; ``code`` and ``scenario`` are empty where none."""

    operation_id: str
    status: int
    code: str
    scenario: str
    exchanges: int


class Ring(msgspec.Struct, frozen=True):
    """A call that was created, in the order of its namespace."""

    seq: int
    phone: str
    call_id: UUID
    requested_by: str | None
    """``None`` where the call was created before that was kept."""


class BoundNumber(msgspec.Struct, frozen=True):
    """What calls to a number do in one namespace."""

    phone: str
    """``default`` is every number that has no scenario."""
    scenario: str
    outcome: str | None
    """As JSON, where it is no scenario of the catalogue."""


class ArmedFault(msgspec.Struct, frozen=True):
    """A fault that strikes requests of a key."""

    fault_id: str
    operation_id: str
    """``any`` is every operation."""
    fault: str
    """What strikes, as JSON."""
    phone: str | None
    """Strikes only requests about this number."""
    skip: int
    """How many requests pass before it strikes."""
    times: int | None
    """How often it strikes; ``None`` is always."""
    met: int = 0
    """How many requests it has met, those that passed included."""

    @property
    def struck(self) -> int:
        """How often it has struck."""
        return max(0, self.met - self.skip)

    @property
    def strikes(self) -> bool:
        """Whether it struck the last request that it has met."""
        return self.met > self.skip

    @property
    def is_spent(self) -> bool:
        """Whether it has struck for the last time."""
        return self.times is not None and self.struck >= self.times


class NamespaceStore(Protocol):
    """Namespaces and their clocks."""

    async def clock(self, namespace: bytes) -> VirtualClock | None:
        """The clock of a namespace, ``None`` where it is not open."""

    async def open_namespace(
        self, namespace: bytes, *, fresh: VirtualClock, sample: Call
    ) -> VirtualClock:
        """Starts a namespace with clock and sample call, unless it is open; returns its clock."""

    async def move_clock(
        self,
        namespace: bytes,
        instant: float,
        *,
        wall_now: float,
        wakes: bool = True,
        mode: str | None = None,
    ) -> VirtualClock | None:
        """Advances the clock to ``instant`` where it is not already later, and sets its ``mode``.

        The wall times of pending completions follow in pieces. Without ``wakes`` they stay as
        they are: for a step of several, of which the last one moves them.
        """

    async def move_uptime(self, seconds: float) -> float:
        """Moves the running time of the deployment to ``seconds``, never back; returns it.

        Uses of namespaces are measured by it, and not by the wall, which may be set at any time.
        """

    async def use_namespaces(self, namespaces: Iterable[bytes], *, at: float) -> Sequence[bytes]:
        """Writes down a use at that running time for each namespace; returns those not open."""

    async def idle_namespaces(self, *, since: float, limit: int) -> Sequence[bytes]:
        """Namespaces that were last used before that running time, the longest idle first."""

    async def delete_namespace(
        self, namespace: bytes, *, idle_since: float | None = None, reset_at: str | None = None
    ) -> None:
        """Removes the namespace with all its calls and kept keys, its journal and its counts.

        It is gone for everyone as soon as it has lost its name; then its rows are removed in
        pieces. With ``idle_since`` only where it was not used since then. A call that was stored
        after the last use that is written down counts as a use at ``idle_since``: its process may
        write that use down a little later. ``reset_at`` is the `seq` up to which exchanges are
        gone, also those that another process has not written down yet.
        """

    async def sweep(self) -> None:
        """Removes what a process that died has left of deleted namespaces, in pieces."""

    async def last_shown(self) -> LastShown:
        """The latest time that was shown before this process began."""

    async def database_time(self) -> float | None:
        """The wall time of the clock that all replicas share, ``None`` where a file is shared."""


class CallStore(Protocol):
    """The calls of a namespace."""

    async def create_call(
        self,
        namespace: bytes,
        call: Call,
        *,
        due_at: float | None,
        idempotency_key: IdempotencyKey | None,
    ) -> KeptCall | None:
        """Saves the call, or returns what its idempotency key already stands for."""

    async def kept_call(
        self, namespace: bytes, idempotency_key: str, *, now: float
    ) -> KeptCall | None:
        """What an idempotency key stands for that is in use at ``now`` of the virtual clock."""

    async def call(self, namespace: bytes, call_id: UUID) -> Call | None: ...

    async def call_with_clock(
        self, namespace: bytes, call_id: UUID
    ) -> tuple[VirtualClock, Call | None] | None:
        """A call and the clock of its namespace at once, ``None`` where that is not open."""

    async def newest_call_id(self, namespace: bytes) -> UUID | None:
        """The call that was stored last, whatever the clocks say."""

    async def count_calls(self, namespace: bytes) -> int:
        """How many calls were created in the namespace; its sample call is none of them."""

    async def rings(self, namespace: bytes, *, after: int, limit: int) -> Sequence[Ring]:
        """The next calls that were created, behind the ``seq`` of the last ones."""

    async def complete_call(
        self,
        namespace: bytes,
        call_id: UUID,
        result: Result,
        *,
        ended_at: float,
        completed_by: str,
        drop_plan: bool,
    ) -> bool:
        """Saves the result unless the call has ended already; says whether it did.

        ``drop_plan`` also drops the completions that the provider still planned.
        """

    async def drop_plan(self, namespace: bytes, call_id: UUID) -> None:
        """Drops the completions that the provider still planned for a call."""


class DeliveryStore(Protocol):
    """Completions that are still to be delivered."""

    async def claim_due(
        self, *, wall_now: float, lease_seconds: float, limit: int
    ) -> Sequence[Due]:
        """Claims completions that are due in any namespace, the longest due first."""

    async def claim_until(
        self, namespace: bytes, *, until: float, wall_now: float, lease_seconds: float, limit: int
    ) -> Sequence[Due]:
        """Claims the completions of the namespace that are due at the earliest instant.

        All have the same ``due_at``, which is not later than ``until``.
        """

    async def next_due_at(self, namespace: bytes) -> float | None:
        """When the earliest undelivered completion of the namespace is due."""

    async def next_wake_at(self) -> float | None:
        """The wall time at which the next completion of any namespace is due."""

    async def finish_delivery(
        self,
        due: Due,
        *,
        made: int,
        response: int,
        next_due_at: float | None,
    ) -> None:
        """Records the HTTP status of a delivery's response, and plans the next delivery.

        ``made`` is how many deliveries came before it; where there are more by now, another
        process has made this one, and nothing changes.
        """


class FaultStore(Protocol):
    """Faults that keys have armed."""

    async def arm_fault(self, namespace: bytes, fault: ArmedFault, *, limit: int) -> bool:
        """Arms a fault behind those before it; says whether it did.

        Where a namespace holds ``limit`` of them, those that cannot strike any more make room.
        """

    async def faults(self, namespace: bytes) -> Sequence[ArmedFault]:
        """In the order in which they were armed, those that have struck for the last time too."""

    async def strike_fault(
        self, namespace: bytes, operation_id: str, *, phone: str | None
    ) -> ArmedFault | None:
        """The first fault that fits and strikes now. Each counts exactly, whoever asks."""

    async def disarm_faults(self, namespace: bytes, *, fault_id: str | None = None) -> int:
        """Removes one fault, or all; returns how many there were."""

    async def namespaces_with_faults(self, *, limit: int) -> Sequence[bytes]:
        """Namespaces in which a fault may strike."""


class NumberStore(Protocol):
    """Numbers that keys have bound to an outcome."""

    async def bind_number(self, namespace: bytes, number: BoundNumber, *, limit: int) -> bool:
        """Binds a number, anew where it is bound; not where ``limit`` others are. Says whether."""

    async def numbers(self, namespace: bytes) -> Sequence[BoundNumber]: ...

    async def number(self, namespace: bytes, phone: str) -> BoundNumber | None:
        """What that number is bound to, or ``default`` where it is not bound."""

    async def unbind_number(self, namespace: bytes, phone: str) -> bool:
        """Says whether it was bound."""

    async def count_rejection(self, namespace: bytes, phone: str, *, limit: int) -> bool:
        """Counts one more rejection of a number, up to ``limit``; says whether it was counted."""


class JournalStore(Protocol):
    """The journal and what it counts."""

    async def append_journal(
        self, segments: Sequence[JournalSegment], covered: Sequence[tuple[bytes, Covered]]
    ) -> None:
        """Adds segments and counts."""

    async def resets(self, namespaces: Collection[bytes]) -> Mapping[bytes, str]:
        """The `seq` at which a namespace was emptied last, where that was in the last day."""

    async def trim_journal(self, namespace: bytes, *, oldest: float, limit: int) -> None:
        """Drops segments older than ``oldest``, and those behind ``limit`` newer exchanges."""

    async def journal(
        self,
        namespace: bytes,
        *,
        after: str,
        until: str = LATEST_SEQ,
        without: Collection[str] = (),
        limit: int = ALL_SEGMENTS,
    ) -> Sequence[bytes]:
        """The first ``limit`` segments, in the order of their last `seq`.

        It is later than ``after``, not later than ``until``, and not one of ``without``.
        """

    async def newest_seq(self, namespace: bytes) -> str:
        """The `seq` of the newest entry, or an empty text."""

    async def coverage(self, namespace: bytes) -> Sequence[Covered]: ...


class Store(
    NamespaceStore, CallStore, DeliveryStore, FaultStore, NumberStore, JournalStore, Protocol
):
    """One database."""

    @property
    def is_shared(self) -> bool:
        """Whether another process may have the same database open."""

    async def open(self) -> None:
        """Connects and migrates. Raises: `StoreError`."""

    async def close(self) -> None: ...

    async def ping(self) -> None:
        """Returns where the database takes writes now. Raises: `StorageUnavailable`."""
