"""One exchange as the journal keeps it, and as it is shown: redacted.

Keeping is cheap, since it happens for each request; showing does the rest, since it is rare.
Tokens are gone before anything is kept. Of a phone number only country and end are shown, unless
it is one of the scenario numbers, which belong to nobody.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from sandbox.clock import rfc3339
from sandbox.exchange import Exchange, HeaderList
from sandbox.scenarios import Scenarios

LONGEST_BODY: Final = 4096
"""Characters of a body that are kept."""

_KEPT_BYTES: Final = 4 * LONGEST_BODY
_TOKEN: Final = re.compile(rb"sandbox_[A-Za-z0-9_-]{4,64}|(?<=[Bb]earer )[^\s\"']+")
_REDACTED: Final = b"[redacted]"
_PHONE: Final = re.compile(r"(\+[1-9][0-9]{2})([0-9]{3,10})([0-9]{2})(?![0-9])")
_SECRET_HEADERS: Final = frozenset({b"authorization", b"cookie", b"proxy-authorization"})


class Message(msgspec.Struct, frozen=True, array_like=True):
    """A request or an answer; ``body`` is its beginning, ``body_bytes`` the length of the whole."""

    headers: HeaderList
    body: bytes
    body_bytes: int


class Entry(msgspec.Struct, frozen=True, array_like=True):
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

        def phone(match: re.Match[str]) -> str:
            if match[0] in scenarios.by_number:
                return match[0]
            return match[1] + "*" * len(match[2]) + match[3]

        def text(kept: bytes) -> str:
            return _PHONE.sub(phone, kept.decode("utf-8", "replace"))

        def message(kept: Message) -> dict[str, Any]:
            body = kept.body.decode("utf-8", "replace")
            return {
                "headers": [
                    [name.decode("latin-1"), _PHONE.sub(phone, value.decode("latin-1"))]
                    for name, value in kept.headers
                ],
                "body": _PHONE.sub(phone, body[:LONGEST_BODY]),
                "body_bytes": kept.body_bytes,
                "truncated": kept.body_bytes > _KEPT_BYTES or len(body) > LONGEST_BODY,
            }

        return {
            "seq": self.seq,
            "request_id": self.request_id,
            "at": rfc3339(self.started_at),
            "sender": "provider" if self.by_provider else "integrator",
            "method": self.method,
            "path": text(self.path),
            "operation_id": self.operation_id,
            "status": self.status,
            "code": self.code,
            "why": text(self.why) or None,
            "call_id": self.call_id,
            "scenario": self.scenario,
            "replayed": self.replayed,
            "duration_ms": round(self.duration_seconds * 1000, 3),
            "request": message(self.request),
            "response": message(self.response),
        }


def entry(seq: str, exchange: Exchange) -> Entry:
    """What is kept of an exchange."""
    path = exchange.path.encode("utf-8", "replace")
    if exchange.query:
        path += b"?" + exchange.query
    return Entry(
        seq=seq,
        request_id=exchange.request_id,
        started_at=exchange.started_at,
        by_provider=exchange.by_provider,
        method=exchange.method,
        path=_without_tokens(path),
        operation_id=exchange.operation_id,
        status=exchange.status,
        code=exchange.code,
        why=_without_tokens(exchange.why.encode("utf-8", "replace")),
        call_id=None if exchange.call_id is None else str(exchange.call_id),
        scenario=exchange.scenario,
        replayed=exchange.replayed,
        duration_seconds=exchange.duration_seconds,
        request=_message(exchange.request_headers, exchange.request_body),
        response=_message(exchange.response_headers, exchange.response_body),
    )


def pack(entries: Sequence[Entry]) -> bytes:
    return _encoder.encode(entries)


def unpack(packed: bytes) -> list[Entry]:
    return _decoder.decode(packed)


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(list[Entry])


def _message(headers: HeaderList, body: bytes) -> Message:
    return Message(
        [
            (name, _REDACTED if name in _SECRET_HEADERS else _without_tokens(value))
            for name, value in headers
        ],
        _without_tokens(body[:_KEPT_BYTES]),
        len(body),
    )


def _without_tokens(text: bytes) -> bytes:
    if b"sandbox_" in text or b"earer " in text:  # looking is much cheaper than replacing
        return _TOKEN.sub(_REDACTED, text)
    return text
