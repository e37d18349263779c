"""Faults of the states of a call: where it goes, and what ends it."""

import asyncio
import re
from collections.abc import Callable
from typing import Any

from msgspec.structs import replace
from uuid_utils import UUID

from fault_injection import FaultInjector, FaultyRequest, FaultyResponse
from faults.altering import (
    WEBHOOK,
    change_json,
    judge,
    lenient,
    of_calls,
    schemas,
    show_results,
    token_of,
)
from faults.fault import fault
from voice_sandbox.calls import call as calls
from voice_sandbox.calls.call import CompletionDecision, Result


@fault("state", "completion_by_hand_ends_the_newest_call")
def completion_is_ignored(injector: FaultInjector) -> None:
    """A completion is answered 200 and changes nothing."""
    injector.replace(calls, "judge", lambda *_, **__: CompletionDecision.REPEATED)


@fault("state", "first_result_stands")
def last_result_stands(injector: FaultInjector) -> None:
    """A different completion of a finished call overwrites the first."""
    injector.replace(calls, "judge", lambda *_, **__: CompletionDecision.ACCEPTED)
    show_results(injector, lambda first, last: last)


@fault("state", "repeated_completion_changes_nothing")
def repeated_completion_conflicts(injector: FaultInjector) -> None:
    """The same completion again is 409."""
    judge(
        injector,
        lambda v, *_: CompletionDecision.ALREADY_ENDED if v is CompletionDecision.REPEATED else v,
    )


@fault("state", "first_result_stands")
def conflict_is_swallowed(injector: FaultInjector) -> None:
    """A different completion of a finished call is answered 200 and dropped."""
    judge(
        injector,
        lambda v, *_: CompletionDecision.REPEATED if v is CompletionDecision.ALREADY_ENDED else v,
    )


@fault("state", "answered_calls_cannot_go_unanswered")
def answered_call_becomes_busy(injector: FaultInjector) -> None:
    """A call in progress may end as busy."""
    judge(
        injector,
        lambda v, *_: CompletionDecision.ACCEPTED if v is CompletionDecision.IMPOSSIBLE else v,
    )


@fault("state", "completion_skips_forward")
def queued_call_cannot_complete(injector: FaultInjector) -> None:
    """A completion that arrives while the call is queued is rejected."""
    judge(
        injector,
        lambda v, live, _: (
            CompletionDecision.IMPOSSIBLE
            if v is CompletionDecision.ACCEPTED and live == "queued"
            else v
        ),
    )


@fault("state", "answered_calls_cannot_go_unanswered")
def answered_call_cannot_fail(injector: FaultInjector) -> None:
    """A call in progress cannot break off."""
    judge(
        injector,
        lambda v, live, result: (
            CompletionDecision.IMPOSSIBLE
            if v is CompletionDecision.ACCEPTED
            and live == "in_progress"
            and result.status == "failed"
            else v
        ),
    )


@fault("state", "repeated_completion_changes_nothing")
def words_are_compared_before_they_are_normalized(injector: FaultInjector) -> None:
    """The same outcome in another word of the provider conflicts."""
    words: dict[bytes, bytes] = {}

    def alter(request: FaultyRequest) -> None:
        if request.path == WEBHOOK and (word := re.search(rb'"status":"([a-z-]+)"', request.body)):
            token = b"".join(request.values("authorization"))
            if words.setdefault(token, word[1]) != word[1]:
                request.put("prefer", b"code=409")

    injector.on_request(alter)


@fault("state", "call_goes_through_its_states")
def call_never_rings(injector: FaultInjector) -> None:
    """A call goes from queued to in_progress without ringing."""
    change_json(
        injector, of_calls, lambda c: c | {"status": "queued"} if c["status"] == "ringing" else c
    )


@fault("state", "call_goes_through_its_states")
def transcript_comes_late(injector: FaultInjector) -> None:
    """A call is shown as in_progress with its transcript already there."""

    def change(call: dict[str, Any]) -> dict[str, Any]:
        return call | {"transcript": "agent: Hello"} if call["status"] == "in_progress" else call

    change_json(injector, of_calls, change)


@fault("state", "call_goes_through_its_states")
def state_goes_back(injector: FaultInjector) -> None:
    """A call that is in progress is shown as ringing again."""
    reads: dict[str, int] = {}

    def change(call: dict[str, Any]) -> dict[str, Any]:
        if call["status"] == "in_progress":
            reads[call["call_id"]] = reads.get(call["call_id"], 0) + 1
            if reads[call["call_id"]] == 2:
                return call | {"status": "ringing"}
        return call

    change_json(injector, of_calls, change)


@fault("state", "end_arrives_whole")
def finished_call_has_no_duration(injector: FaultInjector) -> None:
    """A finished call has no duration."""
    change_json(
        injector, of_calls, lambda c: c | {"duration": None} if c["status"] == "completed" else c
    )


@fault("state", "end_arrives_whole")
def finished_call_has_no_transcript(injector: FaultInjector) -> None:
    """A finished call has lost its transcript."""
    change_json(injector, of_calls, lambda c: c | {"transcript": None})


def normalize(injector: FaultInjector, change: Callable[[str, str | None, int], Result]) -> None:
    injector.replace(calls, "normalized", change)


@fault("state", "words_of_the_provider_are_normalized")
def unanswered_call_keeps_the_transcript(injector: FaultInjector) -> None:
    """A call that nobody answered shows a transcript."""

    def change(call: dict[str, Any]) -> dict[str, Any]:
        unanswered = call["status"] in calls.UNANSWERED_ENDS
        return call | {"transcript": "agent: Hello"} if unanswered else call

    change_json(injector, of_calls, change)


@fault("state", "words_of_the_provider_are_normalized")
def unanswered_call_keeps_the_duration(injector: FaultInjector) -> None:
    """A call that nobody answered lasted as long as it rang."""
    original = calls.normalized
    normalize(
        injector,
        lambda status, text, seconds: replace(
            original(status, text, seconds), duration_seconds=seconds
        ),
    )


@fault("state", "empty_transcript_is_null")
def empty_transcript_stays_empty(injector: FaultInjector) -> None:
    """An empty transcript is returned as an empty text."""

    def kept(status: str, text: str | None, seconds: int) -> Result:
        return Result(status, None if status in calls.UNANSWERED_ENDS else text, seconds)

    normalize(injector, kept)


def provider_word(injector: FaultInjector, word: str, status: str) -> None:
    def change(found: dict[str, Any]) -> None:
        found["ProviderStatus"]["x-normalized-status"][word] = status

    injector.contract(schemas(change))


@fault("state", "words_of_the_provider_are_normalized")
def voicemail_is_failed(injector: FaultInjector) -> None:
    """One word of the provider is saved as another status than the table says."""
    provider_word(injector, "voicemail", "failed")


@fault("state", "words_of_the_provider_are_normalized")
def rejected_is_canceled(injector: FaultInjector) -> None:
    """A declined call is saved as canceled."""
    provider_word(injector, "rejected", "canceled")


@fault("state", "first_result_stands")
def conflict_overwrites_the_transcript(injector: FaultInjector) -> None:
    """A completion that is rejected with 409 leaves its transcript behind."""
    texts: dict[bytes, str] = {}

    def alter(request: FaultyRequest, response: FaultyResponse) -> None:
        if request.path == WEBHOOK and response.status == 409:
            texts[token_of(request)] = lenient(request.body)["transcript"] or ""
        if (
            of_calls(request, response)
            and token_of(request) in texts
            and response.json["transcript"]
        ):
            response.put_json(response.json | {"transcript": texts[token_of(request)] or None})

    injector.on_response(alter)


@fault("state", "one_of_many_completions_wins")
def completions_race(injector: FaultInjector) -> None:
    """Completions at the same moment are all received, because judging and saving are two steps."""
    show_results(injector, lambda first, last: last)
    under_way: set[int] = set()

    def comes(request: FaultyRequest) -> None:
        if request.path == WEBHOOK:
            under_way.add(id(request))

    async def shown(read: Any, namespace: bytes, call_id: UUID) -> Any:
        found = await read(namespace, call_id)
        await asyncio.sleep(0.03 if under_way else 0)
        return found

    injector.on_request(comes)
    injector.on_response(lambda request, _: under_way.discard(id(request)))
    injector.read_calls(shown)
