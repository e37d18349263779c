"""The worked example and the commands of the page "Test your integration"."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from built_pages import blocks
from sandbox_process import SandboxServer


def test_the_worked_example_passes(root: Path) -> None:
    """An integrator's small service and its tests run with nothing but the plugin."""
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull, "."],
        cwd=root / "docs" / "examples" / "reminders",
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize("shell", ["bash"])
def test_every_command_of_the_page_runs(
    articles, sandbox_server: SandboxServer, key: str, shell: str
) -> None:
    """Each block of commands runs from top to bottom in a shell."""
    commands = Path(sys.executable).parent
    environment = {
        **os.environ,
        "PATH": f"{commands}{os.pathsep}{os.environ['PATH']}",
        "VOICE_SANDBOX_URL": sandbox_server.url,
        "VOICE_API_KEY": key,
    }
    ran = [
        subprocess.run(
            [shell, "-euc", text], env=environment, capture_output=True, text=True, timeout=60
        )
        for text in blocks(articles["testing"], "sh")
        if "voice-sandbox" in text
    ]
    assert len(ran) == 7
    assert [done.stderr for done in ran if done.returncode] == []
