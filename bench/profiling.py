"""Where the sandbox's time goes under load: py-spy looks at its stack some hundred times a second.

A look counts for the part of the sandbox that is at work, not for the parts that have called it.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from load import Request, put_load
from subjects import Missing, Running

LOOKS_A_SECOND: Final = 400
SERVER: Final = "HTTP: uvicorn and its bounds"
REST: Final = "event loop and system"
# Of whatever these two call they are the cause.
_CAUSES: Final = (
    ("journal", re.compile(r"sandbox/journal/")),
    ("log", re.compile(r"sandbox/server/(access_log|log_writer)\.py")),
)
# Of the others the innermost one is at work.
_PARTS: Final = (
    ("store: SQLite", re.compile(r"sandbox/store/")),
    (
        "reading and checking",
        re.compile(r"sandbox/(http/strict_json|contract/validation)\.py|json/decoder\.py"),
    ),
    (SERVER, re.compile(r"sandbox/server/(connection|write_coalescing|accepting)\.py|uvicorn/")),
    (
        "the exchange itself",
        re.compile(r"sandbox/(http|api|calls|simulation|contract|clock|app)\b"),
    ),
)
PARTS: Final = (*(part for part, _ in (*_PARTS, *_CAUSES)), REST)


def shares(server: Running, request: Request, *, seconds: int) -> dict[str, float]:
    """The share of each part while the server answers ``request`` again and again.

    Raises: `Missing` where py-spy is missing, or may not look at another process.
    """
    py_spy = shutil.which("py-spy", path=Path(sys.executable).parent)
    if py_spy is None:
        raise Missing("py-spy is missing (make bench installs it)")
    with tempfile.TemporaryDirectory() as folder:
        stacks = Path(folder) / "stacks"
        looking = subprocess.Popen(  # noqa: S603  (our own command)
            [
                *[py_spy, "record", "--nonblocking", "--format=raw", f"--output={stacks}"],
                *[f"--rate={LOOKS_A_SECOND}", f"--duration={seconds}"],
                f"--pid={server.process.pid}",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        put_load(server.port, request, pids=server.pids, seconds=seconds + 1)
        _, said = looking.communicate()
        if looking.returncode or not stacks.is_file():
            raise Missing(f"py-spy could not look at it: {said.strip().splitlines()[-1:]}")
        return _shares(stacks.read_text("utf-8").splitlines())


def _shares(lines: Sequence[str]) -> dict[str, float]:
    """From lines such as ``main (a.py:1);work (b.py:2) 17``."""
    counts: Counter[str] = Counter()
    for line in lines:
        stack, _, looks = line.rpartition(" ")
        if "run_until_complete" in stack or "Runner.run" in stack:  # the loop's own thread
            counts[_part(stack.split(";"))] += int(looks)
    total = sum(counts.values())
    return {part: counts[part] / total for part in PARTS}


def _part(frames: Sequence[str]) -> str:
    for part, pattern in _CAUSES:
        if any(map(pattern.search, frames)):
            return part
    for frame in reversed(frames):
        for part, pattern in _PARTS:
            if pattern.search(frame):
                return part
    return REST


Profile = Mapping[str, Mapping[str, float]]
"""The shares of the parts by operation."""
