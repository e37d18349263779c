"""The columns of a call: the only list of them in Python and SQL, for both stores.

A new optional field of a request needs its column here and in a migration of each engine, and a
field of the same name in `Call`. Statements take the columns from here as ``{request_columns}``
and the like, and rows are decoded by column name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from uuid_utils import UUID

from voice_sandbox.calls.call import Call, Result

REQUEST_COLUMNS: Final[Mapping[str, str]] = {
    "phone": "text",
    "agent": "text",
    "scenario": "text",
    "created_at": "double precision",
    "requested_by": "text",
    "outcome": "text",
}
"""What a call is created with, each with its type in PostgreSQL. `Call` has the same names."""

_RESULT_COLUMNS: Final = (
    "status",
    "transcript",
    "duration_seconds",
    "ended_at",
    "completed_by",
    "delivery_statuses",
)

CLOCK_COLUMNS: Final = ("anchor_wall", "anchor", "rate", "mode", "has_faults", "has_numbers")
"""What each request reads of its namespace, in the order of the fields of `VirtualClock`."""


def _wake_at(due_at: str) -> str:
    """The wall time at which a clock shows an instant; while the wall does not move it, never."""
    # The engines have no way in common to write infinity.
    never = f"{due_at} + 1e300"
    return f"CASE mode WHEN 'wall' THEN anchor_wall + ({due_at} - anchor) / rate ELSE {never} END"


FRAGMENTS: Final[Mapping[str, str]] = {
    "clock_columns": ", ".join(f"namespaces.{column}" for column in CLOCK_COLUMNS),
    "wake_at": _wake_at("due_at"),
    "wake_at_of_placed": _wake_at("placed.due_at"),
    "wake_at_of_value": _wake_at(":due_at"),
    "may_strike": "(times IS NULL OR met < skip + times)",
    "call_columns": ", ".join(
        f"calls.{column}" for column in ("call_id", *REQUEST_COLUMNS, *_RESULT_COLUMNS)
    ),
    "request_columns": ", ".join(REQUEST_COLUMNS),
    "request_values": ", ".join(f":{column}" for column in REQUEST_COLUMNS),
    "generation": "(SELECT generation FROM namespaces WHERE namespace = :namespace)",
    "request_arrays": ", ".join(f":{column}::{kind}[]" for column, kind in REQUEST_COLUMNS.items()),
}
"""What stands for each ``{name}`` in a statement."""


def request_values(call: Call) -> dict[str, Any]:
    """The values of the columns that a call is created with."""
    return {column: getattr(call, column) for column in REQUEST_COLUMNS}


def sample_values(call: Call) -> dict[str, Any]:
    """The values of a call that is stored with its result."""
    result = call.result
    return {
        **request_values(call),
        "status": result and result.status,
        "transcript": result and result.transcript,
        "duration_seconds": result and result.duration_seconds,
        "ended_at": call.ended_at,
    }


def decode_call(
    row: Mapping[str, Any], *, call_id: UUID, delivery_statuses: tuple[int, ...]
) -> Call:
    """The call of a row. The two values that differ between engines are decoded by the caller."""
    status = row["status"]
    return Call(
        call_id=call_id,
        result=None
        if status is None
        else Result(status, row["transcript"], row["duration_seconds"]),
        ended_at=row["ended_at"],
        completed_by=row["completed_by"],
        delivery_statuses=delivery_statuses,
        **{column: row[column] for column in REQUEST_COLUMNS},
    )
