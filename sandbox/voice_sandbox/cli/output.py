"""What a command prints: for people, or JSON; and never anything that a terminal acts on.

What the sandbox sends is shown escaped: it may hold line breaks and sequences that control a
terminal.
"""

from __future__ import annotations

import json
import sys
from typing import Any, Final

import click
import orjson

from voice_sandbox.testing.description import escaped

_COLOURS: Final = {2: "green", 4: "yellow", 5: "red"}


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


def escaped_lines(text: str) -> str:
    """The same for a text of several lines, which may hold tabs."""
    lines = (map(escaped, line.split("\t")) for line in text.split("\n"))
    return "\n".join(map("\t".join, lines))
