"""``voice-sandbox rehearse``: runs a program through every act of a call's life, and grades it."""

from __future__ import annotations

import shlex
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import click

from voice_sandbox.calls.scenarios import load_scenarios
from voice_sandbox.cli import exit_codes
from voice_sandbox.cli.execute import BEFORE_A_COMMAND, variables_option
from voice_sandbox.clock import monotonic
from voice_sandbox.contract.catalogue import read_catalogue
from voice_sandbox.contract.reader import find_contract, load_contract
from voice_sandbox.option_types import Number, WholeNumber
from voice_sandbox.rehearsal.acts import PROGRAMME, Act, ProgrammeError, read_programme, select
from voice_sandbox.rehearsal.html_report import as_html
from voice_sandbox.rehearsal.rehearsal import RehearsalPlan, needed, rehearse
from voice_sandbox.rehearsal.report import RehearsalReport, as_json, as_junit, checklist, lines
from voice_sandbox.testing.command_start import CannotStart

_JOBS: Final = 12
"""Most of the time a program waits."""
_FILE: Final = click.Path(dir_okay=False, path_type=Path)


@click.command("rehearse", context_settings=BEFORE_A_COMMAND)
@click.option(
    "--act", "names", multiple=True, metavar="NAME", help="Play this act only. May be repeated."
)
@click.option(
    "--programme",
    type=_FILE,
    default=PROGRAMME,
    show_default="the acts of this version",
    help="File with acts of your own.",
)
@click.option("--list", "is_list", is_flag=True, help="List the acts and exit.")
@click.option(
    "--timeout",
    type=Number(1, 3600),
    default=60.0,
    show_default=True,
    help="Seconds that the program has for an act before it is stopped.",
)
@click.option(
    "--jobs",
    type=WholeNumber(1, 100),
    default=_JOBS,
    show_default=True,
    help="Acts that are played at the same time.",
)
@variables_option
@click.option(
    "--trigger",
    metavar="COMMAND",
    help="The program is a service, and this command makes it place a call.",
)
@click.option("--keep", is_flag=True, help="Start the service once for all acts.")
@click.option(
    "--startup",
    type=Number(0, 600),
    default=1.0,
    show_default=True,
    help="Seconds that the service has before the first trigger.",
)
@click.option("--json", "json_file", type=_FILE, help="Write the report as JSON.")
@click.option("--junit", "junit_file", type=_FILE, help="Write the report as JUnit XML.")
@click.option("--html", "html_file", type=_FILE, help="Write the report as one HTML file.")
@click.option(
    "--fail-under",
    type=Number(0, 100),
    default=100,
    show_default=True,
    help="Exit with 1 where less than this percentage of the acts is passed.",
)
@click.option(
    "--checklist", "is_checklist", is_flag=True, help="Print the go-live checklist, filled in."
)
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def rehearse_command(
    command: tuple[str, ...],
    names: tuple[str, ...],
    programme: Path,
    is_list: bool,
    fail_under: float,
    is_checklist: bool,
    json_file: Path | None,
    junit_file: Path | None,
    html_file: Path | None,
    **given: Any,
) -> None:
    """Run your program through everything that can happen to a call, and grade it.

    Each act is one run of the program beside a sandbox in memory, where all numbers play the act:
    busy, a lost response, a call that never ends. The program finds the address in VOICE_API_URL
    and a key in VOICE_API_KEY, and need not be changed.

    \b
    voice-sandbox rehearse -- python place_call.py
    voice-sandbox rehearse --act lost_response --html report.html -- node place-call.mjs
    """
    contract = load_contract(find_contract())
    try:
        acts = read_programme(programme, contract)
        selected = select(acts, names)
    except ProgrammeError as error:
        raise click.UsageError(str(error)) from error
    if is_list:
        _list(acts)
        return
    if not command:
        raise click.UsageError("Name the command after two dashes: rehearse -- python app.py")
    plan = _plan(command, needed(acts, selected), **given)
    began = monotonic()
    _leave_on_signals()
    try:
        played = rehearse(plan, tell=_progress(len(plan.acts)))
    except CannotStart as error:
        click.echo(f"Error: {error}", err=True)
        raise SystemExit(exit_codes.of_start(error)) from error
    report = RehearsalReport(
        command=command,
        played=[each for each in played if each.act in selected],
        scenarios=load_scenarios(read_catalogue(contract)),
        seconds=monotonic() - began,
    )
    for line in checklist(report) if is_checklist else lines(report):
        click.echo(line)
    for path, written in ((json_file, as_json), (junit_file, as_junit), (html_file, as_html)):
        if path is not None:
            _write(path, written(report))
    if report.percent < fail_under:
        raise SystemExit(exit_codes.FAILED)


def _plan(
    command: Sequence[str],
    acts: Sequence[Act],
    *,
    timeout: float,
    jobs: int,
    chosen: Sequence[tuple[str, str]],
    trigger: str | None,
    keep: bool,
    startup: float,
) -> RehearsalPlan:
    if keep and trigger is None:
        raise click.UsageError("--keep needs --trigger: what makes the service place a call.")
    try:
        split = shlex.split(trigger or "")
    except ValueError as error:
        raise click.BadParameter(f"{error}.", param_hint="--trigger") from error
    return RehearsalPlan(
        command=command,
        acts=acts,
        timeout_seconds=timeout,
        jobs=jobs,
        chosen=chosen,
        trigger=split,
        keep=keep,
        startup_seconds=startup,
    )


def _leave_on_signals() -> None:
    """Ends by an exception where a signal comes, so that no program is left behind."""

    def leave(number: int, _: object) -> None:
        raise SystemExit(exit_codes.SIGNAL + number)

    for name in ("SIGTERM", "SIGHUP"):
        if number := getattr(signal, name, None):
            signal.signal(number, leave)


def _list(acts: Sequence[Act]) -> None:
    width = max(len(act.name) for act in acts)
    for act in acts:
        click.echo(f"{act.name:{width}}  {act.line} {act.expects}")


def _progress(acts: int) -> Callable[[object], None]:
    """Says at a terminal how far it has come."""
    done = 0
    is_terminal = sys.stderr.isatty()

    def tell(_: object) -> None:
        nonlocal done
        done += 1
        if is_terminal:
            click.echo(f"\r{done} of {acts} acts", nl=done == acts, err=True)

    return tell


def _write(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise click.ClickException(
            f"The report {path} cannot be written: {error.strerror or error}."
        ) from error
