"""What one deployment bears: every limit with its default, which suits one machine and one team.

Each field is an option of ``voice-sandbox serve``, made from `HELP` below, so none is typed twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from voice_sandbox.contract.model import Contract


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """``None`` is no limit, or the contract's own."""

    max_body: int | None = None
    """Bytes of a body."""
    max_head: int = 32 * 1024
    """Bytes of a request line with its headers."""
    max_connections: int = 1000
    max_rate: float | None = None
    """Requests a second and key."""
    max_calls: int | None = None
    """Calls a key may hold."""
    max_journal: int = 1000
    """Exchanges of a key that the journal keeps."""
    max_streams: int = 10
    """Live streams of a key at a time."""
    max_idle_hours: float = 24.0
    request_seconds: float = 30.0
    """Within which a request has arrived as a whole."""
    keep_alive_seconds: float = 75.0
    """For which a connection may wait for its next request."""
    stall_seconds: float = 30.0
    """For which a reader may take nothing of an answer."""


HELP: Final[Mapping[str, str]] = {
    "max_body": "Bytes of a body at most, where the contract allows more. "
    "A larger one is rejected with 413.",
    "max_head": "Bytes of a request line with all headers at most. A larger one is rejected with "
    "431.",
    "max_connections": "Connections that one worker serves at a time. A further one takes the "
    "place of an idle one; if none is idle it gets 429 and is closed.",
    "max_rate": "Requests that one key may send to one worker in a second. Further ones are "
    "rejected with 429 and Retry-After. To read the journal counts as one more request for every 5 "
    "exchanges in it.",
    "max_calls": "Calls that one key may hold. Further ones are rejected with 429 until the "
    "namespace is emptied.",
    "max_journal": "Exchanges that the journal keeps of one key.",
    "max_streams": "Live streams of the journal that one key may follow at a time in one worker. "
    "A further one is rejected with 429 and Retry-After.",
    "max_idle_hours": "Hours without a request after which a namespace is removed.",
    "request_seconds": "Seconds within which a request must have arrived with its body. "
    "A slower one is rejected with 408.",
    "keep_alive_seconds": "Seconds for which a connection may wait for its next request. "
    "Choose more than your proxy does.",
    "stall_seconds": "Seconds after which a client that takes nothing of its response is cut off.",
}
"""The help of each option."""


def within(contract: Contract, limits: Limits) -> Contract:
    """The contract, with no body larger than the limit."""
    limit = limits.max_body
    if limit is None:
        return contract
    replace = msgspec.structs.replace
    operations = {
        operation_id: operation
        if operation.body is None
        else replace(
            operation,
            body=replace(operation.body, max_bytes=min(operation.body.max_bytes, limit)),
        )
        for operation_id, operation in contract.operations.items()
    }
    return replace(contract, operations=operations)
