"""The fault matrix: faulty variants of the sandbox, one deliberate fault each.

A contract test earns its place by a fault that nothing else caught. Each fault names the check
that should catch it; CI runs that pair, and `make faults` runs everything against everything.
"""

import asyncio
import dataclasses
import json
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from faulty import Ask, Reply, Workshop, plain_contract
from sandbox import calls, clock, control, entries, handlers, keys, service, strict_json, world
from sandbox.calls import Result, Verdict
from sandbox.delivery import Deliverer
from sandbox.exchange import Answer
from sandbox.keys import Keyring, Principal, namespace_of
from sandbox.problems import Refusal
from sandbox.routes import Routes
from sandbox.service import Service
from sandbox.store.protocol import IdempotencyKey, KeptCall
from sandbox.store.sqlite import SQLiteStore

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


FAULTS: dict[str, Fault] = {}


def fault(
    category: str, caught_by: str
) -> Callable[[Callable[[Workshop], None]], Callable[[Workshop], None]]:
    def add(alter: Callable[[Workshop], None]) -> Callable[[Workshop], None]:
        name = alter.__name__
        assert name not in FAULTS, name
        assert alter.__doc__, name
        FAULTS[name] = Fault(name, category, " ".join(alter.__doc__.split()), caught_by, alter)
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
    return Reply(
        status, [(b"content-type", b"text/plain"), (b"content-length", b"0")], text.encode()
    )


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

    def refuse(find: Any) -> Any:
        def found(self: Routes, method: str, path: str) -> Any:
            return find(self, "TRACE" if method == "HEAD" else method, path)

        return found

    shop.wrap(Routes, "find", refuse)


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

    def alter(find: Any) -> Any:
        def found(self: Routes, method: str, path: str) -> Any:
            try:
                return find(self, method, path)
            except Refusal as refusal:
                raise Refusal("not_found", refusal.detail) from None

        return found

    shop.wrap(Routes, "find", alter)


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

    def alter(find: Any) -> Any:
        def found(self: Routes, method: str, path: str) -> Any:
            try:
                return find(self, method, path)
            except Refusal:
                raise Refusal(
                    "missing_token",
                    "This request carries no token at all.",
                    headers={"WWW-Authenticate": "Bearer"},
                ) from None

        return found

    shop.wrap(Routes, "find", alter)


@fault("transport", "size_is_limited_however_it_is_declared")
def chunked_body_has_no_limit(shop: Workshop) -> None:
    """The size is limited by Content-Length alone."""
    original = Service._body

    async def body(self: Service, operation: Any, headers: Any, receive: Any) -> bytes:
        if b"content-length" not in headers and operation.body is not None:
            larger = dataclasses.replace(operation.body, max_bytes=10**9)
            operation = dataclasses.replace(operation, body=larger)
        return await original(self, operation, headers, receive)

    shop.replace(Service, "_body", body)


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

    def alter(ask: Ask, reply: Reply) -> None:
        if reply.status == 413:
            reply.status = 400
            reply.put_json(
                reply.json
                | {"status": 400, "code": "malformed_json", "type": "/errors/#malformed_json"}
                | {"title": "Malformed JSON"}
            )

    shop.on_answer(alter)


@fault("transport", "refusals_come_in_order")
def size_is_looked_at_before_the_type(shop: Workshop) -> None:
    """A wrong media type is only noticed after the body was decoded."""
    original = Service._body

    async def body(self: Service, operation: Any, headers: Any, receive: Any) -> bytes:
        forged = {**headers, b"content-type": [b"application/json"]}
        raw = await original(self, operation, forged, receive)
        if operation.body is not None:
            self._decoded(operation, raw)
        return await original(
            self, operation, headers, lambda: _given({"type": "http.request", "body": raw})
        )

    async def _given(message: Any) -> Any:
        return message

    shop.replace(Service, "_body", body)


# JSON


def decoder(shop: Workshop, **changes: Any) -> None:
    kept = {
        "object_pairs_hook": strict_json._unique,
        "parse_int": strict_json._integer,
        "parse_float": strict_json._number,
        "parse_constant": strict_json._constant,
    }
    shop.replace(strict_json, "_DECODER", json.JSONDecoder(**{**kept, **changes}))


def decode_first(shop: Workshop, change: Callable[[bytes], bytes]) -> None:
    shop.wrap(service, "decode", lambda decode: lambda body: decode(change(body)))


@fault("json", "keys_given_twice_are_400")
def duplicate_keys_are_taken(shop: Workshop) -> None:
    """Of a key that is given twice the last value counts."""
    decoder(shop, object_pairs_hook=dict)


@fault("json", "numbers_out_of_range_are_refused")
def constants_are_taken(shop: Workshop) -> None:
    """NaN and Infinity are read as numbers."""
    decoder(shop, parse_constant=float)


@fault("json", "numbers_out_of_range_are_refused")
def endless_numerals_crash(shop: Workshop) -> None:
    """A numeral of thousands of digits ends in a 500."""
    decoder(shop, parse_int=int)


@fault("json", "body_that_is_not_utf8_is_400")
def invalid_utf8_crashes(shop: Workshop) -> None:
    """A body that is not UTF-8 ends in a 500."""

    def crash(body: bytes) -> bytes:
        try:
            body.decode()
        except UnicodeDecodeError as error:
            raise RuntimeError("not UTF-8") from error
        return body

    decode_first(shop, crash)


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
    decode_first(
        shop,
        lambda body: body.decode(json.detect_encoding(body), "surrogatepass").encode(
            "utf-8", "replace"
        ),
    )


@fault("json", "half_a_surrogate_pair_is_400")
def lone_surrogates_are_taken(shop: Workshop) -> None:
    """Half of a surrogate pair is taken, and reading the call breaks."""
    shop.replace(strict_json, "_encodable", lambda value: True)


@fault("json", "nesting_without_end_is_400")
def deep_nesting_crashes(shop: Workshop) -> None:
    """A body nested without end ends in a 500."""
    shop.replace(strict_json, "MAX_DEPTH", 10**9)


@fault("json", "malformed_completion_is_400")
def rest_of_the_body_is_ignored(shop: Workshop) -> None:
    """What follows the first JSON value is ignored."""
    shop.replace(strict_json, "_DECODER", _PrefixDecoder(object_pairs_hook=strict_json._unique))


class _PrefixDecoder(json.JSONDecoder):
    def decode(self, s: str, _w: Any = None) -> Any:
        return self.raw_decode(s.lstrip())[0]


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
    decode_first(shop, lambda body: re.sub(rb"\s*//[^\n\"]*$", b"", body))


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
    decoder(shop, parse_float=lambda numeral: numeral)


@fault("json", "completions_of_a_wrong_form_are_422")
def fractions_are_cut(shop: Workshop) -> None:
    """A duration of 1.5 is taken as 1."""
    decoder(shop, parse_float=lambda numeral: int(float(numeral)))


@fault("json", "completions_of_a_wrong_form_are_422")
def numbers_in_quotes_are_taken(shop: Workshop) -> None:
    """A duration of "120" is taken as 120."""
    decode_first(shop, lambda body: re.sub(rb'("duration":\s*)"(\d+)"', rb"\1\2", body))


@fault("json", "completions_of_a_wrong_form_are_422")
def true_is_a_number(shop: Workshop) -> None:
    """A duration of true is taken as 1."""
    decode_first(shop, lambda body: re.sub(rb'("duration":\s*)true', rb"\g<1>1", body))


@fault("json", "body_of_another_kind_is_422")
def body_that_is_no_object_crashes(shop: Workshop) -> None:
    """A body that is JSON but no object ends in a 500."""

    def alter(decode: Any) -> Any:
        def decoded(body: bytes) -> Any:
            value = decode(body)
            value.items()
            return value

        return decoded

    shop.wrap(service, "decode", alter)


@fault("json", "escapes_are_read")
def escapes_are_kept(shop: Workshop) -> None:
    """An escaped slash keeps its backslash."""
    decode_first(shop, lambda body: body.replace(rb"\/", rb"\\/"))


# Media type


def content_types(shop: Workshop, pattern: bytes) -> None:
    shop.replace(service, "_JSON_CONTENT_TYPE", re.compile(pattern, re.IGNORECASE))


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
    shop.replace(
        service,
        "_JSON_CONTENT_TYPE",
        re.compile(rb'application/json[ \t]*(;[ \t]*charset="?(utf|UTF)-8"?[ \t]*)?'),
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
    decode_error = {"code": "malformed_json", "title": "Malformed JSON", "status": 400}

    def alter(ask: Ask, reply: Reply) -> None:
        if reply.status == 415:
            reply.status = 400
            reply.put_json(reply.json | decode_error | {"type": "/errors/#malformed_json"})

    shop.on_answer(alter)


# Tokens


def authorize(shop: Workshop, change: Callable[[list[bytes]], list[bytes]]) -> None:
    """Let another header decide who sends a request."""
    shop.wrap(
        Keyring,
        "principal",
        lambda judge: lambda self, values: judge(self, change(list(values))),
    )


def sandbox_key(shop: Workshop, pattern: str, flags: int = 0) -> None:
    shop.replace(keys, "_SANDBOX_KEY", re.compile(pattern, flags))


@fault("auth", "missing_token_is_401")
def no_token_is_needed(shop: Workshop) -> None:
    """A request without a token is served."""
    authorize(shop, lambda values: values or [b"Bearer sandbox_nobody"])


@fault("auth", "wrong_tokens_are_401")
def any_token_is_accepted(shop: Workshop) -> None:
    """A token of any form is accepted."""
    sandbox_key(shop, r".+")


@fault("auth", "wrong_tokens_are_401")
def start_of_the_token_decides(shop: Workshop) -> None:
    """Whatever starts like a good token is accepted."""

    class Prefix:
        fullmatch = re.compile(r"sandbox_[A-Za-z0-9_-]{4,64}").match

    shop.replace(keys, "_SANDBOX_KEY", Prefix)


@fault("auth", "wrong_tokens_are_401")
def short_tokens_are_accepted(shop: Workshop) -> None:
    """A token shorter than allowed is accepted."""
    sandbox_key(shop, r"sandbox_[A-Za-z0-9_-]{0,64}")


@fault("auth", "wrong_tokens_are_401")
def long_tokens_are_accepted(shop: Workshop) -> None:
    """A token longer than allowed is accepted."""
    sandbox_key(shop, r"sandbox_[A-Za-z0-9_-]{4,}")


@fault("auth", "wrong_tokens_are_401")
def token_ignores_case(shop: Workshop) -> None:
    """A token in capitals is accepted."""
    sandbox_key(shop, r"sandbox_[A-Za-z0-9_-]{4,64}", re.IGNORECASE)


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
    shop.replace(keys, "_BEARER", re.compile(r"Bearer +([A-Za-z0-9._~+/-]+=*) *"))


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

    def change(problem: dict[str, Any]) -> None:
        if problem["code"] == "missing_token":
            problem |= {
                "code": "invalid_token",
                "title": "Invalid token",
                "type": "/errors/#invalid_token",
            }

    change_json(shop, lambda _, r: r.status == 401, change)


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
    judge_token, read_body = Service._principal, Service._body

    def principal(self: Service, operation: Any, headers: Any) -> Principal:
        if operation.body is not None and b"authorization" not in headers:
            return Principal(namespace_of("sandbox_nobody"), is_provider=False)
        return judge_token(self, operation, headers)

    async def body(self: Service, operation: Any, headers: Any, receive: Any) -> bytes:
        raw = await read_body(self, operation, headers, receive)
        if operation.body is not None and b"authorization" not in headers:
            self._decoded(operation, raw)
            judge_token(self, operation, headers)
        return raw

    shop.replace(Service, "_principal", principal)
    shop.replace(Service, "_body", body)


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

    def alter(decode: Any) -> Any:
        def decoded(body: bytes) -> Any:
            value = decode(body)
            if isinstance(value, dict) and set(value) == {"phone"}:
                value["agent"] = agent
            return value

        return decoded

    shop.wrap(service, "decode", alter)


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
    def alter(decode: Any) -> Any:
        def decoded(body: bytes) -> Any:
            value = decode(body)
            if isinstance(value, dict) and isinstance(value.get("phone"), str):
                value["phone"] = change(value["phone"])
            return value

        return decoded

    shop.wrap(service, "decode", alter)


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

    def alter(decode: Any) -> Any:
        def decoded(body: bytes) -> Any:
            value = decode(body)
            if isinstance(value, dict) and isinstance(value.get("agent"), str):
                value["agent"] = value["agent"].lower()
            return value

        return decoded

    shop.wrap(service, "decode", alter)


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

    def alter(decode: Any) -> Any:
        def decoded(body: bytes) -> Any:
            value = decode(body)
            if isinstance(value, dict) and isinstance(value.get("transcript"), str):
                text = value["transcript"]
                if len(text.encode("utf-16-le", "surrogatepass")) // 2 > 65536 >= len(text):
                    value["transcript"] = text * 2
            return value

        return decoded

    shop.wrap(service, "decode", alter)


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

    def alter(ask: Ask, reply: Reply) -> None:
        if reply.status == 422:
            reply.status = 400
            problem = reply.json
            problem.pop("errors")
            reply.put_json(
                problem
                | {"status": 400, "code": "malformed_json", "type": "/errors/#malformed_json"}
                | {"title": "Malformed JSON"}
            )

    shop.on_answer(alter)


# States


@fault("state", "completion_by_hand_ends_the_newest_call")
def completion_is_ignored(shop: Workshop) -> None:
    """A completion is answered 200 and changes nothing."""
    shop.sql(
        "complete_call", "UPDATE calls SET status = status WHERE namespace = :namespace AND 0;"
    )
    shop.replace(calls, "judge", lambda *_, **__: Verdict.REPEATED)


@fault("state", "first_result_stands")
def last_result_stands(shop: Workshop) -> None:
    """A different completion of a finished call overwrites the first."""
    shop.replace(calls, "judge", lambda *_, **__: Verdict.ACCEPTED)
    shop.sql(
        "complete_call",
        "UPDATE calls SET status = :status, transcript = :transcript, "
        "duration_seconds = :duration_seconds, ended_at = :ended_at, completed_by = :completed_by "
        "WHERE namespace = :namespace AND call_id = :call_id;",
    )


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
    words: dict[bytes, str] = {}

    def alter(complete_call: Any) -> Any:
        async def completed(w: Any, request: Any) -> Any:
            word = words.setdefault(request.principal.namespace, request.body["status"])
            if word != request.body["status"]:
                raise Refusal("call_already_ended", "This call is over with another result.")
            return await complete_call(w, request)

        return completed

    shop.wrap(handlers, "call_completed", alter)


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
        lambda status, text, seconds: dataclasses.replace(
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
def voicemail_is_no_answer(shop: Workshop) -> None:
    """One word of the provider is saved as another status than the table says."""
    provider_word(shop, "voicemail", "no_answer")


@fault("state", "words_of_the_provider_are_normalized")
def rejected_is_canceled(shop: Workshop) -> None:
    """A declined call is saved as canceled."""
    provider_word(shop, "rejected", "canceled")


# Storage


def complete(shop: Workshop, change: Callable[[Result], Result]) -> None:
    """Save another result than was judged."""
    original = SQLiteStore.complete_call

    async def saved(self: Any, namespace: bytes, call_id: UUID, result: Result, **more: Any) -> Any:
        return await original(self, namespace, call_id, change(result), **more)

    shop.replace(SQLiteStore, "complete_call", saved)


def stored_text(shop: Workshop, change: Callable[[str], str]) -> None:
    complete(
        shop,
        lambda result: dataclasses.replace(
            result, transcript=result.transcript and change(result.transcript)
        ),
    )


@fault("storage", "durations_are_kept")
def duration_is_one_too_long(shop: Workshop) -> None:
    """The duration is stored a second too long."""
    complete(shop, lambda r: dataclasses.replace(r, duration_seconds=r.duration_seconds + 1))


@fault("storage", "durations_are_kept")
def duration_is_in_minutes(shop: Workshop) -> None:
    """The duration is stored in minutes."""
    complete(shop, lambda r: dataclasses.replace(r, duration_seconds=r.duration_seconds // 60))


@fault("storage", "durations_are_kept")
def long_durations_wrap(shop: Workshop) -> None:
    """The duration is stored in 16 bits."""
    complete(shop, lambda r: dataclasses.replace(r, duration_seconds=r.duration_seconds % 65536))


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
    shop.sql(
        "read_call_with_clock",
        "SELECT anchor_wall, anchor, rate, :call_id, phone, agent, scenario, created_at, status, "
        "transcript, duration_seconds, ended_at, completed_by, delivery_answers "
        "FROM namespaces LEFT JOIN calls ON calls.namespace = namespaces.namespace "
        "WHERE namespaces.namespace = :namespace ORDER BY call_id DESC LIMIT 1;",
    )
    shop.replace(
        world.World,
        "status",
        lambda self, call, now: call.result.status if call.result else "queued",
    )


@fault("storage", "every_call_keeps_its_own_result")
def transcripts_are_shared(shop: Workshop) -> None:
    """A completion writes its transcript to every call of the key that is over."""
    original = SQLiteStore.complete_call

    async def saved(self: Any, namespace: bytes, call_id: UUID, result: Result, **more: Any) -> Any:
        self._connection().execute(
            "UPDATE calls SET transcript = ? WHERE namespace = ? AND transcript IS NOT NULL "
            "AND completed_by IS NOT NULL",
            (result.transcript, namespace),
        )
        return await original(self, namespace, call_id, result, **more)

    shop.replace(SQLiteStore, "complete_call", saved)


@fault("storage", "every_call_keeps_its_own_result")
def only_the_newest_calls_are_kept(shop: Workshop) -> None:
    """A key keeps its last three calls."""
    original = SQLiteStore.create_call

    async def created(self: Any, namespace: bytes, call: Any, **more: Any) -> Any:
        kept = await original(self, namespace, call, **more)
        self._connection().execute(
            "DELETE FROM calls WHERE namespace = ? AND call_id NOT IN (SELECT call_id FROM calls "
            "WHERE namespace = ? ORDER BY call_id DESC LIMIT 3)",
            (namespace, namespace),
        )
        return kept

    shop.replace(SQLiteStore, "create_call", created)


@fault("storage", "call_id_is_read_in_any_case")
def call_id_in_capitals_is_unknown(shop: Workshop) -> None:
    """A call_id in capitals is not found."""

    def alter(get: Any) -> Any:
        async def found(w: Any, request: Any) -> Any:
            if request.parameters["call_id"] != request.parameters["call_id"].lower():
                raise handlers._no_such_call()
            return await get(w, request)

        return found

    shop.wrap(handlers, "get_call", alter)


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
    original = SQLiteStore._insert_call

    def insert(self: Any, namespace: bytes, call: Any, **more: Any) -> None:
        if call.result is not None:
            original(self, namespace, call, **more)

    shop.replace(SQLiteStore, "_insert_call", insert)


# Webhook


@fault("webhook", "unknown_word_ends_no_call")
def unknown_word_fails_the_call(shop: Workshop) -> None:
    """An unknown word of the provider ends the call as failed."""

    def alter(decode: Any) -> Any:
        def decoded(body: bytes) -> Any:
            value = decode(body)
            known = plain_contract()["components"]["schemas"]["ProviderStatus"]["enum"]
            if isinstance(value, dict) and isinstance(value.get("status"), str):
                value["status"] = value["status"] if value["status"] in known else "failed"
            return value

        return decoded

    shop.wrap(service, "decode", alter)


@fault("webhook", "unknown_reference_is_404")
def unknown_reference_is_received(shop: Workshop) -> None:
    """A completion of a call that does not exist is answered 200."""

    def alter(complete_call: Any) -> Any:
        async def completed(w: Any, request: Any) -> Any:
            try:
                return await complete_call(w, request)
            except Refusal as refusal:
                if refusal.code != "call_not_found":
                    raise
                return Answer(200, {"received": True})

        return completed

    shop.wrap(handlers, "call_completed", alter)


@fault("webhook", "completion_by_hand_ends_the_newest_call")
def alias_names_the_oldest_call(shop: Workshop) -> None:
    """The alias completes the oldest call that is not over."""
    shop.sql(
        "newest_call_id",
        "SELECT call_id FROM calls WHERE namespace = :namespace AND status IS NULL "
        "ORDER BY call_id LIMIT 1;",
    )


@fault("webhook", "completion_by_the_provider_id_ends_that_call")
def provider_id_is_ignored(shop: Workshop) -> None:
    """Every completion ends the newest call."""
    original = handlers._completed_call_id

    async def newest(w: Any, namespace: bytes, provider_call_id: str) -> UUID:
        await original(w, namespace, provider_call_id)
        return await original(w, namespace, w.catalogue.newest_call_alias)

    shop.replace(handlers, "_completed_call_id", newest)


@fault("webhook", "every_outcome_can_be_provoked")
def provider_never_delivers(shop: Workshop) -> None:
    """The simulated provider never reports the end of a call."""
    shop.replace(handlers, "first_due_at", lambda *_: None)


@fault("webhook", "end_arrives_whole")
def provider_delivers_no_transcript(shop: Workshop) -> None:
    """A completion that the provider posts loses its transcript on the way."""
    original = Deliverer._post

    async def post(self: Any, namespace: bytes, payload: Any) -> Any:
        return await original(self, namespace, {**payload, "transcript": None})

    shop.replace(Deliverer, "_post", post)


@fault("webhook", "every_delivery_is_answered_as_the_contract_says")
def second_delivery_is_lost(shop: Workshop) -> None:
    """The provider gives up after the first delivery."""
    shop.sql(
        "finish_delivery",
        "UPDATE calls SET delivery_answers = json_insert(delivery_answers, '$[#]', :answer), "
        "due_at = iif(:due_at, NULL, NULL), wake_at = iif(:wake_at, NULL, NULL), leased_until = 0 "
        "WHERE namespace = :namespace AND call_id = :call_id;",
    )


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
    original = SQLiteStore.complete_call

    async def saved(self: Any, namespace: bytes, call_id: UUID, result: Result, **more: Any) -> Any:
        more["drop_plan"] = False
        return await original(self, namespace, call_id, result, **more)

    shop.replace(SQLiteStore, "complete_call", saved)
    shop.sql(
        "complete_call",
        "UPDATE calls SET status = :status, transcript = :transcript, "
        "duration_seconds = :duration_seconds, ended_at = :ended_at, completed_by = :completed_by "
        "WHERE namespace = :namespace AND call_id = :call_id;",
    )
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


# Idempotency


def keep_key(shop: Workshop, change: Callable[[IdempotencyKey], IdempotencyKey | None]) -> None:
    original = handlers._idempotency_key

    def kept(request: Any, now: float) -> IdempotencyKey | None:
        key = original(request, now)
        return key and change(key)

    shop.replace(handlers, "_idempotency_key", kept)


@fault("idempotency", "retry_returns_the_first_answer")
def idempotency_key_is_ignored(shop: Workshop) -> None:
    """A retry creates a second call."""
    keep_key(shop, lambda key: None)


@fault("idempotency", "other_body_under_the_same_key_is_409")
def other_body_is_replayed(shop: Workshop) -> None:
    """Another body under the same key gets the first answer."""
    keep_key(shop, lambda key: dataclasses.replace(key, fingerprint=b""))


@fault("idempotency", "other_body_under_the_same_key_is_409")
def only_the_phone_is_compared(shop: Workshop) -> None:
    """Of the body only the phone number is compared."""
    original = handlers._idempotency_key

    def kept(request: Any, now: float) -> IdempotencyKey | None:
        key = original(request, now)
        return key and dataclasses.replace(key, fingerprint=request.body["phone"].encode())

    shop.replace(handlers, "_idempotency_key", kept)


@fault("idempotency", "retry_is_the_same_in_any_order_of_fields")
def body_is_compared_byte_by_byte(shop: Workshop) -> None:
    """The same JSON in another order is another body."""
    original = handlers._idempotency_key

    def kept(request: Any, now: float) -> IdempotencyKey | None:
        key = original(request, now)
        return key and dataclasses.replace(key, fingerprint=orjson.dumps(request.body))

    shop.replace(handlers, "_idempotency_key", kept)


@fault("idempotency", "thirty_at_once_create_one_call")
def retries_race(shop: Workshop) -> None:
    """Requests at the same moment each create a call, because looking and keeping are two steps."""
    original = SQLiteStore.create_call

    async def created(self: Any, namespace: bytes, call: Any, **more: Any) -> Any:
        key = more["idempotency_key"]
        if key is not None:
            found = self._read(
                "read_idempotency_key", namespace=namespace, idempotency_key=key.value
            )
            await asyncio.sleep(0.05)
            if found is None:
                kept = await original(self, namespace, call, **more)
                if kept is not None:
                    await original(self, namespace, call, **{**more, "idempotency_key": None})
                return None
        return await original(self, namespace, call, **more)

    shop.replace(SQLiteStore, "create_call", created)


@fault("idempotency", "refused_requests_are_not_kept")
def refused_requests_are_kept(shop: Workshop) -> None:
    """A request that was refused uses up its key."""
    seen: dict[bytes, bytes] = {}

    def alter(ask: Ask) -> Reply | None:
        for key in ask.values("idempotency-key"):
            name = b"".join(ask.values("authorization")) + key
            if seen.setdefault(name, ask.body) != ask.body:
                ask.put("prefer", b"code=409")
        return None

    shop.on_request(alter)


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
    shop.replace(handlers, "IDEMPOTENCY_SECONDS", 3600)


@fault("idempotency", "idempotency_keys_are_kept_a_day")
def keys_are_kept_for_ever(shop: Workshop) -> None:
    """An Idempotency-Key is never forgotten."""
    shop.replace(handlers, "IDEMPOTENCY_SECONDS", 10**9)


@fault("idempotency", "idempotency_keys_are_compared_whole")
def keys_ignore_case(shop: Workshop) -> None:
    """Idempotency-Keys are compared without regard to case."""
    keep_key(shop, lambda key: dataclasses.replace(key, value=key.value.lower()))


@fault("idempotency", "idempotency_keys_are_compared_whole")
def keys_are_cut(shop: Workshop) -> None:
    """Idempotency-Keys are compared by their first 64 characters."""
    keep_key(shop, lambda key: dataclasses.replace(key, value=key.value[:64]))


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


# Isolation


@fault("isolation", "calls_of_other_keys_do_not_exist")
def calls_of_other_keys_are_shown(shop: Workshop) -> None:
    """A key reads the calls of every other key."""
    shop.sql(
        "read_call_with_clock",
        "SELECT anchor_wall, anchor, rate, call_id, phone, agent, scenario, created_at, status, "
        "transcript, duration_seconds, ended_at, completed_by, delivery_answers "
        "FROM namespaces LEFT JOIN calls ON call_id = :call_id "
        "WHERE namespaces.namespace = :namespace "
        "ORDER BY calls.namespace = :namespace DESC;",
    )


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

    async def newest(w: Any, namespace: bytes, provider_call_id: str) -> UUID:
        await w.clock(namespace)
        found: UUID | None = await w.store.newest_call_id(namespace)
        if found is None:
            raise handlers._no_such_call()
        return found

    shop.replace(handlers, "_completed_call_id", newest)


@fault("isolation", "completions_stay_in_their_key")
def provider_id_opens_every_key(shop: Workshop) -> None:
    """A completion with the provider's id of another key's call is taken."""

    def alter(complete_call: Any) -> Any:
        async def completed(w: Any, request: Any) -> Any:
            row = (
                w.store._connection()
                .execute(
                    "SELECT namespace FROM calls WHERE call_id = ?",
                    ((handlers.call_id_of(request.body["provider_call_id"]) or UUID(int=0)).bytes,),
                )
                .fetchone()
            )
            if row is not None:
                principal = Principal(row[0], is_provider=request.principal.is_provider)
                request = dataclasses.replace(request, principal=principal)
            return await complete_call(w, request)

        return completed

    shop.wrap(handlers, "call_completed", alter)


@fault("isolation", "keys_that_differ_in_case_are_two")
def keys_share_a_namespace_in_any_case(shop: Workshop) -> None:
    """Keys that differ only in case share their calls."""
    shop.replace(keys, "namespace_of", lambda token: namespace_of(token.lower()))


@fault("isolation", "keys_that_differ_in_case_are_two")
def keys_share_a_namespace_by_their_start(shop: Workshop) -> None:
    """Keys are told apart by their first 24 characters."""
    shop.replace(keys, "namespace_of", lambda token: namespace_of(token[:31]))


@fault("isolation", "idempotency_keys_belong_to_a_key")
def idempotency_keys_are_shared(shop: Workshop) -> None:
    """Two keys that use the same Idempotency-Key get the same answer."""
    original = SQLiteStore.create_call
    kept: dict[str, Any] = {}

    async def created(self: Any, namespace: bytes, call: Any, **more: Any) -> Any:
        key = more["idempotency_key"]
        if key is not None and key.value in kept:
            return kept[key.value]
        found = await original(self, namespace, call, **more)
        if key is not None and found is None:
            kept[key.value] = KeptCall(call.call_id, key.fingerprint)
        return found

    shop.replace(SQLiteStore, "create_call", created)


@fault("isolation", "clocks_belong_to_a_key")
def clock_is_shared(shop: Workshop) -> None:
    """Advancing one key's clock advances all."""
    shop.sql(
        "move_clock",
        "UPDATE namespaces SET anchor_wall = :anchor_wall, anchor = :anchor "
        "WHERE :namespace IS NOT NULL;",
    )


@fault("isolation", "reset_empties_one_key")
def reset_empties_every_key(shop: Workshop) -> None:
    """Emptying one namespace empties all."""
    shop.sql("delete_calls", "DELETE FROM calls WHERE :namespace IS NOT NULL;")


@fault("isolation", "reset_empties_one_key")
def reset_keeps_idempotency_keys(shop: Workshop) -> None:
    """Emptying a namespace keeps its Idempotency-Keys."""
    shop.sql(
        "delete_idempotency_keys",
        "DELETE FROM idempotency_keys WHERE namespace = :namespace AND 0;",
    )


@fault("isolation", "journal_tells_what_was_sent")
def journal_shows_tokens(shop: Workshop) -> None:
    """The journal shows the keys that were sent."""
    shop.replace(entries, "is_secret_header", lambda name: False)
    shop.replace(entries, "without_secrets", lambda text: text)
    shop.replace(control, "_SUMMARY_LEAVES_OUT", set())


# Headers


@fault("headers", "agents_are_those_of_the_contract")
def request_id_is_missing(shop: Workshop) -> None:
    """Answers carry no X-Request-Id."""
    change_answers(shop, lambda ask, _: is_service(ask), lambda r: r.put("x-request-id", None))


@fault("headers", "ids_of_a_wrong_shape_are_404")
def request_id_is_constant(shop: Workshop) -> None:
    """Every exchange has the same X-Request-Id."""
    shop.replace(clock, "new_request_id", lambda: "req_00000000000000000000000000000000")


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

    def change(problem: dict[str, Any]) -> None:
        if problem["code"] == "not_found":
            problem |= {
                "code": "call_not_found",
                "title": "No such call",
                "type": "/errors/#call_not_found",
            }

    change_json(shop, of_problems, change)


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


@fault("problems", "ids_of_a_wrong_shape_are_404")
def wrong_id_crashes(shop: Workshop) -> None:
    """An id that is no UUID ends in a 500."""

    def check(self: Service, operation: Any, parameters: Any) -> None:
        if "call_id" in parameters:
            UUID(parameters["call_id"])

    shop.replace(Service, "_check_parameters", check)


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
    complete(shop, lambda r: dataclasses.replace(r, duration_seconds=r.duration_seconds + 3))


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
    original = SQLiteStore._insert_call

    def insert(self: Any, namespace: bytes, call: Any, **more: Any) -> None:
        if call.result is None:
            original(self, namespace, call, **more)

    shop.replace(SQLiteStore, "_insert_call", insert)


@fault("time", "preferred_problems_are_given")
def preference_is_ignored(shop: Workshop) -> None:
    """A problem that was asked for is not given, and a call is created instead."""
    shop.replace(service, "preferred", lambda *_: None)
