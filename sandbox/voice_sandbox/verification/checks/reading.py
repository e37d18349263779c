"""Reads, and rejections that cannot dial: what may be asked of any deployment, a live one too."""

from __future__ import annotations

from typing import Final

import orjson

from voice_sandbox.verification.api import JSON, UNKNOWN_CALL_ID, Api
from voice_sandbox.verification.check import Needs, check
from voice_sandbox.verification.finding import (
    must,
    must_be,
    must_be_invalid,
    must_be_malformed,
    must_be_unknown_call,
)
from voice_sandbox.verification.guard import CALLS_PATH, WEBHOOK_PATH
from voice_sandbox.verification.http1 import ReceivedResponse, SentRequest
from voice_sandbox.verification.identity import breach_of

AGENTS_PATH: Final = "/v1/agents"
OPERATION_PATHS: Final = (AGENTS_PATH, CALLS_PATH, f"{CALLS_PATH}/{UNKNOWN_CALL_ID}", WEBHOOK_PATH)


@check(Needs.READ)
def agents_are_those_of_the_contract(api: Api) -> None:
    """`listAgents` returns the catalogue of the contract, no agent more, fewer or different."""
    response = api.get(AGENTS_PATH)
    must_be(response, 200, when="the agents are listed")
    must(
        response.json() == api.target.catalogue.agent_list,
        "listAgents must return the catalogue of the contract, but it returns another one.",
        response,
    )


@check(Needs.READ)
def what_calls_itself_a_sandbox_is_one(api: Api) -> None:
    """A deployment whose `GET /sandbox` says that it is a sandbox says so as the contract does."""
    response = api.send_unchecked(SentRequest("GET", "/sandbox"))
    if isinstance(response, ReceivedResponse):
        breach = breach_of(response, api.target.control_contract)
        must(not breach, breach, response)


@check(Needs.READ)
def success_is_plain_json(api: Api) -> None:
    """A success is `application/json`, with one `Content-Type` and no parameters that mislead."""
    response = api.get(AGENTS_PATH)
    must(
        response.values("content-type") == ["application/json"],
        "A success must say Content-Type: application/json, "
        f"but it says {response.values('content-type')}.",
        response,
    )


@check(Needs.READ)
def unknown_call_is_404(api: Api) -> None:
    """An id that names no call is 404 `call_not_found`."""
    must_be_unknown_call(
        api.get(f"{CALLS_PATH}/{UNKNOWN_CALL_ID}"),
        when="a call_id names no call",
    )


@check(Needs.READ)
def ids_of_a_wrong_shape_are_404(api: Api) -> None:
    """A `call_id` that is no UUID names no call: 404 `call_not_found`, never a crash."""
    for wrong in (
        "1",
        "null",
        UNKNOWN_CALL_ID[:-1],
        UNKNOWN_CALL_ID + "0",
        UNKNOWN_CALL_ID.replace("-", ""),
        UNKNOWN_CALL_ID.replace("0", "g"),
        "a" * 2000,
        "..-..",
        "-1",
        "1e9",
    ):
        must_be_unknown_call(
            api.get(f"{CALLS_PATH}/{wrong}"),
            when=f"the call_id is {wrong[:40]}",
        )


@check(Needs.READ)
def missing_token_is_401(api: Api) -> None:
    """Without a token every operation is 401 `missing_token`, before anything else is looked at."""
    for sent in (
        SentRequest("GET", AGENTS_PATH),
        SentRequest("GET", f"{CALLS_PATH}/{UNKNOWN_CALL_ID}"),
        SentRequest("HEAD", AGENTS_PATH),
    ):
        must_be(
            api.send(sent),
            401,
            "missing_token" if sent.method == "GET" else None,
            when="no token is sent",
        )


@check(Needs.READ)
def webhook_needs_a_token(api: Api) -> None:
    """The webhook takes no completion without a token."""
    response = api.post(WEBHOOK_PATH, api.completion_of_nothing(), signed=False)
    must_be(response, 401, "missing_token", when="a completion carries no token")


@check(Needs.READ)
def wrong_tokens_are_401(api: Api) -> None:
    """A token that differs from a good one in any way is 401 `invalid_token`."""
    key = api.key
    for wrong in (
        "Bearer wrong",
        "Bearer sandbox_",
        "Bearer sandbox_abc",
        f"Bearer {key}!",
        f"Bearer {key}=",
        f"Bearer {key}.x",
        f"Bearer x{key}",
        f"Bearer {key[:7]}",
        f"Bearer {key.upper()}",
        f"Bearer {key} {key}",
        f"Bearer {key},{key}",
        f'Bearer "{key}"',
        f"Bearer:{key}",
        f"Bearer{key}",
        "Bearer",
        key,
        f"Basic {key}",
        f"Token {key}",
        f"Negotiate, Bearer {key}",
        "Bearer sandbox_" + "a" * 65,
    ):
        if wrong == f"Bearer {key}":  # a key of capitals alone
            continue
        response = api.send(SentRequest("GET", AGENTS_PATH, (("Authorization", wrong),)))
        shown = wrong.replace(key, "KEY").replace(key.upper(), "KEY IN CAPITALS")
        must_be(response, 401, "invalid_token", when=f"Authorization is {shown[:40]!r}")


@check(Needs.READ)
def token_given_twice_is_401(api: Api) -> None:
    """Two `Authorization` headers are ambiguous: 401 `invalid_token`."""
    twice = ("Authorization", f"Bearer {api.key}")
    response = api.send(SentRequest("GET", AGENTS_PATH, (twice, twice)))
    must_be(response, 401, "invalid_token", when="Authorization is sent twice")


@check(Needs.READ)
def token_counts_in_its_header_alone(api: Api) -> None:
    """A token in a cookie is no token: 401 `missing_token`."""
    cookie = ("Cookie", f"token={api.key}; access_token={api.key}")
    response = api.send(SentRequest("GET", AGENTS_PATH, (cookie,)))
    must_be(response, 401, "missing_token", when="the token is sent as a cookie")


@check(Needs.READ)
def bearer_is_written_in_any_case(api: Api) -> None:
    """The scheme is case-insensitive (RFC 9110, section 11.1)."""
    for scheme in ("bearer", "BEARER"):
        response = api.send(
            SentRequest("GET", AGENTS_PATH, (("Authorization", f"{scheme} {api.key}"),))
        )
        must_be(response, 200, when=f"the scheme of Authorization is written {scheme}")


@check(Needs.READ)
def rejected_token_says_how_to_authenticate(api: Api) -> None:
    """A 401 carries `WWW-Authenticate: Bearer` and never repeats what was sent."""
    secret = "verification-" + "z" * 20
    for headers in ((), (("Authorization", f"Bearer {secret}"),)):
        response = api.send(SentRequest("GET", AGENTS_PATH, headers))
        must_be(response, 401, when="the token is missing or wrong")
        must(
            (response.header("www-authenticate") or "").startswith("Bearer"),
            "A 401 must carry WWW-Authenticate: Bearer.",
            response,
        )
        must(
            secret.encode() not in response.body and secret not in str(response.headers),
            "A rejection repeats the token that was sent.",
            response,
        )


@check(Needs.READ)
def unknown_path_is_404(api: Api) -> None:
    """A path that the contract does not have is 404 `not_found`, with or without a token."""
    for path in ("/v1", "/v1/unknown", "/v1/agents/1", f"{CALLS_PATH}/x/y", "/v2/agents"):
        for signed in (True, False):
            must_be(api.get(path, signed=signed), 404, "not_found", when=f"{path} is asked for")


@check(Needs.READ)
def trailing_slash_is_404(api: Api) -> None:
    """A trailing slash makes another path: 404 `not_found`, no redirect."""
    for path in (AGENTS_PATH, f"{CALLS_PATH}/{UNKNOWN_CALL_ID}"):
        must_be(api.get(path + "/"), 404, "not_found", when="a path has a trailing slash")


@check(Needs.READ)
def path_is_taken_letter_by_letter(api: Api) -> None:
    """Paths are case-sensitive, and slashes are not merged."""
    for path in ("/v1/Agents", "/V1/agents", "/v1//agents"):
        must_be(api.get(path), 404, "not_found", when=f"{path} is asked for")


@check(Needs.READ)
def wrong_method_is_405_with_allow(api: Api) -> None:
    """A wrong method is 405 with the methods that the path takes in `Allow`, token or not."""
    for path in (CALLS_PATH, WEBHOOK_PATH):
        for signed in (True, False):
            response = api.get(path, signed=signed)
            must_be(response, 405, "method_not_allowed", when=f"GET {path} is asked for")
            must(
                response.values("allow") == ["POST"],
                f"A 405 of {path} must say Allow: POST, but it says {response.values('allow')}.",
                response,
            )


@check(Needs.READ)
def head_is_get_without_a_body(api: Api) -> None:
    """HEAD answers as GET does, with the same headers and no body."""
    for path, status in ((AGENTS_PATH, 200), (f"{CALLS_PATH}/{UNKNOWN_CALL_ID}", 404)):
        response, expected = api.head(path), api.get(path)
        must_be(response, status, when=f"HEAD {path} is asked for")
        for name in ("content-type",) + (("content-length",) if status == 200 else ()):
            must(
                response.values(name) == expected.values(name),
                f"HEAD must return the {name} of GET: {expected.values(name)}, "
                f"but it answers {response.values(name)}.",
                response,
            )


@check(Needs.READ)
def conditions_and_wishes_change_nothing(api: Api) -> None:
    """Ranges, conditions and other media types than JSON are ignored, as the contract has none."""
    expected = api.get(AGENTS_PATH)
    for name, value in (
        ("Range", "bytes=0-1"),
        ("If-None-Match", "*"),
        ("If-Match", '"another"'),
        ("If-Modified-Since", "Fri, 01 Jan 2100 00:00:00 GMT"),
        ("If-Unmodified-Since", "Thu, 01 Jan 1970 00:00:01 GMT"),
        ("Accept", "text/html"),
        ("Accept", "application/json;q=0"),
        ("Accept-Language", "ky"),
    ):
        response = api.get(AGENTS_PATH, (name, value))
        must_be(response, 200, when=f"the agents are listed with {name}: {value}")
        must(response.body == expected.body, f"{name} must not change what is listed.", response)


@check(Needs.READ)
def malformed_completion_is_400(api: Api) -> None:
    """A body that is no JSON is 400 `malformed_json`."""
    for body in (
        b"",
        b" ",
        b"{",
        b"[1,]",
        b'{"event_type"}',
        b"nonsense",
        b'{"a":1} x',
        b"{'a':1}",
    ):
        must_be_malformed(
            api.post_bytes(WEBHOOK_PATH, body, JSON),
            when=f"the body is {body.decode()!r}",
        )


@check(Needs.READ)
def body_that_is_not_utf8_is_400(api: Api) -> None:
    """Invalid UTF-8, a byte order mark and UTF-16 are 400 `malformed_json`, never a crash."""
    for body, what in (
        (b'{"event_type":"\xff\xfe"}', "is not UTF-8"),
        (b'{"event_type":"\xed\xa0\x80"}', "holds an encoded surrogate"),
        (b'{"event_type":"\xc0\xaf"}', "holds an overlong form"),
        (b'\xef\xbb\xbf{"event_type":"x"}', "starts with a byte order mark"),
        ('{"event_type":"x"}'.encode("utf-16"), "is UTF-16"),
        ('{"event_type":"x"}'.encode("utf-32-le"), "is UTF-32"),
    ):
        must_be_malformed(
            api.post_bytes(WEBHOOK_PATH, body, JSON),
            when=f"the body {what}",
        )


@check(Needs.READ)
def body_of_another_kind_is_422(api: Api) -> None:
    """JSON that is no object is 422 at the body itself, never a crash."""
    for body in (b"null", b"[]", b'"text"', b"12", b"true", b"[{}]"):
        response = api.post_bytes(WEBHOOK_PATH, body, JSON)
        must_be_invalid(response, "", when=f"the body is {body.decode()}")


@check(Needs.READ)
def numbers_out_of_range_are_rejected(api: Api) -> None:
    """`NaN`, `Infinity` and endless numerals are 400 `malformed_json`, never a crash."""
    endless = (b"9" * 5000, b"1." + b"0" * 5000, b"1e99999999999")
    for numeral in (b"NaN", b"Infinity", b"-Infinity", b"1e400", *endless):
        body = b'{"event_type":"call.completed","duration":' + numeral + b"}"
        must_be_malformed(
            api.post_bytes(WEBHOOK_PATH, body, JSON),
            when=f"a number is {numeral.decode()[:20]}",
        )


@check(Needs.READ)
def numbers_are_not_rounded(api: Api) -> None:
    """A number that is whole only when it is rounded is no integer, and none breaks anything."""
    whole = _json(api.completion_of_nothing(duration=12)).replace('"duration":12', '"duration":@')
    for numeral in ("12.00000000000000000001", "0.99999999999999999999", "12.5", "1e-1"):
        response = api.post_bytes(WEBHOOK_PATH, whole.replace("@", numeral).encode(), JSON)
        must(
            response.status in (400, 422),
            f"The duration {numeral} is no integer and must be rejected, but it is taken.",
            response,
        )
    # Zero to one decoder and out of range to another: the server may choose, and must answer.
    api.post_bytes(WEBHOOK_PATH, whole.replace("@", "0e99999999999999999999").encode(), JSON)


@check(Needs.READ)
def nesting_without_end_is_400(api: Api) -> None:
    """A body nested a hundred thousand levels deep is 400 `malformed_json`, never a crash."""
    for opening in (b"[", b'{"a":'):
        must_be_malformed(
            api.post_bytes(WEBHOOK_PATH, opening * 100_000, JSON),
            when="the body is nested without end",
        )


@check(Needs.READ)
def missing_fields_are_named(api: Api) -> None:
    """A 422 names every place to fix by its JSON Pointer."""
    response = api.post(WEBHOOK_PATH, {"event_type": "call.completed", "surplus": 1})
    must_be_invalid(
        response,
        *("/duration", "/provider_call_id", "/status", "/surplus", "/transcript"),
        when="fields are missing and one is unknown",
    )


@check(Needs.READ)
def pointers_are_escaped(api: Api) -> None:
    """A slash and a tilde in the name of a field are escaped in its pointer (RFC 6901)."""
    response = api.post(WEBHOOK_PATH, {**api.completion_of_nothing(), "a/b~c": 1})
    must_be_invalid(response, "/a~1b~0c", when="the name of an unknown field is a/b~c")


@check(Needs.READ)
def errors_are_bounded(api: Api) -> None:
    """A 422 lists at most 20 places, however many are wrong."""
    response = api.post(WEBHOOK_PATH, {f"surplus_{number}": 1 for number in range(200)})
    must_be(response, 422, "validation_failed", when="two hundred fields are unknown")


@check(Needs.READ)
def media_types_are_told_apart(api: Api) -> None:
    """A body that is not declared as `application/json` in UTF-8 is 415."""
    for content_type in (
        "text/plain",
        "text/json",
        "application/xml",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonp",
        "application/json-patch+json",
        "application/vnd.api+json",
        "application/json; charset=utf-16",
        "application/json; charset=latin-1",
        "application/json, text/plain",
        "*/*",
        "json",
    ):
        response = api.post_bytes(WEBHOOK_PATH, b"{}", ("Content-Type", content_type))
        must_be(response, 415, "unsupported_media_type", when=f"Content-Type is {content_type}")


@check(Needs.READ)
def missing_media_type_is_415(api: Api) -> None:
    """A body without `Content-Type`, with an empty one or with two is 415."""
    for headers in ((), (("Content-Type", ""),), (JSON, JSON), (JSON, ("Content-Type", "a/b"))):
        must_be(
            api.post_bytes(WEBHOOK_PATH, b"{}", *headers),
            415,
            "unsupported_media_type",
            when=f"Content-Type is sent {len(headers)} times",
        )


@check(Needs.READ)
def compressed_body_is_415(api: Api) -> None:
    """A body under `Content-Encoding` is 415."""
    response = api.post_bytes(WEBHOOK_PATH, b"{}", JSON, ("Content-Encoding", "gzip"))
    must_be(response, 415, "unsupported_media_type", when="Content-Encoding is gzip")


@check(Needs.READ)
def json_is_recognised_however_it_is_written(api: Api) -> None:
    """`Application/JSON` and `charset=utf-8`, quoted or not, are `application/json`."""
    for content_type in (
        "Application/JSON",
        "application/json;charset=utf-8",
        "application/json; charset=UTF-8",
        'application/json; charset="utf-8"',
    ):
        must_be(
            api.post_bytes(WEBHOOK_PATH, b"{}", ("Content-Type", content_type)),
            422,
            "validation_failed",
            when=f"an empty object is sent as {content_type}",
        )


@check(Needs.READ)
def rejections_come_in_order(api: Api) -> None:
    """Path and method, token, media type, size, JSON, schema: the first that fails decides."""
    limit = max_body_bytes(api)
    text = ("Content-Type", "text/plain")
    broken, big = b"{", b" " * (limit + 1)
    signed = ("Authorization", f"Bearer {api.key}")
    for sent, status, when in (
        (SentRequest("POST", WEBHOOK_PATH, (text,), broken), 401, "token, type and JSON are wrong"),
        (SentRequest("POST", WEBHOOK_PATH, (JSON,), b"{}"), 401, "token and fields are missing"),
        (SentRequest("POST", WEBHOOK_PATH, (signed, text), broken), 415, "type and JSON are wrong"),
        (
            SentRequest("POST", WEBHOOK_PATH, (signed, text), b"{}"),
            415,
            "type and fields are wrong",
        ),
        (
            SentRequest("POST", WEBHOOK_PATH, (signed, JSON), big + broken),
            413,
            "size and JSON are wrong",
        ),
        (
            SentRequest("POST", WEBHOOK_PATH, (signed, JSON), b'{"a":'),
            400,
            "JSON and fields are wrong",
        ),
    ):
        must_be(api.send(sent), status, when=when)


@check(Needs.READ)
def size_is_limited_however_it_is_declared(api: Api) -> None:
    """One byte more than the limit is 413, by `Content-Length` and in chunks alike."""
    limit = max_body_bytes(api)
    for chunked in (False, True):
        sent = SentRequest(
            "POST",
            WEBHOOK_PATH,
            (("Authorization", f"Bearer {api.key}"), JSON),
            b" " * (limit + 1),
            chunked=chunked,
        )
        how = "in chunks" if chunked else "by Content-Length"
        must_be(api.send(sent), 413, "body_too_large", when=f"a body is one byte too long {how}")


@check(Needs.READ)
def body_at_the_limit_is_read(api: Api) -> None:
    """A body of exactly the limit is judged by what it says."""
    limit = max_body_bytes(api)
    for chunked in (False, True):
        sent = SentRequest(
            "POST",
            WEBHOOK_PATH,
            (("Authorization", f"Bearer {api.key}"), JSON),
            b"{}".ljust(limit),
            chunked=chunked,
        )
        must_be(api.send(sent), 422, "validation_failed", when="a body has exactly the limit")


@check(Needs.READ)
def unknown_reference_is_404(api: Api) -> None:
    """A completion of a call that nobody knows is 404 `call_not_found`."""
    must_be_unknown_call(
        api.post(WEBHOOK_PATH, api.completion_of_nothing()),
        when="a completion names no call",
    )


@check(Needs.READ)
def completions_of_a_wrong_form_are_422(api: Api) -> None:
    """Every field of a completion is held to its schema, at the pointer of the field."""
    longest = api.target.catalogue.longest_transcript
    for field, value in (
        ("event_type", "call.started"),
        ("event_type", "Call.Completed"),
        ("status", "hung-up-somehow"),
        ("status", "COMPLETED"),
        ("status", "in_progress"),
        ("status", None),
        ("transcript", "x" * (longest + 1)),
        ("transcript", "🙂" * (longest + 1)),
        ("transcript", "nul \0 inside"),
        ("transcript", 12),
        ("transcript", ["agent: Hello"]),
        ("duration", -1),
        ("duration", 86401),
        ("duration", 1.5),
        ("duration", "120"),
        ("duration", True),
        ("duration", None),
    ):
        response = api.post(WEBHOOK_PATH, api.completion_of_nothing(**{field: value}))
        must_be_invalid(response, f"/{field}", when=f"{field} is {str(value)[:20]!r}")


@check(Needs.READ)
def references_of_a_wrong_form_are_422(api: Api) -> None:
    """A `provider_call_id` that fits no pattern is 422, and its length is bounded."""
    good = api.completion_of_nothing()["provider_call_id"]
    for wrong in (f" {good}", f"{good}\n", f"{good}/x", f"-{good}", good + "x" * 128):
        response = api.post(WEBHOOK_PATH, api.completion_of_nothing() | {"provider_call_id": wrong})
        must_be(response, 422, "validation_failed", when=f"provider_call_id is {wrong[:30]!r}")


@check(Needs.READ)
def longest_completion_is_accepted(api: Api) -> None:
    """The longest transcript is within the limit in its longest form, every character escaped."""
    longest = api.target.catalogue.longest_transcript
    for character in ("x", "🙂"):
        body = api.completion_of_nothing(transcript="")
        text = '"transcript":"' + _escaped(character) * longest + '"'
        raw = _json(body).replace('"transcript":""', text).encode()
        must_be_unknown_call(
            api.post_bytes(WEBHOOK_PATH, raw, JSON),
            when="a completion of no call has the longest transcript, every character escaped",
        )


@check(Needs.READ)
def keys_given_twice_are_400(api: Api) -> None:
    """A key that stands twice in an object is ambiguous: 400 `malformed_json`."""
    body = _json(api.completion_of_nothing())
    for twice in (
        body.replace("{", '{"duration":1,', 1),
        body.replace("{", '{"\\u0064uration":1,', 1),
    ):
        must_be_malformed(
            api.post_bytes(WEBHOOK_PATH, twice.encode(), JSON),
            when="a key is given twice",
        )


@check(Needs.READ)
def half_a_surrogate_pair_is_400(api: Api) -> None:
    """An escape that is half of a surrogate pair cannot be sent back: 400 `malformed_json`."""
    for half in ("\\ud800", "\\udc00", "\\ud83d x", "\\udc00\\ud800"):
        body = _json(api.completion_of_nothing(transcript="@@")).replace("@@", half)
        must_be_malformed(
            api.post_bytes(WEBHOOK_PATH, body.encode(), JSON),
            when=f"a text holds {half}",
        )


@check(Needs.READ)
def details_help(api: Api) -> None:
    """The detail of a problem is a sentence for a person, with no trace of the program."""
    for response in (
        api.get(f"{CALLS_PATH}/{UNKNOWN_CALL_ID}"),
        api.post_bytes(WEBHOOK_PATH, b"{", JSON),
        api.post(WEBHOOK_PATH, {}),
    ):
        detail = str(response.json()["detail"])
        must(
            detail.endswith((".", "!")) and len(detail.split()) > 3,
            "The detail of a problem must be a whole sentence.",
            response,
        )
        must(
            not any(word in detail for word in ("Traceback", "Error(", 'File "', "line 1,\n")),
            "The detail of a problem shows the inside of the program.",
            response,
        )


def max_body_bytes(api: Api) -> int:
    """How large a completion may be, as the contract says."""
    body = api.target.contract.operations["callCompleted"].body
    assert body is not None
    return body.max_bytes


def _json(value: object) -> str:
    return orjson.dumps(value).decode()


def _escaped(character: str) -> str:
    units = character.encode("utf-16-be").hex()
    return "".join(f"\\u{units[start : start + 4]}" for start in range(0, len(units), 4))
