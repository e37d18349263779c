"""Lets what is written in one turn of the event loop leave together.

A client that sleeps must be woken for what arrives, and that costs many times what a write costs.
Where several responses are ready in one turn, their writes follow each other so closely that a
client which waits for them all is woken once, and head and body of a response are one write anyway.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

_HELD_BYTES_LIMIT: Final = 64 * 1024
"""A transport that holds more sends it, so that a writer is told in time to wait for a reader."""


class WriteCoalescer:
    """The transports of one server that have something to send in this turn."""

    def __init__(self) -> None:
        self._waiting: list[CoalescingTransport] = []

    def add(self, transport: CoalescingTransport) -> None:
        """Sends what the transport holds when the turn has ended."""
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._send)
        self._waiting.append(transport)

    def _send(self) -> None:
        waiting, self._waiting = self._waiting, []
        for transport in waiting:
            transport.send()


class CoalescingTransport(asyncio.Transport):
    """A transport that holds back what is written until the turn has ended."""

    def __init__(self, transport: asyncio.Transport, coalescer: WriteCoalescer) -> None:
        super().__init__()
        self._transport = transport
        self._coalescer = coalescer
        self._held: list[bytes] = []
        self._held_bytes = 0

    def write(self, data: Any) -> None:
        if not self._held:
            self._coalescer.add(self)
        self._held.append(data)
        self._held_bytes += len(data)
        if self._held_bytes > _HELD_BYTES_LIMIT:
            self.send()

    def send(self) -> None:
        """Sends what is held."""
        if self._held:
            held, self._held, self._held_bytes = self._held, [], 0
            self._transport.write(b"".join(held))

    def write_eof(self) -> None:
        self.send()
        self._transport.write_eof()

    def close(self) -> None:
        self.send()
        self._transport.close()

    def abort(self) -> None:
        self._transport.abort()

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._transport.get_extra_info(name, default)

    def pause_reading(self) -> None:
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._transport.resume_reading()
