"""Sandboxes with one deliberate fault each, which `tests/contract/faults` injects."""

import asyncio
import copy
import json
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any, cast
from unittest import mock

import uvicorn
import yaml
from uuid_utils import UUID

from read_once import load_once
from voice_sandbox import app as app_module
from voice_sandbox.contract.reader import find_contract
from voice_sandbox.http.broken_responses import CONNECTION_EXTENSION
from voice_sandbox.limits import Limits
from voice_sandbox.server.connection import connection_class
from voice_sandbox.store.sqlite import SQLiteStore

START_SECONDS = 10


class _Message:
    """What stands in a request and in a response alike."""

    headers: list[tuple[bytes, bytes]]
    body: bytes

    def values(self, name: str) -> list[bytes]:
        return [value for key, value in self.headers if key == name.encode()]

    def put(self, name: str, value: bytes | None) -> None:
        """Set a header, or remove it."""
        self.headers = [pair for pair in self.headers if pair[0] != name.encode()]
        if value is not None:
            self.headers.append((name.encode(), value))


@dataclass
class FaultyRequest(_Message):
    """A request on its way in."""

    method: str
    path: str
    query: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes
    is_whole: bool = True  # what is declared too long may never come, and is not waited for


@dataclass
class FaultyResponse(_Message):
    """A response on its way out."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes
    ending: str = ""  # how an armed fault ends the connection: "reset" or "close"

    @property
    def json(self) -> Any:
        return json.loads(self.body) if self.body else None

    def put_json(self, value: Any) -> None:
        self.body = json.dumps(value, ensure_ascii=False).encode()


@dataclass
class FaultInjector:
    """What a fault may alter, one thing at a time.

    Most faults stand between client and sandbox, or around a method of the store's protocol: those
    seams are there however the sandbox is built inside.
    """

    stack: ExitStack
    before: list[Callable[[FaultyRequest], FaultyResponse | None]] = field(default_factory=list)
    after: list[Callable[[FaultyRequest, FaultyResponse], None]] = field(default_factory=list)
    contract_path: Path | None = None

    def replace(self, owner: Any, name: str, value: Any) -> None:
        """Put another function, class or constant in the place of one."""
        self.stack.enter_context(mock.patch.object(owner, name, value))

    def wrap(self, owner: Any, name: str, make: Callable[[Any], Any]) -> None:
        """Replace a function by what `make` returns for it."""
        self.replace(owner, name, make(getattr(owner, name)))

    def store(self, method: str, change: Callable[..., Any]) -> None:
        """Stand around a method of the store: `await change(original, *its_arguments)`."""

        def make(original: Any) -> Any:
            async def changed(store: Any, *arguments: Any, **named: Any) -> Any:
                return await change(partial(original, store), *arguments, **named)

            return changed

        self.wrap(SQLiteStore, method, make)

    def read_calls(self, change: Callable[..., Any]) -> None:
        """Stand around every reading of a call: `await change(read, namespace, call_id)`."""
        read_plainly = SQLiteStore.call

        async def call(original: Any, namespace: bytes, call_id: UUID) -> Any:
            return await change(original, namespace, call_id)

        def with_clock(original: Any) -> Any:
            async def changed(store: Any, namespace: bytes, call_id: UUID) -> Any:
                found = await original(store, namespace, call_id)
                read = partial(read_plainly, store)
                return found and (found[0], await change(read, namespace, call_id))

            return changed

        self.store("call", call)
        self.wrap(SQLiteStore, "call_with_clock", with_clock)

    def contract(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Let the sandbox keep another contract than everybody else reads."""
        document = copy.deepcopy(plain_contract())
        change(document)
        folder = self.stack.enter_context(tempfile.TemporaryDirectory())
        self.contract_path = Path(folder) / "openapi.yaml"
        self.contract_path.write_text(json.dumps(document), "utf-8")

    def on_request(self, change: Callable[[FaultyRequest], FaultyResponse | None]) -> None:
        """Alter each request before the sandbox sees it, or answer it in its place."""
        self.before.append(change)

    def on_response(self, change: Callable[[FaultyRequest, FaultyResponse], None]) -> None:
        """Alter each response before the client sees it."""
        self.after.append(change)


@cache
def plain_contract() -> dict[str, Any]:
    """The contract as plain data."""
    document: dict[str, Any] = yaml.safe_load(find_contract().read_text("utf-8"))
    return document


@contextmanager
def faulty_sandbox(alter: Callable[[FaultInjector], None]) -> Iterator[str]:
    """A sandbox in a thread, with the fault in it until the block ends; yields its origin."""
    with ExitStack() as stack:
        injector = FaultInjector(stack)
        injector.replace(app_module, "load_contract", load_once)
        alter(injector)
        app: Any = app_module.create_app(contract_path=injector.contract_path)
        if injector.before or injector.after:
            app = _altered(app, injector)
        with _served(app) as origin:
            yield origin


@contextmanager
def _served(app: Any) -> Iterator[str]:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(128)
    config = uvicorn.Config(
        app,
        http=connection_class(Limits(), cors_origins=frozenset()),
        lifespan="on",
        log_level="critical",
        access_log=False,
        proxy_headers=False,
    )
    server = _Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        assert server.up.wait(START_SECONDS), "the faulty sandbox does not come up"
        assert server.started, "the faulty sandbox does not start"
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.stop()
        thread.join(START_SECONDS)
        listener.close()


class _Server(uvicorn.Server):
    """Starts and stops without the tenths of a second that uvicorn takes to look around."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = threading.Event()

    def stop(self) -> None:
        self.should_exit = self.force_exit = True
        self._loop.call_soon_threadsafe(self._stopped.set)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop, self._stopped = asyncio.get_running_loop(), asyncio.Event()
        try:
            await super().startup(sockets)
        finally:
            self.up.set()

    async def main_loop(self) -> None:
        await self._stopped.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()


@cache
def _max_body_bytes(path: str) -> int:
    """How large a body may be on a path, or anywhere where the contract does not know it."""
    paths = plain_contract()["paths"]
    limits = {
        each: operation["requestBody"]["x-max-body-bytes"]
        for each, methods in paths.items()
        for operation in methods.values()
        if "requestBody" in operation
    }
    return cast(int, limits.get(path, max(limits.values())))


def _altered(app: Any, injector: FaultInjector) -> Any:
    """An ASGI application that lets a fault injector alter requests and responses."""

    async def altered(scope: Any, receive: Any, send: Any) -> None:
        # A stream has no end for which an alteration could wait.
        if scope["type"] != "http" or scope["path"].endswith("/stream"):
            await app(scope, receive, send)
            return
        request = FaultyRequest(
            scope["method"], scope["path"], scope["query_string"], list(scope["headers"]), b""
        )
        declared = int((request.values("content-length") or [b"0"])[0])
        request.is_whole = declared <= _max_body_bytes(request.path)
        if request.is_whole:
            request.body = await _read(receive)
        response = None
        for change in injector.before:
            response = response or change(request)
        if response is None:
            response = await _passed_on(app, scope, request, None if request.is_whole else receive)
        for alter in injector.after:
            alter(request, response)
        is_whole = not response.ending
        if is_whole and response.values("content-length") and request.method != "HEAD":
            response.put("content-length", str(len(response.body)).encode())
        if response.status:
            start = {"status": response.status, "headers": response.headers}
            await send({"type": "http.response.start", **start})
            body = {"body": response.body, "more_body": not is_whole}
            await send({"type": "http.response.body", **body})
        if not is_whole:
            scope["extensions"][CONNECTION_EXTENSION][response.ending]()

    return altered


async def _read(receive: Any) -> bytes:
    body = b""
    while True:
        message = await receive()
        part: bytes = message.get("body", b"")
        body += part
        if not message.get("more_body", False):
            return body


async def _passed_on(app: Any, scope: Any, request: FaultyRequest, unread: Any) -> FaultyResponse:
    response = FaultyResponse(0, [], b"")
    given = False

    async def receive() -> dict[str, Any]:
        nonlocal given
        if given:
            await asyncio.Event().wait()
        given = True
        return {"type": "http.request", "body": request.body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            response.status, response.headers = message["status"], list(message["headers"])
        else:
            response.body += message.get("body", b"")

    def end(how: str) -> None:
        response.ending = how

    # What a fault does to a connection waits until the response was altered.
    ways = {how: partial(end, how) for how in ("reset", "close")}
    is_sent = request.path == scope["path"]
    changed = {
        "method": request.method,
        "path": request.path,
        "raw_path": scope["raw_path"] if is_sent else request.path.encode(),
        "query_string": request.query,
        "headers": request.headers,
        "extensions": {**scope.get("extensions", {}), CONNECTION_EXTENSION: ways},
    }
    await app({**scope, **changed}, unread or receive, send)
    return response
