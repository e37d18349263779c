"""Faults on request: the header ``Prefer`` (RFC 7240) asks for a response that the contract knows.

``Prefer: code=429`` or ``code=rate_limited`` gives a documented problem, ``Prefer: example=busy`` a
named example,
``Prefer: delay=1500`` holds the response back for so many milliseconds. The work is done before, so
a client that gives up meets a call that exists. What the contract does not document cannot be asked
for: as RFC 7240 says, such a preference is ignored, and ``Preference-Applied`` is
missing from the response.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec

from voice_sandbox.contract.model import DocumentedResponse, Example, Operation
from voice_sandbox.http.header_fields import elements, named_value, parts

LONGEST_DELAY_MILLISECONDS: Final = 10_000


class Preferred(msgspec.Struct, frozen=True):
    """What a request prefers, as far as the operation documents it."""

    delay_seconds: float
    response: DocumentedResponse | None
    example: Example | None
    applied: str
    """The value of ``Preference-Applied``, such as ``code=429, delay=1500``."""

    def headers(self) -> dict[str, str]:
        """The documented headers of the preferred response, with their example values."""
        return {} if self.response is None else documented_headers(self.response)

    def body(self, request_id: str) -> Any:
        """The body of the preferred example; a problem carries this exchange's request id."""
        return None if self.example is None else documented_body(self.example, request_id)


def documented_headers(response: DocumentedResponse) -> dict[str, str]:
    """The headers that a response always has, with their example values."""
    return {
        name: str(header.example)
        for name, header in response.headers.items()
        if header.required and name != "X-Request-Id"
    }


def documented_body(example: Example, request_id: str) -> Any:
    """The value of an example; a problem carries this exchange's request id."""
    value = example.value
    if isinstance(value, Mapping) and "request_id" in value:
        return {**value, "request_id": request_id}
    return value


def preferred(operation: Operation, values: Iterable[bytes]) -> Preferred | None:
    """Reads all values of the header ``Prefer``; ``None`` where nothing can be applied."""
    wanted: dict[str, str] = {}
    for preference, value in _preferences(values):
        wanted.setdefault(preference, value)  # RFC 7240, section 2: the first instance counts
    applied: list[str] = []
    response: DocumentedResponse | None = None
    example: Example | None = None
    delay = wanted.get("delay", "")
    if not (delay.isascii() and delay.isdigit() and len(delay) < 10):
        delay = ""
    milliseconds = min(int(delay or 0), LONGEST_DELAY_MILLISECONDS)

    code, name = wanted.get("code"), wanted.get("example")
    for candidate in operation.responses.values():
        by_name = candidate.status >= 400 and code in candidate.examples
        if code is not None and not by_name and code != str(candidate.status):
            continue
        if name is not None and name not in candidate.examples:
            continue
        if code is not None or name is not None:
            response = candidate
            example = candidate.examples.get(name or code or "") or next(
                iter(candidate.examples.values()), None
            )
            applied += [f"code={code}"] if code is not None else []
            applied += [f"example={name}"] if name is not None else []
            break
    if delay:
        applied.append(f"delay={milliseconds}")
    if not applied:
        return None
    return Preferred(milliseconds / 1000, response, example, ", ".join(applied))


def _preferences(values: Iterable[bytes]) -> Iterator[tuple[str, str]]:
    """Name and value of each preference; what follows a semicolon has no meaning here."""
    for value in values:
        for element in elements(value):
            if preference := named_value(next(iter(parts(element)), "")):
                yield preference
