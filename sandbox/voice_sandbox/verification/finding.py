"""What a check raises, and the sentences that most of them need."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from voice_sandbox.verification.http1 import ReceivedResponse

_ID_IN_A_PATH: Final = re.compile(r"(?<=/)(?:[0-9A-Fa-f-]{32,36}|(?:req|flt)_\w+|\+[0-9]+)")


class Finding(Exception):
    """The deployment breaks the contract; the message is one sentence that says how.

    Findings with the same ``symptom`` most likely have one cause. Without one it is the sentence.
    """

    def __init__(
        self, sentence: str, response: ReceivedResponse | None = None, *, symptom: str = ""
    ) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.response = response
        self.symptom = symptom or sentence


class CannotTell(Exception):
    """The deployment gave no response that a check could judge; the message says why."""


def must(holds: bool, sentence: str, response: ReceivedResponse | None = None) -> None:
    """Raises: `Finding` with the sentence unless the condition holds."""
    if not holds:
        raise Finding(sentence, response)


def must_be(response: ReceivedResponse, status: int, code: str | None = None, *, when: str) -> None:
    """Raises: `Finding` unless the response has this status and this problem code.

    ``when`` completes the sentence: ``"the token is missing"``.
    """
    expected = f"{status} {code}" if code else str(status)
    found = str(response.status)
    if response.status >= 400:
        found = f"{found} {problem_code(response)}".strip()
    if response.status != status or (code is not None and problem_code(response) != code):
        raise Finding(
            f"When {when}, the response must be {expected}, but it is {found}.",
            response,
            symptom=f"{_place(response)}: {found}, not {expected}",
        )


def must_be_malformed(response: ReceivedResponse, *, when: str) -> None:
    """Raises: `Finding` unless the body was rejected as no strict JSON."""
    must_be(response, 400, "malformed_json", when=when)


def must_be_unknown_call(response: ReceivedResponse, *, when: str) -> None:
    """Raises: `Finding` unless the response says that there is no such call."""
    must_be(response, 404, "call_not_found", when=when)


def must_be_invalid(response: ReceivedResponse, *pointers: str, when: str) -> None:
    """Raises: `Finding` unless the schema rejected the body, at these places and no other."""
    must_be(response, 422, "validation_failed", when=when)
    found = sorted(error["pointer"] for error in response.json()["errors"])
    if found != sorted(pointers):
        raise Finding(
            f"When {when}, the 422 must point at {_places(pointers)} alone, "
            f"but it points at {_places(found)}.",
            response,
            symptom=f"{_place(response)}: a 422 points at {_places(found)}",
        )


def _places(pointers: Iterable[str]) -> str:
    return ", ".join(pointer or "the body itself" for pointer in pointers)


def _place(response: ReceivedResponse) -> str:
    """Where a request went, without the ids that differ from one check to the next."""
    path = response.sent.target.partition("?")[0]
    return f"{response.sent.method} {_ID_IN_A_PATH.sub('{id}', path)}"


def problem_code(response: ReceivedResponse) -> str:
    """The code of a problem, empty where there is none."""
    try:
        problem = response.json()
    except ValueError:
        return ""
    return str(problem.get("code", "")) if isinstance(problem, dict) else ""


def difference(sent: str, found: str) -> str:
    """Where two texts part, such as ``from character 7 on 'é' became 'e'``."""
    same = zip(sent, found, strict=False)
    at = next((n for n, (a, b) in enumerate(same) if a != b), min(len(sent), len(found)))
    return f"from character {at} on {sent[at : at + 20]!a} became {found[at : at + 20]!a}"
