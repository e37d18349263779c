"""Removes namespaces that nobody has used for long.

A use is only remembered when it happens, and written down once a minute. Time is the running time
of the deployment: neither a wall clock that is set nor a stop ages a namespace.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from voice_sandbox.store.protocol import NamespaceStore, StorageUnavailable

logger = logging.getLogger("voice_sandbox")

SWEEP_SECONDS: Final = 60.0
_IDLE_LIMIT: Final = 500


class NamespaceExpiry:
    """Knows which namespaces are in use."""

    def __init__(
        self,
        store: NamespaceStore,
        *,
        idle_seconds: float,
        monotonic: Callable[[], float],
        open_namespace: Callable[[bytes], Awaitable[object]],
    ) -> None:
        """``open_namespace`` is for keys whose requests needed none: they go like the others."""
        self._store = store
        self._open_namespace = open_namespace
        self._idle_seconds = idle_seconds
        self._monotonic = monotonic
        self._uptime = 0.0
        """What the running time was when this process last saw it."""
        self._seen_at: float | None = None
        self._used: set[bytes] = set()

    def use(self, namespace: bytes) -> None:
        """Remembers that a request came for a namespace."""
        if namespace:
            self._used.add(namespace)

    async def run(self) -> None:
        """Sweeps now and every minute, until it is cancelled."""
        while True:
            try:
                await self.sweep()
            except StorageUnavailable as error:
                logger.error("storage unavailable, idle namespaces stay: %s", error)
            await asyncio.sleep(SWEEP_SECONDS)

    async def sweep(self) -> None:
        """Writes down what was used and removes what was not."""
        used, self._used = self._used, set()
        try:
            now = await self._moved_uptime()
            for namespace in await self._store.use_namespaces(used, at=now):
                await self._open_namespace(namespace)
        except StorageUnavailable:
            self._used |= used
            raise
        since = now - self._idle_seconds
        while idle := await self._store.idle_namespaces(since=since, limit=_IDLE_LIMIT):
            for namespace in idle:
                await self._store.delete_namespace(namespace, idle_since=since)
        await self._store.sweep()

    async def _moved_uptime(self) -> float:
        """The running time now. Of several processes that share it the furthest moves it."""
        now = self._monotonic()
        elapsed = 0.0 if self._seen_at is None else now - self._seen_at
        self._uptime = await self._store.move_uptime(self._uptime + elapsed)
        self._seen_at = now
        return self._uptime
