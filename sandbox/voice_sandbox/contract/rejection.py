"""The stages at which a request is rejected, in their order: the first that fails decides.

Owns the order alone. The pipeline and the handlers keep it, the contract checks hold every pair of
stages against it, and the Errors page prints it.
"""

from __future__ import annotations

from typing import Final

import msgspec


class Stage(msgspec.Struct, frozen=True):
    """One stage: what is judged there, and the problem codes that it rejects with."""

    name: str
    judges: str
    """What must hold, as one sentence for the Errors page."""
    codes: tuple[str, ...]


# An id of a wrong form names nothing, as one of the right form may.
_NOT_FOUND: Final = ("call_not_found", "exchange_not_found", "fault_not_found")

STAGES: Final = (
    Stage("path", "The contract has an operation at this path.", ("not_found",)),
    Stage("method", "The path takes this method.", ("method_not_allowed",)),
    Stage(
        "token",
        "The request carries one token, and this deployment accepts it.",
        ("missing_token", "invalid_token"),
    ),
    Stage("rate", "The key stays below its rate of requests.", ("rate_limited",)),
    Stage(
        "media type",
        "The body is sent as `application/json` in UTF-8, and is not compressed.",
        ("unsupported_media_type",),
    ),
    Stage("size", "The body is not larger than the operation takes.", ("body_too_large",)),
    Stage(
        "parameters",
        "The parameters in path, query and headers have the right form.",
        (*_NOT_FOUND, "invalid_parameter", "invalid_idempotency_key", "validation_failed"),
    ),
    Stage("JSON", "The body is strict JSON.", ("malformed_json",)),
    Stage("fields", "The body fits the schema.", ("validation_failed",)),
    Stage(
        "idempotency",
        "The `Idempotency-Key` was not used with another body.",
        ("idempotency_conflict",),
    ),
    Stage(
        "number",
        "A call to this number can be placed now.",
        ("rate_limited", "provider_unavailable"),
    ),
    Stage(
        "reference",
        "What the request names exists under this key.",
        _NOT_FOUND,
    ),
    Stage(
        "outcome",
        "The call can end this way.",
        ("call_already_ended", "impossible_outcome"),
    ),
)
ANYTIME: Final = ("internal_error", "storage_unavailable")
"""What a deployment may respond with at any stage, since nothing is wrong with the request."""


def stage(name: str) -> Stage:
    """The stage of that name. Raises: `KeyError`."""
    return {one.name: one for one in STAGES}[name]
