"""``voice-sandbox``: starts the sandbox from the command line, and steers one that runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final

import click
from click.shell_completion import get_completion_class

import sandbox
from sandbox.contract import ContractError
from sandbox.deployment import deploy
from sandbox.keys import KeysError
from sandbox.listen import ListenError
from sandbox.notices import notify
from sandbox.options import serve_options, settings_of
from sandbox.remote import COMMANDS
from sandbox.scenarios import ScenarioError
from sandbox.store.protocol import StoreError
from sandbox.workers import WorkerError

_CONTEXT: Final = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
_EXPLAINED: Final = (
    *(ContractError, KeysError, ListenError, ScenarioError, StoreError, WorkerError, ValueError),
)
"""Errors whose message says all there is to say."""


class _Commands(click.Group):
    """Loads the contract checks for the one command that needs them: serving starts faster."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), "verify"])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name == "verify":
            from sandbox.verification.command import verify

            return verify
        return super().get_command(ctx, cmd_name)


@click.group(cls=_Commands, context_settings=_CONTEXT)
@click.version_option(sandbox.__version__, prog_name="voice-sandbox")
def main() -> None:
    """A sandbox of the voice API: it behaves like the service and rings nobody.

    Start it with "voice-sandbox serve", then send requests with any key of the form
    sandbox_ plus 4 to 64 letters, digits, _ or -. Each key has calls of its own.
    """


@main.command()
@serve_options
def serve(**given: Any) -> None:
    """Serve the portal, the API and the control API until you press Ctrl+C.

    \b
    Try it in a second terminal:
      curl -H "Authorization: Bearer sandbox_demo" http://127.0.0.1:8010/v1/agents
    """
    notify(sys.stderr)
    try:
        deploy(settings_of({**given, "site": _site_folder(given["site"])}), say=click.echo)
    except _EXPLAINED as error:
        raise click.ClickException(str(error)) from error


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


for command in COMMANDS:
    main.add_command(command)


def _site_folder(site: Path | None) -> Path | None:
    """The portal's folder. Raises: `click.ClickException` where a named one holds no site."""
    folder = site or Path("site")
    if (folder / "index.html").is_file():
        return folder
    if site is not None:
        raise click.ClickException(
            f"There is no built portal in {site}: it has no index.html. "
            "Build it with make site, or leave --site out to serve the API alone."
        )
    return None
