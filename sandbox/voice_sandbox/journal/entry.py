"""One exchange as the journal keeps it, and as it is shown: redacted.

Keeping is cheap, since it happens for each request; showing does the rest, since it is rare.
What it must not hold is taken out by ``http.redaction``. It is bounded in size, whatever was sent.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Any, Final

import msgspec

from voice_sandbox.clock import rfc3339
from voice_sandbox.http.exchange import Exchange, HeaderList
from voice_sandbox.http.redaction import (
    REDACTED,
    is_plain,
    is_secret_header,
    redact,
    stand_in,
    with_short_numbers,
)

BODY_LIMIT: Final = 4096
"""Characters of a body that are kept."""
PATH_LIMIT: Final = 4096
HEADERS_LIMIT: Final = 8192
"""Bytes of the headers of a message that are kept, names included."""
WHY_LIMIT: Final = 2000

_KEPT_BYTES: Final = 4 * BODY_LIMIT
_IDEMPOTENCY_KEY: Final = b"idempotency-key"
_SAFE_HEADERS: Final = frozenset({b"authorization", _IDEMPOTENCY_KEY})
"""Whose value was replaced by its name alone."""


class Message(msgspec.Struct, frozen=True, array_like=True):
    """A request or a response; ``body`` is its beginning, ``body_bytes`` how long it was."""

    headers: HeaderList
    body: bytes
    body_bytes: int


class JournalEntry(msgspec.Struct, frozen=True, array_like=True):
    """One exchange as it is stored. A change of these fields needs a migration."""

    seq: str
    request_id: str
    started_at: float
    by_provider: bool
    method: str
    path: bytes
    """Path and query as they were sent, in UTF-8."""
    operation_id: str | None
    status: int
    code: str | None
    why: bytes
    call_id: str | None
    scenario: str | None
    replayed: bool
    duration_seconds: float
    request: Message
    response: Message
    fault: str | None = None

    def shown(self, public: Container[str]) -> dict[str, Any]:
        """The exchange as the control contract's ``Exchange`` describes it, without exports.

        Phone numbers are shortened, but for ``public`` ones.
        """

        def text(kept: str) -> str:
            return with_short_numbers(kept, public)

        def message(kept: Message) -> dict[str, Any]:
            body = kept.body.decode("utf-8", "replace")
            return {
                "headers": [
                    [name.decode("latin-1"), text(value.decode("latin-1"))]
                    for name, value in kept.headers
                ],
                "body": text(body[:BODY_LIMIT]),
                "body_bytes": kept.body_bytes,
                "truncated": kept.body_bytes > _KEPT_BYTES or len(body) > BODY_LIMIT,
            }

        return {
            "seq": self.seq,
            "request_id": self.request_id,
            "at": rfc3339(self.started_at),
            "sender": "provider" if self.by_provider else "integrator",
            "method": self.method,
            "path": text(self.path.decode("utf-8", "replace")),
            "operation_id": self.operation_id,
            "status": self.status,
            "code": self.code,
            "why": text(self.why.decode("utf-8", "replace")[:WHY_LIMIT]) or None,
            "call_id": self.call_id,
            "scenario": self.scenario,
            "replayed": self.replayed,
            "fault": self.fault,
            "duration_ms": round(self.duration_seconds * 1000, 3),
            "request": message(self.request),
            "response": message(self.response),
        }


class EntryHead(msgspec.Struct, frozen=True, array_like=True):
    """The first fields of a `JournalEntry`, by which it is found."""

    seq: str
    request_id: str
    started_at: float


def encode_exchange(seq: str, exchange: Exchange) -> bytes:
    """An exchange as it was, in few bytes, until there is time for its `entries_of`.

    A request is done with memory that the one before has just let go, so whatever holds on to an
    exchange as a whole slows down the next ones by more than packing takes.
    """
    sent, received = exchange.request_body, exchange.response_body
    if len(sent) > BODY_LIMIT or len(received) > BODY_LIMIT:
        exchange = msgspec.structs.replace(
            exchange, request_body=_beginning(sent), response_body=_beginning(received)
        )
    return _encoder.encode((seq, exchange, len(sent), len(received)))


def entries_of(exchanges: Sequence[bytes], public: Container[str]) -> list[JournalEntry]:
    """What is kept of encoded exchanges: a limited part, without their secrets.

    One look at all of them together is enough where none holds a secret, as is nearly always so.
    """
    entries = [_with_secrets(exchange) for exchange in exchanges]
    if is_plain(b"\n".join(map(_text, entries))):
        return entries
    return [
        entry if is_plain(_text(entry)) else _without_secrets(entry, public) for entry in entries
    ]


def _with_secrets(encoded: bytes) -> JournalEntry:
    """What is kept, but for what only a look at the text finds."""
    seq, exchange, sent_bytes, received_bytes = _exchange_decoder.decode(encoded)
    path = exchange.path.encode("utf-8", "replace")
    if exchange.query:
        path += b"?" + exchange.query
    return JournalEntry(
        seq=seq,
        request_id=exchange.request_id,
        started_at=exchange.started_at,
        by_provider=exchange.by_provider,
        method=exchange.method,
        path=path[:PATH_LIMIT],
        operation_id=exchange.operation_id,
        status=exchange.status,
        code=exchange.code,
        why=exchange.why.encode("utf-8", "replace"),
        call_id=exchange.call_id,
        scenario=exchange.scenario,
        replayed=exchange.replayed,
        duration_seconds=exchange.duration_seconds,
        request=Message(_headers(exchange.request_headers), exchange.request_body, sent_bytes),
        response=Message(
            _headers(exchange.response_headers), exchange.response_body, received_bytes
        ),
        fault=exchange.fault,
    )


def _text(entry: JournalEntry) -> bytes:
    """All in which a secret could stand, without the entry's own ids: they look random."""
    parts = [entry.method.encode("utf-8", "replace"), entry.path, entry.why]
    for message in (entry.request, entry.response):
        parts.append(message.body)
        for name, value in message.headers:
            if name not in _SAFE_HEADERS:
                parts += (name, value)
    text = b"\n".join(parts).replace(entry.request_id.encode(), b"")
    return text if entry.call_id is None else text.replace(entry.call_id.encode(), b"")


def _without_secrets(entry: JournalEntry, public: Container[str]) -> JournalEntry:
    def message(kept: Message) -> Message:
        headers = [
            (redact(name, public), value if name in _SAFE_HEADERS else redact(value, public))
            for name, value in kept.headers
        ]
        return Message(headers, redact(kept.body, public), kept.body_bytes)

    return msgspec.structs.replace(
        entry,
        method=redact(entry.method.encode("utf-8", "replace"), public).decode(),
        path=redact(entry.path, public),
        why=redact(entry.why, public),
        request=message(entry.request),
        response=message(entry.response),
    )


def encode_entries(entries: Sequence[JournalEntry]) -> bytes:
    return _encoder.encode(entries)


def decode_entries(encoded: bytes) -> list[JournalEntry]:
    return _decoder.decode(encoded)


def decode_heads(encoded: bytes) -> list[EntryHead]:
    return _head_decoder.decode(encoded)


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(list[JournalEntry])
_head_decoder: Final = msgspec.msgpack.Decoder(list[EntryHead])
_exchange_decoder: Final = msgspec.msgpack.Decoder(tuple[str, Exchange, int, int])


def _beginning(body: bytes) -> bytes:
    """Enough of a body for as many characters as are kept, and one more where it was cut."""
    beginning = body[:_KEPT_BYTES]
    return beginning[: BODY_LIMIT + 1] if beginning.isascii() else beginning


def _headers(headers: HeaderList) -> HeaderList:
    """As many headers as are kept, without the values whose names sound like a secret."""
    token = b"".join([value for name, value in headers if name == b"authorization"])
    kept: list[tuple[bytes, bytes]] = []
    left = HEADERS_LIMIT
    for name, value in headers:
        left -= len(name) + len(value)
        if left < 0:
            break
        if name == _IDEMPOTENCY_KEY:  # a retry must be recognised as one
            kept.append((name, stand_in(value, token)))
        else:
            kept.append((name, REDACTED if is_secret_header(name) else value))
    return kept
