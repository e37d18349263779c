"""What the pages about the rehearsal tell to do works as they say, in an empty folder."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from built_pages import blocks
from inner_pytest import run_pytest
from voice_sandbox.contract.reader import find_contract, load_contract
from voice_sandbox.rehearsal.acts import PROGRAMME, read_programme
from voice_sandbox.rehearsal.rules import RULES

PAGES = ("rehearsal", "go-live")


@pytest.fixture
def folder(articles: Mapping[str, Any], tmp_path: Path) -> Path:
    """A folder with the files that the page shows."""
    wanted = {"wait.py": "def call_and_wait", "service.py": "class Reminders"}
    wanted |= {"test_rehearsal.py": "voice_rehearsal", "my-acts.yaml": "slow_and_lost"}
    for name, begins in wanted.items():
        language = "yaml" if name.endswith("yaml") else "python"
        [text] = [t for t in blocks(articles["rehearsal"], language) if begins in t]
        (tmp_path / name).write_text(text, "utf-8")
    return tmp_path


def test_every_command_of_the_pages_runs(articles: Mapping[str, Any], folder: Path) -> None:
    """Each command succeeds with the program of the page, and writes the reports it names."""
    commands = [text for page in PAGES for text in blocks(articles[page], "sh")]
    assert len(commands) == 6

    def run(text: str) -> subprocess.CompletedProcess[str]:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return subprocess.run(
            ["bash", "-euc", text],
            cwd=folder,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )

    with ThreadPoolExecutor(3) as pool:
        ran = list(pool.map(run, commands))
    assert [done.stdout + done.stderr for done in ran if done.returncode] == []
    assert (folder / "report.html").read_text("utf-8").startswith("<!doctype html>")
    assert json.loads((folder / "report.json").read_text("utf-8"))["percent"] == 100
    [suite] = ET.parse(folder / "report.xml").getroot()
    assert suite.get("failures") == "0"


def test_test_of_the_page_passes(folder: Path) -> None:
    """The test that takes `voice_rehearsal` runs once for each act that it names."""
    ran = run_pytest(folder, "test_rehearsal.py", "-p", "voice_sandbox.rehearsal.pytest_plugin")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "3 passed" in ran.stdout


def test_tables_of_the_page_are_those_of_the_program(articles: Mapping[str, Any]) -> None:
    """Acts and rules stand on the page in the order of their source."""
    codes = [row.find("code").get_text() for row in articles["rehearsal"].select("tbody tr")]
    acts = [act.name for act in read_programme(PROGRAMME, load_contract(find_contract()))]
    rules = [rule.code for rule in RULES]
    text = " ".join(codes)
    assert " ".join(acts) in text
    assert " ".join(rules) in text


def test_each_rule_leads_to_a_page(html: Mapping[str, Any]) -> None:
    """What a finding names exists, with its anchor."""
    for rule in RULES:
        page, _, anchor = rule.page.partition("#")
        found = html[f"{page}index.html"]
        assert not anchor or found.find(id=anchor) is not None, rule.page


def test_checklist_names_its_rules(articles: Mapping[str, Any]) -> None:
    """The checklist links to where each of its points is explained."""
    links = [link["href"] for link in articles["go-live"].find_all("a", href=True)]
    assert any(re.search(r"rehearsal/#rules$", link) for link in links)
