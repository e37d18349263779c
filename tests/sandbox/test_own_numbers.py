"""A file of numbers: what calls to them play for every key, and what is wrong with a bad file."""

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from sandbox_process import start_sandbox
from voice_sandbox.calls.own_numbers import load_numbers
from voice_sandbox.calls.scenarios import ScenarioError
from voice_sandbox.cli.main import main
from voice_sandbox.testing.client import SandboxClient
from voice_sandbox.testing.local_server import local_sandbox

from .conftest import CATALOGUE, SCENARIOS

FILE = """
'+996700000001': { scenario: busy }
'+12025550100':  # a number of the catalogue
  scenario: no_answer
'+996700000002':
  ringing: 1
  in_progress: 2
  completions:
    - { after: 5, status: completed, transcript: "agent: Is it 10:30?" }
default: { scenario: dropped }
"""


@pytest.fixture
def numbers(tmp_path: Path) -> Path:
    path = tmp_path / "numbers.yaml"
    path.write_text(FILE, "utf-8")
    return path


def end_of(client: SandboxClient, phone: str) -> tuple[str, str | None]:
    call_id = client.call(phone)
    client.until_idle()
    call = client.status(call_id)
    return call["status"], call["transcript"]


def test_numbers_of_the_file_play_for_every_key(numbers: Path) -> None:
    """Two keys that have bound nothing meet the same outcomes, and the catalogue is as before."""
    with local_sandbox(numbers_path=numbers) as url:
        for key in ("sandbox_first", "sandbox_second"):
            with SandboxClient(url, key) as client:
                assert end_of(client, "+996700000001") == ("busy", None)
                assert end_of(client, "+996700000002") == ("completed", "agent: Is it 10:30?")
                assert end_of(client, "+12025550100")[0] == "no_answer"
                assert end_of(client, "+996700000003")[0] == "failed"
                assert end_of(client, SCENARIOS.by_name["busy"].number)[0] == "busy"


def test_what_a_key_binds_comes_first(numbers: Path) -> None:
    """A number goes by what is said of itself, by the key first, and only then by a default."""
    with local_sandbox(numbers_path=numbers) as url, SandboxClient(url, "sandbox_first") as client:
        client.number("default", "silence")
        assert end_of(client, "+996700000001") == ("busy", None)
        assert end_of(client, "+996700000003") == ("completed", None)
        client.number("+996700000001", "no_answer")
        assert end_of(client, "+996700000001")[0] == "no_answer"
        client.unbind("+996700000001")
        client.unbind("default")
        assert end_of(client, "+996700000003")[0] == "failed"


def test_a_test_loads_the_same_file(voice_sandbox: SandboxClient, numbers: Path) -> None:
    """The numbers of the file are bound for the key of one test."""
    voice_sandbox.load_numbers(numbers)
    assert {number["phone"] for number in voice_sandbox.numbers()} == {
        *("+996700000001", "+996700000002", "+12025550100", "default"),
    }
    assert end_of(voice_sandbox, "+996700000002") == ("completed", "agent: Is it 10:30?")


def test_serve_and_exec_take_the_file(numbers: Path, tmp_path: Path) -> None:
    """Both commands play the numbers of the file."""
    with (
        start_sandbox(tmp_path, "--scenarios", str(numbers)) as server,
        SandboxClient(server.url, "sandbox_first") as client,
    ):
        assert end_of(client, "+996700000001") == ("busy", None)
    program = (
        "import os; from voice_sandbox.testing.client import SandboxClient as C\n"
        "with C(os.environ['VOICE_SANDBOX_URL'], os.environ['VOICE_API_KEY']) as c:\n"
        "    call_id = c.call('+996700000001'); c.until_idle(); print(c.status(call_id)['status'])"
    )
    command = ["exec", "--scenarios", str(numbers), "--", sys.executable, "-c", program]
    ran = subprocess.run(
        [sys.executable, "-m", "voice_sandbox", *command], capture_output=True, text=True
    )
    assert (ran.returncode, ran.stdout) == (0, "busy\n"), ran.stderr


WRONG = {
    "no mapping": ("- busy", "numbers.yaml:1", "mapping of numbers"),
    "empty": ("", "numbers.yaml:1", "mapping of numbers"),
    "number without quotes": (
        "# mine\n+996700000001: { scenario: busy }",
        "numbers.yaml:2",
        "in quotes",
    ),
    "no number": ("'0700': { scenario: busy }", "numbers.yaml:1", "8 to 15 digits"),
    "line break": ('"+996700000001\\n": { scenario: busy }', "numbers.yaml", "8 to 15 digits"),
    "unknown scenario": ("default:\n  scenario: explosion", "numbers.yaml:2", "answered, "),
    "scenario that is no text": ("default:\n  scenario: 1", "numbers.yaml:2", "no such scenario"),
    "scenario that is a list": (
        "default: { scenario: [busy] }",
        "numbers.yaml:1",
        "no such scenario",
    ),
    "scenario and outcome": ("default: { scenario: busy, ringing: 1 }", "numbers.yaml:1", "either"),
    "a text": ("default: busy", "numbers.yaml:1", "mapping was expected"),
    "impossible times": (
        "default:\n  ringing: 3\n  in_progress: 2\n  completions: []",
        "numbers.yaml:1",
        "0 < ringing < in_progress",
    ),
    "unknown word": (
        "default:\n  completions:\n    - { after: 1, explodes: true }",
        "numbers.yaml:3",
        "explodes",
    ),
    "unknown status": (
        "default:\n  completions:\n    - { after: 1, status: exploded, transcript: null }",
        "numbers.yaml:3",
        "exploded",
    ),
    "a number twice": (
        "default: { scenario: busy }\ndefault: { scenario: silence }",
        "numbers.yaml:2",
        "twice",
    ),
    "no YAML": ("default: [", "numbers.yaml:2", "did not find expected node"),
}


@pytest.mark.parametrize(("text", "place", "fix"), WRONG.values(), ids=WRONG.keys())
def test_wrong_file_is_explained(tmp_path: Path, text: str, place: str, fix: str) -> None:
    """The message names the file, the line and what is expected there; nothing starts."""
    path = tmp_path / "numbers.yaml"
    path.write_text(text, "utf-8")
    with pytest.raises(ScenarioError) as error:
        load_numbers(path, catalogue=CATALOGUE, scenarios=SCENARIOS)
    assert place in str(error.value)
    assert fix in str(error.value)
    for command in (["serve", "--port", "0"], ["exec"]):
        words = [
            *command,
            "--scenarios",
            str(path),
            *(["--", "true"] if command[0] == "exec" else []),
        ]
        result = CliRunner().invoke(main, words)
        assert result.exit_code == (2 if command[0] == "exec" else 1)
        assert str(error.value) in result.output


def test_missing_file_is_explained(tmp_path: Path) -> None:
    """A file that is not there is named."""
    with pytest.raises(ScenarioError, match=r"nosuch\.yaml cannot be read: No such file"):
        load_numbers(tmp_path / "nosuch.yaml", catalogue=CATALOGUE, scenarios=SCENARIOS)
