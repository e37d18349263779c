"""State behind one protocol; ``open_store`` chooses the implementation by URL.

Owns the SQL, its migrations, and both engines. Knows no problem and no status of HTTP: what it
cannot do now raises `voice_sandbox.store.protocol.StorageUnavailable`. Imports ``calls`` and
``clock``. ``http`` and everything above it may import it, but for ``site`` and ``verification``.
"""

from __future__ import annotations

import re
from typing import Final

from voice_sandbox.installation import how_to_install
from voice_sandbox.store.protocol import Store
from voice_sandbox.store.sqlite import SQLiteStore

__all__ = ["open_store"]


_SQLITE: Final = re.compile(r"/(?P<path>[^?]+)(\?synchronous=(?P<synchronous>normal|full))?")


def open_store(url: str) -> Store:
    """The store of a database URL.

    Such as ``sqlite:///calls.db``, ``sqlite:///calls.db?synchronous=full``, ``sqlite:///:memory:``
    or ``postgresql://user@host/name``.

    Raises: `ValueError` for any other kind of URL or where its driver is not installed,
    `voice_sandbox.store.protocol.StoreError` when the database cannot be opened.
    """
    scheme, _, rest = url.partition("://")
    if scheme == "sqlite" and (match := _SQLITE.fullmatch(rest)):
        return SQLiteStore(match["path"], synchronous=(match["synchronous"] or "normal").upper())
    if scheme in {"postgresql", "postgres"}:
        return _postgres(url)
    shown = re.sub(r"://.*@", "://…@", url, flags=re.DOTALL)
    raise ValueError(
        f"The database {shown!r} is not understood. Use sqlite:///FILE, where an absolute path "
        "gives four slashes in a row and ?synchronous=full makes it outlive a loss of power, "
        "sqlite:///:memory: to keep nothing, or "
        "postgresql://USER:PASSWORD@HOST:PORT/NAME."
    )


def _postgres(url: str) -> Store:
    try:
        # Not above: whoever keeps calls in SQLite needs no driver, and starts without it.
        from voice_sandbox.store.postgres import PostgresStore
    except ModuleNotFoundError as error:
        if error.name != "asyncpg":
            raise
        raise ValueError(
            "PostgreSQL needs the driver asyncpg, which is not installed. "
            + how_to_install("postgres")
        ) from error
    return PostgresStore(url)
