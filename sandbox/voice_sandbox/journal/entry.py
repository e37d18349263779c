"""One exchange as the journal keeps it, and as it is shown: redacted.

Keeping is cheap, since it happens for each request; showing does the rest, since it is rare.
What it must not hold is taken out in ``redaction``. It is bounded in size, whatever was sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from voice_sandbox.calls.scenarios import Scenarios
from voice_sandbox.clock import rfc3339
from voice_sandbox.http.exchange import Exchange, HeaderList
from voice_sandbox.journal.redaction import (
    REDACTED,
    is_plain,
    is_secret_header,
    with_short_numbers,
    without_secrets,
)

LONGEST_BODY: Final = 4096
"""Characters of a body that are kept."""
LONGEST_PATH: Final = 4096
LONGEST_HEADERS: Final = 8192
"""Bytes of the headers of a message that are kept, names included."""
LONGEST_WHY: Final = 2000

_KEPT_BYTES: Final = 4 * LONGEST_BODY


class Message(msgspec.Struct, frozen=True, array_like=True):
    """A request or an answer; ``body`` is its beginning, ``body_bytes`` the length of the whole."""

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

    def shown(self, scenarios: Scenarios) -> dict[str, Any]:
        """The exchange as the control contract's ``Exchange`` describes it, without exports."""

        def text(kept: str) -> str:
            return with_short_numbers(kept, scenarios.by_number)

        def message(kept: Message) -> dict[str, Any]:
            body = kept.body.decode("utf-8", "replace")
            return {
                "headers": [
                    [name.decode("latin-1"), text(value.decode("latin-1"))]
                    for name, value in kept.headers
                ],
                "body": text(body[:LONGEST_BODY]),
                "body_bytes": kept.body_bytes,
                "truncated": kept.body_bytes > _KEPT_BYTES or len(body) > LONGEST_BODY,
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
            "why": text(self.why.decode("utf-8", "replace")[:LONGEST_WHY]) or None,
            "call_id": self.call_id,
            "scenario": self.scenario,
            "replayed": self.replayed,
            "duration_ms": round(self.duration_seconds * 1000, 3),
            "request": message(self.request),
            "response": message(self.response),
        }


def remember(seq: str, exchange: Exchange) -> bytes:
    """An exchange as it was, in few bytes, until there is time to `keep` it.

    A request is done with memory that the one before has just let go, so whatever holds on to an
    exchange as a whole slows down the next ones by more than packing takes.
    """
    sent, answered = exchange.request_body, exchange.response_body
    if len(sent) > LONGEST_BODY or len(answered) > LONGEST_BODY:
        exchange = msgspec.structs.replace(
            exchange, request_body=_beginning(sent), response_body=_beginning(answered)
        )
    return _encoder.encode((seq, exchange, len(sent), len(answered)))


def keep(remembered: bytes) -> JournalEntry:
    """What is kept of a remembered exchange: a bounded part, without its secrets."""
    seq, exchange, sent_bytes, answered_bytes = _remembered_decoder.decode(remembered)
    path = exchange.path.encode("utf-8", "replace")
    if exchange.query:
        path += b"?" + exchange.query
    return JournalEntry(
        seq=seq,
        request_id=exchange.request_id,
        started_at=exchange.started_at,
        by_provider=exchange.by_provider,
        method=exchange.method,
        path=without_secrets(path[:LONGEST_PATH]),
        operation_id=exchange.operation_id,
        status=exchange.status,
        code=exchange.code,
        why=without_secrets(exchange.why.encode("utf-8", "replace")),
        call_id=exchange.call_id,
        scenario=exchange.scenario,
        replayed=exchange.replayed,
        duration_seconds=exchange.duration_seconds,
        request=_message(exchange.request_headers, exchange.request_body, sent_bytes),
        response=_message(exchange.response_headers, exchange.response_body, answered_bytes),
    )


def pack(entries: Sequence[JournalEntry]) -> bytes:
    return _encoder.encode(entries)


def unpack(packed: bytes) -> list[JournalEntry]:
    return _decoder.decode(packed)


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(list[JournalEntry])
_remembered_decoder: Final = msgspec.msgpack.Decoder(tuple[str, Exchange, int, int])


def _beginning(body: bytes) -> bytes:
    """Enough of a body for as many characters as are kept, and one more where it was cut."""
    beginning = body[:_KEPT_BYTES]
    return beginning[: LONGEST_BODY + 1] if beginning.isascii() else beginning


def _message(headers: HeaderList, beginning: bytes, body_bytes: int) -> Message:
    return Message(_headers(headers), without_secrets(beginning), body_bytes)


def _headers(headers: HeaderList) -> HeaderList:
    kept = [(name, REDACTED if is_secret_header(name) else value) for name, value in headers]
    joined = b"\n".join([part for header in kept for part in header])
    if len(joined) <= LONGEST_HEADERS and is_plain(joined):
        return kept
    left = LONGEST_HEADERS
    cut: list[tuple[bytes, bytes]] = []
    for name, value in kept:
        left -= len(name) + len(value)
        if left < 0:
            break
        cut.append((name, without_secrets(value)))
    return cut
