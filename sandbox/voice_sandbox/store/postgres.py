"""The store in PostgreSQL, which several replicas share.

Every change is one statement or one transaction, so that a replica may die at any instant. Requests
of one kind share a statement, which waits for no row that another transaction holds: a key whose
state is being moved or emptied delays no other key. Who needs a namespace for itself waits without
a connection, so that one key cannot hold all of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from math import inf
from typing import Any, Final, TypeVar

import msgspec
from msgspec.structs import asdict, replace
from uuid_utils import UUID

from voice_sandbox.calls.call import Call, Result
from voice_sandbox.clock import DAY_SECONDS, VirtualClock, seq_before
from voice_sandbox.store.batching import Batcher
from voice_sandbox.store.call_columns import (
    CLOCK_COLUMNS,
    FRAGMENTS,
    decode_call,
    request_values,
    sample_values,
)
from voice_sandbox.store.namespace_locks import PIECE_ROWS, NamespaceLocks
from voice_sandbox.store.postgres_database import Database, Transaction
from voice_sandbox.store.protocol import (
    ALL_SEGMENTS,
    LATEST_SEQ,
    ArmedFault,
    BoundNumber,
    Covered,
    Due,
    IdempotencyKey,
    JournalSegment,
    KeptCall,
    LastShown,
    Ring,
    StorageUnavailable,
    StoreError,
)
from voice_sandbox.store.sql_files import migrations, statements

_BATCH_LIMIT: Final = 64
_ATTEMPTS: Final = 5
_BUSY_SECONDS: Final = 0.01
_BUSY_LIMIT: Final = 300
"""How often a change waits for rows that another transaction holds: three seconds in all."""

_TABLES_BY_NAME: Final = ("idempotency_keys", "faults", "numbers", "rejections")
"""Whose rows a namespace tells apart by a text."""
_NO_CALL: Final = UUID(int=0)

_T = TypeVar("_T")
_Values = Mapping[str, Any]
_Read = tuple[VirtualClock | None, Call | None]


class _NamespaceBusy(Exception):
    """Another transaction holds the namespace."""


class PostgresStore:
    """Keeps everything in the database of a URL such as ``postgresql://user:password@host/name``.

    What is not in the URL comes from libpq's environment variables, such as ``PGPASSWORD``.
    """

    def __init__(self, url: str) -> None:
        """Raises: `ValueError` where it is not clear which part of the URL is the password."""
        self._db = Database(url, statements("postgres", FRAGMENTS, numbered=True))
        self._alone = NamespaceLocks()
        """Held by the transaction that needs a namespace for itself."""
        self._passes = NamespaceLocks()
        """Held while the wakes of a namespace move."""
        self._striking = NamespaceLocks()
        """Held while a fault strikes: its requests must not wait on every connection there is."""
        self._read = Batcher(self._read_calls, limit=_BATCH_LIMIT)
        self._create = self._batched("create_calls")
        self._complete = self._batched("complete_calls")
        self._finish = self._batched("finish_deliveries")

    @property
    def is_shared(self) -> bool:
        return True

    async def open(self) -> None:
        await self._db.open(migrations("postgres"))
        try:
            for row in await self._db.rows("late_wakes"):  # of a process that died
                await self._move_wakes(row[0])
        except StorageUnavailable as error:
            await self.close()
            raise StoreError(f"The database cannot be used: {error}.") from error

    async def close(self) -> None:
        await self._db.close()

    async def ping(self) -> None:
        await self._db.row("ping")

    async def clock(self, namespace: bytes) -> VirtualClock | None:
        clock, _ = await self._read((namespace, None))
        return clock

    async def open_namespace(
        self, namespace: bytes, *, fresh: VirtualClock, sample: Call
    ) -> VirtualClock:
        for _ in range(_ATTEMPTS):
            await self._db.rows(
                "open_namespace",
                namespace=namespace,
                anchor_wall=fresh.anchor_wall,
                anchor=fresh.anchor,
                rate=fresh.rate,
                mode=fresh.mode,
                call_id=sample.call_id,
                **sample_values(sample),
            )
            clock = await self.clock(namespace)
            if clock is not None:
                return clock
        raise StorageUnavailable("the namespace is emptied again and again")

    async def move_uptime(self, seconds: float) -> float:
        [reached] = await self._db.row("move_uptime", seconds=seconds)
        return float(reached)

    async def use_namespaces(self, namespaces: Iterable[bytes], *, at: float) -> Sequence[bytes]:
        used = sorted(namespaces)
        known = set[bytes]()
        # Not all at once: whoever creates a call waits for the rows of its namespace.
        for start in range(0, len(used), PIECE_ROWS):
            part = used[start : start + PIECE_ROWS]
            known.update(row[0] for row in await self._db.rows("use_namespaces", used=part, at=at))
        return [namespace for namespace in used if namespace not in known]

    async def idle_namespaces(self, *, since: float, limit: int) -> Sequence[bytes]:
        rows = await self._db.rows("idle_namespaces", since=since, limit=limit)
        return [row[0] for row in rows]

    async def delete_namespace(
        self, namespace: bytes, *, idle_since: float | None = None, reset_at: str | None = None
    ) -> None:
        values = {"namespace": namespace}

        async def delete(transaction: Transaction) -> list[Any]:
            is_open = await self._lock(transaction, namespace)
            if idle_since is not None:
                if not is_open:
                    return []
                [used, called] = await transaction.row("is_used_since", since=idle_since, **values)
                if used:
                    return []
                if called:
                    await transaction.rows("use_namespaces", used=[namespace], at=idle_since)
                    return []
            if reset_at is not None:
                await transaction.rows("keep_reset", seq=reset_at, **values)
                await transaction.rows("drop_resets", before=seq_before(reset_at, DAY_SECONDS))
            for table in ("journal", "coverage"):
                await transaction.rows(f"delete_{table}", **values)
            if not is_open:
                # If another replica has opened it since, that was after this reset. Waiting for
                # that replica can deadlock, because it may wait for the rows above.
                return []
            return await transaction.rows("delete_namespace", **values)

        for row in await self._alone_with(namespace, delete):
            await self._remove_rows(row[0])

    async def sweep(self) -> None:
        for row in await self._db.rows("deleted_generations"):
            await self._remove_rows(row[0])

    async def last_shown(self) -> LastShown:
        return LastShown(*await self._db.row("last_shown"))

    async def database_time(self) -> float | None:
        [instant] = await self._db.row("database_time")
        return float(instant)

    async def create_call(
        self,
        namespace: bytes,
        call: Call,
        *,
        due_at: float | None,
        idempotency_key: IdempotencyKey | None,
    ) -> KeptCall | None:
        key = idempotency_key
        for _ in range(_ATTEMPTS):
            outcome = await self._retried_while_busy(
                self._create,
                {
                    "namespace": namespace,
                    "call_id": call.call_id,
                    **request_values(call),
                    "due_at": due_at,
                    "idempotency_key": key and key.value,
                    "fingerprint": key and key.fingerprint,
                    "expires_at": key and key.expires_at,
                },
            )
            # A namespace that was emptied meanwhile was emptied with this call in it.
            if key is None or outcome in {"done", "gone"}:
                return None
            kept = await self._db.row(
                "read_idempotency_key", namespace=namespace, idempotency_key=key.value
            )
            if kept is not None:
                return KeptCall(_uuid(kept[0]), kept[1])
        raise StorageUnavailable("the namespace is emptied again and again")

    async def kept_call(
        self, namespace: bytes, idempotency_key: str, *, now: float
    ) -> KeptCall | None:
        kept = await self._db.row(
            "read_kept_call", namespace=namespace, idempotency_key=idempotency_key, now=now
        )
        return None if kept is None else KeptCall(_uuid(kept[0]), kept[1])

    async def call(self, namespace: bytes, call_id: UUID) -> Call | None:
        _, call = await self._read((namespace, call_id))
        return call

    async def call_with_clock(
        self, namespace: bytes, call_id: UUID
    ) -> tuple[VirtualClock, Call | None] | None:
        clock, call = await self._read((namespace, call_id))
        return None if clock is None else (clock, call)

    async def newest_call_id(self, namespace: bytes) -> UUID | None:
        row = await self._db.row("newest_call_id", namespace=namespace)
        return None if row is None else _uuid(row[0])

    async def count_calls(self, namespace: bytes) -> int:
        [count] = await self._db.row("count_calls", namespace=namespace)
        return int(count)

    async def rings(self, namespace: bytes, *, after: int, limit: int) -> Sequence[Ring]:
        rows = await self._db.rows("read_rings", namespace=namespace, after=after, limit=limit)
        return [Ring(row[0], row[1], _uuid(row[2]), row[3]) for row in rows]

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
        outcome = await self._retried_while_busy(
            self._complete,
            {
                "namespace": namespace,
                "call_id": call_id,
                **asdict(result),
                "ended_at": ended_at,
                "completed_by": completed_by,
                "drop_plan": drop_plan,
            },
        )
        return outcome == "done"

    async def drop_plan(self, namespace: bytes, call_id: UUID) -> None:
        await self._db.rows("drop_plan", namespace=namespace, call_id=call_id)

    async def move_clock(
        self,
        namespace: bytes,
        instant: float,
        *,
        wall_now: float,
        wakes: bool = True,
        mode: str | None = None,
    ) -> VirtualClock | None:
        async def move(transaction: Transaction) -> VirtualClock | None:
            row = await self._lock(transaction, namespace)
            if row is None:
                return None
            clock = _clock(row).advanced_to(instant, wall_now=wall_now)
            await transaction.rows(
                "move_clock",
                namespace=namespace,
                anchor_wall=clock.anchor_wall,
                anchor=clock.anchor,
                mode=mode or clock.mode,
            )
            return replace(clock, mode=mode or clock.mode)

        clock = await self._alone_with(namespace, move)
        if wakes:
            await self._move_wakes(namespace)
        return clock

    async def claim_due(
        self, *, wall_now: float, lease_seconds: float, limit: int
    ) -> Sequence[Due]:
        rows = await self._db.rows(
            "claim_due", wall_now=wall_now, leased_until=wall_now + lease_seconds, limit=limit
        )
        return sorted((_due(row) for row in rows), key=lambda due: due.due_at)

    async def claim_until(
        self, namespace: bytes, *, until: float, wall_now: float, lease_seconds: float, limit: int
    ) -> Sequence[Due]:
        rows = await self._db.rows(
            "claim_until",
            namespace=namespace,
            until=until,
            wall_now=wall_now,
            leased_until=wall_now + lease_seconds,
            limit=limit,
        )
        return [_due(row) for row in rows]

    async def next_due_at(self, namespace: bytes) -> float | None:
        [instant] = await self._db.row("next_due_at", namespace=namespace)
        return None if instant is None else float(instant)

    async def next_wake_at(self) -> float | None:
        [instant] = await self._db.row("next_wake_at")
        return None if instant is None else float(instant)

    async def finish_delivery(
        self,
        due: Due,
        *,
        made: int,
        response: int,
        next_due_at: float | None,
    ) -> None:
        await self._retried_while_busy(
            self._finish,
            {
                "namespace": due.namespace,
                "call_id": due.call_id,
                "made": made,
                "response": response,
                "due_at": next_due_at,
            },
        )

    async def arm_fault(self, namespace: bytes, fault: ArmedFault, *, limit: int) -> bool:
        async def arm(transaction: Transaction) -> bool:
            await self._lock(transaction, namespace)
            [count] = await transaction.row("count_faults", namespace=namespace)
            if count >= limit:
                await transaction.rows("delete_spent_faults", namespace=namespace)
                [count] = await transaction.row("count_faults", namespace=namespace)
            if count < limit:
                await transaction.rows("arm_fault", namespace=namespace, **asdict(fault))
                await transaction.rows("mark_faults", namespace=namespace)
            return bool(count < limit)

        return await self._alone_with(namespace, arm)

    async def faults(self, namespace: bytes) -> Sequence[ArmedFault]:
        rows = await self._db.rows("read_faults", namespace=namespace)
        return [ArmedFault(*row) for row in rows]

    async def strike_fault(
        self, namespace: bytes, operation_id: str, *, phone: str | None
    ) -> ArmedFault | None:
        async with self._striking[namespace]:
            rows = await self._db.rows(
                "strike_fault", namespace=namespace, operation_id=operation_id, phone=phone
            )
        met = [ArmedFault(*row) for row in rows]
        if not met or any(fault.is_spent for fault in met):
            await self._mark_faults(namespace)
        return next((fault for fault in met if fault.strikes), None)

    async def disarm_faults(self, namespace: bytes, *, fault_id: str | None = None) -> int:
        removed = await self._db.rows("disarm_faults", namespace=namespace, fault_id=fault_id)
        await self._mark_faults(namespace)
        return len(removed)

    async def namespaces_with_faults(self, *, limit: int) -> Sequence[bytes]:
        return [row[0] for row in await self._db.rows("namespaces_with_faults", limit=limit)]

    async def bind_number(self, namespace: bytes, number: BoundNumber, *, limit: int) -> bool:
        async def bind(transaction: Transaction) -> bool:
            await self._lock(transaction, namespace)
            [others] = await transaction.row(
                "count_other_numbers", namespace=namespace, phone=number.phone
            )
            if others < limit:
                await transaction.rows("bind_number", namespace=namespace, **asdict(number))
                await transaction.rows("mark_numbers", namespace=namespace)
            return bool(others < limit)

        return await self._alone_with(namespace, bind)

    async def numbers(self, namespace: bytes) -> Sequence[BoundNumber]:
        rows = await self._db.rows("read_numbers", namespace=namespace)
        return [BoundNumber(*row) for row in rows]

    async def number(self, namespace: bytes, phone: str) -> BoundNumber | None:
        row = await self._db.row("read_number", namespace=namespace, phone=phone)
        return None if row is None else BoundNumber(*row)

    async def unbind_number(self, namespace: bytes, phone: str) -> bool:
        async def unbind(transaction: Transaction) -> bool:
            await self._lock(transaction, namespace)
            removed = await transaction.rows("unbind_number", namespace=namespace, phone=phone)
            await transaction.rows("mark_numbers", namespace=namespace)
            return bool(removed)

        return await self._alone_with(namespace, unbind)

    async def count_rejection(self, namespace: bytes, phone: str, *, limit: int) -> bool:
        rows = await self._db.rows("count_rejection", namespace=namespace, phone=phone, limit=limit)
        return bool(rows)

    async def append_journal(
        self, segments: Sequence[JournalSegment], covered: Sequence[tuple[bytes, Covered]]
    ) -> None:
        counted = _arrays(Covered, [counts for _, counts in covered])
        counted["namespace"] = [namespace for namespace, _ in covered]

        async def append(transaction: Transaction) -> None:
            await transaction.rows("append_journal", **_arrays(JournalSegment, segments))
            await transaction.rows("count_coverage", **counted)

        await self._db.transaction(append)

    async def resets(self, namespaces: Collection[bytes]) -> Mapping[bytes, str]:
        rows = await self._db.rows("read_resets", namespaces=[*namespaces])
        return {bytes(row[0]): row[1] for row in rows}

    async def trim_journal(self, namespace: bytes, *, oldest: float, limit: int) -> None:
        await self._db.rows("trim_journal", namespace=namespace, oldest=oldest, limit=limit)

    async def journal(
        self,
        namespace: bytes,
        *,
        after: str,
        until: str = LATEST_SEQ,
        without: Collection[str] = (),
        limit: int = ALL_SEGMENTS,
    ) -> Sequence[bytes]:
        rows = await self._db.rows(
            "read_journal",
            namespace=namespace,
            after=after,
            until=until,
            without=[*without],
            limit=limit,
        )
        return [row[0] for row in rows]

    async def newest_seq(self, namespace: bytes) -> str:
        [seq] = await self._db.row("newest_seq", namespace=namespace)
        return str(seq)

    async def coverage(self, namespace: bytes) -> Sequence[Covered]:
        rows = await self._db.rows("read_coverage", namespace=namespace)
        return [Covered(*row) for row in rows]

    async def _mark_faults(self, namespace: bytes) -> None:
        """Writes down whether a fault may strike; alone, so as to see one armed meanwhile."""

        async def mark(transaction: Transaction) -> None:
            await self._lock(transaction, namespace)
            await transaction.rows("mark_faults", namespace=namespace)

        await self._alone_with(namespace, mark)

    async def _alone_with(
        self, namespace: bytes, work: Callable[[Transaction], Awaitable[_T]]
    ) -> _T:
        """Does the work in a transaction that locks the namespace; see `_lock`."""
        async with self._alone[namespace]:
            for _ in range(_BUSY_LIMIT):
                try:
                    return await self._db.transaction(work)
                except _NamespaceBusy:
                    await asyncio.sleep(_BUSY_SECONDS)
        raise StorageUnavailable("another transaction holds the namespace for too long")

    async def _lock(self, transaction: Transaction, namespace: bytes) -> Any:
        """Locks a namespace for the rest of the transaction; returns its clock.

        ``None`` where it is not open. Raises: `_NamespaceBusy` where another transaction holds it.
        """
        row = await transaction.row("lock_namespace", namespace=namespace)
        if row is None and await transaction.row("is_open", namespace=namespace) is not None:
            raise _NamespaceBusy
        return row

    async def _move_wakes(self, namespace: bytes) -> None:
        """Moves the wakes after the clock. One pass does so for all moves before it."""
        async with self._passes[namespace]:
            row = await self._db.row("read_moves", namespace=namespace)
            if row is None:
                return
            due_at, call_id = -inf, _NO_CALL
            while True:
                moved = await self._db.rows(
                    "move_wakes",
                    namespace=namespace,
                    after_due_at=due_at,
                    after_call_id=call_id,
                    limit=PIECE_ROWS,
                )
                if len(moved) < PIECE_ROWS:
                    break
                due_at, call_id = moved[-1]
            await self._db.rows("settle_moves", namespace=namespace, moves=row[0])

    async def _remove_rows(self, generation: int) -> None:
        """Removes the rows of a deleted namespace."""
        for table, after in (("calls", _NO_CALL), *((table, "") for table in _TABLES_BY_NAME)):
            while True:
                removed = await self._db.rows(
                    f"delete_{table}", generation=generation, after=after, limit=PIECE_ROWS
                )
                if len(removed) < PIECE_ROWS:
                    break
                after = removed[-1][0]
        await self._db.rows("delete_generation", generation=generation)

    async def _read_calls(self, pairs: Sequence[tuple[bytes, UUID | None]]) -> list[_Read]:
        """The clock of each namespace, and the call where its pair names one."""
        rows = await self._db.rows(
            "read_calls",
            namespace=[namespace for namespace, _ in pairs],
            call_id=[call_id for _, call_id in pairs],
        )
        return [
            (
                None if row["anchor"] is None else _clock(row),
                None if row["call_id"] is None else _call(row),
            )
            for row in rows
        ]

    def _batched(self, statement: str) -> Batcher[_Values, str]:
        """Makes changes of one kind together; the result of each says whether it was made."""

        async def change(batch: Sequence[_Values]) -> list[str]:
            return [row[0] for row in await self._db.columns(statement, batch)]

        return Batcher(change, limit=_BATCH_LIMIT)

    async def _retried_while_busy(
        self, change: Callable[[_Values], Awaitable[str]], values: _Values
    ) -> str:
        """The outcome of a change, which is retried while another transaction holds its rows."""
        for _ in range(_BUSY_LIMIT):
            outcome = await change(values)
            if outcome != "busy":
                return outcome
            await asyncio.sleep(_BUSY_SECONDS)
        raise StorageUnavailable("another transaction holds the rows for too long")


def _arrays(kind: type[msgspec.Struct], rows: Sequence[Any]) -> dict[str, list[Any]]:
    """The rows' values field by field, as ``unnest`` takes them."""
    return {field: [getattr(row, field) for row in rows] for field in kind.__struct_fields__}


def _clock(row: Any) -> VirtualClock:
    return VirtualClock(*tuple(row)[: len(CLOCK_COLUMNS)])


def _call(row: Mapping[str, Any]) -> Call:
    return decode_call(
        row,
        call_id=_uuid(row["call_id"]),
        delivery_statuses=tuple(row["delivery_statuses"]),
    )


def _due(row: Sequence[Any]) -> Due:
    namespace, call_id, due_at = row
    return Due(namespace, _uuid(call_id), due_at)


def _uuid(value: Any) -> UUID:
    """asyncpg has a class of its own, which is equal to none of ours."""
    return UUID(bytes=value.bytes)
