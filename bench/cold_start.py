"""How long until the first 200, and in how much memory, beside a bare ASGI application.

    .venv/bin/python bench/cold_start.py

The bare one is served by uvicorn's own command. Both are started in turn, so that a busy machine
slows them alike, and from compiled code, as an installation has it. Seconds are from the start of
the process to its first response. The goals: at most twice the bare application's, and 64 MB.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import NamedTuple

import click

MOST_TIMES = 2.0
MOST_MEGABYTES = 64

BARE = """
async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})
"""


class Start(NamedTuple):
    seconds: float
    cpu_seconds: float
    megabytes: float


@click.command()
@click.option("--runs", default=20, show_default=True, type=click.IntRange(1))
def main(runs: int) -> None:
    """Start the sandbox and a bare application in turn, and compare them."""
    sandboxes, bares = measure(runs)
    _print("sandbox", sandboxes)
    _print("bare", bares)
    times = times_slower(sandboxes, bares)
    cpu_times = median(start.cpu_seconds for start in sandboxes) / median(
        start.cpu_seconds for start in bares
    )
    megabytes = max(start.megabytes for start in sandboxes)
    click.echo(f"times the bare application: {times:.2f} on the wall, {cpu_times:.2f} of processor")
    click.echo(f"goals: {MOST_TIMES:g} times, {MOST_MEGABYTES} MB")
    sys.exit(times > MOST_TIMES or megabytes >= MOST_MEGABYTES)


def measure(runs: int) -> tuple[list[Start], list[Start]]:
    """The starts of the sandbox and of the bare application, one after the other each time."""
    sandboxes: list[Start] = []
    bares: list[Start] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "bare.py").write_text(BARE)
        for _ in range(runs + 1):
            (folder / "voice-sandbox.db").unlink(missing_ok=True)
            port = str(_free_port())
            sandboxes.append(_start(folder, port, ["-m", "voice_sandbox", "serve", "--port", port]))
            bares.append(_start(folder, port, _uvicorn(port)))
    return sandboxes[1:], bares[1:]  # the first ones have compiled the code


def times_slower(sandboxes: Sequence[Start], bares: Sequence[Start]) -> float:
    """The median of the ratios, each of two starts that followed each other."""
    pairs = zip(sandboxes, bares, strict=True)
    return median(ours.seconds / theirs.seconds for ours, theirs in pairs)


def _uvicorn(port: str) -> list[str]:
    return ["-m", "uvicorn", "bare:app", "--port", port, "--log-level", "warning"]


def _start(folder: Path, port: str, words: Sequence[str]) -> Start:
    began = time.perf_counter()
    with _running(folder, words) as process:
        while not _is_answered(int(port)):
            time.sleep(0.001)
        seconds = time.perf_counter() - began
        status = Path(f"/proc/{process.pid}/status").read_text()
        [kilobytes] = [line.split()[1] for line in status.splitlines() if line.startswith("VmRSS")]
        user, system = (
            Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]
        )
    return Start(seconds, (int(user) + int(system)) / 100, int(kilobytes) / 1024)


@contextmanager
def _running(folder: Path, words: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    with subprocess.Popen(  # noqa: S603  (our own words)
        [sys.executable, *words],
        cwd=folder,
        env={**environment, "PYTHONPYCACHEPREFIX": str(folder / "compiled")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            yield process
        finally:
            process.terminate()


def _is_answered(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"GET /sandbox HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            return client.recv(64).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


def _print(name: str, starts: Sequence[Start]) -> None:
    seconds = sorted(start.seconds for start in starts)
    cpu = median(start.cpu_seconds for start in starts)
    megabytes = max(start.megabytes for start in starts)
    click.echo(
        f"{name:8} {seconds[0]:.3f} s at best, {median(seconds):.3f} s median, "
        f"{cpu:.2f} s of processor, {megabytes:.1f} MB"
    )


if __name__ == "__main__":
    main()
