"""The store in PostgreSQL, which several replicas share.

Every change is one statement or one transaction, so that a replica may die at any instant.
A statement waits for seconds at most: a database that hangs is one that is away.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg  # type: ignore[import-untyped]
import msgspec
from msgspec.structs import asdict

from sandbox.calls import Call, Result
from sandbox.clock import VirtualClock
from sandbox.store.protocol import (
    Covered,
    Due,
    IdempotencyKey,
    JournalSegment,
    KeptCall,
    StorageUnavailable,
    StoreError,
)
from sandbox.store.queries import migrations, named_queries

_CONNECTIONS: Final = 10
_CONNECT_SECONDS: Final = 3.0
_ACQUIRE_SECONDS: Final = 3.0
_STATEMENT_SECONDS: Final = 4.0
_LONG_STATEMENT_SECONDS: Final = 60.0
"""For what touches every row of a namespace, and for migrations."""
_ATTEMPTS: Final = 5

_SETTINGS: Final = {
    "application_name": "voice-sandbox",
    "default_transaction_isolation": "read committed",
    # A replica that hangs in the middle of a transaction must not hold the others up.
    "idle_in_transaction_session_timeout": "10s",
}
_MIGRATION_LOCK: Final = int.from_bytes(b"voicebox")

# https://www.postgresql.org/docs/current/errcodes-appendix.html
_UNDONE: Final = frozenset({"40001", "40P01"})
"""Serialization failure and deadlock: nothing was changed, so try again."""
_OUR_FAULT: Final = ("22", "23")
"""Classes of values that the schema refuses: no wait puts them right."""
_FAILURES: Final = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,  # TimeoutError is one
)

_Connection = Any  # asyncpg hands out a proxy that has the methods of its Connection
_T = TypeVar("_T")
_Work = Callable[[_Connection], Awaitable[_T]]


class PostgresStore:
    """Keeps everything in the database of a URL such as ``postgresql://user:password@host/name``.

    What is not in the URL comes from libpq's environment variables, such as ``PGPASSWORD``.
    """

    def __init__(self, url: str) -> None:
        """Raises: `ValueError` where it is not clear which part of the URL is the password."""
        self._shown = _without_secrets(url)
        self._url = url
        self._statements = {
            name: _positional(sql) for name, sql in named_queries("postgres").items()
        }
        self._pool: asyncpg.Pool | None = None

    async def open(self) -> None:
        try:
            self._pool = await asyncpg.create_pool(
                self._url,
                min_size=0,  # a floor is restored with a traceback in the log
                max_size=_CONNECTIONS,
                timeout=_CONNECT_SECONDS,
                command_timeout=_STATEMENT_SECONDS,
                server_settings=_SETTINGS,
                reset=_leave_as_it_is,
            )
            async with self._pool.acquire(timeout=_ACQUIRE_SECONDS) as connection:
                await _migrate(connection)
            await self._rows("settle_wakes")
        except (*_FAILURES, StorageUnavailable, StoreError) as error:
            await self.close()
            raise StoreError(
                f"The database {self._shown} cannot be used: {_reason(error)}. Check that "
                "PostgreSQL runs there and that the user may create tables in it, or name "
                "another by --database."
            ) from error

    async def close(self) -> None:
        pool, self._pool = self._pool, None
        if pool is None:
            return
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                await pool.close()
        except _FAILURES:
            pool.terminate()

    async def ping(self) -> None:
        await self._row("ping")

    async def clock(self, namespace: bytes) -> VirtualClock | None:
        row = await self._row("read_namespace", namespace=namespace)
        return None if row is None else VirtualClock(*row)

    async def open_namespace(
        self, namespace: bytes, *, fresh: VirtualClock, sample: Call
    ) -> VirtualClock:
        for _ in range(_ATTEMPTS):
            await self._rows(
                "open_namespace",
                namespace=namespace,
                anchor_wall=fresh.anchor_wall,
                anchor=fresh.anchor,
                rate=fresh.rate,
                **_columns(sample),
            )
            clock = await self.clock(namespace)
            if clock is not None:
                return clock
        raise StorageUnavailable("the namespace is emptied again and again")

    async def use_namespaces(self, namespaces: Iterable[bytes], *, at: float) -> None:
        await self._rows("use_namespaces", namespaces=list(namespaces), at=at)

    async def idle_namespaces(self, *, since: float) -> Sequence[bytes]:
        return [row[0] for row in await self._rows("idle_namespaces", since=since)]

    async def delete_namespace(self, namespace: bytes) -> None:
        async def delete(connection: _Connection) -> None:
            async with connection.transaction():
                for table in ("namespace", "journal", "coverage"):
                    await self._on(
                        connection,
                        f"delete_{table}",
                        {"namespace": namespace},
                        seconds=_LONG_STATEMENT_SECONDS,
                    )

        await self._run(delete)

    async def create_call(
        self,
        namespace: bytes,
        call: Call,
        *,
        due_at: float | None,
        idempotency_key: IdempotencyKey | None,
    ) -> KeptCall | None:
        for _ in range(_ATTEMPTS):
            namespaces, created = await self._row(
                "create_call",
                namespace=namespace,
                call_id=call.call_id,
                phone=call.phone,
                agent=call.agent,
                scenario=call.scenario,
                created_at=call.created_at,
                due_at=due_at,
                idempotency_key=idempotency_key and idempotency_key.value,
                fingerprint=idempotency_key and idempotency_key.fingerprint,
                expires_at=idempotency_key and idempotency_key.expires_at,
            )
            # A namespace that was emptied meanwhile was emptied with this call in it.
            if created or not namespaces:
                return None
            assert idempotency_key is not None
            kept = await self._row(
                "read_idempotency_key",
                namespace=namespace,
                idempotency_key=idempotency_key.value,
            )
            if kept is not None:
                return KeptCall(*kept)
        raise StorageUnavailable("the namespace is emptied again and again")

    async def call(self, namespace: bytes, call_id: UUID) -> Call | None:
        row = await self._row("read_call", namespace=namespace, call_id=call_id)
        return None if row is None else _call(row)

    async def call_with_clock(
        self, namespace: bytes, call_id: UUID
    ) -> tuple[VirtualClock, Call | None] | None:
        row = await self._row("read_call_with_clock", namespace=namespace, call_id=call_id)
        if row is None:
            return None
        clock, call = tuple(row)[:3], tuple(row)[3:]
        return VirtualClock(*clock), None if call[0] is None else _call(call)

    async def newest_call_id(self, namespace: bytes) -> UUID | None:
        row = await self._row("newest_call_id", namespace=namespace)
        return None if row is None else row[0]

    async def count_calls(self, namespace: bytes) -> int:
        [count] = await self._row("count_calls", namespace=namespace)
        return int(count)

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
        changed = await self._row(
            "complete_call",
            namespace=namespace,
            call_id=call_id,
            status=result.status,
            transcript=result.transcript,
            duration_seconds=result.duration_seconds,
            ended_at=ended_at,
            completed_by=completed_by,
            drop_plan=drop_plan,
        )
        return changed is not None

    async def drop_plan(self, namespace: bytes, call_id: UUID) -> None:
        await self._rows("drop_plan", namespace=namespace, call_id=call_id)

    async def move_clock(
        self, namespace: bytes, instant: float, *, wall_now: float, wakes: bool = True
    ) -> VirtualClock | None:
        async def move(connection: _Connection) -> VirtualClock | None:
            async with connection.transaction():
                row = await self._on(connection, "lock_namespace", {"namespace": namespace})
                if not row:
                    return None
                clock = VirtualClock(*row[0]).advanced_to(instant, wall_now=wall_now)
                moved = {"namespace": namespace, **asdict(clock)}
                await self._on(connection, "move_clock", moved)
                if wakes:
                    await self._on(connection, "move_wakes", moved, seconds=_LONG_STATEMENT_SECONDS)
                return clock

        return await self._run(move)

    async def claim_due(
        self, *, wall_now: float, lease_seconds: float, limit: int
    ) -> Sequence[Due]:
        rows = await self._rows(
            "claim_due", wall_now=wall_now, leased_until=wall_now + lease_seconds, limit=limit
        )
        return sorted((Due(*row) for row in rows), key=lambda due: due.due_at)

    async def claim_next(
        self, namespace: bytes, *, until: float, wall_now: float, lease_seconds: float
    ) -> Due | None:
        row = await self._row(
            "claim_next",
            namespace=namespace,
            until=until,
            wall_now=wall_now,
            leased_until=wall_now + lease_seconds,
        )
        return None if row is None else Due(*row)

    async def next_due_at(self, namespace: bytes) -> float | None:
        [instant] = await self._row("next_due_at", namespace=namespace)
        return None if instant is None else float(instant)

    async def next_wake_at(self) -> float | None:
        [instant] = await self._row("next_wake_at")
        return None if instant is None else float(instant)

    async def finish_delivery(
        self,
        due: Due,
        *,
        made: int,
        answer: int,
        next_due_at: float | None,
    ) -> None:
        await self._rows(
            "finish_delivery",
            namespace=due.namespace,
            call_id=due.call_id,
            made=made,
            answer=answer,
            due_at=next_due_at,
        )

    async def append_journal(
        self, segments: Sequence[JournalSegment], covered: Sequence[tuple[bytes, Covered]]
    ) -> None:
        counted = _arrays(Covered, [counts for _, counts in covered])
        counted["namespace"] = [namespace for namespace, _ in covered]

        async def append(connection: _Connection) -> None:
            async with connection.transaction():
                await self._on(connection, "append_journal", _arrays(JournalSegment, segments))
                await self._on(connection, "count_coverage", counted)

        await self._run(append)

    async def trim_journal(self, namespace: bytes, *, oldest: float, most: int) -> None:
        await self._rows("trim_journal", namespace=namespace, oldest=oldest, most=most)

    async def journal(self, namespace: bytes, *, after: str) -> Sequence[bytes]:
        rows = await self._rows("read_journal", namespace=namespace, after=after)
        return [row[0] for row in rows]

    async def newest_seq(self, namespace: bytes) -> str:
        [seq] = await self._row("newest_seq", namespace=namespace)
        return str(seq)

    async def coverage(self, namespace: bytes) -> Sequence[Covered]:
        rows = await self._rows("read_coverage", namespace=namespace)
        return [Covered(*row) for row in rows]

    async def _row(self, statement: str, **values: Any) -> Any:
        """The first row of a statement's result, or ``None``."""
        rows = await self._rows(statement, **values)
        return rows[0] if rows else None

    async def _rows(self, statement: str, **values: Any) -> list[Any]:
        """Runs a statement as a transaction of its own."""
        return await self._run(lambda connection: self._on(connection, statement, values))

    async def _on(
        self,
        connection: _Connection,
        statement: str,
        values: Mapping[str, Any],
        *,
        seconds: float | None = None,
    ) -> list[Any]:
        sql, names = self._statements[statement]
        rows: list[Any] = await connection.fetch(
            sql, *[values[name] for name in names], timeout=seconds
        )
        return rows

    async def _run(self, work: _Work[_T]) -> _T:
        """Does the work on a connection of the pool, again where it was undone by a conflict.

        Raises: `StorageUnavailable`.
        """
        for _ in range(_ATTEMPTS):
            if self._pool is None:
                raise StorageUnavailable("the store is closed")
            try:
                async with self._pool.acquire(timeout=_ACQUIRE_SECONDS) as connection:
                    return await work(connection)
            except _FAILURES as error:
                sqlstate = getattr(error, "sqlstate", None) or ""
                if sqlstate.startswith(_OUR_FAULT) or isinstance(error, asyncpg.DataError):
                    constraint = getattr(error, "constraint_name", None)
                    # Its own words may quote what people said.
                    raise RuntimeError(
                        f"PostgreSQL refused a value: {type(error).__name__} {constraint or ''}"
                    ) from None
                if sqlstate not in _UNDONE:
                    raise StorageUnavailable(_reason(error)) from error
        raise StorageUnavailable("other replicas changed the same rows again and again")


async def _leave_as_it_is(connection: _Connection) -> None:
    """No statement leaves anything behind, so none is needed to tidy a connection up."""


async def _migrate(connection: _Connection) -> None:
    """Brings the schema up to the newest version. Raises: `StoreError` where it is newer."""
    scripts = migrations("postgres")
    async with connection.transaction():
        # A replica that starts at the same time waits here.
        await connection.execute(
            "SELECT pg_advisory_xact_lock($1)", _MIGRATION_LOCK, timeout=_LONG_STATEMENT_SECONDS
        )
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS voice_sandbox_schema (version integer PRIMARY KEY)"
        )
        version = await connection.fetchval(
            "SELECT coalesce(max(version), 0) FROM voice_sandbox_schema"
        )
        if version > len(scripts):
            raise StoreError(f"it was written by a newer version of the sandbox (schema {version})")
        for number, script in enumerate(scripts[version:], version + 1):
            await connection.execute(script, timeout=_LONG_STATEMENT_SECONDS)
            await connection.execute(
                "INSERT INTO voice_sandbox_schema (version) VALUES ($1)", number
            )


def _positional(sql: str) -> tuple[str, Sequence[str]]:
    """A statement with ``$1`` for the first name in it, and the names in that order."""
    names: list[str] = []

    def number(match: re.Match[str]) -> str:
        if match[1] not in names:
            names.append(match[1])
        return f"${names.index(match[1]) + 1}"

    return re.sub(r"(?<![:\w]):([a-z_]+)", number, sql), names


def _arrays(kind: type[msgspec.Struct], rows: Sequence[Any]) -> dict[str, list[Any]]:
    """The rows' values field by field, as ``unnest`` takes them."""
    return {field: [getattr(row, field) for row in rows] for field in kind.__struct_fields__}


def _columns(call: Call) -> Mapping[str, Any]:
    result = call.result
    return {
        "call_id": call.call_id,
        "phone": call.phone,
        "agent": call.agent,
        "scenario": call.scenario,
        "created_at": call.created_at,
        "status": result and result.status,
        "transcript": result and result.transcript,
        "duration_seconds": result and result.duration_seconds,
        "ended_at": call.ended_at,
    }


def _call(row: Sequence[Any]) -> Call:
    status, transcript, duration_seconds = row[5:8]
    return Call(
        call_id=row[0],
        phone=row[1],
        agent=row[2],
        scenario=row[3],
        created_at=row[4],
        result=None if status is None else Result(status, transcript, duration_seconds),
        ended_at=row[8],
        completed_by=row[9],
        delivery_answers=tuple(row[10]),
    )


def _reason(error: BaseException) -> str:
    """What went wrong in one line, without the values that PostgreSQL quotes in its details."""
    if isinstance(error, TimeoutError):
        return "it does not answer in time"
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return str(error.args[0] if error.args else error).partition("\n")[0] or type(error).__name__


def _without_secrets(url: str) -> str:
    """The URL without user, password and options.

    Raises: `ValueError` where a character in the password may end it for one reader of URLs and
    not for another; what follows it would be shown as a host, and asked for in the DNS.
    """
    parts = urlsplit(url)
    try:
        is_clear = url.count("@") == parts.netloc.count("@") <= 1 and parts.port != 0
    except ValueError:  # the port is no number: most likely it is the password
        is_clear = False
    if not is_clear:
        raise ValueError(
            "It is not clear where the password in the database URL ends. Write "
            "postgresql://USER:PASSWORD@HOST:PORT/NAME, and elsewhere in it %40 for @, "
            "%3A for a colon, %2F for /, %3F for ? and %23 for #."
        )
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
