"""JSON as RFC 8259 has it: valid and invalid forms in each body of both contracts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from voice_sandbox.contract.model import Operation
from voice_sandbox.verification.api import JSON, Api
from voice_sandbox.verification.check import Needs, check
from voice_sandbox.verification.finding import (
    must,
    must_be,
    must_be_invalid,
    must_be_malformed,
    problem_code,
)
from voice_sandbox.verification.guard import CALLS_PATH, WEBHOOK_PATH
from voice_sandbox.verification.requests import as_json, bodies, operations, request_of

VALID: Final = (
    *(
        "0",
        "-0",
        "1",
        "-1",
        "1.5",
        "-1.5",
        "1e2",
        "1E2",
        "1e+2",
        "1E-2",
        "0.1",
        "-0.0",
        "1.0",
        "0e1",
    ),
    *("0E+1", "10", "12e00", "0.00001", "9007199254740993"),
    *(
        '""',
        '"a"',
        r'"\""',
        r'"\\"',
        r'"\/"',
        r'"\b\f\n\r\t"',
        r'"\u0041"',
        r'"\u00E9"',
        r'"\u00e9"',
    ),
    *(
        r'"\uD83D\uDE42"',
        r'"\ud83d\ude42"',
        '"\x7f"',
        '"\u2028\u2029"',
        '"\ufeff"',
        r'"\u0000"',
        '"/"',
    ),
    *(r'"\\u0041"', '"é"', '"🙂"', '"\uffff"', r'"\uFFFF"', '"\'"', '" "'),
    *(
        "true",
        "false",
        "null",
        "[]",
        "[ ]",
        "[1,2]",
        "[[],[]]",
        "[null]",
        "[1,[2,[3]]]",
        "[" * 20 + ",".join(["[]"] * 20) + "]" * 20,
        "{}",
        "{ }",
    ),
    *(
        '{"":0}',
        '{"a":{"a":1}}',
        '[{"a":1},{"a":1}]',
        '{"a":1,"A":2}',
        '{"a b":1}',
        '{"\\u0061":1}',
    ),
    *(" 1", "1 ", "\t1", "\n1", "\r1", " \t\r\n1\n", "[ 1 , 2 ]", '{ "a" : 1 , "b" : 2 }', "[\n]"),
    "[" * 20 + "]" * 20,
)
"""Values in forms that every JSON text may have (RFC 8259)."""

INVALID: Final = (
    *(
        "",
        " ",
        "01",
        "-01",
        "00",
        "+1",
        ".5",
        "-.5",
        "1.",
        "-1.",
        "1.e5",
        "1e",
        "1e+",
        "1E-",
        "--1",
        "-",
    ),
    *(
        "- 1",
        "1 2",
        "1e1.5",
        "1.2.3",
        "0x10",
        "0o7",
        "0b1",
        "1_000",
        "1,5",
        "\uff11",
        "\u0661",
        "1f",
        "1n",
    ),
    *("nan", "inf", "-NaN", "1e5e5", "1+1", "$1", "1%"),
    *(
        '"',
        '"a',
        'a"',
        "'a'",
        "`a`",
        "a",
        r'"\x41"',
        r'"\a"',
        r'"\u12"',
        r'"\u12G4"',
        r'"\U0041"',
        r'"\ "',
    ),
    *(
        r'"\'"',
        '"\\',
        '"\\"',
        r'"\0"',
        r'"\u"',
        r'"\u{41}"',
        '"\n"',
        '"\t"',
        '"\x00"',
        '"\x1f"',
        '"\r"',
    ),
    *(
        r'"\ud800"',
        r'"\udc00"',
        r'"\ud83d\u0041"',
        r'"\ud83dx"',
        r'"\udc00\ud800"',
        '"a"b"',
        '"a" "b"',
    ),
    *(
        "True",
        "TRUE",
        "tru",
        "nul",
        "None",
        "undefined",
        "null0",
        "truefalse",
        "yes",
        "nil",
        "t",
        "NULL",
    ),
    *(
        "[1,]",
        "[,1]",
        "[,]",
        "[1 2]",
        "[1,,2]",
        "[1",
        "1]",
        "[1;2]",
        "[1}",
        '["a":1]',
        "[1]]",
        "[",
        "(1)",
    ),
    *(
        '{"a":1,}',
        "{,}",
        '{"a"}',
        '{"a":}',
        "{:1}",
        "{a:1}",
        "{'a':1}",
        "{1:1}",
        '{"a" 1}',
        '{"a"::1}',
    ),
    *(
        '{"a":1 "b":2}',
        '{"a"=1}',
        '{"a":1;"b":2}',
        "{null:1}",
        '{"a":1',
        '{"a":1]',
        "{",
        "}",
        '{"a":1}}',
    ),
    *(
        '{"a":1,"a":2}',
        '{"a":1,"\\u0061":2}',
        '{"":1,"":2}',
        '{"b":{"a":1,"a":1}}',
        '[{"a":1,"a":1}]',
    ),
    *("1/*c*/", "/*c*/1", "//c\n1", "#c\n1", "1//c\n", "[1,/**/2]", "--c\n1", "<!--c-->1"),
    *(
        "\f1",
        "\v1",
        "\u00a01",
        "\u20281",
        "\ufeff1",
        "\u00851",
        "\x001",
        "1\x00",
        "\u30001",
        "1\u200b",
    ),
)
"""What is no JSON value, however often a lenient reader takes it."""

CONSTANTS: Final = ("NaN", "Infinity", "-Infinity")
"""What some writers put where JSON has no number; the control API may call it a wrong field."""

EITHER: Final = ("1e400", "-1e400", "1e-400", "1" * 30, "1." + "1" * 40, "[" * 500 + "]" * 500)
"""Valid, but a reader may set limits (RFC 8259, section 9): it is rejected as JSON or as field."""

AFTER: Final = (
    "x",
    "{}",
    ",",
    "]",
    "}",
    "\x00",
    "\ufeff",
    "// c",
    ";",
    "null",
    "1",
    '"',
    "\f",
    "\u00a0",
)
BEFORE: Final = (
    "x",
    "\x00",
    "\ufeff",
    "//c\n",
    ")]}',\n",
    ",",
    "\f",
    "while(1);",
    "null ",
    "\u00a0",
)
BLANKS: Final = (" ", "\n", "\r\n", "\t", " \t\r\n ")
NOT_UTF8: Final = (
    b"\xff",
    b"\xc3",
    b"\xe9",
    b"\x80",
    b"\xc0\xaf",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"\xf8",
)
ENCODINGS: Final = (
    "utf-16",
    "utf-16-le",
    "utf-16-be",
    "utf-32",
    "utf-32-le",
    "utf-32-be",
    "utf-8-sig",
)

STRINGS: Final = (
    (r"\u0041", "A"),
    (r"\u00e9\u00E9", "éé"),
    (r"\uD83D\uDE42\ud83d\ude42", "🙂🙂"),
    (r"\/\\\"", '/\\"'),
    (r"\b\f\n\r\t", "\b\f\n\r\t"),
    (r"\\u0041", "\\u0041"),
    (r"\\n", "\\n"),
    (r"\u005cn", "\\n"),
    (r"\u0022", '"'),
    (r"\u2028\ufeff", "\u2028\ufeff"),
    (r"\uffff\uFDD0", "\uffff\ufdd0"),
    (r"\u0001\u001f\u007f", "\x01\x1f\x7f"),
)
"""Strings as they are written, and what they say."""
NUMERALS: Final = (
    *(
        (text, 12)
        for text in ("12", "12.0", "12.000", "1.2e1", "1.2E1", "1.2e+1", "120e-1", "0.12e2")
    ),
    *((text, 12) for text in ("12e0", "12E-0", "1200E-2", "0.0012e+4")),
    *((text, 0) for text in ("0", "-0", "0.0", "-0.0", "0e5", "0E-5", "-0e0")),
)
POINTED_NAMES: Final = (
    *(
        "a/b",
        "a~b",
        "~",
        "/",
        "~0",
        "~1",
        "~01",
        "//",
        "a/~b",
        "",
        " ",
        "a b",
        "é",
        "e\u0301",
        "🙂",
    ),
    *(
        '"',
        "\\",
        "\n",
        "\t",
        "\u0001",
        "%41",
        "a%2Fb",
        "#",
        "?",
        "0",
        "-",
        "__proto__",
        "$ref",
        "_x",
    ),
)


@check(Needs.READ)
def json_forms_are_told_apart(api: Api) -> None:
    """Every valid form of JSON is read in each body, and every invalid one is 400."""
    for contract, operation in operations(api):
        if operation.body is None:
            continue
        for form in api.some(VALID):
            if response := _sent(api, operation, _with_member(api, operation, form)):
                must_be_invalid(response, "/x", when=_when(operation, form))
        constants = CONSTANTS if contract is api.target.contract else ()
        for form in api.some((*INVALID, *constants)):
            if response := _sent(api, operation, _with_member(api, operation, form)):
                must_be_malformed(response, when=_when(operation, form))
        for form in (*EITHER, *(CONSTANTS if contract is not api.target.contract else ())):
            if response := _sent(api, operation, _with_member(api, operation, form)):
                must(
                    problem_code(response) in ("malformed_json", "validation_failed"),
                    f"When {_when(operation, form)}, the response must be 400 or 422, "
                    f"but it is {response.status}.",
                    response,
                )


@check(Needs.READ)
def body_is_one_json_text(api: Api) -> None:
    """Nothing but white space stands before or after a body, and it is UTF-8 throughout."""
    for _, operation in operations(api):
        if operation.body is None:
            continue
        whole = _with_member(api, operation, "1")
        for what, body in _broken(whole):
            if response := _sent(api, operation, body):
                when = f"a body of {operation.operation_id} {what}"
                must_be_malformed(response, when=when)
        for blank in BLANKS:
            for body in (blank.encode() + whole, whole + blank.encode()):
                if response := _sent(api, operation, body):
                    when = f"a body of {operation.operation_id} has {blank!a} around it"
                    must_be_invalid(response, "/x", when=when)


@check(Needs.READ)
def every_name_has_a_pointer(api: Api) -> None:
    """A 422 points at an unknown field by its whole name, escaped as RFC 6901 says."""
    for _, operation in operations(api):
        for name in api.some(POINTED_NAMES):
            if operation.body is None:
                continue
            value = {**bodies(api, operation)[0], name: None}
            if response := _sent(api, operation, as_json(value)):
                pointer = "/" + name.replace("~", "~0").replace("/", "~1")
                when = f"a body of {operation.operation_id} has the unknown field {name!a}"
                must_be_invalid(response, pointer, when=when)


@check(Needs.SANDBOX)
def written_forms_are_read(api: Api) -> None:
    """A string and a number say the same in each of the forms in which JSON can write them."""
    whole = json.dumps(api.completion(transcript="@", duration=77))
    for written, text in STRINGS:
        call_id = api.create("never_completes")
        body = whole.replace('"@"', f'"{written}"').encode()
        must_be(api.post_bytes(WEBHOOK_PATH, body, JSON), 200, when=f"a text is written {written}")
        found = api.read(call_id)["transcript"]
        must(found == text, f"{written} says {text!a}, but it was read as {found!a}.", api.last())
    for written, number in NUMERALS:
        call_id = api.create("never_completes")
        body = whole.replace("77", written).encode()
        must_be(
            api.post_bytes(WEBHOOK_PATH, body, JSON), 200, when=f"a number is written {written}"
        )
        response = api.get(f"{CALLS_PATH}/{call_id}")
        shown = response.json()["duration"]
        must(
            isinstance(shown, int) and shown == number,
            f"{written} says {number}, but it is returned as {response.json()['duration']}.",
            response,
        )


def _with_member(api: Api, operation: Operation, form: str) -> bytes:
    """A body with an unknown member ``x`` whose value is written as given."""
    body = as_json(bodies(api, operation)[0]).decode()
    return f'{{"x":{form},{body[1:]}'.encode("utf-8", "surrogatepass")


def _sent(api: Api, operation: Operation, body: bytes) -> Any:
    """The response; ``None`` where the guard does not let the body through."""
    sent = request_of(api, operation, body=body)
    return api.send(sent) if api.target.guard.allows(sent) else None


def _when(operation: Operation, form: str) -> str:
    return f"a value in a body of {operation.operation_id} is written {form[:30]!a}"


def _broken(whole: bytes) -> Iterator[tuple[str, bytes]]:
    for text in AFTER:
        yield f"ends with {text!a}", whole + text.encode()
    for text in BEFORE:
        yield f"begins with {text!a}", text.encode() + whole
    for wrong in NOT_UTF8:
        yield f"holds the bytes {wrong.hex()}", whole[:-1] + b',"y":"' + wrong + b'"}'
        yield f"ends with the bytes {wrong.hex()}", whole + wrong
    for encoding in ENCODINGS:
        yield f"is {encoding}", whole.decode().encode(encoding)
    for length in range(1, len(whole) - 1, 7):
        yield f"ends after {length} bytes", whole[:length]
