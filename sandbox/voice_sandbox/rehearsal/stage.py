"""The stage of a rehearsal: a sandbox in this process, and what each act finds prepared in it.

Each act has a key of its own, so that acts that run at the same time do not meet.
"""

from __future__ import annotations

import secrets
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from voice_sandbox.calls.scenarios import load_scenarios
from voice_sandbox.contract.catalogue import read_catalogue
from voice_sandbox.contract.problems import MEDIA_TYPE
from voice_sandbox.contract.reader import find_contract, load_contract
from voice_sandbox.http.authentication import namespace_of
from voice_sandbox.http.exchange import Exchange
from voice_sandbox.rehearsal.acts import Act
from voice_sandbox.rehearsal.evidence import RehearsedRequest, rehearsed_request
from voice_sandbox.testing.client import SandboxClient, local_client
from voice_sandbox.testing.local_server import local_sandbox

_CONTROL: Final = "/sandbox"
_OTHER_TITLE: Final = "This did not work out"
_OTHER_DETAIL: Final = "Words for people change, and this is how they read today."
_RENAMED: Final = "_two"


class RehearsalStage:
    """A running sandbox that keeps what each key has sent."""

    def __init__(self, url: str, contract_path: Path, sent: Mapping[bytes, list[Exchange]]) -> None:
        self.url = url
        contract = load_contract(contract_path)
        catalogue = read_catalogue(contract)
        self.agents = [agent.key for agent in catalogue.agents]
        self._numbers = [each.number for each in load_scenarios(catalogue)]
        self._public = frozenset(self._numbers)
        self._sent = sent

    def client(self, token: str) -> SandboxClient:
        """A client of a key, for this machine alone."""
        return local_client(self.url, token)

    def prepare(self, client: SandboxClient, act: Act) -> None:
        """Binds all numbers, arms the faults and sets the clock. Raises: `SandboxError`."""
        for phone in ("default", *self._numbers):
            if act.scenario is not None:
                client.number(phone, act.scenario)
            else:
                client.number(phone, **dict(act.outcome or {}))
        for each in act.faults:
            told = {name: value for name, value in each.fault.items() if name != "kind"}
            client.fail(
                each.operation, each.fault["kind"], times=each.times, skip=each.skip, **told
            )
        client.clock_mode(act.clock)

    def sent(self, token: str, *, began_at: float) -> list[RehearsedRequest]:
        """What a key has sent of the service's operations since an instant of the wall clock."""
        exchanges = sorted(self._since(token, began_at), key=lambda each: each.started_at)
        return [
            rehearsed_request(each, began_at=began_at, token=token, public=self._public)
            for each in exchanges
        ]

    def count(self, token: str, *, began_at: float) -> int:
        """How many requests `sent` would return, for next to nothing."""
        return len(self._since(token, began_at))

    def _since(self, token: str, began_at: float) -> list[Exchange]:
        return [
            each
            for each in list(self._sent[namespace_of(token)])
            if each.started_at >= began_at and not each.path.startswith(_CONTROL)
        ]


def new_key() -> str:
    return f"sandbox_rehearsal_{secrets.token_hex(12)}"


@contextmanager
def stage(variation: str | None = None) -> Iterator[RehearsalStage]:
    """Runs a sandbox on a free port of this machine, with a variation of an act or without."""
    sent: dict[bytes, list[Exchange]] = defaultdict(list)

    def observe(exchange: Exchange) -> None:
        if exchange.namespace and not exchange.by_provider:
            sent[exchange.namespace].append(exchange)

    with tempfile.TemporaryDirectory() as folder:
        contract_path = find_contract()
        if variation == "agents":
            contract_path = _with_other_agents(contract_path, Path(folder))
        with local_sandbox(
            observe=observe,
            contract_path=contract_path,
            wrap=_OtherWords if variation == "words" else None,
        ) as url:
            yield RehearsalStage(url, contract_path, sent)


def _with_other_agents(contract_path: Path, folder: Path) -> Path:
    """A copy of the contract in which each agent has another key."""
    text = contract_path.read_text("utf-8")
    for agent in read_catalogue(load_contract(contract_path)).agents:
        text = text.replace(agent.key, agent.key + _RENAMED)
    copy = folder / contract_path.name
    copy.write_text(text, "utf-8")
    return copy


class _OtherWords:
    """ASGI middleware: problems in other words."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(_CONTROL):
            await self._app(scope, receive, send)
            return
        start: Message | None = None

        async def reworded(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and _is_problem(message):
                start = message
                return
            if start is not None and message["type"] == "http.response.body":
                problem = orjson.loads(message["body"])
                problem |= {"title": _OTHER_TITLE, "detail": _OTHER_DETAIL}
                body = orjson.dumps(problem)
                headers = [
                    (name, b"%d" % len(body) if name == b"content-length" else value)
                    for name, value in start["headers"]
                ]
                await send({**start, "headers": headers})
                start = None
                message = {**message, "body": body}
            await send(message)

        await self._app(scope, receive, reworded)


def _is_problem(message: Message) -> bool:
    return any(
        name == b"content-type" and value.startswith(MEDIA_TYPE.encode())
        for name, value in message["headers"]
    )
