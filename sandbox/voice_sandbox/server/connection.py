"""One connection of a client, bounded in everything that a client can draw out.

uvicorn's protocol trusts whoever connects: it waits for ever for a first request, for the rest of a
head or a body, and for a reader that takes nothing; it takes heads of any length; it lets trailers
pass as headers. Here each of these has an end. A request that arrives in one piece, as nearly every
one does, starts no timer.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

import httptools
from starlette.types import ASGIApp
from uvicorn._types import HTTPScope
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)
from uvicorn.server import ServerState

from voice_sandbox.limits import Limits
from voice_sandbox.server.write_coalescing import CoalescingTransport, Outbox

_LINGER_SECONDS: Final = 5.0
"""For which a closed connection may go on to take what was written to it."""
_END_OF_HEAD: Final = b"\r\n\r\n"


class Connection(HttpToolsProtocol):
    """uvicorn's protocol with bounds; `bounded` makes one for the limits of a deployment."""

    limits: Limits
    max_head: int
    outbox: Outbox
    overloaded: ASGIApp
    """Answers each request of a connection that is one too many."""
    cycle: RequestResponseCycle | None  # type: ignore[assignment]
    scope: HTTPScope | None  # type: ignore[assignment]
    is_draining = False
    """Whether each connection ends with the answer that it waits for."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._head_bytes = 0
        """How much has arrived of a head that has not ended."""
        self._hosts = 0
        """How many of its headers are Host."""
        self._late: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.transport = CoalescingTransport(transport, self.outbox)
        limit = self.limits.max_connections
        if len(self.connections) > limit and not self._is_given_room():
            if len(self.connections) > 2 * limit:  # too many even to be told so
                transport.abort()
                return
            self.app = self.overloaded
        self._late = self.loop.call_later(self.limits.request_seconds, self._give_up)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        for timer in (self._late, self._stalled):
            if timer is not None:
                timer.cancel()

    def data_received(self, data: bytes) -> None:
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()
            self.timeout_keep_alive_task = None
        if self._head_bytes + len(data) > self.max_head and self._is_overlong(data):
            self._refuse(431, "The request line and its headers are too long.")
            return
        before = self.scope
        try:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                self._read_again(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self._refuse(400, "This is not HTTP/1.1 as RFC 9112 has it.")
            return
        cycle = self.cycle
        if cycle is None or cycle.scope is not self.scope:  # before a head, or within one
            if self.scope is not None:
                self._head_bytes = (
                    self._head_bytes + len(data)
                    if self.scope is before
                    else len(data) - max(0, data.rfind(_END_OF_HEAD))
                )
            self._expect_more()
        elif cycle.more_body or cycle.response_complete:
            self._head_bytes = 0
            self._expect_more()
        else:
            self._head_bytes = 0
            if self._late is not None:
                self._late.cancel()
                self._late = None

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name == b"host":
            self._hosts += 1
        elif name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        if self.parser.should_upgrade():
            return  # `_read_again` does the rest
        # RFC 9112, section 3.2: a request without its one Host is answered 400.
        if self._hosts != 1 and (self._hosts or self.parser.get_http_version() != "1.0"):
            raise ValueError("not one Host")
        self._hosts = 0
        super().on_headers_complete()
        # RFC 9110, section 6.5.1: fields that come after the body are not headers.
        self.headers = []
        # RFC 9110, section 10.1.1: who waited for a 100 and got an answer instead may send its body
        # or not, so that what comes next could be either.
        if (self.is_draining or self.expect_100_continue) and self.cycle is not None:
            self.cycle.keep_alive = False

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._stalled is None:
            self._stalled = self.loop.call_later(self.limits.stall_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def timeout_keep_alive_handler(self) -> None:
        self._close()

    def _is_given_room(self) -> bool:
        """Whether another connection that waits for its next request could be closed instead."""
        for other in self.connections:
            assert isinstance(other, Connection), "a server makes only these"
            # The timer runs exactly while a connection is idle.
            if other.timeout_keep_alive_task is not None and not other.transport.is_closing():
                other._close()
                return True
        return False

    def _read_again(self, rest: bytes) -> None:
        """Reads a request as if it had offered no other protocol, and what follows it."""
        while True:
            data = self._head_without_upgrade() + rest
            self.parser = httptools.HttpRequestParser(self)
            self._hosts = 0
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                rest = data[upgrade.args[0] :]
            else:
                return

    def _should_upgrade(self) -> bool:
        return True  # so that uvicorn leaves such a request alone until it is read again

    def _head_without_upgrade(self) -> bytes:
        """The head that was just read, as if it had offered no other protocol.

        RFC 9110, section 7.8: a server may ignore the offer. The parser cannot: it takes the body
        for the other protocol, and Java's own client makes the offer with every first request.
        """
        method = self.parser.get_method()
        if method == b"CONNECT":
            raise httptools.HttpParserError("This is no proxy.")
        headers = (name + b": " + value for name, value in self.headers if name != b"upgrade")
        return b"\r\n".join([method + b" " + self.url + b" HTTP/1.1", *headers, b"", b""])

    def _is_overlong(self, data: bytes) -> bool:
        """Whether ``data`` makes an open head, or begins one, that is longer than it may be."""
        if not self._head_bytes and self.cycle is not None and self.cycle.more_body:
            return False  # it belongs to a body
        end = data.find(_END_OF_HEAD)
        return self._head_bytes + (len(data) if end == -1 else end) > self.max_head

    def _expect_more(self) -> None:
        """Starts the time within which a request must arrive, unless it runs already."""
        if self._late is None and not self.transport.is_closing():
            self._late = self.loop.call_later(self.limits.request_seconds, self._give_up)

    def _give_up(self) -> None:
        self._late = None
        cycle = self.cycle
        is_idle = cycle.response_complete if cycle is not None else self.scope is None
        if is_idle and not self._head_bytes:
            self._close()
        else:
            self._refuse(408, "The request did not arrive in time.")

    def _refuse(self, status: int, why: str) -> None:
        """Answers what will not become an exchange, and closes."""
        if self.transport.is_closing():
            return
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            # The application has begun with a request: two answers must not mix.
            cycle.disconnected = True
            cycle.message_event.set()
            if cycle.response_started:
                self._close()
                return
        head = [STATUS_LINE[status]]
        for name, value in self.server_state.default_headers:
            head += [name, b": ", value, b"\r\n"]
        body = why.encode()
        head.append(
            b"content-type: text/plain; charset=utf-8\r\n"
            b"content-length: %d\r\nconnection: close\r\n\r\n" % len(body)
        )
        self.transport.write(b"".join([*head, body]))
        self._close()

    def _close(self) -> None:
        """Closes, and cuts off a client that does not take what is left for it."""
        if not self.transport.is_closing():
            self.transport.close()
            self.loop.call_later(_LINGER_SECONDS, self.transport.abort)


def bounded(limits: Limits, *, overloaded: ASGIApp) -> type[Connection]:
    """The class that uvicorn makes one of for each connection."""
    return type(
        "BoundedConnection",
        (Connection,),
        {
            "limits": limits,
            "max_head": limits.max_head,
            "outbox": Outbox(),
            "overloaded": staticmethod(overloaded),
        },
    )
