"""Kills replicas under load, and counts what was lost: it must be nothing.

    .venv/bin/python bench/killer.py                   PostgreSQL, two minutes, a kill every 3 s
    .venv/bin/python bench/killer.py --sqlite          20 kills of one process on a SQLite file

PostgreSQL comes from the wheel and writes through to the disk, as it does where it is installed.
Each client retries under its Idempotency-Key until a replica acknowledges the call.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

ROOT = Path(__file__).resolve().parent.parent
# What lies beside the tests can be imported only after this, hence the imports below it.
sys.path.insert(0, str(ROOT / "tests" / "support"))

from killing import Outcome, load_on, replicas_on, take_stock  # noqa: E402  (beside the tests)
from postgres_server import postgres_server  # noqa: E402
from voice_sandbox.contract.catalogue import read_catalogue  # noqa: E402
from voice_sandbox.contract.reader import find_contract, load_contract  # noqa: E402


@click.command()
@click.option("--sqlite", is_flag=True, help="One process on a SQLite file instead of PostgreSQL.")
@click.option("--replicas", "count", type=click.IntRange(1), help="Processes.  [default: 2, or 1]")
@click.option("--kills", type=click.IntRange(1), help="How many.  [default: 40, or 20]")
@click.option("--pause", default=3.0, show_default=True, help="Seconds between two kills.")
@click.option("--clients", default=8, show_default=True, help="Connections that create calls.")
def main(sqlite: bool, count: int | None, kills: int | None, pause: float, clients: int) -> None:
    """Kill replicas under load, and count what was lost."""
    count, kills = count or (1 if sqlite else 2), kills or (20 if sqlite else 40)
    agent = read_catalogue(load_contract(find_contract())).agents[0].key
    with (
        tempfile.TemporaryDirectory() as folder,
        _database(Path(folder), sqlite) as database,
        replicas_on(Path(folder), database, count) as replicas,
    ):
        started = time.monotonic()
        with load_on(replicas, clients=clients, agent=agent) as outcome:
            for kill in range(kills):
                time.sleep(pause)
                replicas.kill(kill % count)
                replicas.start_again(kill % count)
                click.echo(f"\rkill {kill + 1} of {kills}, {outcome.calls} calls", nl=False)
        seconds = time.monotonic() - started
        click.echo("\rcounting …" + " " * 30, nl=False)
        take_stock(replicas, database, outcome)
    _report(outcome, engine="SQLite" if sqlite else "PostgreSQL", kills=kills, seconds=seconds)
    sys.exit(bool(outcome.faults))


@contextmanager
def _database(folder: Path, sqlite: bool) -> Iterator[str]:
    if sqlite:
        yield f"sqlite:///{folder}/calls.db"
        return
    with postgres_server(fsync=True) as server:
        yield server.url()


def _report(outcome: Outcome, *, engine: str, kills: int, seconds: float) -> None:
    click.echo(
        f"\r{engine}: {kills} kills in {seconds:.0f} s, {outcome.calls} calls acknowledged.\n"
        f"  {outcome.cut_off} requests were cut off and {outcome.rejected} were answered 503; "
        "each was sent again under its Idempotency-Key.\n"
        f"  Lost, doubled, or not delivered exactly once: {len(outcome.faults) or 'none'}."
    )
    for fault in outcome.faults[:20]:
        click.echo(f"    {fault}", err=True)


if __name__ == "__main__":
    main()
