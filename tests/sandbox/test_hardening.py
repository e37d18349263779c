"""Hostile clients, as bytes on real sockets: rejected, bounded, and of no harm to anybody else."""

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from sandbox_process import ROOT, SandboxServer, start_sandbox
from voice_sandbox.cli.main import serve

from .conftest import CONTRACT, assert_conforms, new_call
from .test_cli import free_port

KEY = "sandbox_hardening"
TOKEN = f"Authorization: Bearer {KEY}\r\n".encode()
POST = b"POST /v1/calls HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" + TOKEN
GET = b"GET /v1/agents HTTP/1.1\r\nHost: x\r\n" + TOKEN
SECOND = b"GET /sandbox HTTP/1.1\r\nHost: x\r\n\r\n"
PATIENCE_SECONDS = 60


@contextmanager
def connected(server: SandboxServer) -> Iterator[socket.socket]:
    """A socket to the server."""
    port = httpx2.URL(server.url).port
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS) as connection:
        yield connection


def until_closed(connection: socket.socket) -> bytes:
    """Everything that is still sent before the server closes."""
    received = b""
    try:
        while chunk := connection.recv(65536):
            received += chunk
    except ConnectionResetError:
        pass
    return received


def statuses(received: bytes) -> list[int]:
    """The status of each response."""
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", received)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxServer]:
    """A sandbox as it ships."""
    with start_sandbox(tmp_path_factory.mktemp("hardening")) as server:
        yield server


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxServer]:
    """A sandbox with little patience."""
    options = ["--request-seconds", "0.5", "--keep-alive-seconds", "0.5", "--stall-seconds", "0.5"]
    with start_sandbox(tmp_path_factory.mktemp("strict"), *options) as server:
        yield server


# Requests that two readers could read differently

SMUGGLED = {
    "length and chunked": POST
    + b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked and length": POST
    + b"Transfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n0\r\n\r\n",
    "two lengths": POST + b"Content-Length: 0\r\nContent-Length: 36\r\n\r\n",
    "the same length twice": POST + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
    "list of lengths": POST + b"Content-Length: 2, 2\r\n\r\n{}",
    "signed length": POST + b"Content-Length: +2\r\n\r\n{}",
    "negative length": POST + b"Content-Length: -1\r\n\r\n",
    "hexadecimal length": POST + b"Content-Length: 0x2\r\n\r\n{}",
    "empty length": POST + b"Content-Length: \r\n\r\n",
    "length beyond numbers": POST + b"Content-Length: 99999999999999999999999\r\n\r\n",
    "folded header": GET + b"X-Note: one\r\n two\r\n\r\n",
    "folded encoding": POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "bare line feeds": b"GET /v1/agents HTTP/1.1\nHost: x\n\n",
    "one bare line feed": b"GET /v1/agents HTTP/1.1\r\nHost: x\nX-Note: y\r\n\r\n",
    "bare carriage return": b"GET /v1/agents HTTP/1.1\r\nHost: x\rX-Note: y\r\n\r\n",
    "line feed in a chunk extension": POST
    + b"Transfer-Encoding: chunked\r\n\r\n2;a=\nb\r\n{}\r\n0\r\n\r\n",
    "chunks with bare line feeds": POST + b"Transfer-Encoding: chunked\r\n\r\n2\n{}\n0\n\n",
    "negative chunk": POST + b"Transfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n",
    "chunk beyond numbers": POST + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 18 + b"\r\n{}",
    "space after a chunk's size": POST + b"Transfer-Encoding: chunked\r\n\r\n2 \r\n{}\r\n0\r\n\r\n",
    "unknown encoding": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "no encoding": POST + b"Transfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "chunked but not last": POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "two encodings": POST
    + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "space before the colon": POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "space before a length's colon": POST + b"Content-Length : 2\r\n\r\n{}",
    "vertical tab in an encoding": POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "NUL in a header": GET + b"X-Note: a\0b\r\n\r\n",
    "header without a name": GET + b": y\r\n\r\n",
    "no host": b"GET /v1/agents HTTP/1.1\r\n" + TOKEN + b"\r\n",
    "two hosts": GET + b"Host: y\r\n\r\n",
    "tunnel": b"CONNECT voice.example:443 HTTP/1.1\r\nHost: x\r\n\r\n",
    "space before the method": b" " + GET + b"\r\n",
    "tabs between the words": GET.replace(b" /v1/agents ", b"\t/v1/agents\t") + b"\r\n",
    "no version": b"GET /v1/agents\r\n\r\n",
    "another version": GET.replace(b"HTTP/1.1", b"HTTP/1.2") + b"\r\n",
    "an older version": GET.replace(b"HTTP/1.1", b"HTTP/0.9") + b"\r\n",
    "a newer version": GET.replace(b"HTTP/1.1", b"HTTP/2.0") + b"\r\n",
    "version in small letters": GET.replace(b"HTTP/1.1", b"http/1.1") + b"\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "two spaces before the target": GET.replace(b"GET ", b"GET  ") + b"\r\n",
    "two spaces before the version": GET.replace(b" HTTP", b"  HTTP") + b"\r\n",
    "space after the version": GET.replace(b"HTTP/1.1", b"HTTP/1.1 ") + b"\r\n",
    "space in the target": GET.replace(b"/v1/agents", b"/v1/agents x") + b"\r\n",
    "fragment in the target": GET.replace(b"/v1/agents", b"/v1/agents#x") + b"\r\n",
    "target that is no ASCII": GET.replace(b"/v1/agents", "/é".encode()) + b"\r\n",
    "encoding before chunked": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "encoding in a line before": POST
    + b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked twice": POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "chunked with a parameter": POST + b"Transfer-Encoding: chunked;a=b\r\n\r\n0\r\n\r\n",
    "empty encoding": POST + b"Transfer-Encoding: \r\n\r\n",
    "empty member of an encoding": POST + b"Transfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n",
    "chunked in HTTP/1.0": POST.replace(b"HTTP/1.1", b"HTTP/1.0")
    + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "empty host": GET.replace(b"Host: x", b"Host: ") + b"\r\n",
    "host of white space": GET.replace(b"Host: x", b"Host: \t ") + b"\r\n",
    "host with a path": GET.replace(b"Host: x", b"Host: x/y") + b"\r\n",
    "host with a user": GET.replace(b"Host: x", b"Host: a@x") + b"\r\n",
    "two hosts in one line": GET.replace(b"Host: x", b"Host: x y") + b"\r\n",
    "host with a scheme": GET.replace(b"Host: x", b"Host: http://x") + b"\r\n",
    "host with a broken port": GET.replace(b"Host: x", b"Host: x:80a") + b"\r\n",
    "host that is no ASCII": GET.replace(b"Host: x", "Host: é".encode()) + b"\r\n",
    "host with an open bracket": GET.replace(b"Host: x", b"Host: [::1") + b"\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
}


@pytest.mark.parametrize("shape", SMUGGLED)
def test_doubtful_request_ends_the_connection(server: SandboxServer, shape: str) -> None:
    """What a proxy could read another way is 400, and nothing after it is ever read."""
    with connected(server) as connection:
        connection.sendall(SMUGGLED[shape] + SECOND)
        assert statuses(until_closed(connection)) == [400]


@pytest.mark.parametrize("shape", SMUGGLED)
def test_doubtful_request_ends_the_connection_after_others(
    server: SandboxServer, shape: str
) -> None:
    """What came before a doubtful request has its response, what comes after it has none."""
    with connected(server) as connection:
        connection.sendall(GET + b"\r\n" + SMUGGLED[shape] + SECOND)
        assert statuses(until_closed(connection)) == [200, 400]


HOSTS = ["x", "x:", "a.b-c_d.example:8010", "127.0.0.1:8010", "[::1]:8010", "a%20b", "EXAMPLE.com."]


@pytest.mark.parametrize("host", HOSTS)
def test_host_is_accepted(server: SandboxServer, host: str) -> None:
    """What RFC 3986 calls a host, with or without a port, is one."""
    with connected(server) as connection:
        request = GET.replace(b"Host: x", b"Host: " + host.encode())
        connection.sendall(request + b"Connection: close\r\n\r\n")
        assert statuses(until_closed(connection)) == [200]


def test_chunk_extensions_change_nothing(server: SandboxServer) -> None:
    """A body in chunks is the same body, whatever extensions the chunks carry."""
    extended = b"1;a=b\r\n{\r\n1;c\r\n}\r\n0\r\n\r\n"
    with connected(server) as connection:
        connection.sendall(POST + b"Transfer-Encoding: chunked\r\n\r\n" + extended)
        connection.sendall(GET + b"Connection: close\r\n\r\n")
        assert statuses(until_closed(connection)) == [422, 200]


def test_trailers_are_no_headers(server: SandboxServer) -> None:
    """Who has no token gets none by sending it after the body."""
    with connected(server) as connection:
        # In one piece: a head that arrives alone is rejected, and ends the connection, before the
        # body that follows has an end.
        head = POST.replace(TOKEN, b"") + b"Transfer-Encoding: chunked\r\n\r\n"
        body = b"2\r\n{}\r\n0\r\n" + TOKEN + b"\r\n"
        connection.sendall(head + body + GET + b"Connection: close\r\n\r\n")
        assert statuses(until_closed(connection)) == [401, 200]


def test_upgrade_is_ignored(server: SandboxServer) -> None:
    """Clients that offer HTTP/2 or a WebSocket are answered in HTTP/1.1, again and again."""
    offer = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n"
    socket_offer = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    with connected(server) as connection:
        connection.sendall((GET + offer + b"\r\n") * 3 + (GET + socket_offer + b"\r\n") * 2)
        connection.sendall(POST + offer + b"Content-Length: 2\r\n\r\n{}")
        connection.sendall(GET + b"Connection: close\r\n\r\n")
        assert statuses(until_closed(connection)) == [200] * 5 + [422, 200]


def test_nothing_is_read_after_close(server: SandboxServer) -> None:
    """A request that ends the connection is the last one of it."""
    with connected(server) as connection:
        connection.sendall(GET + b"Connection: close\r\n\r\n" + SECOND)
        assert statuses(until_closed(connection)) == [200]


@pytest.mark.parametrize(
    ("token", "answered"), [(TOKEN, [100, 422]), (b"Authorization: Bearer live\r\n", [401])]
)
def test_who_waits_to_send_a_body_gets_one_response(
    server: SandboxServer, token: bytes, answered: list[int]
) -> None:
    """After `Expect: 100-continue` nobody guesses whether what comes next is the body."""
    with connected(server) as connection:
        connection.sendall(POST.replace(TOKEN, token) + b"Expect: 100-continue\r\n")
        connection.sendall(b"Content-Length: 2\r\n\r\n")
        received = connection.recv(65536)
        if answered[0] == 100:
            connection.sendall(b"{}")
        received += until_closed(connection)
        assert statuses(received) == answered


# Heads without end


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        GET + b"X-Note: " + b"a" * 40_000 + b"\r\n\r\n",
        GET + b"X-Note: a\r\n" * 4_000 + b"\r\n",
    ],
    ids=["path", "header", "headers"],
)
@pytest.mark.parametrize("piece", [100_000, 1_000], ids=["at once", "in pieces"])
def test_head_without_end_is_rejected(server: SandboxServer, head: bytes, piece: int) -> None:
    """A head over the limit is 431, as soon as so much of it has arrived."""
    with connected(server) as connection:
        try:
            for start in range(0, len(head), piece):
                connection.sendall(head[start : start + piece])
        except (BrokenPipeError, ConnectionResetError):
            pass  # it has closed already, which is what is wanted
        assert statuses(until_closed(connection)) in ([431], [])
    with connected(server) as connection:
        connection.sendall(head[:33_000])
        assert statuses(until_closed(connection)) == [431]


def test_long_body_is_no_long_head(server: SandboxServer) -> None:
    """The limit of heads leaves bodies alone, however requests are cut into pieces."""
    body = b'{"phone": "+12025550100", "agent": "' + b"a" * 60 + b'"}'
    request = POST + b"Content-Length: %d\r\n\r\n" % len(body) + body
    stream = request * 400 + GET + b"Connection: close\r\n\r\n"
    for piece in (len(stream), 9_973):
        with connected(server) as connection:
            received = b""
            for start in range(0, len(stream), piece):
                connection.sendall(stream[start : start + piece])
            received = until_closed(connection)
        assert statuses(received) == [422] * 400 + [200]


# Clients that take their time


@pytest.mark.parametrize(
    ("sent", "answered"),
    [
        (b"", []),
        (b"\r\n", []),
        (GET, [408]),
        (b"GE", [408]),
        (POST + b"Content-Length: 100\r\n\r\n{", [408]),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n", [408]),
        (GET + b"\r\n", [200]),
        (GET + b"\r\n\r\n", [200]),
        (GET + b"\r\n" + GET, [200, 408]),
        (POST + b"Content-Length: 900000000\r\n\r\n{", [413]),
    ],
    ids=[
        *("silence", "empty line", "open head", "open method", "open body", "open chunks"),
        *("idle", "idle but for an empty line", "open second head", "refused body"),
    ],
)
def test_slow_request_is_given_up(strict: SandboxServer, sent: bytes, answered: list[int]) -> None:
    """Whatever a client stops in the middle of, the connection ends by itself."""
    with connected(strict) as connection:
        connection.sendall(sent)
        assert statuses(until_closed(connection)) == answered


def test_request_in_drops_is_given_up(strict: SandboxServer) -> None:
    """A byte now and then buys no time (slowloris)."""
    with connected(strict) as connection:
        connection.settimeout(0.05)
        received = b""
        for byte in (GET + b"X-Note: " + b"a" * 10_000)[:1000]:
            try:
                connection.sendall(bytes([byte]))
                received = connection.recv(1000)
                break
            except TimeoutError:
                continue
            except (BrokenPipeError, ConnectionResetError):
                break
        else:
            pytest.fail("a thousand drops were taken")
        assert statuses(received) in ([408], [])


def test_reader_that_takes_nothing_is_cut_off(strict: SandboxServer) -> None:
    """Answers that nobody reads do not pile up: the connection ends."""
    with connected(strict) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        pipelined = (GET.replace(b"/v1/agents", b"/sandbox/journal/har") + b"\r\n") * 200
        with httpx2.Client(base_url=strict.url, headers={"Authorization": f"Bearer {KEY}"}) as busy:
            for _ in range(200):
                busy.get("/v1/agents")
        # Sending what is not read goes on until the server has cut off; then it fails.
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            _send_again_and_again(connection, pipelined)


def test_stream_that_nobody_reads_is_cut_off(strict: SandboxServer) -> None:
    """Live events wait for a slow reader only as long as the limit says, and then end."""
    key = "sandbox_stream"
    follow = GET.replace(b"/v1/agents", b"/sandbox/journal/stream")
    follow = follow.replace(KEY.encode(), key.encode())
    with (
        socket.socket() as connection,
        httpx2.Client(base_url=strict.url, headers={"Authorization": f"Bearer {key}"}) as busy,
    ):
        busy.timeout = PATIENCE_SECONDS
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", httpx2.URL(strict.url).port))
        connection.sendall(follow + b"\r\n")
        for _ in range(5000):  # each is an event of some kilobytes
            busy.post("/v1/calls", json={**new_call(), "note": "x" * 8000})
            try:
                connection.sendall(b"\r\n")
            except (BrokenPipeError, ConnectionResetError):
                break  # nobody is there any more
        else:
            pytest.fail("a reader that takes nothing was waited for without end")


def _send_again_and_again(connection: socket.socket, request: bytes) -> None:
    for _ in range(10_000):
        connection.sendall(request)


def test_others_are_served_meanwhile(strict: SandboxServer) -> None:
    """Two hundred clients that send half a head each hinder nobody."""
    port = httpx2.URL(strict.url).port
    slow = [socket.create_connection(("127.0.0.1", port)) for _ in range(200)]
    try:
        for connection in slow:
            connection.sendall(GET)
        response = httpx2.get(f"{strict.url}/v1/agents", headers={"Authorization": f"Bearer {KEY}"})
        assert response.status_code == 200
    finally:
        for connection in slow:
            connection.close()


# Connections


STREAM = GET.replace(b"/v1/agents", b"/sandbox/journal/stream") + b"\r\n"


def test_one_connection_too_many_is_told_to_wait(tmp_path: Path) -> None:
    """Where all connections are busy a further one gets the contract's 429, until there is room."""
    with (
        start_sandbox(tmp_path, "--max-connections", "2") as server,
        httpx2.Client(base_url=server.url, headers={"Authorization": f"Bearer {KEY}"}) as third,
    ):
        with connected(server) as first, connected(server) as second:
            for connection in (first, second):
                connection.sendall(STREAM)
                assert statuses(connection.recv(65536)) == [200]
            rejected = third.get("/v1/agents")
            assert_conforms(CONTRACT, rejected)
            assert (rejected.status_code, rejected.headers["connection"]) == (429, "close")
            # More than twice as many are not even told.
            with connected(server) as fourth, connected(server) as fifth, connected(server) as last:
                fourth.sendall(b"G")
                fifth.sendall(b"G")
                last.sendall(GET + b"\r\n")
                assert statuses(until_closed(last)) in ([429], [])
        while third.post("/v1/calls", json=new_call()).status_code == 429:
            pass
        assert third.get("/v1/agents").status_code == 200


def test_idle_connection_makes_room(tmp_path: Path) -> None:
    """Connections that only wait for a next request keep nobody out: one of them is closed."""
    with (
        start_sandbox(tmp_path, "--max-connections", "2") as server,
        connected(server) as first,
        connected(server) as second,
    ):
        for connection in (first, second):
            connection.sendall(GET + b"\r\n")
            assert statuses(connection.recv(65536)) == [200]
        with connected(server) as third:
            third.sendall(GET + b"Connection: close\r\n\r\n")
            assert statuses(until_closed(third)) == [200]
        still_open: list[int] = []
        for connection in (first, second):
            try:
                connection.sendall(GET + b"Connection: close\r\n\r\n")
                still_open += statuses(until_closed(connection))
            except BrokenPipeError:
                continue
        assert still_open == [200]


def test_limit_of_connections_can_be_reached(tmp_path: Path) -> None:
    """A sandbox that may serve 1500 clients has room for them, whatever the shell allows."""
    command = (
        'ulimit -S -n 256; exec "$0" -u -m voice_sandbox serve --port 0 --max-connections 1500'
    )
    process = subprocess.Popen(
        ["bash", "-c", command, sys.executable],
        cwd=ROOT,
        env={**os.environ, "VOICE_SANDBOX_DATABASE": f"sqlite:///{tmp_path}/calls.db"},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        while "Ctrl+C" not in process.stdout.readline():
            assert process.poll() is None
        limits = Path(f"/proc/{process.pid}/limits")
        if not limits.is_file():
            pytest.skip("Only Linux shows the limits of a process, in /proc.")
        soft, hard = re.findall(r"Max open files +(\d+) +(\d+)", limits.read_text())[0]
        assert int(soft) >= min(3000, int(hard))
    finally:
        process.kill()
        process.communicate()


# Bodies


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "gzip, identity", "x"])
def test_compressed_body_is_rejected(server: SandboxServer, coding: str) -> None:
    """A small body that would become a large one is not unpacked."""
    response = httpx2.post(
        f"{server.url}/v1/calls",
        content=b"\x1f\x8b" + b"0" * 100,
        headers={
            "Authorization": f"Bearer {KEY}",
            "Content-Type": "application/json",
            "Content-Encoding": coding,
        },
    )
    assert (response.status_code, response.json()["code"]) == (415, "unsupported_media_type")


# Answers


@pytest.mark.parametrize("path", ["/v1/agents", "/sandbox", "/v1/nowhere", "/healthz", "/gone"])
def test_no_response_is_sniffed(server: SandboxServer, path: str) -> None:
    """A browser takes each response for what it says it is."""
    response = httpx2.get(f"{server.url}{path}")
    assert response.headers.get_list("x-content-type-options") == ["nosniff"]
    assert "server" not in response.headers


@pytest.mark.parametrize("path", ["/v1/agents", "/sandbox", "/v1/nowhere", "/gone", "/readyz"])
def test_no_response_is_kept(server: SandboxServer, path: str) -> None:
    """Neither a browser nor a proxy keeps what was true for one key at one moment."""
    response = httpx2.get(f"{server.url}{path}", headers={"Authorization": f"Bearer {KEY}"})
    assert response.headers["cache-control"] == "no-store"


# Secrets


def test_no_token_is_written_anywhere(tmp_path: Path) -> None:
    """After a run that met every kind of rejection, no token stands in log, database or metrics."""
    port = str(free_port())
    keys = tmp_path / "keys"
    secrets = ["sandbox_listed_secret", "sandbox_refused_secret", "live_secret_token"]
    keys.write_text(secrets[0])
    options = ["--metrics-port", port, "--keys-file", str(keys), "--max-calls", "3"]
    with start_sandbox(tmp_path, *options) as server:
        for token in secrets:
            headers = {"Authorization": f"Bearer {token}", "X-Api-Key": token, "Cookie": token}
            with httpx2.Client(base_url=server.url, headers=headers) as client:
                for _ in range(3):
                    client.post("/v1/calls", json=new_call())
                client.post("/v1/calls", json={"token": token})
                client.get(f"/v1/agents?token={token}")
                client.get(f"/sandbox/journal?text=x&api_key={token}")
                if token.startswith("sandbox_"):  # these are known wherever they stand
                    client.post("/v1/calls", json=new_call(), headers={"Idempotency-Key": token})
                    client.post("/v1/calls", json={"phone": token, "agent": token, token: 1})
                    client.post("/v1/calls", content=f"not JSON {token}")
                    client.get(f"/v1/calls/{token}")
                    client.get(f"/{token}?{token}")
                shown = client.get("/sandbox/journal/har").text
                assert token not in shown
        measured = httpx2.get(f"http://127.0.0.1:{port}/metrics").text
        log = server.log_path.read_text()
        files = {path.name: path.read_bytes() for path in tmp_path.glob("sandbox.db*")}
    files |= {path.name: path.read_bytes() for path in tmp_path.glob("sandbox.db*")}
    assert {"sandbox.db"} <= set(files)
    found = [
        (secret, name)
        for secret in secrets
        for name, content in {**files, "log": log.encode(), "metrics": measured.encode()}.items()
        if secret.encode() in content
    ]
    assert found == []


# Files


OUTSIDE = [
    "/../secret.txt",
    "/%2e%2e/secret.txt",
    "/%2e%2e%2fsecret.txt",
    "/..%5csecret.txt",
    "/%252e%252e/secret.txt",
    "/assets/..%2f..%2fsecret.txt",
    "//secret.txt",
    "/%00",
    "/secret.txt%00.html",
    "/%c0%ae%c0%ae/secret.txt",
    "/%ff%fe",
    "/C:%5csecret.txt",
    "/" + "a" * 5000,
    "/" + "%2e%2e%2f" * 500 + "secret.txt",
    "http://x/../secret.txt",
]


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxServer]:
    """A sandbox with a portal, beside a file that is not part of it."""
    folder = tmp_path_factory.mktemp("portal")
    (folder / "secret.txt").write_text("outside the folder")
    (folder / "site" / "assets").mkdir(parents=True)
    (folder / "site" / "index.html").write_text("Overview")
    with start_sandbox(folder, "--site", str(folder / "site")) as server:
        yield server


@pytest.mark.parametrize("path", OUTSIDE, ids=lambda path: path[:40])
def test_no_path_leads_out_of_the_site(portal: SandboxServer, path: str) -> None:
    """However a path is encoded on the wire, nothing outside is read and nothing breaks."""
    with connected(portal) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        received = until_closed(connection)
    assert b"outside the folder" not in received
    assert statuses(received)[0] in (200, 400, 404)


# The world outside


def test_nothing_leaves_the_machine() -> None:
    """Where the kernel counts every try, a sandbox that plays every scenario makes none."""
    isolated = ["unshare", "--net", "--map-root-user"]
    if sys.platform != "linux" or subprocess.run([*isolated, "true"], check=False).returncode:
        pytest.skip("This machine makes no network namespaces: Linux with unshare has them.")
    program = Path(__file__).parents[1] / "support" / "no_network.py"
    # Without the guard of the other tests: what it would stop is to be seen here.
    surroundings = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    ran = subprocess.run(
        [*isolated, sys.executable, str(program)],
        env=surroundings,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    told = json.loads(ran.stdout.splitlines()[-1])
    assert told["deliveries"] >= 5
    # The one connection is the client's own.
    assert told["seen"] == {"connections": 1, "datagrams": 0, "no way out": 0}
    assert told["control"]["no way out"] == 2


def test_threat_model_names_what_there_is() -> None:
    """Each option, test and file that SECURITY.md names exists."""
    text = (ROOT / "SECURITY.md").read_text("utf-8")
    options = {option for parameter in serve.params for option in parameter.opts}
    assert set(re.findall(r"`(--[\w-]+)`", text)) <= options
    paths = re.findall(r"`((?:tests|tools)/[\w./]+)`", text)
    assert [path for path in paths if not (ROOT / path).exists()] == []
    tests = "".join(path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    named = re.findall(r"`(test_\w+)`", text)
    assert named
    assert [name for name in named if f"def {name}(" not in tests] == []
