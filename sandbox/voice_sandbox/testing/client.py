"""A client of a running sandbox: the contract's operations by httpx, the control API by methods.

The command line and the pytest plugin stand on it. Nothing the server needs imports it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from types import TracebackType
from typing import Any, Final, Self

import httpx
import orjson

TIMEOUT_SECONDS: Final = 30.0


class SandboxError(Exception):
    """The sandbox refused, or nobody answered; the message says what to do.

    ``code`` is the problem's code, ``None`` where no sandbox answered.
    """

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.code = code


class SandboxClient:
    """One key of one sandbox. Methods raise `SandboxError` for every refusal."""

    def __init__(
        self,
        url: str,
        key: str,
        *,
        transport: httpx.BaseTransport | None = None,
        catalogue: Mapping[str, Any] | None = None,
    ) -> None:
        """``catalogue`` is what a sandbox at this address told already; then it is not asked."""
        self.url = url
        self.key = key
        self._catalogue = catalogue
        self.client = httpx.Client(
            base_url=url, headers=signed(key), timeout=TIMEOUT_SECONDS, transport=transport
        )
        """For the contract's own operations, signed with the key."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self.client.close()

    def identify(self) -> dict[str, Any]:
        """What the deployment says it is. Raises: `SandboxError` where it is no sandbox."""
        try:
            return identity(self.client.get("/sandbox"), self.url)
        except httpx.TransportError as error:
            raise unreachable(self.url, error) from error

    def call(self, phone: str, agent: str | None = None) -> str:
        """Places a call to a number, or to the number of a scenario; returns its ``call_id``.

        Without an agent the first one speaks. Asks first whether this is a sandbox: nothing here
        may ring a phone. Raises: `SandboxError`, `ValueError` where no scenario has that name.
        """
        body = new_call(self.catalogue(), phone, agent)
        call_id: str = self._json("POST", "/v1/calls", json=body)["call_id"]
        return call_id

    def status(self, call_id: str) -> dict[str, Any]:
        """The call as the contract's ``getCall`` answers it."""
        return self._json("GET", f"/v1/calls/{call_id}")

    def inspect(self, call_id: str) -> dict[str, Any]:
        """The provider's side of a call."""
        return self._json("GET", f"/sandbox/calls/{call_id}")

    def clock(self) -> dict[str, Any]:
        """What the virtual clock shows."""
        return self._json("GET", "/sandbox/clock")

    def advance(self, seconds: float) -> dict[str, Any]:
        """Moves the virtual clock; everything due by then has happened on return."""
        return self._json("POST", "/sandbox/clock", json={"advance_seconds": seconds})

    def until_idle(self) -> dict[str, Any]:
        """Moves the virtual clock until no completion is pending."""
        return self._json("POST", "/sandbox/clock", json={"until": "idle"})

    def end(
        self,
        call_id: str,
        status: str = "completed",
        transcript: str | None = None,
        duration: int = 0,
    ) -> dict[str, Any]:
        """Has the provider end a call now, with its own word for the outcome."""
        ending = {"status": status, "transcript": transcript, "duration": duration}
        return self._json("POST", f"/sandbox/calls/{call_id}/end", json=ending)

    def scenarios(self) -> dict[str, str]:
        """The number of each scenario by its name."""
        return numbers(self.catalogue())

    def catalogue(self) -> Mapping[str, Any]:
        """The scenarios as the control API lists them; asked for once."""
        if self._catalogue is None:
            self.identify()
            self._catalogue = self._json("GET", "/sandbox/scenarios")
        return self._catalogue

    def journal(self, **search: str) -> list[dict[str, Any]]:
        """The exchanges that match, the newest first; see ``searchJournal`` for what to search."""
        found = self._json("GET", "/sandbox/journal", params=search)
        exchanges: list[dict[str, Any]] = found["exchanges"]
        return exchanges

    def exchange(self, request_id: str) -> dict[str, Any]:
        """One exchange with headers and bodies, as curl and as a pytest test."""
        return self._json("GET", f"/sandbox/exchanges/{request_id}")

    def follow(self, *, after: str | None = None, **search: str) -> Iterator[dict[str, Any]]:
        """The exchanges as they end, from now on or from the `seq` ``after`` on.

        Ends when the caller stops or the sandbox does. See ``streamJournal`` for what to search.
        """
        try:
            with self.client.stream(
                "GET",
                "/sandbox/journal/stream",
                params=search,
                headers={} if after is None else {"Last-Event-ID": after},
                timeout=httpx.Timeout(TIMEOUT_SECONDS, read=None),
            ) as response:
                if response.status_code != 200:
                    response.read()
                    raise refused(response)
                for line in response.iter_lines():
                    if line.startswith('data: {"'):
                        yield orjson.loads(line.removeprefix("data: "))
        except httpx.TransportError as error:
            raise unreachable(self.url, error) from error

    def coverage(self) -> dict[str, Any]:
        """What the requests of the key have met of the contract and the catalogue."""
        return self._json("GET", "/sandbox/coverage")

    def reset(self) -> None:
        """Empties the namespace."""
        self._send("DELETE", "/sandbox/state")

    def _json(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        body: dict[str, Any] = self._send(method, path, **request).json()
        return body

    def _send(
        self, method: str, path: str, *, json: Any = None, params: Mapping[str, str] | None = None
    ) -> httpx.Response:
        try:
            response = self.client.request(method, path, json=json, params=params)
        except httpx.TransportError as error:
            raise unreachable(self.url, error) from error
        if response.status_code >= 400:
            raise refused(response)
        return response


# What `voice_sandbox.testing.async_client` shares


def signed(key: str) -> dict[str, str]:
    """The headers of every request."""
    return {"Authorization": f"Bearer {key}"}


def identity(response: httpx.Response, url: str) -> dict[str, Any]:
    """What ``describeSandbox`` was answered with. Raises: `SandboxError` where it is no sandbox."""
    try:
        said = response.json() if response.status_code == 200 else None
    except ValueError:
        said = None
    if not isinstance(said, dict) or said.get("sandbox") is not True:
        raise SandboxError(
            f"{url} does not say that it is a sandbox, so nothing more was sent there. "
            "A live service rings real phones. Start a sandbox with voice-sandbox serve."
        )
    return said


def numbers(catalogue: Mapping[str, Any]) -> dict[str, str]:
    """The number of each scenario by its name."""
    return {scenario["name"]: scenario["number"] for scenario in catalogue["scenarios"]}


def new_call(catalogue: Mapping[str, Any], phone: str, agent: str | None) -> dict[str, str]:
    """The body that places a call to a number or a scenario. Raises: `ValueError`."""
    known = numbers(catalogue)
    if not phone.startswith("+") and phone not in known:
        near = get_close_matches(phone, known, n=1)
        raise ValueError(
            f"There is no scenario {phone}{f': is it {near[0]}?' if near else '.'} "
            "Name one that voice-sandbox scenarios lists, or a number that starts with +."
        )
    return {"phone": known.get(phone, phone), "agent": agent or catalogue["default_agent"]}


def unreachable(url: str, error: httpx.TransportError) -> SandboxError:
    """Nobody answered."""
    return SandboxError(
        f"No sandbox answers at {url} ({error!r}). "
        "Start one with voice-sandbox serve, or name another by --url."
    )


def refused(response: httpx.Response) -> SandboxError:
    """The problem that a request was answered with."""
    try:
        problem = response.json()
        kind = f"{problem['title']} ({response.status_code} {problem['code']})"
        lines = [f"{kind}: {problem['detail']}"]
        lines += [f"  {e['pointer']}: {e['detail']}" for e in problem.get("errors", ())]
        return SandboxError("\n".join(lines), code=problem["code"])
    except (ValueError, KeyError, TypeError):
        return SandboxError(
            f"{response.url} answered {response.status_code}, which is no answer of a sandbox."
        )
