"""A connection to one SQLite file: its settings, its write-ahead log, and its schema.

What another process holds is waited for without blocking the event loop. A file of another program
or of a schema that this version does not know is rejected. A new file is for its owner alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from voice_sandbox.clock import monotonic
from voice_sandbox.store.protocol import StorageUnavailable, StoreError
from voice_sandbox.store.sql_files import check_digests, migrations

BUSY_SECONDS: Final = 5.0
"""How long this process waits for another one that writes."""
BUSY_PAUSE_SECONDS: Final = 0.002
_LONGEST_LOG_PAGES: Final = 16_000
"""The writer itself moves a longer log into the file, and waits for that."""
_APPLICATION_ID: Final = int.from_bytes(b"voic")
"""Tells our files from those of other programs (``PRAGMA application_id``)."""


async def connect(path: str, *, synchronous: str) -> sqlite3.Connection:
    """Opens a file and migrates its schema. Raises: `StoreError`."""
    try:
        _create(path)
        db = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
        await _enable_log(db)
        db.execute(f"PRAGMA synchronous = {synchronous}")
        db.execute(f"PRAGMA wal_autocheckpoint = {_LONGEST_LOG_PAGES}")
        _migrate(db)
    except (sqlite3.Error, OSError, StoreError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise StoreError(
            f"The database {path} cannot be used: {reason}. Check that it is a file of "
            "this sandbox in a folder that you may write to, or name another by --database."
        ) from error
    db.row_factory = sqlite3.Row
    return db


def try_begin(db: sqlite3.Connection) -> bool:
    """Opens a transaction that writes, unless another process writes now.

    Raises: `StorageUnavailable`.
    """
    try:
        db.execute("PRAGMA busy_timeout = 0")
        db.execute("BEGIN IMMEDIATE")
    except sqlite3.Error as error:
        if _is_busy(error):
            return False
        raise StorageUnavailable(str(error)) from error
    finally:
        # A reader waits only for a process that recovers the log after a crash.
        db.execute(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")
    return True


def move_log(path: str) -> None:
    """Moves the write-ahead log into the file, from a thread, without making a writer wait."""
    if path == ":memory:":
        return
    existing = Path(path).as_uri() + "?mode=rw"  # a file that was deleted is not made again
    with contextlib.closing(sqlite3.connect(existing, timeout=0, uri=True)) as db:
        db.execute("PRAGMA wal_checkpoint(PASSIVE)")


def file_identity(path: Path) -> tuple[int, int] | None:
    """Device and inode of the file under a path now; ``None`` where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _create(path: str) -> None:
    """Creates a file that is not there yet. SQLite gives its log the same permissions."""
    if path == ":memory:":
        return
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


async def _enable_log(db: sqlite3.Connection) -> None:
    """Enables WAL. SQLite itself does not wait where several processes do so on a new file."""
    give_up_at = monotonic() + BUSY_SECONDS
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
        except sqlite3.Error as error:
            if not _is_busy(error) or monotonic() > give_up_at:
                raise
            await asyncio.sleep(BUSY_PAUSE_SECONDS)
        else:
            return


def _is_busy(error: sqlite3.Error) -> bool:
    return error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY


def _migrate(db: sqlite3.Connection) -> None:
    """Brings the schema up to the newest version; ``user_version`` counts the applied scripts."""
    scripts = migrations("sqlite")
    with db:
        db.execute("BEGIN IMMEDIATE")  # a process that starts at the same time waits here
        [owner] = db.execute("PRAGMA application_id").fetchone()
        [tables] = db.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        if owner != _APPLICATION_ID and tables:
            raise StoreError("it belongs to another program")
        db.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        [version] = db.execute("PRAGMA user_version").fetchone()
        if version > len(scripts):
            raise StoreError(f"it was written by a newer version of the sandbox (schema {version})")
        db.execute(
            "CREATE TABLE IF NOT EXISTS schema_scripts "
            "(version INTEGER NOT NULL PRIMARY KEY, digest TEXT NOT NULL) STRICT"
        )
        check_digests(scripts, dict(db.execute("SELECT version, digest FROM schema_scripts")))
        for script in scripts[version:]:
            for statement in _statements(script.sql):
                db.execute(statement)
        db.executemany(
            "INSERT INTO schema_scripts VALUES (?, ?) ON CONFLICT DO NOTHING",
            [(number, script.digest) for number, script in enumerate(scripts, 1)],
        )
        db.execute(f"PRAGMA user_version = {len(scripts)}")


def _statements(script: str) -> Iterator[str]:
    """The statements of a script one by one: ``executescript`` would commit before it."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
