"""Faults of what must not matter, written after the checks that generate their requests."""

from collections.abc import Callable
from typing import Any

from fault_injection import FaultyRequest, FaultyResponse
from faults.altering import put_problem
from faults.rows import (
    Alter,
    as_fault,
    has_header,
    read_path,
    respond,
)


def rejects(where: Callable[[FaultyRequest], Any], status: int, code: str) -> Alter:
    return respond(
        lambda request, response: response.status < 400 and where(request),
        lambda response: put_problem(response, code),
    )


_HEADERS, _QUERIES = "irrelevant_headers_change_nothing", "irrelevant_queries_change_nothing"
_METHODS, _PATHS = "every_method_is_told_apart", "paths_are_compared_letter_by_letter"


def header_says(name: str, text: bytes) -> Callable[[FaultyRequest], bool]:
    return lambda request: any(text in value for value in request.values(name))


def _empty(response: FaultyResponse) -> None:
    response.status, response.body = 204, b""


IRRELEVANT = [
    (
        _HEADERS,
        "accept_of_html_is_rejected",
        "A request that wants HTML is rejected.",
        rejects(header_says("accept", b"html"), 415, "unsupported_media_type"),
    ),
    (
        _HEADERS,
        "old_condition_gives_nothing",
        "A condition that is met gives 304.",
        respond(lambda q, r: q.values("if-modified-since"), lambda r: setattr(r, "status", 304)),
    ),
    (
        _HEADERS,
        "range_gives_a_part",
        "A range gives a part of the body.",
        respond(
            lambda q, r: q.values("range") and r.status == 200,
            lambda r: setattr(r, "body", r.body[:2]),
        ),
    ),
    (
        _HEADERS,
        "expectation_fails",
        "An Expect is rejected.",
        rejects(has_header("expect"), 400, "malformed_json"),
    ),
    (
        _HEADERS,
        "minimal_return_is_empty",
        "A preference for little returns nothing.",
        respond(lambda q, r: header_says("prefer", b"minimal")(q), _empty),
    ),
    (
        _HEADERS,
        "forwarded_host_is_told",
        "A forwarded host stands in the response.",
        respond(
            lambda q, r: q.values("x-forwarded-host"),
            lambda r: r.put("content-location", b"http://a.example/"),
        ),
    ),
    (
        _HEADERS,
        "own_request_id_is_kept",
        "The request id of a client is repeated.",
        respond(
            lambda q, r: q.values("x-correlation-id"), lambda r: r.put("x-correlation-id", b"mine")
        ),
    ),
    (
        _HEADERS,
        "foreign_origin_is_rejected",
        "A request from another origin is rejected.",
        rejects(header_says("origin", b"https"), 401, "invalid_token"),
    ),
    (
        _HEADERS,
        "language_changes_words",
        "The language of a client changes the response.",
        respond(
            lambda q, r: q.values("accept-language"), lambda r: r.put("content-language", b"ky")
        ),
    ),
    (
        _HEADERS,
        "idempotent_read_is_marked",
        "An Idempotency-Key on a read marks the response.",
        respond(
            lambda q, r: q.method == "GET" and q.values("idempotency-key"),
            lambda r: r.put("idempotent-replayed", b"true"),
        ),
    ),
    (
        _QUERIES,
        "unknown_query_is_rejected",
        "A query that is unknown is rejected.",
        rejects(lambda q: q.path.startswith("/v1") and b"debug" in q.query, 400, "malformed_json"),
    ),
    (
        _QUERIES,
        "callback_wraps_the_body",
        "A callback in the query wraps the body.",
        respond(
            lambda q, r: b"callback=" in q.query and r.status == 200,
            lambda r: setattr(r, "body", b"f(" + r.body + b")"),
        ),
    ),
    (
        _QUERIES,
        "token_of_the_query_counts",
        "A token in the query takes the place of the header's.",
        rejects(lambda q: b"access_token=wrong" in q.query, 401, "invalid_token"),
    ),
    (
        "body_of_a_read_changes_nothing",
        "body_of_a_read_is_rejected",
        "A read with a body is rejected.",
        rejects(lambda q: q.method == "GET" and q.body, 400, "malformed_json"),
    ),
    (
        _METHODS,
        "trace_is_answered",
        "TRACE is answered as GET.",
        lambda i: i.on_request(
            lambda q: setattr(q, "method", "GET") if q.method == "TRACE" else None
        ),
    ),
    (
        _METHODS,
        "small_letters_are_a_method",
        "A method in small letters is taken.",
        lambda i: i.on_request(
            lambda q: (
                setattr(q, "method", q.method.upper()) if q.method in ("get", "post") else None
            )
        ),
    ),
    (
        _METHODS,
        "unknown_method_is_not_found",
        "A method that nobody knows is 404.",
        respond(
            lambda q, r: q.method in ("MOVE", "COPY") and r.status == 405,
            lambda r: put_problem(r, "not_found"),
        ),
    ),
    (
        _METHODS,
        "search_is_allowed",
        "SEARCH is listed in Allow.",
        respond(
            lambda q, r: q.method == "SEARCH" and r.status == 405,
            lambda r: r.put(
                "allow", b"".join(v for k, v in r.headers if k == b"allow") + b", SEARCH"
            ),
        ),
    ),
    (
        _PATHS,
        "dot_after_a_path_is_dropped",
        "A dot after a path is dropped.",
        read_path(lambda p: p.rstrip(".")),
    ),
    (
        _PATHS,
        "parameters_of_a_path_are_dropped",
        "What follows a semicolon in a path is dropped.",
        read_path(lambda p: p.partition(";")[0]),
    ),
    (
        _PATHS,
        "blank_after_a_path_is_dropped",
        "A blank after a path is dropped.",
        read_path(str.rstrip),
    ),
    (
        _PATHS,
        "marks_of_a_path_are_alike",
        "An underscore in a path counts as a dash.",
        read_path(lambda p: p.replace("call_completed", "call-completed")),
    ),
    (
        _PATHS,
        "ending_of_a_path_is_dropped",
        "The ending .json of a path is dropped.",
        read_path(lambda p: p.removesuffix(".json")),
    ),
]

ROWS = [
    *(as_fault("irrelevant", *row) for row in IRRELEVANT),
]
