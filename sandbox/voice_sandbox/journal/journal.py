"""Keeps the exchanges of each key, redacted and bounded, so that a test can see what was sent.

An exchange is only remembered when it ends; a moment later it is written down together with
others, so that it costs the request next to nothing. Reading writes down first.
Another process on the same database sees what this one remembers at most a second later.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from itertools import accumulate, islice
from typing import Any, Final
from urllib.parse import unquote_plus

import msgspec
import orjson

from voice_sandbox import clock
from voice_sandbox.calls.scenarios import Scenarios
from voice_sandbox.clock import Wall
from voice_sandbox.http.exchange import Exchange
from voice_sandbox.journal import entry as entries
from voice_sandbox.journal.entry import JournalEntry
from voice_sandbox.store.protocol import Covered, JournalSegment, JournalStore, StorageUnavailable

logger = logging.getLogger("voice_sandbox")

MOST_EXCHANGES: Final = 1000
OLDEST_SECONDS: Final = clock.DAY_SECONDS
LATEST: Final = "~"
"""A `seq` after every other."""

_WRITE_SECONDS: Final = 1.0
_FOLLOWED_WRITE_SECONDS: Final = 0.1
_MOST_REMEMBERED_BYTES: Final = 8 * 1024 * 1024
_MOST_UNWRITTEN_BYTES: Final = 64 * 1024 * 1024
"""What waits, of all keys, for a database that cannot be written just now."""
_SEGMENT: Final = 50
_HEARTBEAT_SECONDS: Final = 15.0
_SETTLED_SECONDS: Final = 5.0
"""After this time no process writes down an earlier exchange any more."""


class Search(msgspec.Struct, frozen=True):
    """What to look for; ``None`` matches everything. ``before`` is the `seq` of a later entry."""

    before: str = LATEST
    limit: int = MOST_EXCHANGES
    operation_id: str | None = None
    status_from: int | None = None
    status_to: int | None = None
    call_id: str | None = None
    since: float | None = None
    until: float | None = None
    text: str | None = None

    def matches(self, entry: JournalEntry) -> bool:
        """Whether everything fits but ``text``, which is looked for in what is shown."""
        return (
            entry.seq < self.before
            and self.operation_id in (None, entry.operation_id)
            and (self.status_from is None or entry.status >= self.status_from)
            and (self.status_to is None or entry.status <= self.status_to)
            and self.call_id in (None, entry.call_id)
            and (self.since is None or entry.started_at >= self.since)
            and (self.until is None or entry.started_at < self.until)
        )


class Journal:
    """The exchanges of all keys; each key sees its own."""

    def __init__(
        self, store: JournalStore, scenarios: Scenarios, *, wall: Wall, limit: int = MOST_EXCHANGES
    ) -> None:
        """``most`` is how many exchanges a key keeps."""
        self._store = store
        self._scenarios = scenarios
        self._wall = wall
        self.limit = limit
        self._remembered: dict[bytes, deque[bytes]] = {}
        self._remembered_bytes = 0
        self._unwritten: list[JournalSegment] = []
        self._counts: Counter[tuple[bytes, str, int, str, str]] = Counter()
        self._written: Counter[bytes] = Counter()
        self._followers = 0
        self.begin()

    def begin(self) -> None:
        """Starts anew after an `end`: an application may run again, in another event loop."""
        self._writing = asyncio.Lock()
        self._full = asyncio.Event()
        self._news = asyncio.Event()
        self._ended = False

    @property
    def backlog(self) -> int:
        """How many exchanges are remembered and not written down yet."""
        unwritten = sum(segment.exchanges for segment in self._unwritten)
        return unwritten + sum(map(len, self._remembered.values()))

    def record(self, exchange: Exchange) -> None:
        """Remembers an exchange. One without a key belongs to nobody and is not kept."""
        namespace = exchange.namespace
        if not namespace:
            return
        remembered = self._remembered.get(namespace)
        if remembered is None:
            remembered = self._remembered[namespace] = deque(maxlen=self.limit)
        packed = entries.remember(clock.new_seq(), exchange)
        self._remembered_bytes += len(packed)
        if len(remembered) == self.limit:  # the oldest one makes room
            self._remembered_bytes -= len(remembered[0])
        remembered.append(packed)
        if self._remembered_bytes > _MOST_REMEMBERED_BYTES:
            self._full.set()
        if exchange.operation_id is not None:
            self._counts[
                namespace,
                exchange.operation_id,
                exchange.status,
                exchange.code or "",
                exchange.scenario or "",
            ] += 1

    async def run(self) -> None:
        """Writes down what is remembered, again and again, until it is cancelled."""
        while True:
            await _passes(
                self._full, _FOLLOWED_WRITE_SECONDS if self._followers else _WRITE_SECONDS
            )
            try:
                await self.write()
            except StorageUnavailable as error:
                logger.error("storage unavailable, the journal waits: %s", error)
                await asyncio.sleep(_WRITE_SECONDS)
            except Exception as error:
                logger.error("exchanges are missing from the journal", exc_info=error)

    async def write(self) -> None:
        """Writes down everything that is remembered so far."""
        async with self._writing:
            if not self._remembered and not self._unwritten:
                return
            await self._pack()
            segments, self._unwritten = self._unwritten, []
            counts, self._counts = self._counts, Counter()
            try:
                await self._store.append_journal(
                    segments,
                    [(key[0], Covered(*key[1:], exchanges=n)) for key, n in counts.items()],
                )
            except StorageUnavailable:
                self._unwritten = _newest(segments, _MOST_UNWRITTEN_BYTES)
                self._counts += counts
                raise
            for segment in segments:
                self._written[segment.namespace] += segment.exchanges
            await self._trim()
        self._news.set()
        self._news = asyncio.Event()

    async def search(self, namespace: bytes, search: Search) -> list[dict[str, Any]]:
        """Exchanges that match, the newest first."""
        return list(islice(self._found(await self._entries(namespace), search), search.limit))

    async def exchange(self, namespace: bytes, request_id: str) -> dict[str, Any] | None:
        """One exchange with headers and bodies."""
        for entry in await self._entries(namespace):
            if entry.request_id == request_id:
                return entry.shown(self._scenarios)
        return None

    async def coverage(self, namespace: bytes) -> list[Covered]:
        """How often each answer was met."""
        await self.write()
        return list(await self._store.coverage(namespace))

    async def follow(
        self, namespace: bytes, search: Search, *, after: str | None
    ) -> AsyncIterator[bytes]:
        """Server-sent events, one an exchange, from now on or from the event ``after`` on.

        Nothing is queued for a slow reader: each batch is read when the last one was taken.
        """
        self._followers += 1
        try:
            await self.write()
            start = after if after is not None else await self._store.newest_seq(namespace)
            yield f"id: {start or '0' * 32}\nevent: ready\ndata: {{}}\n\n".encode()
            cursor, told = start, set[str]()
            quiet_seconds = 0.0
            while not self._ended:
                news = self._news
                # Another process may write down a little later what ended a little earlier.
                settled = clock.seq_before(cursor, _SETTLED_SECONDS)
                try:
                    segments = await self._store.journal(namespace, after=settled)
                except StorageUnavailable:
                    segments = []  # so does the stream wait
                fresh = [
                    entry
                    for entry in _in_order(segments)
                    if entry.seq > start and entry.seq not in told
                ]
                for entry in fresh:
                    told.add(entry.seq)
                    cursor = max(cursor, entry.seq)
                quiet_seconds += _WRITE_SECONDS
                for shown in self._found(fresh, search):
                    quiet_seconds = 0.0
                    yield b"id: %b\nevent: exchange\ndata: %b\n\n" % (
                        shown["seq"].encode(),
                        _one_line(shown),
                    )
                told = {seq for seq in told if seq > settled}
                if quiet_seconds >= _HEARTBEAT_SECONDS:
                    quiet_seconds = 0.0
                    yield b": still here\n\n"
                await _passes(news, _WRITE_SECONDS)
        finally:
            self._followers -= 1

    async def forget(self, namespace: bytes) -> None:
        """Drops what is remembered of a namespace and not written down yet."""
        async with self._writing:
            self._remembered.pop(namespace, None)
            self._unwritten = [s for s in self._unwritten if s.namespace != namespace]
            for key in [key for key in self._counts if key[0] == namespace]:
                del self._counts[key]

    def end(self) -> None:
        """Ends all streams, so that a server can stop."""
        self._ended = True
        self._news.set()

    async def _entries(self, namespace: bytes) -> Iterator[JournalEntry]:
        """What the namespace keeps, the newest first."""
        await self.write()
        oldest = self._wall() - OLDEST_SECONDS
        kept = reversed(_in_order(await self._store.journal(namespace, after="")))
        return (entry for entry in islice(kept, self.limit) if entry.started_at >= oldest)

    def _found(self, kept: Iterable[JournalEntry], search: Search) -> Iterator[dict[str, Any]]:
        """What matches, as it is shown."""
        text = None if search.text is None else search.text.casefold()
        for entry in kept:
            if search.matches(entry):
                shown = entry.shown(self._scenarios)
                if text is None or text in _words(shown):
                    yield shown

    async def _pack(self) -> None:
        """Makes segments of what is remembered, a few at a time: requests go on in between."""
        remembered, self._remembered = self._remembered, {}
        self._remembered_bytes = 0
        self._full.clear()
        try:
            for namespace, waiting in remembered.items():
                while waiting:
                    part = list(islice(waiting, _SEGMENT))
                    self._unwritten.append(_segment(namespace, part))
                    for _ in part:
                        waiting.popleft()
                    await asyncio.sleep(0)
        finally:  # where this was cancelled the rest is remembered on
            for namespace, waiting in remembered.items():
                if waiting:
                    waiting.extend(self._remembered.get(namespace, ()))
                    self._remembered[namespace] = waiting

    async def _trim(self) -> None:
        """Drops what is too much or too old, once for a tenth of what a namespace may keep."""
        for namespace, written in list(self._written.items()):
            if written * 10 >= self.limit:
                del self._written[namespace]
                await self._store.trim_journal(
                    namespace, oldest=self._wall() - OLDEST_SECONDS, limit=self.limit
                )


def _segment(namespace: bytes, remembered: Iterable[bytes]) -> JournalSegment:
    kept = list(map(entries.keep, remembered))
    return JournalSegment(
        namespace=namespace,
        last_seq=kept[-1].seq,
        newest_at=kept[-1].started_at,
        exchanges=len(kept),
        entries=entries.pack(kept),
    )


def _newest(segments: list[JournalSegment], most_bytes: int) -> list[JournalSegment]:
    """As many of the last segments as fit."""
    sizes = accumulate(len(segment.entries) for segment in reversed(segments))
    fitting = sum(1 for size in sizes if size <= most_bytes)
    return segments[len(segments) - fitting :]


def _in_order(segments: Sequence[bytes]) -> list[JournalEntry]:
    """Segments of several processes overlap."""
    kept = [entry for segment in segments for entry in entries.unpack(segment)]
    kept.sort(key=lambda entry: entry.seq)
    return kept


def _words(shown: dict[str, Any]) -> str:
    """All that a person reads of an exchange, in the form that ignores case."""
    words = [str(value) for value in shown.values() if isinstance(value, str | int)]
    words.append(unquote_plus(shown["path"]))
    for message in (shown["request"], shown["response"]):
        words += [f"{name}: {value}" for name, value in message["headers"]]
        words.append(message["body"])
    return "\n".join(words).casefold()


def _one_line(shown: dict[str, Any]) -> bytes:
    """JSON without the separators at which readers of lines split although JSON allows them."""
    line = orjson.dumps(shown)
    for separator in ("\x85", "\u2028", "\u2029"):
        line = line.replace(separator.encode(), f"\\u{ord(separator):04x}".encode())
    return line


async def _passes(event: asyncio.Event, seconds: float) -> None:
    """Waits for the event, but not longer than so many seconds."""
    # Not wait_for: on Python 3.11 it loses a cancellation that comes with the event.
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass
