"""Faults that a key has armed, for programs that nobody may change: what each does to a response.

Owns the checks of a fault before it is armed; `contract.faults` is the table of them. A fault
strikes a request that the contract accepts, of an integrator and never of the simulated provider.
How a broken response is sent is written in ``broken_responses``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec
import orjson

from voice_sandbox.contract import problems
from voice_sandbox.contract.faults import (
    ANY_OPERATION,
    BEFORE_WORK,
    FAULTS,
    documented_problems,
)
from voice_sandbox.contract.model import Operation
from voice_sandbox.contract.problems import FieldError, ProblemError
from voice_sandbox.http.exchange import EncodedResponse, Exchange, Response
from voice_sandbox.http.preferences import documented_body, documented_headers

FAULTS_LIMIT: Final = 1000
"""Armed faults of a key."""

_GATEWAY_PAGES: Final[Mapping[int, str]] = {502: "Bad Gateway", 504: "Gateway Time-out"}
_GATEWAY_PAGE: Final = """\
<html>
<head><title>{title}</title></head>
<body>
<center><h1>{title}</h1></center>
<hr><center>gateway</center>
</body>
</html>
"""


class Fault(msgspec.Struct, frozen=True, omit_defaults=True):
    """What strikes: its kind, and what it was told."""

    kind: str
    code: str | None = None
    retry_after: int | None = None
    seconds: float | None = None
    status: int | None = None

    @property
    def is_before_work(self) -> bool:
        """Whether it strikes before anything is done."""
        if self.kind == "gateway_error":
            return self.status == 502
        return FAULTS[self.kind].strikes == BEFORE_WORK


class StruckBeforeWork(Exception):
    """Ends the work of a handler before it has begun: a fault strikes in its place."""


def check(fault: Fault, *, operation_id: str, operations: Mapping[str, Operation]) -> None:
    """Whether a fault can be armed for an operation. Raises: `ProblemError` with every reason."""
    if errors := list(_errors(fault, operation_id, operations)):
        raise ProblemError(
            "validation_failed",
            f"The body does not fit in {len(errors)} {'place' if len(errors) == 1 else 'places'}. "
            "Fix what errors lists and send it again.",
            errors=errors,
        )


def with_fault(
    fault: Fault, outcome: EncodedResponse, operation: Operation, request_id: str
) -> EncodedResponse:
    """What becomes of the outcome of a request, after the work or in its place."""
    response = msgspec.structs.replace(outcome.response, why=_why(fault, outcome))
    replace = msgspec.structs.replace
    match fault.kind:
        case "problem":
            return _documented_problem(fault, operation, request_id, why=response.why)
        case "internal_error" | "internal_error_after_work":
            problem = ProblemError(
                "internal_error",
                "An armed fault let the service break. "
                "Send the request again, or disarm it with DELETE /sandbox/faults.",
            )
            return EncodedResponse(
                500,
                replace(response, headers={}),
                orjson.dumps(problems.document(problem, request_id=request_id)),
                problems.MEDIA_TYPE,
                problem.code,
            )
        case "gateway_error":
            status = fault.status or 502
            page = _GATEWAY_PAGE.format(title=f"{status} {_GATEWAY_PAGES[status]}")
            return EncodedResponse(
                status, replace(response, headers={}), page.encode(), "text/html", None
            )
        case "wrong_type":
            return replace(outcome, response=response, media_type="text/html; charset=utf-8")
        case "empty":
            return EncodedResponse(
                200, replace(response, headers={}), b"", outcome.media_type, None
            )
        case _:
            return replace(outcome, response=response)


def was_received(exchange: Exchange) -> bool:
    """Whether the client got a response that keeps the contract, so that it counts as covered."""
    return exchange.fault is None or FAULTS[exchange.fault].is_documented


def nothing_done() -> EncodedResponse:
    """The outcome of a request whose work was never begun; its status 0 is that of no response."""
    return EncodedResponse(0, Response(), b"", "", None)


def _errors(
    fault: Fault, operation_id: str, operations: Mapping[str, Operation]
) -> Iterator[FieldError]:
    if operation_id not in operations and operation_id != ANY_OPERATION:
        names = ", ".join((*operations, ANY_OPERATION))
        yield FieldError("/operation", f"There is no such operation. This must be one of: {names}.")
        return
    if fault.kind == "problem" and fault.code is not None:
        yield from _problem_errors(fault, operation_id, operations)


def _problem_errors(
    fault: Fault, operation_id: str, operations: Mapping[str, Operation]
) -> Iterator[FieldError]:
    named = [op for name, op in operations.items() if operation_id in (name, ANY_OPERATION)]
    # With any operation, those that every operation documents.
    known = sorted(set.intersection(*(set(documented_problems(op)) for op in named)))
    if fault.code not in known:
        yield FieldError(
            "/fault/code",
            f"This problem is not documented for {operation_id}. "
            f"This must be one of: {', '.join(known)}.",
        )
    elif fault.retry_after is not None and not all(
        "Retry-After" in documented_problems(operation)[fault.code].headers for operation in named
    ):
        yield FieldError(
            "/fault/retry_after", f"A response with {fault.code} has no Retry-After. Remove it."
        )


def _documented_problem(
    fault: Fault, operation: Operation, request_id: str, *, why: str
) -> EncodedResponse:
    response = documented_problems(operation)[fault.code or ""]
    body = documented_body(response.examples[fault.code], request_id)
    headers = documented_headers(response)
    if fault.retry_after is not None:
        headers["Retry-After"] = str(fault.retry_after)
    return EncodedResponse(
        response.status,
        Response(headers=headers, why=why),
        orjson.dumps(body),
        problems.MEDIA_TYPE,
        body["code"],
    )


def _why(fault: Fault, outcome: EncodedResponse) -> str:
    """One sentence for the journal."""
    if fault.is_before_work:
        return (
            f"An armed fault ({fault.kind}) struck before any work: nothing was created or changed."
        )
    is_done = outcome.code is None
    about = "the call exists" if outcome.response.call_id is not None else "the work was done"
    state = about if is_done else f"the request had been rejected with {outcome.code}"
    if fault.kind in ("late_response", "slow_body"):
        return f"An armed fault ({fault.kind}) held this response back; {state}."
    return f"An armed fault ({fault.kind}) took this response away; {state}."
