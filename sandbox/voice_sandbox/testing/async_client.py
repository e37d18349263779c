"""`voice_sandbox.testing.client.SandboxClient` for async code: the same methods, to be awaited.

The in-process variant of the pytest plugin stands on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import httpx

from voice_sandbox.testing import client
from voice_sandbox.testing.client import TIMEOUT_SECONDS


class AsyncSandboxClient:
    """One key of one sandbox. Methods raise `SandboxError` for every problem."""

    def __init__(
        self, url: str, key: str, *, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self.url = url
        self.key = key
        self._catalogue: Mapping[str, Any] | None = None
        self.client = httpx.AsyncClient(
            base_url=url, headers=client.signed(key), timeout=TIMEOUT_SECONDS, transport=transport
        )
        """For the contract's own operations, signed with the key."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.client.aclose()

    async def identify(self) -> dict[str, Any]:
        """What the deployment says it is. Raises: `SandboxError` where it is no sandbox."""
        try:
            return client.identity(await self.client.get("/sandbox"), self.url)
        except httpx.TransportError as error:
            raise client.unreachable(self.url, error) from error

    async def call(self, phone: str, agent: str | None = None) -> str:
        """Places a call to a number, or to the number of a scenario; returns its ``call_id``."""
        body = client.new_call(await self.catalogue(), phone, agent)
        call_id: str = (await self._json("POST", "/v1/calls", json=body))["call_id"]
        return call_id

    async def status(self, call_id: str) -> dict[str, Any]:
        """The call as the contract's ``getCall`` answers it."""
        return await self._json("GET", f"/v1/calls/{call_id}")

    async def inspect(self, call_id: str) -> dict[str, Any]:
        """The provider's side of a call."""
        return await self._json("GET", f"/sandbox/calls/{call_id}")

    async def clock(self) -> dict[str, Any]:
        """What the virtual clock shows."""
        return await self._json("GET", "/sandbox/clock")

    async def advance(self, seconds: float) -> dict[str, Any]:
        """Moves the virtual clock; everything due by then has happened on return."""
        return await self._json("POST", "/sandbox/clock", json={"advance_seconds": seconds})

    async def until_idle(self) -> dict[str, Any]:
        """Moves the virtual clock until no completion is pending."""
        return await self._json("POST", "/sandbox/clock", json={"until": "idle"})

    async def end(
        self,
        call_id: str,
        status: str = "completed",
        transcript: str | None = None,
        duration: int = 0,
    ) -> dict[str, Any]:
        """Has the provider end a call now, with its own word for the outcome."""
        ending = {"status": status, "transcript": transcript, "duration": duration}
        return await self._json("POST", f"/sandbox/calls/{call_id}/end", json=ending)

    async def scenarios(self) -> dict[str, str]:
        """The number of each scenario by its name."""
        return client.numbers(await self.catalogue())

    async def catalogue(self) -> Mapping[str, Any]:
        """The scenarios as the control API lists them; asked for once."""
        if self._catalogue is None:
            await self.identify()
            self._catalogue = await self._json("GET", "/sandbox/scenarios")
        return self._catalogue

    async def journal(self, **search: str) -> list[dict[str, Any]]:
        """The exchanges that match, the newest first; see ``searchJournal`` for what to search."""
        found = await self._json("GET", "/sandbox/journal", params=search)
        exchanges: list[dict[str, Any]] = found["exchanges"]
        return exchanges

    async def exchange(self, request_id: str) -> dict[str, Any]:
        """One exchange with headers and bodies, as curl and as a pytest test."""
        return await self._json("GET", f"/sandbox/exchanges/{request_id}")

    async def coverage(self) -> dict[str, Any]:
        """What the requests of the key have met of the contract and the catalogue."""
        return await self._json("GET", "/sandbox/coverage")

    async def reset(self) -> None:
        """Empties the namespace."""
        await self._send("DELETE", "/sandbox/state")

    async def _json(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        body: dict[str, Any] = (await self._send(method, path, **request)).json()
        return body

    async def _send(self, method: str, path: str, **request: Any) -> httpx.Response:
        try:
            response = await self.client.request(method, path, **request)
        except httpx.TransportError as error:
            raise client.unreachable(self.url, error) from error
        if response.status_code >= 400:
            raise client.refused(response)
        return response
