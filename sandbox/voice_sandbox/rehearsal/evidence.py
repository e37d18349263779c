"""What is known of one run of a program: its requests, the rings, how it ended and when.

The rules read nothing else, so that a finding can be told from what is shown with it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Container, Mapping, Sequence
from typing import Any, Final
from urllib.parse import unquote_plus

import msgspec
import orjson

from voice_sandbox.http.exchange import Exchange
from voice_sandbox.journal.entry import encode_exchange, entries_of
from voice_sandbox.rehearsal.acts import Act

_DEFINITE_FAULTS: Final = frozenset({"problem", "late_response", "slow_body"})
"""Armed faults that leave the client a whole response with its status."""


class RehearsedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One request of the program and what it was sent back, in the order of their beginning."""

    started_at: float
    """Seconds since the act began."""
    ended_at: float
    operation_id: str | None
    method: str
    path: str
    status: int
    """0 where the client got no response."""
    code: str | None
    fault: str | None
    body: Any = None
    """The JSON that was sent; ``None`` where there was none, or it was no JSON."""
    response: Any = None
    """The JSON that was sent back."""
    call_id: str | None = None
    idempotency_key: str | None = None
    """A digest, by which two requests are told apart."""
    retry_after_seconds: int | None = None
    key_places: tuple[str, ...] = ()
    """Where the API key stood although it does not belong there."""
    replayed: bool = False
    shown: Mapping[str, Any] = {}
    """The exchange as the journal shows it."""

    @property
    def is_whole(self) -> bool:
        """Whether the client got the response that the service meant."""
        return self.fault is None or self.fault in _DEFINITE_FAULTS

    @property
    def succeeded(self) -> bool:
        return self.is_whole and 200 <= self.status < 300

    @property
    def may_pass(self) -> bool:
        """Whether the same request may succeed later."""
        return not self.is_whole or self.status in {408, 429} or self.status >= 500

    @property
    def is_ambiguous(self) -> bool:
        """Whether the client cannot know if the work was done."""
        return not self.is_whole or (self.status >= 500 and self.code != "provider_unavailable")

    @property
    def is_end(self) -> bool:
        """Whether the client has read here that its call has ended."""
        call = self.response
        return (
            self.operation_id == "getCall"
            and self.succeeded
            and isinstance(call, dict)
            and call.get("duration") is not None
        )

    @property
    def agent(self) -> Any:
        return self.body.get("agent") if isinstance(self.body, dict) else None

    @property
    def identity(self) -> str:
        """What two requests have in common that are the same one."""
        parts = [self.method, self.path, self.body]
        return orjson.dumps(parts, option=orjson.OPT_SORT_KEYS).decode()


class Ending(msgspec.Struct, frozen=True):
    """How the program ended."""

    exit_code: int | None
    """128 + n where signal n ended it; ``None`` where it had to be stopped.

    Of a service that was stopped because the act had ended, 0.
    """
    seconds: float
    output: str
    """The last of what it wrote to stdout and stderr."""
    is_service: bool = False
    """Whether it is meant to run on, so that it was stopped when the act had ended."""
    failed_trigger: str | None = None
    """How the command ended that should have made a service place a call, where it failed."""

    @property
    def words(self) -> str:
        """Such as "exited with 7"."""
        return "was stopped" if self.exit_code is None else f"exited with {self.exit_code}"


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of one act."""

    act: Act
    sent: Sequence[RehearsedRequest]
    rings: Mapping[str, int]
    """How often each number was dialled."""
    agents: Sequence[str]
    """The keys of the agents that there were."""
    timelines: Sequence[Mapping[str, Any]] = ()
    """The calls, as `inspectCall` returns them."""
    ending: Ending
    meant: Mapping[str, int] = {}
    """How often each number was dialled where nothing failed."""
    otherwise_meant: int = 1
    """How often every other number was to be dialled."""
    like: Evidence | None = None
    """The act that this one is like."""

    def of(self, operation_id: str) -> list[RehearsedRequest]:
        return [each for each in self.sent if each.operation_id == operation_id]


def rehearsed_request(
    exchange: Exchange, *, began_at: float, token: str, public: Container[str]
) -> RehearsedRequest:
    """An exchange as the rules read it."""
    [entry] = entries_of([encode_exchange("0" * 32, exchange)], public)
    headers = dict(exchange.request_headers)
    response_headers = dict(exchange.response_headers)
    retry_after = response_headers.get(b"retry-after", b"").decode("latin-1")
    idempotency_key = headers.get(b"idempotency-key")
    return RehearsedRequest(
        started_at=exchange.started_at - began_at,
        ended_at=exchange.started_at - began_at + exchange.duration_seconds,
        operation_id=exchange.operation_id,
        method=exchange.method,
        path=exchange.path,
        status=exchange.status,
        code=exchange.code,
        fault=exchange.fault,
        body=_json(exchange.request_body),
        response=_json(exchange.response_body),
        call_id=exchange.call_id,
        idempotency_key=(
            None if idempotency_key is None else hashlib.sha256(idempotency_key).hexdigest()[:12]
        ),
        retry_after_seconds=int(retry_after) if retry_after.isdecimal() else None,
        key_places=tuple(_places(exchange, token)),
        replayed=exchange.replayed,
        shown=entry.shown(public),
    )


def _json(body: bytes) -> Any:
    try:
        return orjson.loads(body) if body else None
    except orjson.JSONDecodeError:
        return None


def _places(exchange: Exchange, token: str) -> list[str]:
    """Where the key stands but in the header Authorization."""
    places = []
    if token in exchange.path:
        places.append("the path")
    if token in unquote_plus(exchange.query.decode("latin-1")):
        places.append("the query")
    if token.encode() in exchange.request_body:
        places.append("the body")
    places += [
        f"the header {name.decode('latin-1')}"
        for name, value in exchange.request_headers
        if name != b"authorization" and token.encode() in value
    ]
    return places


_CRASHES: Final = (
    re.compile(r"^Traceback \(most recent call last\):$", re.MULTILINE),
    re.compile(r"^Node\.js v\d", re.MULTILINE),
    re.compile(r"^\s*(?:Uncaught|Unhandled)\b.*", re.MULTILINE),
    re.compile(r"^panic: .*", re.MULTILINE),
    re.compile(r"^Exception in thread .*", re.MULTILINE),
    re.compile(r"^(?:PHP )?Fatal error: .*", re.MULTILINE),
    re.compile(r"^jq: (?:parse )?error.*", re.MULTILINE),
    re.compile(
        r"^.*: (?:line )?\d+: .*(?:unbound variable|not found|syntax error|not set).*", re.MULTILINE
    ),
)
"""How runtimes say that nothing in the program has caught a failure."""
_TELLING: Final = re.compile(r"[\w.]*(?:Error|Exception|Timeout|panic|jq)\b.*:")


def crash_in(output: str) -> str | None:
    """The last line of a report that a runtime writes about a failure that nothing caught."""
    if not any(pattern.search(output) for pattern in _CRASHES):
        return None
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    telling = [line for line in lines if _TELLING.match(line)]
    return (telling or lines)[-1][:200]
