"""What the journal must not keep or show: tokens, other secrets, and phone numbers of people.

Secrets are gone before anything is kept. Numbers are shortened when they are shown: of one that
is no scenario's only beginning and end, enough to recognise it again.
"""

from __future__ import annotations

import re
from collections.abc import Container
from functools import lru_cache
from typing import Final

from voice_sandbox.sandbox_key import PATTERN

REDACTED: Final = b"[redacted]"

_HEADER_WORDS: Final = (b"auth", b"cookie", b"key", b"passw", b"secret", b"session", b"token")
_HARMLESS_HEADERS: Final = frozenset({b"idempotency-key", b"www-authenticate"})

# RFC 8259, section 7: any character may be escaped. A quote and a backslash stay as they are,
# because without their escape the text would no longer be the same JSON.
_ESCAPED_ASCII: Final = re.compile(
    rb"\\\\|\\u00(2[013-9a-f]|[346][0-9a-f]|5[0-9abd-f]|7[0-9a-e])", re.I
)
_TOKEN: Final = re.compile(PATTERN.encode() + rb"|(?<=[Bb]earer )[^\s\"']+")
# A member of JSON or a parameter of a query. An agent's `key` is no secret.
_MEMBER_WORDS: Final = (b"authorization", b"api_key", b"apikey", b"passw", b"secret", b"token")
# The bounds of the name keep the time linear.
_NAME: Final = rb"[\w-]{0,40}(?:%b)[\w-]{0,40}" % b"|".join(_MEMBER_WORDS)
_SECRET_MEMBER: Final = re.compile(
    rb'("%b"\s*:\s*")((?:[^"\\]|\\.)*)|([?&]%b=)([^&\s]*)' % (_NAME, _NAME), re.I
)
# E.164 as the contract has it, with its plus sign as it is or escaped for a URL.
_PHONE: Final = re.compile(r"((?:\+|%2[Bb])[1-9][0-9]{2})([0-9]{3,10})([0-9]{2})(?![0-9])")
# What was sent as a phone number is one, however wrong its form.
_PHONE_MEMBER: Final = re.compile(r'("phone"\s*:\s*")((?:[^"\\]|\\.)*)', re.I)
_SHORTEST_NUMBER: Final = 7


def without_secrets(text: bytes) -> bytes:
    """A path, a header's value, a body or an explanation, without what opens a door."""
    # Looking for a few words first is many times cheaper than the expressions.
    if b"\\u00" in text:
        text = _ESCAPED_ASCII.sub(_unescaped, text)
    if b"sandbox_" in text or b"earer " in text:
        text = _TOKEN.sub(REDACTED, text)
    if b'"' in text or b"?" in text or b"&" in text:
        lowered = text.lower()
        for word in _MEMBER_WORDS:
            if word in lowered:
                return _SECRET_MEMBER.sub(_without_value, text)
    return text


def is_plain(text: bytes) -> bool:
    """Whether nothing in a text is worth a closer look; most headers are plain."""
    # Written out: as a loop it takes twice as long, for each message of each request.
    return not (
        b'"' in text
        or b"?" in text
        or b"&" in text
        or b"sandbox_" in text
        or b"earer " in text
        or b"\\u00" in text
    )


@lru_cache(maxsize=256)
def is_secret_header(name: bytes) -> bool:
    """Whether the name, in small letters, sounds as if the value were a secret."""
    return name not in _HARMLESS_HEADERS and any(word in name for word in _HEADER_WORDS)


def with_short_numbers(text: str, harmless: Container[str]) -> str:
    """The text with every phone number shortened that is not one of the harmless ones."""

    def number(match: re.Match[str]) -> str:
        if match[0].replace("%2B", "+").replace("%2b", "+") in harmless:
            return match[0]
        return match[1] + "*" * len(match[2]) + match[3]

    def member(match: re.Match[str]) -> str:
        sent = match[2]
        if sent in harmless or len(sent) < _SHORTEST_NUMBER:
            return match[0]
        return match[1] + sent[:4] + re.sub("[0-9]", "*", sent[4:-2]) + sent[-2:]

    return _PHONE_MEMBER.sub(member, _PHONE.sub(number, text))


def _unescaped(match: re.Match[bytes]) -> bytes:
    return bytes([int(match[1], 16)]) if match[1] else match[0]


def _without_value(match: re.Match[bytes]) -> bytes:
    return (match[1] or match[3]) + REDACTED
