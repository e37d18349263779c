"""Keeps every exchange of a key, redacted and bounded, so that a test can see what was sent.

An exchange is only remembered when it ends; a moment later it is written down together with
others, so that it costs the request next to nothing. Reading writes down first.
Tokens never enter the journal, and of a phone number only country and end are kept, unless it is
one of the scenario numbers, which belong to nobody.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections import Counter, deque
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import orjson

from sandbox import clock
from sandbox.clock import Wall, rfc3339
from sandbox.exchange import Exchange, HeaderList
from sandbox.scenarios import Scenarios
from sandbox.store.protocol import (
    Covered,
    JournalEntry,
    JournalSearch,
    StorageUnavailable,
    Store,
)

logger = logging.getLogger("sandbox")

MOST_EXCHANGES: Final = 1000
LONGEST_BODY: Final = 4096
"""Characters of a body that are kept."""
OLDEST_SECONDS: Final = 24 * 60 * 60
LATEST: Final = "~"
"""A `seq` after every other."""

_WRITE_SECONDS: Final = 0.25
_BATCH: Final = 100
_HEARTBEAT_SECONDS: Final = 15.0

_TOKEN: Final = re.compile(r"sandbox_[A-Za-z0-9_-]{4,64}|(?<=[Bb]earer )[^\s\"']+")
_PHONE: Final = re.compile(r"(\+[1-9][0-9]{2})([0-9]{3,10})([0-9]{2})(?![0-9])")
_SECRET_HEADERS: Final = frozenset({"authorization", "cookie", "proxy-authorization"})


class Journal:
    """The exchanges of all keys; each key sees its own."""

    def __init__(self, store: Store, scenarios: Scenarios, *, wall: Wall) -> None:
        self._store = store
        self._scenarios = scenarios
        self._wall = wall
        self._pending: dict[bytes, deque[tuple[str, Exchange]]] = {}
        self._counts: Counter[tuple[bytes, str, int, str, str]] = Counter()
        self._writing = asyncio.Lock()
        self._news = asyncio.Event()
        self._ended = False

    def record(self, exchange: Exchange) -> None:
        """Remembers an exchange. One without a key belongs to nobody and is not kept."""
        if not exchange.namespace:
            return
        pending = self._pending.get(exchange.namespace)
        if pending is None:
            pending = self._pending[exchange.namespace] = deque(maxlen=MOST_EXCHANGES)
        pending.append((clock.new_seq(), exchange))
        if exchange.operation_id is not None:
            self._counts[
                exchange.namespace,
                exchange.operation_id,
                exchange.status,
                exchange.code or "",
                exchange.scenario or "",
            ] += 1

    async def run(self) -> None:
        """Writes down what is remembered, again and again, until it is cancelled."""
        while True:
            await asyncio.sleep(_WRITE_SECONDS)
            try:
                await self.write()
            except StorageUnavailable as error:
                logger.error("storage unavailable, the journal waits: %s", error)
            except Exception as error:
                logger.error("exchanges are missing from the journal", exc_info=error)

    async def write(self) -> None:
        """Writes down everything that is remembered so far."""
        async with self._writing:
            if not self._pending:
                return
            pending, self._pending = self._pending, {}
            counts, self._counts = self._counts, Counter()
            try:
                await self._store.append_journal(
                    [self._entry(seq, kept) for keys in pending.values() for seq, kept in keys],
                    [(key[0], Covered(*key[1:], exchanges=n)) for key, n in counts.items()],
                    oldest=self._wall() - OLDEST_SECONDS,
                    most=MOST_EXCHANGES,
                )
            except StorageUnavailable:
                for namespace, kept in pending.items():
                    kept.extend(self._pending.get(namespace, ()))
                self._pending |= pending
                self._counts += counts
                raise
        self._news.set()
        self._news = asyncio.Event()

    async def search(self, namespace: bytes, search: JournalSearch) -> list[dict[str, Any]]:
        """Exchanges that match, the newest first."""
        await self.write()
        return [
            orjson.loads(entry) for entry in await self._store.search_journal(namespace, search)
        ]

    async def exchange(self, namespace: bytes, request_id: str) -> dict[str, Any] | None:
        """One exchange with headers and bodies."""
        await self.write()
        entry = await self._store.exchange(namespace, request_id)
        if entry is None:
            return None
        found: dict[str, Any] = orjson.loads(entry)
        return found

    async def coverage(self, namespace: bytes) -> list[Covered]:
        """How often each answer was met."""
        await self.write()
        return list(await self._store.coverage(namespace))

    async def follow(self, namespace: bytes, *, after: str | None) -> AsyncIterator[bytes]:
        """Server-sent events, one an exchange, from now on or from the event ``after`` on.

        Nothing is queued for a slow reader: each batch is read when the last one was taken.
        """
        await self.write()
        cursor = after if after is not None else await self._store.newest_seq(namespace)
        yield f"id: {cursor or '0' * 32}\nevent: ready\ndata: {{}}\n\n".encode()
        while not self._ended:
            news = self._news
            entries = await self._store.follow_journal(namespace, after=cursor, limit=_BATCH)
            for entry in entries:
                cursor = orjson.loads(entry)["seq"]
                yield f"id: {cursor}\nevent: exchange\ndata: {entry}\n\n".encode()
            if entries:
                continue
            # Not wait_for: on Python 3.11 it loses a cancellation that comes with the event.
            try:
                async with asyncio.timeout(_HEARTBEAT_SECONDS):
                    await news.wait()
            except TimeoutError:
                yield b": still here\n\n"

    async def forget(self, namespace: bytes) -> None:
        """Drops what is remembered of a namespace and not written down yet."""
        async with self._writing:
            self._pending.pop(namespace, None)
            for key in [key for key in self._counts if key[0] == namespace]:
                del self._counts[key]

    def end(self) -> None:
        """Ends all streams, so that a server can stop."""
        self._ended = True
        self._news.set()

    def _entry(self, seq: str, exchange: Exchange) -> JournalEntry:
        call_id = None if exchange.call_id is None else str(exchange.call_id)
        query = exchange.query.decode("latin-1")
        entry = {
            "seq": seq,
            "request_id": exchange.request_id,
            "at": rfc3339(exchange.started_at),
            "sender": "provider" if exchange.by_provider else "integrator",
            "method": exchange.method,
            "path": self._redacted(exchange.path + (f"?{query}" if query else "")),
            "operation_id": exchange.operation_id,
            "status": exchange.status,
            "code": exchange.code,
            "why": self._redacted(exchange.why) or None,
            "call_id": call_id,
            "scenario": exchange.scenario,
            "replayed": exchange.replayed,
            "duration_ms": round(exchange.duration_seconds * 1000, 3),
            "request": self._message(exchange.request_headers, exchange.request_body),
            "response": self._message(exchange.response_headers, exchange.response_body),
        }
        return JournalEntry(
            namespace=exchange.namespace,
            seq=seq,
            request_id=exchange.request_id,
            started_at=exchange.started_at,
            operation_id=exchange.operation_id,
            status=exchange.status,
            call_id=call_id,
            entry=orjson.dumps(entry).decode(),
        )

    def _message(self, headers: HeaderList, body: bytes) -> Mapping[str, Any]:
        text = body[: 4 * LONGEST_BODY].decode("utf-8", "replace")
        return {
            "headers": [
                [name.decode("latin-1"), self._header(name.decode("latin-1"), value)]
                for name, value in headers
            ],
            "body": self._redacted(text[:LONGEST_BODY]),
            "body_bytes": len(body),
            "truncated": len(body) > 4 * LONGEST_BODY or len(text) > LONGEST_BODY,
        }

    def _header(self, name: str, value: bytes) -> str:
        if name.lower() in _SECRET_HEADERS:
            return "[redacted]"
        return self._redacted(value.decode("latin-1"))

    def _redacted(self, text: str) -> str:
        text = _TOKEN.sub("[redacted]", text)
        return _PHONE.sub(self._redacted_phone, text)

    def _redacted_phone(self, match: re.Match[str]) -> str:
        if match[0] in self._scenarios.by_number:
            return match[0]
        return match[1] + "*" * len(match[2]) + match[3]
