"""`voice-sandbox exec`: a command beside a sandbox that lives as long as the command does."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sandbox_process import ROOT, ignore_no_signal

LIMIT_SECONDS = 30
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.startswith("VOICE_")},
    "PYTHONPATH": os.pathsep.join([str(ROOT / "sandbox"), os.environ.get("PYTHONPATH", "")]),
}
EXEC = (sys.executable, "-m", "voice_sandbox", "exec")
# What a program of an integrator does: it knows the sandbox by its environment alone.
CALLS = """
    import json, os, urllib.request
    def send(method, path, body=None):
        request = urllib.request.Request(
            os.environ["VOICE_API_URL"] + path,
            None if body is None else json.dumps(body).encode(),
            {"Authorization": "Bearer " + os.environ["VOICE_API_KEY"],
             "Content-Type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(request) as response:
            return json.load(response)
    agent = send("GET", "/v1/agents")["agents"][0]["key"]
    call_id = send("POST", "/v1/calls", {"phone": "+12025550111", "agent": agent})["call_id"]
    send("POST", "/sandbox/clock", {"until": "idle"})
    print(send("GET", "/v1/calls/" + call_id)["status"])
"""


def execute(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*EXEC, *words],
        env=ENVIRONMENT | environment,
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
    )


def python(program: str) -> tuple[str, ...]:
    return ("--", sys.executable, "-c", textwrap.dedent(program))


def test_a_command_finds_the_sandbox_in_its_environment() -> None:
    """A program that reads two variables places a call, and its output is its own."""
    ran = execute(*python(CALLS))
    assert (ran.returncode, ran.stdout) == (0, "busy\n"), ran.stderr


@pytest.mark.parametrize(
    "surroundings",
    [{"HOME": "/proc"}, {"HOME": "/no/such/home"}, {"TMPDIR": "/no/such/folder"}],
    ids=lambda surroundings: "-".join(*surroundings.items()),
)
def test_neither_home_nor_temporary_files_are_needed(surroundings: dict[str, str]) -> None:
    """A container without a home that can be written runs a command all the same."""
    ran = execute(*python(CALLS), **surroundings)
    assert (ran.returncode, ran.stdout) == (0, "busy\n")


def test_serve_says_where_calls_could_not_be_kept() -> None:
    """A home that cannot be written is named, with two ways out."""
    command = [sys.executable, "-m", "voice_sandbox", "serve", "--port", "0"]
    environment = {n: v for n, v in ENVIRONMENT.items() if not n.startswith("XDG_")}
    ran = subprocess.run(
        command,
        env=environment | {"HOME": "/proc"},
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
    )
    assert ran.returncode == 1
    assert ran.stderr.startswith("Error: Calls would be kept in /proc/")
    assert "--database FILE" in ran.stderr
    assert "--database :memory:" in ran.stderr


def test_one_line_says_what_was_requested() -> None:
    """Requests, calls and coverage are summed up in one line on stderr."""
    ran = execute(*python(CALLS))
    [line] = ran.stderr.splitlines()
    assert line.startswith("voice-sandbox: 3 requests, 1 call, ")
    assert "items are covered" in line


def test_variables_can_be_named() -> None:
    """`--env NAME=url` and `--env NAME=key` set what the program already reads."""
    program = "import os; print(os.environ['BASE'], os.environ['TOKEN'])"
    ran = execute("--env", "BASE=url", "--env", "TOKEN=key", *python(program))
    url, key = ran.stdout.split()
    assert (url.startswith("http://127.0.0.1:"), key) == (True, "sandbox_demo")


def test_no_key_of_the_surroundings_reaches_the_sandbox() -> None:
    """A live key and address in the environment are replaced for the command."""
    program = "import os; print(os.environ['VOICE_API_KEY'], os.environ['VOICE_API_URL'])"
    surroundings = {"VOICE_API_KEY": "live_secret", "VOICE_API_URL": "https://voice.example"}
    ran = execute(*python(program), **surroundings)
    assert "live_secret" not in ran.stdout
    assert "voice.example" not in ran.stdout


def test_a_proxy_of_the_surroundings_is_not_asked() -> None:
    """A command behind a proxy reaches the sandbox all the same."""
    ran = execute(*python(CALLS), HTTP_PROXY="http://127.0.0.1:9", NO_PROXY="example.com")
    assert ran.stdout == "busy\n", ran.stderr


@pytest.mark.parametrize("wrong", ["BASE", "BASE=", "BASE=port", "1BASE=url", "=key"])
def test_a_wrong_variable_is_wrong_usage(wrong: str) -> None:
    """Any other form is explained before anything starts."""
    ran = execute("--env", wrong, "--", "true")
    assert (ran.returncode, "BASE_URL=url" in ran.stderr) == (2, True)


@pytest.mark.parametrize("status", [0, 1, 3, 42, 255])
def test_the_exit_code_is_the_command_s(status: int) -> None:
    """Whatever the command exits with, `exec` exits with."""
    assert execute(*python(f"raise SystemExit({status})")).returncode == status


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV])
def test_a_signal_that_ended_the_command_is_told(number: signal.Signals) -> None:
    """A command that a signal ended is told by 128 + n, as shells do."""
    ran = execute(*python(f"import os; os.kill(os.getpid(), {int(number)})"))
    assert ran.returncode == 128 + number


def test_options_after_the_dashes_are_the_command_s() -> None:
    """What looks like an option of ours is passed on untouched."""
    ran = execute("--", sys.executable, "-c", "import sys; print(sys.argv[1:])", "--log", "-h")
    assert ran.stdout == "['--log', '-h']\n"


@pytest.mark.parametrize(
    ("name", "code", "says"),
    [
        ("nosuch-command", 127, "was not found"),
        ("./nosuch-file", 127, "was not found"),
        ("folder", 126, "cannot be executed"),
        ("plain", 126, "cannot be executed"),
        ("not-a-program", 126, "cannot be executed"),
        ("", 127, "was not found"),
    ],
)
def test_a_command_that_cannot_start_is_explained(
    tmp_path: Path, name: str, code: int, says: str
) -> None:
    """127 where nothing has that name, 126 where it cannot be executed, and one sentence."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "plain").write_text("text")
    (tmp_path / "not-a-program").write_bytes(b"\x00\x01")
    (tmp_path / "not-a-program").chmod(0o755)
    path = tmp_path / name
    ran = execute("--", str(path) if path.exists() and name else name)
    assert ran.returncode == code, ran.stderr
    [line] = ran.stderr.splitlines()
    assert says in line


def test_no_command_is_wrong_usage() -> None:
    """`exec` alone says what is missing."""
    assert execute().returncode == 2


def test_coverage_under_the_goal_fails() -> None:
    """`--fail-under` fails a command that succeeds with too little covered."""
    missed = execute("--fail-under", "90", *python(CALLS))
    assert (missed.returncode, "under 90 %" in missed.stderr) == (1, True)
    assert execute("--fail-under", "1", *python(CALLS)).returncode == 0


def test_a_failed_command_keeps_its_exit_code() -> None:
    """A goal that is missed too does not hide with what the command failed."""
    assert execute("--fail-under", "90", *python("raise SystemExit(7)")).returncode == 7


def test_coverage_of_one_operation_can_be_complete() -> None:
    """With `--operation` the goal is measured against that operation alone."""
    ran = execute("--operation", "listAgents", "--fail-under", "20", *python(CALLS))
    assert ran.returncode == 0, ran.stderr
    assert execute("--operation", "noSuch", "--", "true").returncode == 2


def test_the_log_is_kept_in_a_file(tmp_path: Path) -> None:
    """`--log` writes one JSON object a request, the provider's included."""
    log = tmp_path / "sandbox.log"
    execute("--log", str(log), *python(CALLS))
    lines = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    assert [line["operation_id"] for line in lines if line["path"].startswith("/v1")] == [
        *("listAgents", "createCall", "callCompleted", "getCall")
    ]


def test_a_log_that_cannot_be_opened_is_explained(tmp_path: Path) -> None:
    """The command does not run where its log cannot be kept."""
    ran = execute("--log", str(tmp_path / "gone" / "log"), *python("print('ran')"))
    assert (ran.returncode, ran.stdout, ran.stderr.count("\n")) == (1, "", 1), ran.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="This system has no /dev/full.")
def test_a_log_that_cannot_be_written_is_explained() -> None:
    """A disk that is full ends no command, and the last line says so."""
    ran = execute("--log", "/dev/full", *python(CALLS))
    assert (ran.returncode, ran.stdout) == (1, "busy\n")
    assert ran.stderr.splitlines()[-1].startswith("Error: The log is not complete: /dev/full")
    assert len(ran.stderr.splitlines()) == 2


# Signals

WAITS = """
    import signal, subprocess, sys, time
    {before}
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    print(child.pid, flush=True)
    time.sleep(600)
"""
IGNORES = "signal.signal(signal.SIGTERM, signal.SIG_IGN)"
ENDS_WITH_9 = "signal.signal(signal.{}, lambda *_: sys.exit(9))"


@contextmanager
def waiting(*options: str, before: str = "") -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A command that waits without end, and the process that it has started itself."""
    process = subprocess.Popen(
        [*EXEC, *options, *python(WAITS.format(before=before))],
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=ignore_no_signal,
    )
    assert process.stdout is not None
    try:
        yield process, int(process.stdout.readline())
    finally:
        process.kill()
        process.communicate(timeout=LIMIT_SECONDS)


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and that nobody has waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


linux = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="It looks for processes in /proc, as on Linux."
)


@linux
@pytest.mark.parametrize(
    ("before", "options", "code"),
    [("", (), 143), (IGNORES, ("--kill-after", "0.3"), 137)],
    ids=["heeds", "ignores"],
)
def test_nothing_is_left_behind_after_sigterm(
    before: str, options: tuple[str, ...], code: int
) -> None:
    """Told to stop, the command ends with all that it started, even where it ignores SIGTERM."""
    with waiting(*options, before=before) as (process, grandchild):
        process.send_signal(signal.SIGTERM)
        assert process.wait(LIMIT_SECONDS) == code
        assert not is_alive(grandchild)


@linux
@pytest.mark.parametrize(
    ("before", "options"), [("", ()), (IGNORES, ("--kill-after", "0.3"))], ids=["heeds", "ignores"]
)
def test_nothing_is_left_behind_after_sigkill(before: str, options: tuple[str, ...]) -> None:
    """A command ends with all that it started where `exec` is killed and can pass on nothing."""
    with waiting(*options, before=before) as (process, grandchild):
        command = int(Path(f"/proc/{grandchild}/stat").read_text().rpartition(")")[2].split()[1])
        process.kill()
        process.wait(LIMIT_SECONDS)
        until = time.monotonic() + LIMIT_SECONDS
        while (is_alive(grandchild) or is_alive(command)) and time.monotonic() < until:
            time.sleep(0.05)
        assert (is_alive(grandchild), is_alive(command)) == (False, False)


@linux
@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1"])
def test_signals_are_passed_on(name: str) -> None:
    """The command gets the signal that was sent to `exec`, and its exit code counts."""
    with waiting(before=ENDS_WITH_9.format(name)) as (process, grandchild):
        process.send_signal(getattr(signal, name))
        assert process.wait(LIMIT_SECONDS) == 9
        if is_alive(grandchild):  # a command that handles the signal looks after its own
            os.kill(grandchild, signal.SIGKILL)


def test_no_call_of_posix_is_needed(tmp_path: Path) -> None:
    """On a system without process groups a command is run all the same."""
    (tmp_path / "sitecustomize.py").write_text(
        "import os, signal\n"
        "for name in ('killpg', 'getpgid', 'setpgid', 'setsid', 'tcgetpgrp'):\n"
        "    delattr(os, name)\n"
        "for name in ('SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'):\n"
        "    delattr(signal, name)\n"
    )
    path = os.pathsep.join([str(tmp_path), ENVIRONMENT["PYTHONPATH"]])
    ran = execute(*python(CALLS), PYTHONPATH=path)
    assert (ran.returncode, ran.stdout) == (0, "busy\n"), ran.stderr


COUNTS_INTERRUPTS = """
    import signal, sys
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    print("ready", flush=True)
    signal.sigwait({signal.SIGINT})
    again = signal.sigtimedwait({signal.SIGINT}, 0.5)
    sys.exit(9 if again else 5)
"""
IN_A_TERMINAL = """
    import os, pty, sys
    sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))
"""


@linux
def test_ctrl_c_at_a_terminal_reaches_the_command_once() -> None:
    """The terminal sends it to the command already, so `exec` does not send it again."""
    terminal = python(IN_A_TERMINAL)[1:]
    with subprocess.Popen(
        [*terminal, *EXEC, *python(COUNTS_INTERRUPTS)],
        env=ENVIRONMENT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline().strip() == b"ready"
        process.stdin.write(b"\x03")
        process.stdin.flush()
        shown = process.stdout.read()
        assert process.wait(LIMIT_SECONDS) == 5, shown
