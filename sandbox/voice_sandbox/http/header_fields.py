"""Takes values of header fields apart where a quoted string may hold any character.

A comma or a semicolon inside quotes ends nothing (RFC 9110, sections 5.6.1 and 5.6.4), and an
empty element or parameter says nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

_QUOTED: Final = r'"(?:[^"\\]|\\.)*"'
# A quote that is never closed takes all that follows, so that nothing is looked at twice.
_ELEMENT: Final = re.compile(rf'(?:[^",]|{_QUOTED}|".*)+', re.DOTALL)
_PART: Final = re.compile(rf'(?:[^";]|{_QUOTED}|".*)+', re.DOTALL)
_WORD: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PARAMETER: Final = re.compile(rf"({_WORD})[ \t]*=[ \t]*({_WORD}|{_QUOTED})")


def elements(value: bytes) -> Iterator[str]:
    """The elements of a list, such as of ``code=429, foo="a, b"``."""
    for match in _ELEMENT.finditer(value.decode("latin-1")):
        if element := match[0].strip(" \t"):
            yield element


def parts(element: str) -> list[str]:
    """What semicolons separate, the first part included, empty ones left out."""
    return [part for match in _PART.finditer(element) if (part := match[0].strip(" \t"))]


def named_value(part: str) -> tuple[str, str] | None:
    """The name in small letters and the value without quotes; ``None`` where it is neither."""
    match = _PARAMETER.fullmatch(part)
    if match is None:
        return None
    name, value = match.groups()
    if value.startswith('"'):
        value = re.sub(r"\\(.)", r"\1", value[1:-1])
    return name.lower(), value
