"""A call's states: which ends are possible from where, and what is saved."""

import pytest

from voice_sandbox.calls.call import (
    ANSWERED_ENDS,
    UNANSWERED_ENDS,
    CompletionDecision,
    Result,
    judge,
    normalized,
    possible_ends,
)
from voice_sandbox.contract.model import Contract

LIVE = ["queued", "ringing", "in_progress"]
ENDS = ["completed", "failed", "no_answer", "busy", "canceled"]
TABLE = {
    **{(live, end): True for live in ("queued", "ringing") for end in ENDS},
    ("in_progress", "completed"): True,
    ("in_progress", "failed"): True,
    ("in_progress", "no_answer"): False,
    ("in_progress", "busy"): False,
    ("in_progress", "canceled"): False,
}


def result_of(status: str) -> Result:
    return normalized(status, "agent: Hello", 5)


@pytest.mark.parametrize(("live", "end"), TABLE, ids="-".join)
def test_transition(live: str, end: str) -> None:
    """A completion may skip forward, and a call that was answered stays answered."""
    verdict = judge(result_of(end), live_status=live, ended=None)
    assert verdict is (
        CompletionDecision.ACCEPTED if TABLE[live, end] else CompletionDecision.IMPOSSIBLE
    )


@pytest.mark.parametrize("live", LIVE)
def test_possible_ends_are_the_accepted_ones(live: str) -> None:
    """What a rejection names as possible is what would be accepted."""
    assert possible_ends(live) == sorted(end for end in ENDS if TABLE[live, end])


@pytest.mark.parametrize("first", ENDS)
@pytest.mark.parametrize("second", ENDS)
@pytest.mark.parametrize("live", LIVE)
def test_ends_absorb(first: str, second: str, live: str) -> None:
    """A call that is over takes its own result again, and no other one."""
    verdict = judge(result_of(second), live_status=live, ended=result_of(first))
    assert verdict is (
        CompletionDecision.REPEATED if first == second else CompletionDecision.ALREADY_ENDED
    )


@pytest.mark.parametrize(
    "other",
    [
        Result("completed", "agent: Hello", 6),
        Result("completed", "agent: Hello!", 5),
        Result("completed", None, 5),
        Result("failed", "agent: Hello", 5),
    ],
)
def test_every_part_of_a_result_counts(other: Result) -> None:
    """A completion that differs in any field is another one."""
    verdict = judge(other, live_status="in_progress", ended=Result("completed", "agent: Hello", 5))
    assert verdict is CompletionDecision.ALREADY_ENDED


@pytest.mark.parametrize("status", sorted(UNANSWERED_ENDS))
def test_nobody_speaks_on_an_unanswered_call(status: str) -> None:
    """What the provider says of talk and time is dropped where nobody answered."""
    assert normalized(status, "agent: Hello", 42) == Result(status, None, 0)


@pytest.mark.parametrize("status", sorted(ANSWERED_ENDS))
def test_answered_call_keeps_what_was_said(status: str) -> None:
    """Transcript and duration of an answered call are saved as they came."""
    assert normalized(status, "agent: Hello", 42) == Result(status, "agent: Hello", 42)


@pytest.mark.parametrize("transcript", ["", None])
def test_empty_transcript_is_null(transcript: str | None) -> None:
    """There is one way to say that nobody spoke."""
    assert normalized("completed", transcript, 42) == Result("completed", None, 42)


def test_every_status_of_the_contract_has_its_place(contract: Contract) -> None:
    """The states of this room are exactly those of the contract."""
    assert sorted(LIVE + ENDS) == sorted(contract.schema("CallStatus")["enum"])


def test_every_word_of_the_provider_ends_a_call(contract: Contract) -> None:
    """No word of the table leads to a state that is not an end."""
    table = contract.schema("ProviderStatus")["x-normalized-status"]
    assert set(table.values()) == set(ENDS)
