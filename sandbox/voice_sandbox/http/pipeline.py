"""Answers one HTTP exchange by a contract: the way of every request, read top-down.

The order of refusal is fixed: route, method (405), token (401), media type (415), size (413),
parameters and JSON (400), schema (422), then the handler. Every refusal is a problem document.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal
from urllib.parse import parse_qs

import orjson
from starlette.types import Receive, Scope, Send

from voice_sandbox import clock
from voice_sandbox.calls.provider import ID_PREFIX
from voice_sandbox.contract import problems
from voice_sandbox.contract.model import Contract, ContractError, Operation
from voice_sandbox.contract.problems import FieldError, ProblemError
from voice_sandbox.contract.validation import Validators
from voice_sandbox.http.authentication import Keyring, Principal
from voice_sandbox.http.exchange import (
    CALL_EXTENSION,
    Exchange,
    Handler,
    Observer,
    Request,
    Response,
)
from voice_sandbox.http.preferences import Preferred, preferred
from voice_sandbox.http.routing import Routes
from voice_sandbox.http.strict_json import MalformedJSON, UnusableNumber, decode
from voice_sandbox.store.protocol import StorageUnavailable

logger = logging.getLogger("voice_sandbox")

_JSON: Final = "application/json"
# An answer is of one moment and of one key: nobody keeps it, nor the journal this header.
_NO_STORE: Final = (b"cache-control", b"no-store")
# What nginx would hold back until it has enough of it.
_NO_BUFFERING: Final = (b"x-accel-buffering", b"no")
_EVENTS: Final = "text/event-stream"
# RFC 9110, section 8.3.1: the type is case-insensitive, parameters follow after semicolons.
_JSON_CONTENT_TYPE: Final = re.compile(
    rb'application/json[ \t]*(;[ \t]*charset="?utf-8"?[ \t]*)?', re.IGNORECASE
)
_LEAK: Final = ID_PREFIX.encode()
_MASK: Final = b"*" * len(_LEAK)

Headers = Mapping[bytes, Sequence[bytes]]


class Pipeline:
    """One ASGI application that keeps one contract."""

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
    ) -> None:
        """``may_name_provider`` is for the control API alone: elsewhere an answer that holds an
        id of the provider is refused. Raises: `ContractError` when operations and handlers are
        not the same.
        """
        _same_operations(contract, handlers)
        self._routes = Routes(contract.operations.values())
        self._handlers = handlers
        self._validators = Validators(contract)
        self._keyring = keyring
        self._may_name_provider = may_name_provider
        self._unusable_number = unusable_number
        self._observe = observe
        self._wall = wall

    def owns(self, path: str) -> bool:
        """Whether a path, known or not, lies where this contract's operations are."""
        return self._routes.own(path)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started, started_at = clock.monotonic(), self._wall()
        request_id = clock.new_request_id()
        operation: Operation | None = None
        principal = _NOBODY
        preference: Preferred | None = None
        raw_body = b""
        code: str | None = None
        try:
            operation, parameters = self._routes.find(scope["method"], scope["path"])
            headers = _headers(scope)
            principal = self._principal(operation, headers)
            if b"prefer" in headers:
                preference = preferred(operation, headers[b"prefer"])
            if preference is not None:
                await asyncio.sleep(preference.delay_seconds)
            if preference is not None and preference.response is not None:
                answer = _preferred_answer(preference, request_id)
                code = answer.body["code"] if answer.status >= 400 else None
            else:
                raw_body = await self._body(operation, headers, receive)
                if operation.parameters:
                    parameters |= self._parameters(operation, scope, headers)
                    self._check_parameters(operation, parameters)
                answer = await self._handlers[operation.operation_id](
                    Request(
                        operation=operation,
                        principal=principal,
                        request_id=request_id,
                        parameters=parameters,
                        body=self._decoded(operation, raw_body),
                        origin=_origin(scope, headers),
                    )
                )
            payload = b"" if answer.body is None else orjson.dumps(answer.body)
            if _LEAK in payload and not self._may_name_provider:
                raise RuntimeError("an answer held an id of the provider")
            media_type = _JSON if answer.status < 400 else problems.MEDIA_TYPE
        except Exception as error:  # noqa: BLE001  (whatever breaks is answered as a problem)
            refusal = error if isinstance(error, ProblemError) else _unexpected(error, request_id)
            if operation is None:  # a wrong path, too, is in the journal of the key that asked
                principal = self._anyone(scope)
            about = scope.get("extensions", _NOTHING).get(CALL_EXTENSION, _NOTHING)
            answer = Response(
                refusal.problem.status,
                None,
                refusal.headers,
                call_id=refusal.call_id or about.get("call_id"),
                scenario=refusal.scenario or about.get("scenario"),
                why=refusal.why,
            )
            code = refusal.code
            media_type = problems.MEDIA_TYPE
            payload = _problem(refusal, request_id)

        response_headers = [(b"x-request-id", request_id.encode())]
        if preference is not None:
            response_headers.append((b"preference-applied", preference.applied.encode()))
        for name, value in answer.headers.items():
            response_headers.append((name.lower().encode(), value.encode("latin-1")))
        with_body = scope["method"] != "HEAD"
        if answer.events is not None and with_body:
            # Most sandboxes are never followed, and this takes a tenth of a start.
            from starlette.responses import StreamingResponse

            stream = StreamingResponse(answer.events, media_type=_EVENTS)
            stream.raw_headers += [*response_headers, _NO_STORE, _NO_BUFFERING]
            await stream(scope, receive, send)
            return
        if payload:
            response_headers.append((b"content-type", media_type.encode()))
        if answer.status != 204:
            response_headers.append((b"content-length", str(len(payload)).encode()))
        await send(
            {
                "type": "http.response.start",
                "status": answer.status,
                "headers": [*response_headers, _NO_STORE],
            }
        )
        await send({"type": "http.response.body", "body": payload if with_body else b""})
        self._observe(
            Exchange(
                request_id=request_id,
                namespace=principal.namespace,
                started_at=started_at,
                method=scope["method"],
                path=scope["path"],
                query=scope["query_string"],
                operation_id=None if operation is None else operation.operation_id,
                by_provider=principal.is_provider,
                status=answer.status,
                code=code,
                why=answer.why,
                call_id=None if answer.call_id is None else str(answer.call_id),
                scenario=answer.scenario,
                replayed=answer.replayed,
                duration_seconds=clock.monotonic() - started,
                request_headers=scope["headers"],
                request_body=raw_body,
                response_headers=response_headers,
                response_body=payload,
            )
        )

    def _principal(self, operation: Operation, headers: Headers) -> Principal:
        if not operation.authenticated:
            return _NOBODY
        return self._keyring.principal(headers.get(b"authorization", ()))

    def _anyone(self, scope: Scope) -> Principal:
        """Whose token a request carries, if it carries a good one."""
        try:
            return self._keyring.principal(_headers(scope).get(b"authorization", ()))
        except ProblemError:
            return _NOBODY

    def _parameters(self, operation: Operation, scope: Scope, headers: Headers) -> dict[str, str]:
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

    def _check_parameters(self, operation: Operation, parameters: Mapping[str, str]) -> None:
        validators = self._validators.parameters[operation.operation_id]
        for parameter in operation.parameters:
            value = parameters.get(parameter.name)
            if value is None or validators[parameter.name].is_valid(value):
                continue
            known = _PARAMETER_REFUSALS.get((parameter.location, parameter.name))
            expected = validators[parameter.name].expected()
            detail = f"The parameter {parameter.name} has a wrong form. {expected}"
            raise ProblemError(*(known or ("invalid_parameter", detail)))

    async def _body(self, operation: Operation, headers: Headers, receive: Receive) -> bytes:
        if operation.body is None:
            return b""
        content_types = headers.get(b"content-type", ())
        if len(content_types) != 1 or not _JSON_CONTENT_TYPE.fullmatch(content_types[0]):
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
        limit = operation.body.max_bytes
        for value in headers.get(b"content-length", ()):
            if value.isdigit() and int(value[:20]) > limit:
                raise _too_large(limit)
        chunks: list[bytes] = []
        received = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ProblemError(
                    "malformed_json", "The connection ended in the middle of the body."
                )
            chunk = message.get("body", b"")
            received += len(chunk)
            if received > limit:
                raise _too_large(limit)
            chunks.append(chunk)
            if not message.get("more_body", False):
                return b"".join(chunks)

    def _decoded(self, operation: Operation, body: bytes) -> Any:
        if operation.body is None:
            return None
        try:
            value = decode(body)
        except UnusableNumber as error:
            if self._unusable_number == "malformed_json":
                raise _malformed(error) from None
            raise ProblemError(
                "validation_failed",
                "The body does not fit the contract in 1 place. "
                "Put right what errors lists and send it again.",
                errors=[FieldError("", f"This is no number that can be used: {error}.")],
            ) from None
        except MalformedJSON as error:
            raise _malformed(error) from None
        self._validators.body[operation.operation_id].check(value)
        return value


_NOTHING: Final[Mapping[str, Any]] = {}
_NOBODY: Final = Principal(b"", is_provider=False)

# What a parameter of a wrong form is refused with: code and detail.
_PARAMETER_REFUSALS: Final[Mapping[tuple[str, str], tuple[str, str]]] = {
    ("path", "request_id"): (
        "exchange_not_found",
        "This is not a request_id. Use the X-Request-Id of an answer to the same key.",
    ),
    ("path", "call_id"): (
        "call_not_found",
        "This is not the id of a call: a call_id is a UUID. "
        "Use a call_id that createCall returned to the same key.",
    ),
    ("header", "Idempotency-Key"): (
        "invalid_idempotency_key",
        "The Idempotency-Key must be 1 to 255 visible ASCII characters without spaces. "
        "Send a shorter value, such as a UUID.",
    ),
}


def _same_operations(contract: Contract, handlers: Mapping[str, Handler]) -> None:
    for operation_id in contract.operations.keys() - handlers.keys():
        raise ContractError(
            f"{contract.path.name} has the operation {operation_id}, but there is no handler for "
            "it. Write one and name it in HANDLERS, or remove the operation."
        )
    for operation_id in handlers.keys() - contract.operations.keys():
        raise ContractError(
            f"There is a handler for {operation_id}, but {contract.path.name} has no such "
            "operation. Describe it there, or remove the handler."
        )


def _malformed(error: MalformedJSON) -> ProblemError:
    return ProblemError(
        "malformed_json",
        f"The body is not strict JSON: {error}. Send one JSON object, encoded in UTF-8.",
    )


def _headers(scope: Scope) -> Headers:
    headers: dict[bytes, list[bytes]] = {}
    for name, value in scope["headers"]:
        headers.setdefault(name, []).append(value)
    return headers


def _origin(scope: Scope, headers: Headers) -> str:
    [host] = headers.get(b"host", [b""])[:1]
    return f"{scope['scheme']}://{host.decode('latin-1')}{scope['root_path']}"


def _too_large(limit: int) -> ProblemError:
    return ProblemError(
        "body_too_large", f"The body may be at most {limit} bytes. Send a smaller one."
    )


def _problem(refusal: ProblemError, request_id: str) -> bytes:
    # A problem quotes only what the client sent, such as the name of an unknown field.
    payload = orjson.dumps(problems.document(refusal, request_id=request_id))
    return payload.replace(_LEAK, _MASK)


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
        "The sandbox broke its own contract and held the answer back. "
        "Report it with this request_id.",
    )


def _preferred_answer(preference: Preferred, request_id: str) -> Response:
    assert preference.response is not None
    return Response(
        preference.response.status,
        preference.body(request_id),
        preference.headers(),
        why=f"The request asked for this answer: Prefer: {preference.applied}.",
    )
