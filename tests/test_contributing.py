"""What CONTRIBUTING.md says of the repository is so."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "sandbox" / "voice_sandbox"
TEXT = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
PACKAGES = sorted(path.parent for path in PACKAGE.glob("*/__init__.py"))


def test_the_diagram_is_that_of_the_code() -> None:
    """Whoever adds an import between packages draws the diagram again."""
    command = [sys.executable, str(ROOT / "tools" / "package_diagram.py"), "--check"]
    checked = subprocess.run(command, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr


def test_each_place_that_is_named_exists() -> None:
    """A path in the text leads from the top of the repository, or from the package."""
    words = re.findall(r"`(\w[\w./-]*(?:/|\.(?:py|yaml|yml|md)))`", TEXT)
    assert len(words) > 20
    missing = [word for word in words if not any((top / word).exists() for top in (ROOT, PACKAGE))]
    assert missing == []


def test_each_command_of_make_exists() -> None:
    """A target that is named in the text is one of the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))
    assert set(re.findall(r"\bmake ([a-z-]+)\b(?! do)", TEXT)) <= targets | {"the"}


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_each_package_says_what_it_owns(package: Path) -> None:
    """Its docstring says what it owns, and what may import it."""
    docstring = ast.get_docstring(ast.parse((package / "__init__.py").read_text("utf-8"))) or ""
    assert re.search(r"\bOwns\b", docstring)
    assert re.search(r"\bimport it\b|\bimports it\b|\buses its\b", docstring)


def test_each_issue_template_is_one() -> None:
    """Each begins with a name and a sentence, which the host shows to choose from."""
    for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.md"):
        _, head, body = path.read_text("utf-8").split("---\n", 2)
        assert set(yaml.safe_load(head)) == {"name", "about"}
        assert body.strip()


def test_pre_commit_runs_what_lint_runs() -> None:
    """The only hook is `make lint`, so the two cannot differ, and nothing is downloaded."""
    settings = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))
    [repository] = settings["repos"]
    [hook] = repository["hooks"]
    assert (repository["repo"], hook["entry"]) == ("local", "make lint")
