"""A call, its states, and how it may end: pure, without time of its own and without storage.

::

    queued → ringing → in_progress → completed
    queued | ringing → completed | no_answer | busy | failed | canceled
    in_progress → completed | failed

A completion may skip forward, never backward. Terminal states absorb.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final

import msgspec
from uuid_utils import UUID

QUEUED: Final = "queued"
RINGING: Final = "ringing"
IN_PROGRESS: Final = "in_progress"

ANSWERED_ENDS: Final = frozenset({"completed", "failed"})
UNANSWERED_ENDS: Final = frozenset({"no_answer", "busy", "canceled"})

_ENDS: Final[Mapping[str, frozenset[str]]] = {
    QUEUED: ANSWERED_ENDS | UNANSWERED_ENDS,
    RINGING: ANSWERED_ENDS | UNANSWERED_ENDS,
    IN_PROGRESS: ANSWERED_ENDS,
}


class Result(msgspec.Struct, frozen=True):
    """How a call ended: a normalized status, what was said, whole seconds from answer to end."""

    status: str
    transcript: str | None
    duration_seconds: int


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One call as it is stored. ``result`` is ``None`` until a completion was accepted."""

    call_id: UUID
    phone: str
    agent: str
    scenario: str
    created_at: float
    result: Result | None = None
    ended_at: float | None = None
    completed_by: str | None = None
    """The request_id of the completion that ended the call."""
    delivery_statuses: tuple[int, ...] = ()
    """The HTTP status of each response to the simulated provider's deliveries, in order."""
    requested_by: str | None = None
    """The request_id of the creation; the sample call has none."""
    outcome: str | None = None
    """What it plays, as JSON, where that is no scenario of the catalogue."""


class CompletionDecision(Enum):
    """What becomes of a completion."""

    ACCEPTED = "accepted"
    REPEATED = "repeated"
    ALREADY_ENDED = "already_ended"
    IMPOSSIBLE = "impossible"


def normalized(status: str, transcript: str | None, duration_seconds: int) -> Result:
    """The result to save: nobody speaks on a call that nobody answered, and no text is null."""
    if status in UNANSWERED_ENDS:
        return Result(status, None, 0)
    return Result(status, transcript or None, duration_seconds)


def judge(result: Result, *, live_status: str, ended: Result | None) -> CompletionDecision:
    """Whether ``result`` may end a call that stands at ``live_status``, or ended as ``ended``."""
    if ended is not None:
        return CompletionDecision.REPEATED if ended == result else CompletionDecision.ALREADY_ENDED
    if result.status in _ENDS[live_status]:
        return CompletionDecision.ACCEPTED
    return CompletionDecision.IMPOSSIBLE


def possible_ends(live_status: str) -> list[str]:
    """The normalized statuses that a call at ``live_status`` can still end with, sorted."""
    return sorted(_ENDS[live_status])
