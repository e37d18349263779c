"""``voice-sandbox``: starts the sandbox from the command line, and steers one that runs."""

from __future__ import annotations

import gc
import os
import sys
from importlib import import_module
from io import TextIOWrapper
from logging import ERROR, WARNING
from pathlib import Path
from typing import Any, Final

import click
from click.shell_completion import get_completion_class

from voice_sandbox.cli import exit_codes
from voice_sandbox.installation import __version__
from voice_sandbox.server.options import serve_options, settings_of
from voice_sandbox.site import INSTALLED_PORTAL

_CONTEXT: Final = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
_IMPORTED_LATE: Final = {
    "agents": "voice_sandbox.cli.calls:agents",
    "call": "voice_sandbox.cli.calls:call",
    "calls": "voice_sandbox.cli.calls:list_calls",
    "clock": "voice_sandbox.cli.state:clock",
    "coverage": "voice_sandbox.cli.journal:coverage",
    "end": "voice_sandbox.cli.calls:end",
    "exchange": "voice_sandbox.cli.journal:exchange",
    "exec": "voice_sandbox.cli.execute:execute",
    "fail": "voice_sandbox.cli.failures:fail",
    "faults": "voice_sandbox.cli.failures:faults",
    "har": "voice_sandbox.cli.journal:har",
    "logs": "voice_sandbox.cli.journal:logs",
    "numbers": "voice_sandbox.cli.failures:numbers",
    "rehearse": "voice_sandbox.cli.rehearse:rehearse_command",
    "reset": "voice_sandbox.cli.state:reset",
    "rings": "voice_sandbox.cli.failures:rings",
    "scenarios": "voice_sandbox.cli.calls:scenarios",
    "show": "voice_sandbox.cli.calls:show_call",
    "verify": "voice_sandbox.verification.command:verify",
}
"""Command → its place. Its module is imported for it alone, so that each command starts faster."""


class _Commands(click.Group):
    def main(self, *args: Any, **options: Any) -> Any:
        _prepare_output()
        try:
            return super().main(*args, color=_colour(), **options)
        except OSError as error:  # such as a full disk behind the output
            what = (
                f"{error.filename} cannot be used"
                if error.filename
                else "The output cannot be written"
            )
            click.echo(f"Error: {what}: {error.strerror or error}.", err=True)
            raise SystemExit(exit_codes.FAILED) from error

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo(err=True)  # the prompt does not follow ^C on its line
            raise SystemExit(exit_codes.INTERRUPTED) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Every command with its whole first sentence, wrapped where the terminal is narrow."""
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl([(name, c.get_short_help_str(500)) for name, c in commands if c])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Exit codes"):
            formatter.write_dl(exit_codes.rows())

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *_IMPORTED_LATE])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if place := _IMPORTED_LATE.get(cmd_name):
            module, _, name = place.partition(":")
            command: click.Command = getattr(import_module(module), name)
            return command
        return super().get_command(ctx, cmd_name)


@click.group(cls=_Commands, context_settings=_CONTEXT)
@click.version_option(__version__, prog_name="voice-sandbox")
def main() -> None:
    """A sandbox of the voice API: it behaves like the service and rings nowhere.

    Start it with "voice-sandbox serve", then send requests with any key of the form
    sandbox_ plus 4 to 64 letters, digits, _ or -. Each key has calls of its own.
    """


def command_contexts() -> dict[str, click.Context]:
    """Every command, by name, in a context with the settings of its group.

    Take the context from here to read the options or the help of a command. Click keeps the names
    of the help option from the first context, so after an empty one `-h` would be unknown.
    """
    group = main.make_context("voice-sandbox", [], resilient_parsing=True)
    found = {name: main.get_command(group, name) for name in main.list_commands(group)}
    return {
        name: click.Context(command, parent=group, info_name=name)
        for name, command in found.items()
        if command is not None
    }


def _colour() -> bool | None:
    """What the environment says of colours: https://no-color.org, https://force-color.org."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return None


def _prepare_output() -> None:
    """Makes every text printable, whatever the encoding is and even where nowhere reads."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed: the next file that is opened would take its place
            nowhere = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  (stays open)
            setattr(sys, name, nowhere)
        elif isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


@main.command()
@serve_options
def serve(**given: Any) -> None:
    """Serve the portal, the API and the control API until you press Ctrl+C.

    \b
    Try it in a second terminal:
      curl -H "Authorization: Bearer sandbox_demo" http://127.0.0.1:8010/v1/agents
    """
    # Hardly anything of a start is garbage, and looking for it takes a tenth of the time.
    gc.disable()
    # All that serving needs, which the other commands do without.
    from voice_sandbox.server.program_log import notify
    from voice_sandbox.server.serve import EXPLAINED, deploy

    notify(sys.stderr, level=ERROR if given["log_level"] == "error" else WARNING)
    say = _say_nothing if given["quiet"] else click.echo
    try:
        deploy(settings_of({**given, "site": _site_folder(given["site"])}), say=say)
    except EXPLAINED as error:
        raise click.ClickException(str(error)) from error
    finally:
        gc.enable()


@main.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print what makes a shell complete these commands.

    \b
    eval "$(voice-sandbox completion bash)"
    """
    variable = "_VOICE_SANDBOX_COMPLETE"
    scripts = get_completion_class(shell)
    assert scripts is not None, "click knows each of the shells above"
    click.echo(scripts(main, {}, "voice-sandbox", variable).source())


def _say_nothing(_: str) -> None:
    """In place of the welcome."""


def _site_folder(site: Path | None) -> Path | None:
    """The portal's folder. Raises: `click.ClickException` where a named one holds no site."""
    folder = site or INSTALLED_PORTAL
    if (folder / "index.html").is_file():
        return folder
    if site is not None:
        raise click.ClickException(
            f"There is no built portal in {site}: it has no index.html. "
            "Build it with make site, or leave --site out to serve the installed one."
        )
    return None
