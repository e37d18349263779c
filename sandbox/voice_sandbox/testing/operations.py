"""What a client of a running sandbox does, as the requests it sends: without any input or output.

Each method is a generator. It yields a request, is sent the response, and returns the result, so
that the blocking client and the async client are two short drivers of the same steps.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Generator, Mapping
from contextlib import suppress
from difflib import get_close_matches
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar
from urllib.parse import quote
from urllib.request import getproxies

import httpx2

TIMEOUT_SECONDS: Final = 30.0

NOT_SENT: Final = (httpx2.TransportError, httpx2.InvalidURL, UnicodeError)
"""What httpx2 raises where no response came. A host like ``a..b`` fails when it is encoded."""

T = TypeVar("T")


class SandboxError(Exception):
    """The sandbox rejected the request, or no sandbox responded; the message says what to do.

    ``code`` is the problem's code, ``None`` where no sandbox responded. ``retry_after`` is the
    number of seconds after which the same request may succeed, where the sandbox named one.
    """

    def __init__(
        self, message: str, *, code: str | None = None, retry_after: int | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.retry_after = retry_after


class ClientRequest(NamedTuple):
    """One request; ``url`` is relative to the address of the sandbox."""

    method: str
    url: str
    json: Any = None
    params: Mapping[str, str] | None = None


Steps = Generator[ClientRequest, httpx2.Response, T]
"""Yields requests, is sent their responses, and returns the result."""


class Operations:
    """The operations of one key on one sandbox. Each raises `SandboxError` for every problem."""

    def __init__(self, url: str, key: str, *, catalogue: Mapping[str, Any] | None = None) -> None:
        """``catalogue`` is what the sandbox at this address has sent before, if it has."""
        self.url = url
        self.key = key
        self._catalogue = catalogue

    def client_options(self) -> dict[str, Any]:
        """The arguments of an httpx2 client whose requests carry the key."""
        return {
            "base_url": self.url,
            "headers": {"Authorization": f"Bearer {self.key}"},
            "timeout": TIMEOUT_SECONDS,
            # A proxy of the environment must not receive the key of a request to this machine.
            "trust_env": not is_loopback(self.url),
        }

    def identify(self) -> Steps[dict[str, Any]]:
        """What the deployment says it is. Raises: `SandboxError` where it is no sandbox."""
        response = yield ClientRequest("GET", "/sandbox")
        try:
            identity = response.json() if response.status_code == 200 else None
        except ValueError:
            identity = None
        if not isinstance(identity, dict) or identity.get("sandbox") is not True:
            raise SandboxError(
                f"{self.url} does not say that it is a sandbox, so nothing more was sent there. "
                "A live service rings real phones. "
                f"{without_version(self.url) or 'Start a sandbox with voice-sandbox serve.'}"
            )
        return identity

    def call(self, phone: str, agent: str | None = None) -> Steps[str]:
        """Places a call to a number, or to the number of a scenario; returns its ``call_id``.

        Without an agent the first one speaks. Asks first whether this is a sandbox: nothing here
        may ring a phone. Raises: `SandboxError`, `ValueError` where no scenario has that name.
        """
        body = _new_call((yield from self.catalogue()), phone, agent)
        created = yield from _json(ClientRequest("POST", "/v1/calls", json=body))
        call_id: str = created["call_id"]
        return call_id

    def status(self, call_id: str) -> Steps[dict[str, Any]]:
        """The call as the contract's ``getCall`` returns it."""
        return _json(ClientRequest("GET", f"/v1/calls/{_segment(call_id)}"))

    def inspect(self, call_id: str) -> Steps[dict[str, Any]]:
        """The provider's side of a call."""
        return _json(ClientRequest("GET", f"/sandbox/calls/{_segment(call_id)}"))

    def agents(self) -> Steps[list[dict[str, Any]]]:
        """The agents, as the contract's ``listAgents`` returns them."""
        listed = yield from _json(ClientRequest("GET", "/v1/agents"))
        agents: list[dict[str, Any]] = listed["agents"]
        return agents

    def clock(self) -> Steps[dict[str, Any]]:
        """What the virtual clock shows."""
        return _json(ClientRequest("GET", "/sandbox/clock"))

    def advance(self, seconds: float) -> Steps[dict[str, Any]]:
        """Advances the virtual clock; everything due by then has happened on return."""
        return _json(ClientRequest("POST", "/sandbox/clock", json={"advance_seconds": seconds}))

    def until_idle(self) -> Steps[dict[str, Any]]:
        """Advances the virtual clock until no completion is pending."""
        return _json(ClientRequest("POST", "/sandbox/clock", json={"until": "idle"}))

    def clock_mode(self, mode: str) -> Steps[dict[str, Any]]:
        """Sets what moves the clock: ``wall``, ``manual``, or ``polls``, which is each read."""
        return _json(ClientRequest("POST", "/sandbox/clock", json={"mode": mode}))

    def fail(
        self,
        operation: str,
        kind: str,
        /,
        *,
        times: int | str = 1,
        skip: int = 0,
        phone: str | None = None,
        **told: Any,
    ) -> Steps[dict[str, Any]]:
        """Arms a fault: the next requests fail, such as ``fail("createCall", "lost_response")``.

        ``told`` is what the fault needs to know, such as ``code`` or ``seconds``; see ``armFault``.
        """
        body = {"operation": operation, "fault": {"kind": kind, **told}, "times": times}
        body |= {"skip": skip} if phone is None else {"skip": skip, "phone": phone}
        return _json(ClientRequest("POST", "/sandbox/faults", json=body))

    def faults(self) -> Steps[list[dict[str, Any]]]:
        """The armed faults, and how often each has struck."""
        listed = yield from _json(ClientRequest("GET", "/sandbox/faults"))
        faults: list[dict[str, Any]] = listed["faults"]
        return faults

    def disarm(self, fault_id: str | None = None) -> Steps[None]:
        """Disarms one fault, or all."""
        one = "" if fault_id is None else f"/{_segment(fault_id)}"
        _succeeded((yield ClientRequest("DELETE", f"/sandbox/faults{one}")))

    def number(
        self, phone: str, scenario: str | None = None, /, **outcome: Any
    ) -> Steps[dict[str, Any]]:
        """Binds a number, or ``default``, to a scenario or to an outcome; see ``bindNumber``."""
        body = {"scenario": scenario, **outcome} if scenario is not None else outcome
        return _json(ClientRequest("PUT", f"/sandbox/numbers/{_segment(phone)}", json=body))

    def numbers(self) -> Steps[list[dict[str, Any]]]:
        """The numbers that the key has bound."""
        listed = yield from _json(ClientRequest("GET", "/sandbox/numbers"))
        numbers: list[dict[str, Any]] = listed["numbers"]
        return numbers

    def load_numbers(self, path: str | Path) -> Steps[None]:
        """Binds the numbers of a file, as ``serve --scenarios`` does for all keys.

        Raises: `ScenarioError` with the line of the file.
        """
        # Of all tests few read such a file, and YAML is slow to import.
        from voice_sandbox.calls.own_numbers import read_numbers

        for phone, body in read_numbers(Path(path)).items():
            yield from self.number(phone, **body)

    def unbind(self, phone: str) -> Steps[None]:
        """Lets a number play again what the catalogue says."""
        _succeeded((yield ClientRequest("DELETE", f"/sandbox/numbers/{_segment(phone)}")))

    def rings(self, phone: str) -> Steps[int]:
        """How often a number, or the number of a scenario, was dialled. Raises: `ValueError`."""
        number = _number(_numbers((yield from self.catalogue())), phone)
        request = ClientRequest("GET", "/sandbox/rings", params={"phone": number})
        [ring] = (yield from _json(request))["rings"]
        count: int = ring["count"]
        return count

    def dialled(self) -> Steps[list[dict[str, Any]]]:
        """Every number that was dialled, with its calls and requests."""
        listed = yield from _json(ClientRequest("GET", "/sandbox/rings"))
        rings: list[dict[str, Any]] = listed["rings"]
        return rings

    def end(
        self,
        call_id: str,
        status: str = "completed",
        transcript: str | None = None,
        duration: int = 0,
    ) -> Steps[dict[str, Any]]:
        """Has the provider end a call now, with its own word for the outcome."""
        ending = {"status": status, "transcript": transcript, "duration": duration}
        return _json(ClientRequest("POST", f"/sandbox/calls/{_segment(call_id)}/end", json=ending))

    def scenarios(self) -> Steps[dict[str, str]]:
        """The number of each scenario by its name."""
        return _numbers((yield from self.catalogue()))

    def catalogue(self) -> Steps[Mapping[str, Any]]:
        """The scenarios as the control API lists them; requested once."""
        if self._catalogue is None:
            yield from self.identify()
            self._catalogue = yield from _json(ClientRequest("GET", "/sandbox/scenarios"))
        return self._catalogue

    def journal(self, /, **search: str) -> Steps[list[dict[str, Any]]]:
        """The exchanges that match, the newest first; see ``searchJournal`` for the parameters."""
        found = yield from _json(ClientRequest("GET", "/sandbox/journal", params=search))
        exchanges: list[dict[str, Any]] = found["exchanges"]
        return exchanges

    def exchange(self, request_id: str) -> Steps[dict[str, Any]]:
        """One exchange with headers and bodies, as curl and as a pytest test."""
        return _json(ClientRequest("GET", f"/sandbox/exchanges/{_segment(request_id)}"))

    def har(self) -> Steps[dict[str, Any]]:
        """The whole journal as an HTTP Archive."""
        return _json(ClientRequest("GET", "/sandbox/journal/har"))

    def coverage(
        self, *, operation: str | None = None, provider: bool = False
    ) -> Steps[dict[str, Any]]:
        """What the requests of the key have covered of the contract and the catalogue.

        With an ``operation`` only its own items; with ``provider`` those of the webhook too.
        """
        wanted = {"operation": operation} if operation is not None else {}
        if provider:
            wanted["provider"] = "true"
        return _json(ClientRequest("GET", "/sandbox/coverage", params=wanted))

    def reset(self) -> Steps[None]:
        """Empties the namespace."""
        _succeeded((yield ClientRequest("DELETE", "/sandbox/state")))


def is_loopback(url: str) -> bool:
    """Whether a URL can only lead to this machine. A name is not looked up."""
    host = httpx2.URL(url).host.rstrip(".")
    if host == "localhost" or host.endswith(".localhost"):  # RFC 6761, section 6.3
        return True
    with suppress(OSError):  # inet_aton takes every form that connecting takes, such as 127.1
        host = socket.inet_ntoa(socket.inet_aton(host))
    try:
        ip = ip_address(host)
    except ValueError:
        return False
    ip = getattr(ip, "ipv4_mapped", None) or ip
    return ip.is_loopback or ip.is_unspecified


def without_version(url: str) -> str:
    """What to drop from a URL that names the API in place of the sandbox; empty for others."""
    origin, found, rest = url.rstrip("/").rpartition("/v1")
    return f"Leave /v1 out of the URL: {origin}." if found and not rest else ""


def unreachable(url: str, error: Exception) -> SandboxError:
    """No response came."""
    hints = "Start one with voice-sandbox serve, or name another by --url."
    if getproxies():  # whose addresses may hold a password
        hints += " A proxy of the environment is used for every host but this machine."
    return SandboxError(f"No sandbox responds at {url}: {_in_words(error)}. {hints}")


def _in_words(error: Exception) -> str:
    """Why no response came, without the names of Python."""
    if isinstance(error, httpx2.TimeoutException):
        return f"nothing was received for {TIMEOUT_SECONDS:g} seconds"
    if isinstance(
        error, httpx2.InvalidURL | httpx2.UnsupportedProtocol | UnicodeError | ValueError
    ):
        return "this is not a URL such as http://127.0.0.1:8010"
    if isinstance(error, httpx2.RemoteProtocolError):
        return "the connection was closed, or what was received is not HTTP"
    if isinstance(error, ImportError):
        return "a proxy of the environment needs a package that is not installed"
    reason = re.sub(r"^\[[^\]]*\]\s*", "", str(error)).rstrip(".")
    return reason[:1].lower() + reason[1:] or "the connection failed"


def rejected(response: httpx2.Response) -> SandboxError:
    """The problem that a response holds."""
    try:
        problem = response.json()
        kind = f"{problem['title']} ({response.status_code} {problem['code']})"
        lines = [f"{kind}: {problem['detail']}"]
        lines += [f"  {e['pointer']}: {e['detail']}" for e in problem.get("errors", ())]
        after = response.headers.get("Retry-After", "")
        return SandboxError(
            "\n".join(lines),
            code=problem["code"],
            retry_after=int(after) if after.isdecimal() else None,
        )
    except (ValueError, KeyError, TypeError):
        return SandboxError(
            f"{response.url} responded with {response.status_code}, "
            "which is not a response of a sandbox."
        )


def _segment(text: str) -> str:
    """A text as one segment of a path, whatever it holds."""
    return quote(text, safe="")


def _json(request: ClientRequest) -> Steps[dict[str, Any]]:
    body: dict[str, Any] = _succeeded((yield request)).json()
    return body


def _succeeded(response: httpx2.Response) -> httpx2.Response:
    if response.status_code >= 400:
        raise rejected(response)
    return response


def _numbers(catalogue: Mapping[str, Any]) -> dict[str, str]:
    return {scenario["name"]: scenario["number"] for scenario in catalogue["scenarios"]}


def _number(known: Mapping[str, str], phone: str) -> str:
    """A number itself, or that of a scenario. Raises: `ValueError`."""
    if not phone.startswith("+") and phone not in known:
        near = get_close_matches(phone, known, n=1)
        raise ValueError(
            f"There is no scenario {phone}{f': is it {near[0]}?' if near else '.'} "
            "Name one that voice-sandbox scenarios lists, or a number that starts with +."
        )
    return known.get(phone, phone)


def _new_call(catalogue: Mapping[str, Any], phone: str, agent: str | None) -> dict[str, str]:
    """The body that places a call to a number or a scenario. Raises: `ValueError`."""
    number = _number(_numbers(catalogue), phone)
    return {"phone": number, "agent": agent or catalogue["default_agent"]}
