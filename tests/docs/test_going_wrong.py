"""The tests of the page "How calls go wrong", run in a folder of their own as a reader has them."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from built_pages import blocks
from inner_pytest import run_pytest
from node_tools import NodeTools

FAILURES = 10
SECTIONS = (
    *("lost-response", "double-dial", "provider-unavailable", "rate-limit", "gateway-error"),
    *("stuck", "late-result", "hang-up", "voicemail", "silence"),
)


@pytest.fixture(scope="module")
def article(articles: Mapping[str, Any]) -> Any:
    return articles["how-calls-go-wrong"]


def exec_beside_a_sandbox(
    folder: Path, *command: str, programs: Path | None = None
) -> subprocess.CompletedProcess[str]:
    path = [Path(sys.executable).parent, *([programs] if programs else [])]
    return subprocess.run(
        ["voice-sandbox", "exec", "--", *command],
        cwd=folder,
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith("VOICE_")},
            "PATH": os.pathsep.join([*map(str, path), os.environ["PATH"]]),
        },
        capture_output=True,
        text=True,
    )


def test_every_failure_has_its_test_in_each_language(article: Any) -> None:
    """Each section shows what the user sees, a rule, a card to trigger it, and three tests."""
    for section in SECTIONS:
        heading = article.find(id=section)
        columns = heading.find_parent(class_="columns")
        below = [] if columns is None else [columns]
        for sibling in (columns or heading).find_next_siblings():
            if sibling.name == "h2" or sibling.find("h2") is not None:
                break
            below.append(sibling)
        text = "\n".join(map(str, below))
        assert "<strong>Rule:</strong>" in text, section
        assert "<try-api" in text or 'href="#faults"' in text, section
        for language in ("python", "js", "sh"):
            assert f"language-{language}" in text, (section, language)


def test_tests_in_python_pass(article: Any, tmp_path: Path) -> None:
    """They are collected from the page, and all of them pass."""
    head, tests = halves(blocks(article, "python"), "CALL = ")
    (tmp_path / "test_calls.py").write_text("\n\n".join([*head, *tests]), "utf-8")
    ran = run_pytest(tmp_path)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert f"{FAILURES} passed" in ran.stdout


def test_tests_in_javascript_pass(article: Any, node_tools: NodeTools, tmp_path: Path) -> None:
    """They are collected from the page, and all of them pass."""
    sandbox, rest = halves(blocks(article, "js"), "export function newSandbox")
    head, tests = halves(rest, "import assert")
    (tmp_path / "sandbox.mjs").write_text("\n".join(sandbox), "utf-8")
    (tmp_path / "calls.test.mjs").write_text("\n".join([*head, *tests]), "utf-8")
    ran = exec_beside_a_sandbox(tmp_path, "node", "--test", programs=node_tools.node.parent)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert f"pass {FAILURES}" in ran.stdout


@pytest.mark.skipif(shutil.which("jq") is None, reason="jq is missing: apt-get install jq")
def test_tests_in_shell_pass(article: Any, tmp_path: Path) -> None:
    """They are collected from the page, and all of them pass."""
    sandbox, rest = halves(blocks(article, "sh"), "new_sandbox() {")
    head, tests = halves(rest, ". ./sandbox.sh")
    names = [name for text in tests for name in re.findall(r"^(test_\w+)\(\)", text, re.M)]
    assert len(names) == FAILURES
    (tmp_path / "sandbox.sh").write_text("\n".join(sandbox), "utf-8")
    (tmp_path / "test_calls.sh").write_text("\n".join([*head, *tests, *names]), "utf-8")
    ran = exec_beside_a_sandbox(tmp_path, "sh", "test_calls.sh")
    assert ran.returncode == 0, ran.stdout + ran.stderr


def halves(texts: Iterable[str], mark: str) -> tuple[list[str], list[str]]:
    """The block that has the mark, and the others; each text is a whole block."""
    texts = list(texts)
    found = [text for text in texts if mark in text]
    assert len(found) == 1, mark
    return found, [text for text in texts if mark not in text]
