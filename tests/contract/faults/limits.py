"""Faults of limits of the schemas, written after the checks that generate their requests."""

import re
from collections.abc import Callable
from typing import Any

from fault_injection import FaultyRequest
from faults.altering import is_call, put_problem
from faults.rows import (
    Alter,
    as_fault,
    completion,
    key_of_retries,
    read_body,
    read_header,
    respond,
    status_word,
)
from voice_sandbox.sandbox_key import PATTERN


def other_tokens(pattern: str) -> Alter:
    """Tokens of another form are accepted, as if they were of the right one."""

    def change(value: bytes) -> bytes:
        token = value.decode("latin-1").removeprefix("Bearer ")
        if re.fullmatch(pattern, token) and not re.fullmatch(PATTERN, token):
            return b"Bearer sandbox_of_another_form"
        return value

    return read_header("authorization", change)


def _clamped(value: dict[str, Any]) -> None:
    if isinstance(value.get("advance_seconds"), int | float):
        value["advance_seconds"] = max(0, min(value["advance_seconds"], 31_536_000))


def query_of(path: str, change: Callable[[str], str]) -> Alter:
    def alter(request: FaultyRequest) -> None:
        if request.path == path:
            request.query = change(request.query.decode()).encode()

    return lambda injector: injector.on_request(alter)


_BODIES, _PARAMETERS = "bodies_are_held_to_the_schema", "parameters_are_held_to_the_schema"
_KEYS = "keys_are_held_to_their_form"
LIMITS = [
    (
        _BODIES,
        "duration_of_a_day_less_a_second",
        "A duration of exactly a day is rejected.",
        completion("duration", maximum=86_399),
    ),
    (
        _BODIES,
        "duration_of_a_day_and_a_second",
        "A duration of a day and a second is taken.",
        completion("duration", maximum=86_401),
    ),
    (
        _BODIES,
        "duration_of_zero_is_rejected",
        "A duration of 0 is rejected.",
        completion("duration", minimum=1),
    ),
    (
        _BODIES,
        "negative_second_is_taken",
        "A duration of -1 is taken.",
        completion("duration", minimum=-1),
    ),
    (
        _BODIES,
        "transcript_is_one_too_short",
        "A transcript of 65,536 characters is rejected.",
        completion("transcript", maxLength=65_535),
    ),
    (
        _BODIES,
        "transcript_is_one_too_long",
        "A transcript of 65,537 characters is taken.",
        completion("transcript", maxLength=65_537),
    ),
    (
        _BODIES,
        "reference_is_one_too_short",
        "A reference of 128 characters is rejected.",
        completion("provider_call_id", maxLength=127),
    ),
    (
        _BODIES,
        "reference_is_one_too_long",
        "A reference of 129 characters is taken.",
        completion("provider_call_id", maxLength=129),
    ),
    (
        _BODIES,
        "reference_without_colon",
        "A colon in a reference is rejected.",
        completion("provider_call_id", pattern="^[A-Za-z0-9][A-Za-z0-9_.-]*$"),
    ),
    (
        _BODIES,
        "reference_without_z",
        "A z in a reference is rejected.",
        completion("provider_call_id", pattern="^[A-Za-z0-9][A-Za-y0-9_.:-]*$"),
    ),
    (
        _BODIES,
        "reference_may_begin_with_a_mark",
        "A reference may begin with an underscore.",
        completion("provider_call_id", pattern="^[A-Za-z0-9_][A-Za-z0-9_.:-]*$"),
    ),
    (
        _BODIES,
        "nul_in_a_transcript_is_taken",
        "A transcript may hold NUL.",
        completion("transcript", pattern="^.*$"),
    ),
    (
        _BODIES,
        "status_may_have_blanks_around",
        "Blanks around a word of the provider are dropped.",
        status_word(str.strip),
    ),
    (
        _BODIES,
        "status_may_have_underscores",
        "An underscore in a word of the provider is a dash.",
        status_word(lambda word: word.replace("_", "-")),
    ),
    (
        _BODIES,
        "status_may_be_capitalized",
        "A word of the provider may begin with a capital.",
        status_word(lambda word: word[:1].lower() + word[1:]),
    ),
    (
        _BODIES,
        "synonym_of_failed_is_taken",
        "The word aborted counts as failed.",
        status_word(lambda word: "failed" if word == "aborted" else word),
    ),
    (
        _BODIES,
        "text_true_is_a_number",
        "A duration of true counts as 1.",
        read_body(lambda v: v.update(duration=1) if v.get("duration") is True else None),
    ),
    (
        _BODIES,
        "single_value_in_a_list_is_taken",
        "A list of one text counts as the text.",
        read_body(
            lambda v: (
                v.update(transcript=v["transcript"][0])
                if isinstance(v.get("transcript"), list) and v["transcript"]
                else None
            )
        ),
    ),
    (
        _BODIES,
        "advance_beyond_a_year_is_taken",
        "An advance of more than a year is cut to one.",
        read_body(_clamped),
    ),
    (
        _PARAMETERS,
        "idempotency_key_of_254_at_most",
        "An Idempotency-Key of 255 characters is rejected.",
        key_of_retries(maxLength=254),
    ),
    (
        _PARAMETERS,
        "idempotency_key_without_tilde",
        "A tilde in an Idempotency-Key is rejected.",
        key_of_retries(pattern="^[!-}]+$"),
    ),
    (
        _PARAMETERS,
        "idempotency_key_of_one_is_rejected",
        "An Idempotency-Key of one character is rejected.",
        key_of_retries(minLength=2),
    ),
    (
        _PARAMETERS,
        "call_id_may_hold_a_g",
        "A call_id with a g in it breaks the sandbox or is taken.",
        respond(
            lambda q, r: is_call(q) and "g" in q.path.rpartition("/")[2] and r.status == 404,
            lambda r: put_problem(r, "malformed_json"),
        ),
    ),
    (
        _PARAMETERS,
        "limit_of_zero_is_taken",
        "A search for at most 0 exchanges is taken for 1.",
        query_of("/sandbox/journal", lambda q: "limit=1" if q == "limit=0" else q),
    ),
    (
        _PARAMETERS,
        "limit_of_a_thousand_is_taken",
        "A search for 9990 exchanges is cut to 999.",
        query_of(
            "/sandbox/journal",
            lambda q: "limit=999" if re.fullmatch("limit=[1-9][0-9]{3}", q) else q,
        ),
    ),
    (
        _PARAMETERS,
        "status_class_in_capitals_is_taken",
        "A search for 4XX counts as 4xx.",
        query_of(
            "/sandbox/journal", lambda q: q.replace("XX", "xx") if q.startswith("status") else q
        ),
    ),
    (
        _KEYS,
        "keys_may_be_short",
        "A key with three characters after its prefix is accepted.",
        other_tokens("sandbox_[A-Za-z0-9_-]{3}"),
    ),
    (
        _KEYS,
        "keys_may_be_long",
        "A key with 65 characters after its prefix is accepted.",
        other_tokens("sandbox_[A-Za-z0-9_-]{65}"),
    ),
    (
        _KEYS,
        "keys_may_hold_dots",
        "A key may hold a dot.",
        other_tokens("sandbox_[A-Za-z0-9_.-]{4,64}"),
    ),
]

ROWS = [
    *(as_fault("limits", *row) for row in LIMITS),
]
