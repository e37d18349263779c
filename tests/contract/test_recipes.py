"""The recipes of the Contract testing page for GitHub Actions and GitLab CI, run as they stand."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from prism_process import free_port
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
    """Serving, waiting and both verifications run as they stand, and leave JUnit reports."""
    environment = {**os.environ, "VOICE_API_URL": sandbox_server.url, "VOICE_API_KEY": key}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    port = str(free_port())
    ran = []
    for line in commands(name):
        words = shlex.split(line)
        if words[:2] == ["pip", "install"]:
            for word in words[2:]:
                if not word.startswith("-"):
                    assert (root / word).exists()
        else:
            ran.append(line.replace("8010", port))
    script = "\n".join(["trap 'kill %1' EXIT", *ran])
    subprocess.run(["bash", "-em", "-c", script], cwd=tmp_path, env=environment, check=True)
    assert [shlex.split(line)[0] for line in ran] == [
        "voice-sandbox",
        "curl",
        "voice-sandbox",
        "voice-sandbox",
    ]
    assert {path.name for path in (tmp_path / "reports").iterdir()} == {
        "sandbox.xml",
        "service.xml",
    }


def test_both_recipes_do_the_same() -> None:
    """Whoever moves from one to the other loses nothing."""
    assert commands("github-actions.yml") == commands("gitlab-ci.yml")
