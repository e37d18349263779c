"""The options of `serve`: a value that would do something else than it says is rejected."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from voice_sandbox.cli.main import main

LIMIT_SECONDS = 60


@pytest.mark.parametrize("option", ["--host", "--metrics-host"])
@pytest.mark.parametrize("address", ["", " "])
def test_empty_address_opens_nothing(option: str, address: str) -> None:
    """An unset variable in a unit file does not open the sandbox to the network."""
    result = CliRunner().invoke(main, ["serve", "--port", "0", option, address])
    assert (result.exit_code, f"{option} is empty" in result.output) == (1, True)


@pytest.mark.parametrize("level", ["1", "2"])
@pytest.mark.parametrize("command", [[], ["serve"], ["verify"], ["logs"]])
def test_commands_run_optimized(tmp_path: Path, level: str, command: list[str]) -> None:
    """Without assertions and docstrings each command still says how it is used."""
    ran = subprocess.run(
        [sys.executable, "-m", "voice_sandbox", *command, "--help"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONOPTIMIZE": level},
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )
    assert (ran.returncode, "Usage:" in ran.stdout) == (0, True), ran.stderr
