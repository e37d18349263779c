"""Runs the application on a socket until it is told to stop, and then drains it.

Told to stop, it is not ready any more, ends live streams, and closes each connection with the
response that it waits for; for a while it may go on to take new ones, until whoever balances the
load has noticed. Then it waits a few seconds for what is open.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Final, cast

import orjson
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from voice_sandbox import clock
from voice_sandbox.app import Runtime
from voice_sandbox.contract import problems
from voice_sandbox.contract.problems import ProblemError
from voice_sandbox.http.health import LIVE, READY
from voice_sandbox.http.proxy import Forwarded, Mounted, Network
from voice_sandbox.http.routing import route_path
from voice_sandbox.limits import Limits
from voice_sandbox.server.accepting import Acceptor
from voice_sandbox.server.connection import OVERLOADED, Connection, connection_class

DRAIN_SECONDS: Final = 5
_BACKLOG: Final = 2048
_NO_SNIFFING: Final = ("x-content-type-options", "nosniff")
# What a page of a named origin may read. The fetch standard allows the rest anyway.
_READ_HEADERS: Final = (
    *("Allow", "Idempotent-Replayed", "Location", "Preference-Applied", "Retry-After"),
    *("WWW-Authenticate", "X-Request-Id"),
)


def layered(
    app: ASGIApp,
    *,
    root_path: str = "",
    proxies: Sequence[Network] = (),
    cors_origins: Sequence[str] = (),
) -> ASGIApp:
    """The application behind what a deployment has before it; nothing where it has nothing."""
    if cors_origins:
        from starlette.middleware.cors import CORSMiddleware

        app = CORSMiddleware(
            app,
            allow_origins=cors_origins,
            # Any: tracing adds its own headers, and what is wrong the sandbox says itself.
            allow_methods=("*",),
            allow_headers=("*",),
            allow_private_network=True,
            expose_headers=_READ_HEADERS,
        )
    if root_path:
        app = Mounted(app, root_path)
    if proxies:
        app = Forwarded(app, proxies)
    return app


def configured(app: ASGIApp, limits: Limits, *, cors_origins: Sequence[str] = ()) -> uvicorn.Config:
    """How uvicorn runs the application: quietly, limited, and without what it would add."""
    origins = frozenset(origin.encode() for origin in cors_origins)
    return uvicorn.Config(
        app,
        http=connection_class(limits, cors_origins=origins),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        headers=[_NO_SNIFFING],
        backlog=_BACKLOG,
        timeout_keep_alive=cast(int, limits.keep_alive_seconds),  # it goes to call_later as it is
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )


class DrainingServer(uvicorn.Server):
    """Tells when it listens to clients and to signals, and drains when it is told to stop."""

    def __init__(
        self,
        runtime: Runtime,
        config: uvicorn.Config,
        *,
        drain_delay: float = 0.0,
        started: Callable[[], None] = lambda: None,
    ) -> None:
        """For ``drain_delay`` seconds it still takes connections though it is not ready."""
        super().__init__(config)
        self._runtime = runtime
        self._drain_delay = drain_delay
        self._started = started
        self._leaves_at: float | None = None

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return len(self.server_state.connections)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        if sys.platform == "win32":  # its event loop takes no listener of another's
            await super().startup(sockets=sockets)
        else:
            await self.lifespan.startup()
            acceptors = [Acceptor(listener, self._connection) for listener in sockets or ()]
            self.servers = cast(list[asyncio.Server], acceptors)
            self.started = True
        self._started()

    def _connection(self) -> asyncio.Protocol:
        protocol_class = cast(type[Connection], self.config.http)
        return protocol_class(self.config, self.server_state, self.lifespan.state)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._leaves_at is None:
            self.leave()
            if self._drain_delay:
                self._captured_signals.append(sig)
                return
        super().handle_exit(sig, frame)

    def leave(self) -> None:
        """Begins to drain."""
        self._leaves_at = clock.monotonic() + self._drain_delay
        self._runtime.drain()
        cast(type[Connection], self.config.http).is_draining = True

    async def on_tick(self, counter: int) -> bool:
        if self._leaves_at is not None and clock.monotonic() >= self._leaves_at:
            self.should_exit = True
        return await super().on_tick(counter)


async def run(server: DrainingServer, runtime: Runtime, listener: socket.socket) -> None:
    """Serves until a signal or the server's ``leave`` ends it. Raises: `StoreError`."""

    def stop(*_: object) -> None:
        server.should_exit = True

    # Before uvicorn looks after signals itself; it also hands them on once it has drained.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    async with runtime.lifespan():
        await server.serve(sockets=[listener])


class OverloadGuard:
    """Responds in the contract's own words where there are too many connections.

    Health checks pass: a deployment that is only busy must not be restarted for it.
    """

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app = app
        self._rejection = ProblemError(
            "rate_limited",
            f"This deployment serves {limits.max_connections} connections at a time. Wait as many "
            "seconds as Retry-After says, then send the same request again.",
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if OVERLOADED not in scope.get("extensions", ()) or route_path(scope) in (LIVE, READY):
            await self._app(scope, receive, send)
            return
        request_id = clock.new_request_id()
        body = orjson.dumps(problems.document(self._rejection, request_id=request_id))
        headers = [
            (b"x-request-id", request_id.encode()),
            (b"retry-after", b"1"),
            (b"content-type", problems.MEDIA_TYPE.encode()),
            (b"content-length", str(len(body)).encode()),
        ]
        status = self._rejection.problem.status
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
