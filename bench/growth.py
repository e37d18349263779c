"""How the cost of a request grows: with calls stored, keys, connections, and words spoken.

The calls that are created here never end by themselves: what one row has created must not be
completed while the next one is measured.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from load import Request, put_load
from subjects import CATALOGUE, KEY, SANDBOX, Running, running

from voice_sandbox.calls.call import Call, Result
from voice_sandbox.calls.scenarios import load_scenarios
from voice_sandbox.clock import VirtualClock, new_call_id, wall
from voice_sandbox.http.authentication import namespace_of
from voice_sandbox.store import open_store

Echo = Callable[[str], None]

SAMPLE = CATALOGUE.sample
ENDLESS = next(
    scenario
    for scenario in load_scenarios(CATALOGUE)
    if not scenario.completions and scenario.rejection is None
)
BODY = f'{{"phone":"{ENDLESS.number}","agent":"{CATALOGUE.agents[0].key}"}}'
SETTLE_SECONDS = 1
"""A warm-up, in which a database of any size comes into the memory."""
ROUNDS = 3


def measure(folder: Path, *, quick: bool, echo: Echo) -> dict[str, list[dict[str, Any]]]:
    """One list of rows for each thing that grows."""
    seconds = 1 if quick else 2
    return {
        "calls stored": _stored(folder, (1, 1000, 10_000 if quick else 1_000_000), seconds, echo),
        "keys": _keys(folder, (1, 1000, 2000 if quick else 100_000), seconds, echo),
        "connections": _connections(folder, (1, 8, 64, 512), seconds, echo),
        "characters of a transcript": _transcripts(folder, (0, 1000, 10_000), seconds, echo),
    }


def _stored(folder: Path, sizes: tuple[int, ...], seconds: int, echo: Echo) -> list[Any]:
    rows = []
    for size in sizes:
        where = folder / f"stored{size}"
        where.mkdir()
        # Half of the calls lie in the namespace that is asked, half in others.
        ids = asyncio.run(_fill(where / "sandbox.db", size))
        with running(SANDBOX, where) as server:
            rows.append(_row(server, size, ids, (KEY,), seconds, echo, "calls stored"))
    return rows


def _keys(folder: Path, sizes: tuple[int, ...], seconds: int, echo: Echo) -> list[Any]:
    rows = []
    for size in sizes:
        keys = tuple(f"sandbox_bench_{number}" for number in range(size))
        where = folder / f"keys{size}"
        where.mkdir()
        asyncio.run(_open(where / "sandbox.db", keys))
        with running(SANDBOX, where) as server:
            # The sample call has the same id in every namespace.
            ids = [str(SAMPLE.call_id)]
            asked = keys[:: max(1, size // 10_000)]
            rows.append(_row(server, size, ids, asked, seconds, echo, "keys"))
    return rows


def _connections(folder: Path, sizes: tuple[int, ...], seconds: int, echo: Echo) -> list[Any]:
    with running(SANDBOX, folder / "connections") as server:
        ids = [str(SAMPLE.call_id)]
        return [
            _row(server, size, ids, (KEY,), seconds, echo, "connections", connections=size)
            for size in sizes
        ]


def _transcripts(folder: Path, sizes: tuple[int, ...], seconds: int, echo: Echo) -> list[Any]:
    rows = []
    with running(SANDBOX, folder / "transcripts") as server:
        for size in sizes:
            call = server.send(
                "POST",
                "/v1/calls",
                {"phone": SAMPLE.phone, "agent": CATALOGUE.agents[0].key},
            )
            server.send(
                "POST",
                f"/sandbox/calls/{call['call_id']}/end",
                {"status": "completed", "transcript": "a" * size or None, "duration": 1},
            )
            rows.append(_row(server, size, [call["call_id"]], (KEY,), seconds, echo, "characters"))
    return rows


def _row(
    server: Running,
    size: int,
    ids: list[str],
    keys: tuple[str, ...],
    seconds: int,
    echo: Echo,
    what: str,
    *,
    connections: int = 64,
) -> dict[str, Any]:
    """Figures of reading and creating at one size, the better of several rounds each."""
    read = Request("GET", tuple(f"/v1/calls/{call_id}" for call_id in ids), keys=keys)
    create = Request("POST", ("/v1/calls",), BODY, keys)
    row: dict[str, Any] = {"size": size}
    for name, request in (("read", read), ("create", create)):
        loads = [
            put_load(
                server.port,
                request,
                pids=server.pids,
                connections=connections,
                seconds=seconds if turn else SETTLE_SECONDS,
            )
            for turn in range(ROUNDS + 1)
        ]
        best = min(loads[1:], key=lambda load: load.cpu_us)
        row[name] = {"per_second": best.per_second, "cpu_us": best.cpu_us, "p99_ms": best.p99_ms}
        echo(f"{size:9,} {what:13} {name:7}{best.per_second:9.0f}/s{best.cpu_us:8.1f} µs")
    return row


async def _fill(path: Path, size: int) -> list[str]:
    """Stores so many finished calls; gives the ids of some in the namespace that is asked."""
    store = open_store(f"sqlite:///{path}")
    await store.open()
    namespaces = [namespace_of(KEY)] + [namespace_of(f"sandbox_other_{n}") for n in range(100)]
    await open_all(store, namespaces)
    made: list[str] = []
    now = wall()
    for start in range(0, size, 1000):
        calls = [
            Call(
                call_id=new_call_id(),
                phone=SAMPLE.phone,
                agent=CATALOGUE.agents[0].key,
                scenario="answered",
                created_at=now,
                result=Result(SAMPLE.status, SAMPLE.transcript, SAMPLE.duration_seconds),
                ended_at=now + 8,
            )
            for _ in range(min(1000, size - start))
        ]
        await asyncio.gather(
            *(
                store.create_call(
                    namespaces[0 if number % 2 == 0 else 1 + number % 100],
                    call,
                    due_at=None,
                    idempotency_key=None,
                )
                for number, call in enumerate(calls)
            )
        )
        made.append(str(calls[0].call_id))
    await store.close()
    return made[:: max(1, len(made) // 500)]


async def _open(path: Path, keys: tuple[str, ...]) -> None:
    store = open_store(f"sqlite:///{path}")
    await store.open()
    await open_all(store, [namespace_of(key) for key in keys])
    await store.close()


async def open_all(store: Any, namespaces: list[bytes]) -> None:
    now = wall()
    sample = Call(
        call_id=SAMPLE.call_id,
        phone=SAMPLE.phone,
        agent=SAMPLE.agent,
        scenario="answered",
        created_at=now,
        result=Result(SAMPLE.status, SAMPLE.transcript, SAMPLE.duration_seconds),
        ended_at=now,
    )
    for start in range(0, len(namespaces), 1000):
        await asyncio.gather(
            *(
                store.open_namespace(name, fresh=VirtualClock(now, now), sample=sample)
                for name in namespaces[start : start + 1000]
            )
        )
