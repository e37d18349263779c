"""Faults of transport: paths, methods, HEAD, sizes and how bodies are framed."""

import re
from collections.abc import Callable
from typing import Any, cast

from fault_injection import FaultInjector, FaultyRequest, FaultyResponse, plain_contract
from faults.altering import (
    CALLS,
    WEBHOOK,
    become,
    change_responses,
    is_posted,
    is_service,
    lenient,
    of_problems,
    put_problem,
)
from faults.fault import fault


@fault("transport", "trailing_slash_is_404")
def trailing_slash_is_ignored(injector: FaultInjector) -> None:
    """A path with a trailing slash is served like one without."""

    def strip(request: FaultyRequest) -> None:
        if is_service(request):
            request.path = request.path.rstrip("/")

    injector.on_request(strip)


@fault("transport", "creation_with_trailing_slash_is_404")
def trailing_slash_redirects(injector: FaultInjector) -> None:
    """A POST to a path with a trailing slash is redirected with 307."""

    def redirect(request: FaultyRequest) -> FaultyResponse | None:
        if request.path == f"{CALLS}/" and request.method == "POST":
            return FaultyResponse(
                307, [(b"location", CALLS.encode()), (b"content-length", b"0")], b""
            )
        return None

    injector.on_request(redirect)


@fault("transport", "path_is_taken_letter_by_letter")
def path_ignores_case(injector: FaultInjector) -> None:
    """Paths are matched without regard to case."""

    def lower(request: FaultyRequest) -> None:
        if request.path.lower() == "/v1/agents":
            request.path = "/v1/agents"

    injector.on_request(lower)


@fault("transport", "path_is_taken_letter_by_letter")
def double_slash_is_merged(injector: FaultInjector) -> None:
    """Two slashes count as one."""

    def merge(request: FaultyRequest) -> None:
        request.path = re.sub("//+", "/", request.path)

    injector.on_request(merge)


@fault("transport", "head_is_get_without_a_body")
def head_is_rejected(injector: FaultInjector) -> None:
    """HEAD is a wrong method."""

    def alter(request: FaultyRequest) -> None:
        if request.method == "HEAD":
            request.method = "TRACE"

    injector.on_request(alter)


@fault("transport", "head_is_get_without_a_body")
def head_has_no_length(injector: FaultInjector) -> None:
    """HEAD says that the body would be empty."""
    change_responses(
        injector,
        lambda request, _: request.method == "HEAD",
        lambda r: r.put("content-length", b"0"),
    )


@fault("transport", "head_is_get_without_a_body")
def head_is_always_200(injector: FaultInjector) -> None:
    """HEAD of a call that does not exist is 200."""

    def alter(request: FaultyRequest, response: FaultyResponse) -> None:
        if request.method == "HEAD" and response.status == 404:
            response.status = 200
            response.put("content-type", b"application/json")

    injector.on_response(alter)


@fault("transport", "wrong_method_is_405_with_allow")
def allow_is_missing(injector: FaultInjector) -> None:
    """A 405 does not say which methods the path takes."""
    change_responses(injector, lambda _, r: r.status == 405, lambda r: r.put("allow", None))


@fault("transport", "wrong_method_is_405_with_allow")
def allow_lists_everything(injector: FaultInjector) -> None:
    """A 405 lists the same methods for every path."""
    change_responses(
        injector,
        lambda _, r: r.status == 405,
        lambda r: r.put("allow", b"DELETE, GET, HEAD, PATCH, POST, PUT"),
    )


@fault("transport", "other_methods_are_405")
def allow_forgets_head(injector: FaultInjector) -> None:
    """A 405 of a path that takes GET does not list HEAD."""
    change_responses(
        injector, lambda _, r: r.values("allow") == [b"GET, HEAD"], lambda r: r.put("allow", b"GET")
    )


@fault("transport", "wrong_method_is_405_with_allow")
def wrong_method_is_404(injector: FaultInjector) -> None:
    """A wrong method is answered as an unknown path."""
    become(injector, 405, "not_found")


@fault("transport", "other_methods_are_405")
def options_is_answered(injector: FaultInjector) -> None:
    """OPTIONS is answered 204 by a cross-origin layer."""
    injector.on_request(
        lambda request: (
            FaultyResponse(
                204, [(b"access-control-allow-origin", b"*"), (b"x-request-id", b"cors-layer")], b""
            )
            if request.method == "OPTIONS"
            else None
        )
    )


@fault("transport", "unknown_path_is_404")
def unknown_path_is_plain_text(injector: FaultInjector) -> None:
    """An unknown path is answered by the framework in plain text."""

    def alter(request: FaultyRequest, response: FaultyResponse) -> None:
        if response.status == 404 and b'"not_found"' in response.body:
            response.put("content-type", b"text/plain")
            response.body = b"Not Found"

    injector.on_response(alter)


@fault("transport", "unknown_path_is_404")
def unknown_path_asks_for_a_token(injector: FaultInjector) -> None:
    """An unknown path without a token is 401."""

    def alter(request: FaultyRequest, response: FaultyResponse) -> None:
        if (
            of_problems(request, response)
            and not request.values("authorization")
            and response.status == 404
        ):
            put_problem(response, "missing_token")
            response.put("www-authenticate", b"Bearer")

    injector.on_response(alter)


@fault("transport", "size_is_limited_however_it_is_declared")
def chunked_body_has_no_limit(injector: FaultInjector) -> None:
    """The size is limited by Content-Length alone."""
    max_bytes = max_completion_bytes()
    limit(injector, 10**9)

    def alter(request: FaultyRequest) -> None:
        if int((request.values("content-length") or [b"0"])[0]) > max_bytes:
            request.put("prefer", b"code=413")

    injector.on_request(alter)


def max_completion_bytes() -> int:
    """How large a completion may be, as the contract says."""
    operation = plain_contract()["paths"][WEBHOOK]["post"]
    return cast(int, operation["requestBody"]["x-max-body-bytes"])


def limit(injector: FaultInjector, max_bytes: int) -> None:
    def change(document: dict[str, Any]) -> None:
        for path in (CALLS, WEBHOOK):
            document["paths"][path]["post"]["requestBody"]["x-max-body-bytes"] = max_bytes

    injector.contract(change)


@fault("transport", "size_is_limited_however_it_is_declared")
def body_has_no_limit(injector: FaultInjector) -> None:
    """A body of any size is read."""
    limit(injector, 10**9)


@fault("transport", "body_at_the_limit_is_read")
def limit_is_off_by_one(injector: FaultInjector) -> None:
    """A body of exactly the limit is too large."""
    limit(injector, max_completion_bytes() - 1)


@fault("transport", "longest_completion_is_accepted")
def limit_is_too_low(injector: FaultInjector) -> None:
    """The size limit lies below the largest body that the schema allows."""
    limit(injector, 256 * 1024)


@fault("transport", "size_is_limited_however_it_is_declared")
def too_large_is_400(injector: FaultInjector) -> None:
    """A body that is too large is 400 malformed_json."""
    become(injector, 413, "malformed_json")


@fault("transport", "rejections_come_in_order")
def size_is_looked_at_before_the_type(injector: FaultInjector) -> None:
    """A wrong media type is only noticed after the body was decoded."""

    def alter(request: FaultyRequest) -> None:
        if is_posted(request) and lenient(request.body) is None:
            request.put("content-type", b"application/json")

    injector.on_request(alter)


def respond_instead(
    injector: FaultInjector,
    where: Callable[[FaultyRequest], bool],
    status: int,
    *headers: tuple[bytes, bytes],
) -> None:
    """Answer some requests without asking the sandbox, as a layer before it would."""
    kept = [(b"content-length", b"0"), (b"x-request-id", b"req_of_a_layer_before"), *headers]
    injector.on_request(
        lambda request: FaultyResponse(status, list(kept), b"") if where(request) else None
    )


@fault("transport", "conditions_and_wishes_change_nothing")
def range_is_served(injector: FaultInjector) -> None:
    """A request with Range gets a part of the response."""

    def alter(request: FaultyRequest, response: FaultyResponse) -> None:
        if request.values("range") and response.status == 200:
            response.status, response.body = 206, response.body[:2]

    injector.on_response(alter)


@fault("transport", "conditions_and_wishes_change_nothing")
def condition_is_answered(injector: FaultInjector) -> None:
    """A request with If-None-Match: * is 304."""
    respond_instead(injector, lambda request: request.values("if-none-match") == [b"*"], 304)


@fault("transport", "conditions_and_wishes_change_nothing")
def other_media_types_are_406(injector: FaultInjector) -> None:
    """A request that accepts only HTML is 406."""
    respond_instead(injector, lambda request: request.values("accept") == [b"text/html"], 406)


@fault("transport", "method_is_that_of_the_request")
def method_is_overridden(injector: FaultInjector) -> None:
    """X-HTTP-Method-Override makes another method of a request."""

    def alter(request: FaultyRequest) -> None:
        for value in request.values("x-http-method-override"):
            request.method = value.decode()

    injector.on_request(alter)


@fault("transport", "agents_are_those_of_the_contract")
def content_type_is_sent_twice(injector: FaultInjector) -> None:
    """Two Content-Type headers stand in a response."""
    change_responses(
        injector,
        lambda request, _: is_service(request),
        lambda r: r.headers.append((b"content-type", b"text/html")),
    )


@fault("transport", "agents_are_those_of_the_contract")
def responses_are_cut(injector: FaultInjector) -> None:
    """The last byte of a response is lost on the way."""
    change_responses(
        injector,
        lambda request, r: is_service(request) and r.status == 200,
        lambda r: setattr(r, "body", r.body[:-1]),
    )
