"""The new exchanges of one key, read and redacted once for all who follow them.

Followers share a short list of events. Whoever reads more slowly than events come falls off its
end, and reads on from the store: nothing is queued for a slow reader.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Container, Iterable
from itertools import chain
from typing import Any, Final

import orjson

from voice_sandbox import clock
from voice_sandbox.journal.entry import JournalEntry, decode_entries
from voice_sandbox.store.protocol import JournalStore, StorageUnavailable

logger = logging.getLogger("voice_sandbox")

BEFORE_ALL: Final = -1
"""A position before every event."""

_EVENTS_LIMIT: Final = 100
_POLL_SECONDS: Final = 1.0
SETTLED_SECONDS: Final = 5.0
"""After this time no process writes down an earlier exchange any more."""


class Event:
    """An exchange as a server-sent event."""

    def __init__(self, entry: JournalEntry, public: Container[str]) -> None:
        self.entry = entry
        self.shown = entry.shown(public)
        self.data = b"id: %b\nevent: exchange\ndata: %b\n\n" % (
            entry.seq.encode(),
            _one_line(self.shown),
        )


class Signal:
    """Wakes all who wait for its event; whoever comes later waits for the next one."""

    def __init__(self) -> None:
        self.event = asyncio.Event()

    def notify(self) -> None:
        self.event.set()
        self.event = asyncio.Event()


class Feed:
    """The newest events of a namespace, in the order in which they were read."""

    def __init__(self, store: JournalStore, namespace: bytes, public: Container[str]) -> None:
        self._store = store
        self._namespace = namespace
        self._public = public
        self._known: set[str] = set()
        """The last `seq` of each segment that was read and could be read again."""
        self._events: deque[Event] = deque(maxlen=_EVENTS_LIMIT)
        self._reader: asyncio.Task[None] | None = None
        self.newest = ""
        """The newest `seq` that was read."""
        self.end = 0
        """How many events there have been."""
        self.followers = 0
        self.opened = asyncio.Event()
        self.changed = Signal()

    def start(self, written: Signal) -> None:
        """Reads what the store gets from now on: at once when told, else once a second."""
        self._reader = asyncio.create_task(self._run(written), name="journal feed")

    def stop(self) -> None:
        if self._reader is not None:
            self._reader.cancel()

    async def since(self, position: int, cursor: str) -> tuple[list[Event], int]:
        """The events from a position on, and the position behind them.

        Where the first of them are gone, what the store has after the `seq` ``cursor``.
        """
        end, first = self.end, self.end - len(self._events)
        if position >= first:
            return list(self._events)[position - first :], end
        try:
            entries = await self._written(cursor)
        except StorageUnavailable:
            return [], position  # the stream waits with the store
        return [Event(entry, self._public) for entry in entries], end

    async def _run(self, written: Signal) -> None:
        while True:
            event = written.event
            try:
                await (self._read() if self.opened.is_set() else self._open())
            except StorageUnavailable as error:
                logger.error("storage unavailable, the live journal waits: %s", error)
            except Exception as error:
                logger.error("exchanges are missing from the live journal", exc_info=error)
            await wait(event, _POLL_SECONDS)

    async def _open(self) -> None:
        self.newest = await self._store.newest_seq(self._namespace)
        await self._fresh()
        self.opened.set()

    async def _read(self) -> None:
        for entry in await self._fresh():
            self._events.append(Event(entry, self._public))
            self.newest = max(self.newest, entry.seq)
            self.end += 1
            self.changed.notify()
            await asyncio.sleep(0)

    async def _fresh(self) -> list[JournalEntry]:
        """What was written and not read before, each segment once."""
        settled = settled_before(self.newest)
        self._known = {seq for seq in self._known if seq > settled}
        segments = [
            decode_entries(segment)
            for segment in await self._store.journal(
                self._namespace, after=settled, without=self._known
            )
        ]
        self._known.update(entries[-1].seq for entries in segments)
        return sorted(chain.from_iterable(segments), key=lambda entry: entry.seq)

    async def _written(self, seq: str) -> list[JournalEntry]:
        """What was written after an entry, or just before: another process may be late."""
        segments = await self._store.journal(self._namespace, after=settled_before(seq))
        return await in_order(segments)


def settled_before(seq: str) -> str:
    """A `seq` before which no process writes any more once ``seq`` has been written."""
    return clock.seq_before(seq, SETTLED_SECONDS)


async def in_order(segments: Iterable[bytes]) -> list[JournalEntry]:
    """The entries of segments, which overlap where several processes wrote them."""
    entries: list[JournalEntry] = []
    for segment in segments:
        entries += decode_entries(segment)
        await asyncio.sleep(0)
    entries.sort(key=lambda entry: entry.seq)
    return entries


async def wait(event: asyncio.Event, seconds: float) -> None:
    """Waits for the event, but not longer than so many seconds."""
    # Not wait_for: on Python 3.11 it loses a cancellation that comes with the event.
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass


def _one_line(shown: dict[str, Any]) -> bytes:
    """JSON without the separators at which readers of lines split although JSON allows them."""
    line = orjson.dumps(shown)
    for separator in ("\x85", "\u2028", "\u2029"):
        line = line.replace(separator.encode(), f"\\u{ord(separator):04x}".encode())
    return line
