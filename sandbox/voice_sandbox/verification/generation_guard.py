"""Keeps Schemathesis at the one deployment that was proved to be a sandbox.

`voice-sandbox verify --generate` loads it through ``hooks`` into the process that makes requests
up. There a connection to any other address is rejected before it is opened, whatever a redirect, a
proxy or a name server says; and creations wait until the deployment was proved once more, if the
last proof is older than a second. When a proof fails the process ends at once.
"""

from __future__ import annotations

import os
import socket
import sys
from typing import Any, Final

import click
import schemathesis

from voice_sandbox import clock
from voice_sandbox.contract.reader import find_contract, load_contract
from voice_sandbox.verification.http1 import Http1Client
from voice_sandbox.verification.identity import no_longer_proved

PROOF_SECONDS: Final = 1.0
EXIT_UNPROVED: Final = 70
_CONNECTING: Final = ("socket.connect", "socket.sendto", "socket.sendmsg")


class AddressGuard:
    """What the process was told of the deployment by `voice-sandbox verify`."""

    def __init__(self) -> None:
        self._contract = load_contract(find_contract())
        self._control = load_contract(find_contract("control.yaml"), components_from=self._contract)
        self._client = Http1Client(os.environ["VOICE_PROVED_URL"], timeout_seconds=10)
        self._client.stay_at(os.environ["VOICE_PROVED_ADDRESS"])
        self._proved_at = float("-inf")

    def reject_other_addresses(self, event: str, arguments: tuple[Any, ...]) -> None:
        """An audit hook. Raises: `PermissionError` on the way to any other address."""
        if event not in _CONNECTING or arguments[0].family == getattr(socket, "AF_UNIX", None):
            return
        if arguments[1][:2] != (self._client.address, self._client.port):
            raise PermissionError(f"{arguments[1]} is not the sandbox that was proved")

    def resolve_name(self, *_: Any, **__: Any) -> Any:
        """Stands in the place of `socket.getaddrinfo`: there is one address, whatever the name."""
        family = socket.AF_INET6 if ":" in self._client.address else socket.AF_INET
        address = (self._client.address, self._client.port)
        return [(family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", address)]

    def prove(self) -> None:
        """Ends the process where the deployment is no sandbox any more."""
        if clock.monotonic() - self._proved_at < PROOF_SECONDS:
            return
        key = os.environ["VOICE_API_KEY"]
        if why_not := no_longer_proved(self._client, self._contract, self._control, key=key):
            click.echo(f"Stopped, because this is no sandbox any more: {why_not}", err=True)
            sys.stdout.flush()
            os._exit(EXIT_UNPROVED)
        self._proved_at = clock.monotonic()


address_guard = AddressGuard()
socket.getaddrinfo = address_guard.resolve_name
sys.addaudithook(address_guard.reject_other_addresses)


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """Runs before each request that Schemathesis sends."""
    if case.method.upper() not in ("GET", "HEAD"):
        address_guard.prove()
