"""The one table of problems: code, HTTP status, title, and what the Errors page says of each.

Every rejection is an RFC 9457 problem whose ``type`` points at its entry on that page.
A code that is not in the table cannot be sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from uuid_utils import UUID

from voice_sandbox.contract.model import Contract, ContractError, DocumentedResponse

MEDIA_TYPE: Final = "application/problem+json"


class Problem(msgspec.Struct, frozen=True):
    """One kind of problem; ``meaning`` and ``remedy`` are sentences of the Errors page."""

    code: str
    status: int
    title: str
    meaning: str
    remedy: str
    of_no_operation: bool = False
    """Sent where no operation was found, or where one broke: no contract documents it."""

    @property
    def type(self) -> str:
        """URI reference of the problem's entry on the portal, such as ``/errors/#rate_limited``."""
        return f"/errors/#{self.code}"


class FieldError(msgspec.Struct, frozen=True):
    """One thing to fix: a JSON Pointer (RFC 6901) into the body, and what was expected."""

    pointer: str
    detail: str


class ProblemError(Exception):
    """Ends the request with the problem ``code``; ``detail`` never repeats a secret.

    ``call_id`` and ``scenario`` say what the request was about, for the journal.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        errors: Sequence[FieldError] = (),
        call_id: UUID | None = None,
        scenario: str | None = None,
    ) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.problem = PROBLEMS[code]
        self.headers = headers or {}
        self.errors = errors
        self.call_id = call_id
        self.scenario = scenario

    @property
    def why(self) -> str:
        """What was wrong and where, for the journal."""
        places = (f"{error.pointer or 'The body'}: {error.detail}" for error in self.errors)
        return " ".join((self.detail, *places))


def document(error: ProblemError, *, request_id: str) -> dict[str, Any]:
    """The problem document of a rejection, as the contract's ``Problem`` schema describes it."""
    problem = error.problem
    body: dict[str, Any] = {
        "type": problem.type,
        "title": problem.title,
        "status": problem.status,
        "detail": error.detail,
        "code": problem.code,
        "request_id": request_id,
    }
    if error.errors:
        body["errors"] = [{"pointer": e.pointer, "detail": e.detail} for e in error.errors]
    return body


_TABLE: Final = (
    Problem(
        "malformed_json",
        400,
        "Malformed JSON",
        "The body is not strict JSON: broken syntax, not UTF-8, a byte order mark, a key given "
        "twice, `NaN` or `Infinity`, half of a surrogate pair, or is nested too deeply.",
        "Send one JSON object encoded in UTF-8. The detail names the place. "
        "Let a JSON library write the body instead of joining strings.",
    ),
    Problem(
        "invalid_idempotency_key",
        400,
        "Invalid Idempotency-Key",
        "The header `Idempotency-Key` is empty, longer than 255 characters, sent twice, "
        "or holds something other than visible ASCII.",
        "Send 1 to 255 visible ASCII characters without spaces, such as a UUID.",
    ),
    Problem(
        "invalid_parameter",
        400,
        "Invalid parameter",
        "A query parameter of the control API has a wrong form, or is sent twice.",
        "The detail says what the parameter takes.",
    ),
    Problem(
        "missing_token",
        401,
        "Missing token",
        "The request carries no Bearer token.",
        "Add the header `Authorization: Bearer YOUR_SERVICE_API_KEY`.",
    ),
    Problem(
        "invalid_token",
        401,
        "Invalid token",
        "The request carries a token, but this deployment does not accept it.",
        "In the sandbox use `sandbox_` plus 4 to 64 letters, digits, `_` or `-`. "
        "A key of the live service does not work here, and should not be sent here.",
    ),
    Problem(
        "not_found",
        404,
        "No such path",
        "The contract has no operation at this path. A trailing slash makes another path.",
        "Compare the path with the API reference, character by character.",
        of_no_operation=True,
    ),
    Problem(
        "call_not_found",
        404,
        "No such call",
        "No call of this key has this id. Calls of other keys look the same as calls that never "
        "existed.",
        "Use a `call_id` that `createCall` returned to the same key.",
    ),
    Problem(
        "exchange_not_found",
        404,
        "No such exchange",
        "The journal of this key has no exchange with this request id.",
        "Use the `X-Request-Id` of a response to the same key. "
        "The journal keeps the last 1000 exchanges for 24 hours.",
    ),
    Problem(
        "fault_not_found",
        404,
        "No such fault",
        "Your key has armed no fault with this id. It may have been disarmed already.",
        "Send `GET /sandbox/faults` for the faults of your key with their ids.",
    ),
    Problem(
        "method_not_allowed",
        405,
        "Method not allowed",
        "The path exists, but not with this method.",
        "Use a method that the header `Allow` names.",
        of_no_operation=True,
    ),
    Problem(
        "idempotency_conflict",
        409,
        "Idempotency-Key used with another body",
        "Within the last 24 hours the same key used this `Idempotency-Key` with another body.",
        "For a retry send the first body again. For a new request choose a new key.",
    ),
    Problem(
        "call_already_ended",
        409,
        "The call has already ended",
        "A completion arrived for a call that has ended with another result. "
        "The first result is final.",
        "Nothing is left to do when the first result is right. "
        "To complete a call by hand, create a new one.",
    ),
    Problem(
        "impossible_outcome",
        409,
        "Impossible outcome",
        "The outcome contradicts the state of the call: one that is `in_progress` was answered, "
        "so it can no longer be busy, unanswered or canceled.",
        "Send `completed` or `failed` for a call that was answered.",
    ),
    Problem(
        "body_too_large",
        413,
        "Body too large",
        "The body is larger than the operation takes.",
        "Send a smaller body. The limit lies above the largest body that the contract allows.",
    ),
    Problem(
        "unsupported_media_type",
        415,
        "Unsupported media type",
        "The body is not declared as `application/json` in UTF-8, or it is compressed.",
        "Set the header `Content-Type: application/json` and send the body uncompressed.",
    ),
    Problem(
        "validation_failed",
        422,
        "Validation failed",
        "The body is JSON, but a field is missing, unknown or has a wrong value.",
        "`errors` lists each place with what was expected. Fix it and send it again.",
    ),
    Problem(
        "rate_limited",
        429,
        "Too many requests",
        "Too many requests arrived in a short time.",
        "Wait as many seconds as `Retry-After` says, then send the same request again.",
    ),
    Problem(
        "internal_error",
        500,
        "Internal error",
        "The deployment broke its own contract and held the response back.",
        "Quote `request_id` when you report it. A retry with the same `Idempotency-Key` is safe.",
        of_no_operation=True,
    ),
    Problem(
        "provider_unavailable",
        503,
        "Provider unavailable",
        "The provider takes no calls just now. No call was created.",
        "Send the same request again after as many seconds as `Retry-After` says.",
    ),
    Problem(
        "storage_unavailable",
        503,
        "Storage unavailable",
        "The state cannot be read or saved just now. Nothing was changed.",
        "Send the same request again after as many seconds as `Retry-After` says.",
    ),
)

PROBLEMS: Final[Mapping[str, Problem]] = {problem.code: problem for problem in _TABLE}


def documented_codes(response: DocumentedResponse) -> tuple[str, ...]:
    """The codes of problems that a documented response may carry: those of its examples.

    The schema of ``code`` is open, so that a client which was generated before a code was added
    still reads the problem.
    """
    if response.media_type != MEDIA_TYPE:
        return ()
    return tuple(example.value["code"] for example in response.examples.values())


def undocumented(response: DocumentedResponse, body: Any) -> list[FieldError]:
    """Where a body that fits the schema is not one of the problems that the response may carry."""
    codes = documented_codes(response)
    if not codes or not isinstance(body, Mapping):
        return []
    found = []
    if body.get("status") != response.status:
        found.append(FieldError("/status", f"This must be the HTTP status, {response.status}."))
    if body.get("code") not in codes:
        found.append(FieldError("/code", "This must be one of: " + ", ".join(codes) + "."))
    return found


def check_documented(*contracts: Contract) -> None:
    """Table and contracts know the same problems, each with the same status.

    Raises: `ContractError`: a problem that no client was told of, or that nobody can send.
    """
    documented: set[str] = set()
    for contract in contracts:
        for operation in contract.operations.values():
            for response in operation.responses.values():
                for code in documented_codes(response):
                    _check_known(
                        code, response.status, f"{contract.path.name}, {operation.operation_id}"
                    )
                    documented.add(code)
    for problem in PROBLEMS.values():
        if problem.code not in documented and not problem.of_no_operation:
            names = " and ".join(contract.path.name for contract in contracts)
            raise ContractError(
                f"The problem {problem.code} stands in the table of "
                f"voice_sandbox/contract/problems.py, but {names} document it for no operation. "
                "Document it where it is sent, or remove it from the table."
            )


def _check_known(code: str, status: int, where: str) -> None:
    problem = PROBLEMS.get(code)
    if problem is None:
        raise ContractError(
            f"{where} documents the problem {code}, which the table of "
            "voice_sandbox/contract/problems.py does not have. Add it there, or remove it here."
        )
    if problem.status != status:
        raise ContractError(
            f"{where} documents the problem {code} with the status {status}, but the table of "
            f"voice_sandbox/contract/problems.py gives it {problem.status}. Write the same in both."
        )
