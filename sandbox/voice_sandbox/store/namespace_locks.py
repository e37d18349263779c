"""One lock for each namespace in this process, and the size of a piece of its work.

Who needs a namespace for itself waits here, and not on a connection of the database. Work on every
row of a namespace goes in pieces, so that no other request waits for all of it.
"""

from __future__ import annotations

import asyncio
from typing import Final
from weakref import WeakValueDictionary

PIECE_ROWS: Final = 250
"""About 2 ms of work in SQLite."""


class NamespaceLocks:
    """``locks[namespace]`` is the same lock for all who hold it or wait for it."""

    def __init__(self) -> None:
        self._locks = WeakValueDictionary[bytes, asyncio.Lock]()

    def __getitem__(self, namespace: bytes) -> asyncio.Lock:
        lock = self._locks.get(namespace)
        if lock is None:
            lock = self._locks[namespace] = asyncio.Lock()
        return lock
