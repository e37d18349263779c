"""Faults of the order of rejection, written after the checks that generate their requests."""

from fault_injection import FaultyResponse
from faults.altering import CALLS, WEBHOOK, is_call, put_problem
from faults.rows import (
    REJECTING,
    as_fault,
    has_header,
    has_surplus,
    instead,
    is_broken,
    is_large,
    is_plain,
    respond,
)


def _as_media_type(response: FaultyResponse) -> None:
    put_problem(response, "unsupported_media_type")
    response.put("retry-after", None)


_ORDER = "each_stage_comes_before_the_next"
ORDER = [
    (
        _ORDER,
        "size_comes_before_the_type",
        "A body that is too large is 413 whatever its type.",
        instead("unsupported_media_type", "body_too_large", is_large),
    ),
    (
        _ORDER,
        "json_comes_before_the_type",
        "A body that is no JSON is 400 whatever its type.",
        instead("unsupported_media_type", "malformed_json", is_broken),
    ),
    (
        _ORDER,
        "fields_come_before_the_type",
        "A wrong field is 422 whatever the type.",
        instead("unsupported_media_type", "validation_failed", has_surplus),
    ),
    (
        _ORDER,
        "json_comes_before_the_size",
        "A body that is no JSON is 400 however large it is.",
        instead("body_too_large", "malformed_json", lambda q: q.body.rstrip().endswith(b",}")),
    ),
    (
        _ORDER,
        "type_comes_before_the_token",
        "A wrong type is 415 without a token too.",
        instead("missing_token", "unsupported_media_type", is_plain),
    ),
    (
        _ORDER,
        "type_comes_before_a_wrong_token",
        "A wrong type is 415 with a wrong token too.",
        instead("invalid_token", "unsupported_media_type", is_plain),
    ),
    (
        _ORDER,
        "json_comes_before_the_idempotency_key",
        "A body that is no JSON is 400 malformed_json whatever the Idempotency-Key.",
        instead("invalid_idempotency_key", "malformed_json", is_broken),
    ),
    (
        _ORDER,
        "fields_come_before_the_idempotency_key",
        "A wrong field is 422 whatever the Idempotency-Key.",
        instead("invalid_idempotency_key", "validation_failed", has_surplus),
    ),
    (
        _ORDER,
        "number_comes_before_the_conflict",
        "A number that rejects calls is 503 although the key conflicts.",
        instead(
            "idempotency_conflict",
            "provider_unavailable",
            lambda q: any(number in q.body for number in REJECTING),
        ),
    ),
    (
        _ORDER,
        "token_comes_before_the_path",
        "A wrong path is 401 without a token.",
        instead("not_found", "missing_token", lambda q: not q.values("authorization")),
    ),
    (
        _ORDER,
        "token_comes_before_the_method",
        "A wrong method is 401 without a token.",
        instead("method_not_allowed", "missing_token", lambda q: not q.values("authorization")),
    ),
    (
        _ORDER,
        "call_comes_before_the_token",
        "An unknown call is 404 without a token too.",
        instead("missing_token", "call_not_found", is_call),
    ),
    (
        _ORDER,
        "reference_comes_before_the_fields",
        "A completion of no call is 404 although a field is wrong.",
        instead(
            "validation_failed",
            "call_not_found",
            lambda q: q.path == WEBHOOK and has_surplus(q) and b"of-no-call" in q.body,
        ),
    ),
    (
        _ORDER,
        "end_of_no_call_comes_before_its_json",
        "An end of an unknown call is 404 although its body is no JSON.",
        instead("malformed_json", "call_not_found", lambda q: q.path.endswith("/end")),
    ),
    (
        "preferences_come_after_the_token",
        "preference_comes_before_the_token",
        "A preferred 503 is given without a token.",
        instead("missing_token", "provider_unavailable", has_header("prefer")),
    ),
    (
        "preferences_come_after_the_token",
        "preference_comes_after_the_type",
        "A wrong type is 415 although another response is preferred.",
        respond(
            lambda q, r: r.values("preference-applied") and is_plain(q) and q.path == CALLS,
            _as_media_type,
        ),
    ),
]

ROWS = [
    *(as_fault("order", *row) for row in ORDER),
]
