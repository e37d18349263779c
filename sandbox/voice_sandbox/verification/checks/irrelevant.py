"""Nothing that the contract does not name matters: headers, queries, bodies of reads, versions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from voice_sandbox.contract.model import Contract
from voice_sandbox.verification.api import JSON, Api
from voice_sandbox.verification.check import Needs, check
from voice_sandbox.verification.finding import must, must_be
from voice_sandbox.verification.guard import CALLS_PATH, WEBHOOK_PATH
from voice_sandbox.verification.http1 import ReceivedResponse, SentRequest
from voice_sandbox.verification.requests import as_json, operations, path_of, request_of

HEADERS: Final = (
    *(
        ("If-None-Match", "*"),
        ("If-Match", '"other"'),
        ("If-Range", '"other"'),
        ("Range", "bytes=0-1"),
    ),
    ("If-Modified-Since", "Fri, 01 Jan 2100 00:00:00 GMT"),
    ("If-Unmodified-Since", "Thu, 01 Jan 1970 00:00:01 GMT"),
    *(("Accept", "text/html"), ("Accept", "application/xml"), ("Accept", "application/json;q=0")),
    *(("Accept", "text/event-stream"), ("Accept", "image/*"), ("Accept", "")),
    *(("Accept-Language", "ky"), ("Accept-Charset", "utf-16"), ("Accept-Encoding", "identity")),
    *(
        ("Expect", "100-continue"),
        ("TE", "trailers"),
        ("Max-Forwards", "0"),
        ("Pragma", "no-cache"),
    ),
    *(
        ("Cache-Control", "no-cache"),
        ("Cache-Control", "only-if-cached"),
        ("Origin", "https://a.example"),
    ),
    *(
        ("Origin", "null"),
        ("Referer", "https://a.example/v1/calls"),
        ("Cookie", "session=1; lang=ky"),
    ),
    *(("Access-Control-Request-Method", "DELETE"), ("Sec-Fetch-Mode", "cors"), ("Priority", "u=0")),
    *(("Forwarded", "for=192.0.2.1;host=a.example;proto=https"), ("X-Forwarded-For", "192.0.2.1")),
    *(
        ("X-Forwarded-Host", "a.example"),
        ("X-Forwarded-Proto", "https"),
        ("X-Real-IP", "192.0.2.1"),
    ),
    *(("X-Original-URL", "/v1/agents"), ("X-Rewrite-URL", "/v1/agents"), ("Via", "1.1 a.example")),
    *(
        ("X-HTTP-Method-Override", "DELETE"),
        ("X-HTTP-Method", "POST"),
        ("X-Method-Override", "PUT"),
    ),
    ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    *(("X-Request-Id", "mine-0000"), ("X-Correlation-Id", "mine"), ("X-Api-Version", "2")),
    *(("User-Agent", "Mozilla/5.0"), ("User-Agent", ""), ("X-Debug", "true"), ("X-Test", "1")),
    *(("Prefer", "return=minimal"), ("Prefer", "respond-async"), ("Prefer", "handling=strict")),
    *(
        ("From", "a@b.example"),
        ("Upgrade-Insecure-Requests", "1"),
        ("Save-Data", "on"),
        ("DNT", "1"),
    ),
    ("X-Filler", "x" * 4000),
)
ON_READS: Final = (
    *(
        ("Idempotency-Key", "of-a-read"),
        ("Idempotency-Key", "two words"),
        ("Content-Encoding", "gzip"),
    ),
    *(
        ("Content-Type", "text/plain"),
        ("Content-Type", "application/json"),
        ("Content-Language", "ky"),
    ),
)
QUERIES: Final = (
    *(
        "?",
        "?x",
        "?x=1",
        "?x=1&x=2",
        "?=",
        "?&&",
        "?debug=true",
        "?format=xml",
        "?callback=f",
        "?%00",
    ),
    *(
        "?_method=DELETE",
        "?phone=%2B12025550100",
        "?status=busy",
        "?agent=nobody",
        "?call_id=x",
        "?%ff",
    ),
    *("?access_token=wrong", "?limit=0", "?fields=call_id", "?x=" + "y" * 2000, "?a[]=1", "?a;b"),
)
REQUEST_LIKE: Final = b"GET /v1/no-such-path HTTP/1.1\r\nHost: a.example\r\n\r\n"
METHODS: Final = (
    *(
        "ACL",
        "BASELINE-CONTROL",
        "BIND",
        "CHECKIN",
        "CHECKOUT",
        "COPY",
        "DELETE",
        "GET",
        "LABEL",
        "LINK",
    ),
    *("LOCK", "MERGE", "MKACTIVITY", "MKCALENDAR", "MKCOL", "MKREDIRECTREF", "MKWORKSPACE", "MOVE"),
    *("OPTIONS", "ORDERPATCH", "PATCH", "POST", "PROPFIND", "PROPPATCH", "PUT", "QUERY", "REBIND"),
    *("REPORT", "SEARCH", "TRACE", "UNBIND", "UNCHECKOUT", "UNLINK", "UNLOCK", "UPDATE"),
    *("UPDATEREDIRECTREF", "VERSION-CONTROL", "get", "post", "FOO"),
)
"""The IANA registry of methods, without those that mean a tunnel or another protocol."""

_OF_ITS_EXCHANGE: Final = ("date", "x-request-id", "connection", "vary", "keep-alive", "server")
_CALL_ID: Final = re.compile(rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@check(Needs.READ)
def irrelevant_headers_change_nothing(api: Api) -> None:
    """A response is the same under every header that the contract does not name."""
    for sent, what in _requests(api):
        expected = _comparable(api.send(sent))
        reads = ON_READS if sent.method == "GET" else ()
        for header in api.some((*HEADERS, *reads)):
            changed = replace(sent, headers=(*sent.headers, header))
            _must_equal(
                api, changed, expected, f"{what} is sent with {header[0]}: {header[1][:40]}"
            )


@check(Needs.READ)
def validators_of_a_cache_change_nothing(api: Api) -> None:
    """A response says nothing that lets a later one be left out, or keeps no promise by it."""
    for sent, what in _requests(api):
        response = api.send(sent)
        expected = _comparable(response)
        for name, condition in (("etag", "If-None-Match"), ("last-modified", "If-Modified-Since")):
            for value in response.values(name):
                changed = replace(sent, headers=(*sent.headers, (condition, value)))
                _must_equal(api, changed, expected, f"{what} is sent with its own {name}")


@check(Needs.READ)
def irrelevant_queries_change_nothing(api: Api) -> None:
    """A query that the contract does not name is ignored, whatever it says."""
    for sent, what in _requests(api):
        expected = _comparable(api.send(sent))
        for query in api.some(QUERIES):
            changed = replace(sent, target=sent.target + query)
            _must_equal(api, changed, expected, f"{what} is sent with {query[:30]}")


@check(Needs.SANDBOX)
def body_of_a_read_changes_nothing(api: Api) -> None:
    """A body of a GET is ignored, as JSON, as no JSON, in chunks, and as a request of its own."""
    for sent, what in _requests(api):
        if sent.method != "GET":
            continue
        expected = _comparable(api.send(sent))
        for body in (b"", b"{}", b"{", b"\xff", b"x" * 10_000, REQUEST_LIKE):
            for chunked in (False, True):
                changed = replace(sent, body=body, chunked=chunked)
                _must_equal(api, changed, expected, f"{what} is sent with the body {body[:20]!r}")


@check(Needs.READ)
def http_1_0_is_answered_alike(api: Api) -> None:
    """A request in HTTP/1.0 gets the same response."""
    for sent, what in _requests(api):
        expected = _comparable(api.send(sent))
        _must_equal(api, replace(sent, version="1.0"), expected, f"{what} is sent in HTTP/1.0")


@check(Needs.SANDBOX)
def connection_survives_every_error(api: Api) -> None:
    """Over one connection the response after an error is that of the next request, to the end."""
    reading = SentRequest("GET", "/v1/agents", (("Authorization", f"Bearer {api.key}"),))
    expected = _comparable(api.send(reading))
    for what, wrong in _wrong_requests(api):
        for chunked in (False, True):
            if chunked and wrong.body is None:
                continue
            responses = api.send_in_turn([replace(wrong, chunked=chunked), reading, reading])
            for response in responses[1:]:
                must(
                    _comparable(response) == expected,
                    f"After {what} the next request over the same connection is answered wrongly.",
                    response,
                )


@check(Needs.READ)
def every_method_is_told_apart(api: Api) -> None:
    """Every method that a path does not take is 405, and `Allow` lists what the path takes."""
    allowed: dict[str, set[str]] = {}
    for _, operation in operations(api):
        methods = {"GET", "HEAD"} if operation.method == "GET" else {operation.method}
        allowed.setdefault(operation.path, set()).update(methods)
    signed = ("Authorization", f"Bearer {api.key}")
    for _, operation in operations(api):
        methods = allowed.pop(operation.path, set())
        for method in api.some(METHODS):
            sent = SentRequest(method, path_of(operation), (signed,))
            if not methods or method in methods or not api.target.guard.allows(sent):
                continue
            response = api.send(sent)
            when = f"{method} {operation.path} is sent"
            must_be(response, 405, "method_not_allowed", when=when)
            found = {one.strip() for one in (response.header("allow") or "").split(",")}
            must(
                found == methods,
                f"When {when}, Allow must list {', '.join(sorted(methods))}, "
                f"but it lists {', '.join(sorted(found))}.",
                response,
            )


@check(Needs.READ)
def paths_are_compared_letter_by_letter(api: Api) -> None:
    """A path that differs in one letter, slash, dot or blank is another path: 404."""
    for contract, operation in operations(api):
        whole = path_of(operation)
        for changed in api.some(_other_paths(whole)):
            if _is_a_path(api, contract, operation.method, changed):
                continue
            sent = request_of(api, operation, path=changed)
            if api.target.guard.allows(sent):
                must_be(api.send(sent), 404, when=f"{changed[:60]} is in the place of {whole[:60]}")


def _requests(api: Api) -> Iterator[tuple[SentRequest, str]]:
    """Requests that end with each kind of response, and what each is."""
    for _, operation in operations(api):
        if operation.parameters and operation.path.startswith("/sandbox/journal"):
            continue  # its content grows with each request
        if operation.operation_id in ("listAgents", "getCall", "callCompleted", "listScenarios"):
            sent = request_of(api, operation)
            if operation.operation_id == "getCall" and api.target.guard.is_sandbox:
                sent = request_of(
                    api, operation, path=f"{CALLS_PATH}/{api.target.catalogue.sample.call_id}"
                )
            yield sent, operation.operation_id
    signed = ("Authorization", f"Bearer {api.key}")
    yield SentRequest("GET", "/v1/agents", (("Authorization", "Bearer wrong"),)), "a wrong token"
    yield SentRequest("GET", "/v1/no-such-path", (signed,)), "a wrong path"
    if api.target.guard.is_sandbox:
        yield SentRequest("POST", CALLS_PATH, (signed, JSON), as_json(api.new_call())), "createCall"
        yield SentRequest("POST", CALLS_PATH, (signed, JSON), b"{}"), "an empty creation"


def _wrong_requests(api: Api) -> Iterator[tuple[str, SentRequest]]:
    signed = ("Authorization", f"Bearer {api.key}")
    call = as_json(api.new_call())
    limit = api.target.contract.operations["callCompleted"].body
    assert limit is not None
    yield from (
        ("a missing token", SentRequest("POST", CALLS_PATH, (JSON,), call)),
        ("a wrong path", SentRequest("POST", "/v1/nowhere", (signed, JSON), call)),
        ("a wrong method", SentRequest("PUT", CALLS_PATH, (signed, JSON), call)),
        ("a wrong media type", SentRequest("POST", CALLS_PATH, (signed,), call)),
        ("no JSON", SentRequest("POST", CALLS_PATH, (signed, JSON), call[:-1])),
        ("a wrong field", SentRequest("POST", CALLS_PATH, (signed, JSON), b"{}")),
        ("a body like a request", SentRequest("POST", CALLS_PATH, (signed, JSON), REQUEST_LIKE)),
        ("a call", SentRequest("POST", CALLS_PATH, (signed, JSON), call)),
        ("a read with a body", SentRequest("GET", "/v1/agents", (signed,), REQUEST_LIKE)),
        ("HEAD", SentRequest("HEAD", "/v1/agents", (signed,))),
        ("a preference", SentRequest("GET", "/v1/agents", (signed, ("Prefer", "code=503")))),
        (
            "a body over the limit",
            SentRequest("POST", WEBHOOK_PATH, (signed, JSON), b" " * (limit.max_bytes + 1)),
        ),
    )


def _other_paths(path: str) -> Iterator[str]:
    yield path.upper()
    yield path.capitalize()
    yield path[:-1] + (path[-1].upper() if path[-1].islower() else path[-1].lower())
    first, *rest = path[1:].split("/")
    yield "/" + "/".join([first.upper(), *rest])
    for suffix in (
        "/",
        "//",
        "/.",
        "/..",
        ".",
        ".json",
        "%20",
        "%00",
        "%2F",
        "%0A",
        "%3F",
        ";a=b",
        "/x",
        "_",
    ):
        yield path + suffix
    yield "/" + path
    yield "/." + path
    yield "/x/.." + path
    yield path.replace("/", "//", 2)[1:]
    yield path[0] + path[1:].replace("/", "%2F", 1)
    yield path.replace("-", "_")
    yield path[:-1]
    yield path + path[-1]
    yield path[:2] + path[3:]


def _is_a_path(api: Api, contract: Contract, method: str, path: str) -> bool:
    """Whether an operation may be meant: a call_id is taken in any case."""
    segments = path.lower().split("/")
    for operation in contract.operations.values():
        template = operation.path.split("/")
        original = path.split("/")
        if len(template) == len(segments) and all(
            one.startswith("{") or one == other
            for one, other in zip(template, original, strict=True)
        ):
            return True
    return False


def _must_equal(api: Api, sent: SentRequest, expected: Any, when: str) -> None:
    if not api.target.guard.allows(sent):
        return
    response = api.send(sent)
    found = _comparable(response)
    for name, one, other in zip(("status", "headers", "body"), expected, found, strict=True):
        must(
            one == other,
            f"When {when}, the response must be the same, but its {name} differs: "
            f"{str(other)[:80]} in the place of {str(one)[:80]}.",
            response,
        )


def _comparable(response: ReceivedResponse) -> tuple[int, Any, bytes]:
    """What must be equal of two responses to one request."""
    headers = sorted(
        (name, _CALL_ID.sub(b"ID", value.encode("latin-1")))
        for name, value in response.headers
        if name not in _OF_ITS_EXCHANGE and not name.startswith("access-control-")
    )
    body = response.body
    for request_id in response.values("x-request-id"):
        body = body.replace(request_id.encode(), b"REQUEST")
    if response.status == 201:
        body = _CALL_ID.sub(b"ID", body)
    return response.status, headers, body
