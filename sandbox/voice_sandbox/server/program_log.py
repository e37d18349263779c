"""What the program itself has to say beside its log of requests: warnings and errors.

A person at a terminal reads sentences; everything else gets one JSON object a line, as the log of
requests has it.
"""

from __future__ import annotations

import logging
from typing import Final, TextIO

import orjson

from voice_sandbox.server.log_writer import LogWriter

LOGGERS: Final = ("voice_sandbox", "uvicorn", "asyncio")


def notify(stream: TextIO, *, level: int = logging.WARNING) -> None:
    """Sends what the program says to the stream, from now on, if it is of this level or above."""
    handler = _Handler(stream)
    if not stream.isatty():
        handler.setFormatter(_JSON())
    for name in LOGGERS:
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(level)
        logger.propagate = False


class _Handler(logging.Handler):
    """Writes each notice without waiting for a reader."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._writer = LogWriter(stream, dropped=self._dropped_line)

    def emit(self, record: logging.LogRecord) -> None:
        self._writer.write(f"{self.format(record)}\n".encode("utf-8", "backslashreplace"))

    def close(self) -> None:
        self._writer.close()
        super().close()

    def _dropped_line(self, count: int) -> bytes:
        told = f"{count} notices were dropped, because nobody read them in time"
        record = logging.LogRecord("voice_sandbox", logging.WARNING, "", 0, told, (), None)
        return f"{self.format(record)}\n".encode()


class _JSON(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields = {
            "time": round(record.created, 3),
            "level": record.levelname.lower(),
            "notice": record.getMessage(),
        }
        if record.exc_info:
            fields["traceback"] = self.formatException(record.exc_info)
        return orjson.dumps(fields).decode()
