"""Made-up bytes on the socket of a real process: it answers or closes, and lives."""

import re
import socket
from urllib.parse import urlsplit

import httpx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox_process import SandboxServer

from .conftest import first_example

KEY = "sandbox_raw_bytes"
LIMIT_SECONDS = 20
MOST_ANSWERED = 1_000_000

METHODS = b"GET POST HEAD OPTIONS DELETE PRI get \x00".split()
PATHS = b"/v1/calls /v1/agents /v1/webhooks/call-completed /sandbox/clock /".split()
VERSIONS = [*b"HTTP/1.1 HTTP/1.0 HTTP/2.0 HTTP/9 ICY".split(), b""]
NAMES = (
    b"Host Content-Length Transfer-Encoding Content-Type Authorization Expect Connection Upgrade "
    b"Prefer Idempotency-Key Content-Encoding Trailer"
).split()
VALUES = [
    *b"a 0 41 -1 +5 0x10 99999999999999999999 chunked xchunked gzip,chunked close h2c".split(),
    *b"application/json 100-continue code=429 delay=1".split(),
    b"Bearer " + KEY.encode(),
    b"",
]
LINE_ENDS = [b"\r\n"] * 8 + [b"\n", b"\r", b"\r\n "]
BODIES = [
    b"",
    b'{"phone":"+12025550100"}',
    b"5\r\nhello\r\n0\r\n\r\n",
    b"0\r\n\r\n",
    b"ffffffff\r\n",
    b"\xff" * 50,
    b"[" * 5000,
]


def _one_of(known: list[bytes], longest: int) -> st.SearchStrategy[bytes]:
    """One of the known words, or any bytes at all."""
    return st.sampled_from(known) | st.binary(max_size=longest)


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """Something like a request: each part may be right, wrong, or not of this world."""
    ends = st.sampled_from(LINE_ENDS)
    method, version = draw(st.sampled_from(METHODS)), draw(st.sampled_from(VERSIONS))
    head = method + b" " + draw(_one_of(PATHS, 30)) + b" " + version + draw(ends)
    if draw(st.booleans()):
        head += b"Host: a\r\nAuthorization: Bearer " + KEY.encode() + b"\r\n"
    for name, value in draw(
        st.lists(st.tuples(_one_of(NAMES, 12), _one_of(VALUES, 20)), max_size=5)
    ):
        head += name + draw(st.sampled_from([b": ", b":", b" : "])) + value + draw(ends)
    return head + draw(ends) + draw(_one_of(BODIES, 60))


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(requests() | st.binary(max_size=200), min_size=1, max_size=3).map(b"".join))
def test_no_bytes_break_it(sandbox_server: SandboxServer, sent: bytes) -> None:
    """An answer to whatever bytes is HTTP, no 5xx, and names no id of the provider."""
    answered = _answered(sandbox_server.url, sent)
    assert answered == b"" or answered.startswith(b"HTTP/1.1 "), answered
    for status in re.findall(rb"^HTTP/1\.1 ([0-9]{3})", answered, re.MULTILINE):
        assert int(status) < 500, answered
    assert b"prov_" not in answered
    assert sandbox_server.process.poll() is None


def test_it_goes_on_serving(sandbox_server: SandboxServer) -> None:
    """After all those bytes a plain request is answered as ever."""
    response = httpx.post(
        f"{sandbox_server.url}/v1/calls",
        json=first_example("createCall"),
        headers={"Authorization": f"Bearer {KEY}"},
        timeout=LIMIT_SECONDS,
    )
    assert response.status_code == 201


def _answered(url: str, sent: bytes) -> bytes:
    """All that comes back until the server closes; the client says at once that it is through."""
    address = urlsplit(url)
    answered = b""
    with socket.create_connection((address.hostname, address.port), LIMIT_SECONDS) as connection:
        try:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            while chunk := connection.recv(65_536):
                answered += chunk
                assert len(answered) < MOST_ANSWERED
        except (ConnectionResetError, BrokenPipeError):
            pass  # it closed before it had read everything
    return answered
