"""`voice-sandbox verify` and its checks, as the contract tests use them."""

import secrets
from dataclasses import replace
from functools import cache

from click.testing import CliRunner, Result

from read_once import contracts
from voice_sandbox.cli.main import main
from voice_sandbox.verification.api import Target
from voice_sandbox.verification.guard import Guard
from voice_sandbox.verification.http1 import Http1Client
from voice_sandbox.verification.registry import CHECKS
from voice_sandbox.verification.runner import Outcome, make_target, run_one

TIMEOUT_SECONDS = 10.0
SERVICE_KEY = "key-of-the-live-service"
LISTED = ("sandbox_Listed-1", "sandbox_Listed-2")  # keys of a sandbox that accepts no others


def verify(
    url: str, *arguments: str, key: str | None = SERVICE_KEY, is_quick: bool = True
) -> Result:
    """Runs the command as a shell would, with `key` in the environment."""
    if is_quick:
        arguments = ("--quick", *arguments)
    environment = {"VOICE_API_KEY": key, "VOICE_SANDBOX_CONTRACT": None}
    return CliRunner().invoke(main, ["verify", url, *arguments], env=environment)


def new_key() -> str:
    """A sandbox key that nobody has."""
    return f"sandbox_verify_{secrets.token_hex(8)}"


@cache
def _any_target() -> Target:
    return new_target()


def new_target() -> Target:
    """A target that has seen no response yet, and sends nothing before it is told where to."""
    contract, control = contracts()
    client = Http1Client("http://127.0.0.1:9", timeout_seconds=TIMEOUT_SECONDS)
    return make_target(client, contract, control, is_sandbox=True, new_key=new_key)


def sandbox_target(url: str, *, timeout_seconds: float = TIMEOUT_SECONDS) -> Target:
    """A sandbox, known to be one. Compiling the contract takes long, so that is done once."""
    client = Http1Client(url, timeout_seconds=timeout_seconds)
    return replace(_any_target(), guard=Guard(client, is_sandbox=True))


def run_check(name: str, url: str, target: Target) -> Outcome:
    """One check of the registry against a sandbox."""
    return run_one(CHECKS[name], target, key=new_key(), base_url=url)
