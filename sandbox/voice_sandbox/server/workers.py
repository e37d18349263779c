"""Several processes on one socket and one database, and one that only looks after them.

Each worker is the same command started anew with the listening socket handed down, so nothing that
a fork would copy half-done is shared. A worker that dies is replaced; when the supervisor is told
to stop, or dies itself, every worker drains.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Final

import msgspec

from voice_sandbox import clock
from voice_sandbox.server.uvicorn_server import DRAIN_SECONDS

logger = logging.getLogger("voice_sandbox")

_VARIABLE: Final = "_VOICE_SANDBOX_WORKER"
"""Holds, in a worker alone, the file descriptors that it was handed."""
_PATIENCE_SECONDS: Final = DRAIN_SECONDS + 5.0
_HASTE_SECONDS: Final = 1.0
"""A worker that does not live so long is replaced only after this time."""


class WorkerError(Exception):
    """The workers did not start. Each has said why."""


class Inherited(msgspec.Struct, frozen=True):
    """What a worker gets from its supervisor."""

    listener: int
    started: int
    """Takes one byte when the worker serves."""
    lifeline: int
    """Ends when the supervisor does."""

    @classmethod
    def here(cls) -> Inherited | None:
        """What this process was handed, if it is a worker."""
        handed = os.environ.pop(_VARIABLE, None)
        return None if handed is None else cls(*map(int, handed.split(",")))

    def listens(self) -> socket.socket:
        """The supervisor's socket."""
        return socket.socket(fileno=self.listener)

    def tell_started(self) -> None:
        """Tells the supervisor that this worker serves."""
        with suppress(BrokenPipeError):  # nobody waits for one that replaces another
            os.write(self.started, b"1")
        os.close(self.started)


class Supervisor:
    """Keeps ``count`` workers on the listener."""

    def __init__(
        self,
        listener: socket.socket,
        count: int,
        *,
        drain_delay: float = 0.0,
        reloads: bool = False,
        ended: Callable[[int], None] | None = None,
    ) -> None:
        """``reloads`` says whether workers make anything of SIGHUP; else it ends them, as it ends
        any program whose terminal is gone. ``ended`` is told the process id of each that is gone.
        """
        self._listener = listener
        self._count = count
        self._patience_seconds = _PATIENCE_SECONDS + drain_delay
        self._reloads = reloads
        self._ended = ended
        self._workers: dict[int, tuple[subprocess.Popen[bytes], float]] = {}
        self._is_stopping = False
        self._lifeline, self._held = os.pipe()

    def run(self, started: Callable[[], None]) -> None:
        """Runs until SIGTERM or SIGINT. Raises: `WorkerError` where a worker does not start."""
        with self._signals():
            try:
                self._start_all()
                if not self._is_stopping:
                    started()
                while not self._is_stopping:
                    self._replace_dead()
                    clock.sleep(0.05)
            finally:
                self._stop_all()
                os.close(self._held)
                os.close(self._lifeline)

    def _start_all(self) -> None:
        ready = [self._start() for _ in range(self._count)]
        try:
            for pipe in ready:
                if not _says_started(pipe) and not self._is_stopping:
                    raise WorkerError("The workers did not start; the lines above say why.")
        finally:
            for pipe in ready:
                os.close(pipe)

    def _start(self) -> int:
        """Starts a worker; returns the descriptor that tells when it serves."""
        ready, tell = os.pipe()
        handed = (self._listener.fileno(), tell, self._lifeline)
        worker = subprocess.Popen(  # noqa: S603  (this very command)
            [sys.executable, *sys.orig_argv[1:]],
            env={**os.environ, _VARIABLE: ",".join(map(str, handed))},
            pass_fds=handed,
        )
        os.close(tell)
        self._workers[worker.pid] = (worker, clock.monotonic())
        return ready

    def _replace_dead(self) -> None:
        for pid, (worker, started_at) in list(self._workers.items()):
            if worker.poll() is None:
                continue
            del self._workers[pid]
            if self._ended is not None:
                self._ended(pid)
            logger.error("worker %d ended with %s and is replaced", pid, worker.returncode)
            if clock.monotonic() - started_at < _HASTE_SECONDS:
                clock.sleep(_HASTE_SECONDS)
            if not self._is_stopping:
                os.close(self._start())

    def _stop_all(self) -> None:
        self._tell(signal.SIGTERM)
        give_up_at = clock.monotonic() + self._patience_seconds
        for pid, (worker, _) in self._workers.items():
            try:
                worker.wait(max(0.0, give_up_at - clock.monotonic()))
            except subprocess.TimeoutExpired:
                logger.error("worker %d does not end and is killed", pid)
                worker.kill()
                worker.wait()

    def _tell(self, number: int) -> None:
        for worker, _ in self._workers.values():
            if worker.poll() is None:
                worker.send_signal(number)

    @contextmanager
    def _signals(self) -> Iterator[None]:
        def stop(number: int, _: FrameType | None) -> None:
            self._is_stopping = True

        def hand_on(number: int, _: FrameType | None) -> None:
            self._tell(number)

        hang_up = hand_on if self._reloads else stop
        handlers = {signal.SIGTERM: stop, signal.SIGINT: stop, signal.SIGHUP: hang_up}
        before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _says_started(pipe: int) -> bool:
    """Waits until a worker serves, or has ended without."""
    return os.read(pipe, 1) == b"1"
