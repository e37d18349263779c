"""The whole sandbox inside the test's own process: real databases, and a wall that tests move."""

import json
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

import anyio
import httpx2
import pytest
import yaml
from hypothesis import settings
from starlette.applications import Starlette

import postgres_server
from postgres_server import PostgresServer
from read_once import contracts, load_once
from voice_sandbox import create_app
from voice_sandbox.app import Runtime, runtime_of
from voice_sandbox.calls.scenarios import Scenarios, load_scenarios
from voice_sandbox.contract.catalogue import Catalogue, read_catalogue
from voice_sandbox.contract.model import Contract, Operation
from voice_sandbox.contract.problems import undocumented
from voice_sandbox.contract.reader import find_contract
from voice_sandbox.contract.validation import Validator
from voice_sandbox.http.exchange import Exchange

# How long an example takes says more of the machine than of the code.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

START = 1_795_512_600.0  # 2026-11-24T09:30:00Z
KEY = "sandbox_test"


class FakeWall:
    """The wall clock of a test: it stands still until the test advances it."""

    def __init__(self, now: float = START) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


class RawResponse(NamedTuple):
    """A response as the ASGI server gets it."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes

    def header(self, name: str) -> str | None:
        values = [value for key, value in self.headers if key == name.encode()]
        assert len(values) <= 1, f"{name} stands {len(values)} times"
        return values[0].decode("latin-1") if values else None

    def json(self) -> Any:
        return json.loads(self.body)


class Sandbox:
    """A running application with a client, a wall and all exchanges that it has observed."""

    def __init__(self, app: Starlette, wall: FakeWall, client: httpx2.AsyncClient) -> None:
        self.app = app
        self.wall = wall
        self.client = client
        self.exchanges: list[Exchange] = []

    @property
    def runtime(self) -> Runtime:
        """What runs behind the application."""
        return runtime_of(self.app)

    async def create(self, phone: str, **headers: str) -> str:
        """The `call_id` of a new call."""
        agent = CATALOGUE.agents[0].key
        response = await self.client.post(
            "/v1/calls", json={"phone": phone, "agent": agent}, headers=headers
        )
        assert response.status_code == 201, response.text
        call_id: str = response.json()["call_id"]
        return call_id

    async def read(self, call_id: str) -> dict[str, Any]:
        response = await self.client.get(f"/v1/calls/{call_id}")
        assert response.status_code == 200, response.text
        found: dict[str, Any] = response.json()
        return found

    async def inspect(self, call_id: str) -> dict[str, Any]:
        response = await self.client.get(f"/sandbox/calls/{call_id}")
        assert response.status_code == 200, response.text
        found: dict[str, Any] = response.json()
        return found

    async def advance(self, seconds: float) -> dict[str, Any]:
        response = await self.client.post("/sandbox/clock", json={"advance_seconds": seconds})
        assert response.status_code == 200, response.text
        found: dict[str, Any] = response.json()
        return found

    async def complete(self, **changes: Any) -> httpx2.Response:
        """Posts the contract's own completion, with changes."""
        return await self.client.post("/v1/webhooks/call-completed", json=completion(**changes))

    async def raw(
        self,
        method: str,
        path: str,
        *,
        headers: Iterable[tuple[bytes, bytes]] = (),
        chunks: Iterable[bytes] = (b"",),
        disconnect: bool = False,
        encoded: bool = False,
    ) -> RawResponse:
        """One request as bytes on the ASGI level, where a client library forbids nothing."""
        return await raw_request(
            self.app,
            method,
            path,
            headers=headers,
            chunks=chunks,
            disconnect=disconnect,
            encoded=encoded,
        )


async def raw_request(
    app: Any,
    method: str,
    path: str,
    *,
    headers: Iterable[tuple[bytes, bytes]] = (),
    chunks: Iterable[bytes] = (b"",),
    disconnect: bool = False,
    encoded: bool = False,
) -> RawResponse:
    """Runs one HTTP exchange against any ASGI application; the path is decoded or `encoded`."""
    waiting = list(chunks)
    sent: list[Any] = []

    async def receive() -> Any:
        if waiting:
            chunk = waiting.pop(0)
            return {
                "type": "http.request",
                "body": chunk,
                "more_body": bool(waiting) or disconnect,
            }
        if not disconnect:
            await anyio.sleep_forever()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path) if encoded else path,
        "raw_path": path.encode("utf-8", "surrogateescape"),
        "query_string": b"",
        "root_path": "",
        "headers": list(headers),
        "client": None,
        "server": None,
    }
    await app(scope, receive, send)
    start, *bodies = sent
    body = b"".join(message.get("body", b"") for message in bodies)
    return RawResponse(start["status"], list(start["headers"]), body)


CONTRACT, CONTROL = contracts()
CATALOGUE: Catalogue = read_catalogue(CONTRACT)
SCENARIOS: Scenarios = load_scenarios(CATALOGUE)


def new_call() -> dict[str, Any]:
    """The contract's first request, such as `{"phone": "+1…", "agent": "…"}`."""
    return dict(first_example("createCall"))


def completion(**changes: Any) -> dict[str, Any]:
    """The contract's first completion, with changes."""
    return {**first_example("callCompleted"), **changes}


def first_example(operation_id: str) -> Any:
    body = CONTRACT.operations[operation_id].body
    assert body is not None
    return next(iter(body.examples.values())).value


def operation_at(contract: Contract, method: str, path: str) -> Operation:
    """The operation that answers a request, found without the sandbox's own routes."""
    wanted = path.split("?")[0].split("/")
    for operation in contract.operations.values():
        parts = operation.path.split("/")
        if operation.method == method and len(parts) == len(wanted):
            pairs = zip(parts, wanted, strict=True)
            if all(part == word or part.startswith("{") for part, word in pairs):
                return operation
    raise AssertionError(f"{contract.path.name} has no {method} {path}")


def assert_conforms(contract: Contract, response: httpx2.Response) -> None:
    """The response is one that the contract documents: status, headers, media type and schema."""
    operation = operation_at(contract, response.request.method, response.request.url.path)
    assert response.status_code in operation.responses, f"{response.status_code} is not documented"
    documented = operation.responses[response.status_code]
    for name, header in documented.headers.items():
        value = response.headers.get(name)
        assert value is not None or not header.required, f"{name} is missing"
        assert value is None or Validator(contract, header.schema).is_valid(value), (name, value)
    assert response.headers.get("content-type") == documented.media_type
    if documented.schema is None:
        assert response.content == b""
    else:
        assert Validator(contract, documented.schema).errors(response.json()) == []
        assert undocumented(documented, response.json()) == []


@pytest.fixture(autouse=True, scope="session")
def contracts_read_once() -> Iterator[None]:
    """Contracts are frozen, so the hundreds of applications of a run share one reading of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("voice_sandbox.app.load_contract", load_once)
        yield


@pytest.fixture
def contract() -> Contract:
    return CONTRACT


@pytest.fixture
def control_contract() -> Contract:
    return CONTROL


@pytest.fixture
def catalogue() -> Catalogue:
    return CATALOGUE


@pytest.fixture
def scenarios() -> Scenarios:
    return SCENARIOS


@pytest.fixture
def wall() -> FakeWall:
    return FakeWall()


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One PostgreSQL for the whole run; each test has a schema of its own."""
    if postgres_server.programs() is None:
        pytest.skip(postgres_server.HOW_TO_GET_IT)
    with postgres_server.postgres_server() as server:
        yield server


@pytest.fixture(scope="session")
def shaky(postgres: PostgresServer) -> Iterator[PostgresServer]:
    """Another one, which a test may stop or freeze, as long as it starts it again."""
    with postgres_server.postgres_server() as server:
        yield server


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A room that names `ON_ENGINES` runs each test that has a database once on each of them."""
    engines = getattr(metafunc.module, "ON_ENGINES", None)
    own = [mark.args[0] for mark in metafunc.definition.iter_markers("parametrize")]
    if engines is not None and "database" in metafunc.fixturenames and "database" not in own:
        metafunc.parametrize("database", engines, indirect=True)


@pytest.fixture
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database: in memory, unless the room names its engines."""
    engine = getattr(request, "param", "sqlite-memory")
    if engine == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres")
        return server.new_schema()
    return {
        "sqlite-memory": "sqlite:///:memory:",
        "sqlite-file": f"sqlite:///{tmp_path}/calls.db",
    }[engine]


@asynccontextmanager
async def running_sandbox(
    database: str, wall: FakeWall, *, key: str = KEY, **options: Any
) -> AsyncIterator[Sandbox]:
    """A sandbox that runs until the block ends."""
    exchanges: list[Exchange] = []
    app = create_app(database=database, wall=wall, observe=exchanges.append, **options)
    async with app.router.lifespan_context(app), client_of(app, key) as client:
        sandbox = Sandbox(app, wall, client)
        sandbox.exchanges = exchanges
        yield sandbox


def client_of(app: Any, key: str | None) -> httpx2.AsyncClient:
    """A client with that key, or without any."""
    return httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=app, raise_app_exceptions=True),
        base_url="http://sandbox.test",
        headers={"Authorization": f"Bearer {key}"} if key else {},
        timeout=20,
    )


@pytest.fixture
async def sandbox(database: str, wall: FakeWall) -> AsyncIterator[Sandbox]:
    """A sandbox on an empty database."""
    async with running_sandbox(database, wall) as running:
        yield running


@pytest.fixture
def changed_contract(tmp_path: Path) -> Any:
    """A function that writes a copy of the contract, after a change, and returns its path."""
    text = find_contract().read_text("utf-8")

    def write(*replacements: tuple[str, str], change: Any = None) -> Path:
        """`replacements` keep the lines where they are; `change` edits the parsed document."""
        path = tmp_path / "openapi.yaml"
        changed = text
        for old, new in replacements:
            assert old in changed, f"the contract no longer says {old!r}"
            changed = changed.replace(old, new, 1)
        if change is not None:
            document = yaml.safe_load(changed)
            change(document)
            changed = yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
        path.write_text(changed, "utf-8")
        return path

    return write
