"""The one table of faults that a key can arm: what each does, and what a client sees of it.

The control API, the commands, the completion of the shell and the page are made from it. A kind
that is not in the table cannot be armed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from voice_sandbox.contract.model import Operation

SLOW_BODY_SECONDS: Final = 5.0
"""Within which a slow body has arrived, unless the fault says otherwise."""
ANY_OPERATION: Final = "any"
"""Stands for each operation of the service."""
BEFORE_WORK: Final = "before the work"
AFTER_WORK: Final = "after the work"


class FaultKind(msgspec.Struct, frozen=True):
    """One row of the table; all but ``members`` are words for people."""

    kind: str
    line: str
    strikes: str
    """When it strikes: before or after the work."""
    seen: str
    """What the client sees."""
    members: tuple[str, ...] = ()
    """What it may be told; the first of them must be, where it is ``code`` or ``status``."""
    is_documented: bool = False
    """Whether the client gets a response that keeps the contract."""


_TABLE: Final = (
    FaultKind(
        "problem",
        "The request is rejected with a documented problem.",
        BEFORE_WORK,
        "The problem `code` of the contract, with `Retry-After: retry_after` where that is given.",
        ("code", "retry_after"),
        is_documented=True,
    ),
    FaultKind(
        "internal_error",
        "The service breaks before it has done anything.",
        BEFORE_WORK,
        "500 with the problem `internal_error`. Nothing was created or changed.",
    ),
    FaultKind(
        "internal_error_after_work",
        "The service breaks when everything is done and saved.",
        AFTER_WORK,
        "500 with the problem `internal_error`, although the call exists.",
    ),
    FaultKind(
        "reset",
        "The connection is reset before anything is done.",
        BEFORE_WORK,
        "No response: the connection is reset. Nothing was created or changed.",
    ),
    FaultKind(
        "lost_response",
        "Everything is done and saved, then the connection is reset.",
        AFTER_WORK,
        "No response: the connection is reset, although the call exists.",
    ),
    FaultKind(
        "late_response",
        "Everything is done and saved, then the response waits for `seconds`.",
        AFTER_WORK,
        "The usual response, after `seconds`. A client that gives up earlier has a call that "
        "exists.",
        ("seconds",),
        is_documented=True,
    ),
    FaultKind(
        "slow_body",
        "The head of the response comes at once, its body byte by byte over `seconds`.",
        AFTER_WORK,
        f"The usual response, whose body takes `seconds`, {SLOW_BODY_SECONDS:g} by default.",
        ("seconds",),
        is_documented=True,
    ),
    FaultKind(
        "truncated",
        "The connection ends in the middle of the body.",
        AFTER_WORK,
        "The usual head, then half as many bytes as its `Content-Length` says.",
    ),
    FaultKind(
        "gateway_error",
        "A gateway in front of the service returns its own page.",
        "502 before the work, 504 after it",
        "502 or 504 with an HTML page, and no problem document. After 504 the call exists.",
        ("status",),
    ),
    FaultKind(
        "wrong_type",
        "The body is the usual JSON, and its type is said to be HTML.",
        AFTER_WORK,
        "The usual status and body with `Content-Type: text/html; charset=utf-8`.",
    ),
    FaultKind(
        "empty",
        "The body is missing.",
        AFTER_WORK,
        "200 without a body, although the call exists.",
    ),
)

FAULTS: Final[Mapping[str, FaultKind]] = {fault.kind: fault for fault in _TABLE}


def documented_problems(operation: Operation) -> Mapping[str, Any]:
    """The responses of an operation that are problems, by code."""
    return {
        code: response
        for response in operation.responses.values()
        if response.status >= 400
        for code in response.examples
    }
