"""The fault matrix: faulty variants of the sandbox, one deliberate fault each.

A contract test earns its place by a fault that nothing else caught. Each fault names the check
that should catch it; CI runs that pair, and `make faults` runs everything against everything.
"""

import asyncio
import copy
import json
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace
from uuid_utils import UUID

from faulty import Ask, Reply, Workshop, plain_contract
from sandbox import calls, world
from sandbox.calls import Call, Result, Verdict
from sandbox.catalogue import read_catalogue
from sandbox.delivery import Deliverer
from sandbox.problems import PROBLEMS
from sandbox.provider import provider_call_id
from sandbox.scenarios import load_scenarios
from sandbox.store.protocol import IdempotencyKey, KeptCall
from sandbox.store.sqlite import SQLiteStore
from sandbox.verification.api import UNKNOWN_CALL_ID
from verifying import contracts

CALLS = "/v1/calls"
WEBHOOK = "/v1/webhooks/call-completed"


@dataclass(frozen=True)
class Fault:
    """One deliberate fault; `sentence` says what such a deployment does."""

    name: str
    category: str
    sentence: str
    caught_by: str
    alter: Callable[[Workshop], None]
    crashes: bool
    """Whether it shows itself as a 500. Any other fault that does is a bug of this file."""


FAULTS: dict[str, Fault] = {}


def fault(
    category: str, caught_by: str, *, crashes: bool = False
) -> Callable[[Callable[[Workshop], None]], Callable[[Workshop], None]]:
    def add(alter: Callable[[Workshop], None]) -> Callable[[Workshop], None]:
        name = alter.__name__
        assert name not in FAULTS, name
        assert alter.__doc__, name
        sentence = " ".join(alter.__doc__.split())
        FAULTS[name] = Fault(name, category, sentence, caught_by, alter, crashes)
        return alter

    return add


def is_call(ask: Ask) -> bool:
    return ask.method == "GET" and ask.path.startswith(f"{CALLS}/")


def is_service(ask: Ask) -> bool:
    return ask.path.startswith("/v1")


def change_answers(
    shop: Workshop, where: Callable[[Ask, Reply], bool], change: Callable[[Reply], None]
) -> None:
    shop.on_answer(lambda ask, reply: change(reply) if where(ask, reply) else None)


def change_json(
    shop: Workshop, where: Callable[[Ask, Reply], bool], change: Callable[[Any], Any]
) -> None:
    """`change` alters the decoded body in place, or returns another one."""

    def alter(reply: Reply) -> None:
        value = reply.json
        if value is not None:
            changed = change(value)
            reply.put_json(value if changed is None else changed)

    change_answers(shop, where, alter)


def of_problems(ask: Ask, reply: Reply) -> bool:
    return is_service(ask) and reply.status >= 400


def of_calls(ask: Ask, reply: Reply) -> bool:
    return is_call(ask) and reply.status == 200


def of_created(ask: Ask, reply: Reply) -> bool:
    return ask.path == CALLS and reply.status == 201


def schemas(change: Callable[[dict[str, Any]], None]) -> Callable[[dict[str, Any]], None]:
    return lambda document: change(document["components"]["schemas"])


def plain(status: int, text: str) -> Reply:
    """An answer as a framework gives it when the program inside breaks."""
    return Reply(
        status, [(b"content-type", b"text/plain"), (b"content-length", b"0")], text.encode()
    )


def is_posted(ask: Ask) -> bool:
    return is_service(ask) and ask.method == "POST"


def token_of(ask: Ask) -> bytes:
    return b"".join(ask.values("authorization"))


def lenient(body: bytes) -> Any:
    """The JSON of a body as a careless decoder reads it, `None` where even that finds none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def put_problem(reply: Reply, code: str) -> None:
    """Make a problem another one, whole: status, code, title and type."""
    problem = PROBLEMS[code]
    reply.status = problem.status
    if reply.body:
        document = reply.json | {"status": problem.status, "code": code}
        document |= {"title": problem.title, "type": problem.type}
        document.pop("errors", None)
        reply.put_json(document)


def become(shop: Workshop, status: int, code: str) -> None:
    """Answer one status of the service as another problem."""
    change_answers(
        shop,
        lambda ask, reply: of_problems(ask, reply) and reply.status == status,
        lambda reply: put_problem(reply, code),
    )


def crash_on(shop: Workshop, is_met: Callable[[bytes], bool]) -> None:
    """Break on certain bodies of the service."""

    def alter(ask: Ask) -> Reply | None:
        if is_posted(ask) and is_met(ask.body):
            return plain(500, "Internal Server Error")
        return None

    shop.on_request(alter)


def change_body(shop: Workshop, change: Callable[[dict[str, Any]], None]) -> None:
    """Let the sandbox read another object than was sent; `change` alters it in place."""

    def alter(body: bytes) -> bytes:
        value = lenient(body)
        if not isinstance(value, dict):
            return body
        before = repr(value)
        change(value)
        return body if repr(value) == before else json.dumps(value).encode()

    decode_first(shop, alter)


def change_reference(shop: Workshop, is_met: Callable[[Ask, str], bool]) -> None:
    """Let a completion be one of the newest call where its reference meets a condition."""
    alias = read_catalogue(contracts()[0]).newest_call_alias

    def alter(ask: Ask) -> None:
        value = lenient(ask.body) if ask.path == WEBHOOK else None
        if isinstance(value, dict) and is_met(ask, str(value.get("provider_call_id"))):
            ask.body = json.dumps(value | {"provider_call_id": alias}).encode()
            ask.put("content-length", str(len(ask.body)).encode())

    shop.on_request(alter)


def remember_calls(shop: Workshop, remember: Callable[[bytes, Call], Any]) -> None:
    """Be told of each call that is saved, with its namespace."""

    async def created(original: Any, namespace: bytes, call: Call, **more: Any) -> Any:
        kept = await original(namespace, call, **more)
        if kept is None:
            remember(namespace, call)
        return kept

    shop.store("create_call", created)


def owners_of_calls(shop: Workshop) -> dict[str, bytes]:
    """Whose token created a call, by the provider's id of the call."""
    owners: dict[str, bytes] = {}

    def alter(ask: Ask, reply: Reply) -> None:
        if of_created(ask, reply):
            owners[provider_call_id(UUID(reply.json["call_id"]))] = token_of(ask)

    shop.on_answer(alter)
    return owners


def show_results(shop: Workshop, choose: Callable[[Result, Result], Result]) -> set[UUID]:
    """Show of two results of one call the chosen one; fill the set to limit that to its calls."""
    results: dict[UUID, Result] = {}
    only: set[UUID] = set()

    async def saved(
        original: Any, namespace: bytes, call_id: UUID, result: Result, **m: Any
    ) -> Any:
        results[call_id] = choose(results.get(call_id, result), result)
        await original(namespace, call_id, result, **m)
        return True

    async def shown(read: Any, namespace: bytes, call_id: UUID) -> Any:
        found = await read(namespace, call_id)
        if found is None or call_id not in results or (only and call_id not in only):
            return found
        return replace(found, result=results[call_id])

    shop.store("complete_call", saved)
    shop.read_calls(shown)
    return only


def refuse_retries(shop: Workshop, is_other: Callable[[Ask, Ask], bool]) -> None:
    """Answer 409 to a creation whose Idempotency-Key was first sent with another one."""
    firsts: dict[bytes, Ask] = {}

    def alter(ask: Ask) -> None:
        for key in ask.values("idempotency-key"):
            first = firsts.setdefault(token_of(ask) + key, copy.copy(ask))
            if is_other(first, ask):
                ask.put("prefer", b"code=409")

    shop.on_request(alter)


# Transport


@fault("transport", "trailing_slash_is_404")
def trailing_slash_is_ignored(shop: Workshop) -> None:
    """A path with a trailing slash is served like one without."""

    def strip(ask: Ask) -> None:
        if is_service(ask):
            ask.path = ask.path.rstrip("/")

    shop.on_request(strip)


@fault("transport", "creation_with_trailing_slash_is_404")
def trailing_slash_redirects(shop: Workshop) -> None:
    """A POST to a path with a trailing slash is redirected with 307."""

    def redirect(ask: Ask) -> Reply | None:
        if ask.path == f"{CALLS}/" and ask.method == "POST":
            return Reply(307, [(b"location", CALLS.encode()), (b"content-length", b"0")], b"")
        return None

    shop.on_request(redirect)


@fault("transport", "path_is_taken_letter_by_letter")
def path_ignores_case(shop: Workshop) -> None:
    """Paths are matched without regard to case."""

    def lower(ask: Ask) -> None:
        if ask.path.lower() == "/v1/agents":
            ask.path = "/v1/agents"

    shop.on_request(lower)


@fault("transport", "path_is_taken_letter_by_letter")
def double_slash_is_merged(shop: Workshop) -> None:
    """Two slashes count as one."""

    def merge(ask: Ask) -> None:
        ask.path = re.sub("//+", "/", ask.path)

    shop.on_request(merge)


@fault("transport", "head_is_get_without_a_body")
def head_is_refused(shop: Workshop) -> None:
    """HEAD is a wrong method."""

    def alter(ask: Ask) -> None:
        if ask.method == "HEAD":
            ask.method = "TRACE"

    shop.on_request(alter)


@fault("transport", "head_is_get_without_a_body")
def head_has_no_length(shop: Workshop) -> None:
    """HEAD says that the body would be empty."""
    change_answers(
        shop, lambda ask, _: ask.method == "HEAD", lambda r: r.put("content-length", b"0")
    )


@fault("transport", "head_is_get_without_a_body")
def head_is_always_200(shop: Workshop) -> None:
    """HEAD of a call that does not exist is 200."""

    def alter(ask: Ask, reply: Reply) -> None:
        if ask.method == "HEAD" and reply.status == 404:
            reply.status = 200
            reply.put("content-type", b"application/json")

    shop.on_answer(alter)


@fault("transport", "wrong_method_is_405_with_allow")
def allow_is_missing(shop: Workshop) -> None:
    """A 405 does not say which methods the path takes."""
    change_answers(shop, lambda _, r: r.status == 405, lambda r: r.put("allow", None))


@fault("transport", "wrong_method_is_405_with_allow")
def allow_lists_everything(shop: Workshop) -> None:
    """A 405 lists the same methods for every path."""
    change_answers(
        shop,
        lambda _, r: r.status == 405,
        lambda r: r.put("allow", b"DELETE, GET, HEAD, PATCH, POST, PUT"),
    )


@fault("transport", "other_methods_are_405")
def allow_forgets_head(shop: Workshop) -> None:
    """A 405 of a path that takes GET does not list HEAD."""
    change_answers(
        shop, lambda _, r: r.values("allow") == [b"GET, HEAD"], lambda r: r.put("allow", b"GET")
    )


@fault("transport", "wrong_method_is_405_with_allow")
def wrong_method_is_404(shop: Workshop) -> None:
    """A wrong method is answered as an unknown path."""
    become(shop, 405, "not_found")


@fault("transport", "other_methods_are_405")
def options_is_answered(shop: Workshop) -> None:
    """OPTIONS is answered 204 by a cross-origin layer."""
    shop.on_request(
        lambda ask: (
            Reply(
                204, [(b"access-control-allow-origin", b"*"), (b"x-request-id", b"cors-layer")], b""
            )
            if ask.method == "OPTIONS"
            else None
        )
    )


@fault("transport", "unknown_path_is_404")
def unknown_path_is_plain_text(shop: Workshop) -> None:
    """An unknown path is answered by the framework in plain text."""

    def alter(ask: Ask, reply: Reply) -> None:
        if reply.status == 404 and b'"not_found"' in reply.body:
            reply.put("content-type", b"text/plain")
            reply.body = b"Not Found"

    shop.on_answer(alter)


@fault("transport", "unknown_path_is_404")
def unknown_path_asks_for_a_token(shop: Workshop) -> None:
    """An unknown path without a token is 401."""

    def alter(ask: Ask, reply: Reply) -> None:
        if of_problems(ask, reply) and not ask.values("authorization") and reply.status == 404:
            put_problem(reply, "missing_token")
            reply.put("www-authenticate", b"Bearer")

    shop.on_answer(alter)


@fault("transport", "size_is_limited_however_it_is_declared")
def chunked_body_has_no_limit(shop: Workshop) -> None:
    """The size is limited by Content-Length alone."""
    most = plain_contract()["paths"][WEBHOOK]["post"]["requestBody"]["x-max-body-bytes"]
    limit(shop, 10**9)

    def alter(ask: Ask) -> None:
        if int((ask.values("content-length") or [b"0"])[0]) > most:
            ask.put("prefer", b"code=413")

    shop.on_request(alter)


def limit(shop: Workshop, most: int) -> None:
    def change(document: dict[str, Any]) -> None:
        for path in (CALLS, WEBHOOK):
            document["paths"][path]["post"]["requestBody"]["x-max-body-bytes"] = most

    shop.contract(change)


@fault("transport", "size_is_limited_however_it_is_declared")
def body_has_no_limit(shop: Workshop) -> None:
    """A body of any size is read."""
    limit(shop, 10**9)


@fault("transport", "body_at_the_limit_is_read")
def limit_is_off_by_one(shop: Workshop) -> None:
    """A body of exactly the limit is too large."""
    limit(shop, 1024 * 1024 - 1)


@fault("transport", "longest_completion_is_accepted")
def limit_is_too_low(shop: Workshop) -> None:
    """The size limit lies below the largest body that the schema allows."""
    limit(shop, 256 * 1024)


@fault("transport", "size_is_limited_however_it_is_declared")
def too_large_is_400(shop: Workshop) -> None:
    """A body that is too large is 400 malformed_json."""
    become(shop, 413, "malformed_json")


@fault("transport", "refusals_come_in_order")
def size_is_looked_at_before_the_type(shop: Workshop) -> None:
    """A wrong media type is only noticed after the body was decoded."""

    def alter(ask: Ask) -> None:
        if is_posted(ask) and lenient(ask.body) is None:
            ask.put("content-type", b"application/json")

    shop.on_request(alter)


def answer_instead(
    shop: Workshop, where: Callable[[Ask], bool], status: int, *headers: tuple[bytes, bytes]
) -> None:
    """Answer some requests without asking the sandbox, as a layer before it would."""
    kept = [(b"content-length", b"0"), (b"x-request-id", b"req_of_a_layer_before"), *headers]
    shop.on_request(lambda ask: Reply(status, list(kept), b"") if where(ask) else None)


@fault("transport", "conditions_and_wishes_change_nothing")
def range_is_served(shop: Workshop) -> None:
    """A request with Range gets a part of the answer."""

    def alter(ask: Ask, reply: Reply) -> None:
        if ask.values("range") and reply.status == 200:
            reply.status, reply.body = 206, reply.body[:2]

    shop.on_answer(alter)


@fault("transport", "conditions_and_wishes_change_nothing")
def condition_is_answered(shop: Workshop) -> None:
    """A request with If-None-Match: * is 304."""
    answer_instead(shop, lambda ask: ask.values("if-none-match") == [b"*"], 304)


@fault("transport", "conditions_and_wishes_change_nothing")
def other_media_types_are_406(shop: Workshop) -> None:
    """A request that accepts only HTML is 406."""
    answer_instead(shop, lambda ask: ask.values("accept") == [b"text/html"], 406)


@fault("transport", "method_is_that_of_the_request")
def method_is_overridden(shop: Workshop) -> None:
    """X-HTTP-Method-Override makes another method of a request."""

    def alter(ask: Ask) -> None:
        for value in ask.values("x-http-method-override"):
            ask.method = value.decode()

    shop.on_request(alter)


@fault("transport", "agents_are_those_of_the_contract")
def content_type_is_sent_twice(shop: Workshop) -> None:
    """Two Content-Type headers stand in an answer."""
    change_answers(
        shop,
        lambda ask, _: is_service(ask),
        lambda r: r.headers.append((b"content-type", b"text/html")),
    )


@fault("transport", "agents_are_those_of_the_contract")
def answers_are_cut(shop: Workshop) -> None:
    """The last byte of an answer is lost on the way."""
    change_answers(
        shop,
        lambda ask, r: is_service(ask) and r.status == 200,
        lambda r: setattr(r, "body", r.body[:-1]),
    )


# JSON


def decode_first(shop: Workshop, change: Callable[[bytes], bytes]) -> None:
    """Let the sandbox read another body than was sent."""

    def alter(ask: Ask) -> None:
        if is_posted(ask):
            ask.body = change(ask.body)
            if ask.values("content-length"):
                ask.put("content-length", str(len(ask.body)).encode())

    shop.on_request(alter)


@fault("json", "keys_given_twice_are_400")
def duplicate_keys_are_taken(shop: Workshop) -> None:
    """Of a key that is given twice the last value counts."""

    def change(body: bytes) -> bytes:
        is_given_twice = False

        def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
            nonlocal is_given_twice
            is_given_twice |= len(dict(pairs)) < len(pairs)
            return dict(pairs)

        try:
            value = json.loads(body, object_pairs_hook=members)
        except (ValueError, RecursionError):
            return body
        return json.dumps(value).encode() if is_given_twice else body

    decode_first(shop, change)


@fault("json", "numbers_out_of_range_are_refused")
def constants_are_taken(shop: Workshop) -> None:
    """NaN and Infinity are read as numbers."""
    decode_first(shop, lambda body: re.sub(rb":-?(NaN|Infinity)", b":1e9", body))


@fault("json", "numbers_out_of_range_are_refused", crashes=True)
def endless_numerals_crash(shop: Workshop) -> None:
    """A numeral of thousands of digits ends in a 500."""
    crash_on(shop, lambda body: re.search(rb"[0-9]{4301}", body) is not None)


@fault("json", "body_that_is_not_utf8_is_400", crashes=True)
def invalid_utf8_crashes(shop: Workshop) -> None:
    """A body that is not UTF-8 ends in a 500."""

    def is_broken(body: bytes) -> bool:
        try:
            body.decode()
        except UnicodeDecodeError:
            return True
        return False

    crash_on(shop, is_broken)


@fault("json", "completion_that_is_not_strict_json_ends_no_call")
def invalid_utf8_is_mended(shop: Workshop) -> None:
    """Bytes that are not UTF-8 are replaced and the body is taken."""
    decode_first(shop, lambda body: body.decode("utf-8", "replace").encode())


@fault("json", "body_that_is_not_utf8_is_400")
def byte_order_mark_is_taken(shop: Workshop) -> None:
    """A byte order mark is skipped."""
    decode_first(shop, lambda body: body.removeprefix(b"\xef\xbb\xbf"))


@fault("json", "body_that_is_not_utf8_is_400")
def utf16_is_taken(shop: Workshop) -> None:
    """The encoding of the body is guessed, as Python's own decoder does."""

    def change(body: bytes) -> bytes:
        try:
            return body.decode(json.detect_encoding(body)).encode()
        except UnicodeDecodeError:
            return body

    decode_first(shop, change)


@fault("json", "half_a_surrogate_pair_is_400")
def lone_surrogates_are_taken(shop: Workshop) -> None:
    """Half of a surrogate pair is taken for a character that cannot be shown."""
    decode_first(
        shop,
        lambda body: re.sub(rb"\\ud[89a-f][0-9a-f]{2}(?!\\ud[c-f])", rb"\\ufffd", body),
    )


@fault("json", "half_a_surrogate_pair_is_400", crashes=True)
def lone_surrogates_crash(shop: Workshop) -> None:
    """Half of a surrogate pair ends in a 500, because the text cannot be saved."""

    def cannot_be_saved(body: bytes) -> bool:
        text = json.dumps(lenient(body), ensure_ascii=False)
        return re.search("[\ud800-\udfff]", text) is not None

    crash_on(shop, cannot_be_saved)


@fault("json", "nesting_without_end_is_400", crashes=True)
def deep_nesting_crashes(shop: Workshop) -> None:
    """A body nested without end ends in a 500."""
    crash_on(shop, lambda body: body.count(b"[") + body.count(b"{") > 1000)


@fault("json", "malformed_completion_is_400")
def rest_of_the_body_is_ignored(shop: Workshop) -> None:
    """What follows the first JSON value is ignored."""

    def change(body: bytes) -> bytes:
        try:
            text = body.decode().lstrip()
            return text[: json.JSONDecoder().raw_decode(text)[1]].encode()
        except (ValueError, RecursionError):
            return body

    decode_first(shop, change)


@fault("json", "malformed_completion_is_400")
def empty_body_is_an_object(shop: Workshop) -> None:
    """No body at all is taken for an empty object."""
    decode_first(shop, lambda body: body or b"{}")


@fault("json", "completion_that_is_not_strict_json_ends_no_call")
def trailing_commas_are_taken(shop: Workshop) -> None:
    """A comma before a closing brace is skipped."""
    decode_first(shop, lambda body: re.sub(rb",\s*}", b"}", body))


@fault("json", "creation_is_held_to_json")
def comments_are_taken(shop: Workshop) -> None:
    """Comments in JSON are skipped."""
    decode_first(shop, lambda body: re.sub(rb"//[^\n\"]*$", b"", body))


@fault("json", "whole_numbers_are_integers")
def durations_are_floats(shop: Workshop) -> None:
    """A duration of 12 is returned as 12.0."""

    def change(call: dict[str, Any]) -> dict[str, Any]:
        seconds = call["duration"]
        return call | {"duration": None if seconds is None else float(seconds)}

    change_json(shop, of_calls, change)


@fault("json", "whole_numbers_are_integers")
def whole_floats_are_refused(shop: Workshop) -> None:
    """12.0 is refused as no integer."""
    decode_first(shop, lambda body: re.sub(rb'("duration":)([0-9]+[.e][0-9e-]+)', rb'\1"\2"', body))


@fault("json", "completions_of_a_wrong_form_are_422")
def fractions_are_cut(shop: Workshop) -> None:
    """A duration of 1.5 is taken as 1."""
    decode_first(shop, lambda body: re.sub(rb'("duration":[0-9]+)\.[0-9]+', rb"\1", body))


@fault("json", "completions_of_a_wrong_form_are_422")
def numbers_in_quotes_are_taken(shop: Workshop) -> None:
    """A duration of "120" is taken as 120."""
    decode_first(shop, lambda body: re.sub(rb'("duration":\s*)"(\d+)"', rb"\1\2", body))


@fault("json", "completions_of_a_wrong_form_are_422")
def true_is_a_number(shop: Workshop) -> None:
    """A duration of true is taken as 1."""
    decode_first(shop, lambda body: re.sub(rb'("duration":\s*)true', rb"\g<1>1", body))


@fault("json", "body_of_another_kind_is_422", crashes=True)
def body_that_is_no_object_crashes(shop: Workshop) -> None:
    """A body that is JSON but no object ends in a 500."""
    crash_on(shop, lambda body: not isinstance(lenient(body), dict | None))


@fault("json", "escapes_are_read")
def escapes_are_kept(shop: Workshop) -> None:
    """An escaped slash keeps its backslash."""
    decode_first(shop, lambda body: body.replace(rb"\/", rb"\\/"))


@fault("json", "text_survives_the_round_trip")
def brackets_in_text_count_as_nesting(shop: Workshop) -> None:
    """A transcript with many brackets is refused as nested too deep."""
    decode_first(shop, lambda body: b"{" if 50 < body.count(b"[") < 200 else body)


@fault("json", "numbers_are_not_rounded")
def whole_by_rounding_is_taken(shop: Workshop) -> None:
    """A duration of 12.00000000000000000001 is taken as 12."""

    def change(value: dict[str, Any]) -> None:
        seconds = value.get("duration")
        if isinstance(seconds, float) and seconds.is_integer():
            value["duration"] = int(seconds)

    change_body(shop, change)


@fault("json", "numbers_are_not_rounded", crashes=True)
def huge_exponents_crash(shop: Workshop) -> None:
    """An exponent of twenty digits ends in a 500."""
    crash_on(shop, lambda body: re.search(rb"[0-9]e[0-9]{20}", body) is not None)


@fault("json", "numbers_out_of_range_are_refused")
def endless_fractions_are_read(shop: Workshop) -> None:
    """A fraction of thousands of digits is read to its end."""
    decode_first(shop, lambda body: re.sub(rb"\.0{1000,}", b".0", body))


# Media type


def content_types(shop: Workshop, pattern: bytes) -> None:
    """Let another pattern say which Content-Type is JSON."""
    is_json = re.compile(pattern, re.IGNORECASE)

    def change(values: list[bytes]) -> bytes | None:
        if len(values) != 1:
            return None
        return b"application/json" if is_json.fullmatch(values[0]) else b"text/plain"

    rewrite_type(shop, change)


def rewrite_type(shop: Workshop, change: Callable[[list[bytes]], bytes | None]) -> None:
    def alter(ask: Ask) -> None:
        if is_service(ask) and ask.method == "POST":
            value = change(ask.values("content-type"))
            if value is not None:
                ask.put("content-type", value)

    shop.on_request(alter)


@fault("media type", "media_types_are_told_apart")
def any_type_is_taken(shop: Workshop) -> None:
    """A body of any media type is read as JSON."""
    content_types(shop, b".*")


@fault("media type", "missing_media_type_is_415")
def missing_type_is_json(shop: Workshop) -> None:
    """A body without Content-Type is read as JSON."""
    rewrite_type(shop, lambda values: None if values else b"application/json")


@fault("media type", "missing_media_type_is_415")
def first_of_two_types_counts(shop: Workshop) -> None:
    """Of two Content-Type headers the first counts."""
    rewrite_type(shop, lambda values: values[0] if len(values) > 1 else None)


@fault("media type", "media_types_are_told_apart")
def every_kind_of_json_is_taken(shop: Workshop) -> None:
    """JSON Patch and everything else that starts like JSON is taken."""
    content_types(shop, rb"application/json.*")


@fault("media type", "media_types_are_told_apart")
def charset_is_ignored(shop: Workshop) -> None:
    """A body in another charset is read as UTF-8."""
    content_types(shop, rb"application/json\s*(;.*)?")


@fault("media type", "media_types_are_told_apart")
def suffix_json_is_taken(shop: Workshop) -> None:
    """A media type with the suffix +json is taken."""
    content_types(shop, rb"application/(json|[a-z.-]+\+json)")


@fault("media type", "media_types_are_told_apart")
def forms_are_taken(shop: Workshop) -> None:
    """A form's media type is taken."""
    content_types(shop, rb"application/(json|x-www-form-urlencoded)(; *charset=utf-8)?")


@fault("media type", "json_is_recognised_however_it_is_written")
def charset_utf8_is_refused(shop: Workshop) -> None:
    """`application/json; charset=utf-8` is refused."""
    content_types(shop, rb"application/json")


@fault("media type", "json_is_recognised_however_it_is_written")
def type_is_compared_in_lower_case(shop: Workshop) -> None:
    """`Application/JSON` is refused."""
    rewrite_type(
        shop,
        lambda values: b"text/plain" if values and not values[0].startswith(b"app") else None,
    )


@fault("media type", "compressed_body_is_415")
def content_encoding_is_ignored(shop: Workshop) -> None:
    """A body under Content-Encoding is read as if it were not compressed."""

    def alter(ask: Ask) -> None:
        ask.put("content-encoding", None)

    shop.on_request(alter)


@fault("media type", "success_is_plain_json")
def success_is_text(shop: Workshop) -> None:
    """A success says that it is text/plain."""
    change_answers(
        shop,
        lambda ask, r: is_service(ask) and r.status < 300,
        lambda r: r.put("content-type", b"text/plain"),
    )


@fault("media type", "unknown_call_is_404")
def problem_is_plain_json(shop: Workshop) -> None:
    """A problem says that it is application/json."""
    change_answers(shop, of_problems, lambda r: r.put("content-type", b"application/json"))


@fault("media type", "media_types_are_told_apart")
def wrong_type_is_400(shop: Workshop) -> None:
    """A wrong media type is answered 400."""
    become(shop, 415, "malformed_json")


# Tokens


def authorize(shop: Workshop, change: Callable[[list[bytes]], list[bytes]]) -> None:
    """Let other headers decide who sends a request."""

    def alter(ask: Ask) -> None:
        values = change(ask.values("authorization"))
        ask.put("authorization", None)
        ask.headers += [(b"authorization", value) for value in values]

    shop.on_request(alter)


def sandbox_key(shop: Workshop, pattern: bytes) -> None:
    """Let another pattern say which token is good."""

    def change(values: list[bytes]) -> list[bytes]:
        return [
            b"Bearer sandbox_somebody" if re.fullmatch(b"Bearer " + pattern, value) else value
            for value in values
        ]

    authorize(shop, change)


@fault("auth", "missing_token_is_401")
def no_token_is_needed(shop: Workshop) -> None:
    """A request without a token is served."""
    authorize(shop, lambda values: values or [b"Bearer sandbox_nobody"])


@fault("auth", "wrong_tokens_are_401")
def any_token_is_accepted(shop: Workshop) -> None:
    """A token of any form is accepted."""
    sandbox_key(shop, rb"[A-Za-z0-9._~+/-]+=*")


@fault("auth", "wrong_tokens_are_401")
def start_of_the_token_decides(shop: Workshop) -> None:
    """Whatever starts like a good token is accepted."""
    sandbox_key(shop, rb"sandbox_[A-Za-z0-9_-]{4,64}.+")


@fault("auth", "wrong_tokens_are_401")
def short_tokens_are_accepted(shop: Workshop) -> None:
    """A token shorter than allowed is accepted."""
    sandbox_key(shop, rb"sandbox_[A-Za-z0-9_-]{0,3}")


@fault("auth", "wrong_tokens_are_401")
def long_tokens_are_accepted(shop: Workshop) -> None:
    """A token longer than allowed is accepted."""
    sandbox_key(shop, rb"sandbox_[A-Za-z0-9_-]{65,}")


@fault("auth", "wrong_tokens_are_401")
def token_ignores_case(shop: Workshop) -> None:
    """A token in capitals is accepted."""
    sandbox_key(shop, rb"SANDBOX_[A-Za-z0-9_-]{4,64}")


@fault("auth", "wrong_tokens_are_401")
def basic_is_accepted(shop: Workshop) -> None:
    """The scheme of Authorization is not looked at."""
    authorize(shop, lambda values: [re.sub(rb"^(Basic|Token) ", b"Bearer ", v) for v in values])


@fault("auth", "wrong_tokens_are_401")
def bare_token_is_accepted(shop: Workshop) -> None:
    """A token without a scheme is accepted."""
    authorize(shop, lambda values: [re.sub(rb"^(?=sandbox_)", b"Bearer ", v) for v in values])


@fault("auth", "bearer_is_written_in_any_case")
def bearer_must_be_capitalized(shop: Workshop) -> None:
    """`bearer` in lower case is refused."""
    authorize(shop, lambda values: [re.sub(rb"^bearer ", b"no-bearer ", v) for v in values])


@fault("auth", "token_given_twice_is_401")
def first_of_two_tokens_counts(shop: Workshop) -> None:
    """Of two Authorization headers the first counts."""
    authorize(shop, lambda values: values[:1])


@fault("auth", "token_counts_in_its_header_alone")
def cookie_is_accepted(shop: Workshop) -> None:
    """A token in a cookie is accepted."""

    def alter(ask: Ask) -> None:
        for cookie in ask.values("cookie"):
            if match := re.search(rb"access_token=([^;]+)", cookie):
                ask.put("authorization", b"Bearer " + match[1])

    shop.on_request(alter)


@fault("auth", "webhook_needs_a_token")
def webhook_is_open(shop: Workshop) -> None:
    """The webhook takes completions without a token."""

    def alter(ask: Ask) -> None:
        if ask.path == WEBHOOK and not ask.values("authorization"):
            ask.put("authorization", b"Bearer sandbox_nobody")

    shop.on_request(alter)


@fault("auth", "refused_token_says_how_to_authenticate")
def challenge_is_missing(shop: Workshop) -> None:
    """A 401 carries no WWW-Authenticate."""
    change_answers(shop, lambda _, r: r.status == 401, lambda r: r.put("www-authenticate", None))


@fault("auth", "refused_token_says_how_to_authenticate")
def challenge_asks_for_basic(shop: Workshop) -> None:
    """A 401 asks for Basic, and browsers open a window."""
    change_answers(
        shop, lambda _, r: r.status == 401, lambda r: r.put("www-authenticate", b"Basic realm=x")
    )


@fault("auth", "wrong_tokens_are_401")
def wrong_token_is_403(shop: Workshop) -> None:
    """A wrong token is 403."""
    change_answers(shop, lambda _, r: r.status == 401, lambda r: setattr(r, "status", 403))


@fault("auth", "missing_token_is_401")
def missing_token_is_called_invalid(shop: Workshop) -> None:
    """A missing token has the code of a wrong one."""
    become(shop, 401, "invalid_token")


@fault("auth", "refused_token_says_how_to_authenticate")
def refusal_repeats_the_token(shop: Workshop) -> None:
    """A 401 shows the token that was sent."""

    def alter(ask: Ask, reply: Reply) -> None:
        if reply.status == 401 and ask.values("authorization") and reply.body:
            token = ask.values("authorization")[0].decode("latin-1")
            reply.put_json(reply.json | {"detail": f"The token {token[:200]} is not accepted."})

    shop.on_answer(alter)


@fault("auth", "refusals_come_in_order")
def body_is_looked_at_before_the_token(shop: Workshop) -> None:
    """A wrong body without a token is refused for the body."""

    def alter(ask: Ask) -> None:
        if is_posted(ask) and not ask.values("authorization") and not lenient(ask.body):
            ask.put("authorization", b"Bearer sandbox_nobody")

    shop.on_request(alter)


@fault("auth", "token_is_taken_from_nowhere_else")
def token_in_the_query_is_accepted(shop: Workshop) -> None:
    """A token in the query, which every log keeps, is accepted."""

    def alter(ask: Ask) -> None:
        if match := re.search(rb"access_token=([^&]+)", ask.query):
            ask.put("authorization", b"Bearer " + match[1])

    shop.on_request(alter)


@fault("auth", "token_is_taken_from_nowhere_else")
def api_key_header_is_accepted(shop: Workshop) -> None:
    """A token in X-Api-Key is accepted."""

    def alter(ask: Ask) -> None:
        for value in ask.values("x-api-key"):
            ask.put("authorization", b"Bearer " + value)

    shop.on_request(alter)


# Schema


@fault("schema", "fields_are_neither_guessed_nor_ignored")
def unknown_fields_are_ignored(shop: Workshop) -> None:
    """A creation with an unknown field is taken."""
    shop.contract(schemas(lambda s: s["NewCall"].update(additionalProperties=True)))


@fault("schema", "completion_needs_every_field")
def unknown_fields_of_completions_are_ignored(shop: Workshop) -> None:
    """A completion with an unknown field is taken."""
    shop.contract(schemas(lambda s: s["Completion"].update(additionalProperties=True)))


@fault("schema", "fields_are_neither_guessed_nor_ignored")
def agent_has_a_default(shop: Workshop) -> None:
    """A creation without agent takes the first one."""
    agent = plain_contract()["components"]["schemas"]["AgentKey"]["enum"][0]

    def change(value: dict[str, Any]) -> None:
        if set(value) == {"phone"}:
            value["agent"] = agent

    change_body(shop, change)


def phone_pattern(shop: Workshop, pattern: str) -> None:
    shop.contract(schemas(lambda s: s["PhoneNumber"].update(pattern=pattern)))


@fault("schema", "wrong_numbers_are_422")
def phone_pattern_has_no_end(shop: Workshop) -> None:
    """Anything may follow the number."""
    phone_pattern(shop, r"^\+[1-9][0-9]{7,14}")


@fault("schema", "wrong_numbers_are_422")
def phone_pattern_has_no_start(shop: Workshop) -> None:
    """Anything may stand before the number."""
    phone_pattern(shop, r"\+[1-9][0-9]{7,14}$")


def strip_phone(shop: Workshop, change: Callable[[str], str]) -> None:
    def alter(value: dict[str, Any]) -> None:
        if isinstance(value.get("phone"), str):
            value["phone"] = change(value["phone"])

    change_body(shop, alter)


@fault("schema", "wrong_numbers_are_422")
def line_break_after_the_number_is_taken(shop: Workshop) -> None:
    """A line break at the end of the number is overlooked, as Python's $ does."""
    strip_phone(shop, lambda phone: phone.removesuffix("\n"))


@fault("schema", "wrong_numbers_are_422")
def spaces_in_the_number_are_taken(shop: Workshop) -> None:
    """Spaces and dashes in the number are dropped."""
    strip_phone(shop, lambda phone: re.sub("[ -]", "", phone))


@fault("schema", "wrong_numbers_are_422")
def digits_of_every_alphabet_are_taken(shop: Workshop) -> None:
    """Digits of other alphabets count as digits."""
    phone_pattern(shop, r"^\+[1-9]\d{7,14}$")
    strip_phone(
        shop,
        lambda phone: "".join(str(unicodedata.digit(c)) if c.isdigit() else c for c in phone),
    )


@fault("schema", "wrong_numbers_are_422")
def long_numbers_are_taken(shop: Workshop) -> None:
    """Numbers of 16 digits are taken."""
    phone_pattern(shop, r"^\+[1-9][0-9]{7,}$")


@fault("schema", "numbers_of_every_length_are_taken")
def short_numbers_are_refused(shop: Workshop) -> None:
    """Numbers of 8 digits are refused."""
    phone_pattern(shop, r"^\+[1-9][0-9]{8,14}$")


@fault("schema", "wrong_numbers_are_422")
def numbers_may_start_with_zero(shop: Workshop) -> None:
    """A country code may start with 0."""
    phone_pattern(shop, r"^\+[0-9]{8,15}$")


@fault("schema", "wrong_agents_are_422")
def any_agent_is_taken(shop: Workshop) -> None:
    """An agent that does not exist is called."""

    def alter(document: dict[str, Any]) -> None:
        new_call = document["components"]["schemas"]["NewCall"]["properties"]
        new_call["agent"] = {"type": "string", "description": "Any.", "examples": ["x"]}

    shop.contract(alter)


@fault("schema", "wrong_agents_are_422")
def agent_ignores_case(shop: Workshop) -> None:
    """An agent's key in capitals is taken."""

    def change(value: dict[str, Any]) -> None:
        if isinstance(value.get("agent"), str):
            value["agent"] = value["agent"].lower()

    change_body(shop, change)


def completion_field(shop: Workshop, name: str, **changes: Any) -> None:
    def alter(found: dict[str, Any]) -> None:
        schema = found["Completion"]["properties"][name]
        for keyword, value in changes.items():
            if value is None:
                schema.pop(keyword)
            else:
                schema[keyword] = value

    shop.contract(schemas(alter))


@fault("schema", "completions_of_a_wrong_form_are_422")
def negative_durations_are_taken(shop: Workshop) -> None:
    """A call may last less than no time."""
    completion_field(shop, "duration", minimum=None)


@fault("schema", "completions_of_a_wrong_form_are_422")
def endless_durations_are_taken(shop: Workshop) -> None:
    """A call may last longer than a day."""
    completion_field(shop, "duration", maximum=None)


@fault("schema", "durations_are_kept")
def longest_duration_is_refused(shop: Workshop) -> None:
    """A call that lasted a whole day is refused."""
    completion_field(shop, "duration", maximum=86399)


@fault("schema", "completions_of_a_wrong_form_are_422")
def endless_transcripts_are_taken(shop: Workshop) -> None:
    """A transcript may be longer than allowed."""
    completion_field(shop, "transcript", maxLength=None)


@fault("schema", "longest_completion_is_accepted")
def transcript_is_measured_in_utf16(shop: Workshop) -> None:
    """The length of a transcript counts an emoji twice."""

    def change(value: dict[str, Any]) -> None:
        text = value.get("transcript")
        if isinstance(text, str) and len(text.encode("utf-16-le", "surrogatepass")) > 2 * 65536:
            value["transcript"] = "x" * 65537

    change_body(shop, change)


@fault("schema", "completions_of_a_wrong_form_are_422")
def nul_is_taken(shop: Workshop) -> None:
    """A transcript may hold NUL."""
    completion_field(shop, "transcript", pattern=None)


@fault("schema", "completions_of_a_wrong_form_are_422")
def every_event_is_a_completion(shop: Workshop) -> None:
    """An event of another type ends the call too."""
    completion_field(shop, "event_type", enum=None)


@fault("schema", "references_of_a_wrong_form_are_422")
def references_are_not_looked_at(shop: Workshop) -> None:
    """A provider's reference of any form is taken."""
    completion_field(shop, "provider_call_id", pattern=None, maxLength=None)


@fault("schema", "missing_fields_are_named")
def pointers_have_no_slash(shop: Workshop) -> None:
    """The pointers of a 422 are names of fields."""

    def change(problem: dict[str, Any]) -> None:
        for error in problem.get("errors", ()):
            error["pointer"] = error["pointer"].lstrip("/")

    change_json(shop, lambda _, r: r.status == 422, change)


@fault("schema", "missing_fields_are_named")
def first_error_alone_is_named(shop: Workshop) -> None:
    """A 422 names the first thing to put right and keeps silent about the rest."""
    change_json(
        shop, lambda _, r: r.status == 422, lambda p: p | {"errors": p.get("errors", [])[:1]}
    )


@fault("schema", "errors_are_bounded")
def errors_have_no_end(shop: Workshop) -> None:
    """A 422 lists every error of a body with hundreds."""

    def change(problem: dict[str, Any]) -> None:
        if len(problem.get("errors", ())) == 20:
            problem["errors"] *= 10

    change_json(shop, lambda _, r: r.status == 422, change)


@fault("schema", "completions_of_a_wrong_form_are_422")
def wrong_field_is_400(shop: Workshop) -> None:
    """A body that does not fit the schema is 400."""
    become(shop, 422, "malformed_json")


@fault("schema", "pointers_are_escaped")
def pointers_are_not_escaped(shop: Workshop) -> None:
    """The pointer of a field with a slash in its name points elsewhere."""

    def change(problem: dict[str, Any]) -> None:
        for error in problem.get("errors", ()):
            error["pointer"] = error["pointer"].replace("~1", "/")

    change_json(shop, lambda _, r: r.status == 422, change)


# States


@fault("state", "completion_by_hand_ends_the_newest_call")
def completion_is_ignored(shop: Workshop) -> None:
    """A completion is answered 200 and changes nothing."""
    shop.replace(calls, "judge", lambda *_, **__: Verdict.REPEATED)


@fault("state", "first_result_stands")
def last_result_stands(shop: Workshop) -> None:
    """A different completion of a finished call overwrites the first."""
    shop.replace(calls, "judge", lambda *_, **__: Verdict.ACCEPTED)
    show_results(shop, lambda first, last: last)


def judge(shop: Workshop, change: Callable[[Verdict, str, Result], Verdict]) -> None:
    original = calls.judge

    def judged(result: Result, *, live_status: str, ended: Result | None) -> Verdict:
        verdict = original(result, live_status=live_status, ended=ended)
        return change(verdict, live_status, result)

    shop.replace(calls, "judge", judged)


@fault("state", "repeated_completion_changes_nothing")
def repeated_completion_conflicts(shop: Workshop) -> None:
    """The same completion again is 409."""
    judge(shop, lambda v, *_: Verdict.ALREADY_ENDED if v is Verdict.REPEATED else v)


@fault("state", "first_result_stands")
def conflict_is_swallowed(shop: Workshop) -> None:
    """A different completion of a finished call is answered 200 and dropped."""
    judge(shop, lambda v, *_: Verdict.REPEATED if v is Verdict.ALREADY_ENDED else v)


@fault("state", "answered_calls_cannot_go_unanswered")
def answered_call_becomes_busy(shop: Workshop) -> None:
    """A call in progress may end as busy."""
    judge(shop, lambda v, *_: Verdict.ACCEPTED if v is Verdict.IMPOSSIBLE else v)


@fault("state", "completion_skips_forward")
def queued_call_cannot_complete(shop: Workshop) -> None:
    """A completion that arrives while the call is queued is refused."""
    judge(
        shop,
        lambda v, live, _: Verdict.IMPOSSIBLE if v is Verdict.ACCEPTED and live == "queued" else v,
    )


@fault("state", "answered_calls_cannot_go_unanswered")
def answered_call_cannot_fail(shop: Workshop) -> None:
    """A call in progress cannot break off."""
    judge(
        shop,
        lambda v, live, result: (
            Verdict.IMPOSSIBLE
            if v is Verdict.ACCEPTED and live == "in_progress" and result.status == "failed"
            else v
        ),
    )


@fault("state", "repeated_completion_changes_nothing")
def words_are_compared_before_they_are_normalized(shop: Workshop) -> None:
    """The same outcome in another word of the provider conflicts."""
    words: dict[bytes, bytes] = {}

    def alter(ask: Ask) -> None:
        if ask.path == WEBHOOK and (word := re.search(rb'"status":"([a-z-]+)"', ask.body)):
            token = b"".join(ask.values("authorization"))
            if words.setdefault(token, word[1]) != word[1]:
                ask.put("prefer", b"code=409")

    shop.on_request(alter)


@fault("state", "call_goes_through_its_states")
def call_never_rings(shop: Workshop) -> None:
    """A call goes from queued to in_progress without ringing."""
    change_json(
        shop, of_calls, lambda c: c | {"status": "queued"} if c["status"] == "ringing" else c
    )


@fault("state", "call_goes_through_its_states")
def transcript_comes_late(shop: Workshop) -> None:
    """A call is shown as in_progress with its transcript already there."""

    def change(call: dict[str, Any]) -> dict[str, Any]:
        return call | {"transcript": "agent: Hello"} if call["status"] == "in_progress" else call

    change_json(shop, of_calls, change)


@fault("state", "call_goes_through_its_states")
def state_goes_back(shop: Workshop) -> None:
    """A call that is in progress is shown as ringing again."""
    reads: dict[str, int] = {}

    def change(call: dict[str, Any]) -> dict[str, Any]:
        if call["status"] == "in_progress":
            reads[call["call_id"]] = reads.get(call["call_id"], 0) + 1
            if reads[call["call_id"]] == 2:
                return call | {"status": "ringing"}
        return call

    change_json(shop, of_calls, change)


@fault("state", "end_arrives_whole")
def finished_call_has_no_duration(shop: Workshop) -> None:
    """A finished call has no duration."""
    change_json(
        shop, of_calls, lambda c: c | {"duration": None} if c["status"] == "completed" else c
    )


@fault("state", "end_arrives_whole")
def finished_call_has_no_transcript(shop: Workshop) -> None:
    """A finished call has lost its transcript."""
    change_json(shop, of_calls, lambda c: c | {"transcript": None})


def normalize(shop: Workshop, change: Callable[[str, str | None, int], Result]) -> None:
    shop.replace(calls, "normalized", change)


@fault("state", "words_of_the_provider_are_normalized")
def unanswered_call_keeps_the_transcript(shop: Workshop) -> None:
    """A call that nobody answered shows a transcript."""

    def change(call: dict[str, Any]) -> dict[str, Any]:
        unanswered = call["status"] in calls.UNANSWERED_ENDS
        return call | {"transcript": "agent: Hello"} if unanswered else call

    change_json(shop, of_calls, change)


@fault("state", "words_of_the_provider_are_normalized")
def unanswered_call_keeps_the_duration(shop: Workshop) -> None:
    """A call that nobody answered lasted as long as it rang."""
    original = calls.normalized
    normalize(
        shop,
        lambda status, text, seconds: replace(
            original(status, text, seconds), duration_seconds=seconds
        ),
    )


@fault("state", "empty_transcript_is_null")
def empty_transcript_stays_empty(shop: Workshop) -> None:
    """An empty transcript is returned as an empty text."""

    def kept(status: str, text: str | None, seconds: int) -> Result:
        return Result(status, None if status in calls.UNANSWERED_ENDS else text, seconds)

    normalize(shop, kept)


def provider_word(shop: Workshop, word: str, status: str) -> None:
    def change(found: dict[str, Any]) -> None:
        found["ProviderStatus"]["x-normalized-status"][word] = status

    shop.contract(schemas(change))


@fault("state", "words_of_the_provider_are_normalized")
def voicemail_is_failed(shop: Workshop) -> None:
    """One word of the provider is saved as another status than the table says."""
    provider_word(shop, "voicemail", "failed")


@fault("state", "words_of_the_provider_are_normalized")
def rejected_is_canceled(shop: Workshop) -> None:
    """A declined call is saved as canceled."""
    provider_word(shop, "rejected", "canceled")


@fault("state", "first_result_stands")
def conflict_overwrites_the_transcript(shop: Workshop) -> None:
    """A completion that is refused with 409 leaves its transcript behind."""
    texts: dict[bytes, str] = {}

    def alter(ask: Ask, reply: Reply) -> None:
        if ask.path == WEBHOOK and reply.status == 409:
            texts[token_of(ask)] = lenient(ask.body)["transcript"] or ""
        if of_calls(ask, reply) and token_of(ask) in texts and reply.json["transcript"]:
            reply.put_json(reply.json | {"transcript": texts[token_of(ask)] or None})

    shop.on_answer(alter)


@fault("state", "one_of_many_completions_wins")
def completions_race(shop: Workshop) -> None:
    """Completions at the same moment are all received, because judging and saving are two steps."""
    show_results(shop, lambda first, last: last)
    under_way: set[int] = set()

    def comes(ask: Ask) -> None:
        if ask.path == WEBHOOK:
            under_way.add(id(ask))

    async def shown(read: Any, namespace: bytes, call_id: UUID) -> Any:
        found = await read(namespace, call_id)
        await asyncio.sleep(0.03 if under_way else 0)
        return found

    shop.on_request(comes)
    shop.on_answer(lambda ask, _: under_way.discard(id(ask)))
    shop.read_calls(shown)


# Storage


def complete(shop: Workshop, change: Callable[[Result], Result]) -> None:
    """Save another result than was judged."""

    async def saved(
        original: Any, namespace: bytes, call_id: UUID, result: Result, **m: Any
    ) -> Any:
        return await original(namespace, call_id, change(result), **m)

    shop.store("complete_call", saved)


def stored_text(shop: Workshop, change: Callable[[str], str]) -> None:
    complete(
        shop,
        lambda result: replace(result, transcript=result.transcript and change(result.transcript)),
    )


@fault("storage", "durations_are_kept")
def duration_is_one_too_long(shop: Workshop) -> None:
    """The duration is stored a second too long."""
    complete(shop, lambda r: replace(r, duration_seconds=r.duration_seconds + 1))


@fault("storage", "durations_are_kept")
def duration_is_in_minutes(shop: Workshop) -> None:
    """The duration is stored in minutes."""
    complete(shop, lambda r: replace(r, duration_seconds=r.duration_seconds // 60))


@fault("storage", "durations_are_kept")
def long_durations_wrap(shop: Workshop) -> None:
    """The duration is stored in 16 bits."""
    complete(shop, lambda r: replace(r, duration_seconds=r.duration_seconds % 65536))


@fault("storage", "text_survives_the_round_trip")
def transcript_is_trimmed(shop: Workshop) -> None:
    """Spaces around a transcript are lost."""
    stored_text(shop, lambda text: text.strip() or text)


@fault("storage", "text_survives_the_round_trip")
def transcript_is_composed(shop: Workshop) -> None:
    """A transcript is brought into a normal form of Unicode."""
    stored_text(shop, lambda text: unicodedata.normalize("NFC", text))


@fault("storage", "text_survives_the_round_trip")
def transcript_is_escaped(shop: Workshop) -> None:
    """A transcript is stored escaped for HTML."""
    stored_text(shop, lambda text: text.replace("&", "&amp;").replace("<", "&lt;"))


@fault("storage", "text_survives_the_round_trip")
def line_breaks_are_changed(shop: Workshop) -> None:
    """CR LF in a transcript becomes LF."""
    stored_text(shop, lambda text: text.replace("\r\n", "\n"))


@fault("storage", "text_survives_the_round_trip")
def emoji_are_lost(shop: Workshop) -> None:
    """Characters beyond 16 bits become question marks."""
    stored_text(shop, lambda text: re.sub("[\U00010000-\U0010ffff]", "?", text))


@fault("storage", "text_survives_the_round_trip")
def direction_marks_are_lost(shop: Workshop) -> None:
    """Invisible characters are filtered out of a transcript."""
    stored_text(shop, lambda text: re.sub("[\u2028\u2029\u202a-\u202e]", "", text))


@fault("storage", "text_survives_the_round_trip")
def control_characters_are_lost(shop: Workshop) -> None:
    """Control characters are filtered out of a transcript."""
    stored_text(shop, lambda text: re.sub("[\x01-\x08\x0b-\x1f]", "", text) or text)


@fault("storage", "text_survives_the_round_trip")
def only_latin_is_kept(shop: Workshop) -> None:
    """Letters beyond Latin become question marks."""
    stored_text(shop, lambda text: text.encode("latin-1", "replace").decode("latin-1"))


@fault("storage", "longest_transcript_survives")
def transcript_is_cut(shop: Workshop) -> None:
    """A transcript is cut at 4096 characters."""
    stored_text(shop, lambda text: text[:4096])


@fault("storage", "longest_transcript_survives")
def transcript_is_cut_in_bytes(shop: Workshop) -> None:
    """A transcript is cut at 65536 bytes."""
    stored_text(shop, lambda text: text.encode()[:65536].decode("utf-8", "ignore"))


@fault("storage", "every_call_keeps_its_own_result")
def another_calls_result_is_returned(shop: Workshop) -> None:
    """Reading a call returns the result of the newest call."""
    newest: dict[bytes, UUID] = {}

    async def shown(read: Any, namespace: bytes, call_id: UUID) -> Any:
        found = await read(namespace, call_id)
        if found is None or namespace not in newest:
            return found
        return replace(await read(namespace, newest[namespace]), call_id=call_id)

    remember_calls(shop, lambda namespace, call: newest.update({namespace: call.call_id}))
    shop.read_calls(shown)


@fault("storage", "every_call_keeps_its_own_result")
def transcripts_are_shared(shop: Workshop) -> None:
    """A completion writes its transcript to every call of the key that is over."""
    newest: dict[bytes, str | None] = {}

    async def saved(
        original: Any, namespace: bytes, call_id: UUID, result: Result, **m: Any
    ) -> Any:
        newest[namespace] = result.transcript
        return await original(namespace, call_id, result, **m)

    async def shown(read: Any, namespace: bytes, call_id: UUID) -> Any:
        found = await read(namespace, call_id)
        if found is None or found.result is None or not found.result.transcript:
            return found
        text = newest.get(namespace, found.result.transcript)
        return replace(found, result=replace(found.result, transcript=text))

    shop.store("complete_call", saved)
    shop.read_calls(shown)


@fault("storage", "every_call_keeps_its_own_result")
def only_the_newest_calls_are_kept(shop: Workshop) -> None:
    """A key keeps its last three calls."""
    made: dict[bytes, list[UUID]] = {}

    async def shown(read: Any, namespace: bytes, call_id: UUID) -> Any:
        is_old = call_id in made.get(namespace, [])[:-3]
        return None if is_old else await read(namespace, call_id)

    remember_calls(shop, lambda namespace, c: made.setdefault(namespace, []).append(c.call_id))
    shop.read_calls(shown)


@fault("storage", "call_id_is_read_in_any_case")
def call_id_in_capitals_is_unknown(shop: Workshop) -> None:
    """A call_id in capitals is not found."""

    def alter(ask: Ask) -> None:
        if is_call(ask) and ask.path != ask.path.lower():
            ask.path = f"{CALLS}/{UNKNOWN_CALL_ID}"

    shop.on_request(alter)


@fault("storage", "call_id_is_read_in_any_case")
def call_id_is_echoed(shop: Workshop) -> None:
    """A call_id is returned as it was written in the path."""
    shop.on_answer(
        lambda ask, reply: (
            reply.put_json(reply.json | {"call_id": ask.path.rsplit("/", 1)[-1]})
            if of_calls(ask, reply)
            else None
        )
    )


@fault("storage", "agents_are_those_of_the_contract")
def an_agent_is_missing(shop: Workshop) -> None:
    """The list of agents lacks one."""
    change_json(
        shop,
        lambda ask, r: ask.path == "/v1/agents" and r.status == 200,
        lambda body: {"agents": body["agents"][:-1]},
    )


@fault("storage", "agents_are_those_of_the_contract")
def agents_show_their_settings(shop: Workshop) -> None:
    """The list of agents shows a setting of the provider."""

    def change(body: dict[str, Any]) -> None:
        for agent in body["agents"]:
            agent["sip_trunk"] = "trunk-1"

    change_json(shop, lambda ask, r: ask.path == "/v1/agents" and r.status == 200, change)


@fault("storage", "every_agent_can_be_called")
def second_agent_cannot_be_called(shop: Workshop) -> None:
    """An agent of the list is refused by createCall."""

    def change(found: dict[str, Any]) -> None:
        properties = found["NewCall"]["properties"]
        properties["agent"] = {"type": "string", "enum": found["AgentKey"]["enum"][:1]}

    shop.contract(schemas(change))


@fault("storage", "new_call_is_found_at_its_location")
def created_call_is_not_saved(shop: Workshop) -> None:
    """A call is acknowledged and never saved."""

    async def created(original: Any, namespace: bytes, call: Any, **more: Any) -> Any:
        return None

    shop.store("create_call", created)


@fault("storage", "agents_are_those_of_the_contract")
def agents_are_listed_backward(shop: Workshop) -> None:
    """The agents are listed in another order than the contract has them."""
    change_json(
        shop,
        lambda ask, r: ask.path == "/v1/agents" and r.status == 200,
        lambda body: {"agents": body["agents"][::-1]},
    )


@fault("storage", "call_id_has_one_form")
def call_id_without_dashes_is_found(shop: Workshop) -> None:
    """A call_id without its dashes names the call too."""

    def alter(ask: Ask) -> None:
        last = ask.path.rsplit("/", 1)[-1]
        if is_call(ask) and re.fullmatch("[0-9a-f-]{32,36}", last):
            ask.path = f"{CALLS}/{UUID(last)}"

    shop.on_request(alter)


@fault("storage", "call_id_has_one_form")
def spaces_around_a_call_id_are_dropped(shop: Workshop) -> None:
    """A call_id with a space or a line break after it names the call too."""

    def alter(ask: Ask) -> None:
        if is_call(ask):
            ask.path = ask.path.rstrip()

    shop.on_request(alter)


@fault("storage", "calls_are_not_cached")
def calls_may_be_cached(shop: Workshop) -> None:
    """A cache may keep a call that goes on."""
    change_answers(shop, of_calls, lambda r: r.put("cache-control", b"public, max-age=60"))


# Webhook


@fault("webhook", "unknown_word_ends_no_call")
def unknown_word_fails_the_call(shop: Workshop) -> None:
    """An unknown word of the provider ends the call as failed."""
    known = plain_contract()["components"]["schemas"]["ProviderStatus"]["enum"]

    def change(value: dict[str, Any]) -> None:
        if isinstance(value.get("status"), str) and value["status"] not in known:
            value["status"] = "failed"

    change_body(shop, change)


@fault("webhook", "unknown_reference_is_404")
def unknown_reference_is_received(shop: Workshop) -> None:
    """A completion of a call that does not exist is answered 200."""

    def alter(ask: Ask, reply: Reply) -> None:
        if ask.path == WEBHOOK and reply.status == 404:
            reply.status = 200
            reply.put("content-type", b"application/json")
            reply.put_json({"received": True})

    shop.on_answer(alter)


@fault("webhook", "completion_by_hand_ends_the_newest_call")
def alias_names_the_oldest_call(shop: Workshop) -> None:
    """The alias completes the oldest call of a key."""
    oldest: dict[bytes, UUID] = {}

    async def newest(original: Any, namespace: bytes) -> Any:
        return oldest.get(namespace)

    remember_calls(shop, lambda namespace, call: oldest.setdefault(namespace, call.call_id))
    shop.store("newest_call_id", newest)


@fault("webhook", "completion_by_the_provider_id_ends_that_call")
def provider_id_is_ignored(shop: Workshop) -> None:
    """Every completion ends the newest call."""
    change_reference(shop, lambda _, reference: reference.startswith("prov_"))


@fault("webhook", "every_outcome_can_be_provoked")
def provider_never_delivers(shop: Workshop) -> None:
    """The simulated provider never reports the end of a call."""

    async def created(original: Any, namespace: bytes, call: Any, **more: Any) -> Any:
        return await original(namespace, call, **{**more, "due_at": None})

    shop.store("create_call", created)


@fault("webhook", "end_arrives_whole")
def provider_delivers_no_transcript(shop: Workshop) -> None:
    """A completion that the provider posts loses its transcript on the way."""

    async def saved(
        original: Any, namespace: bytes, call_id: UUID, result: Result, **m: Any
    ) -> Any:
        kept = result if m["drop_plan"] else replace(result, transcript=None)
        return await original(namespace, call_id, kept, **m)

    shop.store("complete_call", saved)


@fault("webhook", "every_delivery_is_answered_as_the_contract_says")
def second_delivery_is_lost(shop: Workshop) -> None:
    """The provider gives up after the first delivery."""

    async def finished(original: Any, due: Any, **more: Any) -> None:
        await original(due, **{**more, "next_due_at": None})

    shop.store("finish_delivery", finished)


@fault("webhook", "completion_by_hand_ends_the_newest_call")
def receipt_says_ok(shop: Workshop) -> None:
    """The webhook answers {"ok": true}."""
    change_json(
        shop, lambda ask, r: ask.path == WEBHOOK and r.status == 200, lambda _: {"ok": True}
    )


@fault("webhook", "completion_by_hand_ends_the_newest_call")
def receipt_is_202(shop: Workshop) -> None:
    """The webhook answers 202."""
    change_answers(
        shop,
        lambda ask, r: ask.path == WEBHOOK and r.status == 200,
        lambda r: setattr(r, "status", 202),
    )


@fault("webhook", "finished_calls_stay_finished")
def provider_overrules_a_completion_by_hand(shop: Workshop) -> None:
    """What the provider had planned overwrites a completion by hand."""
    by_hand = show_results(shop, lambda first, last: last)

    async def keep_plan(original: Any, namespace: bytes, call_id: UUID, r: Result, **m: Any) -> Any:
        by_hand.add(call_id)
        return await original(namespace, call_id, r, **{**m, "drop_plan": False})

    shop.store("complete_call", keep_plan)
    judge(shop, lambda v, *_: Verdict.ACCEPTED if v is Verdict.ALREADY_ENDED else v)


@fault("webhook", "provider_is_never_named")
def provider_id_is_in_a_header(shop: Workshop) -> None:
    """Reading a call shows the provider's id in a header."""
    shop.on_answer(
        lambda ask, reply: (
            reply.put("x-provider-call-id", b"prov_" + ask.path.rsplit("/", 1)[-1].encode())
            if of_calls(ask, reply)
            else None
        )
    )


@fault("webhook", "provider_is_never_named")
def refusal_names_the_provider_id(shop: Workshop) -> None:
    """A 404 of the webhook repeats the provider's id."""

    def alter(ask: Ask, reply: Reply) -> None:
        if ask.path == WEBHOOK and reply.status in (404, 409):
            reference = json.loads(ask.body)["provider_call_id"]
            reply.put_json(reply.json | {"detail": f"There is no such call: {reference}."})

    shop.on_answer(alter)


@fault("webhook", "every_outcome_can_be_provoked")
def provider_words_are_shown(shop: Workshop) -> None:
    """A call shows the provider's own word for its outcome."""
    change_json(
        shop,
        of_calls,
        lambda c: c | {"status": c["status"].replace("no_answer", "no-answer")},
    )


@fault("webhook", "transcript_with_a_provider_id_is_refused")
def transcript_may_name_the_provider(shop: Workshop) -> None:
    """The provider's id in a transcript is masked and the transcript is taken."""
    decode_first(shop, lambda body: re.sub(rb"call is prov_[0-9a-f]+", b"call is ***", body))


@fault("webhook", "provider_ends_a_call_on_demand")
def end_on_demand_is_ignored(shop: Workshop) -> None:
    """Ending a call on demand says what stands, and ends nothing."""

    def alter(ask: Ask) -> None:
        if ask.path.endswith("/end"):
            ask.method, ask.path, ask.body = "GET", ask.path.removesuffix("/end"), b""

    shop.on_request(alter)


@fault("webhook", "first_request_of_a_key_may_be_a_completion")
def new_key_knows_no_call(shop: Workshop) -> None:
    """The alias names no call until a key has created one."""
    made: set[bytes] = set()

    async def newest(original: Any, namespace: bytes) -> Any:
        return await original(namespace) if namespace in made else None

    remember_calls(shop, lambda namespace, call: made.add(namespace))
    shop.store("newest_call_id", newest)


# Idempotency


def keep_key(shop: Workshop, change: Callable[[IdempotencyKey, Call], Any]) -> None:
    """Keep another Idempotency-Key with a call than was sent."""

    async def created(original: Any, namespace: bytes, call: Call, **more: Any) -> Any:
        key = more["idempotency_key"]
        more["idempotency_key"] = key and change(key, call)
        return await original(namespace, call, **more)

    shop.store("create_call", created)


@fault("idempotency", "retry_returns_the_first_answer")
def idempotency_key_is_ignored(shop: Workshop) -> None:
    """A retry creates a second call."""
    keep_key(shop, lambda key, call: None)


def compare_bodies(shop: Workshop, part: Callable[[Call], str]) -> None:
    """Let a part of the body decide whether two bodies under one key are the same."""
    prints: dict[str, bytes] = {}

    async def created(original: Any, namespace: bytes, call: Call, **more: Any) -> Any:
        kept = await original(namespace, call, **more)
        key = more["idempotency_key"]
        if key is not None and kept is None:
            prints[f"{namespace!r}{key.value}"] = part(call).encode()
        if kept is not None and prints.get(f"{namespace!r}{key.value}") == part(call).encode():
            return KeptCall(kept.call_id, key.fingerprint)
        return kept

    shop.store("create_call", created)


@fault("idempotency", "other_body_under_the_same_key_is_409")
def other_body_is_replayed(shop: Workshop) -> None:
    """Another body under the same key gets the first answer."""
    compare_bodies(shop, lambda call: "")


@fault("idempotency", "other_body_under_the_same_key_is_409")
def only_the_phone_is_compared(shop: Workshop) -> None:
    """Of the body only the phone number is compared."""
    compare_bodies(shop, lambda call: call.phone)


@fault("idempotency", "retry_is_the_same_in_any_order_of_fields")
def body_is_compared_byte_by_byte(shop: Workshop) -> None:
    """The same JSON in another order is another body."""
    refuse_retries(shop, lambda first, again: first.body != again.body)


@fault("idempotency", "thirty_at_once_create_one_call")
def retries_race(shop: Workshop) -> None:
    """Requests at the same moment each create a call, because looking and keeping are two steps."""
    seen: set[str] = set()

    async def created(original: Any, namespace: bytes, call: Call, **more: Any) -> Any:
        key = more["idempotency_key"]
        name = f"{namespace!r}{key and key.value}"
        if key is None or name in seen:
            return await original(namespace, call, **more)
        await asyncio.sleep(0.05)
        kept = await original(namespace, call, **more)
        seen.add(name)
        if kept is not None:
            return await original(namespace, call, **{**more, "idempotency_key": None})
        return None

    shop.store("create_call", created)


@fault("idempotency", "refused_requests_are_not_kept")
def refused_requests_are_kept(shop: Workshop) -> None:
    """A request that was refused uses up its key."""
    refuse_retries(shop, lambda first, again: lenient(first.body) != lenient(again.body))


@fault("idempotency", "retry_returns_the_first_answer")
def replay_is_not_marked(shop: Workshop) -> None:
    """A replayed answer does not say so."""
    change_answers(shop, of_created, lambda r: r.put("idempotent-replayed", None))


@fault("idempotency", "new_call_is_found_at_its_location")
def every_answer_is_a_replay(shop: Workshop) -> None:
    """Every creation says that it is a replay."""
    change_answers(shop, of_created, lambda r: r.put("idempotent-replayed", b"true"))


@fault("idempotency", "retry_returns_the_first_answer")
def replay_is_200(shop: Workshop) -> None:
    """A replayed answer is 200."""

    def alter(reply: Reply) -> None:
        if reply.values("idempotent-replayed"):
            reply.status = 200

    change_answers(shop, of_created, alter)


@fault("idempotency", "retry_returns_the_first_answer")
def replay_has_no_location(shop: Workshop) -> None:
    """A replayed answer has no Location."""

    def alter(reply: Reply) -> None:
        if reply.values("idempotent-replayed"):
            reply.put("location", None)

    change_answers(shop, of_created, alter)


@fault("idempotency", "idempotency_keys_are_kept_a_day")
def keys_are_forgotten_after_an_hour(shop: Workshop) -> None:
    """An Idempotency-Key is kept for an hour."""
    keep_key(shop, lambda key, call: replace(key, expires_at=call.created_at + 3600))


@fault("idempotency", "idempotency_keys_are_kept_a_day")
def keys_are_kept_for_ever(shop: Workshop) -> None:
    """An Idempotency-Key is never forgotten."""
    keep_key(shop, lambda key, call: replace(key, expires_at=call.created_at + 10**9))


def change_key(shop: Workshop, change: Callable[[bytes], bytes]) -> None:
    """Let the sandbox see another Idempotency-Key than was sent."""

    def alter(ask: Ask) -> None:
        for value in ask.values("idempotency-key")[:1]:
            if re.fullmatch(rb"[!-~]{1,255}", value):
                ask.put("idempotency-key", change(value))

    shop.on_request(alter)


@fault("idempotency", "idempotency_keys_are_compared_whole")
def keys_ignore_case(shop: Workshop) -> None:
    """Idempotency-Keys are compared without regard to case."""
    change_key(shop, bytes.lower)


@fault("idempotency", "idempotency_keys_are_compared_whole")
def keys_are_cut(shop: Workshop) -> None:
    """Idempotency-Keys are compared by their first 64 characters."""
    change_key(shop, lambda key: key[:64])


def idempotency_schema(shop: Workshop, **changes: Any) -> None:
    def alter(document: dict[str, Any]) -> None:
        document["components"]["parameters"]["IdempotencyKey"]["schema"].update(changes)

    shop.contract(alter)


@fault("idempotency", "idempotency_keys_of_a_wrong_form_are_400")
def long_keys_are_taken(shop: Workshop) -> None:
    """An Idempotency-Key of any length is taken."""
    idempotency_schema(shop, maxLength=10**6)


@fault("idempotency", "idempotency_keys_are_compared_whole")
def longest_key_is_refused(shop: Workshop) -> None:
    """An Idempotency-Key of 255 characters is refused."""
    idempotency_schema(shop, maxLength=254)


@fault("idempotency", "idempotency_keys_of_a_wrong_form_are_400")
def spaces_in_keys_are_taken(shop: Workshop) -> None:
    """An Idempotency-Key may hold spaces."""
    idempotency_schema(shop, pattern="^[ -~]+$")


@fault("idempotency", "idempotency_keys_of_a_wrong_form_are_400")
def empty_key_is_no_key(shop: Workshop) -> None:
    """An empty Idempotency-Key is overlooked."""

    def alter(ask: Ask) -> None:
        if ask.values("idempotency-key") == [b""]:
            ask.put("idempotency-key", None)

    shop.on_request(alter)


@fault("idempotency", "idempotency_keys_of_a_wrong_form_are_400")
def last_of_two_keys_counts(shop: Workshop) -> None:
    """Of two Idempotency-Keys the last counts."""

    def alter(ask: Ask) -> None:
        if len(ask.values("idempotency-key")) > 1:
            ask.put("idempotency-key", ask.values("idempotency-key")[-1])

    shop.on_request(alter)


@fault("idempotency", "idempotency_keys_are_kept_a_day")
def every_retry_renews_its_key(shop: Workshop) -> None:
    """An Idempotency-Key is kept for 24 hours after it was last used."""
    used: dict[str, tuple[float, KeptCall]] = {}

    async def created(original: Any, namespace: bytes, call: Call, **more: Any) -> Any:
        key = more["idempotency_key"]
        if key is None:
            return await original(namespace, call, **more)
        name = f"{namespace!r}{key.value}"
        last_at, first = used.get(name, (float("-inf"), None))
        if call.created_at - last_at >= 86400:
            found = await original(namespace, call, **more)
            first = found or KeptCall(call.call_id, key.fingerprint)
            used[name] = call.created_at, first
            return found
        used[name] = call.created_at, first
        return first

    shop.store("create_call", created)


@fault("idempotency", "other_body_under_the_same_key_is_409")
def conflict_takes_the_key_over(shop: Workshop) -> None:
    """After a conflict the Idempotency-Key belongs to the other body."""
    taken: set[bytes] = set()

    def before(ask: Ask) -> None:
        for key in ask.values("idempotency-key"):
            if token_of(ask) + key in taken:
                ask.put("idempotency-key", None)

    def after(ask: Ask, reply: Reply) -> None:
        if ask.path == CALLS and reply.status == 409:
            taken.add(token_of(ask) + ask.values("idempotency-key")[0])

    shop.on_request(before)
    shop.on_answer(after)


@fault("idempotency", "retry_returns_the_first_answer")
def replay_names_the_newest_call(shop: Workshop) -> None:
    """The Location of a replayed answer is another call's."""

    def alter(reply: Reply) -> None:
        if reply.values("idempotent-replayed"):
            reply.put("location", f"{CALLS}/{UNKNOWN_CALL_ID}".encode())

    change_answers(shop, of_created, alter)


@fault("idempotency", "replay_does_not_follow_the_call")
def key_ends_with_its_call(shop: Workshop) -> None:
    """An Idempotency-Key is forgotten when its call is over."""
    over: set[bytes] = set()

    def before(ask: Ask) -> None:
        if token_of(ask) in over:
            ask.put("idempotency-key", None)

    def after(ask: Ask, reply: Reply) -> None:
        if ask.path == "/sandbox/clock" and lenient(ask.body) == {"advance_seconds": 60}:
            over.add(token_of(ask))

    shop.on_request(before)
    shop.on_answer(after)


# Isolation


@fault("isolation", "calls_of_other_keys_do_not_exist")
def calls_of_other_keys_are_shown(shop: Workshop) -> None:
    """A key reads the calls of every other key."""
    owners: dict[UUID, bytes] = {}

    async def shown(read: Any, namespace: bytes, call_id: UUID) -> Any:
        return await read(owners.get(call_id, namespace), call_id)

    remember_calls(shop, lambda namespace, call: owners.update({call.call_id: namespace}))
    shop.read_calls(shown)


@fault("isolation", "calls_of_other_keys_do_not_exist")
def calls_of_other_keys_are_forbidden(shop: Workshop) -> None:
    """Another key's call is 403, which says that it exists."""
    owners: dict[str, bytes] = {}

    def alter(ask: Ask, reply: Reply) -> None:
        token = b"".join(ask.values("authorization"))
        if of_created(ask, reply):
            owners[reply.json["call_id"]] = token
        call_id = ask.path.rsplit("/", 1)[-1]
        if is_call(ask) and reply.status == 404 and owners.get(call_id, token) != token:
            reply.status = 403
            reply.put_json(reply.json | {"status": 403, "code": "forbidden"})

    shop.on_answer(alter)


@fault("isolation", "completions_stay_in_their_key")
def foreign_reference_is_the_newest_call(shop: Workshop) -> None:
    """The provider's id of another key's call is taken for the newest call."""
    owners = owners_of_calls(shop)
    change_reference(
        shop,
        lambda ask, reference: owners.get(reference, token_of(ask)) != token_of(ask),
    )


@fault("isolation", "completions_stay_in_their_key")
def provider_id_opens_every_key(shop: Workshop) -> None:
    """A completion with the provider's id of another key's call is taken."""
    owners = owners_of_calls(shop)

    def alter(ask: Ask) -> None:
        for reference, owner in owners.items():
            if ask.path == WEBHOOK and reference.encode() in ask.body:
                ask.put("authorization", owner)

    shop.on_request(alter)


def share_namespaces(shop: Workshop, change: Callable[[bytes], bytes]) -> None:
    """Let another token than was sent choose the namespace; only good ones are changed."""
    good = re.compile(rb"Bearer sandbox_[A-Za-z0-9_-]{4,64}")
    authorize(shop, lambda values: [change(v) if good.fullmatch(v) else v for v in values])


@fault("isolation", "keys_that_differ_in_case_are_two")
def keys_share_a_namespace_in_any_case(shop: Workshop) -> None:
    """Keys that differ only in case share their calls."""
    share_namespaces(shop, lambda value: b"Bearer " + value[7:].lower())


@fault("isolation", "keys_that_differ_in_case_are_two")
def keys_share_a_namespace_by_their_start(shop: Workshop) -> None:
    """Keys are told apart by their first 31 characters."""
    share_namespaces(shop, lambda value: value[: 7 + 31])


@fault("isolation", "idempotency_keys_belong_to_a_key")
def idempotency_keys_are_shared(shop: Workshop) -> None:
    """Two keys that use the same Idempotency-Key get the same answer."""
    kept: dict[str, KeptCall] = {}

    async def created(original: Any, namespace: bytes, call: Call, **more: Any) -> Any:
        key = more["idempotency_key"]
        if key is not None and key.value in kept:
            return kept[key.value]
        found = await original(namespace, call, **more)
        if key is not None and found is None:
            kept[key.value] = KeptCall(call.call_id, key.fingerprint)
        return found

    shop.store("create_call", created)


def every_namespace(shop: Workshop) -> set[bytes]:
    """The namespaces that were opened so far."""
    known: set[bytes] = set()

    async def opened(original: Any, namespace: bytes, **more: Any) -> Any:
        known.add(namespace)
        return await original(namespace, **more)

    shop.store("open_namespace", opened)
    return known


@fault("isolation", "clocks_belong_to_a_key")
def clock_is_shared(shop: Workshop) -> None:
    """Advancing one key's clock advances all."""
    known = every_namespace(shop)

    async def moved(original: Any, namespace: bytes, instant: float, **more: Any) -> Any:
        for other in known - {namespace}:
            await original(other, instant, **more)
        return await original(namespace, instant, **more)

    shop.store("move_clock", moved)


@fault("isolation", "reset_empties_one_key")
def reset_empties_every_key(shop: Workshop) -> None:
    """Emptying one namespace empties all."""
    known = every_namespace(shop)

    async def deleted(original: Any, namespace: bytes, **more: Any) -> None:
        for each in [*known]:
            await original(each, **more)

    shop.store("delete_namespace", deleted)


@fault("isolation", "reset_empties_one_key")
def reset_keeps_idempotency_keys(shop: Workshop) -> None:
    """Emptying a namespace keeps its Idempotency-Keys."""
    kept: dict[str, KeptCall] = {}

    async def created(original: Any, namespace: bytes, call: Call, **more: Any) -> Any:
        key = more["idempotency_key"]
        found = await original(namespace, call, **more)
        if key is None:
            return found
        first = kept.setdefault(
            f"{namespace!r}{key.value}", KeptCall(call.call_id, key.fingerprint)
        )
        return found if first.call_id == call.call_id else first

    shop.store("create_call", created)


@fault("isolation", "journal_tells_what_was_sent")
def journal_shows_tokens(shop: Workshop) -> None:
    """The journal shows the keys that were sent."""

    def alter(ask: Ask, reply: Reply) -> None:
        if ask.path == "/sandbox/journal" and reply.status == 200:
            found = reply.json
            for exchange in found["exchanges"]:
                exchange["why"] = f"Sent with {token_of(ask).decode()}."
            reply.put_json(found)

    shop.on_answer(alter)


@fault("isolation", "journals_belong_to_a_key")
def journal_shows_every_key(shop: Workshop) -> None:
    """The journal of a key holds what other keys did."""
    known = every_namespace(shop)

    async def journal(original: Any, namespace: bytes, **more: Any) -> Any:
        return [entry for each in sorted(known) for entry in await original(each, **more)]

    shop.store("journal", journal)


@fault("isolation", "reset_empties_one_key")
def reset_keeps_the_journal(shop: Workshop) -> None:
    """Emptying a namespace keeps its journal."""
    kept: dict[bytes, list[bytes]] = {}

    async def deleted(original: Any, namespace: bytes, **more: Any) -> None:
        kept[namespace] = [*await SQLiteStore.journal(original.args[0], namespace, after="")]
        await original(namespace, **more)

    async def journal(original: Any, namespace: bytes, **more: Any) -> Any:
        return [*kept.get(namespace, []), *await original(namespace, **more)]

    shop.store("delete_namespace", deleted)
    shop.store("journal", journal)


@fault("isolation", "reset_empties_one_key")
def reset_keeps_the_clock(shop: Workshop) -> None:
    """Emptying a namespace keeps its clock where it was moved to."""
    clocks: dict[bytes, Any] = {}

    async def deleted(original: Any, namespace: bytes, **more: Any) -> None:
        clocks[namespace] = await SQLiteStore.clock(original.args[0], namespace)
        await original(namespace, **more)

    async def opened(original: Any, namespace: bytes, **more: Any) -> Any:
        return await original(namespace, **{**more, "fresh": clocks.get(namespace, more["fresh"])})

    shop.store("delete_namespace", deleted)
    shop.store("open_namespace", opened)


# Headers


@fault("headers", "agents_are_those_of_the_contract")
def request_id_is_missing(shop: Workshop) -> None:
    """Answers carry no X-Request-Id."""
    change_answers(shop, lambda ask, _: is_service(ask), lambda r: r.put("x-request-id", None))


@fault("headers", "ids_of_a_wrong_shape_are_404")
def request_id_is_constant(shop: Workshop) -> None:
    """Every exchange has the same X-Request-Id."""
    request_id = "req_00000000000000000000000000000000"

    def alter(reply: Reply) -> None:
        reply.put("x-request-id", request_id.encode())
        if reply.status >= 400 and reply.body:
            reply.put_json(reply.json | {"request_id": request_id})

    change_answers(shop, lambda ask, _: is_service(ask), alter)


@fault("headers", "agents_are_those_of_the_contract")
def request_id_has_spaces(shop: Workshop) -> None:
    """X-Request-Id is not what the contract describes."""
    change_answers(
        shop, lambda ask, _: is_service(ask), lambda r: r.put("x-request-id", b"request 1 of 2")
    )


@fault("headers", "unknown_call_is_404")
def request_id_differs_from_the_body(shop: Workshop) -> None:
    """A problem's request_id is another than X-Request-Id."""
    change_json(shop, of_problems, lambda p: p | {"request_id": "req_of_another_exchange"})


@fault("headers", "new_call_is_found_at_its_location")
def location_is_missing(shop: Workshop) -> None:
    """A creation has no Location."""
    change_answers(shop, of_created, lambda r: r.put("location", None))


@fault("headers", "new_call_is_found_at_its_location")
def location_leads_elsewhere(shop: Workshop) -> None:
    """Location names another call."""
    change_answers(
        shop,
        of_created,
        lambda r: r.put("location", f"{CALLS}/00000000-0000-4000-8000-000000000000".encode()),
    )


@fault("headers", "new_call_is_found_at_its_location")
def location_has_a_trailing_slash(shop: Workshop) -> None:
    """Location ends with a slash and leads to a 404."""
    change_answers(shop, of_created, lambda r: r.put("location", r.values("location")[0] + b"/"))


@fault("headers", "refused_creations_say_when_to_retry")
def retry_after_is_missing(shop: Workshop) -> None:
    """A 429 does not say when to retry."""
    change_answers(shop, lambda _, r: r.status in (429, 503), lambda r: r.put("retry-after", None))


@fault("headers", "refused_creations_say_when_to_retry")
def retry_after_is_a_date(shop: Workshop) -> None:
    """Retry-After is a date."""
    change_answers(
        shop,
        lambda _, r: r.status in (429, 503),
        lambda r: r.put("retry-after", b"Tue, 24 Nov 2026 09:30:00 GMT"),
    )


@fault("headers", "new_call_is_found_at_its_location")
def location_names_a_host_inside(shop: Workshop) -> None:
    """Location is the address of a machine that no client can reach."""
    change_answers(
        shop,
        of_created,
        lambda r: r.put("location", b"http://voice.internal" + r.values("location")[0]),
    )


@fault("headers", "refused_creations_say_when_to_retry")
def retry_after_is_zero(shop: Workshop) -> None:
    """Retry-After asks for the next attempt at once."""
    change_answers(shop, lambda _, r: r.status in (429, 503), lambda r: r.put("retry-after", b"0"))


@fault("headers", "preferred_problems_are_given")
def preference_is_not_confirmed(shop: Workshop) -> None:
    """An answer that was asked for does not say so."""
    change_answers(shop, lambda *_: True, lambda r: r.put("preference-applied", None))


# Problems


@fault("problems", "unknown_call_is_404")
def status_differs_from_http(shop: Workshop) -> None:
    """A problem's status is another than the HTTP status."""
    change_json(shop, of_problems, lambda p: p | {"status": 400 if p["status"] != 400 else 422})


@fault("problems", "unknown_call_is_404")
def code_is_not_in_the_catalogue(shop: Workshop) -> None:
    """A problem has a code that no page explains."""
    change_json(shop, of_problems, lambda p: p | {"code": f"{p['code']}_error"})


@fault("problems", "unknown_path_is_404")
def unknown_path_has_another_code(shop: Workshop) -> None:
    """An unknown path has the code of an unknown call."""

    def alter(reply: Reply) -> None:
        if reply.body and reply.json["code"] == "not_found":
            put_problem(reply, "call_not_found")

    change_answers(shop, of_problems, alter)


@fault("problems", "unknown_call_is_404")
def type_leads_nowhere(shop: Workshop) -> None:
    """A problem's type is about:blank."""
    change_json(shop, of_problems, lambda p: p | {"type": "about:blank"})


@fault("problems", "unknown_call_is_404")
def type_leads_to_another_problem(shop: Workshop) -> None:
    """A problem's type points at another problem's entry."""
    change_json(shop, of_problems, lambda p: p | {"type": "/errors/#rate_limited"})


@fault("problems", "unknown_call_is_404")
def title_varies(shop: Workshop) -> None:
    """A problem's title is made up for the occurrence."""
    change_json(shop, of_problems, lambda p: p | {"title": p["detail"][:80]})


@fault("problems", "unknown_call_is_404")
def request_id_of_problem_is_missing(shop: Workshop) -> None:
    """A problem has no request_id."""
    change_json(shop, of_problems, lambda p: {k: v for k, v in p.items() if k != "request_id"})


@fault("problems", "unknown_call_is_404")
def problem_shows_the_exception(shop: Workshop) -> None:
    """A problem carries the name of an exception."""
    change_json(shop, of_problems, lambda p: p | {"exception": "KeyError"})


@fault("problems", "unknown_call_is_404")
def detail_is_empty(shop: Workshop) -> None:
    """A problem does not say what is wrong."""
    change_json(shop, of_problems, lambda p: p | {"detail": ""})


@fault("problems", "details_help")
def detail_is_a_traceback(shop: Workshop) -> None:
    """A problem's detail is what the exception said."""
    change_json(
        shop, of_problems, lambda p: p | {"detail": "Traceback (most recent call last): KeyError."}
    )


@fault("problems", "ids_of_a_wrong_shape_are_404", crashes=True)
def wrong_id_crashes(shop: Workshop) -> None:
    """An id that is no UUID ends in a 500."""

    def alter(ask: Ask) -> Reply | None:
        if is_call(ask) and not re.fullmatch("[0-9a-fA-F-]{36}", ask.path.rsplit("/", 1)[-1]):
            return plain(500, "Internal Server Error")
        return None

    shop.on_request(alter)


@fault("problems", "ids_of_a_wrong_shape_are_404")
def wrong_id_is_422(shop: Workshop) -> None:
    """An id of a wrong shape is told apart from an unknown one by another problem."""

    def alter(ask: Ask, reply: Reply) -> None:
        if is_call(ask) and reply.status == 404 and not re.search("-.*-.*-", ask.path):
            reply.status = 422

    shop.on_answer(alter)


@fault("problems", "unknown_call_is_404")
def unknown_call_is_200(shop: Workshop) -> None:
    """An unknown call is answered 200 with an example, as a mock does."""

    def alter(ask: Ask, reply: Reply) -> None:
        if is_call(ask) and reply.status == 404:
            reply.status = 200
            reply.put("content-type", b"application/json")
            reply.put_json(
                {
                    "call_id": ask.path.rsplit("/", 1)[-1],
                    "status": "queued",
                    "transcript": None,
                    "duration": None,
                }
            )

    shop.on_answer(alter)


# Time


@fault("time", "advancing_delivers_what_was_due")
def advance_returns_too_early(shop: Workshop) -> None:
    """Advancing the clock delivers nothing by itself."""

    async def advance(self: Any, namespace: bytes, until: float) -> Any:
        store, wall = self._world.store, self._world.wall
        await store.move_clock(namespace, until, wall_now=wall())
        return await self._world.clock(namespace)

    shop.replace(Deliverer, "advance", advance)
    shop.replace(Deliverer, "run", _sleep_for_ever)


async def _sleep_for_ever(self: Any) -> None:
    await asyncio.Event().wait()


@fault("time", "clock_advances_and_never_goes_back")
def advance_is_ignored(shop: Workshop) -> None:
    """The clock does not move when it is told to."""

    async def advance(self: Any, namespace: bytes, until: float) -> Any:
        return await self._world.clock(namespace)

    shop.replace(Deliverer, "advance", advance)


@fault("time", "clock_advances_and_never_goes_back")
def advance_is_in_minutes(shop: Workshop) -> None:
    """The clock moves sixty times too far."""
    original = Deliverer.advance

    async def advance(self: Any, namespace: bytes, until: float) -> Any:
        now = self._world.wall()
        return await original(self, namespace, now + max(0.0, until - now) * 60)

    shop.replace(Deliverer, "advance", advance)


@fault("time", "advancing_delivers_what_was_due")
def completions_come_early(shop: Workshop) -> None:
    """A completion is delivered before it is due."""
    original = Deliverer.advance

    async def advance(self: Any, namespace: bytes, until: float) -> Any:
        await original(self, namespace, until + 30)
        return await self._world.clock(namespace)

    shop.replace(Deliverer, "advance", advance)


@fault("time", "end_arrives_whole")
def duration_counts_the_ringing(shop: Workshop) -> None:
    """The duration is counted from the creation of the call."""
    complete(shop, lambda r: replace(r, duration_seconds=r.duration_seconds + 3))


@fault("time", "time_passes_by_itself_alone")
def reading_moves_time(shop: Workshop) -> None:
    """Each read moves the call on."""
    original = world.World.status
    reads: dict[Any, int] = {}

    def status(self: Any, call: Any, now: float) -> str:
        reads[call.call_id] = reads.get(call.call_id, -1) + 1
        return original(self, call, now + reads[call.call_id])

    shop.replace(world.World, "status", status)


@fault("time", "new_call_is_found_at_its_location")
def call_completes_at_once(shop: Workshop) -> None:
    """A call is in progress as soon as it is created."""
    original = world.World.status
    shop.replace(world.World, "status", lambda self, call, now: original(self, call, now + 7))


@fault("time", "new_key_finds_the_sample_call")
def sample_call_is_missing(shop: Workshop) -> None:
    """A new key has no sample call."""
    made: set[UUID] = set()

    async def shown(read: Any, namespace: bytes, call_id: UUID) -> Any:
        return await read(namespace, call_id) if call_id in made else None

    remember_calls(shop, lambda namespace, call: made.add(call.call_id))
    shop.read_calls(shown)


@fault("time", "preferred_problems_are_given")
def preference_is_ignored(shop: Workshop) -> None:
    """A problem that was asked for is not given, and a call is created instead."""

    def alter(ask: Ask) -> None:
        ask.put("prefer", None)

    shop.on_request(alter)


def create_all_the_same(shop: Workshop, is_refused: Callable[[Ask], bool]) -> None:
    """Create the call of a creation that is then refused."""
    [number] = [
        s.number for s in load_scenarios(read_catalogue(contracts()[0])) if s.name == "answered"
    ]
    codes = {b"429": "rate_limited", b"503": "provider_unavailable"}
    chosen: dict[int, str] = {}

    def before(ask: Ask) -> None:
        if ask.method == "POST" and ask.path == CALLS and is_refused(ask):
            wanted = re.search(rb"(429|503)", b"".join(ask.values("prefer")))
            name = "rate_limited" if b"0121" in ask.body else "provider_unavailable"
            chosen[id(ask)] = codes[wanted[1]] if wanted else name
            ask.put("prefer", None)
            ask.body = re.sub(rb"\+1202555[0-9]{4}", number.encode(), ask.body)

    def after(ask: Ask, reply: Reply) -> None:
        if code := chosen.pop(id(ask), None):
            reply.body = json.dumps(
                {"detail": "This was refused. Try it again later.", "request_id": ""}
                | {"request_id": reply.values("x-request-id")[0].decode()}
            ).encode()
            put_problem(reply, code)
            reply.put("content-type", b"application/problem+json")
            reply.put("retry-after", b"1")
            reply.put("location", None)
            reply.put("preference-applied", f"code={reply.status}".encode())

    shop.on_request(before)
    shop.on_answer(after)


@fault("time", "refused_creations_say_when_to_retry")
def refusal_creates_a_call(shop: Workshop) -> None:
    """A creation that is refused with 429 or 503 creates its call all the same."""
    create_all_the_same(shop, lambda ask: re.search(rb"\+120255501(2[0-9])", ask.body) is not None)


@fault("time", "preferred_problems_are_given")
def preferred_problem_creates_a_call(shop: Workshop) -> None:
    """A problem that was asked for comes after the call was created."""
    create_all_the_same(shop, lambda ask: bool(ask.values("prefer")))


@fault("time", "advancing_delivers_what_was_due")
def completions_come_late(shop: Workshop) -> None:
    """A completion is delivered a second and a half after it is due."""
    original = Deliverer.advance

    async def advance(self: Any, namespace: bytes, until: float) -> Any:
        await original(self, namespace, until - 1.5)
        await self._world.store.move_clock(namespace, until, wall_now=self._world.wall())
        return await self._world.clock(namespace)

    shop.replace(Deliverer, "advance", advance)
    shop.replace(Deliverer, "run", _sleep_for_ever)


@fault("time", "clock_advances_and_never_goes_back")
def clock_goes_back(shop: Workshop) -> None:
    """Advancing by nothing sets the clock back."""

    def alter(ask: Ask, reply: Reply) -> None:
        if ask.path == "/sandbox/clock" and token_of(ask) in still and reply.status == 200:
            reply.put_json(reply.json | {"now": "2020-01-01T00:00:00.000Z"})
        if ask.path == "/sandbox/clock" and lenient(ask.body) == {"advance_seconds": 0}:
            still.add(token_of(ask))

    still: set[bytes] = set()
    shop.on_answer(alter)
