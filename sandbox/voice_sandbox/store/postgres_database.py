"""A PostgreSQL database: connections, statements by name, and what becomes of their failures.

A statement waits for seconds at most: a database that hangs is one that is away. What a failure
says is passed on without the values that it quotes, and the URL without its secrets.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import asyncpg  # type: ignore[import-untyped]

from voice_sandbox.store.protocol import DatabaseAway, StorageUnavailable, StoreError
from voice_sandbox.store.sql_files import Migration, Statement, check_digests

_MIGRATION_SECONDS: Final = 60.0
"""For migrations."""

_CONNECTIONS: Final = 10
# Together less than the five seconds that HTTP clients wait for a response.
_CONNECT_SECONDS: Final = 2.0
_ACQUIRE_SECONDS: Final = 2.0
_STATEMENT_SECONDS: Final = 2.5
_ATTEMPTS: Final = 5

_SETTINGS: Final = {
    "application_name": "voice-sandbox",
    "default_transaction_isolation": "read committed",
    # A replica that hangs in the middle of a transaction must not hold the others up.
    "idle_in_transaction_session_timeout": "10s",
    # Every statement finds its rows by an index, so that one plan serves for good: one that was
    # made while the tables were empty must not read them whole when they have grown.
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "jit": "off",
}
_MIGRATION_LOCK: Final = int.from_bytes(b"voicebox")

# https://www.postgresql.org/docs/current/errcodes-appendix.html
_UNDONE: Final = frozenset({"40001", "40P01"})
"""Serialization failure and deadlock: nothing was changed, so try again."""
_OUR_FAULT: Final = ("22", "23")
"""Classes of values that the schema rejects: no wait fixes them."""
_AWAY: Final = frozenset({"08", "25", "53", "57", "58"})
"""Classes of failures of the database itself: no connection, read-only, full, shut down."""
_FAILURES: Final = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,  # TimeoutError is one
)

_Connection = Any  # asyncpg hands out a proxy that has the methods of its Connection
_T = TypeVar("_T")


class Transaction:
    """One transaction, from the first statement to the end of the work that runs in it."""

    def __init__(self, connection: _Connection, statements: Mapping[str, Statement]) -> None:
        self._connection = connection
        self._statements = statements

    async def rows(self, statement: str, **values: Any) -> list[Any]:
        """Runs a statement by name."""
        sql = self._statements[statement]
        rows: list[Any] = await self._connection.fetch(sql.sql, *sql.ordered(values))
        return rows

    async def row(self, statement: str, **values: Any) -> Any:
        """The first row of a statement's result, or ``None``."""
        rows = await self.rows(statement, **values)
        return rows[0] if rows else None


class Database:
    """The database of a URL such as ``postgresql://user:password@host:port/name``."""

    def __init__(self, url: str, statements: Mapping[str, Statement]) -> None:
        """Raises: `ValueError` where it is not clear which part of the URL is the password."""
        self._shown = _without_secrets(url)
        self._url = url
        self.statements = statements
        self._pool: asyncpg.Pool | None = None

    async def open(self, scripts: Sequence[Migration]) -> None:
        """Connects and runs the scripts that it has not seen yet. Raises: `StoreError`."""
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
                await _migrate(connection, scripts)
        except (*_FAILURES, StoreError) as error:
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

    async def rows(self, statement: str, **values: Any) -> list[Any]:
        """Runs a statement by name as a transaction of its own. Raises: `StorageUnavailable`."""
        return await self._run(
            lambda connection: Transaction(connection, self.statements).rows(statement, **values)
        )

    async def row(self, statement: str, **values: Any) -> Any:
        """The first row of a statement's result, or ``None``."""
        rows = await self.rows(statement, **values)
        return rows[0] if rows else None

    async def columns(self, statement: str, batch: Sequence[Mapping[str, Any]]) -> list[Any]:
        """Runs a statement whose values are arrays, one element for each of the batch."""
        names = self.statements[statement].names
        return await self.rows(
            statement, **{name: [values[name] for values in batch] for name in names}
        )

    async def transaction(self, work: Callable[[Transaction], Awaitable[_T]]) -> _T:
        """Does the work in one transaction. Raises: `StorageUnavailable`."""

        async def within(connection: _Connection) -> _T:
            async with connection.transaction():
                return await work(Transaction(connection, self.statements))

        return await self._run(within)

    async def _run(self, work: Callable[[_Connection], Awaitable[_T]]) -> _T:
        """Does the work on a connection of the pool, again where it was undone by a conflict."""
        for _ in range(_ATTEMPTS):
            if self._pool is None:
                raise DatabaseAway("the store is closed")
            try:
                async with self._pool.acquire(timeout=_ACQUIRE_SECONDS) as connection:
                    try:
                        return await work(connection)
                    except TimeoutError:
                        connection.terminate()  # what hangs does not hear either that it may stop
                        raise
            except _FAILURES as error:
                sqlstate = getattr(error, "sqlstate", None) or ""
                if sqlstate.startswith(_OUR_FAULT) or isinstance(error, asyncpg.DataError):
                    constraint = getattr(error, "constraint_name", None)
                    # Its own words may quote what people said.
                    raise RuntimeError(
                        f"PostgreSQL rejected a value: {type(error).__name__} {constraint or ''}"
                    ) from None
                if sqlstate not in _UNDONE:
                    is_away = sqlstate[:2] in _AWAY or not sqlstate
                    kind = DatabaseAway if is_away else StorageUnavailable
                    raise kind(_reason(error)) from error
        raise StorageUnavailable("other replicas changed the same rows again and again")


async def _leave_as_it_is(connection: _Connection) -> None:
    """No statement leaves anything behind, so none is needed to tidy a connection up."""


async def _migrate(connection: _Connection, scripts: Sequence[Migration]) -> None:
    """Brings the schema up to the newest version. Raises: `StoreError` where it is newer."""
    async with connection.transaction():
        # A replica that starts at the same time waits here.
        await connection.execute(
            "SELECT pg_advisory_xact_lock($1)", _MIGRATION_LOCK, timeout=_MIGRATION_SECONDS
        )
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS voice_sandbox_schema (version integer PRIMARY KEY)"
        )
        await connection.execute(
            "ALTER TABLE voice_sandbox_schema ADD COLUMN IF NOT EXISTS digest text"
        )
        version = await connection.fetchval(
            "SELECT coalesce(max(version), 0) FROM voice_sandbox_schema"
        )
        if version > len(scripts):
            raise StoreError(f"it was written by a newer version of the sandbox (schema {version})")
        check_digests(
            scripts,
            dict(await connection.fetch("SELECT version, digest FROM voice_sandbox_schema")),
        )
        for script in scripts[version:]:
            await connection.execute(script.sql, timeout=_MIGRATION_SECONDS)
        await connection.executemany(
            "INSERT INTO voice_sandbox_schema (version, digest) VALUES ($1, $2) "
            "ON CONFLICT (version) DO UPDATE SET digest = excluded.digest",
            [(number, script.digest) for number, script in enumerate(scripts, 1)],
        )


def _reason(error: BaseException) -> str:
    """What went wrong in one line, without the values that PostgreSQL quotes in its details."""
    if isinstance(error, TimeoutError):
        return "it does not respond in time"
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
