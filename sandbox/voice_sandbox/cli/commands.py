"""Commands for a sandbox that runs: place calls, move its clock, read its journal.

Each prints for people, or JSON with ``--json``. What the sandbox sends is shown escaped: it may
hold line breaks and sequences that control a terminal. Exit codes: 0 done, 1 the sandbox rejected
the request or a goal was missed, 2 the command was used wrongly, 3 no sandbox responds.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import wraps
from math import isnan
from typing import TYPE_CHECKING, Any, Concatenate, Final, NoReturn, ParamSpec

import click
import orjson
from click.shell_completion import CompletionItem

from voice_sandbox.calls.call import IN_PROGRESS, QUEUED, RINGING
from voice_sandbox.clock import from_rfc3339, sleep
from voice_sandbox.http.authentication import DEMO_KEY, HOW_A_KEY_LOOKS, is_sandbox_key
from voice_sandbox.journal.coverage import Item, table

if TYPE_CHECKING:
    from voice_sandbox.contract.model import Contract
    from voice_sandbox.testing.client import SandboxClient

EXIT_REJECTED: Final = 1
EXIT_UNREACHABLE: Final = 3

_WATCH_SECONDS: Final = 0.25
_COLOURS: Final = {2: "green", 4: "yellow", 5: "red"}
# Controls (C0, DEL, C1), separators of lines, and what changes the direction of writing.
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")

P = ParamSpec("P")
Command = Callable[Concatenate["SandboxClient", bool, P], None]


class Number(click.FloatRange):
    """A range that does not hold ``nan``, which is neither under it nor over it."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        number: float = super().convert(value, param, ctx)
        if isnan(number):
            self.fail(f"{value} is no number.", param, ctx)
        return number


def remote(command: Command[P]) -> Callable[..., None]:
    """Gives a command ``--url``, ``--key`` and ``--json``, and turns problems into exit codes."""

    @click.option(
        "--url",
        envvar="VOICE_SANDBOX_URL",
        default="http://127.0.0.1:8010",
        show_default=True,
        show_envvar=True,
        help="Where the sandbox answers.",
    )
    @click.option(
        "--key",
        envvar="VOICE_API_KEY",
        default=DEMO_KEY,
        show_default=True,
        show_envvar=True,
        help="The sandbox key whose calls are meant.",
    )
    @click.option("--json", "as_json", is_flag=True, help="Print JSON.")
    @wraps(command)
    def wrapped(url: str, key: str, as_json: bool, *args: P.args, **kwargs: P.kwargs) -> None:
        # httpx costs half of a start, and serving needs none of it.
        from voice_sandbox.testing.client import SandboxClient, SandboxError

        if not is_sandbox_key(key):
            raise click.BadParameter(
                f"this key is not for a sandbox, and was not sent. {HOW_A_KEY_LOOKS}",
                param_hint="--key",
            )
        try:
            with SandboxClient(url.rstrip("/"), key) as client:
                client.identify()
                command(client, as_json, *args, **kwargs)
        except SandboxError as error:
            _fail(str(error), EXIT_UNREACHABLE if error.code is None else EXIT_REJECTED)
        except KeyboardInterrupt:
            click.echo()

    return wrapped


# What a shell offers to complete, from the contract of this installation


def _contract() -> Contract:
    from voice_sandbox.contract.reader import find_contract, load_contract

    return load_contract(find_contract())


def _scenario_names(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    from voice_sandbox.calls.scenarios import load_scenarios
    from voice_sandbox.contract.catalogue import read_catalogue

    return [
        CompletionItem(word, help=scenario.line)
        for scenario in load_scenarios(read_catalogue(_contract()))
        for word in (scenario.name, scenario.number)
        if word.startswith(incomplete) and incomplete.startswith("+") == word.startswith("+")
    ]


def _operation_ids(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    return [name for name in _contract().operations if name.startswith(incomplete)]


def _agent_keys(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    from voice_sandbox.contract.catalogue import read_catalogue

    agents = read_catalogue(_contract()).agents
    return [agent.key for agent in agents if agent.key.startswith(incomplete)]


def _provider_words(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    words = _contract().schema("ProviderStatus")["enum"]
    return [word for word in words if word.startswith(incomplete)]


# The commands


@click.command()
@click.argument("number", metavar="NUMBER|SCENARIO", shell_complete=_scenario_names)
@click.option(
    "--agent",
    shell_complete=_agent_keys,
    help="Key of the agent that speaks.  [default: the first one]",
)
@click.option("--watch", is_flag=True, help="Follow the call to its end.")
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
    _show({"call_id": call_id}, _escaped(call_id), as_json=as_json)
    if not watch:
        return
    for event in _watched(client, call_id):
        _show(event, _event_line(event), as_json=as_json)
    ended = client.status(call_id)
    if as_json:
        _print_json(ended)
    else:
        click.echo(_escaped(f"{ended['duration']} s"))
        click.echo(_escaped_lines(ended["transcript"] or "(nobody spoke)"))


def _watched(client: SandboxClient, call_id: str) -> Iterator[dict[str, Any]]:
    """What happens to a call, until it has ended and the provider has nothing more to deliver."""
    shown: list[dict[str, Any]] = []
    while True:
        seen = client.inspect(call_id)
        began = from_rfc3339(seen["timeline"][0]["at"])
        events = [{"at": s["at"], "status": s["status"]} for s in seen["timeline"]]
        events += [
            {
                "at": delivery["due_at"],
                "delivered": delivery["payload"]["status"],
                "answered": delivery["answered"],
            }
            for delivery in seen["deliveries"]
            if delivery["answered"] is not None
        ]
        # A completion that ends the call is delivered in the very instant of the end.
        events.sort(key=lambda event: (event["at"], "status" in event))
        for event in events:
            if event not in shown:
                seconds = round(from_rfc3339(event["at"]) - began, 3)
                yield {"call_id": call_id, "after_seconds": seconds, **event}
        shown = events
        has_ended = seen["timeline"][-1]["status"] not in (QUEUED, RINGING, IN_PROGRESS)
        if has_ended and all(delivery["answered"] for delivery in seen["deliveries"]):
            return
        sleep(_WATCH_SECONDS)


@click.command()
@click.argument("call_id")
@click.option(
    "--status",
    default="completed",
    show_default=True,
    shell_complete=_provider_words,
    help="The provider's word.",
)
@click.option("--transcript", help="What was said; a new line a turn.  [default: nothing]")
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
    """Have the provider end a call now, with the outcome you choose.

    \b
    voice-sandbox end CALL_ID --status busy
    """
    ended = client.end(call_id, status, transcript, duration)
    _show(ended, _escaped(f"{call_id}  {ended['status']}"), as_json=as_json)


@click.group()
def clock() -> None:
    """Read or advance the virtual clock of a key."""


@clock.command("show")
@remote
def show_clock(client: SandboxClient, as_json: bool) -> None:
    """Print what the clock shows and when the next completion is due."""
    _show_clock(client.clock(), as_json=as_json)


@clock.command("advance")
@click.argument("seconds", type=Number(0, 31_536_000))
@remote
def advance_clock(client: SandboxClient, as_json: bool, seconds: float) -> None:
    """Move the clock forward; everything due by then has happened on return."""
    _show_clock(client.advance(seconds), as_json=as_json)


@clock.command("idle")
@remote
def idle_clock(client: SandboxClient, as_json: bool) -> None:
    """Move the clock forward until no completion is pending."""
    _show_clock(client.until_idle(), as_json=as_json)


@click.command()
@click.option("--follow", "-f", is_flag=True, help="Go on with every exchange as it ends.")
@click.option(
    "--operation", shell_complete=_operation_ids, help="Only exchanges of this operationId."
)
@click.option("--status", help="Only answers with this status, such as 409 or 4xx.")
@click.option("--call-id", help="Only exchanges about this call.")
@click.option("--since", help="Only exchanges from this instant on, such as 2026-11-24T09:30:00Z.")
@click.option("--until", help="Only exchanges before this instant.")
@click.option("--text", help="Only exchanges that hold this text.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 999))
@remote
def logs(
    client: SandboxClient,
    as_json: bool,
    follow: bool,
    operation: str | None,
    status: str | None,
    call_id: str | None,
    since: str | None,
    until: str | None,
    text: str | None,
    limit: int,
) -> None:
    """Print the exchanges of a key, one a line, the newest last.

    \b
    voice-sandbox logs --status 4xx
    voice-sandbox logs --follow --operation createCall
    """
    if follow and until is not None:
        raise click.UsageError("--follow goes on without end; leave --until out.")
    wanted = {"operation": operation, "status": status, "call_id": call_id, "text": text}
    search = {name: value for name, value in wanted.items() if value is not None}
    span = {name: value for name, value in (("since", since), ("until", until)) if value}
    newest = client.journal(limit=str(limit), **search, **span)
    for entry in reversed(newest):
        _show(entry, _exchange_line(entry), as_json=as_json)
    if follow:
        # From the last that was shown on, so that none is missed in between.
        after = newest[0]["seq"] if newest else "0" * 32 if span == {} else None
        for entry in client.follow(after=after, **search):
            _show(entry, _exchange_line(entry), as_json=as_json)
        _fail("The sandbox was stopped.", EXIT_UNREACHABLE)


@click.command()
@remote
def scenarios(client: SandboxClient, as_json: bool) -> None:
    """List what can become of a call, and the number that chooses it."""
    catalogue = client.catalogue()
    if as_json:
        _print_json(catalogue)
        return
    for scenario in catalogue["scenarios"]:
        click.echo(_escaped(f"{scenario['number']}  {scenario['name']:20}  {scenario['line']}"))


@click.command()
@click.option(
    "--fail-under",
    type=Number(0, 100),
    help="Exit with 1 where less than this percentage is covered.",
)
@click.option("--missing", is_flag=True, help="Only what is not covered.")
@click.option(
    "--operation", shell_complete=_operation_ids, help="Only the items of this operationId."
)
@click.option("--provider", is_flag=True, help="Count the provider's webhook as well.")
@remote
def coverage(
    client: SandboxClient,
    as_json: bool,
    fail_under: float | None,
    missing: bool,
    operation: str | None,
    provider: bool,
) -> None:
    """Show which operations, statuses, problems and scenarios your requests cover.

    The provider's webhook is left out unless you ask for it: your code never sends its requests.
    """
    measured = client.coverage(operation=operation, provider=provider)
    if not measured["items"]:
        raise click.BadParameter(
            f"the contract has no operation {operation}.", param_hint="--operation"
        )
    if as_json:
        _print_json(measured)
    else:
        items = [Item(**item) for item in measured["items"]]
        for line in table(items, only_missing=missing):
            click.echo(_escaped(line))
    if fail_under is not None and measured["percent"] < fail_under:
        _fail(f"Coverage is {measured['percent']} %, under {fail_under:g} %.", EXIT_REJECTED)


@click.command()
@remote
def reset(client: SandboxClient, as_json: bool) -> None:
    """Remove every call of a key and set its clock back to the wall."""
    client.reset()
    _show({"reset": True}, "Emptied.", as_json=as_json)


def _event_line(event: Mapping[str, Any]) -> str:
    began = f"{event['after_seconds']:8.1f} s  "
    if "status" in event:
        return _escaped(began + event["status"])
    delivers = f"the provider delivers {event['delivered']}: "
    return _escaped(began + delivers) + _status(event["answered"])


def _status(status: int) -> str:
    return click.style(f"{status:d}", fg=_COLOURS.get(status // 100))


def _exchange_line(entry: Mapping[str, Any]) -> str:
    sender = "provider" if entry["sender"] == "provider" else ""
    code = f"  {entry['code']}" if entry["code"] else ""
    replayed = "  replayed" if entry["replayed"] else ""
    request = f"{sender:8}  {entry['method']:6} {entry['path']}{code}{replayed}"
    began, duration = f"{entry['at'][11:23]}  ", f" {entry['duration_ms']:8.1f} ms  "
    return _escaped(began) + _status(entry["status"]) + _escaped(duration + request)


def _show_clock(clock: Mapping[str, Any], *, as_json: bool) -> None:
    due = clock["next_due_at"]
    _show(
        clock,
        _escaped(f"{clock['now']}  {f'next completion due {due}' if due else 'nothing pending'}"),
        as_json=as_json,
    )


def _show(value: Any, line: str, *, as_json: bool) -> None:
    if as_json:
        _print_json(value)
    else:
        click.echo(line)


def _print_json(value: Any) -> None:
    """One line of JSON, in ASCII where the output cannot hold every character."""
    if "utf" in (sys.stdout.encoding or "").lower():
        click.echo(_escaped(orjson.dumps(value).decode()))
    else:
        click.echo(json.dumps(value))


def _escaped(text: str) -> str:
    """One line without anything that a terminal acts on; valid as JSON too, where it was JSON."""
    return _CONTROLS.sub(lambda control: f"\\u{ord(control[0]):04x}", text)


def _escaped_lines(text: str) -> str:
    return "\n".join(map(_escaped, text.split("\n")))


def _fail(message: str, code: int) -> NoReturn:
    click.echo(f"Error: {_escaped_lines(message)}", err=True)
    raise SystemExit(code)
