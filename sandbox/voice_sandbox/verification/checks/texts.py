"""Texts survive: every code point, and what tempts a program to trim, fold, decode or escape."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import chain
from typing import Final

from voice_sandbox.verification.api import JSON, Api
from voice_sandbox.verification.check import Needs, check
from voice_sandbox.verification.finding import difference, must, must_be
from voice_sandbox.verification.guard import CALLS_PATH, WEBHOOK_PATH
from voice_sandbox.verification.http1 import SentRequest
from voice_sandbox.verification.requests import as_json

_LAST_CODE_POINT: Final = 0x10FFFF
_SURROGATES: Final = range(0xD800, 0xE000)

TEMPTING: Final = (
    *(
        "\r",
        "\r\n",
        "\n",
        "\n\n",
        "a\n\n\nb",
        "\t",
        " ",
        "  a  b  ",
        "a ",
        " a",
        "a\n",
        "\na",
        "\v\f",
    ),
    *(
        "\ufeff",
        "\ufeffa",
        "a\ufeff",
        "\u200b",
        "a\u200db",
        "\u00a0",
        "\u2003a",
        "\u00ad",
        "\u202ea\u202c",
    ),
    *(
        "\\n",
        "\\r\\n",
        "\\u0041",
        "\\x41",
        "\\\\",
        "\\",
        '\\"',
        "%41",
        "%2B",
        "%",
        "%%",
        "a+b",
        "a%20b",
    ),
    *(
        "&amp;",
        "&#65;",
        "&lt;b&gt;",
        "<b>",
        "]]>",
        "<!--",
        "{{7*7}}",
        "${HOME}",
        "$1",
        "{0}",
        "%s",
        "%n",
    ),
    *(
        "'",
        '"',
        "`",
        "''",
        '""',
        "\\'",
        "/",
        "//",
        "/* */",
        "--",
        ";",
        "|",
        "\x00a"[1:],
        "\x01",
        "\x08",
    ),
    *("\x1b[31mred\x1b[0m", "\x7f", "\x80", "\x85", "\x9f", "\u2028", "\u2029"),
    *(
        "null",
        "None",
        "undefined",
        "true",
        "False",
        "NaN",
        "Infinity",
        "0",
        "-0",
        "00",
        "1e5",
        "0x10",
    ),
    *("{}", "[]", "{", "]", '{"a":1}', "nil", "N/A", "-", ".", "..", "../../etc/passwd"),
    *("❤\ufe0f", "❤", "\ufe0f", "👩\u200d👩\u200d👧", "🇰🇬", "👍🏽", "\U000e0041", "\u0301"),
    *("\ue000", "\uf8ff", "\U000f0000", "\U0010fffd", "\uffff", "\ufffe", "\ufdd0", "\U0001ffff"),
    *(
        "\ufffd",
        "é",
        "e\u0301",
        "ﬁ",
        "\u212b",
        "Å",
        "ǅ",
        "İ",
        "ı",
        "ß",
        "ẞ",
        "Σ",
        "ς",
        "㎏",
        "½",
        "²",
    ),
    *(
        "agent:hello",
        "AGENT: HELLO",
        "Agent : Hello",
        "agent: a: b",
        "user:",
        "agent:\nuser:",
        ": a",
    ),
    *(
        "+12025550100",
        "call +1 202 555 0100",
        "(202) 555-0100",
        "0044 20 7946 0958",
        "4111 1111 1111 1111",
    ),
    *("2026-11-24T09:30:00Z", "12.50", "1,000,000", "http://a.example/?q=1&r=2#f", "a@b.example"),
    *(
        "PROV_1234",
        "prov",
        "provider",
        "Bearer abc",
        "password: x",
        "x" * 4095,
        "x" * 4096,
        "x" * 4097,
    ),
    *(
        "🙂" * 1024 + "x",
        "line\n" * 2000,
        " " * 5000 + "x",
        "\n" * 300,
        "é" * 2049,
        "a" * 65_535 + "\n",
    ),
)
"""Texts that come back changed from a program that means well."""

ALIKE: Final = (
    *(("a", "a "), ("a", " a"), ("a", "a\n"), ("a", "A"), ("a", "a\r"), ("a\nb", "a\r\nb")),
    *(
        ("é", "e\u0301"),
        ("❤\ufe0f", "❤"),
        ("a", "\ufeffa"),
        ("a", "a\u200b"),
        ("ß", "ss"),
        ("ﬁ", "fi"),
    ),
    *(
        ("a b", "a\u00a0b"),
        ("a  b", "a b"),
        ("%41", "A"),
        ("&amp;", "&"),
        ("\\n", "\n"),
        ("K", "\u212a"),
    ),
    *(("1", "1.0"), ("null", "Null"), ("x" * 4096, "x" * 4097), ("x" * 65_535, "x" * 65_536)),
)
"""Pairs of texts that are two, although they look, compare or sort alike somewhere."""


@check(Needs.SANDBOX)
def every_code_point_survives(api: Api) -> None:
    """Every Unicode character but NUL is returned as it was sent, in UTF-8 and in escapes."""
    for text in api.some(_all_code_points(api.target.catalogue.longest_transcript)):
        for ascii_only in (False, True):
            completion = json.dumps(_completion(api, text), ensure_ascii=ascii_only).encode()
            _must_survive(api, text, completion)


@check(Needs.SANDBOX)
def tempting_texts_survive(api: Api) -> None:
    """No text is trimmed, folded, decoded, escaped, masked or cut, whatever it looks like."""
    for text in api.some(TEMPTING):
        _must_survive(api, text, json.dumps(_completion(api, text), ensure_ascii=False).encode())


@check(Needs.SANDBOX)
def texts_that_look_alike_are_two(api: Api) -> None:
    """Two transcripts that differ in any character are two results: the second is 409."""
    for one, other in api.some((*ALIKE, *((b, a) for a, b in ALIKE))):
        api.create("never_completes")
        must_be(api.complete(transcript=one), 200, when="a call is completed")
        when = f"a call with the transcript {one[:20]!a} gets {other[:20]!a} ({len(other):,})"
        must_be(api.complete(transcript=other), 409, "call_already_ended", when=when)
        must_be(api.complete(transcript=one), 200, when="the first result arrives again")


@check(Needs.SANDBOX)
def text_of_an_ordered_end_survives(api: Api) -> None:
    """A transcript that `endCall` is given is the one that the call shows."""
    for text in api.some(TEMPTING):
        call_id = api.create("never_completes")
        ending = {"status": "completed", "transcript": text, "duration": 1}
        path = f"/sandbox/calls/{call_id}/end"
        if api.target.guard.allows(SentRequest("POST", path, (), as_json(ending))):
            must_be(api.post(path, ending), 200, when="a call is ended")
            _must_show(api, call_id, text)


def _completion(api: Api, text: str) -> dict[str, object]:
    return api.completion(transcript=text)


def _must_survive(api: Api, text: str, completion: bytes) -> None:
    call_id = api.create("never_completes")
    response = api.post_bytes(WEBHOOK_PATH, completion, JSON)
    must_be(response, 200, when=f"a transcript is {text[:20]!a} ({len(text):,} characters)")
    _must_show(api, call_id, text)


def _must_show(api: Api, call_id: str, text: str) -> None:
    response = api.get(f"{CALLS_PATH}/{call_id}")
    found = response.json()["transcript"]
    must(
        found == text,
        f"A transcript must be returned as it was sent, but {difference(text, str(found))}.",
        response,
    )


def _all_code_points(length: int) -> Iterator[str]:
    """Texts of at most ``length`` characters that hold every code point but NUL and surrogates."""
    points = chain(range(1, _SURROGATES.start), range(_SURROGATES.stop, _LAST_CODE_POINT + 1))
    whole = "".join(map(chr, points))
    for start in range(0, len(whole), length):
        yield whole[start : start + length]
