"""What it costs a POST that many keys are active, beside the same load of one key.

    .venv/bin/python bench/keys.py
    .venv/bin/python bench/keys.py --keys 500 --rounds 9

Above 1,000 requests a second one key's oldest exchanges are dropped before they are packed, so a
load of one key flatters. Both are measured in turn on the same server; the median of the rounds is
shown. The goal: not more than a third more processor time, and a 99th percentile of 20 ms.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Final

import click
from growth import BODY
from load import Load, Request, put_load
from subjects import SANDBOX, running

SHARE_LIMIT: Final = 1.33
P99_LIMIT_MS: Final = 20.0


@click.command()
@click.option("--keys", default=50, show_default=True, type=click.IntRange(2))
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1))
@click.option("--seconds", default=3, show_default=True, type=click.IntRange(1))
def main(keys: int, rounds: int, seconds: int) -> None:
    """Compare the load of many keys with that of one."""
    loads: dict[int, list[Load]] = {1: [], keys: []}
    with tempfile.TemporaryDirectory() as folder, running(SANDBOX, Path(folder)) as server:
        for turn in range(rounds + 1):
            for count, seen in loads.items():
                names = tuple(f"sandbox_bench_{number}" for number in range(count))
                request = Request("POST", ("/v1/calls",), BODY, names)
                load = put_load(server.port, request, pids=server.pids, seconds=seconds)
                if turn:
                    seen.append(load)
    for count, seen in loads.items():
        click.echo(
            f"{count:5} keys {median(load.per_second for load in seen):8.0f}/s "
            f"p99 {median(load.p99_ms for load in seen):6.1f} ms "
            f"{median(load.cpu_us for load in seen):6.1f} µs of processor a request"
        )
    pairs = zip(loads[keys], loads[1], strict=True)
    share = median(many.cpu_us / one.cpu_us for many, one in pairs)
    click.echo(f"{share:.2f} times the processor time; goals: {SHARE_LIMIT}, {P99_LIMIT_MS:g} ms")
    sys.exit(share > SHARE_LIMIT or median(load.p99_ms for load in loads[keys]) > P99_LIMIT_MS)


if __name__ == "__main__":
    main()
