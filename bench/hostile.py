"""What one client can do to all others: the waiting of another key while each attack runs.

    .venv/bin/python bench/hostile.py                          SQLite, each attack for 5 seconds
    .venv/bin/python bench/hostile.py --seconds 3 --attack trailers --attack "small chunks"
    .venv/bin/python bench/hostile.py --database postgresql://…    another database

A sandbox of its own is started on the loopback interface for each attack and ended after it. The
attacker has one process, a few connections, and a limit of bytes; the other key sends a GET and a
POST in turn. Written as a table: median, 99th percentile and worst of each in milliseconds, errors,
and what the server's memory grew by.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import click
import httpx
from load import resident_mb
from subjects import CATALOGUE, Running, Subject, running, sandbox_command

ATTACKER: Final = b"Authorization: Bearer sandbox_attacker\r\n"
GET: Final = b"GET /v1/agents HTTP/1.1\r\nHost: x\r\n" + ATTACKER
POST: Final = b"POST /v1/calls HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" + ATTACKER
WEBHOOK: Final = POST.replace(b"/v1/calls", b"/v1/webhooks/call-completed")
CHUNKED: Final = POST + b"Transfer-Encoding: chunked\r\n\r\n"
BODY_BYTES: Final = 800_000
CONNECTIONS: Final = 8
SENT_LIMIT_BYTES: Final = 400_000_000
PATIENCE_SECONDS: Final = 10.0
OTHER: Final = {"Authorization": "Bearer sandbox_bystander"}
CALL: Final = {"phone": "+12025550100", "agent": CATALOGUE.agents[0].key}

Send = Callable[[], Awaitable[httpx.Response]]
Attack = tuple[bytes, bytes, bool]
"""What is sent first and then again and again, and whether responses are read."""


def _body(piece: bytes) -> bytes:
    body = b"[" + piece * (BODY_BYTES // len(piece)) + b"0]"
    return WEBHOOK + b"Content-Length: %d\r\n\r\n" % len(body) + body


ATTACKS: Final[dict[str, Attack]] = {
    "nothing": (b"", b"", True),
    "trailers": (CHUNKED + b"2\r\n{}\r\n0\r\n", b"X-Note: abcdefgh\r\n" * 4000, False),
    "one long trailer": (CHUNKED + b"2\r\n{}\r\n0\r\nX-Note: ", b"a" * 65536, False),
    "pipelined, never read": (b"", (GET + b"\r\n") * 500, False),
    "chunks of one byte": (CHUNKED, b"1\r\n \r\n" * 20_000, False),
    "[1e300, ...]": (b"", _body(b"1e300,"), True),
    "[{}, ...]": (b"", _body(b"{},"), True),
    "[[], ...]": (b"", _body(b"[],"), True),
    "files of the portal": (b"", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 20, True),
    "short connections": (GET + b"Connection: close\r\n\r\n", b"", True),
}


async def _send(port: int, attack: Attack, until: float) -> None:
    """One connection, opened again whenever the server closes it."""
    begin, piece, reads = attack
    sent = 0
    while time.monotonic() < until and sent < SENT_LIMIT_BYTES:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        reading = asyncio.create_task(_drop(reader)) if reads else None
        with suppress(ConnectionError, TimeoutError):
            writer.write(begin)
            while time.monotonic() < until and sent < SENT_LIMIT_BYTES and piece:
                writer.write(piece)
                sent += len(piece)
                async with asyncio.timeout(max(0.0, until - time.monotonic())):
                    await writer.drain()
                if reading is not None and reading.done():
                    break
            if not piece and reading is not None:
                await reading
        if reading is not None:
            reading.cancel()
        writer.transport.abort()


async def _drop(reader: asyncio.StreamReader) -> None:
    with suppress(ConnectionError):
        while await reader.read(65536):
            pass


def _attack(port: int, name: str, seconds: float) -> None:
    async def send_all() -> None:
        until = time.monotonic() + seconds
        await asyncio.gather(
            *(_send(port, ATTACKS[name], until) for _ in range(CONNECTIONS)),
            return_exceptions=True,
        )

    asyncio.run(send_all())


@contextmanager
def _attacked(port: int, name: str, seconds: float) -> Iterator[None]:
    process = multiprocessing.get_context("spawn").Process(
        target=_attack, args=(port, name, seconds)
    )
    if name != "nothing":
        process.start()
    try:
        yield
    finally:
        if process.pid is not None:
            process.terminate()
            process.join()


class Seen:
    """What the other key met."""

    def __init__(self) -> None:
        self.get_ms: list[float] = []
        self.post_ms: list[float] = []
        self.errors = 0
        self.peak_mb = 0.0


def _figures(milliseconds: list[float]) -> str:
    ordered = sorted(milliseconds)
    if not ordered:
        return f"{'none':>8} {'none':>8} {'none':>8}"
    p50, p99 = ordered[len(ordered) // 2], ordered[len(ordered) * 99 // 100]
    return f"{p50:8.1f} {p99:8.1f} {ordered[-1]:8.1f}"


async def _use(server: Running, seen: Seen, seconds: float) -> None:
    """The other key's requests, one after the other."""
    url = f"http://127.0.0.1:{server.port}"
    async with httpx.AsyncClient(base_url=url, headers=OTHER, timeout=PATIENCE_SECONDS) as client:

        async def timed(
            kept: list[float], request: Callable[[], Awaitable[httpx.Response]]
        ) -> None:
            began = time.perf_counter()
            try:
                response = await request()
                seen.errors += response.status_code >= 400
            except httpx.TransportError:
                seen.errors += 1
            kept.append((time.perf_counter() - began) * 1000)

        until = time.monotonic() + seconds
        while time.monotonic() < until:
            await timed(seen.get_ms, lambda: client.get("/v1/agents"))
            await timed(seen.post_ms, lambda: client.post("/v1/calls", json=CALL))
            seen.peak_mb = max(seen.peak_mb, resident_mb(server.pids))
            await asyncio.sleep(0.005)


@click.command()
@click.option("--seconds", default=5.0, show_default=True, type=click.FloatRange(1, 60))
@click.option("--database", default="", help="Another database than a new SQLite file.")
@click.option("--attack", "names", multiple=True, type=click.Choice(list(ATTACKS)))
@click.option("--site", type=click.Path(path_type=Path), help="The built portal to serve.")
def main(seconds: float, database: str, names: tuple[str, ...], site: Path | None) -> None:
    """Runs each attack and prints a table."""
    options = ("--site", str(site.resolve())) if site is not None else ()
    command = sandbox_command(*options, database=database)
    subject = Subject("sandbox", "under attack", command, is_sandbox=True)
    head = f"{'p50':>8} {'p99':>8} {'worst':>8}"
    click.echo(f"{'attack':22} GET {head}   POST {head}  errors    RSS MB")
    for name in names or ATTACKS:
        with tempfile.TemporaryDirectory() as folder, running(subject, Path(folder)) as server:
            seen = Seen()
            httpx.get(f"http://127.0.0.1:{server.port}/v1/agents", headers=OTHER)
            before = resident_mb(server.pids)
            with _attacked(server.port, name, seconds):
                asyncio.run(_use(server, seen, seconds))
            growth = seen.peak_mb - before
            gets, posts = _figures(seen.get_ms), _figures(seen.post_ms)
            click.echo(f"{name:22}     {gets}        {posts}  {seen.errors:6} {growth:+9.1f}")


if __name__ == "__main__":
    main()
