"""What the program itself has to say beside its log of requests: warnings and errors.

A person at a terminal reads sentences; everything else gets one JSON object a line, as the log of
requests has it.
"""

from __future__ import annotations

import logging
from typing import Final, TextIO

import orjson

_LOGGERS: Final = ("voice_sandbox", "uvicorn", "asyncio")


def notify(stream: TextIO) -> None:
    """Sends what the program says to the stream, from now on."""
    handler = logging.StreamHandler(stream)
    if not stream.isatty():
        handler.setFormatter(_JSON())
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(logging.WARNING)
        logger.propagate = False


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
