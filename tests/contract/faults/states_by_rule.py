"""Faults of states and words, written after the checks that generate their requests."""

from fault_injection import FaultInjector, FaultyRequest, FaultyResponse
from faults.altering import WEBHOOK, is_call, lenient, put_problem, token_of
from faults.rows import (
    as_fault,
    code_of,
    instead,
    overlooked,
    respond,
    says,
    status_word,
)

_RULES, _AGAIN = "every_word_ends_every_state_as_the_rules_say", "every_repetition_is_told_apart"
STATES = [
    (
        _RULES,
        "error_is_read_as_busy",
        "The word error counts as busy.",
        status_word(lambda w: "busy" if w == "error" else w),
    ),
    (
        _RULES,
        "voicemail_is_unanswered",
        "The word voicemail counts as no-answer.",
        status_word(lambda w: "no-answer" if w == "voicemail" else w),
    ),
    (
        _RULES,
        "timeout_after_an_answer_is_taken",
        "A timeout of an answered call is answered 200.",
        overlooked("impossible_outcome", says(b'"timeout"')),
    ),
    (
        _RULES,
        "order_ends_what_it_cannot",
        "An impossible end on demand is another problem.",
        respond(
            lambda q, r: q.path.endswith("/end") and code_of(r) == "impossible_outcome",
            lambda r: put_problem(r, "call_already_ended"),
        ),
    ),
    (
        _RULES,
        "impossible_is_a_conflict_of_results",
        "An impossible outcome is reported as a call that has ended.",
        instead("impossible_outcome", "call_already_ended", lambda q: q.path == WEBHOOK),
    ),
    (
        _AGAIN,
        "other_duration_is_the_same",
        "A result with a duration of 8 in the place of 7 counts as the same.",
        overlooked("call_already_ended", says(b'"duration":8')),
    ),
    (
        _AGAIN,
        "no_text_is_the_same",
        "A result without transcript counts as the same.",
        overlooked("call_already_ended", says(b'"transcript":null')),
    ),
    (
        _AGAIN,
        "failed_is_the_same_as_completed",
        "A failed result counts as the same as a completed one.",
        overlooked("call_already_ended", says(b'"failed"')),
    ),
    (
        _AGAIN,
        "synonym_is_a_conflict",
        "The same result in another word of the provider is a conflict.",
        respond(
            lambda q, r: (
                q.path == WEBHOOK
                and r.status == 200
                and says(b'"cancelled"')(q)
                and not says(b'"alias"')(q)
                and q.body.count(b"Hi") == 1
                and _seen_twice(q)
            ),
            lambda r: put_problem(r, "call_already_ended"),
        ),
    ),
    (
        _AGAIN,
        "trailing_blank_is_the_same",
        "A transcript with a blank after it counts as the same.",
        overlooked("call_already_ended", says(b'Hi"')),
    ),
    (
        "finished_calls_outlive_every_jump",
        "old_calls_fail",
        "A call that ended a week ago is shown as failed.",
        lambda i: _old_calls(i, 7),
    ),
    (
        "finished_calls_outlive_every_jump",
        "old_texts_go",
        "The transcript of a call is gone after a year.",
        lambda i: _old_calls(i, 300),
    ),
    (
        "every_scenario_follows_its_times",
        "ringing_is_skipped",
        "A call that rings is shown as queued.",
        respond(
            lambda q, r: is_call(q) and b'"ringing"' in r.body,
            lambda r: setattr(r, "body", r.body.replace(b'"ringing"', b'"queued"')),
        ),
    ),
]

_TIMES: dict[bytes, int] = {}


def _seen_twice(request: FaultyRequest) -> bool:
    key = token_of(request) + request.body
    _TIMES[key] = _TIMES.get(key, 0) + 1
    return _TIMES[key] > 1


def _old_calls(injector: FaultInjector, days: int) -> None:
    """After so many days were advanced at once, finished calls are shown otherwise."""
    old: set[bytes] = set()

    def remember(request: FaultyRequest) -> None:
        value = lenient(request.body)
        if request.path == "/sandbox/clock" and isinstance(value, dict):
            seconds = value.get("advance_seconds", 0)
            if isinstance(seconds, int | float) and seconds >= days * 86_400:
                old.add(token_of(request))

    def alter(request: FaultyRequest, response: FaultyResponse) -> None:
        if is_call(request) and response.status == 200 and token_of(request) in old:
            call = response.json
            if call["status"] == "completed":
                response.put_json({**call, "status": "failed", "transcript": None})

    injector.on_request(remember)
    injector.on_response(alter)


ROWS = [
    *(as_fault("state", *row) for row in STATES),
]
