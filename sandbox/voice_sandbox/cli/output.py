"""What a command prints: for people, or JSON; and never anything that a terminal acts on.

What the sandbox sends is shown escaped: it may hold line breaks and sequences that control a
terminal.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from typing import Any, Final

import click
import orjson

_COLOURS: Final = {2: "green", 4: "yellow", 5: "red"}
# Controls (C0, DEL, C1), separators of lines, and what changes the direction of writing.
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def show(value: Any, line: str, *, as_json: bool) -> None:
    """Prints a value as JSON, or the line that says the same to people."""
    if as_json:
        print_json(value)
    else:
        click.echo(line)


def print_json(value: Any, *, err: bool = False) -> None:
    """One line of JSON, in ASCII where the output cannot hold every character."""
    stream = sys.stderr if err else sys.stdout
    if "utf" in (stream.encoding or "").lower():
        click.echo(escaped(orjson.dumps(value).decode()), err=err)
    else:
        click.echo(json.dumps(value), err=err)


def status(number: int) -> str:
    """A status in the colour of its class."""
    return click.style(f"{number:d}", fg=_COLOURS.get(number // 100))


def exchange_line(entry: Mapping[str, Any]) -> str:
    """One exchange in one line."""
    sender = "provider" if entry["sender"] == "provider" else ""
    code = f"  {entry['code']}" if entry["code"] else ""
    replayed = "  replayed" if entry["replayed"] else ""
    call_id = f"  {entry['call_id']}" if entry["call_id"] else ""
    request = f"{sender:8}  {entry['method']:6} {entry['path']}{code}{replayed}"
    began = f"{entry['at'][:10]} {entry['at'][11:23]}  "
    duration = f" {entry['duration_ms']:8.1f} ms  "
    told = f"{duration}{request}  {entry['request_id']}{call_id}"
    return escaped(began) + status(entry["status"]) + escaped(told)


def escaped(text: str) -> str:
    """One line without anything that a terminal acts on; valid as JSON too, where it was JSON."""
    return _CONTROLS.sub(lambda control: f"\\u{ord(control[0]):04x}", text)


def escaped_lines(text: str) -> str:
    """The same for a text of several lines, which may hold tabs."""
    lines = (map(escaped, line.split("\t")) for line in text.split("\n"))
    return "\n".join(map("\t".join, lines))
