"""What answers at a URL: a sandbox, a mock, or something that may ring real phones.

Whoever is not proved to be a sandbox is taken for the live service. Two things make the proof:
`GET /sandbox` says so, word for word as the control contract has it; and exchanges with the
service under a key generated just now are found in that sandbox's journal, so both are one machine.
First a read is looked for there. Only then each operation that changes something is asked with a
body that names no number and no call, so that a gateway which sends reads to a sandbox and calls
to the live service is found out before a number is named.

A sandbox may accept the keys on a list alone. Then it rejects a generated key at its own control
operations too, which is told apart from two machines, but proves nothing: that takes a listed key.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final
from urllib.parse import urlsplit

from msgspec.structs import replace

from voice_sandbox import clock
from voice_sandbox.contract.model import Contract, Operation
from voice_sandbox.contract.validation import Validator
from voice_sandbox.verification.guard import CALLS_PATH
from voice_sandbox.verification.http1 import (
    JOURNAL_SECONDS,
    PAUSE_SECONDS,
    Http1Client,
    NoResponse,
    ReceivedResponse,
    SentRequest,
)

_PRISM: Final = b"stoplight.io/prism"


class Kind(Enum):
    SANDBOX = "sandbox"
    LISTED = "sandbox_with_listed_keys"
    """It says that it is a sandbox, and rejects a key because it is not on its list."""
    MOCK = "mock"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Identity:
    """What was found, and one sentence that says why."""

    kind: Kind
    why: str
    breach: str = ""
    """How a deployment that calls itself a sandbox fails to be one, which is a finding."""


def identify(
    client: Http1Client, contract: Contract, control: Contract, *, new_key: Callable[[], str]
) -> Identity:
    """Looks by reads alone. Raises: `NoResponse` where nothing listens at all."""
    if _is_named_as_live(client, contract):
        return Identity(Kind.OTHER, "The contract lists this host as a server of its own.")
    try:
        said = client.exchange(SentRequest("GET", "/sandbox"))
    except NoResponse as error:
        client.exchange(SentRequest("GET", "/v1/agents"))
        return Identity(Kind.OTHER, f"GET /sandbox gave no response: {error}.")
    if _PRISM in said.body:
        return Identity(
            Kind.MOCK,
            "This is Prism's mock server: it generates responses from the contract, keeps no "
            "state, completes no call and dials no number.",
        )
    if not _says_sandbox(said, control):
        return Identity(
            Kind.OTHER,
            f"GET /sandbox was answered {said.status}, and not as a sandbox identifies itself.",
            breach=breach_of(said, control),
        )
    key = new_key()
    try:
        why_not = breach = _not_proved(client, contract, control, key=key)
    except NoResponse as error:
        why_not, breach = _proof_failed(error), ""
    if why_not and _rejects(client, key):
        return Identity(
            Kind.LISTED,
            "It identifies itself as a sandbox, and accepts the keys on its list alone.",
        )
    if why_not:
        return Identity(Kind.OTHER, why_not, breach=breach)
    return Identity(Kind.SANDBOX, "It identifies itself as a sandbox, and its journal proves it.")


def unproved(client: Http1Client, contract: Contract, control: Contract, *, key: str) -> str:
    """Why a deployment is not proved to be a sandbox just now; empty where it is."""
    try:
        return _not_proved(client, contract, control, key=key)
    except NoResponse as error:
        return _proof_failed(error)


def _proof_failed(error: NoResponse) -> str:
    return f"GET /sandbox says sandbox, but the proof failed: {error}."


def _not_proved(client: Http1Client, contract: Contract, control: Contract, *, key: str) -> str:
    """What a sandbox would have done otherwise. Raises: `NoResponse`."""
    if not _says_sandbox(client.exchange(SentRequest("GET", "/sandbox")), control):
        return "The response to GET /sandbox is not that of a sandbox."
    operations = [one for one in contract.operations.values() if "{" not in one.path]
    for operation in sorted(operations, key=lambda one: one.body is not None):
        if not _journal_has_seen(client, operation, key):
            return (
                "GET /sandbox says sandbox, but its journal has not seen "
                f"{operation.method} {operation.path}: they may be two machines."
            )
    return ""


def no_longer_proved(
    client: Http1Client, contract: Contract, control: Contract, *, key: str
) -> str:
    """The proof once more, in the three requests that it takes for the operation that dials."""
    dialing = {name: one for name, one in contract.operations.items() if one.path == CALLS_PATH}
    return unproved(client, replace(contract, operations=dialing), control, key=key)


def _is_named_as_live(client: Http1Client, contract: Contract) -> bool:
    named = {urlsplit(server.url).hostname for server in contract.servers}
    hosts = {host.rstrip(".").lower() for host in named if host and not _is_loopback(host)}
    # A live service may also go by another name, or by its address in another notation.
    return not hosts.isdisjoint({client.host.rstrip(".").lower()}) or not hosts.isdisjoint(
        client.addresses()
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _says_sandbox(response: ReceivedResponse, control: Contract) -> bool:
    return _calls_itself_sandbox(response) and not breach_of(response, control)


def _calls_itself_sandbox(response: ReceivedResponse) -> bool:
    try:
        said = response.json()
    except (ValueError, RecursionError):
        return False
    return isinstance(said, dict) and said.get("sandbox") is True


def breach_of(response: ReceivedResponse, control: Contract) -> str:
    """What is wrong with the response of something that calls itself a sandbox."""
    if not _calls_itself_sandbox(response):
        return ""
    if response.status != 200:
        return f"GET /sandbox says that it is a sandbox, with status {response.status}."
    if response.values("content-type") != ["application/json"]:
        return (
            "GET /sandbox says that it is a sandbox, with Content-Type: "
            f"{response.header('content-type')}."
        )
    schema = control.operations["describeSandbox"].success.schema
    assert schema is not None
    validator = Validator(control, schema)
    if validator.is_valid(response.json()):
        return ""
    [error, *_] = validator.errors(response.json())
    return (
        "GET /sandbox says that it is a sandbox, and breaks the contract at "
        f"{error.pointer or 'the body itself'}: {error.detail}"
    )


def _rejects(client: Http1Client, key: str) -> bool:
    """Whether the sandbox itself, not only the service, rejects a key of the right form."""
    signed = (("Authorization", f"Bearer {key}"),)
    try:
        response = client.exchange(SentRequest("GET", "/sandbox/clock", signed))
        problem = response.json()
    except (NoResponse, ValueError, RecursionError):
        return False
    return (
        response.status == 401
        and isinstance(problem, dict)
        and problem.get("code") == "invalid_token"
    )


def _journal_has_seen(client: Http1Client, operation: Operation, key: str) -> bool:
    """Whether the journal holds a request that was made just now and can change nothing."""
    signed = (("Authorization", f"Bearer {key}"),)
    if operation.body is None:
        response = client.exchange(SentRequest(operation.method, operation.path, signed))
    else:
        headers = (*signed, ("Content-Type", "application/json"))
        response = client.exchange(SentRequest(operation.method, operation.path, headers, b"{}"))
    request_ids = response.values("x-request-id")
    if len(request_ids) != 1 or not request_ids[0].replace("_", "").replace("-", "").isalnum():
        return False
    look_up = SentRequest("GET", f"/sandbox/exchanges/{request_ids[0]}", signed)
    deadline = clock.monotonic() + JOURNAL_SECONDS
    # Each request may reach another worker, which sees it a little later.
    while (found := client.exchange(look_up)).status == 404 and clock.monotonic() < deadline:
        clock.sleep(PAUSE_SECONDS)
    try:
        entry = found.json()
    except (ValueError, RecursionError):
        return False
    return (
        found.status == 200
        and isinstance(entry, dict)
        and entry.get("request_id") == request_ids[0]
        and (entry.get("method"), entry.get("path")) == (operation.method, operation.path)
        and _is_harmless(operation, response.status)
        and _is_harmless(operation, entry.get("status"))
    )


def _is_harmless(operation: Operation, status: object) -> bool:
    """Whether a read was answered, or a body that names nothing was rejected."""
    return isinstance(status, int) and (operation.body is None) == (status < 400)
