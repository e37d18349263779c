"""Keeps the exchanges of each key, redacted and limited, so that a test can see what was sent.

An exchange only waits in memory when it ends; a moment later it is written together with others,
so that it costs the request next to nothing. Reading writes first.
Another process on the same database sees what this one holds in memory at most a second later.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Callable,
    Container,
    Iterable,
    Iterator,
    Mapping,
)
from contextlib import asynccontextmanager
from itertools import accumulate, islice
from typing import Any, Final

import orjson
from msgspec import structs

from voice_sandbox import clock
from voice_sandbox.clock import Wall
from voice_sandbox.http.armed_faults import was_received
from voice_sandbox.http.exchange import Exchange
from voice_sandbox.journal.entry import (
    JournalEntry,
    decode_entries,
    encode_entries,
    encode_exchange,
    entries_of,
)
from voice_sandbox.journal.feed import (
    BEFORE_ALL,
    SETTLED_SECONDS,
    Feed,
    Signal,
    settled_before,
    wait,
)
from voice_sandbox.journal.kept_entries import Place, entries_at, places
from voice_sandbox.journal.search import EXCHANGES_LIMIT, Search
from voice_sandbox.store.protocol import Covered, JournalSegment, JournalStore, StorageUnavailable

logger = logging.getLogger("voice_sandbox")

RETENTION_SECONDS: Final = clock.DAY_SECONDS

_WRITE_SECONDS: Final = 1.0
_FOLLOWED_WRITE_SECONDS: Final = 0.1
_PENDING_BYTES_LIMIT: Final = 8 * 1024 * 1024
_UNWRITTEN_BYTES_LIMIT: Final = 64 * 1024 * 1024
"""What waits, of all keys, for a database that cannot be written just now."""
_SEGMENT: Final = 50
_HEARTBEAT_SECONDS: Final = 15.0
_PACKED_BYTES: Final = 16 * 1024
"""Of exchanges that are packed before other requests have their turn: some milliseconds."""
_READ_FOR_A_REQUEST: Final = 5
"""Exchanges that cost as much to read as a request to serve."""

_FUTURE: Final = (
    "The Last-Event-ID lies in the future: no event has it yet. This stream goes on from now on."
)


_Response = tuple[str, int, str | None, str | None]
_Counted = tuple[str, bytes, _Response, int]
"""The `seq` of an exchange, its namespace, its response, and how many there were up to it."""


class Journal:
    """The exchanges of all keys; each key sees its own."""

    def __init__(
        self,
        store: JournalStore,
        public: Container[str],
        *,
        wall: Wall,
        limit: int = EXCHANGES_LIMIT,
        charge: Callable[[bytes, int], None] | None = None,
        accepts: Callable[[bytes], bool] | None = None,
    ) -> None:
        """``limit`` is how many exchanges a key keeps.

        ``public`` are the words that are shown although they look like a secret or a number.
        ``charge`` is told of a namespace that reads as much as so many requests cost.
        ``accepts`` says whether the key of a namespace may follow its stream any longer.
        """
        self._store = store
        self._public = public
        self._wall = wall
        self._next_seq = clock.Sequence(wall)
        self.limit = limit
        self._charge = charge
        self._accepts = accepts
        self._pending: dict[bytes, deque[bytes]] = {}
        self._pending_bytes = 0
        self._unwritten: list[JournalSegment] = []
        self._counted: list[_Counted] = []
        self._written: Counter[bytes] = Counter()
        self.begin()

    def begin(self) -> None:
        """Starts anew after an `end`: an application may run again, in another event loop."""
        self._writing = asyncio.Lock()
        self._full = asyncio.Event()
        self._feeds: dict[bytes, Feed] = {}
        self._written_signal = Signal()
        self._ended = False

    @property
    def backlog(self) -> int:
        """How many exchanges wait in memory to be written."""
        unwritten = sum(segment.exchanges for segment in self._unwritten)
        return unwritten + sum(map(len, self._pending.values()))

    def record(self, exchange: Exchange) -> None:
        """Takes an exchange that has ended. One without a key has no journal and is dropped."""
        namespace = exchange.namespace
        if not namespace:
            return
        pending = self._pending.get(namespace)
        if pending is None:
            pending = self._pending[namespace] = deque(maxlen=self.limit)
        seq = self._next_seq()
        encoded = encode_exchange(seq, exchange)
        self._pending_bytes += len(encoded)
        if len(pending) == self.limit:  # the oldest one makes room
            self._pending_bytes -= len(pending[0])
        pending.append(encoded)
        if self._pending_bytes > _PENDING_BYTES_LIMIT:
            self._full.set()
        if exchange.operation_id is not None and was_received(exchange):
            response = (exchange.operation_id, exchange.status, exchange.code, exchange.scenario)
            self._counted.append((seq, namespace, response, 1))

    async def run(self) -> None:
        """Writes what waits, again and again, until it is cancelled."""
        while True:
            await wait(self._full, _FOLLOWED_WRITE_SECONDS if self._feeds else _WRITE_SECONDS)
            try:
                await self.write()
            except StorageUnavailable as error:
                logger.error("storage unavailable, the journal waits: %s", error)
                await asyncio.sleep(_WRITE_SECONDS)
            except Exception as error:
                logger.error("exchanges are missing from the journal", exc_info=error)

    async def write(self) -> None:
        """Writes everything that waits so far."""
        async with self._writing:
            if not self._pending and not self._unwritten:
                return
            await self._pack()
            segments, self._unwritten = self._unwritten, []
            counted, self._counted = self._counted, []
            try:
                resets = await self._store.resets({segment.namespace for segment in segments})
                segments = [*_after(segments, resets)]
                await self._store.append_journal(segments, _covered(counted, resets))
            except StorageUnavailable:
                self._unwritten = _newest(segments, _UNWRITTEN_BYTES_LIMIT)
                self._counted = [*_summed(counted), *self._counted]
                raise
            for segment in segments:
                self._written[segment.namespace] += segment.exchanges
            await self._trim()
        self._written_signal.notify()

    async def search(self, namespace: bytes, search: Search) -> list[dict[str, Any]]:
        """Exchanges that match, the newest first."""
        found: list[dict[str, Any]] = []
        kept = await self._kept(namespace)
        async for entry in entries_at(self._store, namespace, reversed(kept)):
            if len(found) == search.limit:
                break
            await asyncio.sleep(0)
            if search.matches(entry):
                shown = entry.shown(self._public)
                if search.matches_shown(shown):
                    found.append(shown)
        return found

    async def all(self, namespace: bytes) -> AsyncIterator[dict[str, Any]]:
        """All exchanges that there are when this returns, the oldest first."""
        kept = await self._kept(namespace)

        async def shown() -> AsyncIterator[dict[str, Any]]:
            async for entry in entries_at(self._store, namespace, kept):
                await asyncio.sleep(0)
                yield entry.shown(self._public)

        return shown()

    async def exchange(self, namespace: bytes, request_id: str) -> dict[str, Any] | None:
        """One exchange with headers and bodies."""
        kept = await self._kept(namespace)
        wanted = [place for place in kept if place.head.request_id == request_id]
        async for entry in entries_at(self._store, namespace, wanted):
            return entry.shown(self._public)
        return None

    async def coverage(self, namespace: bytes) -> list[Covered]:
        """How often each response was sent."""
        await self.write()
        return list(await self._store.coverage(namespace))

    async def follow(
        self, namespace: bytes, search: Search, *, after: str | None
    ) -> AsyncGenerator[bytes, None]:
        """Server-sent events, one an exchange, from now on or from the event ``after`` on.

        Where nothing can have been given that `seq` yet the stream says so, and does not wait
        in silence for what comes after it.
        """
        await self.write()
        ready: dict[str, str] = {}
        if after is not None and after > self._latest_seq():
            after, ready = None, {"detail": _FUTURE}
        async with self._feed(namespace) as feed:
            cursor = start = feed.newest if after is None else after
            position = feed.end if after is None else BEFORE_ALL
            sent = set[str]()
            sent_at = clock.monotonic()
            data = orjson.dumps(ready).decode()
            yield f"id: {start or '0' * 32}\nevent: ready\ndata: {data}\n\n".encode()
            while self._goes_on(namespace):
                changed = feed.changed.event
                events, position = await feed.since(position, cursor)
                for event in events:
                    seq = event.entry.seq
                    if seq <= start or seq in sent:
                        continue
                    sent.add(seq)
                    cursor = max(cursor, seq)
                    if search.matches(event.entry) and search.matches_shown(event.shown):
                        if not self._goes_on(namespace):  # a slow reader has much to come
                            return
                        sent_at = clock.monotonic()
                        yield event.data
                settled = settled_before(cursor)
                sent = {seq for seq in sent if seq > settled}
                if clock.monotonic() - sent_at >= _HEARTBEAT_SECONDS:
                    sent_at = clock.monotonic()
                    yield b": still here\n\n"
                await wait(changed, _HEARTBEAT_SECONDS)

    def now(self) -> str:
        """A `seq` that sorts after every exchange that has ended so far."""
        return self._next_seq()

    def end(self) -> None:
        """Ends all streams, so that a server can stop."""
        self._ended = True
        self.check_streams()

    def check_streams(self) -> None:
        """Ends the streams of keys that are not accepted any more."""
        for feed in self._feeds.values():
            feed.changed.notify()

    def _goes_on(self, namespace: bytes) -> bool:
        """Whether a stream of the namespace may go on."""
        return not self._ended and (self._accepts is None or self._accepts(namespace))

    def _latest_seq(self) -> str:
        """A `seq` that sorts after all that any process can have given so far."""
        return f"{int((self._wall() + SETTLED_SECONDS) * 1000):012x}"

    @asynccontextmanager
    async def _feed(self, namespace: bytes) -> AsyncIterator[Feed]:
        """What all followers of a namespace share; the last one ends it."""
        feed = self._feeds.get(namespace)
        if feed is None:
            feed = self._feeds[namespace] = Feed(self._store, namespace, self._public)
            feed.start(self._written_signal)
        feed.followers += 1
        try:
            await feed.opened.wait()
            yield feed
        finally:
            feed.followers -= 1
            if not feed.followers:
                feed.stop()
                del self._feeds[namespace]

    async def _kept(self, namespace: bytes) -> list[Place]:
        """Where the entries stand that the namespace keeps, the oldest first."""
        await self.write()
        oldest = self._wall() - RETENTION_SECONDS
        found = await places(self._store, namespace)
        if self._charge is not None:
            self._charge(namespace, len(found) // _READ_FOR_A_REQUEST)
        return [place for place in found[-self.limit :] if place.head.started_at >= oldest]

    async def _pack(self) -> None:
        """Makes segments of what waits, a few at a time: requests go on in between."""
        pending, self._pending = self._pending, {}
        self._pending_bytes = 0
        self._full.clear()
        try:
            for namespace, waiting in pending.items():
                while waiting:
                    part = list(islice(waiting, _SEGMENT))
                    self._unwritten.append(await self._segment(namespace, part))
                    for _ in part:
                        waiting.popleft()
        finally:  # where this was cancelled the rest waits on
            for namespace, waiting in pending.items():
                if waiting:
                    waiting.extend(self._pending.get(namespace, ()))
                    self._pending[namespace] = waiting

    async def _segment(self, namespace: bytes, exchanges: Iterable[bytes]) -> JournalSegment:
        entries: list[JournalEntry] = []
        for group in _groups(exchanges):
            await asyncio.sleep(0)
            entries += entries_of(group, self._public)
        return JournalSegment(
            namespace=namespace,
            last_seq=entries[-1].seq,
            newest_at=entries[-1].started_at,
            exchanges=len(entries),
            entries=encode_entries(entries),
        )

    async def _trim(self) -> None:
        """Drops what is too much or too old, once for a tenth of what a namespace may keep."""
        for namespace, written in list(self._written.items()):
            if written * 10 >= self.limit:
                del self._written[namespace]
                await self._store.trim_journal(
                    namespace, oldest=self._wall() - RETENTION_SECONDS, limit=self.limit
                )


def _groups(exchanges: Iterable[bytes]) -> Iterator[list[bytes]]:
    """The exchanges in groups of about `_PACKED_BYTES`; a large one is a group of its own."""
    group: list[bytes] = []
    size = 0
    for exchange in exchanges:
        size += len(exchange)
        if group and size > _PACKED_BYTES:
            yield group
            group, size = [], len(exchange)
        group.append(exchange)
    yield group


def _after(
    segments: Iterable[JournalSegment], resets: Mapping[bytes, str]
) -> Iterator[JournalSegment]:
    """The segments without the exchanges that ended before their namespace was emptied."""
    for segment in segments:
        reset_at = resets.get(segment.namespace, "")
        if segment.last_seq <= reset_at:
            continue
        if reset_at:
            entries = [one for one in decode_entries(segment.entries) if one.seq > reset_at]
            segment = structs.replace(
                segment, exchanges=len(entries), entries=encode_entries(entries)
            )
        yield segment


def _covered(
    counted: Iterable[_Counted], resets: Mapping[bytes, str]
) -> list[tuple[bytes, Covered]]:
    """What is counted of the exchanges that ended after their namespace was emptied."""
    kept = (one for one in counted if one[0] > resets.get(one[1], ""))
    return [
        (namespace, Covered(operation_id, status, code or "", scenario or "", exchanges))
        for _, namespace, (operation_id, status, code, scenario), exchanges in _summed(kept)
    ]


def _summed(counted: Iterable[_Counted]) -> list[_Counted]:
    """One for each response of a namespace, with the `seq` of the last."""
    found: dict[tuple[bytes, _Response], _Counted] = {}
    for seq, namespace, response, exchanges in counted:
        key = namespace, response
        before = found[key][3] if key in found else 0
        found[key] = (seq, namespace, response, before + exchanges)
    return list(found.values())


def _newest(segments: list[JournalSegment], bytes_limit: int) -> list[JournalSegment]:
    """As many of the last segments as fit."""
    sizes = accumulate(len(segment.entries) for segment in reversed(segments))
    fitting = sum(1 for size in sizes if size <= bytes_limit)
    return segments[len(segments) - fitting :]
