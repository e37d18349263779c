"""HTTP/1.1 to the letter, where a client library would forbid what must be tried.

Bodies in chunks or with a wrong length, headers given twice, bytes that are no text. It never
follows a redirect, asks no proxy, keeps no cookie, and no exchange outlives its deadline. A name
is looked up once: every exchange goes to the address that answered first, so that what was proved
of a deployment holds of the one that is asked.
"""

from __future__ import annotations

import json
import re
import socket
import ssl
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from threading import Barrier, BrokenBarrierError
from typing import Any, Final
from urllib.parse import urlsplit

import h11

from voice_sandbox import clock

MAX_RESPONSE_BYTES: Final = 4 * 1024 * 1024
JOURNAL_SECONDS: Final = 3.0
"""What one worker of a sandbox journals every other one shows a second later, and surely by now."""
PAUSE_SECONDS: Final = 0.05
USER_AGENT: Final = "voice-sandbox-verify"
"""Stands in each request, so that a journal shows which ones a verification sent."""

_RECEIVE_BYTES: Final = 65536
_HOST: Final = re.compile(r"[A-Za-z0-9.:%_-]+")
_PATH: Final = re.compile(r"(/[A-Za-z0-9._~%-]+)*/?")

_Address = tuple[socket.AddressFamily, Any]
"""How a socket is connected: the family, and an address of it."""


class NoResponse(Exception):
    """No whole HTTP response arrived; the message says what happened instead."""

    sent: SentRequest | None = None
    """The request that got no response."""


class _Closed(NoResponse):
    """The connection was closed before the first byte of a response."""


@dataclass(frozen=True, slots=True)
class SentRequest:
    """One request, exactly as it goes over the wire apart from ``Host`` and framing."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    chunked: bool = False
    declared_length: int | None = None
    """A ``Content-Length`` that may differ from the body's."""
    version: str = "1.1"


@dataclass(frozen=True, slots=True)
class ReceivedResponse:
    """One response, and the request that it answers."""

    sent: SentRequest
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def values(self, name: str) -> list[str]:
        """Every value of a header, such as ``["application/json"]``."""
        return [value for key, value in self.headers if key == name.lower()]

    def header(self, name: str) -> str | None:
        """The value of a header; those of one that stands twice are joined."""
        return ", ".join(self.values(name)) or None

    def json(self) -> Any:
        """The body as JSON. Raises: `ValueError` on anything that is not strict JSON in UTF-8."""
        return json.loads(
            self.body.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant
        )


class Http1Client:
    """Where a deployment listens. ``timeout_seconds`` bounds each whole exchange."""

    def __init__(self, url: str, *, timeout_seconds: float) -> None:
        """Raises: `ValueError` where ``url`` is not one of http or https with a host."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        if parts.scheme not in ("http", "https") or not _HOST.fullmatch(host):
            raise ValueError(f"{url} is not a base URL such as http://127.0.0.1:8010.")
        if parts.query or parts.fragment or parts.username is not None:
            raise ValueError("A base URL has no user, query or fragment.")
        if not _PATH.fullmatch(parts.path) or parts.port == 0:
            raise ValueError(f"{url} has a path or port that no request can be sent to.")
        self.host = host
        self.port = parts.port or (443 if parts.scheme == "https" else 80)
        self.origin = f"{parts.scheme}://{parts.netloc}"
        self.prefix = parts.path.rstrip("/")
        self._host_header = parts.netloc
        self._timeout_seconds = timeout_seconds
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._address: _Address | None = None

    @property
    def address(self) -> str:
        """The one address that exchanges go to, ``""`` before the first."""
        return "" if self._address is None else self._address[1][0]

    def stay_at(self, address: str) -> None:
        """Sends every exchange to this address of the host, and looks no name up."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._address = family, (address, self.port)

    def addresses(self) -> set[str]:
        """Every address of the host, as numbers; empty where its name is unknown."""
        try:
            found = self._looked_up()
        except OSError:
            return set()
        return {address[0].removeprefix("::ffff:") for _, address in found}

    def exchange(
        self, sent: SentRequest, *, timeout_seconds: float | None = None
    ) -> ReceivedResponse:
        """Sends one request over a connection of its own. Raises: `NoResponse`."""
        return self._exchange(sent, timeout_seconds or self._timeout_seconds, None)

    def exchange_at_once(self, sent: SentRequest, barrier: Barrier) -> ReceivedResponse:
        """Connects, waits for all others at the barrier, then sends. Raises: `NoResponse`."""
        return self._exchange(sent, self._timeout_seconds, barrier)

    def _exchange(
        self,
        sent: SentRequest,
        timeout_seconds: float,
        barrier: Barrier | None,
        holds: Callable[[bytes], bool] | None = None,
    ) -> ReceivedResponse:
        try:
            return self._exchanged(sent, timeout_seconds, barrier, holds)
        except NoResponse as error:
            error.sent = sent
            raise

    def _exchanged(
        self,
        sent: SentRequest,
        timeout_seconds: float,
        barrier: Barrier | None,
        holds: Callable[[bytes], bool] | None,
    ) -> ReceivedResponse:
        deadline = clock.monotonic() + timeout_seconds
        try:
            with closing(self._connect(timeout_seconds)) as connection:
                if barrier is not None:
                    barrier.wait(timeout_seconds)
                return self._exchange_over(connection, sent, deadline, holds)
        except (TimeoutError, BrokenBarrierError):
            raise NoResponse(f"no response arrived within {timeout_seconds:g} seconds") from None
        except h11.RemoteProtocolError as error:
            raise NoResponse(f"what came back is not HTTP ({error})") from None
        except OSError as error:
            raise NoResponse(f"the connection failed ({error.strerror or error})") from None

    def _connect(self, timeout_seconds: float) -> socket.socket:
        connection = self._connected(timeout_seconds)
        if self._tls is None:
            return connection
        try:
            return self._tls.wrap_socket(connection, server_hostname=self.host)
        except OSError:
            connection.close()
            raise

    def _connected(self, timeout_seconds: float) -> socket.socket:
        candidates = self._looked_up() if self._address is None else [self._address]
        failed = OSError("the host has no address")
        for family, address in candidates:
            connection = socket.socket(family, socket.SOCK_STREAM)
            try:
                connection.settimeout(timeout_seconds)
                connection.connect(address)
            except OSError as error:
                connection.close()
                failed = error
            else:
                self._address = family, address
                return connection
        raise failed

    def _looked_up(self) -> list[_Address]:
        try:
            found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        except UnicodeError as error:  # such as a..b
            raise OSError(f"{self.host} is not the name of a host") from error
        return [(family, address) for family, _, _, _, address in found]

    def exchange_until(self, sent: SentRequest, holds: Callable[[bytes], bool]) -> ReceivedResponse:
        """Reads a response until something holds of its body so far. Raises: `NoResponse`."""
        return self._exchange(sent, self._timeout_seconds, None, holds)

    def exchange_in_turn(self, requests: Sequence[SentRequest]) -> list[ReceivedResponse]:
        """Sends one request after another over one connection, as far as the server keeps it.

        Raises: `NoResponse`.
        """
        deadline = clock.monotonic() + self._timeout_seconds
        responses: list[ReceivedResponse] = []
        left, before = list(requests), 0
        while left:
            try:
                with closing(self._connect(self._timeout_seconds)) as connection:
                    parser = h11.Connection(h11.CLIENT)
                    before = len(responses)
                    while left and parser.states[h11.CLIENT] is h11.IDLE:
                        self._send(connection, left[0], keep=len(left) > 1)
                        responses.append(_received(connection, parser, left[0], deadline))
                        left.pop(0)
                        if set(parser.states.values()) == {h11.DONE}:
                            parser.start_next_cycle()
            except _Closed:
                if len(responses) == before:
                    raise
                # A server may close a connection between two requests (RFC 9112, section 9.5).
            except TimeoutError:
                raise NoResponse("no response arrived in time over a kept connection") from None
            except h11.RemoteProtocolError as error:
                raise NoResponse(f"what came back is not HTTP ({error})") from None
            except OSError as error:
                raise NoResponse(f"the connection failed ({error.strerror or error})") from None
        return responses

    def _exchange_over(
        self,
        connection: socket.socket,
        sent: SentRequest,
        deadline: float,
        holds: Callable[[bytes], bool] | None,
    ) -> ReceivedResponse:
        self._send(connection, sent, keep=False)
        return _received(connection, h11.Connection(h11.CLIENT), sent, deadline, holds)

    def _send(self, connection: socket.socket, sent: SentRequest, *, keep: bool) -> None:
        # A server may reject before it has read everything.
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(self._bytes(sent, keep=keep))

    def _bytes(self, sent: SentRequest, *, keep: bool) -> bytes:
        lines = [
            f"{sent.method} {self.prefix}{sent.target} HTTP/{sent.version}",
            f"Host: {self._host_header}",
            f"Connection: {'keep-alive' if keep else 'close'}",
            *(f"{name}: {value}" for name, value in sent.headers),
            f"User-Agent: {USER_AGENT}",
        ]
        body = sent.body or b""
        if sent.chunked:
            lines.append("Transfer-Encoding: chunked")
            body = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in _parts(body))
            body += b"0\r\n\r\n"
        elif sent.body is not None or sent.declared_length is not None:
            length = len(body) if sent.declared_length is None else sent.declared_length
            lines.append(f"Content-Length: {length}")
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def _received(
    connection: socket.socket,
    parser: h11.Connection,
    sent: SentRequest,
    deadline: float,
    holds: Callable[[bytes], bool] | None = None,
) -> ReceivedResponse:
    # h11 only reads here, but wants to know what is being answered.
    parser.send(h11.Request(method=sent.method, target="/", headers=[("Host", "-")]))
    parser.send(h11.EndOfMessage())
    status, body, is_begun = 0, b"", False
    headers: tuple[tuple[str, str], ...] = ()
    while True:
        event = parser.next_event()
        if event is h11.NEED_DATA:
            data = _data(connection, deadline)
            if not data and not is_begun:
                raise _Closed("the connection was closed without a response")
            is_begun = True
            parser.receive_data(data)
        elif isinstance(event, h11.Response):
            status, headers = event.status_code, _decoded(event)
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > MAX_RESPONSE_BYTES:
                raise NoResponse(f"the response is longer than {MAX_RESPONSE_BYTES} bytes")
        elif isinstance(event, h11.ConnectionClosed):
            raise NoResponse("the connection was closed in the middle of a response")
        if isinstance(event, h11.EndOfMessage) or (holds is not None and holds(body)):
            return ReceivedResponse(sent, status, headers, body)


def _data(connection: socket.socket, deadline: float) -> bytes:
    left = deadline - clock.monotonic()
    if left <= 0:
        raise TimeoutError
    connection.settimeout(left)
    return connection.recv(_RECEIVE_BYTES)


def _decoded(response: h11.Response) -> tuple[tuple[str, str], ...]:
    return tuple(
        (name.decode("latin-1").lower(), value.decode("latin-1"))
        for name, value in response.headers
    )


def _parts(body: bytes) -> Sequence[bytes]:
    return [body[start : start + 16384] for start in range(0, len(body), 16384)]


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a key is given twice in one object")
    return members


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
