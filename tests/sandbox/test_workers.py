"""Several workers: one port and one database, whoever of them answers, and whoever of them dies."""

import itertools
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx2
import pytest

from postgres_server import PostgresServer
from sandbox_process import STOP_SECONDS, SandboxServer, start_sandbox

from .conftest import SCENARIOS, new_call

TOKEN = {"Authorization": "Bearer sandbox_workers"}
PATIENCE_SECONDS = 60
pytestmark = pytest.mark.skipif(
    not Path("/proc/self/task").is_dir(), reason="the processes are told apart by Linux's /proc"
)


def workers_of(process_id: int) -> list[int]:
    """The process ids of a supervisor's workers."""
    children = Path(f"/proc/{process_id}/task/{process_id}/children")
    return [int(child) for child in children.read_text().split()]


def until(reached: Callable[[], bool], what: str) -> None:
    """Waits for a condition, with an end."""
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while not reached():
        assert time.monotonic() < give_up_at, f"It never came to be that {what}."
        time.sleep(0.02)


def is_alive(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return "\nState:\tZ" not in Path(f"/proc/{process_id}/status").read_text()


@pytest.fixture(params=["file", "postgresql"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SandboxServer]:
    """Three workers on one database."""
    options = ["--workers", "3"]
    if request.param == "postgresql":
        postgres: PostgresServer = request.getfixturevalue("postgres")
        options += ["--database", postgres.new_schema()]
    with start_sandbox(tmp_path, *options) as server:
        yield server


def get(server: SandboxServer, path: str) -> httpx2.Response:
    """One request on a connection of its own, so that any worker may take it."""
    return httpx2.get(f"{server.url}{path}", headers=TOKEN, timeout=PATIENCE_SECONDS)


def test_every_worker_knows_every_call(server: SandboxServer) -> None:
    """What one has created, all can read at once; their ids never collide."""
    created = [
        httpx2.post(f"{server.url}/v1/calls", headers=TOKEN, json=new_call()).json()["call_id"]
        for _ in range(30)
    ]
    assert len(set(created)) == 30
    assert {get(server, f"/v1/calls/{call_id}").status_code for call_id in created} == {200}
    assert len(workers_of(server.process.pid)) == 3


@pytest.mark.parametrize("path", ["/v1/agents", "/v1/calls/never-created"])
def test_reset_empties_the_journal_of_every_worker(server: SandboxServer, path: str) -> None:
    """What another worker has not written down yet when a key is emptied never shows up again."""
    for _ in range(30):
        get(server, path)
    httpx2.delete(f"{server.url}/sandbox/state", headers=TOKEN).raise_for_status()
    get(server, "/v1/agents")
    written_at = time.monotonic() + 1.5
    while time.monotonic() < written_at:
        shown = get(server, "/sandbox/journal").json()["exchanges"]
        of_the_service = [one["path"] for one in shown if one["operation_id"] != "resetState"]
        assert of_the_service in ([], ["/v1/agents"])
    assert of_the_service == ["/v1/agents"]
    items = get(server, "/sandbox/coverage").json()["items"]
    covered = {one["name"]: one["exchanges"] for one in items if one["exchanges"]}
    assert covered == {"listAgents": 1, "listAgents 200": 1}


def test_each_completion_is_delivered_once(server: SandboxServer) -> None:
    """Three workers play one provider: each call ends, by one delivery."""
    number = SCENARIOS.default.number
    body = {**new_call(), "phone": number}
    created = [
        httpx2.post(f"{server.url}/v1/calls", headers=TOKEN, json=body).json()["call_id"]
        for _ in range(30)
    ]
    advanced = httpx2.post(
        f"{server.url}/sandbox/clock",
        headers=TOKEN,
        json={"until": "idle"},
        timeout=PATIENCE_SECONDS,
    )
    assert advanced.json()["next_due_at"] is None
    responses = [
        [
            delivery["answered"]
            for delivery in get(server, f"/sandbox/calls/{i}").json()["deliveries"]
        ]
        for i in created
    ]
    assert responses == [[200]] * 30


def test_dead_worker_is_replaced(server: SandboxServer) -> None:
    """After `kill -9` of a worker the others serve, and soon there are as many as before."""
    before = workers_of(server.process.pid)
    os.kill(before[0], signal.SIGKILL)
    for _ in range(20):
        try:
            assert get(server, "/v1/agents").status_code == 200
        except httpx2.TransportError:
            continue  # it had connected to the one that died
    until(
        lambda: len(now := workers_of(server.process.pid)) == 3 and before[0] not in now,
        "a worker was replaced",
    )
    until(lambda: get(server, "/readyz").status_code == 200, "the workers serve")


def test_killed_workers_lose_nothing(server: SandboxServer) -> None:
    """`kill -9` again and again under load: each acknowledged call is there, and ends once."""
    acknowledged: list[str] = []
    stop = threading.Event()
    body = {**new_call(), "phone": SCENARIOS.default.number}

    def place_calls() -> None:
        while not stop.is_set():
            try:
                with httpx2.Client(base_url=server.url, headers=TOKEN, timeout=10) as client:
                    while not stop.is_set():
                        response = client.post("/v1/calls", json=body)
                        if response.status_code == 201:
                            acknowledged.append(response.json()["call_id"])
            except httpx2.TransportError:
                continue  # its worker was the one that died

    with ThreadPoolExecutor(4) as threads:
        clients = [threads.submit(place_calls) for _ in range(4)]
        for killed in range(1, 5):
            until(lambda: len(acknowledged) >= 30 * killed, "calls were placed")  # noqa: B023
            os.kill(workers_of(server.process.pid)[0], signal.SIGKILL)
        until(lambda: len(acknowledged) >= 150, "calls were placed")
        stop.set()
        for future in clients:
            future.result(PATIENCE_SECONDS)
    until(lambda: get(server, "/readyz").status_code == 200, "the workers serve")
    httpx2.post(
        f"{server.url}/sandbox/clock", headers=TOKEN, json={"until": "idle"}, timeout=60
    ).raise_for_status()
    with httpx2.Client(base_url=server.url, headers=TOKEN, timeout=PATIENCE_SECONDS) as client:
        inspected = [client.get(f"/sandbox/calls/{call_id}") for call_id in acknowledged]
    assert {response.status_code for response in inspected} == {200}
    made = [[d["answered"] for d in response.json()["deliveries"]] for response in inspected]
    assert [responses for responses in made if responses != [200]] == []


def test_workers_end_with_their_supervisor(server: SandboxServer) -> None:
    """A supervisor that is killed leaves nobody behind who holds the port."""
    workers = workers_of(server.process.pid)
    server.process.kill()
    server.process.wait(STOP_SECONDS)
    until(lambda: not any(map(is_alive, workers)), "the workers ended")


def test_stops_cleanly(server: SandboxServer) -> None:
    """Told to stop, all drain, and the command ends with 0."""
    workers = workers_of(server.process.pid)
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(STOP_SECONDS) == 0
    assert not any(map(is_alive, workers))
    assert "Traceback" not in server.log_path.read_text()


def test_hang_up_ends_it_where_nothing_is_read_again(tmp_path: Path) -> None:
    """Workers without a list of keys end with the terminal that they were started from."""
    with start_sandbox(tmp_path, "--workers", "2") as server:
        workers = workers_of(server.process.pid)
        server.process.send_signal(signal.SIGHUP)
        assert server.process.wait(STOP_SECONDS) == 0
        assert not any(map(is_alive, workers))


def test_worker_that_cannot_start_is_explained(tmp_path: Path) -> None:
    """A database that nobody can use ends the command with the reason."""
    with (
        pytest.raises(AssertionError, match=r"gone.*cannot be used"),
        start_sandbox(
            tmp_path, "--workers", "2", "--database", f"sqlite:///{tmp_path}/gone/calls.db"
        ),
    ):
        pass


def test_hang_up_reads_the_keys_again(tmp_path: Path) -> None:
    """SIGHUP makes every worker take the list as it stands; a broken one changes nothing."""
    keys = tmp_path / "keys"
    keys.write_text("sandbox_first\n")

    with start_sandbox(tmp_path, "--workers", "2", "--keys-file", str(keys)) as server:

        def status(key: str) -> int:
            return httpx2.get(
                f"{server.url}/v1/agents", headers={"Authorization": f"Bearer {key}"}
            ).status_code

        assert [status("sandbox_first"), status("sandbox_second")] == [200, 401]
        keys.write_text("sandbox_second\n")
        server.process.send_signal(signal.SIGHUP)
        until(
            lambda: [status("sandbox_second") for _ in range(10)] == [200] * 10, "the list was read"
        )
        until(
            lambda: [status("sandbox_first") for _ in range(10)] == [401] * 10, "the list was read"
        )
        keys.write_text("no key\n")
        server.process.send_signal(signal.SIGHUP)
        until(lambda: "keys stay as they were" in server.log_path.read_text(), "it complained")
        assert status("sandbox_second") == 200
        assert "sandbox_second" not in server.log_path.read_text()


def test_streams_of_a_key_that_left_the_list_end(tmp_path: Path) -> None:
    """A key that is no longer listed is told nothing more by any worker; other streams go on."""
    keys = tmp_path / "keys"
    keys.write_text("sandbox_first\nsandbox_second\n")

    with (
        start_sandbox(tmp_path, "--workers", "2", "--keys-file", str(keys)) as server,
        httpx2.Client(base_url=server.url, timeout=10) as client,
        ExitStack() as stack,
    ):

        def follow(key: str) -> Iterator[str]:
            headers = {"Authorization": f"Bearer {key}"}
            lines = stack.enter_context(
                client.stream("GET", "/sandbox/journal/stream", headers=headers)
            ).iter_lines()
            assert "event: ready" in itertools.islice(lines, 2)
            return lines

        ending = [follow("sandbox_first") for _ in range(6)]
        going_on = follow("sandbox_second")
        keys.write_text("sandbox_second\n")
        server.process.send_signal(signal.SIGHUP)
        assert [line for lines in ending for line in lines if line.startswith("event:")] == []
        client.get("/v1/agents", headers={"Authorization": "Bearer sandbox_second"})
        assert "event: exchange" in going_on


def test_python_is_the_same(server: SandboxServer) -> None:
    """A worker is the command as it was typed, run by the same Python."""
    for worker in workers_of(server.process.pid):
        words = Path(f"/proc/{worker}/cmdline").read_text().split("\0")
        assert words[0] == sys.executable
        assert "serve" in words
