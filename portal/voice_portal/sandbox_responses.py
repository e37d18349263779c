"""Asks the sandbox inside this process for the responses that cards show, without a network.

The wall clock stands still and every card has a key of its own, so that what is recorded depends
on the contract and the sandbox alone. Names that differ from run to run become the examples of
the contract.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx2

from voice_portal.card_request import CardRequest
from voice_portal.fence_options import FenceError
from voice_portal.links import LinkedValue, evaluate
from voice_sandbox import create_app
from voice_sandbox.calls.scenarios import ScenarioError
from voice_sandbox.contract.model import ContractError

STANDS_AT: Final = 1795512600.0
"""The wall clock of every recording: 2026-11-24T09:30:00Z."""
_SHOWN_HEADERS: Final = ("location", "allow", "retry-after", "www-authenticate", "x-request-id")
_FAULT_ID: Final = re.compile(r"fault_[0-9a-f]{32}")
_REQUEST_ID: Final = re.compile(r"req_[0-9a-f]{32}")
_CALL_ID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class RecordedResponse:
    """What the sandbox sent: ``body`` is JSON, or ``None`` where there is none."""

    status: int
    headers: dict[str, str]
    body: Any

    @property
    def shown_headers(self) -> dict[str, str]:
        """The headers that a reader needs, in the order in which cards list them."""
        return {name: self.headers[name] for name in _SHOWN_HEADERS if name in self.headers}


class SandboxResponses:
    """One sandbox in memory, started with the first card; ``close`` it, and it can start again."""

    def __init__(self, contract: Path, *, call_id: str, request_id: str, fault_id: str) -> None:
        self._contract = contract
        self._examples = {_CALL_ID: call_id, _REQUEST_ID: request_id, _FAULT_ID: fault_id}
        self._running: _Running | None = None
        self._keys = 0
        self.cards: dict[str, set[str]] = {}
        """The cards of each page that were recorded, such as ``{"calls.md": {"try-getcall"}}``."""

    def close(self) -> None:
        """Ends the sandbox, if one was started."""
        if self._running is not None:
            self._running.runner.run(self._running.stack.aclose())
            self._running.runner.close()
            self._running = None

    def record(self, requests: Sequence[CardRequest]) -> list[RecordedResponse]:
        """The responses to the requests of one card, sent with one fresh key.

        Raises: `FenceError` where the sandbox does not start.
        """
        if self._running is None:
            self._running = _start(self._contract)
        self._keys += 1
        key = f"sandbox_recording_{self._keys}"
        return self._running.runner.run(self._record(self._running.client, requests, key))

    async def _record(
        self, client: httpx2.AsyncClient, requests: Sequence[CardRequest], key: str
    ) -> list[RecordedResponse]:
        responses: list[httpx2.Response] = []

        def value_of(linked: LinkedValue) -> Any:
            return evaluate(linked.expression, responses[linked.request].json())

        for request in requests:
            responses.append(await _send(client, request.filled(value_of), key))
            if responses[-1].is_error:
                break  # what comes after it has nothing to stand on
        return [self._lasting(response) for response in responses]

    def _lasting(self, response: httpx2.Response) -> RecordedResponse:
        text = self._with_examples(response.text)
        return RecordedResponse(
            status=response.status_code,
            headers={n.lower(): self._with_examples(v) for n, v in response.headers.items()},
            body=json.loads(text) if text else None,
        )

    def _with_examples(self, text: str) -> str:
        """The text with the contract's examples in the place of names generated in this run."""
        for pattern, example in self._examples.items():
            text = pattern.sub(example, text)
        return text


async def _send(client: httpx2.AsyncClient, request: CardRequest, key: str) -> httpx2.Response:
    text = request.text
    token = key if request.token is None else request.token
    return await client.request(
        request.method,
        request.target,
        content=None if text is None else text.rjust(request.pad_to).encode(),
        headers={
            **({"Authorization": f"Bearer {token}"} if token else {}),
            **({} if text is None else {"Content-Type": str(request.media_type)}),
            **request.headers,
        },
    )


@dataclass(frozen=True, slots=True)
class _Running:
    client: httpx2.AsyncClient
    runner: asyncio.Runner
    stack: AsyncExitStack


def _start(contract: Path) -> _Running:
    runner, stack = asyncio.Runner(), AsyncExitStack()
    try:
        client = runner.run(stack.enter_async_context(_client_of_a_sandbox(contract)))
    except (ContractError, ScenarioError) as error:
        runner.close()
        raise FenceError(f"The sandbox does not start: {error}") from None
    return _Running(client, runner, stack)


@asynccontextmanager
async def _client_of_a_sandbox(contract: Path) -> AsyncIterator[httpx2.AsyncClient]:
    app = create_app(contract_path=contract, wall=lambda: STANDS_AT)
    transport = httpx2.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url="http://sandbox.invalid") as client,
    ):
        yield client
