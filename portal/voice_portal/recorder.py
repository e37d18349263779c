"""Asks the sandbox inside this process for the answer of each card, without a network.

The wall clock stands still and every card has a key of its own, so that what is recorded depends
on the contract and the sandbox alone. Names that differ from run to run become the examples of
the contract.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from voice_portal.step import Step
from voice_sandbox.app import App

STANDS_AT: Final = 1795512600.0
"""The wall clock of every recording: 2026-11-24T09:30:00Z."""
_SHOWN_HEADERS: Final = ("location", "allow", "retry-after", "www-authenticate", "x-request-id")
_REQUEST_ID: Final = re.compile(r"req_[0-9a-f]{32}")
_CALL_ID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the sandbox answered: ``body`` is JSON, or ``None`` where there is none."""

    status: int
    headers: dict[str, str]
    body: Any


class Recorder:
    """One sandbox in memory, started with the first card; ``close`` it, and it can start again."""

    def __init__(self, contract: Path, *, call_id: str, request_id: str) -> None:
        self._contract = contract
        self._examples = {_CALL_ID: call_id, _REQUEST_ID: request_id}
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

    def record(self, steps: Sequence[Step]) -> list[Recorded]:
        """The answers to the steps of one card, sent with one fresh key."""
        if self._running is None:
            self._running = _start(self._contract)
        self._keys += 1
        key = f"sandbox_recording_{self._keys}"
        return self._running.runner.run(self._record(self._running.app, steps, key))

    async def _record(self, app: App, steps: Sequence[Step], key: str) -> list[Recorded]:
        return [await self._answer(app, step, key) for step in steps]

    async def _answer(self, app: App, step: Step, key: str) -> Recorded:
        text = step.text
        body = b"" if text is None else text.rjust(step.pad_to).encode()
        token = key if step.token is None else step.token
        headers = {
            **({"authorization": f"Bearer {token}"} if token else {}),
            **({} if text is None else {"content-type": str(step.media_type)}),
            "content-length": str(len(body)),
            **{name.lower(): value for name, value in step.headers.items()},
        }
        path, _, query = step.target.partition("?")
        sent: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        await app(
            {
                "type": "http",
                "asgi": {"version": "3.0"},
                "http_version": "1.1",
                "method": step.method,
                "scheme": "http",
                "path": path,
                "raw_path": path.encode(),
                "query_string": query.encode(),
                "root_path": "",
                "headers": [(n.encode(), v.encode("latin-1")) for n, v in headers.items()],
                "client": None,
                "server": None,
            },
            receive,
            send,
        )
        start, *parts = sent
        content = b"".join(part.get("body", b"") for part in parts).decode()
        answered = {n.decode().lower(): v.decode("latin-1") for n, v in start["headers"]}
        return Recorded(
            status=start["status"],
            headers={
                name: self._lasting(answered[name]) for name in _SHOWN_HEADERS if name in answered
            },
            body=json.loads(self._lasting(content)) if content else None,
        )

    def _lasting(self, text: str) -> str:
        """The text with the contract's examples in the place of names made up in this run."""
        for pattern, example in self._examples.items():
            text = pattern.sub(example, text)
        return text


@dataclass(frozen=True, slots=True)
class _Running:
    app: App
    runner: asyncio.Runner
    stack: AsyncExitStack


def _start(contract: Path) -> _Running:
    running = _Running(
        App(contract_path=contract, wall=lambda: STANDS_AT), asyncio.Runner(), AsyncExitStack()
    )
    running.runner.run(running.stack.enter_async_context(running.app.running()))
    return running
