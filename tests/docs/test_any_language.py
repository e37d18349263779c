"""The recipes of the page "Any language", run in a folder of their own as its readers run them."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from node_tools import NodeTools

RECIPES = Path(__file__).parents[2] / "docs" / "examples" / "any-language"
# Where Debian's package junit5 has it.
JUNIT = Path(os.environ.get("JUNIT", "/usr/share/java/junit-platform-console-standalone.jar"))
NEEDED = {"go": "go", "java": "javac", "php": "phpunit", "shell": "curl"}
"""Recipe → the program that not every machine has. Node and Vitest come with the tests."""
PASSES = {
    "node": "pass 2",
    "vitest": "2 passed",
    "go": "ok",
    "java": "1 tests successful",
    "php": "OK (1 test",
    "shell": "1 test passed",
}
"""Recipe → what its tool prints where all of its tests pass."""


def commands(articles: Mapping[str, Any], recipe: str) -> str:
    """The commands below a recipe's heading."""
    heading = articles["any-language"].find(id=recipe)
    found = heading.find_all_next(class_="language-sh")
    texts = [block.get_text() for block in found if block.find_previous("h2") == heading]
    return "\n".join(text for text in texts if "voice-sandbox exec" in text)


@pytest.mark.parametrize("recipe", PASSES)
def test_the_recipe_passes(
    articles: Mapping[str, Any], node_tools: NodeTools, recipe: str, tmp_path: Path
) -> None:
    """With nothing but its files and the command of the page its tests pass."""
    needed = NEEDED.get(recipe)
    if needed is not None and shutil.which(needed) is None:
        pytest.skip(f"{needed} is not installed here, so the {recipe} recipe is not run.")
    if recipe == "java" and not JUNIT.is_file():
        pytest.skip(f"{JUNIT} is missing: install JUnit 5, or name its console jar in JUNIT.")
    folder = shutil.copytree(RECIPES / recipe, tmp_path / "tests")
    (tmp_path / "node_modules").symlink_to(node_tools.packages)
    programs = [Path(sys.executable).parent, node_tools.node.parent]
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("VOICE_")},
        "PATH": os.pathsep.join([*map(str, programs), os.environ["PATH"]]),
        "JUNIT": str(JUNIT),
        "NO_COLOR": "1",
        "GOFLAGS": "-mod=mod",
        "GOPROXY": "off",
    }
    ran = subprocess.run(
        ["bash", "-euc", commands(articles, recipe)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert PASSES[recipe] in ran.stdout
    assert "voice-sandbox: " in ran.stderr


@pytest.mark.parametrize("recipe", PASSES)
def test_the_page_shows_every_file_of_the_recipe(root: Path, recipe: str) -> None:
    """What a reader copies from the page is what the tests run."""
    page = (root / "docs" / "any-language.md").read_text("utf-8")
    for path in (RECIPES / recipe).iterdir():
        shown = f'"any-language/{recipe}/{path.name}"'
        shared = recipe == "vitest" and path.name == "sandbox.mjs"  # shown for node:test
        assert shared or path.name == "go.mod" or shown in page


def test_both_node_recipes_share_a_module() -> None:
    """The page shows `sandbox.mjs` once for node:test and Vitest."""
    node, vitest = (RECIPES / name / "sandbox.mjs" for name in ("node", "vitest"))
    assert node.read_text("utf-8") == vitest.read_text("utf-8")
