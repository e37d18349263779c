"""One HTTP exchange: what a handler gets and gives back, and what is known when it has ended."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import msgspec
from uuid_utils import UUID

from voice_sandbox.contract.model import Operation
from voice_sandbox.http.authentication import Principal


class Request(msgspec.Struct, frozen=True):
    """What a handler gets: everything in it has passed the contract."""

    operation: Operation
    principal: Principal
    request_id: str
    parameters: Mapping[str, str]
    """Path, query and header parameters by name; optional ones may be missing."""
    body: Any
    origin: str
    """Where the request was sent to, such as ``http://127.0.0.1:8010``."""
    is_given_up: Callable[[], Awaitable[bool]]
    """Whether the client has gone, so that nobody will see the response."""
    meet_faults: Callable[[str | None], Awaitable[None]]
    """Lets an armed fault strike, before any work. Takes the number that the request is about.

    Raises: what ends the handler where the fault strikes in its place.
    """


class Response(msgspec.Struct, frozen=True):
    """A handler's success. Its status is the one that the contract documents for a success."""

    body: Any = None
    """A JSON value; ``None`` is no body at all."""
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)
    events: AsyncIterator[bytes] | None = None
    """Server-sent events to stream instead of a body."""
    pieces: AsyncIterator[bytes] | None = None
    """A JSON text to stream, where it is too long to be a body."""
    release: Callable[[], None] | None = None
    """Is called when the response has ended, however it did."""
    call_id: UUID | None = None
    """The call that the exchange was about, for the journal."""
    scenario: str | None = None
    replayed: bool = False
    why: str = ""
    """One sentence for the journal, where the response alone does not explain itself."""


class EncodedResponse(msgspec.Struct, frozen=True):
    """How a request is answered: a response, and the bytes of its body."""

    status: int
    response: Response
    payload: bytes
    media_type: str
    code: str | None
    """The problem's code, ``None`` for a success."""


CALL_EXTENSION: Final = "voice.call"
"""The ASGI extension in which the simulated provider names the call of a completion.

Its value is ``{"call_id": UUID, "scenario": str}``. The journal alone reads it, for a completion
that is rejected before anybody has looked for its call.
"""

Handler = Callable[[Request], Awaitable[Response]]

HeaderList = Sequence[tuple[bytes, bytes]]


class Exchange(msgspec.Struct, frozen=True, array_like=True):
    """What is known of an exchange when it has ended. Bodies are as they went over the wire."""

    request_id: str
    namespace: bytes
    """Empty where no token told whose exchange it was."""
    started_at: float
    """Wall time."""
    method: str
    path: str
    query: bytes
    operation_id: str | None
    by_provider: bool
    status: int
    """0 where an armed fault let no response be."""
    code: str | None
    """The problem's code, ``None`` for a success."""
    why: str
    call_id: str | None
    scenario: str | None
    replayed: bool
    duration_seconds: float
    request_headers: HeaderList
    request_body: bytes
    response_headers: HeaderList
    response_body: bytes
    """Empty for a stream."""
    fault: str | None = None
    """The kind of the armed fault that struck."""


Observer = Callable[[Exchange], None]
"""Is told every exchange when it has ended."""
