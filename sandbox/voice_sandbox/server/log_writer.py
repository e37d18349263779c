"""Writes what the sandbox logs without waiting for whoever reads it.

A pipe that nobody reads is full after some hundred lines, and a write to it waits for ever: in the
event loop it would stop the server. So a thread of its own writes. What it cannot keep up with is
dropped, and counted in a line of its own as soon as there is room.
"""

from __future__ import annotations

import os
import stat
import threading
from collections import deque
from collections.abc import Callable
from io import UnsupportedOperation
from typing import Final, TextIO

_WAITING_BYTES_LIMIT: Final = 1024 * 1024
_GATHER_SECONDS: Final = 0.02
"""For which the thread leaves the interpreter to the event loop before it writes what has come."""
_BATCH_BYTES: Final = 64 * 1024
"""Written at a time, where no other process writes into the same pipe."""
_CLOSE_SECONDS: Final = 1.0
"""For which an ending process waits until its last lines are written."""


class LogWriter:
    """The lines for one stream, in order."""

    def __init__(self, stream: TextIO, *, dropped: Callable[[int], bytes]) -> None:
        """``dropped`` makes the line that says how many could not be written."""
        self._stream = stream
        self._dropped_line = dropped
        self._descriptor = _descriptor_of(stream)
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._dropped = 0
        self._is_closed = False
        self._closing = threading.Event()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def write(self, lines: bytes) -> None:
        """Takes one or more whole lines. They are written in one piece."""
        if self._descriptor is None:  # a stream of this program's own, which never waits
            self._stream.write(lines.decode("utf-8", "replace"))
            self._stream.flush()
            return
        with self._changed:
            if self._waiting_bytes + len(lines) > _WAITING_BYTES_LIMIT or self._is_closed:
                self._dropped += lines.count(b"\n")
                return
            self._waiting.append(lines)
            self._waiting_bytes += len(lines)
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, args=(self._descriptor,), name="log writer", daemon=True
                )
                self._thread.start()
            self._changed.notify()

    def close(self) -> None:
        """Writes what waits, unless nobody reads it."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        self._closing.set()
        if self._thread is not None:
            self._thread.join(_CLOSE_SECONDS)

    def _run(self, descriptor: int) -> None:
        is_pipe = stat.S_ISFIFO(os.fstat(descriptor).st_mode)
        batch_bytes = 0 if is_pipe else _BATCH_BYTES
        while lines := self._next(batch_bytes):
            try:
                # Past the stream's buffer, whose lock would be held while this waits.
                while lines:
                    lines = lines[os.write(descriptor, lines) :]
            except OSError:  # whoever read it is gone
                with self._changed:
                    self._dropped += lines.count(b"\n")

    def _next(self, batch_bytes: int) -> bytes:
        """What is to be written next, about so many bytes of it; empty at the end."""
        if not self._waiting:
            with self._changed:
                while not self._waiting and not self._dropped and not self._is_closed:
                    self._changed.wait()
            self._closing.wait(_GATHER_SECONDS)
        with self._changed:
            if self._waiting:
                lines = self._waiting.popleft()
                while self._waiting and len(lines) < batch_bytes:
                    lines += self._waiting.popleft()
                self._waiting_bytes -= len(lines)
                return lines
            if self._is_closed:
                return b""
            dropped, self._dropped = self._dropped, 0
            return self._dropped_line(dropped)


def _descriptor_of(stream: TextIO) -> int | None:
    try:
        return stream.fileno()
    except UnsupportedOperation:
        return None
