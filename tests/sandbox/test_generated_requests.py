"""Generated requests to a real process: none breaks it, and none reads what another key keeps."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("server", ["sandbox", "sandbox, in memory"])
def test_generated_requests_find_nothing(root: Path, server: str) -> None:
    """The first ten thousand of those that `bench/fuzz.py` makes up."""
    fuzz = [str(root / "bench" / "fuzz.py"), "--requests", "10000", "--seed", "20261125"]
    ran = subprocess.run(
        [sys.executable, *fuzz, "--server", server],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.endswith("10,000 answers, 0 faults\n")
