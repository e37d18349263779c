"""Commands about calls: place one, read it, list them, end it; and what a call can be placed to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import click

from voice_sandbox.calls.call import IN_PROGRESS, QUEUED, RINGING
from voice_sandbox.cli.output import escaped_lines, print_json, show, status
from voice_sandbox.cli.remote import Remote, remote
from voice_sandbox.cli.shell_completion import agent_keys, provider_words, scenario_names
from voice_sandbox.clock import sleep
from voice_sandbox.option_types import WholeNumber
from voice_sandbox.testing.description import escaped, event_line, events

if TYPE_CHECKING:
    from voice_sandbox.testing.client import SandboxClient

_WATCH_SECONDS: Final = 0.25


@click.command(cls=Remote)
@click.argument("number", metavar="NUMBER|SCENARIO", shell_complete=scenario_names)
@click.option(
    "--agent",
    shell_complete=agent_keys,
    help="Key of the agent that speaks.  [default: the first one]",
)
@click.option("--watch", is_flag=True, help="Watch the call until it has ended.")
@remote
def call(client: SandboxClient, as_json: bool, number: str, agent: str | None, watch: bool) -> None:
    """Place a simulated call and print its call_id.

    \b
    voice-sandbox call busy --watch
    voice-sandbox call +12025550101
    """
    try:
        call_id = client.call(number, agent)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="NUMBER|SCENARIO") from error
    show({"call_id": call_id}, escaped(call_id), as_json=as_json)
    if not watch:
        return
    for event in _watched(client, call_id):
        show(event, event_line(event, status=status), as_json=as_json)
    ended = client.status(call_id)
    if as_json:
        print_json(ended)
    else:
        _print_result(ended)


@click.command("show", cls=Remote)
@click.argument("call_id")
@remote
def show_call(client: SandboxClient, as_json: bool, call_id: str) -> None:
    """Show a call: its status as your code reads it, and its timeline.

    It reads the call with getCall, so the journal shows that request too.
    """
    read = client.status(call_id)
    inspected = client.inspect(call_id)
    if as_json:
        print_json({**inspected, **read})
        return
    scenario = f"  scenario {inspected['scenario']}" if inspected["scenario"] else ""
    click.echo(escaped(f"{read['call_id']}  {read['status']}{scenario}"))
    for event in events(inspected):
        click.echo(event_line(event, status=status))
    _print_result(read)


@click.command("calls", cls=Remote)
@click.option("--limit", default=20, show_default=True, type=WholeNumber(1, 999))
@remote
def list_calls(client: SandboxClient, as_json: bool, limit: int) -> None:
    """List the calls in the journal, the newest last."""
    for created in reversed(client.journal(operation="createCall", status="201", limit=str(limit))):
        if created["replayed"]:
            continue
        seen = client.inspect(created["call_id"])
        listed = {
            "call_id": created["call_id"],
            "at": created["at"],
            "status": seen["status"],
            "scenario": seen["scenario"],
        }
        line = f"{_date(listed['at'])}  {listed['call_id']}  {listed['status']:11}  "
        show(listed, escaped(line + (listed["scenario"] or "")).rstrip(), as_json=as_json)


@click.command(cls=Remote)
@click.argument("call_id")
@click.option(
    "--status",
    default="completed",
    show_default=True,
    shell_complete=provider_words,
    help="The outcome as the provider writes it. no_answer is no-answer too.",
)
@click.option("--transcript", help="What was said, one line per turn.  [default: nothing]")
@click.option("--duration", default=0, show_default=True, help="Seconds from answer to hang-up.")
@remote
def end(
    client: SandboxClient,
    as_json: bool,
    call_id: str,
    status: str,
    transcript: str | None,
    duration: int,
) -> None:
    """Let the provider end a call now, with the outcome that you choose.

    \b
    voice-sandbox end CALL_ID --status busy
    """
    # The contract writes no_answer, the provider no-answer: whoever types either means both.
    ended = client.end(call_id, status.replace("_", "-"), transcript, duration)
    show(ended, escaped(f"{call_id}  {ended['status']}"), as_json=as_json)


@click.command(cls=Remote)
@remote
def agents(client: SandboxClient, as_json: bool) -> None:
    """List the agents that can speak.

    It reads them with listAgents, so the journal shows that request too.
    """
    for agent in client.agents():
        languages = " ".join(agent["languages"])
        line = f"{agent['key']:16}  {agent['name']:16}  {languages:12}  {agent['description']}"
        show(agent, escaped(line), as_json=as_json)


@click.command(cls=Remote)
@remote
def scenarios(client: SandboxClient, as_json: bool) -> None:
    """List the outcomes of calls, and the phone number for each."""
    catalogue = client.catalogue()
    if as_json:
        print_json(catalogue)
        return
    for scenario in catalogue["scenarios"]:
        click.echo(escaped(f"{scenario['number']}  {scenario['name']:20}  {scenario['line']}"))


def _watched(client: SandboxClient, call_id: str) -> Iterator[dict[str, Any]]:
    """What happens to a call, until it has ended and the provider has nothing more to deliver."""
    shown: list[dict[str, Any]] = []
    while True:
        seen = client.inspect(call_id)
        found = events(seen)
        yield from ({"call_id": call_id, **event} for event in found if event not in shown)
        shown = found
        has_ended = seen["timeline"][-1]["status"] not in (QUEUED, RINGING, IN_PROGRESS)
        if has_ended and all(delivery["answered"] for delivery in seen["deliveries"]):
            return
        sleep(_WATCH_SECONDS)


def _print_result(call: Mapping[str, Any]) -> None:
    """Duration and transcript of a call that has ended."""
    if call["duration"] is None:
        return
    click.echo(escaped(f"{call['duration']} s"))
    click.echo(escaped_lines(call["transcript"] or "(nobody spoke)"))


def _date(at: str) -> str:
    """An instant as people read it, such as ``2026-11-24 09:30:00``."""
    return f"{at[:10]} {at[11:19]}"
