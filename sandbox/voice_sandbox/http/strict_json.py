"""One strict decoder of JSON (RFC 8259) for everything that comes in.

Rejected: what is not UTF-8, a byte order mark, a key given twice, ``NaN`` and ``Infinity``, numbers
out of range, half of a surrogate pair, nesting deeper than `MAX_DEPTH`, more than `MAX_VALUES`
values, numerals longer than `MAX_NUMERAL_LENGTH`. Only what can be sent back is accepted.

The event loop waits while a body is decoded, so the work for one is limited before it begins:
structure is counted by searches that run in C, and only then are Python objects made of it.
"""

from __future__ import annotations

import json
import math
from itertools import accumulate
from typing import Any, Final, NoReturn

MAX_DEPTH: Final = 32
MAX_VALUES: Final = 4096
"""A thousand times more than any request of the contract has."""
MAX_NUMERAL_LENGTH: Final = 32

_MAX_SHIFT: Final = 10**18
"""Beyond it no double is anything but 0 or infinite, whatever the digits are."""


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
    if body.count(b"[") + body.count(b"{") > MAX_DEPTH or body.count(b",") > MAX_VALUES:
        _check_structure(body)
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
    return _exact_integer(numeral) if value.is_integer() else value


def _exact_integer(numeral: str) -> int:
    """The integer that a numeral with a fraction or an exponent says."""
    mantissa, _, exponent = numeral.lower().partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = int(whole + fraction)
    shift = int(exponent or 0) - len(fraction)
    if abs(shift) > _MAX_SHIFT:
        raise UnusableNumber("a number is out of range")
    if digits == 0:
        return 0
    if shift >= 0:
        return digits * int(10**shift)
    # A numeral has fewer digits than this, so what is shifted further is no integer.
    integer, rest = divmod(digits, int(10 ** min(-shift, MAX_NUMERAL_LENGTH)))
    if rest:
        raise UnusableNumber("a number has more digits than a double keeps")
    return integer


def _constant(name: str) -> NoReturn:
    raise UnusableNumber(f"{name} is not JSON")


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_unique, parse_int=_integer, parse_float=_number, parse_constant=_constant
)

_NO_BRACKET: Final = bytes(set(range(256)) - set(b"[]{}"))
_STEPS: Final = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}


def _check_structure(body: bytes) -> None:
    """Counts brackets and commas outside of strings. Raises: `MalformedJSON`."""
    # Without escaped backslashes and quotes, each quote begins or ends a string.
    plain = body.replace(rb"\\", b"").replace(rb"\"", b"")
    # A member has two for its name and two for its value.
    if plain.count(b'"') > 4 * MAX_VALUES:
        raise _too_many_values()
    structure = b"".join(plain.split(b'"')[::2])
    if structure.count(b",") > MAX_VALUES:
        raise _too_many_values()
    brackets = structure.translate(None, _NO_BRACKET)
    if len(brackets) > 2 * MAX_VALUES:
        raise _too_many_values()
    if max(accumulate(map(_STEPS.__getitem__, brackets)), default=0) > MAX_DEPTH:
        raise MalformedJSON(f"the nesting is deeper than {MAX_DEPTH} levels")


def _too_many_values() -> MalformedJSON:
    return MalformedJSON(f"the body has more than {MAX_VALUES} values")


def _encodable(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
