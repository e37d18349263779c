"""Starts the sandbox as a process of its own, as a user would, and ends it as an operator would."""

import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parent.parent.parent
START_SECONDS = 30
STOP_SECONDS = 10


def _ignore_no_signal() -> None:
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)


ignore_no_signal = None if sys.platform == "win32" else _ignore_no_signal
"""For `preexec_fn`: the tests may run under nohup or in the background, where signals are ignored.

A command that is started there would ignore them too.
"""


@dataclass(frozen=True)
class SandboxServer:
    """A sandbox that runs."""

    url: str  # the origin: "http://127.0.0.1:41234"
    process: subprocess.Popen[str]
    log_path: Path  # all that the process has printed so far


@contextmanager
def start_sandbox(
    folder: Path, *arguments: str, code: Path = ROOT / "sandbox"
) -> Iterator[SandboxServer]:
    """Run `voice-sandbox serve` on a free port, with database and log in `folder`.

    `code` is the folder that holds the package: this checkout, or an unpacked wheel.
    On leaving it gets SIGTERM and must exit with 0, unless the test has ended it already.

    Raises:
        AssertionError: it did not come up, or did not end cleanly; with all that it printed.
    """
    log_path = folder / "sandbox.log"
    serve = [sys.executable, "-u", "-m", "voice_sandbox", "serve"]
    process = subprocess.Popen(
        [*serve, "--port", "0", "--database", f"sqlite:///{folder}/sandbox.db", *arguments],
        cwd=code,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    lines: queue.Queue[str | None] = queue.Queue()
    reader = threading.Thread(target=_copy_output, args=(process, log_path, lines), daemon=True)
    reader.start()
    try:
        origin = _read_origin(lines)
        assert origin, f"The sandbox did not start:\n{log_path.read_text()}"
        yield SandboxServer(origin, process, log_path)
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            exit_code = process.wait(STOP_SECONDS)
            assert exit_code == 0, f"It ended with {exit_code}:\n{log_path.read_text()}"
    finally:
        process.kill()
        process.wait(STOP_SECONDS)
        reader.join(STOP_SECONDS)


def read_banner(process: subprocess.Popen[str]) -> str:
    """All that `voice-sandbox serve` prints until it is ready. It ends in how to stop it."""
    assert process.stdout is not None
    said = ""
    while "Ctrl+C" not in said:
        line = process.stdout.readline()
        assert line, said
        said += line
    return said


def _copy_output(
    process: subprocess.Popen[str], log_path: Path, lines: queue.Queue[str | None]
) -> None:
    """Read to the end, so that the process never waits for a reader."""
    assert process.stdout is not None
    with process.stdout, log_path.open("w", buffering=1) as log:
        for line in process.stdout:
            log.write(line)
            lines.put(line)
    lines.put(None)


def _read_origin(lines: queue.Queue[str | None]) -> str | None:
    """`http://127.0.0.1:41234`, from the line that says `API  http://127.0.0.1:41234/v1`."""
    deadline = time.monotonic() + START_SECONDS
    try:
        while line := lines.get(timeout=max(0.0, deadline - time.monotonic())):
            if line.strip().startswith("API"):
                address = urlsplit(next(word for word in line.split() if "://" in word))
                return f"{address.scheme}://{address.netloc}"
    except queue.Empty:
        pass
    return None
