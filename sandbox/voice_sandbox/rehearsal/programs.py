"""Somebody's program as a process: started with an environment, limited, and never left behind.

It gets a group of its own where there are groups, so that what it has started ends with it.
Nothing here needs POSIX.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import IO, Any, Final, Self

from voice_sandbox.clock import monotonic
from voice_sandbox.rehearsal.evidence import Ending
from voice_sandbox.testing.command_start import starting

OUTPUT_BYTES: Final = 64 * 1024
"""The last of what a program writes, which is kept."""
_STOP_SECONDS: Final = 2.0
"""That a program has to end after SIGTERM, before it is killed."""
_PIECE_BYTES: Final = 64 * 1024
_SIGNAL: Final = 128


class Troupe:
    """The programs that run, so that all of them can be stopped at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[Program] = set()
        self._is_stopped = False

    def join(self, program: Program) -> None:
        with self._lock:
            self._running.add(program)
            is_late = self._is_stopped
        if is_late:
            program.stop()

    def leave(self, program: Program) -> None:
        with self._lock:
            self._running.discard(program)

    def stop(self) -> None:
        """Stops every program, and each that is started from now on."""
        with self._lock:
            self._is_stopped = True
            running = list(self._running)
        for program in running:
            program.stop()


class Program:
    """A running command. Leaving the block stops it with all that it has started."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], troupe: Troupe
    ) -> None:
        """Raises: `CannotStart`."""
        self._began = monotonic()
        with starting(command[0], environment) as program:
            self._process = subprocess.Popen(  # noqa: S603  (the caller's own command, no shell)
                [program, *command[1:]],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                bufsize=0,
                start_new_session=hasattr(os, "killpg"),
            )
        self._output = b""
        self._reader = threading.Thread(
            target=self._read, args=(self._process.stdout,), daemon=True
        )
        self._reader.start()
        self._troupe = troupe
        troupe.join(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        self._troupe.leave(self)

    def wait(self, seconds: float) -> Ending:
        """How it ended by itself, or that it had not within so many seconds and was stopped."""
        code: int | None
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            code = None
        lasted = monotonic() - self._began
        self.stop()
        if code is not None and code < 0:
            code = _SIGNAL - code
        return Ending(code, lasted, self.output)

    def stop(self) -> None:
        """Ends the command and what it has started."""
        if self._process.poll() is None:
            self._signal("SIGTERM")
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_STOP_SECONDS)
        self._signal("SIGKILL")  # its children may go on without it
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_STOP_SECONDS)
        self._reader.join(_STOP_SECONDS)
        if self._process.stdout is not None and not self._reader.is_alive():
            self._process.stdout.close()

    @property
    def has_ended(self) -> bool:
        return self._process.poll() is not None

    @property
    def output(self) -> str:
        """The last of what it has written."""
        return self._output.decode("utf-8", "replace")

    def _read(self, stream: IO[bytes] | Any) -> None:
        with suppress(OSError, ValueError):
            while piece := stream.read(_PIECE_BYTES):
                self._output = (self._output + piece)[-OUTPUT_BYTES:]

    def _signal(self, name: str) -> None:
        with suppress(ProcessLookupError, PermissionError):
            if hasattr(os, "killpg"):
                os.killpg(self._process.pid, getattr(signal, name))
            elif name == "SIGKILL":
                self._process.kill()
            else:
                self._process.terminate()
