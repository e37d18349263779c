"""Puts load on a server with wrk, and takes the figures of its processes from /proc."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

SERVER_CORE: Final = 0
LOAD_CORE: Final = 1
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")

_SCRIPT: Final = """
local requests, number = {}, 0
init = function()
  for _, line in ipairs(PATHS) do
    line[2]["Host"] = wrk.headers["Host"]
    table.insert(requests, wrk.format(METHOD, line[1], line[2], BODY))
  end
end
request = function()
  number = number + 1
  return requests[(number - 1) % #requests + 1]
end
done = function(summary, latency)
  local e = summary.errors
  io.write(string.format(
    '\\n{"requests": %d, "microseconds": %d, "p50": %d, "p99": %d, "refused": %d, "broken": %d}\\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    e.status, e.connect + e.read + e.write + e.timeout))
end
"""


class Request(NamedTuple):
    """What is asked again and again: a method, a body, and the paths and keys in turn."""

    method: str
    paths: tuple[str, ...]
    body: str | None = None
    keys: tuple[str, ...] = ("sandbox_bench",)


class Load(NamedTuple):
    """The figures of one run."""

    requests: int
    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    """CPU time of the server's processes for each request."""


class LoadError(Exception):
    """A run of which the figures would mean nothing; the message says why."""


def put_load(
    port: int, request: Request, *, pids: Iterable[int], connections: int = 64, seconds: int = 3
) -> Load:
    """Runs wrk. Raises: `LoadError` where a response was no success, or a connection broke."""
    pids = list(pids)
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "request.lua"
        script.write_text(_script(request), "utf-8")
        before = cpu_seconds(pids)
        done = subprocess.run(  # noqa: S603  (our own script)
            [
                *pinned(LOAD_CORE),
                *[_wrk(), "--threads=1", f"--connections={connections}"],
                *[f"--duration={seconds}s", "--timeout=30s", f"--script={script}"],
                f"http://127.0.0.1:{port}",
            ],
            capture_output=True,
            text=True,
        )
        spent = cpu_seconds(pids) - before
    if done.returncode:
        raise LoadError(done.stderr or done.stdout)
    said = json.loads(done.stdout.strip().splitlines()[-1])
    if said["refused"] or said["broken"] or not said["requests"]:
        raise LoadError(f"{request.method} {request.paths[0]}: {said}")
    return Load(
        said["requests"],
        said["requests"] / said["microseconds"] * 1e6,
        said["p50"] / 1000,
        said["p99"] / 1000,
        spent / said["requests"] * 1e6,
    )


def cpu_seconds(pids: Iterable[int]) -> float:
    """User and system time of the processes so far."""
    return sum(
        (int(fields[11]) + int(fields[12])) / _TICKS
        for fields in map(_stat, pids)  # proc(5): fields 14 and 15, counted from the third here
    )


def resident_mb(pids: Iterable[int]) -> float:
    """Memory of the processes that is in RAM, in MB of 10⁶ bytes."""
    return sum(int(_stat(pid)[21]) for pid in pids) * _PAGE / 1e6


def family(pid: int) -> list[int]:
    """A process and its descendants."""
    members = [pid]
    for child in _children(pid):
        members += family(child)
    return members


def pinned(core: int) -> list[str]:
    """The words that keep a command on one core, where there is more than one."""
    taskset = shutil.which("taskset")
    return [taskset, "-c", str(core)] if taskset and (os.cpu_count() or 1) > 1 else []


def _children(pid: int) -> Iterator[int]:
    for task in Path(f"/proc/{pid}/task").iterdir():
        yield from map(int, (task / "children").read_text().split())


def _stat(pid: int) -> list[str]:
    """Fields of proc(5) behind the command's name, which may hold blanks."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _script(request: Request) -> str:
    lines = []
    for number in range(max(len(request.paths), len(request.keys))):
        path = request.paths[number % len(request.paths)]
        key = request.keys[number % len(request.keys)]
        headers = {"Authorization": f"Bearer {key}"}
        if request.body is not None:
            headers["Content-Type"] = "application/json"
        table = ", ".join(f"[{_lua(name)}] = {_lua(value)}" for name, value in headers.items())
        lines.append(f"{{{_lua(path)}, {{{table}}}}}")
    body = "nil" if request.body is None else _lua(request.body)
    return (
        f"METHOD, BODY = {_lua(request.method)}, {body}\nPATHS = {{{', '.join(lines)}}}\n{_SCRIPT}"
    )


def _lua(text: str) -> str:
    return json.dumps(text)


def _wrk() -> str:
    program = shutil.which("wrk")
    if program is None:
        raise LoadError("wrk is missing. On Debian: apt-get install wrk (make bench tries that).")
    return program
