"""Faults of `Idempotency-Key` as a relation, written after the checks."""

import re
from urllib.parse import unquote

from fault_injection import FaultInjector, FaultyRequest
from faults.altering import token_of
from faults.rows import (
    AGENT,
    as_fault,
    kept_key,
    retried,
)

_ANY_TWO, _WRITING = "any_two_idempotency_keys_are_two", "any_writing_of_a_body_is_replayed"


def spaces_matter(injector: FaultInjector) -> None:
    """A retry that is written otherwise gets a key of its own."""
    known: dict[tuple[bytes, ...], bytes] = {}

    def alter(request: FaultyRequest) -> None:
        for key in request.values("idempotency-key"):
            first = known.setdefault((token_of(request), key), request.body)
            if len(first) != len(request.body):
                request.put("idempotency-key", key[:200] + b"-other")

    injector.on_request(alter)


RETRIES = [
    (
        _ANY_TWO,
        "keys_are_unquoted",
        "Percent escapes in an Idempotency-Key are decoded.",
        kept_key(unquote),
    ),
    (
        _ANY_TWO,
        "keys_lose_their_quotes",
        "Quotes around an Idempotency-Key are dropped.",
        kept_key(lambda k: k.strip("\"'") or k),
    ),
    (
        _ANY_TWO,
        "keys_are_numbers_where_they_can",
        "An Idempotency-Key that is a number is compared as one.",
        kept_key(lambda k: str(int(k)) if re.fullmatch("[+]?[0-9]+", k) else k),
    ),
    (
        _ANY_TWO,
        "keys_are_cut_at_64",
        "Of an Idempotency-Key 64 characters count.",
        kept_key(lambda k: k[:64]),
    ),
    (
        _ANY_TWO,
        "keys_are_cut_at_254",
        "Of an Idempotency-Key 254 characters count.",
        kept_key(lambda k: k[:254]),
    ),
    (
        _ANY_TWO,
        "keys_are_read_from_their_end",
        "Of an Idempotency-Key the last 128 characters count.",
        kept_key(lambda k: k[-128:]),
    ),
    (
        _ANY_TWO,
        "padding_of_keys_is_dropped",
        "Equals signs after an Idempotency-Key are dropped.",
        kept_key(lambda k: k.rstrip("=") or k),
    ),
    (
        _ANY_TWO,
        "dashes_of_keys_are_dropped",
        "Dashes in an Idempotency-Key are dropped.",
        kept_key(lambda k: k.replace("-", "") or k),
    ),
    (
        _ANY_TWO,
        "keys_end_at_a_comma",
        "What follows a comma in an Idempotency-Key is dropped.",
        kept_key(lambda k: k.partition(",")[0] or k),
    ),
    (
        _ANY_TWO,
        "keys_end_at_a_semicolon",
        "What follows a semicolon in an Idempotency-Key is dropped.",
        kept_key(lambda k: k.partition(";")[0] or k),
    ),
    (
        _ANY_TWO,
        "uuids_are_one_in_any_case",
        "A UUID as Idempotency-Key is compared without case.",
        kept_key(lambda k: k.lower() if re.fullmatch("[0-9A-Fa-f-]{36}", k) else k),
    ),
    (
        _WRITING,
        "spaces_make_another_body",
        "A retry with other white space is another request.",
        spaces_matter,
    ),
    (
        _WRITING,
        "replay_loses_its_location",
        "A replay has no Location.",
        retried(lambda r: r.put("location", b"/v1/calls/01890a5d-ac96-774b-bcce-b302099a8057")),
    ),
    (
        _WRITING,
        "replay_may_be_cached",
        "A replay may be cached.",
        retried(lambda r: r.put("cache-control", b"max-age=60")),
    ),
    (
        "any_other_value_is_a_conflict",
        "digits_of_a_number_hardly_count",
        "A retry with another last digit of the number is the same request.",
        lambda i: i.on_request(
            lambda q: (
                setattr(q, "body", re.sub(rb'("phone": ?"\+[0-9]+)[0-9]"', rb'\g<1>0"', q.body))
                if q.values("idempotency-key")
                else None
            )
        ),
    ),
    (
        "any_other_value_is_a_conflict",
        "agents_do_not_count",
        "A retry with another agent is the same request.",
        lambda i: i.on_request(
            lambda q: (
                setattr(
                    q, "body", re.sub(rb'"agent": ?"[^"]*"', f'"agent":"{AGENT}"'.encode(), q.body)
                )
                if q.values("idempotency-key")
                else None
            )
        ),
    ),
]

ROWS = [
    *(as_fault("idempotency", *row) for row in RETRIES),
]
