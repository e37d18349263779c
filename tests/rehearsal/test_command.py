"""`voice-sandbox rehearse` with programs that are no programs, and what it leaves behind."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner, Result

from sandbox_process import ignore_no_signal
from voice_sandbox.cli.main import main

from .clients_of_rules import AGENT

Program = Callable[[str], list[str]]

NEEDS_PROC = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="It looks for processes in /proc, as on Linux."
)
CALL = """
import json, os, urllib.request
def send(method, path, body=None):
    request = urllib.request.Request(os.environ["VOICE_API_URL"] + path, method=method,
        data=body and json.dumps(body).encode())
    request.add_header("Authorization", "Bearer " + os.environ["VOICE_API_KEY"])
    request.add_header("Content-Type", "application/json")
    return json.load(urllib.request.urlopen(request))
def call():
    return send("POST", "/v1/calls", {"phone": "+996700000001", "agent": "AGENT"})["call_id"]
""".replace("AGENT", AGENT)


def rehearse(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["rehearse", *arguments])


# Nobody waits for the 600 seconds below: they stand for a program that does not end by itself.


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """Makes a program out of Python code."""

    def make(code: str) -> list[str]:
        path = tmp_path / "program.py"
        path.write_text(CALL + code, "utf-8")
        return [sys.executable, str(path)]

    return make


def words_of(path: Path) -> list[str]:
    """The command of a process; none where it has just ended."""
    try:
        return path.read_text("utf-8").split("\0")
    except OSError:
        return []


def is_running(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def findings_of(tmp_path: Path, command: list[str], *options: str) -> dict[str, list[str]]:
    """Act → the rules that were broken in it, as the JSON report has them."""
    report = tmp_path / "report.json"
    ran = rehearse("--json", str(report), *options, "--", *command)
    assert ran.exit_code in (0, 1), ran.output
    results = json.loads(report.read_text("utf-8"))["results"]
    return {each["act"]: [found["rule"] for found in each["findings"]] for each in results}


def test_command_that_does_not_exist() -> None:
    """It says so once, with the exit code of shells."""
    ran = rehearse("--act", "busy", "--", "no-such-program")
    assert ran.exit_code == 127
    assert (
        ran.output == "Error: The command no-such-program was not found. Check its name and PATH.\n"
    )


def test_command_that_is_no_program(tmp_path: Path) -> None:
    """A file that cannot be executed is told apart, with the exit code of shells."""
    path = tmp_path / "notes.txt"
    path.write_text("notes", "utf-8")
    ran = rehearse("--act", "busy", "--", str(path))
    assert ran.exit_code == 126
    assert f"The command {path} cannot be executed: Permission denied." in ran.output


def test_no_command() -> None:
    """It says where the command belongs."""
    ran = rehearse()
    assert ran.exit_code == 2
    assert "after two dashes" in ran.output


def test_unknown_act() -> None:
    """The acts that there are are named."""
    ran = rehearse("--act", "bussy", "--", "true")
    assert ran.exit_code == 2
    assert "There is no act 'bussy'" in ran.output
    assert "lost_response" in ran.output


def test_keep_without_trigger() -> None:
    """A service that nobody asks for anything places no call."""
    ran = rehearse("--keep", "--", "true")
    assert ran.exit_code == 2
    assert "--trigger" in ran.output


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("acts: [{", "is no YAML"),
        ("acts: []", "It has no act"),
        ("acts: [{name: a, line: b}]", "expects"),
        ("acts: [{name: a, line: b, expects: c}]", "either a scenario or an outcome"),
        ("acts: [{name: a, line: b, expects: c, scenario: bussy}]", "no scenario bussy"),
        ("acts: [{name: a, line: b, expects: c, scenario: busy, colour: red}]", "colour"),
        ("acts: [{name: a, line: b, expects: c, scenario: busy, retries: [x]}]", "no operation x"),
        (
            "acts: [{name: a, line: b, expects: c, scenario: busy, "
            "faults: [{operation: getCall, fault: {kind: fire}}]}]",
            "the kind of a fault is one of",
        ),
        ("acts: [{name: a, line: b, expects: c, scenario: busy, like: d}]", "no act d"),
    ],
)
def test_programme_that_cannot_be_used(tmp_path: Path, text: str, said: str) -> None:
    """A wrong file is rejected before anything runs, and the message says what is wrong."""
    path = tmp_path / "acts.yaml"
    path.write_text(text, "utf-8")
    ran = rehearse("--programme", str(path), "--", "true")
    assert ran.exit_code == 2
    assert said in ran.output
    assert "acts.yaml" in ran.output


def test_programme_that_is_missing(tmp_path: Path) -> None:
    """A file that is not there is said to be so."""
    ran = rehearse("--programme", str(tmp_path / "none.yaml"), "--", "true")
    assert ran.exit_code == 2
    assert "No such file" in ran.output


def test_program_that_sends_nothing(tmp_path: Path, program: Program) -> None:
    """That is one finding, with the likely reason."""
    ran = rehearse("--act", "busy", "--", *program("print('done')"))
    assert ran.exit_code == 1
    assert "sent nothing to VOICE_API_URL. Does it read its address" in ran.output


def test_program_that_dies_before_it_sends(tmp_path: Path, program: Program) -> None:
    """The reason is what its runtime has said."""
    ran = rehearse("--act", "busy", "--", *program("import no_such_module"))
    assert "It ended before: ModuleNotFoundError: No module named 'no_such_module'" in ran.output


def test_program_that_reads_its_input(tmp_path: Path, program: Program) -> None:
    """Nobody types: it reads the end of its input at once."""
    found = findings_of(tmp_path, program("input()"), "--act", "busy", "--timeout", "10")
    assert found == {"busy": ["nothing_sent", "died"]}


def test_program_that_is_killed(tmp_path: Path, program: Program) -> None:
    """A signal is told by its number."""
    code = "import signal\ncall()\nos.kill(os.getpid(), signal.SIGKILL)"
    found = findings_of(tmp_path, program(code), "--act", "busy")
    assert found == {"busy": ["died"]}


def test_output_is_bounded_and_need_not_be_text(tmp_path: Path, program: Program) -> None:
    """A hundred megabytes of bytes end the program neither late nor the rehearsal."""
    code = "import sys\nfor _ in range(100): sys.stdout.buffer.write(bytes(range(256)) * 4096)"
    began = time.monotonic()
    html = tmp_path / "report.html"
    ran = rehearse("--act", "busy", "--html", str(html), "--", *program(code))
    assert ran.exit_code == 1
    assert html.stat().st_size < 100_000
    assert time.monotonic() - began < 30


@NEEDS_PROC
def test_children_end_with_the_program(tmp_path: Path, program: Program) -> None:
    """What the program has started and left is ended."""
    pids = tmp_path / "pids"
    code = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
with open({str(pids)!r}, "a") as file:
    file.write(f"{{child.pid}}\\n")
call()
"""
    findings_of(tmp_path, program(code), "--act", "busy")
    assert [pid for pid in pids.read_text("utf-8").split() if is_running(pid)] == []


def test_program_that_ignores_the_end_is_killed(tmp_path: Path, program: Program) -> None:
    """After the time limit comes SIGTERM, and soon SIGKILL."""
    deaf = "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    code = f"{deaf}call()\ntime.sleep(600)"
    began = time.monotonic()
    found = findings_of(tmp_path, program(code), "--act", "busy", "--timeout", "2")
    assert found == {"busy": ["hung"]}
    assert time.monotonic() - began < 20


@NEEDS_PROC
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_rehearsal_leaves_no_program(
    program: Program, number: signal.Signals, code: int
) -> None:
    """Ctrl+C ends the programs of all acts too, and so does SIGTERM."""
    marker = f"marker-{os.getpid()}-{time.monotonic_ns()}"
    command = program("import time\ncall()\ntime.sleep(600)")
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "voice_sandbox",
            "rehearse",
            "--act",
            "busy",
            "--",
            *command,
            marker,
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        preexec_fn=ignore_no_signal,
    )

    def programs() -> list[str]:
        return [
            path.parent.name
            for path in Path("/proc").glob("[0-9]*/cmdline")
            if marker in (words := words_of(path)) and "rehearse" not in words
        ]

    until = time.monotonic() + 30
    while len(programs()) < 2 and time.monotonic() < until:
        time.sleep(0.05)
    assert len(programs()) == 2
    process.send_signal(number)
    process.communicate(timeout=30)
    assert process.returncode == code
    assert programs() == []


def test_reports_agree(tmp_path: Path, program: Program) -> None:
    """JSON, JUnit, HTML and the table tell the same of each act, in two runs."""
    command = program("call()")
    files = [tmp_path / name for name in ("r.json", "r.xml", "r.html")]
    options = [f"--{kind}" for kind in ("json", "junit", "html")]
    told = [word for pair in zip(options, map(str, files), strict=True) for word in pair]
    acts = ["--act", "busy", "--act", "unavailable_twice"]
    grades = []
    for _ in range(2):
        ran = rehearse(*told, *acts, "--", *command)
        assert ran.exit_code == 1
        document = json.loads(files[0].read_text("utf-8"))
        grades.append([(each["act"], each["passed"]) for each in document["results"]])
        [suite] = ET.parse(files[1]).getroot()
        assert [(case.get("name"), len(case) == 0) for case in suite] == grades[-1]
        assert f"{document['passed']} of 2 acts passed" in ran.output
        assert f"{document['passed']} of 2 acts passed" in files[2].read_text("utf-8")
    assert grades[0] == grades[1]


def test_fail_under_allows_some(tmp_path: Path, program: Program) -> None:
    """A goal of 0 % is reached by every program."""
    assert rehearse("--fail-under", "0", "--act", "busy", "--", *program("call()")).exit_code == 0


def words_of_curl(command: str) -> list[str]:
    """What the shell makes of a curl command, a word a line."""
    return subprocess.run(
        ["sh", "-c", command.replace("curl ", "printf '%s\\n' ", 1)],
        env={"VOICE_API_URL": "http://127.0.0.1:1", "VOICE_API_KEY": "sandbox_me"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()


def test_commands_of_a_finding_run_again(tmp_path: Path, program: Program) -> None:
    """The curl command of a finding has the address and the key from the environment."""
    report = tmp_path / "report.json"
    rehearse("--act", "busy", "--json", str(report), "--", *program("call()"))
    [result] = json.loads(report.read_text("utf-8"))["results"]
    [finding] = result["findings"]
    assert finding["rule"] == "missed_end"
    command = finding["exchanges"][0]["curl"]
    words = words_of_curl(command)
    assert "http://127.0.0.1:1/v1/calls" in words
    assert "Authorization: Bearer sandbox_me" in words


def test_command_of_a_finding_keeps_the_body(tmp_path: Path, program: Program) -> None:
    """Quotes of every kind in a body reach the command as they were sent."""
    report, phone = tmp_path / "report.json", "it''s $VOICE_API_KEY"
    body = {"phone": phone, "agent": "a"}
    code = f"try: send('POST', '/v1/calls', {body!r})\nexcept OSError: pass"
    rehearse("--act", "busy", "--json", str(report), "--", *program(code))
    [result] = json.loads(report.read_text("utf-8"))["results"]
    command = result["findings"][0]["exchanges"][0]["curl"]
    assert json.dumps(body) in words_of_curl(command)


def test_two_calls_to_a_number_are_meant_where_nothing_fails(
    tmp_path: Path, program: Program
) -> None:
    """Each has a key of its own, and a replay of one makes the other no mistake."""
    code = """
for key in ("one", "two", "one"):
    request = urllib.request.Request(os.environ["VOICE_API_URL"] + "/v1/calls",
        data=json.dumps({"phone": "+996700000001", "agent": "AGENT"}).encode(),
        headers={"Authorization": "Bearer " + os.environ["VOICE_API_KEY"],
                 "Content-Type": "application/json", "Idempotency-Key": key})
    urllib.request.urlopen(request)
"""
    found = findings_of(tmp_path, program(code.replace("AGENT", AGENT)), "--act", "answered")
    assert found == {"answered": ["missed_end"]}


def test_two_calls_in_one_run_are_meant(tmp_path: Path, program: Program) -> None:
    """What a run does where nothing fails is what it means to do."""
    code = """
import time
for _ in range(2):
    found = send("GET", "/v1/calls/" + call())
"""
    found = findings_of(tmp_path, program(code), "--act", "busy")
    assert "double_dial" not in found["busy"]


SERVICE = """
from http.server import BaseHTTPRequestHandler, HTTPServer
import threading, time
def remind():
    number = call()
    while send("GET", "/v1/calls/" + number)["duration"] is None:
        time.sleep(2)
class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        threading.Thread(target=remind).start()
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()
HTTPServer(("127.0.0.1", PORT), Handler).serve_forever()
"""


@pytest.fixture
def port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        number: int = listener.getsockname()[1]
    return number


TRIGGER = """
import pathlib, urllib.request
try:
    urllib.request.urlopen(URL, b"")
except OSError:
    pathlib.Path(FAILED).touch()
    raise
"""


@pytest.fixture
def failed(tmp_path: Path) -> Path:
    """A file that is there once a trigger has failed."""
    return tmp_path / "failed"


@pytest.fixture
def trigger(tmp_path: Path, port: int, failed: Path) -> list[str]:
    """The options that make the service place a call."""
    post = tmp_path / "post.py"
    code = TRIGGER.replace("URL", repr(f"http://127.0.0.1:{port}"))
    post.write_text(code.replace("FAILED", repr(str(failed))), "utf-8")
    return ["--trigger", f"{sys.executable} {post}", "--timeout", "30"]


def test_service_may_begin_to_listen_late(
    tmp_path: Path, program: Program, port: int, failed: Path, trigger: list[str]
) -> None:
    """A trigger that fails, since nobody listens yet, is repeated until the service takes it."""
    # Not before a trigger has failed, so that only a second one can reach it.
    wait = f"import time\nwhile not os.path.exists({str(failed)!r}):\n    time.sleep(0.05)\n"
    late = wait + SERVICE.replace("PORT", str(port))
    options = ["--act", "busy", "--jobs", "1", "--startup", "0", *trigger]
    found = findings_of(tmp_path, program(late), *options)
    assert found == {"busy": []}


def test_trigger_that_fails_to_the_end_is_named(
    tmp_path: Path, program: Program, trigger: list[str]
) -> None:
    """A report says that the trigger failed, and what it wrote last, and not to look elsewhere."""
    idle = program("import time\ntime.sleep(600)")  # runs until it is stopped, like a service
    report = tmp_path / "report.json"
    options = [*trigger[:2], "--timeout", "2", "--json", str(report), "--act", "answered"]
    rehearse(*options, "--", *idle)
    [act] = json.loads(report.read_text("utf-8"))["results"]
    [finding] = [each for each in act["findings"] if each["rule"] == "nothing_sent"]
    assert "--trigger failed: it exited with 1: urllib.error.URLError" in finding["sentence"]


def test_one_service_is_kept_for_all_acts(
    tmp_path: Path, program: Program, port: int, trigger: list[str]
) -> None:
    """With --keep the service is started once, and each act begins with an empty key."""
    starts = tmp_path / "starts"
    noted = f"open({str(starts)!r}, 'a').write('x')\n"
    command = program(noted + SERVICE.replace("PORT", str(port)))
    options = ["--keep", *trigger]
    found = findings_of(tmp_path, command, "--act", "busy", "--act", "other_words", *options)
    assert found == {"busy": []}
    assert starts.read_text("utf-8") == "x"
