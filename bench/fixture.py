"""Two hundred integrator tests through the fixture: how long they take, and how often one fails.

    .venv/bin/python bench/fixture.py                  fifty runs
    .venv/bin/python bench/fixture.py --workers 4      with four workers of pytest-xdist

Each test places a call on a key of its own and sees its end. A test that sleeps fails: waiting is
what the virtual clock is there to save. The goals: under five seconds for all two hundred, and
not one failure in fifty runs.
"""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import click

TESTS = 200
MOST_SECONDS = 5.0

SUITE = f"""
import time

import pytest


@pytest.fixture(autouse=True)
def nobody_sleeps(monkeypatch):
    def refuse(seconds):
        raise AssertionError(f"slept {{seconds}} s")

    monkeypatch.setattr(time, "sleep", refuse)


@pytest.mark.parametrize("turn", range({TESTS}))
def test_call_is_seen_to_its_end(voice_sandbox, turn):
    call_id = voice_sandbox.call("answered")
    assert voice_sandbox.status(call_id)["status"] in ("queued", "ringing")
    voice_sandbox.until_idle()
    assert voice_sandbox.status(call_id)["status"] == "completed"
"""


@click.command()
@click.option("--runs", default=50, show_default=True, type=click.IntRange(1))
@click.option("--workers", type=click.IntRange(1), help="Workers of pytest-xdist.  [default: none]")
def main(runs: int, workers: int | None) -> None:
    """Run two hundred tests again and again."""
    words = [] if workers is None else ["-p", "xdist", "-n", str(workers)]
    told: list[float] = []
    whole: list[float] = []
    processor: list[float] = []
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "test_calls.py").write_text(SUITE)
        for run in range(runs):
            began, began_cpu = time.perf_counter(), _processor_seconds()
            output = _pytest(folder, words)
            whole.append(time.perf_counter() - began)
            processor.append(_processor_seconds() - began_cpu)
            passed = re.search(rf"^{TESTS} passed in ([0-9.]+)s", output, re.MULTILINE)
            if passed:
                told.append(float(passed[1]))
            else:
                failures += 1
                click.echo(output, err=True)
            click.echo(f"\r{run + 1} of {runs} runs, {failures} failed", nl=False)
    click.echo()
    _print("the tests", told)
    _print("pytest and all", whole)
    _print("of processor", processor)
    click.echo(f"goals: {MOST_SECONDS:g} s, and no failure")
    sys.exit(failures > 0 or median(told) > MOST_SECONDS)


def _pytest(folder: str, words: Sequence[str]) -> str:
    """One run, with no other plugin than the sandbox's."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    ran = subprocess.run(  # noqa: S603  (our own words)
        [
            *(sys.executable, "-m", "pytest", "-q", "--disable-plugin-autoload"),
            *(
                "-p",
                "voice_sandbox.testing.pytest_plugin",
                "-p",
                "no:cacheprovider",
                "-c",
                os.devnull,
            ),
            *("--rootdir", folder, *words, folder),
        ],
        cwd=folder,
        env={**environment, "PYTHONPYCACHEPREFIX": str(Path(folder, "compiled"))},
        capture_output=True,
        text=True,
    )
    return ran.stdout + ran.stderr


def _processor_seconds() -> float:
    """What all processes that have ended have used, of all cores together."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _print(name: str, seconds: Sequence[float]) -> None:
    if seconds:
        click.echo(f"{name:15} {min(seconds):.2f} s at best, {median(seconds):.2f} s median")


if __name__ == "__main__":
    main()
