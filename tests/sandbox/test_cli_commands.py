"""The commands for a sandbox that runs."""

import json
import os
import re
import subprocess
import sys
import threading
import unicodedata
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx2
import pytest
from click.testing import CliRunner, Result

from voice_sandbox.cli.main import main
from voice_sandbox.contract.faults import FAULTS
from voice_sandbox.testing.client import SandboxClient

from .conftest import CATALOGUE, SCENARIOS

Run = Callable[..., Result]


@pytest.fixture
def run(voice_sandbox: SandboxClient) -> Run:
    """Runs a command with the key of the test."""
    environment = {"VOICE_SANDBOX_URL": voice_sandbox.url, "VOICE_API_KEY": voice_sandbox.key}

    def invoke(*words: str, **variables: str) -> Result:
        return CliRunner().invoke(
            main, words, env=environment | variables, prog_name="voice-sandbox"
        )

    return invoke


@pytest.fixture
def live_service() -> Iterator[tuple[str, list[str]]]:
    """A server that answers everything but is no sandbox, and what it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(f"{self.command} {self.path}")
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"call_id": "x"}')

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            """Prints nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()


def test_a_call_is_placed_by_the_name_of_a_scenario(run: Run, voice_sandbox: SandboxClient) -> None:
    """`call busy` calls the number that plays busy and prints the call_id alone."""
    placed = run("call", "busy")
    assert placed.exit_code == 0, placed.output
    assert voice_sandbox.inspect(placed.output.strip())["scenario"] == "busy"


def test_watch_follows_a_call_to_its_end(run: Run, voice_sandbox: SandboxClient) -> None:
    """What happened to it gets a line each, and the last says how it ended."""
    watched = run("call", "invalid_number", "--watch", "--json")
    placed, *events, ended = map(json.loads, watched.output.splitlines())
    assert [event.get("status", event.get("delivered")) for event in events] == [
        "queued",
        "invalid-number",
        "failed",
    ]
    assert ended == voice_sandbox.status(placed["call_id"])


def test_watch_shows_every_delivery(
    run: Run, voice_sandbox: SandboxClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call whose completions contradict each other is followed to the second one."""
    monkeypatch.setattr("voice_sandbox.cli.calls.sleep", lambda seconds: voice_sandbox.advance(0.5))
    watched = run("call", "conflicting", "--watch").output
    assert "the provider delivers completed: 200" in watched
    assert "the provider delivers failed: 409" in watched
    assert watched.index("ringing") < watched.index("in_progress") < watched.index("delivers")


def test_watching_leaves_no_trace(run: Run, voice_sandbox: SandboxClient) -> None:
    """Neither journal nor coverage take the command for a program that asks again and again."""
    run("call", "invalid_number", "--watch")
    made = [entry["operation_id"] for entry in voice_sandbox.journal()]
    assert made == ["getCall", "callCompleted", "createCall"]


@pytest.mark.parametrize("wrong", ["bussy", "12025550111"])
def test_an_unknown_scenario_is_wrong_usage(
    run: Run, voice_sandbox: SandboxClient, wrong: str
) -> None:
    """A mistyped name places no call, and the message says how numbers and names look."""
    rejected = run("call", wrong)
    assert rejected.exit_code == 2
    assert "starts with +" in rejected.output
    assert voice_sandbox.journal() == []


def test_a_mistyped_scenario_is_guessed(run: Run) -> None:
    """The message names the scenario that was meant."""
    assert "is it busy?" in run("call", "bussy").output


def test_end_gives_a_call_the_outcome_that_was_asked_for(
    run: Run, voice_sandbox: SandboxClient
) -> None:
    """`end CALL_ID --status busy` leaves a call that is busy."""
    call_id = voice_sandbox.call(voice_sandbox.scenarios()["never_completes"])
    assert run("end", call_id, "--status", "busy").exit_code == 0
    assert voice_sandbox.status(call_id)["status"] == "busy"


def test_end_keeps_the_words_that_were_given(run: Run, voice_sandbox: SandboxClient) -> None:
    """Transcript and duration of the ending are what a reader of the call sees."""
    call_id = voice_sandbox.call(voice_sandbox.scenarios()["never_completes"])
    run("end", call_id, "--transcript", "agent: Салам", "--duration", "7")
    ended = voice_sandbox.status(call_id)
    assert (ended["transcript"], ended["duration"]) == ("agent: Салам", 7)


def test_a_second_ending_is_rejected_with_exit_code_1(
    run: Run, voice_sandbox: SandboxClient
) -> None:
    """A rejection says which problem it was, and leaves with 1."""
    call_id = voice_sandbox.call(voice_sandbox.scenarios()["never_completes"])
    run("end", call_id, "--status", "busy")
    rejected = run("end", call_id, "--status", "failed")
    assert rejected.exit_code == 1
    assert "call_already_ended" in rejected.output


def test_the_clock_is_read_and_advanced(run: Run, voice_sandbox: SandboxClient) -> None:
    """After `clock advance` whatever was due has happened."""
    call_id = voice_sandbox.call(voice_sandbox.scenarios()["busy"])
    assert "next completion due" in run("clock", "show").output
    assert run("clock").output.split("due")[1] == run("clock", "show").output.split("due")[1]
    assert "nothing pending" in run("clock", "advance", "30").output
    assert voice_sandbox.status(call_id)["status"] == "busy"


@pytest.mark.parametrize(
    "words",
    [
        ("clock", "advance"),
        ("clock", "idle", "30"),
        ("clock", "back"),
        ("coverage", "--operation", "noSuch"),
        *(("clock", "advance", seconds) for seconds in ("nan", "inf", "3155760000", "x")),
        *(("coverage", "--fail-under", goal) for goal in ("nan", "101")),
    ],
)
def test_a_wrong_number_is_wrong_usage(
    run: Run, voice_sandbox: SandboxClient, words: tuple[str, ...]
) -> None:
    """What is no number of seconds, no percentage and no operation is wrong usage."""
    assert run(*words).exit_code == 2


def test_idle_runs_to_the_last_completion(run: Run, voice_sandbox: SandboxClient) -> None:
    """`clock idle` plays even a call of two minutes to its end."""
    call_id = voice_sandbox.call(voice_sandbox.scenarios()["long_talk"])
    assert "nothing pending" in run("clock", "idle").output
    assert voice_sandbox.status(call_id)["status"] == "completed"


def test_logs_show_one_line_an_exchange(run: Run, voice_sandbox: SandboxClient) -> None:
    """The newest exchange stands last, the provider's among them."""
    voice_sandbox.call(voice_sandbox.scenarios()["busy"])
    voice_sandbox.until_idle()
    lines = run("logs").output.splitlines()
    assert "/v1/calls" in lines[-2]
    assert "provider" in lines[-1]


def test_logs_can_be_searched(run: Run, voice_sandbox: SandboxClient) -> None:
    """A filter leaves only what it names."""
    voice_sandbox.call(voice_sandbox.scenarios()["busy"])
    found = run("logs", "--operation", "createCall", "--json").output.splitlines()
    assert [json.loads(line)["operation_id"] for line in found] == ["createCall"]


def test_logs_of_a_span_of_time(run: Run, voice_sandbox: SandboxClient) -> None:
    """What was answered earlier or later is left out."""
    voice_sandbox.client.get("/v1/agents")
    assert run("logs", "--since", "2999-01-01T00:00:00Z").output == ""
    assert run("logs", "--until", "2000-01-01T00:00:00Z").output == ""
    assert run("logs", "--since", "2000-01-01T00:00:00Z").output.count("\n") == 1


def test_logs_go_on_where_they_were_shown(
    run: Run, voice_sandbox: SandboxClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An exchange between the list and the stream is not missed, and filters hold for both."""
    voice_sandbox.client.get("/v1/agents", headers={"Prefer": "code=429"})
    follow = SandboxClient.follow

    def late(client: SandboxClient, **options: Any) -> Iterator[dict[str, Any]]:
        voice_sandbox.client.get("/v1/agents")
        voice_sandbox.client.get("/v1/agents", headers={"Prefer": "code=503"})
        yield next(follow(client, **options))

    monkeypatch.setattr(SandboxClient, "follow", late)
    told = run("logs", "--follow", "--status", "5xx", "--json")
    assert [json.loads(line)["status"] for line in told.stdout.splitlines()] == [503]
    told = run("logs", "--follow", "--operation", "listAgents", "--json")
    assert [json.loads(line)["status"] for line in told.stdout.splitlines()] == [429, 200, 503, 200]
    assert told.exit_code == 3  # the stream ended, and nobody told it to


def test_following_has_no_end(run: Run) -> None:
    """A time to stop at is no search that can be followed."""
    assert run("logs", "--follow", "--until", "2999-01-01T00:00:00Z").exit_code == 2


def test_scenarios_are_listed_with_their_numbers(run: Run, voice_sandbox: SandboxClient) -> None:
    """Every scenario of the catalogue has a line."""
    listed = run("scenarios").output
    assert all(name in listed for name in voice_sandbox.scenarios())


def test_coverage_fails_under_the_goal(run: Run, voice_sandbox: SandboxClient) -> None:
    """`--fail-under` exits with 1 where too little is covered, and with 0 where enough is."""
    voice_sandbox.call(voice_sandbox.scenarios()["busy"])
    assert run("coverage", "--fail-under", "90").exit_code == 1
    assert run("coverage", "--fail-under", "1").exit_code == 0


def test_coverage_of_one_operation(run: Run, voice_sandbox: SandboxClient) -> None:
    """`--operation` and `--provider` choose what is measured."""
    voice_sandbox.call("busy")
    assert "getCall" not in run("coverage", "--operation", "createCall").output
    assert "callCompleted" not in run("coverage").output
    assert "callCompleted" in run("coverage", "--provider").output


@pytest.mark.parametrize("word", ["no_answer", "no-answer"])
def test_end_takes_the_status_in_both_spellings(
    run: Run, voice_sandbox: SandboxClient, word: str
) -> None:
    """The contract's word and the provider's word for an outcome mean the same."""
    call_id = voice_sandbox.call("never_completes")
    assert run("end", call_id, "--status", word).exit_code == 0
    assert voice_sandbox.status(call_id)["status"] == "no_answer"


def test_show_tells_what_happened_to_a_call(run: Run, voice_sandbox: SandboxClient) -> None:
    """Status, scenario, timeline and result of one call are printed, and JSON has all of them."""
    call_id = voice_sandbox.call("answered")
    assert "completed" not in run("show", call_id).output
    voice_sandbox.until_idle()
    told = run("show", call_id).output
    assert all(word in told for word in (call_id, "queued", "ringing", "completed", "agent:"))
    shown = json.loads(run("show", call_id, "--json").output)
    assert (shown["status"], shown["scenario"]) == ("completed", "answered")
    assert {"timeline", "deliveries", "transcript"} <= set(shown)


def test_calls_are_listed_with_their_status(run: Run, voice_sandbox: SandboxClient) -> None:
    """Each call that was created has a line, the newest last, and a replay is no call."""
    first, second = voice_sandbox.call("busy"), voice_sandbox.call("never_completes")
    body = {"phone": "+12025550111", "agent": CATALOGUE.agents[0].key}
    for _ in range(2):
        voice_sandbox.client.post("/v1/calls", json=body, headers={"Idempotency-Key": "once"})
    voice_sandbox.until_idle()
    listed = [json.loads(line) for line in run("calls", "--json").output.splitlines()]
    assert [call["call_id"] for call in listed][:2] == [first, second]
    assert [call["status"] for call in listed] == ["busy", "ringing", "busy"]
    assert run("calls").output.count("\n") == 3


def test_agents_are_listed(run: Run) -> None:
    """Every agent of the contract has a line with its key."""
    listed = run("agents").output
    assert all(agent.key in listed for agent in CATALOGUE.agents)


def test_an_exchange_is_printed_whole(run: Run, voice_sandbox: SandboxClient) -> None:
    """Headers and bodies of both sides are shown, or the request as curl or as a test."""
    voice_sandbox.call("busy")
    [made] = voice_sandbox.journal(operation="createCall")
    whole = run("exchange", made["request_id"]).output
    assert "> content-type: application/json" in whole
    assert '< {"call_id"' in whole
    assert run("exchange", made["request_id"], "--as", "curl").output.startswith("curl ")
    assert "def test_" in run("exchange", made["request_id"], "--as", "pytest").output
    assert run("exchange", "req_" + "0" * 32).exit_code == 1


def test_the_journal_is_exported(run: Run, voice_sandbox: SandboxClient, tmp_path: Path) -> None:
    """`har` prints the archive, or writes it to a file."""
    voice_sandbox.client.get("/v1/agents")
    printed = json.loads(run("har").output)
    assert run("har", "--output", str(tmp_path / "it.har")).exit_code == 0
    assert json.loads((tmp_path / "it.har").read_text("utf-8")) == printed
    assert len(printed["log"]["entries"]) == 1
    assert run("har", "--output", str(tmp_path / "gone" / "it.har")).exit_code == 1


def test_a_line_of_the_journal_can_be_found_again(run: Run, voice_sandbox: SandboxClient) -> None:
    """It carries the date, the request_id and the call_id."""
    call_id = voice_sandbox.call("busy")
    [made] = voice_sandbox.journal()
    [line] = run("logs").output.splitlines()
    assert line.startswith(made["at"][:10])
    assert {made["request_id"], call_id} <= set(line.split())


# Errors


def test_an_error_is_json_where_the_output_is(run: Run, voice_sandbox: SandboxClient) -> None:
    """With `--json` stderr has code, detail and seconds to wait, and stdout stays empty."""
    limited = run("call", "rate_limited", "--json")
    told = json.loads(limited.stderr)
    assert (told["code"], told["exit_code"], limited.stdout) == ("rate_limited", 1, "")
    assert told["retry_after"] > 0
    assert "rate" in told["detail"].lower()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("call", "bussy"), 2),
        (("call",), 2),
        (("clock", "back"), 2),
        (("logs", "--limit", "x"), 2),
        (("scenarios", "--key", "live"), 2),
        (("scenarios", "--url", "http://127.0.0.1:9"), 3),
        (("scenarios", "--url", "http://a..b"), 3),
        (("show", "nothing"), 1),
        (("coverage", "--fail-under", "99"), 1),
    ],
)
def test_every_error_is_json(run: Run, words: tuple[str, ...], code: int) -> None:
    """Wrong usage, an address without a sandbox and a rejection have the same members."""
    failed = run(*words, "--json")
    told = json.loads(failed.stderr)
    assert set(told) == {"code", "detail", "retry_after", "exit_code"}
    assert (failed.exit_code, told["exit_code"]) == (code, code)


def test_an_api_address_is_answered_with_what_to_drop(
    run: Run, voice_sandbox: SandboxClient
) -> None:
    """A URL that ends in /v1 is not the sandbox's, and the message has the one that is."""
    failed = run("scenarios", "--url", f"{voice_sandbox.url}/v1/")
    assert failed.exit_code == 3
    assert f"Leave /v1 out of the URL: {voice_sandbox.url}." in failed.output


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9",
        "http://a..b",
        "x",
        "ftp://127.0.0.1",
        "http://",
    ],
)
def test_no_exception_is_shown(run: Run, url: str) -> None:
    """Why no sandbox responds is said in words, without the names of Python."""
    output = run("scenarios", "--url", url).output
    assert not re.search(r"Errno|Error\(|Exception|\w+Error\b", output.removeprefix("Error: "))


def test_an_interrupted_command_says_so_by_its_exit_code(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl+C ends a command with 130, as shells expect it."""

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(SandboxClient, "identify", interrupt)
    assert run("logs", "--follow").exit_code == 130


# Colours and width


@pytest.mark.parametrize(
    ("variables", "coloured"),
    [({}, False), ({"FORCE_COLOR": "1"}, True), ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False)],
)
def test_the_environment_chooses_colours(
    run: Run, voice_sandbox: SandboxClient, variables: dict[str, str], coloured: bool
) -> None:
    """Off a terminal there are none, unless FORCE_COLOR asks for them; NO_COLOR wins."""
    voice_sandbox.client.get("/v1/agents")
    assert ("\x1b[" in run("logs", **variables).output) == coloured


@pytest.mark.parametrize("columns", [40, 60, 80, 200])
def test_help_is_whole_in_every_width(columns: int) -> None:
    """The list of commands fits the terminal, and no sentence is cut."""
    told = subprocess.run(
        [sys.executable, "-m", "voice_sandbox", "--help"],
        env={**os.environ, "COLUMNS": str(columns)},
        capture_output=True,
        text=True,
    ).stdout
    assert "..." not in told.split("Commands:")[1]
    assert max(map(len, told.splitlines())) <= max(columns, 52)


def test_reset_empties_the_namespace(run: Run, voice_sandbox: SandboxClient) -> None:
    """After `reset` the journal of the key is empty."""
    voice_sandbox.call(voice_sandbox.scenarios()["busy"])
    assert run("reset").exit_code == 0
    assert voice_sandbox.journal() == []


def test_a_key_that_is_not_for_a_sandbox_is_never_sent(
    run: Run, live_service: tuple[str, list[str]]
) -> None:
    """A live key on the command line is wrong usage, and no byte leaves."""
    url, asked = live_service
    rejected = run("scenarios", VOICE_SANDBOX_URL=url, VOICE_API_KEY="live_secret_1234")
    assert rejected.exit_code == 2
    assert "live_secret_1234" not in rejected.output
    assert asked == []


def test_nothing_is_placed_where_no_sandbox_answers(
    run: Run, live_service: tuple[str, list[str]]
) -> None:
    """A deployment that does not say it is a sandbox is asked once, and never called."""
    url, asked = live_service
    rejected = run("call", "busy", VOICE_SANDBOX_URL=url)
    assert rejected.exit_code == 3
    assert asked == ["GET /sandbox"]


def test_a_missing_sandbox_is_explained(run: Run) -> None:
    """Where nobody listens the message says how to start one, and the exit code is 3."""
    missing = run("scenarios", VOICE_SANDBOX_URL="http://127.0.0.1:9")
    assert missing.exit_code == 3
    assert "voice-sandbox serve" in missing.output


@pytest.mark.parametrize("url", ["http://127.0.0.1:80x", "http://[::1", "http://a..b", "x", ""])
@pytest.mark.parametrize("command", ["scenarios --url", "verify"])
def test_a_wrong_url_is_explained(run: Run, command: str, url: str) -> None:
    """Whatever is wrong with an address, a sentence says so and no traceback is printed."""
    ran = run(*command.split(), url)
    assert ran.exit_code in (2, 3), ran.exception
    assert isinstance(ran.exception, SystemExit)
    assert "rror" in ran.output or "cannot be told" in ran.output


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("call bu", "busy"),
        ("call +1202555011", "+12025550111"),
        ("end x --status no", "no-answer"),
        ("logs --operation create", "createCall"),
        ("call busy --agent ", CATALOGUE.agents[0].key),
    ],
)
def test_a_shell_completes_what_the_contract_lists(run: Run, words: str, offered: str) -> None:
    """Names of scenarios, words of the provider, operations and agents need not be typed."""
    typed = f"voice-sandbox {words}"
    completed = run(
        _VOICE_SANDBOX_COMPLETE="bash_complete",
        COMP_WORDS=typed,
        COMP_CWORD=str(len(typed.split(" ")) - 1),
    )
    assert f"plain,{offered}" in completed.output.splitlines()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_printed_for_each_shell(run: Run, shell: str) -> None:
    """The script names the command that it completes."""
    assert "voice-sandbox" in run("completion", shell).output


# What a deployment sends is shown, and nothing that it sends acts on the terminal

HOSTILE = "\x1b]0;title\x07\x1b[2J\r\n\x9b31m\u2028\u2029\x85\u202e"
HOSTILE_MEMBERS = ("at", "sender", "method", "path", "code", "seq", "call_id", "request_id")
MESSAGE = {"headers": [[HOSTILE, HOSTILE]], "body": HOSTILE, "truncated": True, "body_bytes": 9}
REPLIES: dict[str, Any] = {
    "/sandbox": {"sandbox": True},
    "/v1/calls": {"call_id": HOSTILE},
    "/v1/agents": {
        "agents": [
            {**dict.fromkeys(("key", "name", "description"), HOSTILE), "languages": [HOSTILE]}
        ]
    },
    f"/sandbox/exchanges/{HOSTILE}": {
        **dict.fromkeys(HOSTILE_MEMBERS, HOSTILE),
        **dict.fromkeys(("why", "curl", "javascript", "pytest"), HOSTILE),
        **dict.fromkeys(("request", "response"), MESSAGE),
        "status": 404,
        "duration_ms": 1.0,
        "replayed": False,
    },
    "/sandbox/journal/har": {"log": {"entries": [HOSTILE]}},
    f"/v1/calls/{HOSTILE}": {
        "call_id": HOSTILE,
        "status": HOSTILE,
        "duration": 1,
        "transcript": HOSTILE,
    },
    f"/sandbox/calls/{HOSTILE}": {
        "status": HOSTILE,
        "scenario": HOSTILE,
        "timeline": [{"at": "2026-11-24T09:30:00Z", "status": HOSTILE}],
        "deliveries": [
            {"due_at": "2026-11-24T09:30:00Z", "answered": 200, "payload": {"status": HOSTILE}}
        ],
    },
    f"/sandbox/calls/{HOSTILE}/end": {"status": HOSTILE},
    "/sandbox/clock": {"now": HOSTILE, "next_due_at": HOSTILE},
    "/sandbox/coverage": {
        "percent": 1.0,
        "items": [{"kind": "status", "name": HOSTILE, "exchanges": 1}],
    },
    "/sandbox/scenarios": {
        "default_agent": HOSTILE,
        "scenarios": [{"name": "busy", "number": HOSTILE, "line": HOSTILE}],
    },
    "/sandbox/journal": {
        "exchanges": [
            {
                **dict.fromkeys(HOSTILE_MEMBERS, HOSTILE),
                "status": 404,
                "duration_ms": 1.0,
                "replayed": False,
            }
        ]
    },
}
"""Responses with hostile text wherever there is text: path → body."""


@pytest.fixture
def hostile_deployment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each command meets a deployment whose every text holds control characters."""

    def respond(request: httpx2.Request) -> httpx2.Response:
        if request.method == "DELETE":
            problem = dict.fromkeys(("title", "code", "detail"), HOSTILE)
            return httpx2.Response(400, json=problem)
        return httpx2.Response(200, json=REPLIES[request.url.path])

    client, transport = httpx2.Client, httpx2.MockTransport(respond)
    monkeypatch.setattr(
        "voice_sandbox.testing.client.httpx2.Client",
        lambda **options: client(**{**options, "transport": transport}),
    )


@pytest.mark.usefixtures("hostile_deployment")
@pytest.mark.parametrize("form", [(), ("--json",)], ids=["text", "json"])
@pytest.mark.parametrize(
    ("command", "lines"),
    [
        (("call", "busy", "--watch"), 7),
        (("agents",), 1),
        (("calls",), 1),
        (("show", HOSTILE), 7),
        (("exchange", HOSTILE), 12),
        (("exchange", HOSTILE, "--as", "curl"), 2),
        (("har",), 1),
        (("clock", "show"), 1),
        (("coverage",), 4),
        (("end", HOSTILE), 1),
        (("logs",), 1),
        (("reset",), 4),
        (("scenarios",), 1),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else None,
)
def test_no_control_character_reaches_the_terminal(
    run: Run, command: tuple[str, ...], lines: int, form: tuple[str, ...]
) -> None:
    """Neither escape sequences nor forged lines get through, and the text is still readable."""
    ran = run(*command, *form)
    assert "title" in ran.output, ran.exception
    assert [c for c in ran.output if unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp")] == [
        "\n"
    ] * ran.output.count("\n")
    assert ran.output.count("\n") <= lines


WORD = "Салам-✓-é-😀"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp437", "cp1252", "cp866", "utf-8"])
def test_every_text_can_be_printed(voice_sandbox: SandboxClient, encoding: str) -> None:
    """Where the output cannot hold a character an escape stands for it, which JSON undoes."""
    voice_sandbox.client.post("/v1/calls", json={WORD: 1})
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}

    def run(*words: str) -> subprocess.CompletedProcess[bytes]:
        target = ("--url", voice_sandbox.url, "--key", voice_sandbox.key)
        command = [sys.executable, "-m", "voice_sandbox", *words, *target]
        return subprocess.run(command, env=environment, capture_output=True)

    [exchange] = run("logs", "--json").stdout.decode(encoding).splitlines()
    assert WORD in json.loads(exchange)["why"]
    unknown = run("call", WORD)
    assert unknown.returncode == 2
    assert b"There is no scenario" in unknown.stderr


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp437", "cp1252", "cp866"])
def test_every_help_can_be_printed(encoding: str) -> None:
    """What a command says of itself needs no UTF-8."""
    for command in ((), ("serve",), ("verify",), ("logs",), ("call",)):
        ran = subprocess.run(
            [sys.executable, "-m", "voice_sandbox", *command, "--help"],
            env={**os.environ, "PYTHONIOENCODING": encoding},
            capture_output=True,
        )
        assert ran.returncode == 0, ran.stderr


def test_help_needs_no_docstrings() -> None:
    """Where Python leaves them out every command still has its options."""
    for command in ((), ("serve",), ("exec",), ("verify",), ("logs",)):
        ran = subprocess.run(
            [sys.executable, "-m", "voice_sandbox", *command, "--help"],
            env={**os.environ, "PYTHONOPTIMIZE": "2"},
            capture_output=True,
            text=True,
        )
        assert (ran.returncode, "--help" in ran.stdout) == (0, True), ran.stderr


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_a_closed_output_ends_no_command(voice_sandbox: SandboxClient, closed: str) -> None:
    """A command whose output nobody holds open does its work and exits with 0."""
    command = f'"$0" -m voice_sandbox call busy --url "$1" --key "$2" {closed}'
    ran = subprocess.run(
        ["sh", "-c", command, sys.executable, voice_sandbox.url, voice_sandbox.key]
    )
    assert ran.returncode == 0
    assert len(voice_sandbox.journal(operation="createCall")) == 1


def test_a_full_output_is_explained(voice_sandbox: SandboxClient) -> None:
    """A command whose output cannot be written says so in a sentence and exits with 1."""
    command = '"$0" -m voice_sandbox scenarios --url "$1" > /dev/full'
    ran = subprocess.run(
        ["sh", "-c", command, sys.executable, voice_sandbox.url], capture_output=True, text=True
    )
    assert ran.returncode == 1
    assert "No space left" in ran.stderr
    assert "Traceback" not in ran.stderr


# Failures


def test_fault_is_armed_listed_and_disarmed(run: Run, voice_sandbox: SandboxClient) -> None:
    """`fail` arms, `faults` says how often it struck, `faults disarm` ends it."""
    armed = run("fail", "createCall", "problem", "--code", "rate_limited", "--times", "2", "--json")
    assert json.loads(armed.stdout)["times"] == 2
    assert voice_sandbox.client.post("/v1/calls", json=_new_call()).status_code == 429
    assert "struck 1 of 2" in run("faults").stdout
    assert run("faults", "disarm").stdout == "No fault is armed.\n"
    assert voice_sandbox.client.post("/v1/calls", json=_new_call()).status_code == 201


def test_kinds_of_faults_are_listed(run: Run) -> None:
    """Every fault of the table is there with its line."""
    listed = run("faults", "kinds").stdout
    assert all(kind.kind in listed and kind.line in listed for kind in FAULTS.values())


def test_fault_that_is_none_says_what_to_do(run: Run) -> None:
    """A kind that nobody knows exits with 1 and names those that there are."""
    failed = run("fail", "createCall", "explosion")
    assert failed.exit_code == 1
    assert "lost_response" in failed.stderr


def test_numbers_are_bound_and_unbound(run: Run) -> None:
    """`numbers` lists what it has bound, and nothing after `--unbind`."""
    assert "busy" in run("numbers", "+996700000001", "busy").stdout
    assert json.loads(run("numbers", "--json").stdout)[0]["scenario"] == "busy"
    assert run("numbers", "+996700000001", "--unbind").stdout == "No number is bound.\n"
    assert run("numbers", "+996700000001").exit_code == 2


def test_rings_are_counted(run: Run, voice_sandbox: SandboxClient) -> None:
    """Each number stands there with how often it was dialled."""
    assert run("rings").stdout == "No number was dialled.\n"
    for _ in range(2):
        voice_sandbox.call("busy")
    assert run("rings").stdout.split() == ["2", SCENARIOS.by_name["busy"].number]


def _new_call() -> dict[str, str]:
    return {"phone": SCENARIOS.default.number, "agent": CATALOGUE.agents[0].key}
