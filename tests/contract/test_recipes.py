"""The recipes of the page Continuous integration, run where only the files of an integrator are."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml

import wheelhouse as wheelhouse_of
from voice_sandbox.calls.scenarios import load_scenarios
from voice_sandbox.contract.catalogue import read_catalogue
from voice_sandbox.contract.reader import find_contract, load_contract

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "docs" / "examples"
LIMIT_SECONDS = 300
TEST = """
import json, os, urllib.request


def request(path, body=None):
    return json.load(urllib.request.urlopen(urllib.request.Request(
        os.environ["VOICE_API_URL"] + path,
        data=None if body is None else json.dumps(body).encode(),
        headers={
            "Authorization": "Bearer " + os.environ["VOICE_API_KEY"],
            "Content-Type": "application/json",
        },
    )))


def test_busy():
    agent = request("/v1/agents")["agents"][0]["key"]
    created = request("/v1/calls", {"phone": "%s", "agent": agent})
    request("/sandbox/clock", {"until": "idle"})
    assert request("/v1/calls/" + created["call_id"])["status"] == "%s"
"""


def _number(scenario: str) -> str:
    """The number whose calls end so."""
    scenarios = load_scenarios(read_catalogue(load_contract(find_contract())))
    return next(each.number for each in scenarios if each.name == scenario)


def shell_lines(name: str) -> list[str]:
    """What a recipe has its runner run."""
    text = (EXAMPLES / name).read_text("utf-8")
    if name.endswith(".sh"):
        return text.splitlines()
    recipe = yaml.safe_load(text)
    if "jobs" in recipe:
        # Each step is a shell of its own.
        return [f"({step['run']})" for step in recipe["jobs"]["test"]["steps"] if "run" in step]
    return list(recipe["voice"]["script"])


RECIPES = ("github-actions.yml", "gitlab-ci.yml", "ci.sh")


@pytest.fixture
def repository(wheel: Path, tmp_path: Path) -> Path:
    """The files that the page tells an integrator to have, and nothing else."""
    folder = tmp_path / "repository"
    (folder / "vendor").mkdir(parents=True)
    for name in (wheel.name, "SHA256SUMS"):
        shutil.copy(wheel.parent / name, folder / "vendor")
    (folder / "tests").mkdir()
    (folder / "tests" / "test_calls.py").write_text(TEST % (_number("busy"), "busy"))
    return folder


def run(
    folder: Path, wheels: Path, lines: list[str], *, commands: Path | None = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Runs the lines as a runner would, in a fresh environment and without a network."""
    if commands is None:  # the Python of the runner
        commands = wheelhouse_of.new_environment(folder.parent / "python", "pip", wheels=wheels)
    path = os.pathsep.join([str(commands), "/usr/bin", "/bin"])
    return subprocess.run(
        ["bash", "-e", "-c", "\n".join(lines)],
        cwd=folder,
        env=wheelhouse_of.offline(wheels, PATH=path, **variables),
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )


@pytest.mark.parametrize("name", RECIPES)
def test_recipe_runs_in_a_repository_of_an_integrator(
    name: str, repository: Path, wheelhouse: Path
) -> None:
    """The tests pass, their JUnit report is there, and the log is a file and not in the output."""
    ran = run(repository, wheelhouse, shell_lines(name))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "1 passed" in ran.stdout
    report = ET.parse(repository / "reports" / "tests.xml").getroot()
    [suite] = report.iter("testsuite")
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("1", "0", "0")
    log = (repository / "reports" / "sandbox.jsonl").read_text("utf-8").splitlines()
    assert "createCall" in {json.loads(line)["operation_id"] for line in log}
    assert "operation_id" not in ran.stdout + ran.stderr


def test_recipe_fails_with_the_tests(repository: Path, wheelhouse: Path) -> None:
    """A red test makes the job red."""
    (repository / "tests" / "test_calls.py").write_text(TEST % (_number("busy"), "completed"))
    ran = run(repository, wheelhouse, shell_lines("ci.sh"))
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert "1 failed" in ran.stdout


def test_recipe_installs_no_file_with_another_hash(repository: Path, wheelhouse: Path) -> None:
    """A wheel that is not the one of `SHA256SUMS` is not installed."""
    [wheel] = (repository / "vendor").glob("*.whl")
    wheel.write_bytes(wheel.read_bytes() + b" ")
    ran = run(repository, wheelhouse, shell_lines("ci.sh"))
    assert ran.returncode != 0
    assert not list(repository.rglob("voice-sandbox"))


def test_recipes_do_the_same() -> None:
    """Whoever moves from one CI to another loses nothing."""
    commands = [
        [line.strip("()") for line in shell_lines(name) if re.search(r"sha256sum|pip |exec ", line)]
        for name in RECIPES
    ]
    assert len(commands[0]) == 3
    assert all(lines == commands[0] for lines in commands)


# The action


def _steps(inputs: dict[str, str]) -> list[tuple[str, dict[str, str]]]:
    """The shell text and the variables of each step, with its inputs as GitHub fills them in."""
    action: Any = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
    given = {name: str(about.get("default", "")) for name, about in action["inputs"].items()}
    given.update(inputs)
    steps = []
    for step in action["runs"]["steps"]:
        assert step["shell"] == "bash"
        assert "${{" not in step["run"]  # a value in the text of a shell would be run
        variables = {
            name: re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda found: given[found[1]], value)
            for name, value in step.get("env", {}).items()
        }
        steps.append((step["run"], variables))
    return steps


def test_action_runs_a_command_beside_a_sandbox(
    repository: Path, wheelhouse: Path, build_wheelhouse: Path, tmp_path: Path
) -> None:
    """The step installs the sandbox from its own folder, and passes the command's status on."""
    action = tmp_path / "action"
    subprocess.run(["git", "clone", "--quiet", ROOT, action], check=True)
    commands = wheelhouse_of.new_environment(tmp_path / "python", "pytest", wheels=wheelhouse)
    inputs = {"run": "pytest 'tests'\nexit 7", "log": "reports/sandbox.jsonl"}
    runner = {"GITHUB_ACTION_PATH": str(action), "RUNNER_TEMP": str(tmp_path / "runner")}
    runner["PIP_FIND_LINKS"] = f"{wheelhouse} {build_wheelhouse}"
    ended = []
    for text, variables in _steps(inputs):
        ran = run(repository, wheelhouse, [text], commands=commands, **runner, **variables)
        ended.append((ran.returncode, ran.stdout + ran.stderr))
    (installed, said), (ran_with, output) = ended
    assert (installed, ran_with) == (0, 7), said + output
    assert "1 passed" in output
    assert (repository / "reports" / "sandbox.jsonl").is_file()
