"""One strict decoder of JSON (RFC 8259) for everything that comes in.

Refused: what is not UTF-8, a byte order mark, a key given twice, ``NaN`` and ``Infinity``, numbers
out of range, half of a surrogate pair, nesting deeper than `MAX_DEPTH`, numerals longer than
`MAX_NUMERAL_LENGTH`. Only what can be sent back is accepted.
"""

from __future__ import annotations

import json
import math
import re
from decimal import Decimal, InvalidOperation
from typing import Any, Final, NoReturn

MAX_DEPTH: Final = 32
MAX_NUMERAL_LENGTH: Final = 32


class MalformedJSON(ValueError):
    """The message says what is wrong and where, for a person; it quotes keys, never values."""


class UnusableNumber(MalformedJSON):
    """``NaN``, ``Infinity``, or a number that could not be sent back as it came."""


def decode(body: bytes) -> Any:
    """The value of a JSON text. Raises: `MalformedJSON`.

    ``12.0`` is an integer to JSON Schema and comes back as ``12``.
    """
    if not body:
        raise MalformedJSON("the body is empty")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedJSON(f"byte {error.start} is not UTF-8") from None
    if text.startswith("\ufeff"):
        raise MalformedJSON("the body starts with a byte order mark")
    if text.count("[") + text.count("{") > MAX_DEPTH and _depth(text) > MAX_DEPTH:
        raise MalformedJSON(f"the nesting is deeper than {MAX_DEPTH} levels")
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise MalformedJSON(f"{error.msg} at line {error.lineno}, column {error.colno}") from None
    if "\\u" in text and not _encodable(value):
        raise MalformedJSON("a \\u escape is half of a surrogate pair")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                break
            seen.add(name)
        raise MalformedJSON(f"the key {name[:40]!a} is given twice in one object")
    return members


def _integer(numeral: str) -> int:
    if len(numeral) > MAX_NUMERAL_LENGTH:
        raise UnusableNumber(f"a number has more than {MAX_NUMERAL_LENGTH} characters")
    return int(numeral)


def _number(numeral: str) -> int | float:
    if len(numeral) > MAX_NUMERAL_LENGTH:
        raise UnusableNumber(f"a number has more than {MAX_NUMERAL_LENGTH} characters")
    value = float(numeral)
    if not math.isfinite(value):
        raise UnusableNumber("a number is out of range")
    if not value.is_integer():
        return value
    try:
        exact = Decimal(numeral)
    except InvalidOperation:  # an exponent of twenty digits, before which a double is 0
        raise UnusableNumber("a number is out of range") from None
    if exact != exact.to_integral_value():
        raise UnusableNumber("a number has more digits than a double keeps")
    return int(exact)


def _constant(name: str) -> NoReturn:
    raise UnusableNumber(f"{name} is not JSON")


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_unique, parse_int=_integer, parse_float=_number, parse_constant=_constant
)

_STRING_OR_BRACKET: Final = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[\]{}]', re.DOTALL)


def _depth(text: str) -> int:
    """The deepest nesting, brackets inside strings not counted."""
    depth = deepest = 0
    for match in _STRING_OR_BRACKET.finditer(text):
        bracket = match[0]
        if bracket in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif bracket in "]}":
            depth -= 1
    return deepest


def _encodable(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
