"""The armed faults of all keys: which one strikes a request.

Most operations read the clock of their key, and learn there whether a fault is armed. For those
that read nothing of their key this process knows which keys have one; it looks again so often that
whoever arms a fault waits a moment, and then every process knows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import inf
from typing import Final

import msgspec

from voice_sandbox.contract.model import Operation
from voice_sandbox.http.armed_faults import Fault
from voice_sandbox.store.protocol import ArmedFault, FaultStore, StorageUnavailable, Store

_FRESH_SECONDS: Final = 0.05
_KEYS_LIMIT: Final = 1000
"""Where more keys have armed faults, every key counts as one of them."""

_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(Fault)


class ArmedFaults:
    """Which faults strike."""

    def __init__(self, store: Store, *, monotonic: Callable[[], float]) -> None:
        self._store: FaultStore = store
        self._is_shared = store.is_shared
        self._monotonic = monotonic
        self._armed: frozenset[bytes] | None = frozenset()
        """The keys with armed faults; ``None`` where they are too many."""
        self._read_at = -inf
        self._reading = asyncio.Lock()

    async def strike(
        self, namespace: bytes, operation: Operation, phone: str | None
    ) -> Fault | None:
        """The fault that strikes a request now, and is counted."""
        armed = await self._store.strike_fault(namespace, operation.operation_id, phone=phone)
        return None if armed is None else decoded(armed)

    async def may_strike(self, namespace: bytes) -> bool:
        """Whether a key may have an armed fault, almost always without a look into the store."""
        if self._monotonic() - self._read_at > _FRESH_SECONDS:
            await self._read()
        return self._armed is None or namespace in self._armed

    async def settle(self) -> None:
        """Returns when every process knows which keys have armed faults by now."""
        self._read_at = -inf
        if self._is_shared:
            await asyncio.sleep(_FRESH_SECONDS)

    async def _read(self) -> None:
        async with self._reading:
            started = self._monotonic()
            if started - self._read_at <= _FRESH_SECONDS:
                return
            try:
                keys = await self._store.namespaces_with_faults(limit=_KEYS_LIMIT + 1)
            except StorageUnavailable:
                # What needs no store is served without one, and no fault could strike now.
                keys = ()
            self._armed = frozenset(keys) if len(keys) <= _KEYS_LIMIT else None
            self._read_at = started


def encoded(fault: Fault) -> str:
    """A fault as the store keeps it."""
    return _encoder.encode(fault).decode()


def decoded(armed: ArmedFault) -> Fault:
    """The fault that the store keeps."""
    return _decoder.decode(armed.fault)
