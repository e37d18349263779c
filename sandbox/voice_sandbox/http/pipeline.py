"""Responds to one HTTP request by a contract: the way of every request, read top-down.

The order of rejection is fixed: route, method (405), token (401), media type (415), size (413),
parameters and JSON (400), schema (422), then the handler. Every rejection is a problem document.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Container, Mapping, Sequence
from contextlib import suppress
from functools import partial
from types import MappingProxyType
from typing import Any, Final, Literal
from urllib.parse import parse_qs, quote
from weakref import WeakKeyDictionary

import msgspec
import orjson
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from voice_sandbox import clock
from voice_sandbox.calls.provider import ID_PREFIX
from voice_sandbox.contract import problems
from voice_sandbox.contract.model import Contract, ContractError, Operation, Parameter
from voice_sandbox.contract.problems import FieldError, ProblemError
from voice_sandbox.contract.validation import Validator, Validators
from voice_sandbox.http.armed_faults import Fault, StruckBeforeWork, nothing_done, with_fault
from voice_sandbox.http.authentication import Keyring, Principal
from voice_sandbox.http.broken_responses import has_gone_within, send_with_fault
from voice_sandbox.http.exchange import (
    CALL_EXTENSION,
    EncodedResponse,
    Exchange,
    Handler,
    HeaderList,
    Observer,
    Request,
    Response,
)
from voice_sandbox.http.header_fields import named_value, parts
from voice_sandbox.http.preferences import Preferred, preferred
from voice_sandbox.http.redaction import redact
from voice_sandbox.http.routing import RouteTable, route_path
from voice_sandbox.http.strict_json import MalformedJSON, UnusableNumber, decode
from voice_sandbox.store.protocol import StorageUnavailable

logger = logging.getLogger("voice_sandbox")

_JSON: Final = "application/json"
# A response is of one moment and of one key: nobody keeps it, nor the journal this header.
_NO_STORE: Final = (b"cache-control", b"no-store")
# What nginx would hold back until it has enough of it.
_NO_BUFFERING: Final = (b"x-accel-buffering", b"no")
_EVENTS: Final = b"text/event-stream; charset=utf-8"
_LARGE_BODY_BYTES: Final = 64 * 1024
"""Beyond it a body takes milliseconds to read."""
_LEAK: Final = ID_PREFIX.encode()
_MASK: Final = b"*" * len(_LEAK)

_Headers = Mapping[bytes, Sequence[bytes]]

Strike = Callable[[bytes, Operation, str | None], Awaitable[Fault | None]]
"""Takes namespace, operation, and the number that the request is about."""


class Pipeline:
    """One contract as it is served: `table` has a route for each operation."""

    def __init__(
        self,
        contract: Contract,
        handlers: Mapping[str, Handler],
        *,
        keyring: Keyring,
        may_name_provider: bool,
        unusable_number: Literal["malformed_json", "validation_failed"],
        observe: Observer,
        wall: clock.Wall,
        public: Container[str] = frozenset(),
        known: Mapping[str, Collection[str]] = MappingProxyType({}),
        strike: Strike | None = None,
    ) -> None:
        """``strike`` returns the armed fault that a request meets, where its operations meet any.

        ``public`` are the words that a problem may show although they look like a token.
        ``known`` are the values of schemas that the contract leaves open, as a `Validator` takes
        them.

        ``may_name_provider`` is for the control API alone: elsewhere a response that holds an
        id of the provider is not sent. Raises: `ContractError` when operations and handlers are
        not the same.
        """
        _same_operations(contract, handlers)
        self.keyring = keyring
        self.may_name_provider = may_name_provider
        self.unusable_number = unusable_number
        self.observe = observe
        self.wall = wall
        self.public = public
        self.strike = strike
        validators = Validators(contract, known=known)
        self.table = RouteTable(
            [
                Route(
                    operation.path,
                    Endpoint(self, _Decision(self, operation, handlers[name], validators)),
                    methods=[operation.method],
                    name=name,
                )
                for name, operation in contract.operations.items()
            ]
        )
        self.unrouted = Endpoint(self, None)
        self._large_bodies = WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock]()

    @property
    def large_bodies(self) -> asyncio.Lock:
        """Is held while a large body is read; each event loop has its own."""
        return self._large_bodies.setdefault(asyncio.get_running_loop(), asyncio.Lock())

    def route(self, operation_id: str) -> Route:
        """The route of one operation."""
        return next(route for route in self.table.routes if route.name == operation_id)


class Endpoint:
    """An ASGI application for one operation, or for what has no route."""

    def __init__(self, pipeline: Pipeline, decision: _Decision | None) -> None:
        self._pipeline = pipeline
        self._decision = decision

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started, started_at = clock.monotonic(), self._pipeline.wall()
        known = _Known(clock.new_request_id())
        try:
            if self._decision is None:
                raise self._pipeline.table.rejection(route_path(scope))
            outcome = await self._decision.outcome(scope, receive, known)
        except Exception as error:  # noqa: BLE001  (whatever breaks is a problem document)
            if self._decision is None:  # a wrong path, too, is in the journal of the key that asked
                known.principal = _anyone(self._pipeline.keyring, scope)
            outcome = _problem(error, scope, known.request_id, self._pipeline.public)
        if known.fault is not None and self._decision is not None:
            outcome = with_fault(known.fault, outcome, self._decision.operation, known.request_id)
        headers = _response_headers(outcome, known)
        if known.preference is not None and known.preference.delay_seconds:
            await has_gone_within(known.preference.delay_seconds, receive)
        try:
            await _send(outcome, headers, scope, receive, send, fault=known.fault)
        finally:
            if outcome.response.release is not None:
                outcome.response.release()
            self._pipeline.observe(
                self._exchange(outcome, headers, scope, known, started_at, started)
            )

    def _exchange(
        self,
        outcome: EncodedResponse,
        headers: HeaderList,
        scope: Scope,
        known: _Known,
        started_at: float,
        started: float,
    ) -> Exchange:
        response = outcome.response
        decision = self._decision
        return Exchange(
            request_id=known.request_id,
            namespace=known.principal.namespace,
            started_at=started_at,
            method=scope["method"],
            path=_sent_path(scope),
            query=scope["query_string"],
            operation_id=None if decision is None else decision.operation.operation_id,
            by_provider=known.principal.is_provider,
            status=outcome.status,
            code=outcome.code,
            why=response.why,
            call_id=None if response.call_id is None else str(response.call_id),
            scenario=response.scenario,
            replayed=response.replayed,
            duration_seconds=clock.monotonic() - started,
            request_headers=scope["headers"],
            request_body=known.body,
            response_headers=headers,
            response_body=outcome.payload,
            fault=None if known.fault is None else known.fault.kind,
        )


class _Known(msgspec.Struct):
    """What is known of a request so far: a rejection says no more."""

    request_id: str
    principal: Principal = Principal(b"", is_provider=False)
    preference: Preferred | None = None
    body: bytes = b""
    fault: Fault | None = None
    """The armed fault that strikes."""


class _Decision:
    """Decides what one operation responds."""

    def __init__(
        self, pipeline: Pipeline, operation: Operation, handler: Handler, validators: Validators
    ) -> None:
        self.operation = operation
        self._pipeline = pipeline
        self._handler = handler
        self._status = operation.success.status
        self._body_validator = validators.body.get(operation.operation_id)
        self._parameter_validators = validators.parameters[operation.operation_id]

    async def outcome(self, scope: Scope, receive: Receive, known: _Known) -> EncodedResponse:
        """Raises: `ProblemError`, or whatever breaks on the way."""
        operation = self.operation
        headers = _headers(scope)
        if operation.authenticated:
            known.principal = self._pipeline.keyring.principal(headers.get(b"authorization", ()))
        if b"prefer" in headers:
            known.preference = preferred(operation, headers[b"prefer"])
        if known.preference is not None and known.preference.response is not None:
            return _preferred_outcome(known.preference, known.request_id)
        parameters: dict[str, str] = scope["path_params"]
        if operation.body is not None:
            known.body = await _body(operation.body.max_bytes, headers, receive)
        if operation.parameters:
            parameters |= _parameters(operation, scope, headers)
            self._check_parameters(parameters)
        request = Request(
            operation=operation,
            principal=known.principal,
            request_id=known.request_id,
            parameters=parameters,
            body=await self._value(known.body),
            origin=_origin(scope, headers),
            is_given_up=partial(_is_disconnected, receive),
            meet_faults=partial(self._meet_faults, known),
        )
        try:
            response = await self._handler(request)
        except StruckBeforeWork:
            return nothing_done()
        payload = b"" if response.body is None else orjson.dumps(response.body)
        if _LEAK in payload and not self._pipeline.may_name_provider:
            raise RuntimeError("a response held an id of the provider")
        return EncodedResponse(self._status, response, payload, _JSON, None)

    async def _meet_faults(self, known: _Known, phone: str | None) -> None:
        """Raises: `StruckBeforeWork`."""
        strike = self._pipeline.strike
        # What the simulated provider posts is part of the sandbox, and no program under test.
        if strike is None or known.principal.is_provider:
            return
        known.fault = await strike(known.principal.namespace, self.operation, phone)
        if known.fault is not None and known.fault.is_before_work:
            raise StruckBeforeWork

    def _check_parameters(self, parameters: Mapping[str, str]) -> None:
        for parameter in self.operation.parameters:
            value = parameters.get(parameter.name)
            validator = self._parameter_validators[parameter.name]
            if value is not None and not validator.is_valid(value):
                raise _wrong_parameter(parameter, validator)

    async def _value(self, body: bytes) -> Any:
        """What a body says. Of the large ones of all clients each turn of the loop reads one."""
        if len(body) <= _LARGE_BODY_BYTES:
            return self._decoded(body)
        async with self._pipeline.large_bodies:
            try:
                return self._decoded(body)
            finally:
                await asyncio.sleep(0)

    def _decoded(self, body: bytes) -> Any:
        if self._body_validator is None:
            return None
        try:
            value = decode(body)
        except MalformedJSON as error:
            if (
                isinstance(error, UnusableNumber)
                and self._pipeline.unusable_number == "validation_failed"
            ):
                raise ProblemError(
                    "validation_failed",
                    "The body does not fit the contract in 1 place. "
                    "Fix what errors lists and send it again.",
                    errors=[FieldError("", f"This is no number that can be used: {error}.")],
                ) from None
            raise ProblemError(
                "malformed_json",
                f"The body is not strict JSON: {error}. Send one JSON object, encoded in UTF-8.",
            ) from None
        self._body_validator.check(value)
        return value


# Deciding


def _headers(scope: Scope) -> _Headers:
    headers: dict[bytes, list[bytes]] = {}
    for name, value in scope["headers"]:
        headers.setdefault(name, []).append(value)
    return headers


def _anyone(keyring: Keyring, scope: Scope) -> Principal:
    """Whose token a request carries, if it carries a good one."""
    try:
        return keyring.principal(_headers(scope).get(b"authorization", ()))
    except ProblemError:
        return Principal(b"", is_provider=False)


def _parameters(operation: Operation, scope: Scope, headers: _Headers) -> dict[str, str]:
    """Query and header parameters by name; one that is sent twice fits no schema."""
    query: dict[str, list[str]] = {}
    if scope["query_string"]:
        text = scope["query_string"].decode("latin-1")
        query = parse_qs(text, keep_blank_values=True)
    found: dict[str, str] = {}
    for parameter in operation.parameters:
        if parameter.location == "query" and parameter.name in query:
            found[parameter.name] = "\n".join(query[parameter.name])
        elif parameter.location == "header":
            values = headers.get(parameter.name.lower().encode())
            if values is not None:
                found[parameter.name] = b"\n".join(values).decode("latin-1")
    return found


def _is_json(content_type: bytes) -> bool:
    """Whether a body is JSON in UTF-8. Unknown parameters change nothing (RFC 8259, section 11)."""
    if content_type == b"application/json":
        return True
    media_type, *rest = parts(content_type.decode("latin-1")) or [""]
    if media_type.lower() != _JSON:
        return False
    parameters = [named_value(part) for part in rest]
    charsets = {found[1].lower() for found in parameters if found and found[0] == "charset"}
    return None not in parameters and charsets <= {"utf-8"}


async def _body(limit: int, headers: _Headers, receive: Receive) -> bytes:
    """Raises: `ProblemError` ``unsupported_media_type`` or ``body_too_large``."""
    content_types = headers.get(b"content-type", ())
    if len(content_types) != 1 or not _is_json(content_types[0]):
        raise ProblemError(
            "unsupported_media_type",
            "The body must be sent as application/json in UTF-8. "
            "Set the header Content-Type: application/json.",
        )
    if any(value.lower() != b"identity" for value in headers.get(b"content-encoding", ())):
        raise ProblemError(
            "unsupported_media_type",
            "The body must not be compressed. Send it without the header Content-Encoding.",
        )
    for value in headers.get(b"content-length", ()):
        if value.isdigit() and int(value[:20]) > limit:
            raise _too_large(limit)
    chunks: list[bytes] = []
    received = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ProblemError("malformed_json", "The connection ended in the middle of the body.")
        chunk = message.get("body", b"")
        received += len(chunk)
        if received > limit:
            raise _too_large(limit)
        chunks.append(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks)


def _too_large(limit: int) -> ProblemError:
    return ProblemError(
        "body_too_large", f"The body may be at most {limit} bytes. Send a smaller one."
    )


async def _is_disconnected(receive: Receive) -> bool:
    """Whether the client has gone. After the body ASGI has nothing else to tell."""
    told = asyncio.ensure_future(receive())
    # One turn of the event loop: what is known already is there then.
    await asyncio.sleep(0)
    if not told.done():
        told.cancel()
        with suppress(asyncio.CancelledError):
            await told
        return False
    return bool(told.result()["type"] == "http.disconnect")


def _wrong_parameter(parameter: Parameter, validator: Validator) -> ProblemError:
    known = _PARAMETER_PROBLEMS.get((parameter.location, parameter.name))
    if known is None:
        detail = f"The parameter {parameter.name} has a wrong form. {validator.expected()}"
        return ProblemError("invalid_parameter", detail)
    code, words = known
    detail = words.format_map(parameter.schema)
    is_listed = code == "validation_failed"
    return ProblemError(
        code, detail, errors=[FieldError(f"/{parameter.name}", detail)] if is_listed else ()
    )


_NOTHING: Final[Mapping[str, Any]] = {}

# How a parameter of a wrong form is rejected where it has words of its own: code, and
# detail with the limits of its schema.
_PARAMETER_PROBLEMS: Final[Mapping[tuple[str, str], tuple[str, str]]] = {
    ("path", "phone"): (
        "validation_failed",
        "The path holds no number in E.164 form: a plus sign and 8 to 15 digits, such as "
        "+996700000001. Send one, or default for every number that has no scenario.",
    ),
    ("path", "id"): (
        "fault_not_found",
        "This is not the id of an armed fault. GET /sandbox/faults lists those of your key.",
    ),
    ("path", "request_id"): (
        "exchange_not_found",
        "This is not a request_id. Use the X-Request-Id of a response to the same key.",
    ),
    ("path", "call_id"): (
        "call_not_found",
        "This is not the id of a call: a call_id is a UUID. "
        "Use a call_id that createCall returned to the same key.",
    ),
    ("header", "Idempotency-Key"): (
        "invalid_idempotency_key",
        "The Idempotency-Key must be {minLength} to {maxLength} visible ASCII characters "
        "without spaces. "
        "Send a shorter value, such as a UUID.",
    ),
}


def _sent_path(scope: Scope) -> str:
    """The path as it was sent, escapes and dot segments included, behind `_origin`."""
    raw = scope.get("raw_path") or quote(scope["path"]).encode()
    path: str = raw.decode("utf-8", "replace")
    if not scope["root_path"]:
        return path
    root = quote(scope["root_path"]) + "/"
    return path[len(root) - 1 :] if path.startswith(root) else path


def _origin(scope: Scope, headers: _Headers) -> str:
    [host] = headers.get(b"host", [b""])[:1]
    return f"{scope['scheme']}://{host.decode('latin-1')}{scope['root_path']}"


def _same_operations(contract: Contract, handlers: Mapping[str, Handler]) -> None:
    for operation_id in contract.operations.keys() - handlers.keys():
        raise ContractError(
            f"{contract.path.name} has the operation {operation_id}, but there is no handler for "
            "it. Write one and list it in handlers(), or remove the operation."
        )
    for operation_id in handlers.keys() - contract.operations.keys():
        raise ContractError(
            f"There is a handler for {operation_id}, but {contract.path.name} has no such "
            "operation. Describe it there, or remove the handler."
        )


# Responding


def _preferred_outcome(preference: Preferred, request_id: str) -> EncodedResponse:
    """The documented response that the client asked for."""
    documented = preference.response
    assert documented is not None, "only a preference for a response is an outcome"
    body = preference.body(request_id)
    why = f"The request asked for this response: Prefer: {preference.applied}."
    response = Response(body, preference.headers(), why=why)
    is_problem = documented.status >= 400
    return EncodedResponse(
        documented.status,
        response,
        b"" if body is None else orjson.dumps(body),
        problems.MEDIA_TYPE if is_problem else _JSON,
        body["code"] if is_problem else None,
    )


def _problem(
    error: Exception, scope: Scope, request_id: str, public: Container[str]
) -> EncodedResponse:
    """The problem document of whatever ended a request."""
    problem = error if isinstance(error, ProblemError) else _unexpected(error, request_id)
    about = scope.get("extensions", _NOTHING).get(CALL_EXTENSION, _NOTHING)
    # A problem quotes only what the client sent, such as the name of an unknown field.
    document = orjson.dumps(problems.document(problem, request_id=request_id))
    return EncodedResponse(
        problem.problem.status,
        Response(
            headers=problem.headers,
            call_id=problem.call_id or about.get("call_id"),
            scenario=problem.scenario or about.get("scenario"),
            why=problem.why,
        ),
        redact(document, public).replace(_LEAK, _MASK),
        problems.MEDIA_TYPE,
        problem.code,
    )


def _unexpected(error: Exception, request_id: str) -> ProblemError:
    if isinstance(error, StorageUnavailable):
        logger.error("storage unavailable: %s (%s)", error, request_id)
        return ProblemError(
            "storage_unavailable",
            "The state cannot be read or saved just now, and nothing was changed. Send the same "
            "request again after as many seconds as Retry-After says.",
            headers={"Retry-After": "1"},
        )
    logger.error("internal error (%s)", request_id, exc_info=error)
    return ProblemError(
        "internal_error",
        "The sandbox broke its own contract and did not send the response. "
        "Report it with this request_id.",
    )


def _response_headers(outcome: EncodedResponse, known: _Known) -> list[tuple[bytes, bytes]]:
    """All headers but the one that the journal does not keep."""
    if outcome.status == 0:
        return []
    headers = [(b"x-request-id", known.request_id.encode())]
    if known.preference is not None:
        headers.append((b"preference-applied", known.preference.applied.encode()))
    for name, value in outcome.response.headers.items():
        headers.append((name.lower().encode(), value.encode("latin-1")))
    if outcome.response.events is not None:
        headers += [(b"content-type", _EVENTS), _NO_BUFFERING]
        return headers
    if outcome.response.pieces is not None:
        headers.append((b"content-type", outcome.media_type.encode()))
        return headers
    if outcome.payload:
        headers.append((b"content-type", outcome.media_type.encode()))
    if outcome.status != 204:
        headers.append((b"content-length", str(len(outcome.payload)).encode()))
    return headers


async def _send(
    outcome: EncodedResponse,
    headers: HeaderList,
    scope: Scope,
    receive: Receive,
    send: Send,
    *,
    fault: Fault | None,
) -> None:
    with_body = scope["method"] != "HEAD"
    pieces = outcome.response.events or outcome.response.pieces
    if pieces is not None and with_body:
        # Most sandboxes are never followed, and this takes a tenth of a start.
        from starlette.responses import StreamingResponse

        stream = StreamingResponse(pieces)
        stream.raw_headers = [*headers, _NO_STORE]
        await stream(scope, receive, send)
        return
    start = {
        "type": "http.response.start",
        "status": outcome.status,
        "headers": [*headers, _NO_STORE],
    }
    if fault is not None:
        await send_with_fault(
            fault, start, outcome.payload, scope=scope, receive=receive, send=send
        )
        return
    await send(start)
    await send({"type": "http.response.body", "body": outcome.payload if with_body else b""})
