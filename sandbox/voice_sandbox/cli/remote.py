"""Commands for a sandbox that runs: how they find it, and how they tell that something failed.

Each takes ``--url``, ``--key`` and ``--json``. With ``--json`` an error is one line of JSON on
stderr too, so that a program can tell what it was.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, NoReturn, ParamSpec

import click

from voice_sandbox.cli import exit_codes
from voice_sandbox.cli.output import escaped_lines, print_json
from voice_sandbox.http.authentication import DEMO_KEY, HOW_A_KEY_LOOKS, is_sandbox_key

if TYPE_CHECKING:
    from voice_sandbox.testing.client import SandboxClient

P = ParamSpec("P")
Function = Callable[Concatenate["SandboxClient", bool, P], None]


class Remote(click.Command):
    """A command whose errors are JSON where its output is."""

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        as_json = "--json" in args
        try:
            return super().make_context(info_name, args, parent, **extra)
        except click.UsageError as error:
            _fail_as_json(error, as_json=as_json)
            raise

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except click.ClickException as error:
            _fail_as_json(error, as_json=ctx.params["as_json"])
            raise


def remote(function: Function[P]) -> Callable[..., None]:
    """Gives a command its options, a client, and exit codes for what goes wrong."""

    @click.option(
        "--url",
        envvar="VOICE_SANDBOX_URL",
        default="http://127.0.0.1:8010",
        show_default=True,
        show_envvar=True,
        help="Address of the sandbox.",
    )
    @click.option(
        "--key",
        envvar="VOICE_API_KEY",
        default=DEMO_KEY,
        show_default=True,
        show_envvar=True,
        help="The sandbox key.",
    )
    @click.option("--json", "as_json", is_flag=True, help="Print JSON, errors too.")
    @wraps(function)
    def wrapped(url: str, key: str, as_json: bool, *args: P.args, **kwargs: P.kwargs) -> None:
        # httpx2 costs half of a start, and serving needs none of it.
        from voice_sandbox.testing.client import SandboxClient, SandboxError

        if not is_sandbox_key(key):
            raise click.BadParameter(
                f"this key is not for a sandbox, and was not sent. {HOW_A_KEY_LOOKS}",
                param_hint="--key",
            )
        try:
            with SandboxClient(url.rstrip("/"), key) as client:
                client.identify()
                function(client, as_json, *args, **kwargs)
        except SandboxError as error:
            fail(
                str(error),
                exit_codes.UNREACHABLE if error.code is None else exit_codes.FAILED,
                as_json=as_json,
                problem={"code": error.code, "retry_after": error.retry_after},
            )

    return wrapped


def fail(
    message: str,
    exit_code: int,
    *,
    as_json: bool,
    problem: Mapping[str, Any] | None = None,
) -> NoReturn:
    """Says what failed and exits."""
    if as_json:
        told = {"code": None, "detail": message, "retry_after": None, **(problem or {})}
        print_json({**told, "exit_code": exit_code}, err=True)
    else:
        click.echo(f"Error: {escaped_lines(message)}", err=True)
    raise SystemExit(exit_code)


def _fail_as_json(error: click.ClickException, *, as_json: bool) -> None:
    if as_json:
        fail(error.format_message(), error.exit_code, as_json=True)
