"""``voice-sandbox``: starts the sandbox from the command line, and steers one that runs."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from pathlib import Path
from types import FrameType
from typing import Final

import click
import uvicorn
from click.shell_completion import get_completion_class

import sandbox
from sandbox.app import App
from sandbox.contract import ContractError
from sandbox.keys import DEMO_KEY
from sandbox.listen import ListenError, listen, origin_of
from sandbox.log import Log
from sandbox.remote import COMMANDS
from sandbox.scenarios import ScenarioError
from sandbox.store.protocol import StoreError

_DRAIN_SECONDS: Final = 5
_CONTEXT: Final = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


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
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    envvar="VOICE_SANDBOX_HOST",
    show_envvar=True,
    help="Address to listen on. 0.0.0.0 opens it to the network.",
)
@click.option(
    "--port",
    default=8010,
    show_default=True,
    envvar="VOICE_SANDBOX_PORT",
    show_envvar=True,
    type=click.IntRange(0, 65535),
    help="Port to listen on. 0 takes any free one and says which.",
)
@click.option(
    "--database",
    default="sqlite:///voice-sandbox.db",
    show_default=True,
    envvar="VOICE_SANDBOX_DATABASE",
    show_envvar=True,
    help="Where calls are kept: sqlite:///FILE, sqlite:///:memory: to keep nothing, or "
    "postgresql://USER@HOST/NAME for several replicas. Keep its password in PGPASSWORD.",
)
@click.option(
    "--site",
    type=click.Path(path_type=Path),
    envvar="VOICE_SANDBOX_SITE",
    show_envvar=True,
    help="Folder of the built portal.  [default: site, where there is one]",
)
@click.option(
    "--speed",
    default=1.0,
    show_default=True,
    envvar="VOICE_SANDBOX_SPEED",
    show_envvar=True,
    type=click.FloatRange(0, 1_000_000, min_open=True),
    help="How many times faster than the wall calls go by: at 10 a call of 8 seconds "
    "takes 0.8. A namespace keeps the speed it was opened with.",
)
@click.option(
    "--contract",
    type=click.Path(path_type=Path),
    envvar="VOICE_SANDBOX_CONTRACT",
    show_envvar=True,
    help="Another openapi.yaml to keep.  [default: its own]",
)
def serve(
    host: str, port: int, database: str, site: Path | None, speed: float, contract: Path | None
) -> None:
    """Serve the portal, the API and the control API until you press Ctrl+C.

    \b
    Try it in a second terminal:
      curl -H "Authorization: Bearer sandbox_demo" http://127.0.0.1:8010/v1/agents
    """
    folder = _site_folder(site)
    try:
        with Log(sys.stderr) as log, listen(host, port) as listener:
            address = origin_of(listener)
            app = App(
                database=database,
                site=folder,
                speed=speed,
                contract_path=contract,
                observe=log,
            )
            config = uvicorn.Config(
                app,
                lifespan="off",
                access_log=False,
                log_level="warning",
                server_header=False,
                timeout_graceful_shutdown=_DRAIN_SECONDS,
            )
            with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
                runner.run(_run(app, config, listener, _welcome(address, folder)))
    except (ContractError, ListenError, ScenarioError, StoreError, ValueError) as error:
        raise click.ClickException(str(error)) from error


class _Server(uvicorn.Server):
    """Welcomes people when it listens to them and to signals.

    It ends live streams as soon as it is told to stop, instead of waiting for their readers.
    """

    def __init__(self, app: App, config: uvicorn.Config, welcome: str) -> None:
        super().__init__(config)
        self._app = app
        self._welcome = welcome

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        click.echo(self._welcome)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._app.drain()
        super().handle_exit(sig, frame)


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


async def _run(app: App, config: uvicorn.Config, listener: socket.socket, welcome: str) -> None:
    server = _Server(app, config, welcome)

    def stop(*_: object) -> None:
        server.should_exit = True

    # Before uvicorn looks after signals itself; it also hands them on once it has drained.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    async with app.running():
        await server.serve(sockets=[listener])
    click.echo("Stopped.")


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


def _welcome(address: str, site: Path | None) -> str:
    portal = f"{address}/" if site else "not built (make site builds it)"
    return (
        f"voice-sandbox {sandbox.__version__}: every call is simulated, no phone rings.\n"
        f"  Portal  {portal}\n"
        f"  API     {address}/v1\n"
        f"  Key     {DEMO_KEY}, or any other sandbox_…\n"
        "Press Ctrl+C to stop."
    )
