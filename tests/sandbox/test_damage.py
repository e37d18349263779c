"""Real processes on a SQLite file that fails: full, damaged, locked, or not to be written."""

import contextlib
import ctypes
import os
import resource
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest

from sandbox_process import ROOT, SandboxServer, start_sandbox

from .conftest import CATALOGUE

BODY = {"phone": "+12025550130", "agent": CATALOGUE.agents[0].key}
LIMIT_SECONDS = 30
MOST_CALLS = 20_000

# linux/prctl.h and linux/capability.h
PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux: prlimit and prctl")


@contextlib.contextmanager
def client_of(server: SandboxServer) -> Iterator[httpx2.Client]:
    headers = {"Authorization": "Bearer sandbox_damage"}
    with httpx2.Client(base_url=server.url, headers=headers, timeout=LIMIT_SECONDS) as client:
        yield client


def is_unavailable(response: httpx2.Response) -> bool:
    """Rejected as the contract says it: 503 with a wait, and nothing about files."""
    return (
        response.status_code == 503
        and response.json()["code"] == "storage_unavailable"
        and response.headers["retry-after"] == "1"
    )


@linux_only
def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    """Where no byte more fits creations are 503, reads go on, and all that was said stands."""
    with start_sandbox(tmp_path) as server, client_of(server) as client:
        acknowledged = [client.post("/v1/calls", json=BODY).json()["call_id"]]
        size = (tmp_path / "sandbox.db-wal").stat().st_size
        limits = (size + 200_000, resource.RLIM_INFINITY)
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, limits)
        for _ in range(MOST_CALLS):
            response = client.post("/v1/calls", json=BODY)
            if response.status_code != 201:
                break
            acknowledged.append(response.json()["call_id"])
        assert is_unavailable(response), response.text
        assert client.get(f"/v1/calls/{acknowledged[-1]}").status_code == 200
        assert client.get("/readyz").status_code == 503
        no_limit = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, no_limit)
        # There is room again: the same process goes on.
        acknowledged.append(client.post("/v1/calls", json=BODY).json()["call_id"])
        assert client.get("/readyz").status_code == 200
    with start_sandbox(tmp_path) as server, client_of(server) as client:
        found = {client.get(f"/v1/calls/{call_id}").status_code for call_id in acknowledged}
    assert found == {200}


def test_a_damaged_page_breaks_no_other_request(tmp_path: Path) -> None:
    """What cannot be read is 503 and never a 500; what lies elsewhere is answered as ever."""
    with start_sandbox(tmp_path) as server, client_of(server) as client:
        call_id = client.post("/v1/calls", json=BODY).json()["call_id"]
    path = tmp_path / "sandbox.db"
    with contextlib.closing(sqlite3.connect(path)) as db:
        [page] = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'calls'").fetchone()
        [page_size] = db.execute("PRAGMA page_size").fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * page_size)
        file.write(b"\xff" * page_size)
    with start_sandbox(tmp_path) as server, client_of(server) as client:
        assert is_unavailable(client.get(f"/v1/calls/{call_id}"))
        assert is_unavailable(client.post("/v1/calls", json=BODY))
        assert client.get("/v1/agents").status_code == 200
        assert client.get("/healthz").status_code == 200


def test_a_lock_of_another_program_is_waited_for(tmp_path: Path) -> None:
    """While somebody else writes, who writes waits and who reads does not."""
    with (
        start_sandbox(tmp_path) as server,
        client_of(server) as client,
        client_of(server) as writer,
        ThreadPoolExecutor() as threads,
    ):
        first = client.post("/v1/calls", json=BODY).json()["call_id"]
        with locked(tmp_path / "sandbox.db"):
            waiting = threads.submit(writer.post, "/v1/calls", json=BODY)
            for path in (f"/v1/calls/{first}", "/healthz", "/v1/agents"):
                assert client.get(path).status_code == 200
            assert not waiting.done()
        assert waiting.result().status_code == 201


def test_a_lock_that_is_held_for_too_long_is_503(tmp_path: Path) -> None:
    """After a few seconds a writer is told so, all those who wait at about the same time."""
    with start_sandbox(tmp_path) as server, client_of(server) as client:
        first = client.post("/v1/calls", json=BODY).json()["call_id"]
        with locked(tmp_path / "sandbox.db"), ThreadPoolExecutor() as threads:
            rejected = [threads.submit(client.post, "/v1/calls", json=BODY) for _ in range(5)]
            assert all(is_unavailable(response.result()) for response in rejected)
            assert client.get(f"/v1/calls/{first}").status_code == 200
        assert client.post("/v1/calls", json=BODY).status_code == 201


@contextlib.contextmanager
def locked(path: Path) -> Iterator[sqlite3.Connection]:
    """Another program's connection, in the middle of a transaction that writes."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield other


@linux_only
@pytest.mark.parametrize("what", ["file", "folder"])
def test_what_may_not_be_written_is_rejected_by_name(tmp_path: Path, what: str) -> None:
    """A file or folder that is read-only stops the start with its name and the fix."""
    path = tmp_path / "calls.db"
    if what == "file":
        path.touch()
    {"file": path, "folder": tmp_path}[what].chmod(0o500)
    ended = _serve_without_privilege(path)
    tmp_path.chmod(0o700)
    assert ended.returncode == 1
    assert str(path) in ended.stderr
    assert "--database" in ended.stderr
    assert "Traceback" not in ended.stderr


def _serve_without_privilege(path: Path) -> subprocess.CompletedProcess[Any]:
    """Starts the sandbox on a file, as somebody whom permissions hold, which root is not."""

    def drop() -> None:
        if os.geteuid() == 0:
            ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0)

    return subprocess.run(
        [
            sys.executable,
            "-m",
            "voice_sandbox",
            "serve",
            "--port",
            "0",
            "--database",
            f"sqlite:///{path}",
        ],
        cwd=ROOT,
        env={**os.environ},
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        preexec_fn=drop,
    )
