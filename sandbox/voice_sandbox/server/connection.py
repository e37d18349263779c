"""One connection of a client, limited in everything that a client can draw out.

uvicorn's protocol trusts whoever connects: it waits for ever for a first request, for the rest of a
head or a body, and for a reader that takes nothing; it takes heads, trailers and chunks without
end, and queues as many requests as arrive. Here each of these has a limit. Bytes are given to the
parser one message at a time, so that nothing is parsed before somebody needs it, and what RFC 9112
tells a server to reject is rejected before it is routed. A request that arrives in one piece, as
nearly every one does, starts no timer.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any, Final, Literal, cast
from urllib.parse import unquote

import httptools
from uvicorn._types import ASGISendEvent, HTTPScope
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)
from uvicorn.server import ServerState

from voice_sandbox.http.broken_responses import CONNECTION_EXTENSION
from voice_sandbox.limits import Limits
from voice_sandbox.server.sockets import reset_when_closed
from voice_sandbox.server.write_coalescing import CoalescingTransport, WriteCoalescer

OVERLOADED: Final = "voice.overloaded"
"""The ASGI extension of a request whose connection is one too many."""
_LINGER_SECONDS: Final = 2.0
"""For which a connection that was ended may go on to take what was written to it."""
_LINGER_BYTES: Final = 1024 * 1024
"""That an ended connection may go on to send. Who sends more does not read the response."""
_BUSY_SECONDS: Final = 1.0
"""A connection that was used within this time is likely to send its next request at once."""
_DRAIN_GRACE_SECONDS: Final = 0.5
"""For which a busy connection may send one more request when the server drains."""
_PIECE_BYTES: Final = 8 * 1024
"""Of a body in chunks, parsed before its framing is measured."""
_DISCARDED_BYTES: Final = 64 * 1024
"""Of a body that nobody reads any more, so that the connection can be kept."""
_FRAMING_BYTES: Final = 8 * 1024
"""Of chunks, however small they are: enough for a short body that is sent byte by byte."""
_CONTENT_FOR_EACH_BYTE_OF_FRAMING: Final = 8
"""Chunks of more than 56 bytes pass, however many they are."""
_END_OF_HEAD: Final = b"\r\n\r\n"
_Scheme = Literal["http", "https"]
_CHUNKED: Final = -1
"""Stands for the bytes left of a body that does not say how many there are."""

# RFC 9112, section 2.2: empty lines before a request are ignored.
_EMPTY_LINES: Final = re.compile(rb"(?:\r\n)*")
# RFC 9112, section 3: one space on each side, and no fragment in the target.
_REQUEST_LINE: Final = re.compile(
    rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) [!\"$-~]+ HTTP/([0-9]\.[0-9])\r\n"
)
_METHOD: Final = re.compile(rb"\r|[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# RFC 9112, section 3.2: what is no host and port is rejected.
_HOST: Final = re.compile(
    rb"(?:\[[0-9A-Fa-f:.]+\]|(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+)(?::[0-9]*)?"
)
_ORIGIN: Final = re.compile(rb"\r\norigin:[ \t]*([^\r\n]*?)[ \t]*\r\n", re.IGNORECASE)

_HEAD_TOO_LONG: Final = (431, "The request line and its headers are too long.")
_TRAILERS_TOO_LONG: Final = (431, "The trailers of the body are too long.")
_CHUNKS_TOO_SMALL: Final = (413, "The body comes in too many small chunks. Send larger ones.")
_NOT_HTTP: Final = (400, "This is not HTTP/1.1 as RFC 9112 has it.")
_NOT_ONE_HOST: Final = (400, "A request of HTTP/1.1 has one header Host, such as 127.0.0.1:8010.")
_WRONG_CODING: Final = (400, "A body in chunks says Transfer-Encoding: chunked, in HTTP/1.1 only.")
_UNKNOWN_CODING: Final = (400, "The only transfer coding that is supported is chunked.")
_UNKNOWN_VERSION: Final = (400, "The only versions of HTTP that are supported are 1.1 and 1.0.")
_TOO_LATE: Final = (408, "The request did not arrive in time.")


class Connection(HttpToolsProtocol):
    """uvicorn's protocol with limits; `connection_class` makes one for those of a deployment."""

    limits: Limits
    cors_origins: frozenset[bytes]
    write_coalescer: WriteCoalescer
    surplus: dict[Connection, None]
    """The connections that are too many, the oldest first."""
    connections: set[Connection]  # type: ignore[assignment]
    cycle: RequestResponseCycle | None  # type: ignore[assignment]
    is_draining = False
    """Whether each connection ends with the response that it waits for."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._received = b""
        self._position = 0
        """Up to where the parser has got what was received."""
        self._searched = 0
        """Up to where there is no end of a head."""
        self._body_left = 0
        """Bytes of the body that are still to come; 0 before and within a head."""
        self._tail = b""
        """The last bytes of a body in chunks, in which its end may begin."""
        self._content_bytes = 0
        self._framing_bytes = 0
        """Of chunks and trailers: what is no content."""
        self._discarded_bytes = 0
        self._is_in_head = False
        self._hosts: list[bytes] = []
        self._codings: list[bytes] = []
        self._ends: dict[object, object] = {"reset": self.reset, "close": self.close_after_writing}
        """How the application may end the connection in the middle of a response."""
        self._method: str | None = None
        """Of a request whose method the parser does not know."""
        self._is_last = False
        """Whether no other request follows on this connection."""
        self._has_trailers = False
        self._has_ended = False
        self._rejection: tuple[int, str] | None = None
        """What is sent once the requests before it have their responses."""
        self._running: RequestResponseCycle | None = None
        """Of the request that the application works on; `cycle` may wait behind it."""
        self._idle_since = 0.0
        self._late: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.transport = CoalescingTransport(transport, self.write_coalescer)
        self.flow = _Flow(self)
        self._idle_since = self.loop.time()
        limit = self.limits.max_connections
        if len(self.connections) > limit and not self._is_given_room():
            if len(self.connections) > 2 * limit and self.surplus:
                # The oldest has not sent its request, or it would have been told to wait.
                oldest = next(iter(self.surplus))
                del self.surplus[oldest]
                oldest.transport.abort()
            self.surplus[self] = None
        self._expect_more()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.surplus.pop(self, None)
        for timer in (self._late, self._stalled):
            if timer is not None:
                timer.cancel()

    def data_received(self, data: bytes) -> None:
        if self._has_ended:
            self._discarded_bytes += len(data)
            if self._discarded_bytes > _LINGER_BYTES:
                self.transport.abort()
            return
        self._received = self._received + data if self._received else data
        self._read()

    def read_on(self) -> None:
        """Parses what was received while reading was paused, and then reads again."""
        if self._has_ended or self.transport.is_closing():
            return
        self._read()
        if not self.flow.read_paused:
            self.transport.resume_reading()

    @property
    def has_unread(self) -> bool:
        """Whether something was received that the parser has not got."""
        return bool(self._received)

    def _read(self) -> None:
        """Gives the parser one piece after the other, until the application has to be waited for.

        A piece is a head or a part of one body, so at most one request waits behind another.
        """
        while not self.flow.read_paused and not self._has_ended:
            if self._body_left == 0:
                end = self._end_of_head()
            elif self._body_left == _CHUNKED:
                end = self._end_of_chunks()
            else:
                end = min(self._position + self._body_left, len(self._received))
            if end <= self._position:
                break
            start, self._position = self._position, end
            if start == 0 and end == len(self._received):
                self._parse(self._received)
                break
            self._parse(self._received[start:end])
        if self._position == len(self._received) or self._has_ended:
            self._received, self._position, self._searched = b"", 0, 0
        elif self._position and not self.flow.read_paused:
            self._received = self._received[self._position :]
            self._searched = max(0, self._searched - self._position)
            self._position = 0
        if self._received or self._body_left:
            self._expect_more()

    def _end_of_head(self) -> int:
        """Where the next head ends, or the present position where that has not arrived."""
        received = self._received
        if self._is_last:
            self._position = len(received)
            return self._position
        if received.startswith(b"\r\n", self._position):
            match = cast(re.Match[bytes], _EMPTY_LINES.match(received, self._position))
            self._position = match.end()
        start = self._position
        if start == len(received):
            return start
        end = received.find(_END_OF_HEAD, max(start, self._searched))
        if end == -1:
            self._searched = max(start, len(received) - len(_END_OF_HEAD) + 1)
        fault = self._fault_of_head(start, end)
        if fault is not None:
            self._reject(fault)
        return start if end == -1 or fault is not None else end + len(_END_OF_HEAD)

    def _fault_of_head(self, start: int, end: int) -> tuple[int, str] | None:
        """What can be said of a head before it is parsed; ``end`` is -1 while it is open."""
        received = self._received
        if (len(received) if end == -1 else end) - start > self.limits.max_head:
            return _HEAD_TOO_LONG
        if received.find(b"\n", start) == -1:
            # Such as TLS, whose clients wait for a word.
            return None if _METHOD.match(received, start) else _NOT_HTTP
        line = _REQUEST_LINE.match(received, start)
        if line is None:
            return _NOT_HTTP
        return None if line[2] in (b"1.1", b"1.0") else _UNKNOWN_VERSION

    def _end_of_chunks(self) -> int:
        """Where the next piece ends: at the end of the message, if that has arrived."""
        start = self._position
        piece = self._tail + self._received[start : start + _PIECE_BYTES]
        found = piece.find(_END_OF_HEAD)
        if found != -1:
            piece = piece[: found + len(_END_OF_HEAD)]
        end = start + len(piece) - len(self._tail)
        self._tail = piece[-len(_END_OF_HEAD) + 1 :]
        return end

    def _parse(self, piece: bytes) -> None:
        is_head, is_chunks = self._body_left == 0, self._body_left == _CHUNKED
        content_bytes = self._content_bytes
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade:
            self._ignore_upgrade(is_head=is_head)
        except httptools.HttpParserInvalidMethodError:
            self._parse_unknown_method(piece)
        except httptools.HttpParserError:
            self._reject(_NOT_HTTP)
        if is_chunks:
            self._framing_bytes += len(piece) - (self._content_bytes - content_bytes)
            has_content = self._content_bytes > content_bytes
            allowed = _FRAMING_BYTES if has_content else self.limits.max_head
            allowed += self._content_bytes // _CONTENT_FOR_EACH_BYTE_OF_FRAMING
            if self._framing_bytes > allowed:
                self._reject(_CHUNKS_TOO_SMALL if has_content else _TRAILERS_TOO_LONG)
        cycle = self.cycle
        if not is_head and cycle is not None and cycle.response_complete:
            self._discarded_bytes += len(piece)
            if self._discarded_bytes > _DISCARDED_BYTES:
                self._end()
        if self._has_trailers and not self._body_left:  # they changed what the parser expects
            self._has_trailers = False
            self.parser = httptools.HttpRequestParser(self)

    def _ignore_upgrade(self, *, is_head: bool) -> None:
        """Parses a request as if it had offered no other protocol.

        RFC 9110, section 7.8: a server may ignore the offer. The parser cannot: it takes the body
        for the other protocol, and Java's own client makes the offer with every first request.
        """
        method, version = self.parser.get_method(), self.parser.get_http_version().encode()
        self.parser = httptools.HttpRequestParser(self)
        if not is_head:
            return
        if method == b"CONNECT":
            self._reject(_NOT_HTTP)
            return
        headers = (name + b": " + value for name, value in self.headers if name != b"upgrade")
        self._body_left = 0
        line = method + b" " + self.url + b" HTTP/" + version
        self._parse(b"\r\n".join([line, *headers, b"", b""]))

    def _parse_unknown_method(self, head: bytes) -> None:
        """Parses a request with a method that the parser does not know.

        The application rejects it, and says which methods there are.
        """
        method, space, rest = head.partition(b" ")
        self.parser = httptools.HttpRequestParser(self)
        self._method = method.decode("ascii")
        self._parse(b"PATCH" + space + rest)

    # What the parser calls

    def on_message_begin(self) -> None:
        if self._body_left:
            raise ValueError("a message within another")
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()
            self.timeout_keep_alive_task = None
        self.url = b""
        self.headers = []
        self._hosts = []
        self._codings = []
        self.expect_100_continue = False
        self._is_in_head = True

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._is_in_head:
            # RFC 9110, section 6.5.1: fields that come after the body are not headers.
            self._has_trailers = True
            return
        name = name.lower()
        # RFC 9110, section 5.5: white space around a value is no part of it.
        value = value.rstrip(b" \t")
        if name == b"content-length":
            self._body_left = int(value)
        elif name == b"host":
            self._hosts.append(value)
        elif name == b"transfer-encoding":
            self._body_left = _CHUNKED
            self._codings.append(value.lower())
        elif name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        if self.parser.should_upgrade():
            return  # `_ignore_upgrade` does the rest
        self._is_in_head = False
        version = self.parser.get_http_version()
        fault = _fault_of(self._hosts, self._codings, version)
        if fault is not None:
            self._body_left = 0
            self._reject(fault)
            return
        self._tail = b""
        self._content_bytes = self._framing_bytes = self._discarded_bytes = 0
        keep_alive = (
            version != "1.0"
            and self.parser.should_keep_alive()
            # RFC 9110, section 10.1.1: who waited for a 100 and got a response instead may send
            # the body or not, so that what comes next could be either.
            and not self.expect_100_continue
            and not self.is_draining
            and self not in self.surplus
        )
        self._is_last = not keep_alive
        previous = self.cycle
        self.cycle = self._new_cycle(self._new_scope(version), keep_alive=keep_alive)
        if previous is None or previous.response_complete:
            self._start_asgi_task(self.cycle, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))

    def on_body(self, body: bytes) -> None:
        if self._has_ended or self._rejection is not None:
            return
        self._content_bytes += len(body)
        if self._body_left != _CHUNKED:
            self._body_left -= len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self._has_ended or self._is_in_head:
            return
        self._body_left = 0
        if self._late is not None:
            self._late.cancel()
            self._late = None
        if self._rejection is None:
            super().on_message_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def _new_scope(self, version: str) -> HTTPScope:
        """Raises: what `httptools` does with a target that is none."""
        url = httptools.parse_url(self.url)
        path = url.path.decode("ascii")
        scope: HTTPScope = {
            "type": "http",
            "asgi": {"version": self.asgi_version, "spec_version": "2.3"},
            "http_version": version,
            "server": self.server,
            "client": self.client,
            "scheme": cast(_Scheme, self.scheme),
            "method": self._method or self.parser.get_method().decode("ascii"),
            "root_path": self.root_path,
            "path": unquote(path) if "%" in path else path,
            "raw_path": url.path,
            "query_string": url.query or b"",
            "headers": self.headers,
            "state": self.app_state.copy(),
        }
        self._method = None
        scope["extensions"] = {CONNECTION_EXTENSION: self._ends}
        if self in self.surplus:
            scope["extensions"][OVERLOADED] = {}
        return scope

    def _new_cycle(self, scope: HTTPScope, *, keep_alive: bool) -> RequestResponseCycle:
        cycle_class = _CloseDelimitedCycle if scope["http_version"] == "1.0" else _Cycle
        cycle = cycle_class(
            scope=scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=keep_alive,
            on_response=self.on_response_complete,
        )
        cycle.connection = self
        return cycle

    # What the application and the server call

    @property
    def has_much_to_discard(self) -> bool:
        """Whether more of a body may follow than is read when nobody wants it any more."""
        return self._body_left == _CHUNKED or self._body_left > _DISCARDED_BYTES

    def end(self) -> None:
        """Lets no request follow, and lets the client read what it was sent."""
        self._is_last = True
        self._end()

    def on_response_complete(self) -> None:
        self._idle_since = self.loop.time()
        super().on_response_complete()
        if self._rejection is not None and not self.pipeline and not self._is_busy():
            self._send_rejection()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._stalled is None:
            self._stalled = self.loop.call_later(self.limits.stall_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def shutdown(self) -> None:
        """Ends the connection with the response that it waits for, or very soon."""
        if self._is_busy():
            super().shutdown()
        elif self._has_begun() or self.loop.time() - self._idle_since < _BUSY_SECONDS:
            # Its next request is on the way, and would be reset.
            self.loop.call_later(_DRAIN_GRACE_SECONDS, self._close_idle)
        else:
            self.transport.close()

    def _close_idle(self) -> None:
        if not self._is_busy():
            self.transport.close()

    def reset(self) -> None:
        """Resets the connection: the client gets no response, and nothing that was not sent yet."""
        reset_when_closed(self.transport.get_extra_info("socket"))
        self._leave_response()
        self.transport.abort()

    def close_after_writing(self) -> None:
        """Closes the connection in the middle of a response, behind what was written of it."""
        self._leave_response()
        self.transport.close()

    def _leave_response(self) -> None:
        """Lets the application end without a whole response."""
        if self._running is not None:
            self._running.disconnected = True

    # Limits

    def _is_busy(self) -> bool:
        """Whether a request waits for its response."""
        return self.cycle is not None and not self.cycle.response_complete

    def _has_begun(self) -> bool:
        """Whether a part of a request has arrived."""
        return bool(self._body_left) or self._received.strip(b"\r\n") != b""

    def _is_given_room(self) -> bool:
        """Whether another connection that waits for its next request could be closed instead."""
        for other in self.connections:
            # The timer runs exactly while a connection is idle.
            if other.timeout_keep_alive_task is not None and not other.transport.is_closing():
                other.transport.close()
                return True
        return False

    def _expect_more(self) -> None:
        """Starts the time within which a request must arrive, unless it runs already."""
        if self._late is None and not self._has_ended:
            self._late = self.loop.call_later(self.limits.request_seconds, self._give_up)

    def _give_up(self) -> None:
        self._late = None
        if self.flow.read_paused:  # the client is not the one who is late
            self._expect_more()
        elif self._body_left and not self._is_busy():
            self._end()  # its response was sent long ago
        elif self._has_begun():
            self._reject(_TOO_LATE)
        else:
            self.transport.close()

    def _reject(self, rejection: tuple[int, str]) -> None:
        """Sends a status and a sentence after the responses that are due before, and ends."""
        if self._has_ended or self._rejection is not None:
            return
        self._rejection = rejection
        if self._is_in_head:
            self._body_left = 0  # a part of the rejected head has set it
        cycle = self.cycle
        if cycle is not None and self._body_left:
            # The request has begun and will not be complete: the application learns that.
            cycle.disconnected = not cycle.response_complete
            cycle.message_event.set()
            if cycle.response_started:
                self._end()
            else:
                self._send_rejection()
        elif self._is_busy():
            self._is_last = True
            self.flow.pause_reading()
        else:
            self._send_rejection()

    def _send_rejection(self) -> None:
        status, sentence = cast(tuple[int, str], self._rejection)
        lines = [STATUS_LINE[status]]
        for name, value in self.server_state.default_headers:
            lines += [name, b": ", value, b"\r\n"]
        origin = _ORIGIN.search(self._received)
        if origin is not None and origin[1].lower() in self.cors_origins:
            lines += [b"access-control-allow-origin: ", origin[1], b"\r\nvary: Origin\r\n"]
        body = sentence.encode()
        lines.append(
            b"content-type: text/plain; charset=utf-8\r\n"
            b"content-length: %d\r\nconnection: close\r\n\r\n" % len(body)
        )
        self.transport.write(b"".join([*lines, body]))
        self._end()

    def _end(self) -> None:
        """Says that nothing follows, and drops what still comes.

        RFC 9112, section 9.6: who closes at once resets the connection, and a client that still
        sends loses the response.
        """
        if self._has_ended:
            return
        self._has_ended = True
        if self._late is not None:
            self._late.cancel()
        if self.transport.is_closing():
            return
        self.transport.write_eof()
        self.transport.resume_reading()
        self._late = self.loop.call_later(_LINGER_SECONDS, self.transport.abort)


class _Flow(FlowControl):
    """Lets nothing be read while a request waits behind another."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection.transport)
        self._connection = connection

    def resume_reading(self) -> None:
        connection = self._connection
        if not self.read_paused or connection.pipeline:
            return
        if connection.has_unread:
            self.read_paused = False
            connection.loop.call_soon(connection.read_on)
        else:
            super().resume_reading()


class _Cycle(RequestResponseCycle):
    """One exchange. A response before a long body has been read says that it is the last one.

    RFC 9112, section 9.6: a client that is not told may send its next request into a connection
    that ends.
    """

    connection: Connection
    _is_last = False

    async def send(self, message: ASGISendEvent) -> None:
        if message["type"] != "http.response.start":
            await super().send(message)
            if self._is_last and self.response_complete:
                self.connection.end()
            return
        self._is_last = self.keep_alive and self.more_body and self.connection.has_much_to_discard
        self.keep_alive = self.keep_alive and not self._is_last
        await super().send(message)
        # The protocol would close at once, and reset what the client still sends.
        self.keep_alive = self.keep_alive or self._is_last


class _CloseDelimitedCycle(_Cycle):
    """One exchange of HTTP/1.0, where a body of unknown length lasts until the connection ends.

    RFC 9112, section 6.1: such a client is sent no Transfer-Encoding.
    """

    _is_open_ended = False

    async def send(self, message: ASGISendEvent) -> None:
        if message["type"] == "http.response.start":
            names = {name.lower() for name, _ in message.get("headers", ())}
            if b"content-length" not in names:
                self._is_open_ended = True
                self.chunked_encoding = False
        elif message["type"] == "http.response.body" and self._is_open_ended:
            self.expected_content_length = len(message.get("body", b""))
        await super().send(message)


def _fault_of(hosts: list[bytes], codings: list[bytes], version: str) -> tuple[int, str] | None:
    """What RFC 9112 tells a server to reject and the parser lets pass."""
    if len(hosts) > 1 or (not hosts and version != "1.0"):
        return _NOT_ONE_HOST
    if hosts and not _HOST.fullmatch(hosts[0]):
        return _NOT_ONE_HOST
    if not codings or (codings == [b"chunked"] and version != "1.0"):
        return None
    listed = [coding.strip(b" \t") for coding in b",".join(codings).split(b",")]
    if version == "1.0" or listed.count(b"chunked") != 1 or listed[-1] != b"chunked":
        return _WRONG_CODING
    return _UNKNOWN_CODING


def connection_class(limits: Limits, *, cors_origins: frozenset[bytes]) -> type[Connection]:
    """The class that the server makes one of for each connection."""
    return type(
        "LimitedConnection",
        (Connection,),
        {
            "limits": limits,
            "cors_origins": cors_origins,
            "write_coalescer": WriteCoalescer(),
            "surplus": {},
        },
    )
