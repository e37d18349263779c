"""What the journal costs a request: of its time, and of the server's processor.

    .venv/bin/python bench/journal.py

Two servers answer the same requests in turn, one of them with a journal that forgets everything.
The time is the median of what a client waits; the processor's counts all that the server does,
writing the journal down included. The goal: less than a tenth of a request's time.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import NamedTuple

import click

from voice_sandbox.contract.catalogue import read_catalogue
from voice_sandbox.contract.reader import find_contract, load_contract

MOST_SHARE = 0.10
FORGETFUL = (
    "from voice_sandbox.journal.journal import Journal; "
    "Journal.record = lambda self, exchange: None; "
)
SERVE = "from voice_sandbox.cli.main import main; main(['serve', '--port', '{port}'])"


class Cost(NamedTuple):
    waited_microseconds: float
    processor_microseconds: float


@click.command()
@click.option("--requests", default=3000, show_default=True, type=click.IntRange(100))
@click.option("--rounds", default=7, show_default=True, type=click.IntRange(1))
def main(requests: int, rounds: int) -> None:
    """Compare requests with a journal to requests without."""
    agent = read_catalogue(load_contract(find_contract())).agents[0].key
    body = f'{{"phone":"+12025550130","agent":"{agent}"}}'
    request = (
        "POST /v1/calls HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: bench\r\nAccept: */*\r\n"
        "Authorization: Bearer sandbox_bench\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()
    ours, theirs = [], []
    for _ in range(rounds):
        ours.append(_cost("", request, requests))
        theirs.append(_cost(FORGETFUL, request, requests))
    share = 0.0
    for number, name in enumerate(("a client waits", "the processor works")):
        with_journal = median(cost[number] for cost in ours)
        journal = median(a[number] - b[number] for a, b in zip(ours, theirs, strict=True))
        click.echo(
            f"{name:20} {with_journal:7.1f} µs for a request, "
            f"{journal:6.1f} µs of it for the journal: {journal / with_journal:.1%}"
        )
        share = share or journal / with_journal
    click.echo(f"goal: under {MOST_SHARE:.0%} of what a client waits")
    sys.exit(share >= MOST_SHARE)


def _cost(change: str, request: bytes, requests: int) -> Cost:
    with (
        tempfile.TemporaryDirectory() as folder,
        _server(change, folder) as (process, port),
        socket.create_connection(("127.0.0.1", port)) as client,
    ):
        _exchange(client, request)
        began = _processor_seconds(process)
        waited = [_exchange(client, request) for _ in range(requests)]
        time.sleep(1.5)  # until everything is written down
        processor = _processor_seconds(process) - began
    return Cost(median(waited) * 1e6, processor / requests * 1e6)


@contextmanager
def _server(change: str, folder: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    with subprocess.Popen(  # noqa: S603  (our own words)
        [sys.executable, "-c", change + SERVE.format(port=port)],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port)).close()
                    break
                except OSError:
                    time.sleep(0.01)
            yield process, port
        finally:
            process.terminate()


def _exchange(client: socket.socket, request: bytes) -> float:
    """Seconds until the whole answer is there, a JSON object."""
    began = time.perf_counter()
    client.sendall(request)
    response = b""
    while not (b"\r\n\r\n" in response and response.endswith(b"}")):
        response += client.recv(65_536)
    seconds = time.perf_counter() - began
    if not response.startswith(b"HTTP/1.1 201"):
        raise SystemExit(f"A request was rejected: {response[:200]!r}")
    return seconds


def _processor_seconds(process: subprocess.Popen[bytes]) -> float:
    fields = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


if __name__ == "__main__":
    main()
