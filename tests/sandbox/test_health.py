"""Health: a deployment lives as long as it answers, and is ready as long as it serves."""

import signal
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest

from sandbox_process import STOP_SECONDS, start_sandbox
from voice_sandbox import create_app
from voice_sandbox.http.health import LIVE, READY, Health
from voice_sandbox.store import open_store

from .conftest import FakeWall, Sandbox, new_call, raw_request, running_sandbox

pytestmark = pytest.mark.anyio
TOKEN = {"Authorization": "Bearer sandbox_health"}


@pytest.mark.parametrize("path", [LIVE, READY])
async def test_says_that_all_is_well(sandbox: Sandbox, path: str) -> None:
    """Both paths are 200 without a token, are kept by nobody, and journal nothing."""
    response = await sandbox.raw("GET", path)
    assert (response.status, response.json()) == (200, {"status": "ok"})
    assert response.header("cache-control") == "no-store"
    assert (await sandbox.raw("HEAD", path)).body == b""
    assert sandbox.exchanges == []


@pytest.mark.parametrize("path", [LIVE, READY])
async def test_health_is_only_read(sandbox: Sandbox, path: str) -> None:
    """Another method finds nothing there."""
    assert (await sandbox.raw("POST", path)).status == 404


async def test_lives_but_is_not_ready_without_its_database() -> None:
    """While the database is away the process is left alone, and gets no requests."""
    health = Health(
        open_store("sqlite:///:memory:"), fallback=create_app()
    )  # a store nobody opened
    ready = await raw_request(health, "GET", READY)
    assert (ready.status, ready.json()["detail"]) == (503, "Its database does not respond.")
    assert (await raw_request(health, "GET", LIVE)).status == 200


async def test_is_not_ready_when_it_leaves(wall: FakeWall) -> None:
    """A deployment that drains still answers what comes, and says that no more should."""
    async with running_sandbox("sqlite:///:memory:", wall) as sandbox:
        sandbox.runtime.drain()
        ready = await sandbox.raw("GET", READY)
        assert (ready.status, ready.json()["detail"]) == (503, "It is about to stop.")
        assert (await sandbox.raw("GET", LIVE)).status == 200
        assert (await sandbox.client.post("/v1/calls", json=new_call())).status_code == 201


def test_readiness_goes_down_before_the_port_closes(tmp_path: Path) -> None:
    """Told to stop, it still serves for the delay, closing each connection that it answers."""
    with start_sandbox(tmp_path, "--drain-delay", "300") as server:
        process = server.process
        with httpx2.Client(base_url=server.url, headers=TOKEN, timeout=STOP_SECONDS) as client:
            assert "connection" not in client.get("/v1/agents").headers
            process.send_signal(signal.SIGTERM)
            while (ready := client.get(READY)).status_code == 200:
                assert process.poll() is None
            assert ready.status_code == 503
            served = client.post("/v1/calls", json=new_call())
            assert (served.status_code, served.headers["connection"]) == (201, "close")
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)  # told twice, it does not wait
        assert process.wait(STOP_SECONDS) == 0


def test_open_request_is_answered(tmp_path: Path) -> None:
    """A request that is under way when the signal comes gets its response, and is the last one."""
    with start_sandbox(tmp_path) as server, socket.socket() as waiting:
        waiting.settimeout(STOP_SECONDS)
        waiting.connect(("127.0.0.1", httpx2.URL(server.url).port))
        waiting.sendall(
            b"GET /v1/agents HTTP/1.1\r\nHost: x\r\nPrefer: delay=2000\r\n"
            b"Authorization: Bearer sandbox_health\r\n\r\n"
        )
        with httpx2.Client(base_url=server.url) as later:
            for _ in range(3):  # who came later is answered, so who came before is being served
                assert later.get(LIVE).status_code == 200
        server.process.send_signal(signal.SIGTERM)
        response = b""
        while chunk := waiting.recv(65536):
            response += chunk
        assert response.startswith(b"HTTP/1.1 200 ")
        assert server.process.wait(STOP_SECONDS) == 0


@pytest.mark.parametrize("options", [[], ["--workers", "2"]], ids=["one process", "workers"])
def test_drain_under_load_loses_no_acknowledged_call(tmp_path: Path, options: list[str]) -> None:
    """Whatever was answered 201 before the port closed is there afterwards."""
    acknowledged: list[str] = []
    enough = threading.Event()

    def place_calls(url: str) -> None:
        with httpx2.Client(base_url=url, headers=TOKEN, timeout=STOP_SECONDS) as client:
            while True:
                try:
                    response = client.post("/v1/calls", json=new_call())
                except httpx2.TransportError:
                    return
                assert response.status_code == 201
                acknowledged.append(response.json()["call_id"])
                if len(acknowledged) >= 200:
                    enough.set()

    with start_sandbox(tmp_path, *options) as server, ThreadPoolExecutor(8) as threads:
        clients = [threads.submit(place_calls, server.url) for _ in range(8)]
        assert enough.wait(30)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(STOP_SECONDS) == 0
        for future in clients:
            future.result(STOP_SECONDS)
    with (
        start_sandbox(tmp_path) as server,
        httpx2.Client(base_url=server.url, headers=TOKEN) as client,
    ):
        lost = [i for i in acknowledged if client.get(f"/v1/calls/{i}").status_code != 200]
    assert lost == []
