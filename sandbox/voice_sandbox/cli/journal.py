"""Commands about the journal of a key: its exchanges, one of them, all of them, what they cover."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import orjson

from voice_sandbox.cli import exit_codes
from voice_sandbox.cli.output import escaped_lines, print_json, show
from voice_sandbox.cli.output import status as coloured
from voice_sandbox.cli.remote import Remote, fail, remote
from voice_sandbox.cli.shell_completion import operation_ids
from voice_sandbox.journal.coverage import Item, table
from voice_sandbox.option_types import Number, WholeNumber
from voice_sandbox.testing.description import escaped, exchange_line

if TYPE_CHECKING:
    from voice_sandbox.testing.client import SandboxClient


@click.command(cls=Remote)
@click.option("--follow", "-f", is_flag=True, help="Print new exchanges live.")
@click.option(
    "--operation", shell_complete=operation_ids, help="Only exchanges of this operationId."
)
@click.option("--status", help="Only responses with this status, such as 409 or 4xx.")
@click.option("--call-id", help="Only exchanges about this call.")
@click.option("--since", help="Only exchanges since this time, such as 2026-11-24T09:30:00Z.")
@click.option("--until", help="Only exchanges before this time.")
@click.option("--text", help="Only exchanges that contain this text.")
@click.option("--limit", default=20, show_default=True, type=WholeNumber(1, 999))
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
    """Print the exchanges of a key, one per line, the newest last.

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
        show(entry, exchange_line(entry, status=coloured), as_json=as_json)
    if follow:
        # From the last that was shown on, so that none is missed in between.
        after = newest[0]["seq"] if newest else "0" * 32 if span == {} else None
        for entry in client.follow(after=after, **search):
            show(entry, exchange_line(entry, status=coloured), as_json=as_json)
        fail("The sandbox was stopped.", exit_codes.UNREACHABLE, as_json=as_json)


@click.command(cls=Remote)
@click.argument("request_id")
@click.option(
    "--as",
    "form",
    type=click.Choice(["curl", "javascript", "pytest"]),
    help="Print the request as a curl command, as a JavaScript module for Node, "
    "or as a pytest test that first does what led to it.",
)
@remote
def exchange(client: SandboxClient, as_json: bool, request_id: str, form: str | None) -> None:
    """Print one exchange with its headers and bodies.

    \b
    voice-sandbox exchange REQUEST_ID --as curl
    voice-sandbox exchange REQUEST_ID --as javascript > sent.mjs
    voice-sandbox exchange REQUEST_ID --as pytest > test_it.py
    """
    found = client.exchange(request_id)
    if as_json:
        print_json(found if form is None else {form: found[form]})
    elif form is None:
        for line in _whole(found):
            click.echo(line)
    else:
        click.echo(escaped_lines(found[form].rstrip("\n")))


def _whole(entry: Mapping[str, Any]) -> Iterator[str]:
    """The lines of an exchange: what was sent, and what was received."""
    yield exchange_line(entry, status=coloured)
    if entry["why"]:
        yield escaped(entry["why"])
    for sign, message in ((">", entry["request"]), ("<", entry["response"])):
        yield ""
        for name, value in message["headers"]:
            yield escaped(f"{sign} {name}: {value}")
        for line in message["body"].split("\n") if message["body"] else ():
            yield escaped(f"{sign} {line}")
        if message["truncated"]:
            yield f"{sign} … {message['body_bytes']} bytes in total"


@click.command(cls=Remote)
@click.option(
    "--output",
    "-o",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write to this file.  [default: standard output]",
)
@remote
def har(client: SandboxClient, as_json: bool, output: Path | None) -> None:
    """Export the journal as an HTTP Archive, which browsers' developer tools open."""
    archive = client.har()
    if output is None:
        print_json(archive)
        return
    try:
        output.write_bytes(orjson.dumps(archive))
    except OSError as error:
        raise click.ClickException(f"{output} cannot be written: {error.strerror}.") from error
    entries = len(archive["log"]["entries"])
    show({"entries": entries}, f"{entries} exchanges in {output}", as_json=as_json)


@click.command(cls=Remote)
@click.option(
    "--fail-under",
    type=Number(0, 100),
    help="Exit with 1 if less than this percentage is covered.",
)
@click.option("--missing", is_flag=True, help="Show only items that are not covered.")
@click.option(
    "--operation", shell_complete=operation_ids, help="Only the items of this operationId."
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

    The provider's webhook does not count without --provider: your code never sends its requests.
    """
    measured = client.coverage(operation=operation, provider=provider)
    if not measured["items"]:
        raise click.BadParameter(
            f"the contract has no operation {operation}.", param_hint="--operation"
        )
    if as_json:
        print_json(measured)
    else:
        items = [Item(**item) for item in measured["items"]]
        for line in table(items, only_missing=missing):
            click.echo(escaped(line))
    if fail_under is not None and measured["percent"] < fail_under:
        fail(
            f"Coverage is {measured['percent']} %, under {fail_under:g} %.",
            exit_codes.FAILED,
            as_json=as_json,
        )
