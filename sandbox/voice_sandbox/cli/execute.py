"""``voice-sandbox exec``: runs a command beside a sandbox that lives as long as the command does.

The sandbox runs in a thread of this process and keeps everything in memory. Nothing of it is
written to the command's output but one line on stderr when the command has ended.
"""

from __future__ import annotations

import gc
import logging
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from io import StringIO
from pathlib import Path
from typing import Any, Final

import click

from voice_sandbox.calls.scenarios import ScenarioError, load_scenarios
from voice_sandbox.cli import exit_codes
from voice_sandbox.cli.child import run
from voice_sandbox.cli.shell_completion import operation_ids
from voice_sandbox.clock import MODES, WALL_MODE
from voice_sandbox.contract.catalogue import read_catalogue
from voice_sandbox.contract.reader import find_contract, load_contract
from voice_sandbox.http.armed_faults import was_received
from voice_sandbox.http.authentication import DEMO_KEY
from voice_sandbox.http.exchange import Exchange, Observer
from voice_sandbox.journal.coverage import Item, measure, percent
from voice_sandbox.option_types import Number
from voice_sandbox.server.access_log import Log
from voice_sandbox.server.program_log import LOGGERS, notify
from voice_sandbox.store.protocol import Covered
from voice_sandbox.testing.command_start import CannotStart
from voice_sandbox.testing.environment import environment_of
from voice_sandbox.testing.local_server import local_sandbox

_CHOSEN: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(url|key)")


class _Variable(click.ParamType[Any]):
    """``NAME=url`` or ``NAME=key``, as a pair."""

    name = "variable"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        if isinstance(value, tuple):
            return value
        match = _CHOSEN.fullmatch(value)
        if match is None:
            self.fail(f"{value!r} is not NAME=url or NAME=key, such as BASE_URL=url.", param, ctx)
        return match[1], match[2]


BEFORE_A_COMMAND: Final = {"ignore_unknown_options": True, "allow_interspersed_args": False}
"""Settings of a command behind whose options another command stands, with options of its own."""

variables_option: Final = click.option(
    "--env",
    "chosen",
    multiple=True,
    type=_Variable(),
    metavar="NAME=url|key",
    help="Set this variable too, such as BASE_URL=url or TOKEN=key. Repeat it for several.",
)


@click.command("exec", context_settings=BEFORE_A_COMMAND)
@variables_option
@click.option(
    "--log",
    "log_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the log of the sandbox to this file, one JSON object per request.",
)
@click.option(
    "--clock",
    type=click.Choice(MODES),
    default=WALL_MODE,
    show_default=True,
    help="What moves the clock of each key. polls: each read of an unfinished call.",
)
@click.option(
    "--scenarios",
    "numbers_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File that binds numbers to a scenario or to an outcome of your own.",
)
@click.option(
    "--fail-under",
    type=Number(0, 100),
    help="Exit with 1 if the command succeeds but covers less than this percentage.",
)
@click.option(
    "--operation",
    shell_complete=operation_ids,
    help="Measure the coverage of this operationId only.",
)
@click.option(
    "--provider", is_flag=True, help="Count the provider's webhook in the coverage as well."
)
@click.option(
    "--kill-after",
    type=Number(0.1, 3600),
    default=10.0,
    show_default=True,
    help="Seconds that the command may run after SIGTERM before it is killed.",
)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def execute(
    command: tuple[str, ...],
    chosen: tuple[tuple[str, str], ...],
    log_file: Path | None,
    clock: str,
    numbers_file: Path | None,
    fail_under: float | None,
    operation: str | None,
    provider: bool,
    kill_after: float,
) -> None:
    """Start a sandbox, run a command with it, and exit with the exit code of the command.

    The sandbox keeps everything in memory and listens on a free port of this machine. The command
    finds its address in VOICE_SANDBOX_URL and VOICE_API_URL, and a key in VOICE_API_KEY.

    \b
    voice-sandbox exec -- npm test
    voice-sandbox exec --env BASE_URL=url --env TOKEN=key -- go test ./...
    """
    seen = _Seen()
    if operation is not None and not seen.coverage(operation, provider=provider):
        raise click.BadParameter(
            f"the contract has no operation {operation}.", param_hint="--operation"
        )
    log = None if log_file is None else _LogFile(log_file)
    # Hardly anything of a start is garbage, and looking for it takes a tenth of the time.
    gc.disable()
    try:
        with ExitStack() as stack:
            observe = stack.enter_context(_observing(seen, log))
            url = stack.enter_context(
                local_sandbox(observe=observe, clock_mode=clock, numbers_path=numbers_file)
            )
            gc.freeze()
            gc.enable()
            code = run(command, environment_of(url, DEMO_KEY, chosen), kill_after=kill_after)
    except ScenarioError as error:
        raise click.BadParameter(str(error), param_hint="--scenarios") from error
    except CannotStart as error:
        click.echo(f"Error: {error}", err=True)
        raise SystemExit(exit_codes.of_start(error)) from error
    finally:
        gc.enable()
    items = seen.coverage(operation, provider=provider)
    click.echo(f"voice-sandbox: {seen.summary(items)}", err=True)
    if fail_under is not None and (reached := percent(items)) < fail_under:
        click.echo(f"Error: Coverage is {reached:g} %, under {fail_under:g} %.", err=True)
        code = code or exit_codes.FAILED
    if log is not None and log.failure is not None:
        click.echo(f"Error: The log is not complete: {log.failure}", err=True)
        code = code or exit_codes.FAILED
    raise SystemExit(code)


class _Seen:
    """An observer that counts what was requested of the contract, under all keys together."""

    def __init__(self) -> None:
        self._contract = load_contract(find_contract())
        self._counts: Counter[tuple[str, int, str, str]] = Counter()
        self._requests = 0
        self._calls = 0

    def __call__(self, exchange: Exchange) -> None:
        operation_id = exchange.operation_id
        if operation_id is None or operation_id not in self._contract.operations:
            return
        self._requests += not exchange.by_provider
        self._calls += (
            operation_id == "createCall" and 200 <= exchange.status < 300 and not exchange.replayed
        )
        if not was_received(exchange):
            return
        key = (operation_id, exchange.status, exchange.code or "", exchange.scenario or "")
        self._counts[key] += 1

    def coverage(self, operation: str | None, *, provider: bool) -> list[Item]:
        covered = [Covered(*key, exchanges=count) for key, count in self._counts.items()]
        scenarios = load_scenarios(read_catalogue(self._contract))
        return measure(self._contract, scenarios, covered, operation=operation, provider=provider)

    def summary(self, items: list[Item]) -> str:
        """One line, such as ``12 requests, 3 calls, 8.3 % of 84 items are covered.``"""
        requests = f"{self._requests} request{'' if self._requests == 1 else 's'}"
        calls = f"{self._calls} call{'' if self._calls == 1 else 's'}"
        return f"{requests}, {calls}, {percent(items)} % of {len(items)} items are covered."


class _LogFile(StringIO):
    """A stream into a file. It keeps its first failure: a full disk must not end the sandbox."""

    def __init__(self, path: Path) -> None:
        """Raises: `click.ClickException` where the file cannot be written."""
        super().__init__()
        self.failure: str | None = None
        try:
            self._file = path.open("w", encoding="utf-8", buffering=1)
        except OSError as error:
            raise click.ClickException(
                f"The log {path} cannot be written: {error.strerror or error}."
            ) from error

    def write(self, text: str) -> int:
        try:
            return self._file.write(text)
        except OSError as error:
            self.failure = self.failure or f"{self._file.name}: {error.strerror or error}."
            return len(text)


@contextmanager
def _observing(seen: _Seen, log_file: _LogFile | None) -> Iterator[Observer]:
    """What is told of every exchange; without a log file the sandbox writes nothing at all."""
    if log_file is None:
        for name in LOGGERS:
            logging.getLogger(name).addHandler(logging.NullHandler())
        yield seen
        return
    notify(log_file)
    with Log(log_file) as log:

        def observe(exchange: Exchange) -> None:
            seen(exchange)
            log(exchange)

        yield observe
