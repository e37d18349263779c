"""Faults of transport: paths, methods, HEAD, sizes and how bodies are framed."""

import re
from collections.abc import Callable
from typing import Any

from fault_injection import FaultInjector, FaultyRequest, FaultyResponse, plain_contract
from faults.altering import (
    CALLS,
    WEBHOOK,
    become,
    change_answers,
    is_posted,
    is_service,
    lenient,
    of_problems,
    put_problem,
)
from faults.fault import fault


@fault("transport", "trailing_slash_is_404")
def trailing_slash_is_ignored(shop: FaultInjector) -> None:
    """A path with a trailing slash is served like one without."""

    def strip(ask: FaultyRequest) -> None:
        if is_service(ask):
            ask.path = ask.path.rstrip("/")

    shop.on_request(strip)


@fault("transport", "creation_with_trailing_slash_is_404")
def trailing_slash_redirects(shop: FaultInjector) -> None:
    """A POST to a path with a trailing slash is redirected with 307."""

    def redirect(ask: FaultyRequest) -> FaultyResponse | None:
        if ask.path == f"{CALLS}/" and ask.method == "POST":
            return FaultyResponse(
                307, [(b"location", CALLS.encode()), (b"content-length", b"0")], b""
            )
        return None

    shop.on_request(redirect)


@fault("transport", "path_is_taken_letter_by_letter")
def path_ignores_case(shop: FaultInjector) -> None:
    """Paths are matched without regard to case."""

    def lower(ask: FaultyRequest) -> None:
        if ask.path.lower() == "/v1/agents":
            ask.path = "/v1/agents"

    shop.on_request(lower)


@fault("transport", "path_is_taken_letter_by_letter")
def double_slash_is_merged(shop: FaultInjector) -> None:
    """Two slashes count as one."""

    def merge(ask: FaultyRequest) -> None:
        ask.path = re.sub("//+", "/", ask.path)

    shop.on_request(merge)


@fault("transport", "head_is_get_without_a_body")
def head_is_refused(shop: FaultInjector) -> None:
    """HEAD is a wrong method."""

    def alter(ask: FaultyRequest) -> None:
        if ask.method == "HEAD":
            ask.method = "TRACE"

    shop.on_request(alter)


@fault("transport", "head_is_get_without_a_body")
def head_has_no_length(shop: FaultInjector) -> None:
    """HEAD says that the body would be empty."""
    change_answers(
        shop, lambda ask, _: ask.method == "HEAD", lambda r: r.put("content-length", b"0")
    )


@fault("transport", "head_is_get_without_a_body")
def head_is_always_200(shop: FaultInjector) -> None:
    """HEAD of a call that does not exist is 200."""

    def alter(ask: FaultyRequest, reply: FaultyResponse) -> None:
        if ask.method == "HEAD" and reply.status == 404:
            reply.status = 200
            reply.put("content-type", b"application/json")

    shop.on_answer(alter)


@fault("transport", "wrong_method_is_405_with_allow")
def allow_is_missing(shop: FaultInjector) -> None:
    """A 405 does not say which methods the path takes."""
    change_answers(shop, lambda _, r: r.status == 405, lambda r: r.put("allow", None))


@fault("transport", "wrong_method_is_405_with_allow")
def allow_lists_everything(shop: FaultInjector) -> None:
    """A 405 lists the same methods for every path."""
    change_answers(
        shop,
        lambda _, r: r.status == 405,
        lambda r: r.put("allow", b"DELETE, GET, HEAD, PATCH, POST, PUT"),
    )


@fault("transport", "other_methods_are_405")
def allow_forgets_head(shop: FaultInjector) -> None:
    """A 405 of a path that takes GET does not list HEAD."""
    change_answers(
        shop, lambda _, r: r.values("allow") == [b"GET, HEAD"], lambda r: r.put("allow", b"GET")
    )


@fault("transport", "wrong_method_is_405_with_allow")
def wrong_method_is_404(shop: FaultInjector) -> None:
    """A wrong method is answered as an unknown path."""
    become(shop, 405, "not_found")


@fault("transport", "other_methods_are_405")
def options_is_answered(shop: FaultInjector) -> None:
    """OPTIONS is answered 204 by a cross-origin layer."""
    shop.on_request(
        lambda ask: (
            FaultyResponse(
                204, [(b"access-control-allow-origin", b"*"), (b"x-request-id", b"cors-layer")], b""
            )
            if ask.method == "OPTIONS"
            else None
        )
    )


@fault("transport", "unknown_path_is_404")
def unknown_path_is_plain_text(shop: FaultInjector) -> None:
    """An unknown path is answered by the framework in plain text."""

    def alter(ask: FaultyRequest, reply: FaultyResponse) -> None:
        if reply.status == 404 and b'"not_found"' in reply.body:
            reply.put("content-type", b"text/plain")
            reply.body = b"Not Found"

    shop.on_answer(alter)


@fault("transport", "unknown_path_is_404")
def unknown_path_asks_for_a_token(shop: FaultInjector) -> None:
    """An unknown path without a token is 401."""

    def alter(ask: FaultyRequest, reply: FaultyResponse) -> None:
        if of_problems(ask, reply) and not ask.values("authorization") and reply.status == 404:
            put_problem(reply, "missing_token")
            reply.put("www-authenticate", b"Bearer")

    shop.on_answer(alter)


@fault("transport", "size_is_limited_however_it_is_declared")
def chunked_body_has_no_limit(shop: FaultInjector) -> None:
    """The size is limited by Content-Length alone."""
    most = plain_contract()["paths"][WEBHOOK]["post"]["requestBody"]["x-max-body-bytes"]
    limit(shop, 10**9)

    def alter(ask: FaultyRequest) -> None:
        if int((ask.values("content-length") or [b"0"])[0]) > most:
            ask.put("prefer", b"code=413")

    shop.on_request(alter)


def limit(shop: FaultInjector, most: int) -> None:
    def change(document: dict[str, Any]) -> None:
        for path in (CALLS, WEBHOOK):
            document["paths"][path]["post"]["requestBody"]["x-max-body-bytes"] = most

    shop.contract(change)


@fault("transport", "size_is_limited_however_it_is_declared")
def body_has_no_limit(shop: FaultInjector) -> None:
    """A body of any size is read."""
    limit(shop, 10**9)


@fault("transport", "body_at_the_limit_is_read")
def limit_is_off_by_one(shop: FaultInjector) -> None:
    """A body of exactly the limit is too large."""
    limit(shop, 1024 * 1024 - 1)


@fault("transport", "longest_completion_is_accepted")
def limit_is_too_low(shop: FaultInjector) -> None:
    """The size limit lies below the largest body that the schema allows."""
    limit(shop, 256 * 1024)


@fault("transport", "size_is_limited_however_it_is_declared")
def too_large_is_400(shop: FaultInjector) -> None:
    """A body that is too large is 400 malformed_json."""
    become(shop, 413, "malformed_json")


@fault("transport", "refusals_come_in_order")
def size_is_looked_at_before_the_type(shop: FaultInjector) -> None:
    """A wrong media type is only noticed after the body was decoded."""

    def alter(ask: FaultyRequest) -> None:
        if is_posted(ask) and lenient(ask.body) is None:
            ask.put("content-type", b"application/json")

    shop.on_request(alter)


def answer_instead(
    shop: FaultInjector,
    where: Callable[[FaultyRequest], bool],
    status: int,
    *headers: tuple[bytes, bytes],
) -> None:
    """Answer some requests without asking the sandbox, as a layer before it would."""
    kept = [(b"content-length", b"0"), (b"x-request-id", b"req_of_a_layer_before"), *headers]
    shop.on_request(lambda ask: FaultyResponse(status, list(kept), b"") if where(ask) else None)


@fault("transport", "conditions_and_wishes_change_nothing")
def range_is_served(shop: FaultInjector) -> None:
    """A request with Range gets a part of the answer."""

    def alter(ask: FaultyRequest, reply: FaultyResponse) -> None:
        if ask.values("range") and reply.status == 200:
            reply.status, reply.body = 206, reply.body[:2]

    shop.on_answer(alter)


@fault("transport", "conditions_and_wishes_change_nothing")
def condition_is_answered(shop: FaultInjector) -> None:
    """A request with If-None-Match: * is 304."""
    answer_instead(shop, lambda ask: ask.values("if-none-match") == [b"*"], 304)


@fault("transport", "conditions_and_wishes_change_nothing")
def other_media_types_are_406(shop: FaultInjector) -> None:
    """A request that accepts only HTML is 406."""
    answer_instead(shop, lambda ask: ask.values("accept") == [b"text/html"], 406)


@fault("transport", "method_is_that_of_the_request")
def method_is_overridden(shop: FaultInjector) -> None:
    """X-HTTP-Method-Override makes another method of a request."""

    def alter(ask: FaultyRequest) -> None:
        for value in ask.values("x-http-method-override"):
            ask.method = value.decode()

    shop.on_request(alter)


@fault("transport", "agents_are_those_of_the_contract")
def content_type_is_sent_twice(shop: FaultInjector) -> None:
    """Two Content-Type headers stand in an answer."""
    change_answers(
        shop,
        lambda ask, _: is_service(ask),
        lambda r: r.headers.append((b"content-type", b"text/html")),
    )


@fault("transport", "agents_are_those_of_the_contract")
def answers_are_cut(shop: FaultInjector) -> None:
    """The last byte of an answer is lost on the way."""
    change_answers(
        shop,
        lambda ask, r: is_service(ask) and r.status == 200,
        lambda r: setattr(r, "body", r.body[:-1]),
    )
