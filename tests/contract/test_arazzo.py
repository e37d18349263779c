"""The workflows of arazzo.yaml, run by Redocly's `respect`."""

import json
import logging
import re
import shlex
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from fault_injection import faulty_sandbox
from faults import FAULTS
from node_tools import NodeTools
from read_once import contracts
from sandbox_process import SandboxServer, start_sandbox

ARAZZO = Path(__file__).parents[2] / "arazzo.yaml"
WORKFLOWS = yaml.safe_load(ARAZZO.read_text("utf-8"))["workflows"]
Respect = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def fast_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxServer]:
    """A sandbox in which a call takes less than a second: respect polls by the wall."""
    with start_sandbox(tmp_path_factory.mktemp("sandbox"), "--speed", "20") as server:
        yield server


@pytest.fixture
def respect(node_tools: NodeTools, root: Path, key: str, tmp_path: Path) -> Respect:
    """Runs workflows against a server and leaves their results in a file."""

    def run(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = node_tools.command(
            "redocly",
            "respect",
            root / "arazzo.yaml",
            "--input",
            f"key={key}",
            "--server",
            f"voice={url}",
            "--json-output",
            str(tmp_path / "respect.json"),
            *arguments,
        )
        return subprocess.run(
            command, cwd=root, capture_output=True, text=True, timeout=60, check=False
        )

    return run


def command_of_the_page(root: Path, url: str) -> list[str]:
    """The words after `npx @redocly/cli` on the Contract testing page."""
    page = (root / "docs" / "contract-testing.md").read_text("utf-8")
    [command] = re.findall(r"^npx @redocly/cli (respect (?:.*\\\n)*.*)", page, re.MULTILINE)
    return shlex.split(command.replace("\\\n", " ").replace("{{ sandbox_url }}", url))


def test_every_workflow_passes(
    node_tools: NodeTools, root: Path, fast_sandbox: SandboxServer, key: str, tmp_path: Path
) -> None:
    """The page's own command runs, and each step gets the response that its workflow describes."""
    words = [
        word.replace("sandbox_demo", key) for word in command_of_the_page(root, fast_sandbox.url)
    ]
    command = node_tools.command("redocly", *words, "--json-output", str(tmp_path / "respect.json"))
    ran = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    [result] = json.loads((tmp_path / "respect.json").read_text())["files"].values()
    assert [workflow["workflowId"] for workflow in result["executedWorkflows"]] == [
        workflow["workflowId"] for workflow in WORKFLOWS
    ]
    assert {workflow["status"] for workflow in result["executedWorkflows"]} == {"success"}


def test_workflows_can_fail(respect: Respect) -> None:
    """A service that ignores completions does not get through."""
    logging.disable(logging.CRITICAL)
    try:
        with faulty_sandbox(FAULTS["completion_is_ignored"].alter) as url:
            ran = respect(url, "--workflow", "complete_by_hand")
    finally:
        logging.disable(logging.NOTSET)
    assert ran.returncode == 1, ran.stdout


def test_workflows_are_well_made(node_tools: NodeTools, root: Path) -> None:
    """Redocly finds nothing wrong with the file, and every operation of the contract is in it."""
    linted = subprocess.run(
        node_tools.command("redocly", "lint", ARAZZO), cwd=root, capture_output=True, text=True
    )
    assert linted.returncode == 0, linted.stdout + linted.stderr
    used = {
        step["operationId"].rpartition(".")[2]
        for workflow in WORKFLOWS
        for step in workflow["steps"]
    }
    unused = set(contracts()[0].operations) - used
    assert unused == set(), "add a step with the operation to a workflow of arazzo.yaml"
