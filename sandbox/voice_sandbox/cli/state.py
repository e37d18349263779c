"""Commands about the state of a key: its virtual clock, and an empty namespace again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from voice_sandbox.cli.output import show
from voice_sandbox.cli.remote import Remote, remote
from voice_sandbox.option_types import Number
from voice_sandbox.testing.description import escaped

if TYPE_CHECKING:
    from voice_sandbox.testing.client import SandboxClient

_ACTIONS: Final = ("show", "advance", "idle")


@click.command(cls=Remote)
@click.argument("action", type=click.Choice(_ACTIONS), default="show")
@click.argument("seconds", type=Number(0, 31_536_000), required=False)
@remote
def clock(client: SandboxClient, as_json: bool, action: str, seconds: float | None) -> None:
    """Show or advance the virtual clock of a key.

    \b
    voice-sandbox clock              show the time, and when the next completion is due
    voice-sandbox clock advance 30   forward by 30 seconds
    voice-sandbox clock idle         forward until no completion is pending

    When the command ends, everything that was due has happened.
    """
    if (action == "advance") != (seconds is not None):
        raise click.UsageError("Seconds belong to advance: voice-sandbox clock advance 30.")
    if seconds is not None:
        shown = client.advance(seconds)
    elif action == "idle":
        shown = client.until_idle()
    else:
        shown = client.clock()
    due = shown["next_due_at"]
    line = f"{shown['now']}  {f'next completion due {due}' if due else 'nothing pending'}"
    show(shown, escaped(line), as_json=as_json)


@click.command(cls=Remote)
@remote
def reset(client: SandboxClient, as_json: bool) -> None:
    """Remove every call of a key and set its clock to the real time."""
    client.reset()
    show({"reset": True}, "The namespace is empty.", as_json=as_json)
