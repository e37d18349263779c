"""Broken responses as bytes on a socket, from a server with one worker and with more."""

import asyncio
import secrets
import socket
import time
from collections.abc import Iterator
from typing import Any

import httpx2
import orjson
import pytest
import uvloop

from postgres_server import PostgresServer
from sandbox_process import SandboxServer, start_sandbox
from voice_sandbox.http.broken_responses import has_gone_within
from voice_sandbox.testing.client import SandboxClient

from .conftest import new_call

LIMIT_SECONDS = 30


@pytest.fixture(scope="module", params=["one-worker", "file", "postgresql"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SandboxServer]:
    """A sandbox as it ships; then several workers on each engine."""
    options: list[str] = [] if request.param == "one-worker" else ["--workers", "3"]
    if request.param == "postgresql":
        postgres: PostgresServer = request.getfixturevalue("postgres")
        options += ["--database", postgres.new_schema()]
    with start_sandbox(tmp_path_factory.mktemp("broken"), *options) as server:
        yield server


@pytest.fixture
def key() -> str:
    return f"sandbox_{secrets.token_hex(8)}"


@pytest.fixture
def client(server: SandboxServer, key: str) -> Iterator[SandboxClient]:
    with SandboxClient(server.url, key) as client:
        yield client


def arm(client: SandboxClient, fault: Any, **options: Any) -> None:
    body = {"operation": "createCall", "fault": fault, **options}
    response = client.client.post("/sandbox/faults", json=body)
    assert response.status_code == 201, response.text


def request_bytes(key: str, *headers: str) -> bytes:
    body = orjson.dumps(new_call())
    lines = [
        "POST /v1/calls HTTP/1.1",
        "Host: x",
        f"Authorization: Bearer {key}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *headers,
        "",
        "",
    ]
    return "\r\n".join(lines).encode() + body


def received(server: SandboxServer, request: bytes) -> tuple[bytes, bool]:
    """What comes back until the connection ends, and whether a reset ended it."""
    address = ("127.0.0.1", httpx2.URL(server.url).port)
    chunks = []
    with socket.create_connection(address, timeout=LIMIT_SECONDS) as connection:
        connection.sendall(request)
        try:
            while chunk := connection.recv(65536):
                chunks.append(chunk)
        except ConnectionResetError:
            return b"".join(chunks), True
    return b"".join(chunks), False


def rings(client: SandboxClient) -> int:
    """How often the number of these tests was dialled."""
    response = client.client.get("/sandbox/rings", params={"phone": new_call()["phone"]})
    return int(response.json()["rings"][0]["count"])


@pytest.mark.parametrize(("kind", "calls"), [("reset", 0), ("lost_response", 1)])
def test_connection_is_reset(
    server: SandboxServer, client: SandboxClient, key: str, kind: str, calls: int
) -> None:
    """No byte of a response comes, and the connection ends with a reset."""
    arm(client, {"kind": kind})
    assert received(server, request_bytes(key)) == (b"", True)
    assert rings(client) == calls


def test_truncated_body_is_shorter_than_its_length(
    server: SandboxServer, client: SandboxClient, key: str
) -> None:
    """`Content-Length` promises more than comes, then the connection ends."""
    arm(client, {"kind": "truncated"})
    response, was_reset = received(server, request_bytes(key))
    head, _, body = response.partition(b"\r\n\r\n")
    [length] = [line for line in head.split(b"\r\n") if line.startswith(b"content-length")]
    assert head.startswith(b"HTTP/1.1 201")
    assert 0 < len(body) < int(length.partition(b":")[2])
    assert not was_reset
    assert rings(client) == 1


def test_slow_body_comes_in_pieces(server: SandboxServer, client: SandboxClient, key: str) -> None:
    """The head is there before the body is."""
    arm(client, {"kind": "slow_body", "seconds": 1})
    address = ("127.0.0.1", httpx2.URL(server.url).port)
    with socket.create_connection(address, timeout=LIMIT_SECONDS) as connection:
        connection.sendall(request_bytes(key, "Connection: close"))
        first = connection.recv(65536)
        rest = list(iter(lambda: connection.recv(65536), b""))
    body = (first + b"".join(rest)).partition(b"\r\n\r\n")[2]
    assert first.startswith(b"HTTP/1.1 201")
    assert first.endswith(b"\r\n\r\n")
    assert len(rest) > 5
    assert orjson.loads(body).keys() == {"call_id"}


def test_client_that_gives_up_on_a_late_response_has_a_call(
    server: SandboxServer, client: SandboxClient
) -> None:
    """The call exists although the client has seen nothing, and the journal does not blame it."""
    arm(client, {"kind": "late_response", "seconds": 60})
    with pytest.raises(httpx2.ReadTimeout):
        client.client.post("/v1/calls", json=new_call(), timeout=0.5)
    entry = entry_of_the_fault(client)
    assert (entry["status"], entry["fault"]) == (201, "late_response")
    assert client.status(entry["call_id"])["status"] in ("queued", "ringing")


def test_client_that_gives_up_on_a_preferred_delay_has_a_call(
    server: SandboxServer, client: SandboxClient
) -> None:
    """`Prefer: delay` holds the response back, and not the work."""
    with pytest.raises(httpx2.ReadTimeout):
        client.client.post(
            "/v1/calls", json=new_call(), timeout=0.5, headers={"Prefer": "delay=10000"}
        )
    entry = entry_of_the_fault(client)
    assert (entry["status"], entry["code"]) == (201, None)


def entry_of_the_fault(client: SandboxClient) -> dict[str, Any]:
    """The creation that a client gave up; it ends a moment after that."""
    for entry in client.follow(after="0" * 32):
        if entry["operation_id"] == "createCall":
            return entry
    raise AssertionError("the journal ended")


def test_careful_retry_rings_once_and_careless_one_twice(client: SandboxClient) -> None:
    """After a lost response an `Idempotency-Key` finds the call; without one it rings twice."""
    for headers, calls in (({"Idempotency-Key": "order-1842"}, 1), ({}, 2)):
        client.reset()
        arm(client, {"kind": "lost_response"})
        with pytest.raises(httpx2.TransportError):
            client.client.post("/v1/calls", json=new_call(), headers=headers)
        retried = client.client.post("/v1/calls", json=new_call(), headers=headers)
        assert retried.status_code == 201
        assert rings(client) == calls


def test_fault_meets_the_request_whichever_worker_gets_it(
    server: SandboxServer, client: SandboxClient, key: str
) -> None:
    """From the moment it is armed on one worker every other one has it, for agents too."""
    for path in ("/v1/agents", "/v1/calls/00000000-0000-7000-8000-000000000000"):
        for _ in range(10):
            body = {"operation": "any", "fault": {"kind": "gateway_error", "status": 502}}
            assert client.client.post("/sandbox/faults", json=body).status_code == 201
            seen = [
                httpx2.get(server.url + path, headers={"Authorization": f"Bearer {key}"})
                for _ in range(2)
            ]
            assert [r.status_code == 502 for r in seen] == [True, False]


def test_pipelined_request_behind_a_reset_is_not_answered(
    server: SandboxServer, client: SandboxClient, key: str
) -> None:
    """A reset ends the connection for all that was sent on it, and the log has no error."""
    arm(client, {"kind": "reset"})
    response, was_reset = received(server, request_bytes(key) * 2)
    assert (response, was_reset) == (b"", True)
    assert "ASGI callable" not in server.log_path.read_text()


def test_wait_is_never_cut_short_by_a_busy_loop() -> None:
    """uvloop's timers count from the start of the turn in which they are set."""

    async def nothing() -> dict[str, Any]:
        await asyncio.Event().wait()
        return {}

    async def waited(seconds: float) -> float:
        await asyncio.sleep(0)
        time.sleep(0.005)  # what keeps the loop busy between the start of its turn and the wait
        began = time.perf_counter()
        assert not await has_gone_within(seconds, nothing)
        return time.perf_counter() - began

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        for seconds in (0.001, 0.0104, 0.06):
            assert runner.run(waited(seconds)) >= seconds
