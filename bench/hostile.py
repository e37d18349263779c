"""What one client can do to all others: the waiting of another key while each attack runs.

    .venv/bin/python bench/hostile.py                 each attack for 3 seconds, on both engines
    .venv/bin/python bench/hostile.py --engine SQLite --attack trailers --attack "[{}, ...]"
    .venv/bin/python bench/hostile.py --write         and put the table on the Performance page

A sandbox of its own is started on the loopback interface for each attack and ended after it. The
attacker has one process, a few connections, and a limit of bytes; the other key sends a GET and a
POST in turn. Written as a table: median, 99th percentile and worst of each in milliseconds, errors,
and what the server's memory grew by.
"""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import os
import ssl
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from math import inf
from pathlib import Path
from typing import Final, NamedTuple

import click
import httpx2
from growth import open_all
from load import resident_mb
from report import ATTACKS as TABLE
from report import table
from subjects import CATALOGUE, Running, Subject, running, sandbox_command

from postgres_server import postgres_server  # found by `subjects`, beside the tests
from voice_sandbox.calls.call import Call
from voice_sandbox.clock import new_call_id, wall
from voice_sandbox.http.authentication import namespace_of
from voice_sandbox.store import open_store

ATTACKER_KEY: Final = "sandbox_attacker"
ATTACKER: Final = b"Authorization: Bearer sandbox_attacker\r\n"
GET: Final = b"GET /v1/agents HTTP/1.1\r\nHost: x\r\n" + ATTACKER
POST: Final = b"POST /v1/calls HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" + ATTACKER
WEBHOOK: Final = POST.replace(b"/v1/calls", b"/v1/webhooks/call-completed")
CHUNKED: Final = POST + b"Transfer-Encoding: chunked\r\n\r\n"
BODY_BYTES: Final = 800_000
CLOCK: Final = "/sandbox/clock"
CONNECTIONS: Final = 8
SENT_LIMIT_BYTES: Final = 400_000_000
PATIENCE_SECONDS: Final = 10.0
ENGINES: Final = ("SQLite", "PostgreSQL")
COLUMNS: Final = (
    *("attack", "GET p50 ms", "p99", "worst", "POST p50 ms", "p99", "worst"),
    *("errors", "memory MB"),
)
OTHER: Final = {"Authorization": "Bearer sandbox_bystander"}
CALL: Final = {"phone": "+12025550100", "agent": CATALOGUE.agents[0].key}


class Bytes(NamedTuple):
    """What each connection sends first and then again and again, and whether it reads."""

    begin: bytes
    piece: bytes
    reads: bool


class Work(NamedTuple):
    """A request that is sent again and again, so many at a time, by a key with so many calls."""

    method: str
    path: str
    body: object = None
    calls: int = 0
    due_seconds: float = inf
    at_a_time: int = 1


def _body(piece: bytes) -> bytes:
    body = b"[" + piece * (BODY_BYTES // len(piece)) + b"0]"
    return WEBHOOK + b"Content-Length: %d\r\n\r\n" % len(body) + body


ATTACKS: Final[dict[str, Bytes | Work]] = {
    "nothing": Bytes(b"", b"", True),
    "trailers": Bytes(CHUNKED + b"2\r\n{}\r\n0\r\n", b"X-Note: abcdefgh\r\n" * 4000, False),
    "one long trailer": Bytes(CHUNKED + b"2\r\n{}\r\n0\r\nX-Note: ", b"a" * 65536, False),
    "pipelined, never read": Bytes(b"", (GET + b"\r\n") * 500, False),
    "chunks of one byte": Bytes(CHUNKED, b"1\r\n \r\n" * 20_000, False),
    "[1e300, ...]": Bytes(b"", _body(b"1e300,"), True),
    "[{}, ...]": Bytes(b"", _body(b"{},"), True),
    "[[], ...]": Bytes(b"", _body(b"[],"), True),
    "files of the portal": Bytes(b"", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 20, True),
    "short connections": Bytes(GET + b"Connection: close\r\n\r\n", b"", True),
    "text search": Work("GET", "/sandbox/journal?text=none", at_a_time=4),
    "live streams": Work("GET", "/sandbox/journal/stream", at_a_time=40),
    "HAR export": Work("GET", "/sandbox/journal/har", at_a_time=4),
    "advance, 100,000 calls": Work("POST", CLOCK, {"advance_seconds": 1}, 100_000),
    "advance, 20 at a time": Work("POST", CLOCK, {"advance_seconds": 1}, 100_000, at_a_time=20),
    "delete 100,000 calls": Work("DELETE", "/sandbox/state", None, 100_000),
    "until idle, 20,000 calls": Work("POST", CLOCK, {"until": "idle"}, 20_000, 1.0),
}


async def _send(port: int, attack: Bytes, until: float) -> None:
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


async def _work(port: int, attack: Work, until: float, context: ssl.SSLContext) -> None:
    """One connection that sends the request again when it has the response."""
    headers = {"Authorization": f"Bearer {ATTACKER_KEY}"}
    url = f"http://127.0.0.1:{port}{attack.path}"
    async with httpx2.AsyncClient(headers=headers, timeout=600, verify=context) as client:
        while time.monotonic() < until:
            async with asyncio.timeout(until - time.monotonic()):
                await client.request(attack.method, url, json=attack.body)


def _attack(port: int, name: str, seconds: float) -> None:
    attack = ATTACKS[name]

    os.nice(10)  # as on a machine of its own: it must not take this one's cores from the other key

    async def send_all() -> None:
        until = time.monotonic() + seconds
        if isinstance(attack, Bytes):
            clients = [_send(port, attack, until) for _ in range(CONNECTIONS)]
        else:
            context = ssl.create_default_context()  # one for all: it takes 30 ms to make
            clients = [_work(port, attack, until, context) for _ in range(attack.at_a_time)]
        await asyncio.gather(*clients, return_exceptions=True)

    asyncio.run(send_all())


async def _fill(database: str, attack: Bytes | Work) -> None:
    """Gives the attacker's key its calls."""
    if isinstance(attack, Bytes) or not attack.calls:
        return
    store = open_store(database)
    await store.open()
    namespace, now = namespace_of(ATTACKER_KEY), wall()
    await open_all(store, [namespace])
    due_at = now + (1e6 if attack.due_seconds == inf else attack.due_seconds)
    for _ in range(0, attack.calls, 1000):
        calls = [
            Call(
                call_id=new_call_id(),
                phone=CALL["phone"],
                agent=CALL["agent"],
                scenario="answered",
                created_at=now,
            )
            for _ in range(1000)
        ]
        await asyncio.gather(
            *(
                store.create_call(namespace, call, due_at=due_at, idempotency_key=None)
                for call in calls
            )
        )
    await store.close()


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


def _figures(milliseconds: Sequence[float]) -> list[str]:
    """Median, 99th percentile and worst."""
    ordered = sorted(milliseconds) or [inf]
    found = (ordered[len(ordered) // 2], ordered[len(ordered) * 99 // 100], ordered[-1])
    return [f"{each:.1f}" for each in found]


async def _use(server: Running, seen: Seen, seconds: float) -> None:
    """The other key's requests, one after the other."""
    url = f"http://127.0.0.1:{server.port}"
    async with httpx2.AsyncClient(base_url=url, headers=OTHER, timeout=PATIENCE_SECONDS) as client:
        await client.get("/v1/agents")
        gc.freeze()  # what this process does for itself is no waiting

        async def timed(
            kept: list[float], request: Callable[[], Awaitable[httpx2.Response]]
        ) -> None:
            began = time.perf_counter()
            try:
                response = await request()
                seen.errors += response.status_code >= 400
            except httpx2.TransportError:
                seen.errors += 1
            kept.append((time.perf_counter() - began) * 1000)

        until = time.monotonic() + seconds
        while time.monotonic() < until:
            await timed(seen.get_ms, lambda: client.get("/v1/agents"))
            await timed(seen.post_ms, lambda: client.post("/v1/calls", json=CALL))
            seen.peak_mb = max(seen.peak_mb, resident_mb(server.pids))
            await asyncio.sleep(0.005)


def _measure(name: str, database: str, folder: Path, seconds: float) -> list[str]:
    """A row of the table."""
    database = database or f"sqlite:///{folder}/sandbox.db"
    asyncio.run(_fill(database, ATTACKS[name]))
    subject = Subject("sandbox", "under attack", sandbox_command(database=database))
    with running(subject, folder) as server:
        seen = Seen()
        _prepare(server, name)
        before = resident_mb(server.pids)
        with _attacked(server.port, name, seconds):
            asyncio.run(_use(server, seen, seconds))
        growth = seen.peak_mb - before
    figures = [*_figures(seen.get_ms), *_figures(seen.post_ms)]
    return [name, *figures, f"{seen.errors}", f"{growth:+.1f}"]


def _prepare(server: Running, name: str) -> None:
    """Opens the other key; a journal that is read is full."""
    url = f"http://127.0.0.1:{server.port}/v1/agents"
    httpx2.get(url, headers=OTHER)
    if "journal" not in getattr(ATTACKS[name], "path", ""):
        return
    headers = {"Authorization": f"Bearer {ATTACKER_KEY}", "X-Long": ("word " * 1600).strip()}
    with httpx2.Client(headers=headers) as client:
        for _ in range(1000):
            client.get(url)


@click.command()
@click.option("--seconds", default=3.0, show_default=True, type=click.FloatRange(1, 60))
@click.option("--engine", "engines", multiple=True, type=click.Choice(ENGINES))
@click.option("--attack", "names", multiple=True, type=click.Choice(list(ATTACKS)))
@click.option("--write", is_flag=True, help="Put the table on the Performance page.")
def main(seconds: float, engines: Sequence[str], names: Sequence[str], write: bool) -> None:
    """Runs each attack and prints a table."""
    cores, load = os.cpu_count(), os.getloadavg()[0]
    parts = [
        f"Measured on {datetime.now(UTC).date()}, {seconds:g} s for each attack, "
        f"on a machine with {cores} cores and a load of {load:.1f} before the first attack."
    ]
    if load > 1:
        parts[0] += " Other work ran on it at the same time, so an idle machine waits less."
    for engine in engines or ENGINES:
        rows = []
        with ExitStack() as stack:
            new_database: Callable[[], str] = str
            if engine == "PostgreSQL":
                new_database = stack.enter_context(postgres_server(fsync=True)).new_schema
            for name in names or ATTACKS:
                with tempfile.TemporaryDirectory() as folder:
                    rows.append(_measure(name, new_database(), Path(folder), seconds))
                cells = "".join(f"{cell:>9}" for cell in rows[-1][1:])
                click.echo(f"{engine:11}{name:26}{cells}")
        parts.append(f"**{engine}**\n\n{table(COLUMNS, rows)}")
    if write:
        TABLE.write_text("\n\n".join(parts) + "\n", "utf-8")


if __name__ == "__main__":
    main()
