"""Says to whoever runs the sandbox whether it lives, and whether it is ready to serve.

No token, and nothing but the status: a load balancer asks every few seconds. A deployment that is
not ready still lives, so that what only waits for its database is not restarted.
"""

from __future__ import annotations

import asyncio
from typing import Final

import orjson
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from voice_sandbox.http.routing import route_path
from voice_sandbox.store.protocol import StorageUnavailable, Store

LIVE: Final = "/healthz"
READY: Final = "/readyz"
_PATIENCE_SECONDS: Final = 2.0


class Health:
    """Answers GET and HEAD of both paths; every other method goes on to ``fallback``."""

    def __init__(self, store: Store, *, fallback: ASGIApp) -> None:
        self._store = store
        self._fallback = fallback
        self._is_leaving = False

    def routes(self) -> list[BaseRoute]:
        """One route for each path, for any method."""
        return [Route(LIVE, self, name="live"), Route(READY, self, name="ready")]

    def leave(self) -> None:
        """Is not ready any more, from now on."""
        self._is_leaving = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in ("GET", "HEAD"):
            await self._fallback(scope, receive, send)
            return
        why_not = None if route_path(scope) == LIVE else await self._why_not_ready()
        body = orjson.dumps(
            {"status": "ok"} if why_not is None else {"status": "unavailable", "detail": why_not}
        )
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
        ]
        status = 200 if why_not is None else 503
        await send({"type": "http.response.start", "status": status, "headers": headers})
        with_body = scope["method"] == "GET"
        await send({"type": "http.response.body", "body": body if with_body else b""})

    async def _why_not_ready(self) -> str | None:
        if self._is_leaving:
            return "It is about to stop."
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await self._store.ping()
        except (StorageUnavailable, TimeoutError):
            return "Its database does not respond."
        return None
