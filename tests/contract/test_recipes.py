"""The recipes of the Contract testing page for GitHub Actions and GitLab CI, run as they stand."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from sandbox_process import SandboxServer

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"


def commands(name: str) -> list[str]:
    """The shell lines of a recipe."""
    recipe = yaml.safe_load((EXAMPLES / name).read_text("utf-8"))
    if "jobs" in recipe:
        return [step["run"] for step in recipe["jobs"]["verify"]["steps"] if "run" in step]
    return list(recipe["contract"]["script"])


@pytest.mark.parametrize("name", ["github-actions.yml", "gitlab-ci.yml"])
def test_recipe_runs(
    name: str, root: Path, sandbox_server: SandboxServer, key: str, tmp_path: Path
) -> None:
    """Every verification of the recipe passes against a sandbox and leaves its JUnit report."""
    environment = {**os.environ, "VOICE_API_URL": sandbox_server.url, "VOICE_API_KEY": key}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    ran = 0
    for line in commands(name):
        words = shlex.split(line)
        if words[:2] == ["pip", "install"]:
            for word in words[2:]:
                if not word.startswith("-"):
                    assert (root / word).exists()
        elif words[:2] == ["voice-sandbox", "serve"]:
            assert "8010" in words  # the sandbox of the tests runs already, on another port
        else:
            command = line.replace("http://127.0.0.1:8010", sandbox_server.url)
            subprocess.run(["bash", "-e", "-c", command], cwd=tmp_path, env=environment, check=True)
            ran += 1
    assert ran == 2
    assert {path.name for path in (tmp_path / "reports").iterdir()} == {
        "sandbox.xml",
        "service.xml",
    }


def test_both_recipes_do_the_same() -> None:
    """Whoever moves from one to the other loses nothing."""
    assert commands("github-actions.yml") == commands("gitlab-ci.yml")
