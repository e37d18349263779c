"""What a check raises, and the two sentences that most of them need."""

from __future__ import annotations

from sandbox.verification.wire import Answer


class Finding(Exception):
    """The deployment breaks the contract; the message is one sentence that says how."""

    def __init__(self, sentence: str, answer: Answer | None = None) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.answer = answer


class CannotTell(Exception):
    """The deployment gave no answer that a check could judge; the message says why."""


def must(holds: bool, sentence: str, answer: Answer | None = None) -> None:
    """Raises: `Finding` with the sentence unless the condition holds."""
    if not holds:
        raise Finding(sentence, answer)


def must_be(answer: Answer, status: int, code: str | None = None, *, when: str) -> None:
    """Raises: `Finding` unless the answer has this status and this problem code.

    ``when`` completes the sentence: ``"the token is missing"``.
    """
    expected = f"{status} {code}" if code else str(status)
    found = str(answer.status)
    if answer.status >= 400:
        found = f"{found} {_code(answer)}".strip()
    if answer.status != status or (code is not None and _code(answer) != code):
        raise Finding(f"When {when}, the answer must be {expected}, but it is {found}.", answer)


def _code(answer: Answer) -> str:
    try:
        problem = answer.json()
    except ValueError:
        return ""
    return str(problem.get("code", "")) if isinstance(problem, dict) else ""
