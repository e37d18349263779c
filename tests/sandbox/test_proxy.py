"""Behind a proxy: what it forwards is believed from named ones alone, and paths stay right."""

from ipaddress import ip_network
from typing import Any

import anyio
import httpx2
import pytest
from starlette.types import Receive, Scope, Send

from voice_sandbox import create_app
from voice_sandbox.http.proxy import Forwarded, Mounted
from voice_sandbox.server.uvicorn_server import layered

from .conftest import CONTRACT, FakeWall, assert_conforms, new_call

pytestmark = pytest.mark.anyio
PROXY, CLIENT, STRANGER = "10.0.0.5", "198.51.100.7", "203.0.113.9"
PROXIES = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


async def seen(layer: Any, **scope: Any) -> Scope:
    """The request as the application behind the layer gets it."""
    found: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        found.append(scope)

    async def send(message: Any) -> None:
        raise AssertionError

    request = {"type": "http", "scheme": "http", "path": "/", "root_path": "", "headers": []}
    await layer(app)({**request, **scope}, anyio.sleep_forever, send)
    return found[0]


async def forwarded(client: str | None, *headers: tuple[str, str]) -> Scope:
    """The request of a client with those headers."""
    return await seen(
        lambda app: Forwarded(app, PROXIES),
        client=client and (client, 1234),
        headers=[(name.encode(), value.encode("latin-1")) for name, value in headers],
    )


HOST = ("host", "127.0.0.1:8010")
TOLD = (
    HOST,
    ("x-forwarded-proto", "https"),
    ("x-forwarded-host", "voice.example.com"),
    ("x-forwarded-for", CLIENT),
)


def origin(scope: Scope) -> str:
    [host] = [value for name, value in scope["headers"] if name == b"host"]
    return f"{scope['scheme']}://{host.decode()}"


@pytest.mark.parametrize("client", [PROXY, "fd00::1"])
async def test_named_proxy_is_believed(client: str) -> None:
    """What a named proxy forwards says where the client sent its request, and who it is."""
    scope = await forwarded(client, *TOLD)
    assert origin(scope) == "https://voice.example.com"
    assert scope["client"][0] == CLIENT


@pytest.mark.parametrize("client", [STRANGER, "::1", "127.0.0.1", "", "unix", None])
async def test_stranger_is_not_believed(client: str | None) -> None:
    """Anybody can write these headers, so from anybody they mean nothing."""
    scope = await forwarded(client, *TOLD)
    assert origin(scope) == "http://127.0.0.1:8010"
    assert scope["client"] == (client and (client, 1234))


async def test_last_proxy_wins() -> None:
    """What a client wrote itself stands before what the proxy appended."""
    scope = await forwarded(
        PROXY,
        HOST,
        ("x-forwarded-proto", "https, http"),
        ("x-forwarded-host", "evil.example, voice.example.com"),
        ("x-forwarded-for", f"{STRANGER}, {CLIENT}, 10.1.1.1"),
    )
    assert origin(scope) == "http://voice.example.com"
    assert scope["client"][0] == CLIENT


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-forwarded-proto", "javascript"),
        ("x-forwarded-proto", ""),
        ("x-forwarded-host", "evil.example/path"),
        ("x-forwarded-host", "user@evil.example"),
        ("x-forwarded-host", "a" * 300),
        ("x-forwarded-host", "voïce.example"),
        ("x-forwarded-host", "[::1"),
        ("x-forwarded-for", "unknown"),
        ("x-forwarded-for", ""),
    ],
)
async def test_nonsense_changes_nothing(name: str, value: str) -> None:
    """A value that cannot be one is ignored."""
    scope = await forwarded(PROXY, HOST, (name, value))
    assert (origin(scope), scope["client"][0]) == ("http://127.0.0.1:8010", PROXY)


@pytest.mark.parametrize(
    ("sent", "path"),
    [
        ("/voice", "/"),
        ("/voice/", "/"),
        ("/voice/v1/calls", "/v1/calls"),
        ("/v1/calls", "/v1/calls"),
        ("/voicemail", "/voicemail"),
        ("/voice/voice/v1", "/voice/v1"),
        ("/", "/"),
    ],
)
async def test_mount_is_cut_off_once(sent: str, path: str) -> None:
    """Whether a proxy has cut off the mount or not, the application sees the contract's path."""
    scope = await seen(lambda app: Mounted(app, "/voice"), path=sent)
    assert (scope["path"], scope["root_path"]) == (path, "/voice")


# The whole sandbox


async def test_sandbox_below_a_path_keeps_its_contract(wall: FakeWall) -> None:
    """Location stays a path of the contract; exports name the address that the client used."""
    app = create_app(wall=wall)
    mounted = layered(app, root_path="/voice", proxies=PROXIES)
    transport = httpx2.ASGITransport(app=mounted, client=(PROXY, 1))
    headers = {
        "Authorization": "Bearer sandbox_proxy",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "voice.example.com",
    }
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(
            transport=transport, base_url="http://inside", headers=headers
        ) as client,
    ):
        created = await client.post("/voice/v1/calls", json=new_call())
        assert created.status_code == 201
        exchange = await client.get(f"/voice/sandbox/exchanges/{created.headers['x-request-id']}")
        har = await client.get("/voice/sandbox/journal/har")
        read = await client.get("/voice" + created.headers["location"])
    assert read.json()["call_id"] == created.json()["call_id"]
    address = "https://voice.example.com/voice/v1/calls"
    assert address in exchange.json()["curl"]
    assert {entry["request"]["url"] for entry in har.json()["log"]["entries"]} >= {address}


# Pages from elsewhere


DOCS = "https://docs.example.com"


@pytest.fixture
async def crossed(wall: FakeWall) -> Any:
    """A client of a sandbox that a portal elsewhere may call."""
    app = create_app(wall=wall)
    transport = httpx2.ASGITransport(app=layered(app, cors_origins=(DOCS,)))
    headers = {"Authorization": "Bearer sandbox_cors"}
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url="http://x", headers=headers) as client,
    ):
        yield client


async def test_named_origin_may_call(crossed: httpx2.AsyncClient) -> None:
    """A page of a named origin may send what a card sends, and read what a card reads."""
    asked = {
        "Origin": DOCS,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type,idempotency-key,prefer",
    }
    allowed = await crossed.options("/v1/calls", headers=asked)
    assert (allowed.status_code, allowed.headers["access-control-allow-origin"]) == (200, DOCS)
    response = await crossed.post("/v1/calls", json=new_call(), headers={"Origin": DOCS})
    assert_conforms(CONTRACT, response)
    assert response.headers["access-control-allow-origin"] == DOCS
    readable = response.headers["access-control-expose-headers"].lower().split(", ")
    assert {"x-request-id", "location", "retry-after", "preference-applied"} <= set(readable)
    assert "access-control-allow-credentials" not in response.headers


@pytest.mark.parametrize("origin", ["https://evil.example", f"{DOCS}.evil.example", "null"])
async def test_other_origin_may_not_call(crossed: httpx2.AsyncClient, origin: str) -> None:
    """A page of any other origin is told nothing that lets it read a response."""
    asked = {"Origin": origin, "Access-Control-Request-Method": "GET"}
    rejected = await crossed.options("/v1/agents", headers=asked)
    response = await crossed.get("/v1/agents", headers={"Origin": origin})
    for told in (rejected, response):
        assert "access-control-allow-origin" not in told.headers


async def test_without_named_origins_nothing_is_allowed(wall: FakeWall) -> None:
    """A sandbox that was told of no portal elsewhere answers no page from elsewhere."""
    app = create_app(wall=wall)
    assert layered(app) is app
    transport = httpx2.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url="http://x") as client,
    ):
        asked = {"Origin": DOCS, "Access-Control-Request-Method": "GET"}
        for response in (
            await client.options("/v1/agents", headers=asked),
            await client.get("/v1/agents", headers={"Origin": DOCS}),
        ):
            assert not [name for name in response.headers if name.startswith("access-control")]
