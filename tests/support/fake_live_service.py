"""A server that stands in for the live service and counts every request that would ring a phone.

It can also stand before a sandbox and be the live service for some requests only: a gateway that
sends reads to one machine and calls to another, or a deployment that is replaced meanwhile.
"""

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

BODY_SECONDS = 1.0
CALL_ID = "01890a5d-ac96-774b-bcce-b302099a8057"

# What GET /sandbox is answered with: status, headers, body; or seconds to hang first.
ReceivedResponse = tuple[int, dict[str, str], bytes]
JSON = {"Content-Type": "application/json"}
IDENTITY = {
    "sandbox": True,
    "version": "0.1.0",
    "contract": {"version": "1.0.0", "sha256": "0" * 64},
}


@dataclass
class FakeLiveService:
    """A service that dials whatever it is asked to, and checks nothing."""

    url: str = ""
    dials: list[Any] = field(default_factory=list)  # every body that asked for a call
    requests: list[str] = field(default_factory=list)  # "GET /sandbox"
    responses: dict[str, ReceivedResponse] = field(default_factory=dict)  # by path
    hang_seconds: dict[str, float] = field(default_factory=dict)
    sandbox: str = ""  # the origin of a sandbox that it stands before
    # Whether it is the live service for a request: its number, method, path and body.
    is_live: Callable[[int, str, str, bytes], bool] = lambda *_: True


def as_sandbox(**changes: Any) -> ReceivedResponse:
    """What a sandbox answers to GET /sandbox, with changes."""
    return 200, JSON, json.dumps({**IDENTITY, **changes}).encode()


def problem(status: int, code: str, title: str) -> bytes:
    return json.dumps(
        {
            "type": f"/errors/#{code}",
            "title": title,
            "status": status,
            "detail": "This is what went wrong here.",
            "code": code,
            "request_id": "req_of_the_fake_service",
        }
    ).encode()


@contextmanager
def fake_live_service(agents: Any, **settings: Any) -> Iterator[FakeLiveService]:
    """A broken live service: it takes every POST outside the webhook for a call to place."""
    live = FakeLiveService(**settings)
    server = _Server(live, agents)
    live.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield live
    finally:
        server.stop.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, live: FakeLiveService, agents: Any) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.live = live
        self.agents = agents
        self.stop = threading.Event()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, *_: Any) -> None:
        pass

    def respond(self) -> None:
        # A client that gave up waiting has closed the connection.
        with suppress(BrokenPipeError, ConnectionResetError):
            self._respond()

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_TRACE = respond  # noqa: N815

    def _respond(self) -> None:
        live = self.server.live
        live.requests.append(f"{self.command} {self.path}")
        self.server.stop.wait(live.hang_seconds.get(self.path, 0))
        body = self._body()
        if not live.is_live(len(live.requests), self.command, self.path, body):
            self._pass_on(body)
        elif self.path in live.responses:
            self._send(*live.responses[self.path])
        else:
            self._send(*self._as_the_service(body))

    def _as_the_service(self, body: bytes) -> ReceivedResponse:
        if self.command not in ("GET", "HEAD") and "webhooks" not in self.path:
            self.server.live.dials.append(body)
            location = {"Location": f"/v1/calls/{CALL_ID}"}
            return 201, location, json.dumps({"call_id": CALL_ID}).encode()
        if self.path == "/v1/agents":
            return 200, {}, json.dumps(self.server.agents).encode()
        if self.path.endswith(CALL_ID):
            call = {"call_id": CALL_ID, "status": "queued", "transcript": None, "duration": None}
            return 200, {}, json.dumps(call).encode()
        return 404, {}, problem(404, "not_found", "No such path")

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.send_header("X-Request-Id", f"req_{time.monotonic_ns()}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            return self._chunks()
        return self._whole(int(self.headers.get("Content-Length") or 0))

    def _whole(self, length: int) -> bytes:
        """The body, or nothing where less comes than was declared."""
        self.connection.settimeout(BODY_SECONDS)
        try:
            return self.rfile.read(length)
        except TimeoutError:
            self.close_connection = True
            return b""
        finally:
            self.connection.settimeout(None)

    def _chunks(self) -> bytes:
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _pass_on(self, body: bytes) -> None:
        where = urlsplit(self.server.live.sandbox).netloc
        with closing(http.client.HTTPConnection(where, timeout=10)) as connection:
            connection.putrequest(self.command, self.path, skip_host=True)
            for name, value in self.headers.items():
                if name.lower() != "transfer-encoding":
                    connection.putheader(name, value)
            connection.endheaders(body)
            response = connection.getresponse()
            content = response.read()
        self.send_response_only(response.status)
        for name, value in response.getheaders():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)
