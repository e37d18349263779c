"""A minute of generated bodies for the JSON decoder, guided by coverage."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

SECONDS = 60


def test_a_fuzzer_finds_nothing(root: Path, tmp_path: Path) -> None:
    """No body crashes the decoder, and it takes no value that Python's own decoder denies."""
    if importlib.util.find_spec("atheris") is None:
        pytest.skip("atheris is made for Linux on x86_64 with Python 3.11 to 3.13 alone")
    options = [f"-max_total_time={SECONDS}", "-print_final_stats=1"]
    ran = subprocess.run(
        [sys.executable, root / "tests/support/json_fuzzer.py", *options],
        cwd=tmp_path,
        env=os.environ,
        capture_output=True,
        text=True,
        timeout=2 * SECONDS + 60,
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    [runs] = re.findall(r"stat::number_of_executed_units: *([0-9]+)", ran.stderr)
    assert int(runs) > 10_000
