"""One line a request: coloured for a person at a terminal, JSON for everything else.

No token, no phone number and no transcript ever stands in it.
"""

from __future__ import annotations

import asyncio
from functools import lru_cache
from typing import Final, Self, TextIO

import click
import orjson

from voice_sandbox.http.exchange import Exchange
from voice_sandbox.http.redaction import redact
from voice_sandbox.server.log_writer import LogWriter

_COLOURS: Final = {2: "green", 4: "yellow", 5: "red"}
_BATCH_SECONDS: Final = 0.1
# POSIX, write(): what several processes write into one pipe stays whole up to PIPE_BUF bytes.
_BATCH_LINES: Final = 64
_UNBROKEN_BYTES: Final = 4096
_LONGEST_PATH: Final = 2000
_SHORT_PATH: Final = 100


class Log:
    """An observer that writes each exchange to a stream.

    A person sees each at once. For a machine those of a tenth of a second are written together:
    a write for each would cost as much as the request itself.
    """

    def __init__(self, stream: TextIO) -> None:
        self._for_people = stream.isatty()
        self._writer = LogWriter(
            stream, dropped=_dropped_for_people if self._for_people else _dropped_as_json
        )
        self._waiting: list[bytes] = []

    def __call__(self, exchange: Exchange) -> None:
        if self._for_people:
            self._writer.write(_for_people(exchange).encode())
            return
        if not self._waiting:
            asyncio.get_running_loop().call_later(_BATCH_SECONDS, self.flush)
        # The line and not the exchange, and few of them: memory that is let go soon is used
        # again while it is still in the processor's cache.
        self._waiting.append(_as_json(exchange))
        if len(self._waiting) >= _BATCH_LINES:
            self.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.flush()
        self._writer.close()

    def flush(self) -> None:
        """Writes what waits, in portions that other processes on the same stream cannot break."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        portion = b""
        for line in waiting:
            if portion and len(portion) + len(line) > _UNBROKEN_BYTES:
                self._writer.write(portion)
                portion = b""
            portion += line
        self._writer.write(portion)


def _for_people(exchange: Exchange) -> str:
    status = click.style(str(exchange.status), fg=_COLOURS.get(exchange.status // 100))
    who = "provider" if exchange.by_provider else "        "
    milliseconds = f"{exchange.duration_seconds * 1000:6.1f} ms"
    # Escaped: a path may hold line breaks and sequences that steer a terminal.
    words = f"{ascii(_shown(exchange.method))[1:-1]:6} {ascii(_shown(exchange.path))[1:-1]}"
    code = f"  {exchange.code}" if exchange.code else ""
    fault = f"  armed fault: {exchange.fault}" if exchange.fault else ""
    return f"{status} {milliseconds}  {who}  {words}{code}{fault}\n"


def _shown(text: str) -> str:
    """A method or a path, not without end, and without a token that was sent there by mistake."""
    return _redacted_again(text) if len(text) <= _SHORT_PATH else _redacted(text[:_LONGEST_PATH])


def _redacted(text: str) -> str:
    return redact(text.encode("utf-8", "replace")).decode("utf-8", "replace")


# The same few paths are requested again and again, and to look for a token in one takes a tenth of
# the time of a request.
_redacted_again = lru_cache(maxsize=1024)(_redacted)


def _as_json(exchange: Exchange) -> bytes:
    fields = {
        "time": round(exchange.started_at, 3),
        "request_id": exchange.request_id,
        "method": _shown(exchange.method),
        "path": _shown(exchange.path),
        "operation_id": exchange.operation_id,
        "by_provider": exchange.by_provider,
        "status": exchange.status,
        "code": exchange.code,
        "fault": exchange.fault,
        "duration_ms": round(exchange.duration_seconds * 1000, 3),
    }
    return orjson.dumps(fields, option=orjson.OPT_APPEND_NEWLINE)


def _dropped_for_people(count: int) -> bytes:
    return f"{count} lines of the log were dropped, because nobody read them in time.\n".encode()


def _dropped_as_json(count: int) -> bytes:
    fields = {"level": "warning", "notice": _dropped_for_people(count).decode().strip()}
    return orjson.dumps(fields, option=orjson.OPT_APPEND_NEWLINE)
