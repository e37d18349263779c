"""Sends a response as an armed fault wants it: late, byte by byte, cut off, or not at all.

Our own server lends its connection for that, through an ASGI extension. Under another server, and
in tests without one, an exception ends the response as roughly as that server knows how to.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from starlette.types import Receive, Scope, Send

from voice_sandbox import clock
from voice_sandbox.contract.faults import SLOW_BODY_SECONDS
from voice_sandbox.http.armed_faults import Fault
from voice_sandbox.http.exchange import HeaderList

CONNECTION_EXTENSION: Final = "voice.connection"
"""The ASGI extension in which the server lends its connection.

Its value is ``{"reset": …, "close": …}``, two functions without arguments. What was sent before is
lost by the first, and arrives before the end by the second.
"""
_DRIPS: Final = 20
"""In so many pieces a slow body arrives, or byte by byte where it has fewer."""


async def send_with_fault(
    fault: Fault,
    start: dict[str, Any],
    payload: bytes,
    *,
    scope: Scope,
    receive: Receive,
    send: Send,
) -> None:
    """Sends one response. Raises: `ConnectionResetError` where no connection is lent."""
    match fault.kind:
        case "reset" | "lost_response":
            await _reset(start, scope, send)
        case "truncated":
            await send(start)
            half = payload[: len(payload) // 2]
            await send({"type": "http.response.body", "body": half, "more_body": True})
            _end(scope, "close")
        case "slow_body":
            await send(start)
            await _drip(payload, fault.seconds or SLOW_BODY_SECONDS, receive, send)
        case "late_response":
            await has_gone_within(fault.seconds or 0.0, receive)
            await send(start)
            await send({"type": "http.response.body", "body": payload})
        case _:
            await send(start)
            await send({"type": "http.response.body", "body": payload})


async def has_gone_within(seconds: float, receive: Receive) -> bool:
    """Waits so long, or until the client has gone; says whether it has."""

    async def gone() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    until = clock.monotonic() + seconds
    waiting = asyncio.ensure_future(gone())
    try:
        # uvloop counts whole milliseconds from the start of its turn, and so may wake up early.
        while not waiting.done() and (left := until - clock.monotonic()) > 0:
            await asyncio.wait([waiting], timeout=left)
        return waiting.done()
    finally:
        waiting.cancel()


async def _reset(start: dict[str, Any], scope: Scope, send: Send) -> None:
    if CONNECTION_EXTENSION not in scope.get("extensions", {}):
        # A response that has begun is not replaced by a page about an error.
        headers: HeaderList = [(b"content-length", b"1")]
        await send(
            {"type": "http.response.start", "status": start["status"] or 502, "headers": headers}
        )
    _end(scope, "reset")


def _end(scope: Scope, how: str) -> None:
    connection = scope.get("extensions", {}).get(CONNECTION_EXTENSION)
    if connection is None:
        raise ConnectionResetError("an armed fault ended the connection")
    connection[how]()


async def _drip(payload: bytes, seconds: float, receive: Receive, send: Send) -> None:
    size = -(-len(payload) // _DRIPS) or 1
    pieces = [payload[at : at + size] for at in range(0, len(payload), size)]
    for piece in pieces:
        if await has_gone_within(seconds / len(pieces), receive):
            return
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
