"""The store in one SQLite file, called in the event loop's own thread.

Writes of one turn of the loop share a transaction; each is acknowledged after it is committed. A
statement that fails undoes what its own writer has changed, and nothing of the others.
What is committed survives the death of the process. With ``synchronous`` ``FULL`` it survives a
loss of power too, at the price of one wait for the disk a transaction.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import inf
from pathlib import Path
from typing import Any, Final

import orjson
from msgspec.structs import asdict, replace
from uuid_utils import UUID

from voice_sandbox.calls.call import Call, Result
from voice_sandbox.clock import DAY_SECONDS, VirtualClock, monotonic, seq_before
from voice_sandbox.store.call_columns import (
    CLOCK_COLUMNS,
    FRAGMENTS,
    decode_call,
    request_values,
    sample_values,
)
from voice_sandbox.store.namespace_locks import PIECE_ROWS, NamespaceLocks
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
from voice_sandbox.store.sql_files import statements
from voice_sandbox.store.sqlite_connection import (
    BUSY_PAUSE_SECONDS,
    BUSY_SECONDS,
    connect,
    file_identity,
    move_log,
    try_begin,
)

logger = logging.getLogger("voice_sandbox")

_CHECKPOINT_WRITES: Final = 2000
"""After so many writes the log is moved into the file by a thread beside the loop."""
_ROW_BYTES: Final = 1024
"""A large value counts as so many writes as rows would fill the log as much."""


class SQLiteStore:
    """Keeps everything in ``path``, or in memory where that is ``:memory:``.

    ``synchronous`` is ``NORMAL`` or ``FULL`` (https://sqlite.org/pragma.html#pragma_synchronous).
    """

    def __init__(self, path: str, *, synchronous: str = "NORMAL") -> None:
        self._path = path if path == ":memory:" else str(Path(path).absolute())
        self._location = Path(self._path)
        self._synchronous = synchronous
        self._sql = statements("sqlite", FRAGMENTS, numbered=False)
        self._db: sqlite3.Connection | None = None
        self._writing = False
        """Whether a transaction is open; it ends with this turn of the loop."""
        self._opening = asyncio.Lock()
        """Held by the one who tries to open a transaction."""
        self._waiting: list[asyncio.Future[None]] = []
        """Who waits for the end of the transaction."""
        self._writes = 0
        """Since the last checkpoint began."""
        self._checkpoint: asyncio.Future[None] | None = None
        self._file: tuple[int, int] | None = None
        """Tells the file that is open from another one under the same path."""
        self._piece = asyncio.Lock()
        """Held for one piece of the work on a namespace: one in each turn of the loop."""
        self._passes = NamespaceLocks()
        """Held while the wakes of a namespace move."""

    @property
    def is_shared(self) -> bool:
        return self._path != ":memory:"

    async def open(self) -> None:
        self._db = await connect(self._path, synchronous=self._synchronous)
        self._file = file_identity(self._location)
        try:
            for row in self._read_all("late_wakes"):  # of a process that died before it moved them
                await self._move_wakes(row[0])
        except StorageUnavailable as error:
            await self.close()
            raise StoreError(f"The database {self._path} cannot be used: {error}.") from error

    async def close(self) -> None:
        await self._committed()
        if self._checkpoint is not None:
            await self._checkpoint
        if self._db is not None:
            self._db.close()
            self._db = None

    async def ping(self) -> None:
        await self._begin()
        with self._writer():
            self._write("ping")
        await self._committed()

    async def clock(self, namespace: bytes) -> VirtualClock | None:
        row = self._read("read_namespace", namespace=namespace)
        return None if row is None else VirtualClock(*row)

    async def open_namespace(
        self, namespace: bytes, *, fresh: VirtualClock, sample: Call
    ) -> VirtualClock:
        await self._begin()
        with self._writer():
            inserted = self._write(
                "insert_namespace",
                namespace=namespace,
                anchor_wall=fresh.anchor_wall,
                anchor=fresh.anchor,
                rate=fresh.rate,
                mode=fresh.mode,
            )
            if inserted:
                self._write(
                    "insert_sample",
                    namespace=namespace,
                    call_id=sample.call_id.bytes,
                    **sample_values(sample),
                )
            row = self._read("read_namespace", namespace=namespace)
        await self._committed()
        return VirtualClock(*row)

    async def move_uptime(self, seconds: float) -> float:
        await self._begin()
        with self._writer():
            [row] = self._write_returning("move_uptime", seconds=seconds)
        await self._committed()
        return float(row[0])

    async def use_namespaces(self, namespaces: Iterable[bytes], *, at: float) -> Sequence[bytes]:
        used = list(namespaces)
        unknown: list[bytes] = []
        for start in range(0, len(used), PIECE_ROWS):
            async with self._piece:
                await self._begin()
                with self._writer():
                    unknown += [
                        namespace
                        for namespace in used[start : start + PIECE_ROWS]
                        if not self._write("use_namespace", namespace=namespace, at=at)
                    ]
                await self._committed()
        return unknown

    async def idle_namespaces(self, *, since: float, limit: int) -> Sequence[bytes]:
        rows = self._read_all("idle_namespaces", since=since, limit=limit)
        return [row[0] for row in rows]

    async def delete_namespace(
        self, namespace: bytes, *, idle_since: float | None = None, reset_at: str | None = None
    ) -> None:
        await self._begin()  # before reading: another process may use it
        with self._writer():
            if idle_since is not None:
                row = self._read("is_used_since", namespace=namespace, since=idle_since)
                if row is None or row[0]:
                    return
            deleted: Sequence[Any] = ()
            if idle_since is not None and row[1]:
                self._write("use_namespace", namespace=namespace, at=idle_since)
            else:
                for table in ("journal", "coverage"):
                    self._write(f"delete_{table}", namespace=namespace)
                deleted = self._write_returning("delete_namespace", namespace=namespace)
                if reset_at is not None:
                    self._write("keep_reset", namespace=namespace, seq=reset_at)
                    self._write("drop_resets", before=seq_before(reset_at, DAY_SECONDS))
        await self._committed()
        for row in deleted:
            await self._remove_rows(row[0])

    async def sweep(self) -> None:
        for row in self._read_all("deleted_generations"):
            await self._remove_rows(row[0])

    async def last_shown(self) -> LastShown:
        return LastShown(*self._read("last_shown"))

    async def database_time(self) -> float | None:
        return None

    async def create_call(
        self,
        namespace: bytes,
        call: Call,
        *,
        due_at: float | None,
        idempotency_key: IdempotencyKey | None,
    ) -> KeptCall | None:
        await self._begin()
        kept: KeptCall | None = None
        with self._writer():
            if idempotency_key is None or self._keep(namespace, idempotency_key, call):
                self._write(
                    "insert_call",
                    namespace=namespace,
                    call_id=call.call_id.bytes,
                    due_at=due_at,
                    **request_values(call),
                )
            else:
                row = self._read(
                    "read_idempotency_key",
                    namespace=namespace,
                    idempotency_key=idempotency_key.value,
                )
                kept = None if row is None else _kept_call(row)
        await self._committed()
        return kept

    async def kept_call(
        self, namespace: bytes, idempotency_key: str, *, now: float
    ) -> KeptCall | None:
        row = self._read(
            "read_kept_call", namespace=namespace, idempotency_key=idempotency_key, now=now
        )
        await self._committed()  # what this turn has written may be part of it
        return None if row is None else _kept_call(row)

    async def call(self, namespace: bytes, call_id: UUID) -> Call | None:
        row = self._read("read_call", namespace=namespace, call_id=call_id.bytes)
        await self._committed()  # what this turn has written may be part of it
        return None if row is None else _call(row)

    async def call_with_clock(
        self, namespace: bytes, call_id: UUID
    ) -> tuple[VirtualClock, Call | None] | None:
        row = self._read("read_call_with_clock", namespace=namespace, call_id=call_id.bytes)
        await self._committed()  # what this turn has written may be part of it
        if row is None:
            return None
        return VirtualClock(*row[: len(CLOCK_COLUMNS)]), None if row["call_id"] is None else _call(
            row
        )

    async def newest_call_id(self, namespace: bytes) -> UUID | None:
        row = self._read("newest_call_id", namespace=namespace)
        return None if row is None else UUID(bytes=row[0])

    async def count_calls(self, namespace: bytes) -> int:
        [count] = self._read("count_calls", namespace=namespace)
        return int(count)

    async def rings(self, namespace: bytes, *, after: int, limit: int) -> Sequence[Ring]:
        rows = self._read_all("read_rings", namespace=namespace, after=after, limit=limit)
        await self._committed()  # what this turn has written may be part of it
        return [Ring(row[0], row[1], UUID(bytes=row[2]), row[3]) for row in rows]

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
        await self._begin()
        with self._writer():
            changed = self._write(
                "complete_call",
                namespace=namespace,
                call_id=call_id.bytes,
                status=result.status,
                transcript=result.transcript,
                duration_seconds=result.duration_seconds,
                ended_at=ended_at,
                completed_by=completed_by,
            )
            if changed and drop_plan:
                self._write("drop_plan", namespace=namespace, call_id=call_id.bytes)
        await self._committed()
        return changed == 1

    async def drop_plan(self, namespace: bytes, call_id: UUID) -> None:
        await self._begin()
        with self._writer():
            self._write("drop_plan", namespace=namespace, call_id=call_id.bytes)
        await self._committed()

    async def move_clock(
        self,
        namespace: bytes,
        instant: float,
        *,
        wall_now: float,
        wakes: bool = True,
        mode: str | None = None,
    ) -> VirtualClock | None:
        await self._begin()  # before reading: another process may move the same clock
        with self._writer():
            row = self._read("read_namespace", namespace=namespace)
            if row is None:
                return None
            clock = VirtualClock(*row).advanced_to(instant, wall_now=wall_now)
            self._write(
                "move_clock",
                namespace=namespace,
                anchor_wall=clock.anchor_wall,
                anchor=clock.anchor,
                mode=mode or clock.mode,
            )
        await self._committed()
        if wakes:
            await self._move_wakes(namespace)
        return clock if mode is None else replace(clock, mode=mode)

    async def claim_due(
        self, *, wall_now: float, lease_seconds: float, limit: int
    ) -> Sequence[Due]:
        await self._begin()
        with self._writer():
            rows = self._write_returning(
                "claim_due", wall_now=wall_now, leased_until=wall_now + lease_seconds, limit=limit
            )
        await self._committed()
        named = (_due(row) for row in rows if row[0] is not None)
        return sorted(named, key=lambda due: due.due_at)

    async def claim_until(
        self, namespace: bytes, *, until: float, wall_now: float, lease_seconds: float, limit: int
    ) -> Sequence[Due]:
        await self._begin()
        with self._writer():
            rows = self._write_returning(
                "claim_until",
                namespace=namespace,
                until=until,
                wall_now=wall_now,
                leased_until=wall_now + lease_seconds,
                limit=limit,
            )
        await self._committed()
        return [_due(row) for row in rows]

    async def next_due_at(self, namespace: bytes) -> float | None:
        [instant] = self._read("next_due_at", namespace=namespace)
        return None if instant is None else float(instant)

    async def next_wake_at(self) -> float | None:
        [instant] = self._read("next_wake_at")
        return None if instant is None else float(instant)

    async def finish_delivery(
        self,
        due: Due,
        *,
        made: int,
        response: int,
        next_due_at: float | None,
    ) -> None:
        await self._begin()
        with self._writer():
            self._write(
                "finish_delivery",
                namespace=due.namespace,
                call_id=due.call_id.bytes,
                made=made,
                response=response,
                due_at=next_due_at,
            )
        await self._committed()

    async def arm_fault(self, namespace: bytes, fault: ArmedFault, *, limit: int) -> bool:
        await self._begin()
        with self._writer():
            [count] = self._read("count_faults", namespace=namespace)
            if count >= limit:
                count -= self._write("delete_spent_faults", namespace=namespace)
            if count < limit:
                self._write("arm_fault", namespace=namespace, **asdict(fault))
                self._write("mark_faults", namespace=namespace)
        await self._committed()
        return bool(count < limit)

    async def faults(self, namespace: bytes) -> Sequence[ArmedFault]:
        rows = self._read_all("read_faults", namespace=namespace)
        await self._committed()  # what this turn has written may be part of it
        return [ArmedFault(*row) for row in rows]

    async def strike_fault(
        self, namespace: bytes, operation_id: str, *, phone: str | None
    ) -> ArmedFault | None:
        await self._begin()
        with self._writer():
            rows = self._write_returning(
                "strike_fault", namespace=namespace, operation_id=operation_id, phone=phone
            )
            met = [ArmedFault(*row) for row in rows]
            if not met or any(fault.is_spent for fault in met):
                self._write("mark_faults", namespace=namespace)
        await self._committed()
        return next((fault for fault in met if fault.strikes), None)

    async def disarm_faults(self, namespace: bytes, *, fault_id: str | None = None) -> int:
        await self._begin()
        with self._writer():
            removed = self._write("disarm_faults", namespace=namespace, fault_id=fault_id)
            self._write("mark_faults", namespace=namespace)
        await self._committed()
        return removed

    async def namespaces_with_faults(self, *, limit: int) -> Sequence[bytes]:
        return [row[0] for row in self._read_all("namespaces_with_faults", limit=limit)]

    async def bind_number(self, namespace: bytes, number: BoundNumber, *, limit: int) -> bool:
        await self._begin()
        with self._writer():
            [others] = self._read("count_other_numbers", namespace=namespace, phone=number.phone)
            if others < limit:
                self._write("bind_number", namespace=namespace, **asdict(number))
                self._write("mark_numbers", namespace=namespace)
        await self._committed()
        return bool(others < limit)

    async def numbers(self, namespace: bytes) -> Sequence[BoundNumber]:
        rows = self._read_all("read_numbers", namespace=namespace)
        await self._committed()  # what this turn has written may be part of it
        return [BoundNumber(*row) for row in rows]

    async def number(self, namespace: bytes, phone: str) -> BoundNumber | None:
        row = self._read("read_number", namespace=namespace, phone=phone)
        return None if row is None else BoundNumber(*row)

    async def unbind_number(self, namespace: bytes, phone: str) -> bool:
        await self._begin()
        with self._writer():
            removed = self._write_returning("unbind_number", namespace=namespace, phone=phone)
            self._write("mark_numbers", namespace=namespace)
        await self._committed()
        return bool(removed)

    async def count_rejection(self, namespace: bytes, phone: str, *, limit: int) -> bool:
        await self._begin()
        with self._writer():
            counted = self._write_returning(
                "count_rejection", namespace=namespace, phone=phone, limit=limit
            )
        await self._committed()
        return bool(counted)

    async def append_journal(
        self, segments: Sequence[JournalSegment], covered: Sequence[tuple[bytes, Covered]]
    ) -> None:
        await self._begin()
        with self._writer():
            for segment in segments:
                self._write("append_journal", **asdict(segment))
                self._writes += len(segment.entries) // _ROW_BYTES
            for namespace, counted in covered:
                self._write("count_coverage", namespace=namespace, **asdict(counted))
        await self._committed()

    async def resets(self, namespaces: Collection[bytes]) -> Mapping[bytes, str]:
        found = ((one, self._read("read_reset", namespace=one)) for one in namespaces)
        return {namespace: row[0] for namespace, row in found if row is not None}

    async def trim_journal(self, namespace: bytes, *, oldest: float, limit: int) -> None:
        await self._begin()
        with self._writer():
            self._write("trim_journal", namespace=namespace, oldest=oldest, limit=limit)
        await self._committed()

    async def journal(
        self,
        namespace: bytes,
        *,
        after: str,
        until: str = LATEST_SEQ,
        without: Collection[str] = (),
        limit: int = ALL_SEGMENTS,
    ) -> Sequence[bytes]:
        rows = self._read_all(
            "read_journal",
            namespace=namespace,
            after=after,
            until=until,
            without=orjson.dumps([*without]).decode(),
            limit=limit,
        )
        return [row[0] for row in rows]

    async def newest_seq(self, namespace: bytes) -> str:
        [seq] = self._read("newest_seq", namespace=namespace)
        return str(seq)

    async def coverage(self, namespace: bytes) -> Sequence[Covered]:
        return [Covered(*row) for row in self._read_all("read_coverage", namespace=namespace)]

    def _keep(self, namespace: bytes, key: IdempotencyKey, call: Call) -> bool:
        """Keeps the key for the call unless it is in use; says whether it did."""
        kept = self._write(
            "keep_idempotency_key",
            namespace=namespace,
            idempotency_key=key.value,
            fingerprint=key.fingerprint,
            call_id=call.call_id.bytes,
            expires_at=key.expires_at,
            now=call.created_at,
        )
        return kept == 1

    async def _move_wakes(self, namespace: bytes) -> None:
        """Moves the wakes after the clock. One pass does so for all moves before it."""
        async with self._passes[namespace]:
            row = self._read("read_moves", namespace=namespace)
            if row is None:
                return
            after = (-inf, b"")
            while True:
                async with self._piece:
                    await self._begin()
                    with self._writer():
                        moved = self._write_returning(
                            "move_wakes",
                            namespace=namespace,
                            after_due_at=after[0],
                            after_call_id=after[1],
                            limit=PIECE_ROWS,
                        )
                        if len(moved) < PIECE_ROWS:
                            self._write("settle_moves", namespace=namespace, moves=row[0])
                    await self._committed()
                if len(moved) < PIECE_ROWS:
                    return
                after = max((due_at, call_id) for due_at, call_id in moved)

    async def _remove_rows(self, generation: int) -> None:
        """Removes the rows of a deleted namespace."""
        for table in ("calls", "idempotency_keys", "faults", "numbers", "rejections"):
            removed = PIECE_ROWS
            while removed == PIECE_ROWS:
                async with self._piece:
                    await self._begin()
                    with self._writer():
                        removed = self._write(
                            f"delete_{table}", generation=generation, limit=PIECE_ROWS
                        )
                    await self._committed()
        await self._begin()
        with self._writer():
            self._write("delete_generation", generation=generation)
        await self._committed()

    def _read(self, query: str, **values: Any) -> Any:
        """The first row of a query, or ``None``."""
        try:
            return self._run(query, values).fetchone()
        except sqlite3.Error as error:
            raise StorageUnavailable(str(error)) from error

    def _read_all(self, query: str, **values: Any) -> list[Any]:
        try:
            return self._run(query, values).fetchall()
        except sqlite3.Error as error:
            raise StorageUnavailable(str(error)) from error

    @contextmanager
    def _writer(self) -> Iterator[None]:
        """What one writer changes in the open transaction, all of it or nothing.

        Nothing may be awaited in it, since the writers of a transaction take turns.
        """
        db = self._connection()
        others_have_written = bool(self._waiting)
        try:
            if others_have_written:
                db.execute("SAVEPOINT writer")
            yield
            if others_have_written:
                db.execute("RELEASE writer")
        except BaseException as error:
            if others_have_written and db.in_transaction:
                db.execute("ROLLBACK TO writer")
                db.execute("RELEASE writer")
            else:  # or SQLite has undone everything, as on a full disk
                self._abort(error)
            if isinstance(error, sqlite3.Error):
                raise StorageUnavailable(str(error)) from error
            raise

    def _write(self, statement: str, **values: Any) -> int:
        """Runs a statement in the open transaction; returns how many rows it changed."""
        self._writes += 1
        return self._run(statement, values).rowcount

    def _write_returning(self, statement: str, **values: Any) -> list[Any]:
        self._writes += 1
        return self._run(statement, values).fetchall()

    def _run(self, statement: str, values: Mapping[str, Any]) -> sqlite3.Cursor:
        sql = self._sql[statement]
        return self._connection().execute(sql.sql, sql.ordered(values))

    async def _begin(self) -> None:
        """Opens a transaction, unless this turn of the loop has one already.

        While another process writes, this one goes on with everything else.
        """
        give_up_at = monotonic() + BUSY_SECONDS
        while not self._writing:
            async with self._opening:
                if self._began():
                    return
                if monotonic() > give_up_at:
                    raise StorageUnavailable("another process holds the database for too long")
                await asyncio.sleep(BUSY_PAUSE_SECONDS)

    def _began(self) -> bool:
        """Tries to open a transaction; not where another process is writing just now."""
        if self._writing:  # who waited before this one has opened it
            return True
        db = self._connection()
        if file_identity(self._location) != self._file:
            raise StorageUnavailable(
                f"the file {self._path} was deleted or replaced while the sandbox was using it; "
                "restart the sandbox to begin with what is there now"
            )
        if not try_begin(db):
            return False
        self._writing = True
        asyncio.get_running_loop().call_soon(self._end_transaction)
        return True

    def _end_transaction(self) -> None:
        if not self._writing:
            return
        try:
            self._connection().execute("COMMIT")
        except sqlite3.Error as error:
            self._abort(error)
        else:
            for waiter in self._ended():
                waiter.set_result(None)
            if self._writes >= _CHECKPOINT_WRITES and self._checkpoint is None:
                self._begin_checkpoint()

    def _begin_checkpoint(self) -> None:
        self._writes = 0
        loop = asyncio.get_running_loop()
        self._checkpoint = loop.run_in_executor(None, move_log, self._path)
        self._checkpoint.add_done_callback(self._end_checkpoint)

    def _end_checkpoint(self, checkpoint: asyncio.Future[None]) -> None:
        self._checkpoint = None
        if not checkpoint.cancelled() and (error := checkpoint.exception()) is not None:
            logger.warning("the log of %s grows: %s", self._path, error)

    def _abort(self, error: BaseException) -> None:
        """Undoes the open transaction and tells every writer in it."""
        if not self._writing:
            return
        if self._connection().in_transaction:
            self._connection().execute("ROLLBACK")
        for waiter in self._ended():
            waiter.set_exception(StorageUnavailable(str(error)))

    def _ended(self) -> Iterator[asyncio.Future[None]]:
        """Closes the books of a transaction; gives those who still wait for its end."""
        self._writing = False
        waiting, self._waiting = self._waiting, []
        return (waiter for waiter in waiting if not waiter.done())

    async def _committed(self) -> None:
        """Waits until the writes of this turn are on disk."""
        if self._writing:
            waiter = asyncio.get_running_loop().create_future()
            self._waiting.append(waiter)
            await waiter

    def _connection(self) -> sqlite3.Connection:
        if self._db is None:
            raise StorageUnavailable("the store is closed")
        return self._db


def _call(row: Mapping[str, Any]) -> Call:
    return decode_call(
        row,
        call_id=UUID(bytes=row["call_id"]),
        delivery_statuses=tuple(orjson.loads(row["delivery_statuses"])),
    )


def _kept_call(row: Mapping[str, Any]) -> KeptCall:
    return KeptCall(UUID(bytes=row["call_id"]), row["fingerprint"])


def _due(row: Sequence[Any]) -> Due:
    namespace, call_id, due_at = row
    return Due(namespace, UUID(bytes=call_id), due_at)
