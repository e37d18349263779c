"""A command as a process of ours: started, told what we are told, and never left behind.

Owns signals and exit codes of a foreign command. Nothing on the way needs POSIX. Where there are
process groups and no terminal the command gets a group of its own, so that what it has started
ends with it. At a terminal it stays in ours, which the terminal sends Ctrl+C to.

A process that is killed cannot pass on anything, so on POSIX a second process holds a pipe from us
and stops the command when the pipe closes. PR_SET_PDEATHSIG of Linux would need code between fork
and exec, which is not safe beside the threads of the sandbox, and would not reach grandchildren.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from types import FrameType
from typing import Any, Final

from voice_sandbox.cli import exit_codes
from voice_sandbox.testing.command_start import starting

_STOPPING: Final = frozenset(
    getattr(signal, name) for name in ("SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)
)
"""Signals after which a command has only so long to end."""
_PASSED_ON: Final = _STOPPING | {
    getattr(signal, name)
    for name in ("SIGINT", "SIGQUIT", "SIGUSR1", "SIGUSR2")
    if hasattr(signal, name)
}

_WATCHER: Final = """
import os, sys, time

target, kill_after = sys.stdin.readline(), float(sys.argv[1])
if target and not sys.stdin.read():
    try:
        os.kill(int(target), 15)
        until = time.monotonic() + kill_after
        while time.monotonic() < until:
            os.kill(int(target), 0)
            time.sleep(0.05)
        os.kill(int(target), 9)
    except (ProcessLookupError, PermissionError):
        pass
"""
"""Reads what to stop, a negative number for a group, and stops it when its input ends."""


def run(command: Sequence[str], environment: Mapping[str, str], *, kill_after: float) -> int:
    """Runs a command to its end and returns its exit code, 128 + n where signal n ended it.

    It is killed where it has not ended ``kill_after`` seconds after it was told to stop.
    Raises: `CannotStart`.
    """
    child = _Child(is_apart=hasattr(os, "killpg") and not _at_a_terminal(), kill_after=kill_after)
    with ExitStack() as stack:
        stack.enter_context(child.signals())
        with starting(command[0], environment) as program:
            stack.enter_context(child.watched())
            child.start([program, *command[1:]], environment)
        return child.wait()


def _at_a_terminal() -> bool:
    return any(stream is not None and stream.isatty() for stream in (sys.__stdin__, sys.__stderr__))


class _Child:
    def __init__(self, *, is_apart: bool, kill_after: float) -> None:
        self._is_apart = is_apart
        self._process: subprocess.Popen[bytes] | None = None
        self._early: list[int] = []
        """Signals that came before the process was there."""
        self._told_to_stop = False
        self._kill_after = kill_after
        self._watcher: subprocess.Popen[bytes] | None = None
        self._bound = threading.Timer(kill_after, self._kill)
        self._bound.daemon = True

    @contextmanager
    def signals(self) -> Iterator[None]:
        """Passes on what we are sent until the block ends."""
        before: dict[int, Any] = {}
        for number in _PASSED_ON:
            if signal.getsignal(number) is not signal.SIG_IGN:  # as after nohup
                before[number] = signal.signal(number, self._pass_on)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Stops the command, until the block ends, where this process is killed.

        Raises: `OSError` where the second process cannot be started.
        """
        if sys.platform == "win32":
            yield
            return
        with subprocess.Popen(  # noqa: S603 (Python itself, with a program that stands above)
            [sys.executable, "-I", "-S", "-c", _WATCHER, str(self._kill_after)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            start_new_session=True,  # Ctrl+C at a terminal must not end it
        ) as self._watcher:
            try:
                yield
            finally:
                self._watcher.kill()

    def start(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        options: dict[str, Any] = {"process_group": 0} if self._is_apart else {}
        self._process = subprocess.Popen(  # noqa: S603  (the caller's own command, no shell)
            command, env=environment, **options
        )
        if self._watcher is not None and self._watcher.stdin is not None:
            target = -self._process.pid if self._is_apart else self._process.pid
            with suppress(BrokenPipeError):  # somebody has killed it
                self._watcher.stdin.write(f"{target}\n".encode())
        for number in self._early:
            self._send(number)

    def wait(self) -> int:
        assert self._process is not None
        code = self._process.wait()
        self._bound.cancel()
        if self._told_to_stop and self._is_apart:
            self._kill()  # what it has started and left
        return code if code >= 0 else exit_codes.SIGNAL - code

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        if number in _STOPPING and not self._told_to_stop:
            self._told_to_stop = True
            self._bound.start()
        if self._process is None:
            self._early.append(number)
        elif number != signal.SIGINT or self._is_apart:
            self._send(number)

    def _send(self, number: int) -> None:
        assert self._process is not None
        if sys.platform == "win32":
            if number != signal.SIGINT:  # which its console has sent to both
                self._process.terminate()
        elif not self._is_apart:
            self._process.send_signal(number)
        else:
            with suppress(ProcessLookupError, PermissionError):  # macOS: only zombies are left
                os.killpg(self._process.pid, number)

    def _kill(self) -> None:
        if self._process is None:
            return
        if sys.platform != "win32" and self._is_apart:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        else:
            self._process.kill()
