"""What nothing that is logged, kept or quoted may show: tokens, other secrets, phone numbers.

A token is recognised where it is, whatever names it: by the scheme of authentication before it,
by a beginning that issuers of tokens use, or because it is long and its letters and digits change
as only random text does. A value whose name sounds like a secret is one, however short. The ids
that the sandbox itself gives out are no tokens, and what stands in the contract is public.
A long word of nothing but small letters, or a UUID, is not recognised without a name.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from collections.abc import Container
from functools import lru_cache, partial
from hmac import digest
from itertools import cycle
from typing import Final
from urllib.parse import unquote_to_bytes

from voice_sandbox.sandbox_key import PATTERN

REDACTED: Final = b"[redacted]"

_HEADER_WORDS: Final = (
    *(b"auth", b"cookie", b"credential", b"key", b"passw", b"secret", b"session", b"signature"),
    b"token",
)
_HARMLESS_HEADERS: Final = frozenset({b"www-authenticate"})

# RFC 8259, section 7: any character may be escaped. A quote and a backslash stay as they are,
# because without their escape the text would no longer be the same JSON.
_ESCAPED_ASCII: Final = re.compile(
    rb"\\\\|\\u00(2[013-9a-f]|[346][0-9a-f]|5[0-9abd-f]|7[0-9a-e])|\\(/)", re.I
)

_SHORTEST_TOKEN: Final = 20
_ESCAPE: Final = rb"%[0-9A-Fa-f]{2}"
_WORD: Final = re.compile(rb"(?:[\w.~+/=-]|%b){12,}" % _ESCAPE)
"""What may hold a token: no space, and nothing that separates the parts of a header or of JSON."""
_BEARER: Final = re.compile(
    rb"(?i)\b((?:bearer|basic)(?:[ +]|%%20)+)((?:[^\s\"',;&%%]|%b){8,})" % _ESCAPE
)
# What issuers put before their tokens, followed by `_`.
_ISSUERS: Final = (
    "api ghe gho ghp ghr ghs ghu github_pat glpat hf key live npm pk prod pypi rk secret shpat sk"
    " test token whsec xapp xoxa xoxb xoxp"
).split()
_UNSEPARATED: Final = (b"AIza", b"AGPA", b"AKIA", b"ASIA", b"eyJ")
_ISSUED: Final = re.compile(
    rb"%b[\w-]*|eyJ[\w-]{8,}(?:\.[\w-]+)*|(?:AIza|A(?:GP|KI|SI)A)[\w-]{12,}"
    rb"|(?:%b)_(?:(?:live|test)_|(?=[\w.-]{0,40}[0-9]))[\w.-]{8,}"
    % (PATTERN.encode(), "|".join(_ISSUERS).encode())
)
_MARKS: Final = (*(b"bearer", b"basic", b"sandbox_", b"%", b"\\", *map(bytes.lower, _UNSEPARATED)),)
_MARK: Final = re.compile("_(?:{})".format("|".join(f"(?<={it}_)" for it in _ISSUERS)).encode())
"""One of these, in small letters, stands in every text with a token but for long random words."""
# RFC 9562 and what `clock` makes; a trace id is no secret either (W3C Trace Context).
_OWN_ID: Final = re.compile(
    rb"(?<![0-9A-Za-z])(?:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    rb"|(?:req|prov)_[0-9a-f]{32}|[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2})"
    rb"(?![0-9A-Za-z])",
    re.I,
)
_TO_SPACES: Final = bytes(
    byte if re.match(rb"[\w.~+/=-]", bytes([byte])) else 0x20 for byte in range(256)
)
_CHANGE: Final = re.compile(rb"[a-z](?=[A-Z0-9])|[A-Z](?=[0-9])|[0-9](?=[A-Za-z])")
_DIGIT: Final = re.compile(rb"[0-9]")
_TWO_CAPITALS: Final = re.compile(rb"[A-Z](?=[A-Z])")
_CAPITALS: Final = re.compile(rb"[A-Z0-9]{24}")
_LEAST_CHANGES: Final = 3
# In each character. Of random letters and digits every second or third is a change.
_CHANGE_RATE: Final = 0.12

# A member of JSON, a field of a form or a parameter of a query. An agent's `key` is no secret.
_SEP: Final = rb"(?:[_-]|%5[fF]|%2[dD])?"
_SECRET_WORDS: Final = (b"authorization", b"credential", b"passw", b"secret", b"token")
_SECRET_KEY: Final = re.compile(rb"(?:api|access|private)%bkey" % _SEP)
_SECRET_WORD: Final = b"(?:%b|%b)" % (b"|".join(_SECRET_WORDS), _SECRET_KEY.pattern)
# The bounds of the name keep the time linear.
_NAME: Final = rb"[\w.\[\]%%-]{0,40}%b[\w.\[\]%%-]{0,40}" % _SECRET_WORD
_MEMBER: Final = re.compile(rb'"%b"\s*:\s*' % _NAME, re.I)
_FIELD: Final = re.compile(rb"((?:^|[?&;\s])%b=)([^&;\s]*)" % _NAME, re.I)
# RFC 7578: the value follows after an empty line and ends at the next boundary.
_PART: Final = re.compile(
    rb'(name="?%b"?[^\n]*\n(?:[^\r\n]+\r?\n)*\r?\n)(.*?)(?=\r?\n--|\Z)' % _NAME, re.I | re.S
)
_STRING: Final = re.compile(rb'"(?:[^"\\]|\\.)*("|\Z)', re.S)
_BRACKET: Final = re.compile(rb'[\[{]|[\]}]|"(?:[^"\\]|\\.)*"?', re.S)
_LITERAL: Final = re.compile(rb"[^\s,\]}]*")

# E.164 as the contract has it, with its plus sign as it is or escaped for a URL.
_PHONE: Final = re.compile(r"((?:\+|%2[Bb])[1-9][0-9]{2})([0-9]{3,10})([0-9]{2})(?![0-9])")
# What was sent as a phone number is one, however wrong its form.
_PHONE_MEMBER: Final = re.compile(r'("phone"\s*:\s*")((?:[^"\\]|\\.)*)', re.I)
_SHORTEST_NUMBER: Final = 7


def public_words(*texts: str) -> frozenset[str]:
    """The tokens and numbers of texts that everybody may read, such as the contract's examples."""
    found = set[str]()
    for text in texts:
        encoded = text.encode()
        words = {*_WORD.findall(encoded), *_ISSUED.findall(encoded)}
        secrets = {word for word in words if redact(word) != word}
        secrets |= {match[2] for match in _BEARER.finditer(encoded)}
        found.update(secret.decode().rstrip(".") for secret in secrets)
        found.update(match[0] for match in _PHONE.finditer(text))
    return frozenset(found)


def redact(text: bytes, public: Container[str] = frozenset()) -> bytes:
    """A path, a header's value, a body or an explanation, without what opens a door."""
    if is_plain(text):
        return text
    plain = _ESCAPED_ASCII.sub(_unescaped, text)
    clean = _BEARER.sub(partial(_after_scheme, public), plain)
    clean = _WORD.sub(partial(_without_token, public), clean)
    if _has_secret_name(clean.lower()):
        clean = _FIELD.sub(_without_value, _without_members(clean))
        clean = _PART.sub(_without_value, clean)
    return text if clean == plain else clean


def is_plain(text: bytes) -> bool:
    """Whether nothing in a text is worth a closer look: many times cheaper than the look."""
    lowered = text.lower()
    for mark in _MARKS:
        if mark in lowered:
            return False
    if _MARK.search(lowered) or _has_secret_name(lowered):
        return False
    for word in text.translate(_TO_SPACES).split():
        if len(word) >= _SHORTEST_TOKEN and _is_random(word, _LEAST_CHANGES):
            return False
    return True


@lru_cache(maxsize=256)
def is_secret_header(name: bytes) -> bool:
    """Whether the name, in small letters, sounds as if the value were a secret."""
    return name not in _HARMLESS_HEADERS and any(word in name for word in _HEADER_WORDS)


def stand_in(value: bytes, key: bytes) -> bytes:
    """A text of the same form for a value that must be recognised again but not read.

    The same value gives the same text under the same key. The length and the characters that a
    value may not hold stay, so what was wrong with it still is.
    """
    letters = urlsafe_b64encode(digest(key, value, "sha256")).rstrip(b"=")
    if len(value) >= 32:
        letters = b"redacted-" + letters
    shown = cycle(letters)
    return bytes(next(shown) if 0x21 <= byte <= 0x7E else min(byte, 0xE9) for byte in value)


def with_short_numbers(text: str, public: Container[str]) -> str:
    """The text with every phone number shortened that is not a public one."""

    def number(match: re.Match[str]) -> str:
        if match[0].replace("%2B", "+").replace("%2b", "+") in public:
            return match[0]
        return match[1] + "*" * len(match[2]) + match[3]

    def member(match: re.Match[str]) -> str:
        sent = match[2]
        if sent in public or len(sent) < _SHORTEST_NUMBER:
            return match[0]
        return match[1] + sent[:4] + re.sub("[0-9]", "*", sent[4:-2]) + sent[-2:]

    plain = text
    if "\\u00" in text:
        plain = _ESCAPED_ASCII.sub(_unescaped, text.encode()).decode()
    short = _PHONE_MEMBER.sub(member, _PHONE.sub(number, plain))
    return text if short == plain else short


def _unescaped(match: re.Match[bytes]) -> bytes:
    if match[1]:
        return bytes([int(match[1], 16)])
    return match[2] or match[0]


def _is_public(word: bytes, public: Container[str]) -> bool:
    return word.decode("utf-8", "replace").rstrip(".") in public


def _after_scheme(public: Container[str], match: re.Match[bytes]) -> bytes:
    return match[0] if _is_public(match[2], public) else match[1] + REDACTED


def _without_token(public: Container[str], match: re.Match[bytes]) -> bytes:
    word = match[0].removeprefix(b"/")
    # A path and a JSON Pointer begin with a slash, and without it they would be none.
    return match[0][: -len(word)] + _word_without_token(public, word)


def _word_without_token(public: Container[str], word: bytes) -> bytes:
    if b"%" in word:
        return _without_escaped_token(public, word)
    if len(word) < _SHORTEST_TOKEN and not _ISSUED.search(word):
        return word
    if _is_public(word, public):
        return word
    word = _ISSUED.sub(lambda it: it[0] if _is_public(it[0], public) else REDACTED, word)
    if not _is_random(word, _LEAST_CHANGES):
        return word
    parts = re.split(rb"([/=.])", word)
    if len(parts) > 1 and _is_random(word, 2 * _LEAST_CHANGES):
        return REDACTED  # base64 holds slashes
    return b"".join(REDACTED if _is_random(part, _LEAST_CHANGES) else part for part in parts)


def _without_escaped_token(public: Container[str], word: bytes) -> bytes:
    """The word as it was, or nothing of it where its escapes hide a token."""
    plain = word
    while b"%" in plain and (decoded := unquote_to_bytes(plain)) != plain:
        plain = decoded
    clean = _WORD.sub(partial(_without_token, public), plain.replace(b"%", b" "))
    return word if REDACTED not in clean else REDACTED


def _has_secret_name(lowered: bytes) -> bool:
    for word in _SECRET_WORDS:
        if word in lowered:
            return True
    return b"key" in lowered and _SECRET_KEY.search(lowered) is not None


def _is_random(word: bytes, least: int) -> bool:
    """Whether the kind of character changes at least so often, and often for the length."""
    if len(word) < _SHORTEST_TOKEN:
        return False
    rest = _OWN_ID.sub(b"", word)
    changes = len(_CHANGE.findall(rest))
    if changes >= least and changes > _CHANGE_RATE * len(rest):
        # Without digits only capitals beside each other tell it from namesLikeThis.
        return bool(_DIGIT.search(rest) or _TWO_CAPITALS.search(rest))
    return bool(_CAPITALS.search(rest))


def _without_value(match: re.Match[bytes]) -> bytes:
    return match[1] + REDACTED


def _without_members(text: bytes) -> bytes:
    """JSON with a text instead of each value, nested ones included, whose name is a secret's."""
    parts: list[bytes] = []
    start = 0
    while member := _MEMBER.search(text, start):
        end = _value_end(text, member.end())
        parts += [text[start : member.end()], b'"%b"' % REDACTED]
        start = end
    return b"".join([*parts, text[start:]])


def _value_end(text: bytes, start: int) -> int:
    """Where a value of JSON ends; the end of the text where it was cut."""
    if string := _STRING.match(text, start):
        return string.end()
    if text[start : start + 1] not in (b"{", b"["):
        literal = _LITERAL.match(text, start)
        return literal.end() if literal else start
    depth = 0
    for token in _BRACKET.finditer(text, start):
        depth += {b"{": 1, b"[": 1, b"}": -1, b"]": -1}.get(token[0], 0)
        if depth == 0:
            return token.end()
    return len(text)
