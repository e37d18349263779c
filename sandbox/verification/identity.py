"""What answers at a URL: a sandbox, a mock, or something that may ring real phones.

Whoever is not proved to be a sandbox is taken for the live service. Two things make the proof:
`GET /sandbox` says so, word for word as the control contract has it; and an exchange with the
service under a key made up just now is found in that sandbox's journal, so both are one machine.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final
from urllib.parse import urlsplit

from sandbox.contract import Contract
from sandbox.validation import Validator
from sandbox.verification.wire import Answer, NoAnswer, Sent, Wire

IDENTIFY_SECONDS: Final = 5.0
_PRISM: Final = b"stoplight.io/prism"


class Kind(Enum):
    SANDBOX = "sandbox"
    MOCK = "mock"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Identity:
    """What was found, and one sentence that says why."""

    kind: Kind
    why: str


def identify(
    wire: Wire, contract: Contract, control: Contract, *, new_key: Callable[[], str]
) -> Identity:
    """Looks by reads alone. Raises: `NoAnswer` where nothing listens at all."""
    if _is_named_as_live(wire, contract):
        return Identity(Kind.OTHER, "The contract lists this host as a server of its own.")
    seconds = IDENTIFY_SECONDS
    try:
        said = wire.exchange(Sent("GET", "/sandbox"), timeout_seconds=seconds)
    except NoAnswer as error:
        wire.exchange(Sent("GET", "/v1/agents"), timeout_seconds=seconds)
        return Identity(Kind.OTHER, f"GET /sandbox gave no answer: {error}.")
    if _PRISM in said.body:
        return Identity(
            Kind.MOCK,
            "This is Prism's mock server: it makes up answers from the contract, keeps no state, "
            "completes no call and dials no number.",
        )
    if not _says_sandbox(said, control):
        return Identity(
            Kind.OTHER,
            f"GET /sandbox was answered {said.status}, and not as a sandbox identifies itself.",
        )
    try:
        proved = _journal_has_seen(wire, new_key(), seconds)
    except NoAnswer as error:
        return Identity(Kind.OTHER, f"GET /sandbox says sandbox, but the proof failed: {error}.")
    if not proved:
        return Identity(
            Kind.OTHER,
            "GET /sandbox says sandbox, but its journal has not seen a request that was sent to "
            "/v1: they may be two machines.",
        )
    return Identity(Kind.SANDBOX, "It identifies itself as a sandbox, and its journal proves it.")


def _is_named_as_live(wire: Wire, contract: Contract) -> bool:
    hosts = {urlsplit(server.url).hostname for server in contract.servers}
    return wire.host in {host for host in hosts if host and not _is_loopback(host)}


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _says_sandbox(answer: Answer, control: Contract) -> bool:
    if answer.status != 200 or answer.values("content-type") != ["application/json"]:
        return False
    try:
        said = answer.json()
    except (ValueError, RecursionError):
        return False
    schema = control.operations["describeSandbox"].success.schema
    assert schema is not None
    return Validator(control, schema).is_valid(said) and said["sandbox"] is True


def _journal_has_seen(wire: Wire, key: str, timeout_seconds: float) -> bool:
    signed = (("Authorization", f"Bearer {key}"),)
    asked = wire.exchange(Sent("GET", "/v1/agents", signed), timeout_seconds=timeout_seconds)
    request_ids = asked.values("x-request-id")
    if len(request_ids) != 1 or not request_ids[0].replace("_", "").replace("-", "").isalnum():
        return False
    found = wire.exchange(
        Sent("GET", f"/sandbox/exchanges/{request_ids[0]}", signed),
        timeout_seconds=timeout_seconds,
    )
    try:
        entry = found.json()
    except (ValueError, RecursionError):
        return False
    return (
        found.status == 200
        and isinstance(entry, dict)
        and entry.get("request_id") == request_ids[0]
        and entry.get("path") == "/v1/agents"
    )
