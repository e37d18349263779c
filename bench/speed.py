"""How fast the sandbox is, beside a bare server and beside others, in one interleaved run.

    make bench                      everything, about ten minutes
    make bench ARGS=--quick         short runs, to see that all of it works
    make bench ARGS=--write         and put table and plot on the portal's Performance page
    make bench ARGS="--soak 600"    and watch the memory for ten minutes under load

Servers run on one core, the load (wrk) on another. In each round every server gets each kind of
request in turn, so that a moment in which the machine is slow hits all of them. A ratio compares
two figures of the same round; the median of the rounds is shown.
"""

from __future__ import annotations

import platform
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import click
import cold_start
import growth
import profiling
import report
from load import Load, LoadError, Request, put_load, resident_mb
from subjects import (
    CATALOGUE,
    FLOOR,
    KEYS,
    OTHERS,
    SANDBOX,
    VARIANTS,
    Missing,
    Running,
    Subject,
    running,
)

CREATE, READ, LIST = "create a call", "read a call", "list the agents"
OPERATIONS = (CREATE, READ, LIST)
STARTS = 7


class Budget(NamedTuple):
    """How long everything takes."""

    rounds: int
    seconds: int
    warm_up_seconds: int


FULL, QUICK = Budget(3, 2, 2), Budget(1, 1, 1)


@click.command()
@click.option("--quick", is_flag=True, help="Short runs, to see that all of it works.")
@click.option("--only", multiple=True, help="Name of a server to measure; the floor is always.")
@click.option("--soak", default=0, metavar="SECONDS", help="Watch the memory under load.")
@click.option("--write", is_flag=True, help="Put the results on the Performance page.")
@click.option("--no-growth", is_flag=True, help="Leave out how the cost grows.")
def main(quick: bool, only: Sequence[str], soak: int, write: bool, no_growth: bool) -> None:
    """Measure the sandbox beside a bare server and beside others."""
    budget = QUICK if quick else FULL
    subjects = [s for s in (FLOOR, SANDBOX, *VARIANTS, *OTHERS) if s is FLOOR or _is_in(s, only)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        results: dict[str, Any] = {
            "date": datetime.now(UTC).date().isoformat(),
            "machine": _machine(),
            "subjects": compare(subjects, folder, budget),
            "profile": profile(folder, budget),
            "life": lives(folder, budget),
            "starts": cold_starts(STARTS if not quick else 2),
        }
        if not no_growth:
            results["growth"] = growth.measure(folder, quick=quick, echo=click.echo)
        if soak:
            results["soak"] = watch_memory(folder, soak)
    click.echo(report.markdown(results))
    if write:
        report.write(results)


def compare(subjects: Sequence[Subject], folder: Path, budget: Budget) -> list[dict[str, Any]]:
    """Load on every subject in every round; one row a subject, ``None`` where it cannot run."""
    found: dict[str, dict[str, list[Load]]] = {}
    rows: list[dict[str, Any]] = []
    with ExitStack() as stack:
        servers: list[tuple[Subject, Running]] = []
        for subject in subjects:
            row: dict[str, Any] = {"name": subject.name, "about": subject.about, "missing": None}
            rows.append(row)
            try:
                server = stack.enter_context(running(subject, folder / f"s{len(rows)}"))
            except (Missing, TimeoutError) as error:
                row["missing"] = str(error)
                click.echo(f"{subject.name} is left out: {error}")
                continue
            row["start_mb"] = resident_mb(server.pids)
            servers.append((subject, server))
            found[subject.name] = {operation: [] for operation in OPERATIONS}
        for turn in range(-1, budget.rounds):
            seconds = budget.warm_up_seconds if turn < 0 else budget.seconds
            for operation in OPERATIONS:
                for subject, server in servers:
                    load = put_load(
                        server.port,
                        request_for(operation, subject, server),
                        pids=server.pids,
                        seconds=seconds,
                    )
                    empty(subject, server)
                    if turn >= 0:
                        found[subject.name][operation].append(load)
                    click.echo(
                        f"{turn + 1}/{budget.rounds} {operation:16} {subject.name:27}"
                        f"{load.per_second:9.0f}/s  p99 {load.p99_ms:7.1f} ms"
                        f"{load.cpu_us:8.1f} µs"
                    )
    for row in rows:
        for operation, loads in found.get(row["name"], {}).items():
            floor = found[FLOOR.name][operation]
            row[operation] = {
                "per_second": median(load.per_second for load in loads),
                "of_floor": _ratio(loads, floor, lambda load: load.per_second),
                "p50_ms": median(load.p50_ms for load in loads),
                "p99_ms": median(load.p99_ms for load in loads),
                "p99_of_floor": _ratio(loads, floor, lambda load: load.p99_ms),
                "cpu_us": median(load.cpu_us for load in loads),
            }
    return rows


def empty(subject: Subject, server: Running) -> None:
    """Removes the calls of a sandbox, which would go on while others are measured."""
    if subject.is_sandbox:
        for key in KEYS:
            server.send("DELETE", "/sandbox/state", key=key)


def request_for(operation: str, subject: Subject, server: Running) -> Request:
    """A request that this server answers with a success."""
    phone, agent = CATALOGUE.sample.phone, CATALOGUE.agents[0].key
    if operation == CREATE:
        return Request("POST", ("/v1/calls",), f'{{"phone":"{phone}","agent":"{agent}"}}', KEYS)
    if operation == LIST:
        return Request("GET", ("/v1/agents",), keys=KEYS)
    call = {"phone": phone, "agent": agent}
    created = [server.send("POST", "/v1/calls", call, key=key)["call_id"] for key in KEYS]
    return Request("GET", tuple(f"/v1/calls/{call_id}" for call_id in created), keys=KEYS)


def profile(folder: Path, budget: Budget) -> profiling.Profile:
    """Where the sandbox's time goes, by operation; empty where that cannot be seen."""
    with running(SANDBOX, folder / "profile") as server:
        try:
            return {
                operation: profiling.shares(
                    server, request_for(operation, SANDBOX, server), seconds=5 * budget.seconds
                )
                for operation in OPERATIONS
            }
        except Missing as error:
            click.echo(f"The profile is left out: {error}")
            return {}


def lives(folder: Path, budget: Budget) -> dict[str, float]:
    """Whole calls a second: created, completed by the provider through the webhook, saved."""
    hasty = SANDBOX._replace(
        name="life",
        command=lambda port, where: [*SANDBOX.command(port, where), "--speed", "1000"],
    )
    with running(hasty, folder / "life") as server:
        request = request_for(CREATE, hasty, server)
        load = put_load(server.port, request, pids=server.pids, seconds=3 * budget.seconds)
        started = time.monotonic()
        for key in KEYS:
            server.send("POST", "/sandbox/clock", {"until": "idle"}, key=key)
        late = time.monotonic() - started
    return {"per_second": load.requests / (load.requests / load.per_second + late), "late": late}


def cold_starts(times: int) -> dict[str, float]:
    """Seconds from the command to the first response, and the memory then."""
    sandboxes, bares = cold_start.measure(times)
    return {
        "floor": median(start.seconds for start in bares),
        "sandbox": median(start.seconds for start in sandboxes),
        "ratio": cold_start.times_slower(sandboxes, bares),
        "megabytes": max(start.megabytes for start in sandboxes),
    }


def watch_memory(folder: Path, seconds: int) -> list[tuple[int, float]]:
    """Resident MB each tenth of the time, under load of creations whose calls go by at once."""
    hasty = SANDBOX._replace(
        command=lambda port, where: [*SANDBOX.command(port, where), "--speed", "1000"]
    )
    seen: list[tuple[int, float]] = []
    with running(hasty, folder / "soak") as server:
        request = request_for(CREATE, hasty, server)
        for turn in range(10):
            put_load(server.port, request, pids=server.pids, seconds=max(1, seconds // 10))
            seen.append((round((turn + 1) * seconds / 10), resident_mb(server.pids)))
            click.echo(f"{seen[-1][0]:5} s  {seen[-1][1]:.1f} MB")
    return seen


def _ratio(loads: Sequence[Load], floor: Sequence[Load], figure: Callable[[Load], float]) -> float:
    return float(median(figure(a) / figure(b) for a, b in zip(loads, floor, strict=True)))


def _is_in(subject: Subject, only: Sequence[str]) -> bool:
    return not only or subject.name in only


def _machine() -> str:
    model = platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    return f"{model}, Python {platform.python_version()}"


if __name__ == "__main__":
    try:
        main()
    except LoadError as error:
        sys.exit(str(error))
