"""The worked example and the commands of the pages "Test your integration" and "Command line"."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from built_pages import blocks
from inner_pytest import run_pytest
from sandbox_process import SandboxServer
from voice_sandbox.cli.main import main


def test_the_worked_example_passes(root: Path) -> None:
    """An integrator's small service and its tests run with nothing but the plugin."""
    ran = run_pytest(root / "docs" / "examples" / "reminders")
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_every_program_of_the_page_passes(articles: Mapping[str, Any], tmp_path: Path) -> None:
    """Each test that the page shows is collected and passes, async ones with anyio."""
    shown = [text for text in blocks(articles["testing"], "python") if "(voice_sandbox" in text]
    for number, text in enumerate(shown):
        head = "import pytest\n\npytestmark = pytest.mark.anyio\n\n" if "async" in text else ""
        (tmp_path / f"test_{number}.py").write_text(head + text, "utf-8")
    (tmp_path / "conftest.py").write_text(
        "import pytest\n\n@pytest.fixture\ndef anyio_backend():\n    return 'asyncio'\n", "utf-8"
    )
    examples = Path(__file__).parents[2] / "docs" / "examples"
    shutil.copy(examples / "numbers" / "numbers.yaml", tmp_path)
    example = examples / "reminders"
    ran = run_pytest(tmp_path, "-o", f"pythonpath={example}")
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_every_pytest_command_of_the_page_passes(articles: Mapping[str, Any], root: Path) -> None:
    """The coverage commands run over the worked example, which reaches the goal they name."""
    commands = [
        line.split()[1:]
        for text in blocks(articles["testing"], "sh")
        for line in text.splitlines()
        if line.startswith("pytest ")
    ]
    assert commands
    for words in commands:
        ran = run_pytest(root / "docs" / "examples" / "reminders", *words)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        assert "items are covered" in ran.stdout


def test_every_scenario_of_the_sandbox_page_runs(
    articles: Mapping[str, Any], sandbox_server: SandboxServer, key: str
) -> None:
    """The command beside each scenario plays it: the call is placed, or rejected as it says."""
    rows = articles["sandbox-guide"].select("table.scenarios tbody tr")
    assert rows
    for row in rows:
        [words] = [
            code.get_text().split()[1:]
            for code in row.select("code")
            if code.get_text().startswith("voice-sandbox ")
        ]
        assert words.pop() == "--watch"  # which a test has no time for
        ran = CliRunner().invoke(
            main, words, env={"VOICE_SANDBOX_URL": sandbox_server.url, "VOICE_API_KEY": key}
        )
        rejected = row.select("td")[-1].get_text().strip() in ("429", "503")
        assert ran.exit_code == (1 if rejected else 0), ran.output


@pytest.mark.parametrize(("name", "count"), [("testing", 6), ("command-line", 10)])
def test_every_command_of_the_page_runs(
    articles: Mapping[str, Any],
    sandbox_server: SandboxServer,
    key: str,
    name: str,
    count: int,
    tmp_path: Path,
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
            ["bash", "-euc", text],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        for text in blocks(articles[name], "sh")
        if "voice-sandbox" in text and "voice-sandbox serve" not in text  # which has no end
    ]
    assert len(ran) == count
    assert [done.stderr for done in ran if done.returncode] == []
