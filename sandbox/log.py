"""One line a request: coloured for a person at a terminal, JSON for everything else.

No token, no phone number and no transcript ever stands in it.
"""

from __future__ import annotations

from typing import Final, TextIO

import click
import orjson

from sandbox.exchange import Exchange, Observer

_COLOURS: Final = {2: "green", 4: "yellow", 5: "red"}


def log_to(stream: TextIO) -> Observer:
    """An observer that writes each exchange to the stream."""
    line = _for_people if stream.isatty() else _as_json

    def observe(exchange: Exchange) -> None:
        stream.write(line(exchange))
        stream.flush()

    return observe


def _for_people(exchange: Exchange) -> str:
    status = click.style(str(exchange.status), fg=_COLOURS.get(exchange.status // 100))
    who = "provider" if exchange.by_provider else "        "
    milliseconds = f"{exchange.duration_seconds * 1000:6.1f} ms"
    # Escaped: a path may hold line breaks and sequences that steer a terminal.
    words = f"{exchange.method:6} {ascii(exchange.path)[1:-1]}"
    code = f"  {exchange.code}" if exchange.code else ""
    return f"{status} {milliseconds}  {who}  {words}{code}\n"


def _as_json(exchange: Exchange) -> str:
    fields = {
        "request_id": exchange.request_id,
        "method": exchange.method,
        "path": exchange.path,
        "operation_id": exchange.operation_id,
        "by_provider": exchange.by_provider,
        "status": exchange.status,
        "code": exchange.code,
        "duration_ms": round(exchange.duration_seconds * 1000, 3),
    }
    return orjson.dumps(fields).decode() + "\n"
