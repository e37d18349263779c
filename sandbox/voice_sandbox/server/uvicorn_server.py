"""Runs the application on a socket until it is told to stop, and then drains it.

Told to stop, it is not ready any more, ends live streams, and closes each connection with the
answer that it waits for; for a while it may go on to take new ones, until whoever balances the
load has noticed. Then it waits for what is open, a few seconds at most.
"""

from __future__ import annotations

import signal
import socket
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
from voice_sandbox.http.proxy import Forwarded, Mounted, Network
from voice_sandbox.limits import Limits
from voice_sandbox.server.connection import Connection, bounded

DRAIN_SECONDS: Final = 5
_BACKLOG: Final = 2048
_NO_SNIFFING: Final = ("x-content-type-options", "nosniff")
# What a page of a named origin may send and read. The fetch standard allows the rest anyway.
_SENT_HEADERS: Final = ("Authorization", "Idempotency-Key", "Last-Event-ID", "Prefer")
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
            allow_methods=("DELETE", "GET", "HEAD", "POST"),
            allow_headers=_SENT_HEADERS,
            allow_private_network=True,
            expose_headers=_READ_HEADERS,
        )
    if root_path:
        app = Mounted(app, root_path)
    if proxies:
        app = Forwarded(app, proxies)
    return app


def configured(app: ASGIApp, limits: Limits) -> uvicorn.Config:
    """How uvicorn runs the application: quietly, bounded, and without what it would add."""
    return uvicorn.Config(
        app,
        http=bounded(limits, overloaded=_Overloaded(limits)),
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
        await super().startup(sockets=sockets)
        self._started()

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
        protocol = self.config.http
        assert isinstance(protocol, type), "configured() gives a class"
        assert issubclass(protocol, Connection), "configured() gives one of ours"
        protocol.is_draining = True

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


class _Overloaded:
    """Answers in the contract's own words that there are too many connections."""

    def __init__(self, limits: Limits) -> None:
        self._refusal = ProblemError(
            "rate_limited",
            f"This deployment serves {limits.max_connections} connections at a time. Wait as many "
            "seconds as Retry-After says, then send the same request again.",
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = clock.new_request_id()
        body = orjson.dumps(problems.document(self._refusal, request_id=request_id))
        headers = [
            (b"x-request-id", request_id.encode()),
            (b"retry-after", b"1"),
            (b"content-type", problems.MEDIA_TYPE.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
        ]
        status = self._refusal.problem.status
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
