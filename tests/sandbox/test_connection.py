"""One connection: its limits on real sockets, and what it takes from a request."""

import re
import resource
import secrets
import signal
import socket
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx2
import pytest
import uvicorn
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from sandbox_process import SandboxServer, start_sandbox

from .conftest import new_call

TOKEN = b"Authorization: Bearer sandbox_connection\r\n"
GET = b"GET /v1/agents HTTP/1.1\r\nHost: x\r\n" + TOKEN
POST = b"POST /v1/calls HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" + TOKEN
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
STREAM = GET.replace(b"/v1/agents", b"/sandbox/journal/stream")
LAST = b"Connection: close\r\n\r\n"
ORIGIN = "https://docs.example.com"
LIMIT_SECONDS = 30
GROWTH_LIMIT_MB = 16
SENT_LIMIT_BYTES = 48 * 1024 * 1024


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxServer]:
    """A sandbox as it ships."""
    with start_sandbox(tmp_path_factory.mktemp("connection")) as server:
        yield server


@contextmanager
def connected(server: SandboxServer) -> Iterator[socket.socket]:
    """A socket to the server."""
    address = ("127.0.0.1", httpx2.URL(server.url).port)
    with socket.create_connection(address, timeout=LIMIT_SECONDS) as connection:
        yield connection


def received(connection: socket.socket) -> bytes:
    """Everything until the server closes."""
    chunks = []
    while chunk := connection.recv(65536):
        chunks.append(chunk)
    return b"".join(chunks)


def statuses(response: bytes) -> list[int]:
    """The status of each response."""
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", response)]


def exchanged(server: SandboxServer, request: bytes) -> bytes:
    """What is sent back to the bytes of one or more requests."""
    with connected(server) as connection:
        connection.sendall(request)
        return received(connection)


def resident_mb(server: SandboxServer) -> float:
    """The memory of the server."""
    statm = Path(f"/proc/{server.process.pid}/statm")
    if not statm.is_file():
        pytest.skip("Only Linux shows the memory of a process, in /proc.")
    return int(statm.read_text().split()[1]) * resource.getpagesize() / 1e6


def grows_by(server: SandboxServer, begin: bytes, piece: bytes) -> float:
    """The megabytes that the server grows by while pieces are sent and nothing is read."""
    before = peak = resident_mb(server)
    with connected(server) as connection:
        connection.settimeout(2)
        connection.sendall(begin)
        try:
            for _ in range(SENT_LIMIT_BYTES // len(piece)):
                connection.sendall(piece)
                peak = max(peak, resident_mb(server))
        except (TimeoutError, BrokenPipeError, ConnectionResetError):
            pass  # the server takes no more, which is what is wanted
        peak = max(peak, resident_mb(server))
    return peak - before


# What nobody reads

ENDLESS = {
    "trailers": (CHUNKED + b"2\r\n{}\r\n0\r\n", b"X-Note: abcdefgh\r\n" * 4000),
    "a trailer": (CHUNKED + b"2\r\n{}\r\n0\r\nX-Note: ", b"a" * 65536),
    "a trailer's name": (CHUNKED + b"2\r\n{}\r\n0\r\n", b"a" * 65536),
    "trailers without a body": (CHUNKED + b"0\r\n", b"X-Note: abcdefgh\r\n" * 4000),
    "trailers of a rejected request": (
        CHUNKED.replace(TOKEN, b"") + b"2\r\n{}\r\n0\r\n",
        b"X-Note: abcdefgh\r\n" * 4000,
    ),
    "a chunk's extension": (CHUNKED + b"2;a=", b"a" * 65536),
    "chunks of one byte": (CHUNKED, b"1\r\n \r\n" * 10_000),
    "pipelined requests": (b"", (GET + b"\r\n") * 500),
    "pipelined requests of 27 bytes": (b"", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 2000),
    "pipelined requests with bodies": (b"", (POST + b"Content-Length: 2\r\n\r\n{}") * 300),
    "pipelined requests in chunks": (b"", (CHUNKED + b"2\r\n{}\r\n0\r\n\r\n") * 300),
    "empty lines": (b"", b"\r\n" * 30_000),
    "a body that is too large": (POST + b"Content-Length: 999999999\r\n\r\n", b" " * 65536),
}


@pytest.mark.parametrize("kind", ENDLESS)
def test_nothing_that_is_sent_piles_up(server: SandboxServer, kind: str) -> None:
    """However much one client sends, the server's memory stays as it is."""
    assert grows_by(server, *ENDLESS[kind]) < GROWTH_LIMIT_MB


@pytest.mark.parametrize("kind", [kind for kind in ENDLESS if "trailer" in kind])
def test_trailers_without_end_are_rejected(server: SandboxServer, kind: str) -> None:
    """Trailers longer than a head may be are 431, unless the response was sent already."""
    begin, piece = ENDLESS[kind]
    with connected(server) as connection:
        connection.sendall(begin)
        connection.sendall(piece[:40_000])
        answered = statuses(received(connection))
    assert answered == [431] or ("rejected" in kind and answered == [401])


@pytest.mark.parametrize("size", [1, 2, 7])
def test_small_chunks_are_limited(server: SandboxServer, size: int) -> None:
    """Chunks that are mostly framing are rejected long before the limit of the body."""
    chunk = b"%x\r\n%b\r\n" % (size, b" " * size)
    with connected(server) as connection:
        connection.sendall(CHUNKED)
        try:
            connection.sendall(chunk * 40_000)
        except (BrokenPipeError, ConnectionResetError):
            pytest.fail("the connection was reset before the response could be read")
        assert statuses(received(connection)) == [413]


@pytest.mark.parametrize("size", [1, 64, 4096])
def test_body_in_chunks_is_the_same_body(server: SandboxServer, size: int) -> None:
    """How a client cuts its body changes nothing, while the chunks are of an ordinary size."""
    body = b'{"phone": "+12025550100", "agent": "%b"}' % (b"a" * (20 if size == 1 else 9000))
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    request = CHUNKED + chunks + b"0\r\n\r\n" + GET + LAST
    assert statuses(exchanged(server, request)) == [422, 200]


# Trailers

TRAILERS = [
    b"Host: y\r\n",
    b"Host: y\r\nHost: z\r\n",
    b"Connection: close\r\n",
    b"Connection: Upgrade\r\nUpgrade: websocket\r\n",
    b"Connection: keep-alive\r\n",
    b"Expect: 100-continue\r\n",
    b"Authorization: Bearer live\r\n",
    b"Keep-Alive: timeout=0\r\n",
]


@pytest.mark.parametrize("trailers", TRAILERS)
@pytest.mark.parametrize("piece", [1, 10_000], ids=["byte by byte", "at once"])
def test_trailers_change_nothing(server: SandboxServer, trailers: bytes, piece: int) -> None:
    """Whatever stands behind a body, this request and the next one are as without it."""
    request = CHUNKED + b"2\r\n{}\r\n0\r\n" + trailers + b"\r\n" + (GET + b"\r\n") * 2 + GET + LAST
    with connected(server) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start in range(0, len(request), piece):
            connection.sendall(request[start : start + piece])
        assert statuses(received(connection)) == [422, 200, 200, 200]


# Heads


LONG = 3 * 1024 * 1024
DECLARED = POST + b"Content-Length: %d\r\n\r\n" % LONG


@pytest.mark.parametrize(
    ("head", "sent"),
    [
        *((DECLARED, sent) for sent in (0, 1024, 200_000, LONG)),
        # A body in chunks is not too long before it is.
        *((CHUNKED, sent) for sent in (200_000, LONG)),
    ],
)
def test_response_before_a_long_body_says_that_it_is_the_last(
    server: SandboxServer, head: bytes, sent: int
) -> None:
    """However much of it comes, the client reads its 413 and learns that the connection ends."""
    body = b"x" * sent if head is DECLARED else b"%x\r\n" % LONG + b"x" * sent
    for _ in range(10):
        with connected(server) as connection:
            connection.sendall(head)
            for start in range(0, len(body), 65536):
                try:
                    connection.sendall(body[start : start + 65536])
                except (BrokenPipeError, ConnectionResetError):
                    break
            response = received(connection)
        assert statuses(response) == [413]
        assert b"\r\nconnection: close\r\n" in response.lower()


def test_response_before_a_short_body_keeps_the_connection(server: SandboxServer) -> None:
    """What is short is read to its end, and the next request is answered."""
    with connected(server) as connection:
        connection.sendall(POST.replace(b"json", b"xml") + b"Content-Length: 4\r\n\r\n")
        first = connection.recv(65536)
        connection.sendall(b"{}  " + GET + LAST)
        assert statuses(first + received(connection)) == [415, 200]


@pytest.mark.parametrize("space", [b" ", b"\t", b" \t "], ids=["space", "tab", "both"])
def test_white_space_around_a_value_is_no_part_of_it(server: SandboxServer, space: bytes) -> None:
    """Each header means the same with spaces and tabs before and after its value."""
    key = b"sandbox_" + secrets.token_hex(8).encode()
    body = httpx2.Request("POST", "http://x", json=new_call()).content
    headers = {
        b"Host": b"x",
        b"Authorization": b"Bearer " + key,
        b"Content-Type": b"application/json",
        b"Content-Encoding": b"identity",
        b"Content-Length": b"%d" % len(body),
        b"Idempotency-Key": b"one",
        b"Prefer": b"delay=1",
        b"Connection": b"close",
    }
    lines = [name + b":" + space + value + space for name, value in headers.items()]
    request = b"\r\n".join([b"POST /v1/calls HTTP/1.1", *lines, b"", b""]) + body
    first, second = exchanged(server, request), exchanged(server, request)
    assert (statuses(first), b"preference-applied: delay=1\r\n" in first) == ([201], True)
    assert b"idempotent-replayed: true" in second.lower()


@pytest.mark.parametrize("method", ["FOO", "get", "M-X.1", "PATCH", "QUERY"])
def test_method_that_no_path_takes_is_405(server: SandboxServer, method: str) -> None:
    """A method that nobody knows is rejected as one that is only not allowed here."""
    response = exchanged(server, GET.replace(b"GET", method.encode()) + LAST)
    assert statuses(response) == [405]
    assert b"allow: GET, HEAD\r\n" in response
    assert b'"code":"method_not_allowed"' in response


def test_request_of_http_1_0_is_sent_no_chunks(server: SandboxServer) -> None:
    """A stream to a client of HTTP/1.0 lasts until the connection ends (RFC 9112, 6.1)."""
    key = b"sandbox_" + secrets.token_hex(8).encode()
    with connected(server) as connection:
        stream = STREAM.replace(b"sandbox_connection", key).replace(b"HTTP/1.1", b"HTTP/1.0")
        connection.sendall(stream + b"\r\n")
        httpx2.get(f"{server.url}/v1/agents", headers={"Authorization": f"Bearer {key.decode()}"})
        response = b""
        while b"data:" not in response:
            response += connection.recv(65536)
    head, _, events = response.partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in head.lower()
    assert events.startswith((b"id:", b"event:", b"data:", b":", b"retry:"))


@pytest.mark.parametrize("path", ["/v1/agents", "/sandbox", "/healthz"])
def test_response_to_http_1_0_ends_the_connection(server: SandboxServer, path: str) -> None:
    """A client of HTTP/1.0 gets the same response, and then the end."""
    request = GET.replace(b"/v1/agents", path.encode()).replace(b"HTTP/1.1", b"HTTP/1.0")
    head, _, body = exchanged(server, request + b"\r\n").partition(b"\r\n\r\n")
    assert statuses(head) == [200]
    assert f"content-length: {len(body)}".encode() in head


# Pages of other origins


def test_preflight_allows_any_header(tmp_path: Path) -> None:
    """A page whose tracing adds headers of its own can call the sandbox."""
    names = "authorization, traceparent, tracestate, baggage, x-anything"
    with start_sandbox(tmp_path, "--cors-origin", ORIGIN) as server:
        for method in ("GET", "POST", "PUT", "DELETE"):
            asked = {
                "Origin": ORIGIN,
                "Access-Control-Request-Method": method,
                "Access-Control-Request-Headers": names,
            }
            response = httpx2.options(f"{server.url}/v1/calls", headers=asked)
            assert response.status_code == 200
            assert response.headers["access-control-allow-headers"] == names
            assert method in response.headers["access-control-allow-methods"]


REJECTED_BEFORE_ROUTING = {
    "long head": GET + b"X-Note: " + b"a" * 40_000,
    "long head, origin last": GET
    + b"X-Note: %b\r\nORIGIN:  %b \r\nA: " % (b"a" * 33_000, ORIGIN.encode()),
    "no host": GET.replace(b"Host: x\r\n", b"") + b"\r\n",
    "small chunks": CHUNKED + b"1\r\n \r\n" * 40_000,
}


@pytest.mark.parametrize("origin", [ORIGIN, "https://elsewhere.example.com"])
@pytest.mark.parametrize("kind", REJECTED_BEFORE_ROUTING)
def test_page_can_read_what_is_rejected_before_routing(
    tmp_path: Path, kind: str, origin: str
) -> None:
    """A response of the connection itself is for the pages of the named origins too."""
    request = REJECTED_BEFORE_ROUTING[kind].replace(ORIGIN.encode(), origin.encode())
    request = request.replace(TOKEN, TOKEN + b"Origin: %b\r\n" % origin.encode())
    with start_sandbox(tmp_path, "--cors-origin", ORIGIN) as server:
        response = exchanged(server, request)
    assert statuses(response)[0] >= 400
    allowed = f"access-control-allow-origin: {ORIGIN}\r\n".encode()
    assert (allowed in response) == (origin == ORIGIN)


# Too many connections


@contextmanager
def overloaded(folder: Path, *options: str) -> Iterator[SandboxServer]:
    """A sandbox whose connections are all in use."""
    with start_sandbox(folder, "--max-connections", "2", *options) as server, ExitStack() as stack:
        for _ in range(2):
            connection = stack.enter_context(connected(server))
            connection.sendall(STREAM + b"\r\n")
            assert statuses(connection.recv(65536)) == [200]
        yield server


@pytest.mark.parametrize("others", [0, 1, 5], ids=["just full", "some wait", "far too many"])
def test_health_is_told_when_all_connections_are_in_use(tmp_path: Path, others: int) -> None:
    """A deployment that is only busy is not restarted for it."""
    with overloaded(tmp_path) as server, ExitStack() as stack:
        for _ in range(others):
            stack.enter_context(connected(server))
        for path in ("/healthz", "/readyz"):
            response = httpx2.get(f"{server.url}{path}")
            assert (response.status_code, response.headers["connection"]) == (200, "close")
        rejected = httpx2.get(f"{server.url}/v1/agents")
        assert (rejected.status_code, rejected.headers["connection"]) == (429, "close")


def test_page_can_read_that_there_are_too_many_connections(tmp_path: Path) -> None:
    """The 429 of a connection too many is for the pages of the named origins too."""
    with overloaded(tmp_path, "--cors-origin", ORIGIN) as server:
        response = httpx2.get(f"{server.url}/v1/agents", headers={"Origin": ORIGIN})
        asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "GET"}
        preflight = httpx2.options(f"{server.url}/v1/agents", headers=asked)
    assert response.status_code == 429
    assert response.headers["access-control-allow-origin"] == ORIGIN
    assert preflight.status_code == 200


def test_descriptors_at_their_limit_are_logged(tmp_path: Path) -> None:
    """Where no file can be opened, the log says so, clients wait, and all are served in the end."""
    if sys.platform != "linux":
        pytest.skip("Only Linux changes the limits of another process, with prlimit.")
    with start_sandbox(tmp_path) as server:
        httpx2.get(f"{server.url}/healthz")
        pid = server.process.pid
        used = len(list(Path(f"/proc/{pid}/fd").iterdir()))
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + 4, used + 4))
        connections = [
            socket.create_connection(("127.0.0.1", httpx2.URL(server.url).port), LIMIT_SECONDS)
            for _ in range(12)
        ]
        while "new connections wait" not in server.log_path.read_text():
            assert server.process.poll() is None
        for connection in connections:
            connection.sendall(GET + LAST)
        for connection in connections:
            assert statuses(received(connection)) == [200]
            connection.close()
        assert server.log_path.read_text().count("new connections wait") < 10


# The end


def test_drain_resets_no_busy_connection(tmp_path: Path) -> None:
    """Clients that send one request after the other lose none of them to a stop."""
    with start_sandbox(tmp_path) as server, ThreadPoolExecutor() as pool:
        lost = [pool.submit(_lost_requests, server.url) for _ in range(8)]
        httpx2.get(f"{server.url}/v1/agents")
        server.process.send_signal(signal.SIGTERM)
        assert [future.result(LIMIT_SECONDS) for future in lost] == [[]] * 8
        assert server.process.wait(LIMIT_SECONDS) == 0


def _lost_requests(url: str) -> list[str]:
    """What went wrong until nobody listens any more; a new connection may be rejected."""
    lost: list[str] = []
    headers = {"Authorization": "Bearer sandbox_drain"}
    with httpx2.Client(base_url=url, headers=headers, timeout=LIMIT_SECONDS) as client:
        while True:
            try:
                client.get("/v1/agents")
            except httpx2.ConnectError:
                return lost
            except httpx2.TransportError as error:
                lost.append(repr(error))


# uvicorn

OVERRIDDEN = {
    HttpToolsProtocol: (
        *("connection_made", "connection_lost", "data_received", "eof_received", "shutdown"),
        *("on_message_begin", "on_header", "on_headers_complete", "on_body", "on_url"),
        *("on_message_complete", "on_response_complete", "pause_writing", "resume_writing"),
        *("_start_asgi_task", "timeout_keep_alive_handler"),
    ),
    RequestResponseCycle: ("send", "receive", "run_asgi"),
    FlowControl: ("pause_reading", "resume_reading", "drain"),
    uvicorn.Server: ("startup", "shutdown", "handle_exit", "on_tick", "serve", "main_loop"),
}
USED = (
    *("access_log", "access_logger", "app", "app_state", "asgi_version", "client", "connections"),
    *("cycle", "expect_100_continue", "flow", "headers", "logger", "loop", "parser", "pipeline"),
    *("root_path", "scheme", "server", "server_state", "tasks", "timeout_keep_alive_task"),
    "transport",
)


@pytest.mark.anyio
async def test_names_of_uvicorn_exist() -> None:
    """What is overridden or used of uvicorn, which promises none of it, is there."""
    missing = [
        f"{owner.__name__}.{name}"
        for owner, names in OVERRIDDEN.items()
        for name in names
        if not hasattr(owner, name)
    ]
    config = uvicorn.Config(_no_application, http="httptools", log_config=None)
    protocol = HttpToolsProtocol(config, ServerState(), {})
    missing += [name for name in USED if not hasattr(protocol, name)]
    assert missing == []


async def _no_application(scope: object, receive: object, send: object) -> None:
    """An ASGI application that is never called."""
