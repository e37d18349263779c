"""Every program and command on the pages is run as a reader would run it."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from built_pages import ALL_PAGES, GENERATED, PAGES, blocks
from node_tools import NodeTools
from other_languages import TOOLS, written
from sandbox_process import SandboxServer
from voice_portal.sources import Sources
from voice_sandbox.cli.main import command_contexts

EXAMPLES = str(Path(__file__).parents[2] / "docs" / "examples" / "reminders")
LANGUAGES = ("bash", "python", "javascript")
CALLS_THE_API = re.compile(r"((CALL|REQUEST)_ID=\$\()?curl ")


@dataclass(frozen=True)
class Runner:
    """Runs text of a page against the sandbox of the tests, with a key of its own."""

    url_of_pages: str
    url: str
    key: str
    node: str

    def disarm(self) -> None:
        """Lets no fault that a card has armed meet the next card."""
        key = {"Authorization": f"Bearer {self.key}"}
        httpx2.delete(f"{self.url}/sandbox/faults", headers=key).raise_for_status()

    def run(
        self, language: str, text: str, *, fails: bool = False
    ) -> subprocess.CompletedProcess[str]:
        """Runs a program; one that ``fails`` gets a problem on purpose."""
        program = text.replace(self.url_of_pages, self.url)
        # curl alone says nothing of a rejection.
        fail = "" if fails else "--fail-with-body"
        command = {
            "bash": ["bash", "-e", "-c", f'curl() {{ command curl -sS {fail} "$@"; }}\n{program}'],
            "python": [sys.executable, "-c", program],
            "javascript": [self.node, "--input-type=module", "-e", program],
        }[language]
        # A test on a page finds the module that the page shows before it.
        path = os.pathsep.join([EXAMPLES, *filter(None, [os.environ.get("PYTHONPATH")])])
        environment = {**os.environ, "VOICE_API_KEY": self.key, "PYTHONPATH": path}
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=60, check=False
        )


@pytest.fixture
def runner(
    sandbox_server: SandboxServer, key: str, node_tools: NodeTools, sources: Sources
) -> Runner:
    """Rewrites host and port alone; everything else stays as the page has it."""
    return Runner(sources.sandbox_url, sandbox_server.url, key, str(node_tools.node))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", ALL_PAGES)
def test_every_snippet_of_a_card_gets_what_is_shown(
    articles: Mapping[str, Any], runner: Any, name: str, language: str
) -> None:
    """Copied, pasted and run, each snippet of each card gets what the card shows.

    A snippet that triggers a problem prints its code; every other one succeeds.
    """
    failed = []
    for card in articles[name].find_all("try-api"):
        expected = json.loads(card["data-card"])["expect"]
        text = card.find(class_="card-panel", attrs={"data-language": language}).get_text()
        ran = runner.run(language, text, fails=expected is not None)
        if ran.returncode != 0 or (expected and f'"code":"{expected}"' not in ran.stdout):
            failed.append(f"{card['id']}: {ran.stdout}{ran.stderr}")
        runner.disarm()
    assert failed == []


@pytest.mark.parametrize("language", TOOLS)
def test_every_compiled_snippet_gets_what_is_shown(
    articles: Mapping[str, Any], runner: Any, tmp_path: Path, language: str
) -> None:
    """The programs in the other languages print the status and the body that the card shows."""
    failed = []
    cards = [(name, card) for name in ALL_PAGES for card in articles[name]("try-api")]
    for name, card in cards:
        panel = card.find(class_="card-panel", attrs={"data-language": language})
        if panel is None:  # a card of several requests
            continue
        program = panel.get_text().replace(runner.url_of_pages, runner.url)
        ran = subprocess.run(
            written(language, program, folder=tmp_path),
            cwd=tmp_path,
            env={**os.environ, "VOICE_API_KEY": runner.key},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        expected = json.loads(card["data-card"])["expect"]
        fits = f'"code":"{expected}"' in ran.stdout if expected else ran.stdout.startswith("20")
        if ran.returncode != 0 or not fits:
            failed.append(f"{name} {card['id']}: {ran.stdout}{ran.stderr}")
        runner.disarm()
    assert failed == []


@pytest.mark.parametrize("name", PAGES)
def test_every_curl_command_succeeds(articles: Mapping[str, Any], runner: Any, name: str) -> None:
    """Each block of commands that calls the API runs from top to bottom."""
    failed = []
    for text in blocks(articles[name], "sh"):
        if CALLS_THE_API.match(text):
            ran = runner.run("bash", text)
            if ran.returncode != 0:
                failed.append(f"{text}\n{ran.stdout}{ran.stderr}")
    assert failed == []


@pytest.mark.parametrize("name", GENERATED)
def test_every_request_of_the_reference_gets_a_response(
    articles: Mapping[str, Any], runner: Any, name: str
) -> None:
    """The command of each page succeeds, or finds nothing where the id is an example."""
    for text in blocks(articles[name], "sh"):
        ran = runner.run("bash", text, fails=True)
        # A stream ends when curl has waited for a second.
        assert ran.returncode == (28 if "--max-time" in text else 0), ran.stderr
        if ran.stdout.startswith('{"type":'):
            assert json.loads(ran.stdout)["code"] in ("exchange_not_found", "fault_not_found")


# test_rehearsal_page runs the programs of its page, of which one never ends.
@pytest.mark.parametrize("name", [name for name in PAGES if name != "rehearsal"])
def test_every_python_program_succeeds(articles: Mapping[str, Any], runner: Any, name: str) -> None:
    """Each Python program of the page runs as it stands."""
    failed = []
    for text in blocks(articles[name], "python"):
        # The programs wait with the wall clock; a test never does.
        ran = runner.run("python", text.replace("time.sleep(PAUSE_SECONDS)", SKIP_AHEAD))
        if ran.returncode != 0:
            failed.append(f"{text}\n{ran.stdout}{ran.stderr}")
    assert failed == []


SKIP_AHEAD = 'service.post("/sandbox/clock", json={"advance_seconds": 30})'


def test_terminal_of_the_quickstart_meets_a_busy_line(
    articles: Mapping[str, Any], runner: Any
) -> None:
    """What the Quickstart has a newcomer type ends with the response that it promises."""
    [commands] = [text for text in blocks(articles["quickstart"], "sh") if "$CALL_ID" in text]
    assert '"status":"busy"' in runner.run("bash", commands).stdout.splitlines()[-1]


def test_idempotent_command_replays(articles: Mapping[str, Any], runner: Any) -> None:
    """The command of the idempotency section returns the same call_id when it is run twice."""
    [command] = [text for text in blocks(articles["retries"], "sh") if "Idempotency-Key" in text]
    responses = {runner.run("bash", command).stdout for _ in range(2)}
    assert len(responses) == 1
    assert "call_id" in responses.pop()


def shell_lines(articles: Any) -> list[list[str]]:
    """Every other command of the pages as words."""
    lines = [
        line
        for name, article in articles.items()
        # test_install_page, test_recipes and test_going_wrong run theirs.
        if name not in ("install", "continuous-integration", "how-calls-go-wrong")
        for text in blocks(article, "sh")
        if not CALLS_THE_API.match(text)
        for line in re.sub(r"\\\n", " ", text).splitlines()
    ]
    return [shlex.split(line) for line in lines if line]


def is_run_elsewhere(words: list[str]) -> bool:
    """Whether test_testing_page, test_hosting or the test of schemathesis runs the command.

    test_rehearsal_page runs what rehearses.
    test_container runs what ``docker`` would, test_clients the generators.
    """
    match words:
        case ["javac", *_] | ["voice-sandbox", "exec" | "rehearse", *_]:
            return True
        case ["schemathesis", "run" | "replay", *_]:
            return True
        case ["pytest", *_] | ["printf", "%s", _, "|", "sha256sum"]:
            return True
        case ["docker", "build" | "run", *_] | ["openapi-python-client", "generate", *_]:
            return True
    return words[0].startswith(("CALL_ID=", "REQUEST_ID=", "CALL_DEADLINE_SECONDS="))


def options_of(command: str) -> set[str]:
    """The options of a command of voice-sandbox."""
    found = command_contexts()[command].command
    return {option for parameter in found.params for option in parameter.opts}


def exists(words: list[str], root: Path) -> bool:
    """Whether the repository has what a command names: target, options, package."""
    match words:
        case ["make", target, *_]:
            return f"\n{target}:" in (root / "Makefile").read_text("utf-8")
        case ["voice-sandbox", command, *rest]:
            return {word for word in rest if word.startswith("--")} <= options_of(command)
        case [".venv/bin/python", program, *options]:
            helped = subprocess.run(
                [sys.executable, root / program, "--help"], capture_output=True, text=True
            )
            return set(options) <= set(helped.stdout.split())
        case ["eval", completion]:
            return completion.startswith("$(voice-sandbox completion ")
        case ["export", assignment]:
            return assignment == "VOICE_API_KEY=sandbox_demo"
        case ["pip", "install", package]:
            return f'"{package}>=' in (root / "pyproject.toml").read_text("utf-8")
        case ["npx", package, *_]:
            return f'"{package}"' in (root / "package.json").read_text("utf-8")
    return False


def test_every_other_command_exists(articles: Mapping[str, Any], root: Path) -> None:
    """Targets of make, commands of voice-sandbox and tools that pages name are there."""
    others = [words for words in shell_lines(articles) if not is_run_elsewhere(words)]
    assert [words for words in others if not exists(words, root)] == []


def test_every_command_has_its_place(root: Path) -> None:
    """The page of the command line has a section for each command, and for no other."""
    page = (root / "docs" / "command-line.md").read_text("utf-8")
    shown = set(re.findall(r"^### (\S+) \{", page, re.MULTILINE))
    assert shown == set(command_contexts())


def test_schemathesis_command_succeeds(
    articles: Mapping[str, Any], runner: Any, tmp_path: Path
) -> None:
    """Command and file of the Contract testing page find nothing in the sandbox."""
    [words] = [words for words in shell_lines(articles) if words[:2] == ["schemathesis", "run"]]
    # The contract tests run all phases; here the command itself is on trial.
    [configuration] = blocks(articles["contract-testing"], "toml")
    (tmp_path / "schemathesis.toml").write_text(configuration)
    phases = ["--phases=examples,coverage"]
    command = shlex.join([sys.executable, "-m", "schemathesis.cli", *words[1:], *phases])
    ran = runner.run("bash", f"cd {shlex.quote(str(tmp_path))}\n{command}")
    assert ran.returncode == 0, ran.stdout + ran.stderr
