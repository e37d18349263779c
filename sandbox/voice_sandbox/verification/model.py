"""The rules of a call once more, in few lines, to hold responses against: pure.

Owns what a completion is answered with and where a call stands at an instant. It takes the
provider's words from the contract and the times from the catalogue of scenarios, and shares no
code with the sandbox, whose faults it must not repeat.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from voice_sandbox.calls.scenarios import Completion, Scenario

UNANSWERED: Final = ("no_answer", "busy", "canceled")
_ANSWERED: Final = ("completed", "failed")
ENDS: Final[Mapping[str, tuple[str, ...]]] = {
    "queued": _ANSWERED + UNANSWERED,
    "ringing": _ANSWERED + UNANSWERED,
    "in_progress": _ANSWERED,
}

Result = tuple[str, str | None, int]
"""Status, transcript and duration, as the service shows them."""


def normalized(
    words: Mapping[str, str], word: str, transcript: str | None, duration: int
) -> Result:
    """What the service shows of an accepted completion."""
    status = words[word]
    if status in UNANSWERED:
        return status, None, 0
    return status, transcript or None, duration


@dataclass(slots=True)
class ModelCall:
    """A call as the rules have it; ``result`` is ``None`` until a completion was accepted."""

    state: str
    result: Result | None = None

    def complete(self, result: Result) -> tuple[int, str | None]:
        """How a completion is answered: status and problem code. An accepted one is kept."""
        if self.result is not None:
            return (200, None) if self.result == result else (409, "call_already_ended")
        if result[0] not in ENDS[self.state]:
            return 409, "impossible_outcome"
        self.result = result
        return 200, None


def call_at(scenario: Scenario, words: Mapping[str, str], *, seconds: float) -> ModelCall:
    """A call so many seconds after it was created, when nobody but the provider ended it."""
    call = ModelCall(state_at(scenario, seconds))
    for completion in scenario.completions:
        if completion.after_seconds <= seconds and completion.status in words:
            arrived = ModelCall(state_at(scenario, completion.after_seconds), call.result)
            arrived.complete(delivered(completion, words))
            call.result = arrived.result
    return call


def state_at(scenario: Scenario, seconds: float) -> str:
    """The state of a call that has not ended."""
    for state, after in (
        ("in_progress", scenario.answered_after_seconds),
        ("ringing", scenario.ringing_after_seconds),
    ):
        if after is not None and seconds >= after:
            return state
    return "queued"


def delivered(completion: Completion, words: Mapping[str, str]) -> Result:
    """What the service shows of a completion of the provider."""
    text = transcript_of(completion)
    return normalized(words, completion.status, text, completion.duration_seconds)


def transcript_of(completion: Completion) -> str | None:
    """What the provider sends as transcript."""
    text = completion.transcript
    if text and completion.repeat_to:
        return (text * (completion.repeat_to // len(text) + 1))[: completion.repeat_to]
    return text
