"""Commands for calls that go wrong on purpose: armed faults, numbers of one's own, rings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from voice_sandbox.cli.output import escaped_lines, show
from voice_sandbox.cli.remote import Remote, remote
from voice_sandbox.cli.shell_completion import fault_kinds, operation_ids, scenario_names
from voice_sandbox.option_types import Number

if TYPE_CHECKING:
    from voice_sandbox.testing.client import SandboxClient

_LONGEST_SECONDS: Final = 60


@click.command(cls=Remote)
@click.argument("operation", shell_complete=operation_ids)
@click.argument("kind", shell_complete=fault_kinds)
@click.option(
    "--times", default="1", show_default=True, help="How often the fault applies, or always."
)
@click.option(
    "--skip", default=0, show_default=True, help="Requests that pass before the fault applies."
)
@click.option("--phone", help="Only requests with this phone number.")
@click.option("--code", help="Code of the problem, for problem.")
@click.option("--retry-after", type=int, help="Seconds for Retry-After, for problem.")
@click.option(
    "--seconds",
    type=Number(0, _LONGEST_SECONDS, min_open=True),
    help="How long, for late_response and slow_body.",
)
@click.option("--status", type=int, help="502 or 504, for gateway_error.")
@remote
def fail(
    client: SandboxClient,
    as_json: bool,
    /,
    operation: str,
    kind: str,
    times: str,
    skip: int,
    phone: str | None,
    **told: Any,
) -> None:
    """Arm a fault: the next requests of an operation fail.

    \b
    voice-sandbox fail createCall lost_response
    voice-sandbox fail createCall problem --code provider_unavailable --retry-after 1 --times 2
    voice-sandbox fail any late_response --seconds 3

    "any" means every operation of the service. "voice-sandbox faults kinds" lists the faults.
    """
    given = {name: value for name, value in told.items() if value is not None}
    often: int | str = int(times) if times.isdecimal() else times
    armed = client.fail(operation, kind, times=often, skip=skip, phone=phone, **given)
    show(armed, escaped_lines(_line(armed)), as_json=as_json)


@click.command(cls=Remote)
@click.argument("action", type=click.Choice(["list", "kinds", "disarm"]), default="list")
@click.argument("fault_id", required=False)
@remote
def faults(client: SandboxClient, as_json: bool, action: str, fault_id: str | None) -> None:
    """List or disarm the armed faults of a key.

    \b
    voice-sandbox faults              the armed faults, and how often each was applied
    voice-sandbox faults kinds        the faults that you can arm
    voice-sandbox faults disarm       disarm all, or the one with the id that follows
    """
    if action == "kinds":
        from voice_sandbox.contract.faults import FAULTS

        kinds = [{"kind": fault.kind, "line": fault.line} for fault in FAULTS.values()]
        lines = "\n".join(f"{kind['kind']:26} {kind['line']}" for kind in kinds)
        show(kinds, lines, as_json=as_json)
        return
    if action == "disarm":
        client.disarm(fault_id)
    armed = client.faults()
    lines = "\n".join(map(_line, armed)) or "No fault is armed."
    show(armed, escaped_lines(lines), as_json=as_json)


@click.command(cls=Remote)
@click.argument("phone", required=False)
@click.argument("scenario", required=False, shell_complete=scenario_names)
@click.option("--unbind", is_flag=True, help="Remove the binding of the number.")
@remote
def numbers(
    client: SandboxClient, as_json: bool, phone: str | None, scenario: str | None, unbind: bool
) -> None:
    """List the bound numbers of a key, or bind a number to a scenario.

    \b
    voice-sandbox numbers                       every number that is bound
    voice-sandbox numbers +996700000001 busy    bind one; "default" means all without a scenario
    voice-sandbox numbers +996700000001 --unbind
    """
    if phone is not None and unbind:
        client.unbind(phone)
    elif phone is not None and scenario is not None:
        client.number(phone, scenario)
    elif phone is not None or unbind:
        raise click.UsageError("Name a number and a scenario, or a number with --unbind.")
    bound = client.numbers()
    lines = "\n".join(f"{n['phone']:16} {n['scenario'] or 'an outcome of its own'}" for n in bound)
    show(bound, escaped_lines(lines or "No number is bound."), as_json=as_json)


@click.command(cls=Remote)
@remote
def rings(client: SandboxClient, as_json: bool) -> None:
    """Show how often each number was dialled with a key."""
    dialled = client.dialled()
    lines = "\n".join(f"{ring['count']:6}  {ring['phone']}" for ring in dialled)
    show(dialled, escaped_lines(lines or "No number was dialled."), as_json=as_json)


def _line(armed: dict[str, Any]) -> str:
    told = {name: value for name, value in armed["fault"].items() if value is not None}
    kind = told.pop("kind")
    words = "".join(f" {name}={value}" for name, value in told.items())
    often = f"{armed['struck']} of {armed['times']}"
    return f"{armed['id']}  {armed['operation']} {kind}{words}  struck {often}"
