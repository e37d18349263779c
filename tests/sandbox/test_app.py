"""The sandbox is a Starlette application like any other: routes, lifespan, mounting, middleware."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.testclient import TestClient

import voice_sandbox
from voice_sandbox.contract.model import ContractError
from voice_sandbox.contract.problems import PROBLEMS, documented_codes

from .conftest import CONTRACT, CONTROL, KEY, START, FakeWall, new_call

SIGNED = {"Authorization": f"Bearer {KEY}"}


def _paths(app: Starlette) -> list[tuple[str, str]]:
    return [(route.name, route.path) for route in app.routes if isinstance(route, Route)]


def test_every_operation_has_one_route() -> None:
    """`app.routes` shows the operations of both contracts by operationId, and health."""
    operations = [
        (operation.operation_id, operation.path)
        for contract in (CONTRACT, CONTROL)
        for operation in contract.operations.values()
    ]
    health = [("live", "/healthz"), ("ready", "/readyz")]
    assert _paths(voice_sandbox.create_app()) == [*operations, *health]


def test_site_is_a_route_where_there_is_one(tmp_path: Path) -> None:
    """A portal is mounted below all other routes."""
    site = voice_sandbox.create_app(site=tmp_path).routes[-1]
    assert isinstance(site, Mount)
    assert (site.name, site.path) == ("site", "")


@pytest.mark.parametrize("contract", [CONTRACT, CONTROL], ids=["service", "control"])
def test_path_of_an_operation_is_found_by_its_name(contract: Any) -> None:
    """`url_path_for` knows the operationIds."""
    app = voice_sandbox.create_app()
    for operation in contract.operations.values():
        parameters = dict.fromkeys(operation.path_parameters, "x")
        assert app.url_path_for(operation.operation_id, **parameters) == operation.path_with(
            **parameters
        )


def test_client_of_starlette_runs_the_lifespan() -> None:
    """`TestClient` opens the store, plays the provider and closes everything again."""
    with TestClient(voice_sandbox.create_app(wall=FakeWall()), headers=SIGNED) as client:
        created = client.post("/v1/calls", json=new_call())
        assert created.status_code == 201
        client.post("/sandbox/clock", json={"until": "idle"})
        assert client.get(created.headers["Location"]).json()["status"] == "completed"


def test_an_application_can_be_used_again() -> None:
    """The lifespan may run more than once."""
    app = voice_sandbox.create_app(wall=FakeWall())
    for _ in range(2):
        with TestClient(app, headers=SIGNED) as client:
            assert client.post("/v1/calls", json=new_call()).status_code == 201


@pytest.mark.parametrize("places", [["/voice"], ["/apis", "/voice"]], ids=["once", "twice"])
def test_mounted_application_serves_below_its_path(places: Sequence[str]) -> None:
    """Below another application everything works as at the top, problems and links included."""
    mounted = voice_sandbox.create_app(wall=FakeWall())

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with mounted.router.lifespan_context(mounted):
            yield

    outer: Any = mounted
    for place in reversed(places):
        outer = Starlette(routes=[Mount(place, outer)], lifespan=lifespan)
    below = "".join(places)
    with TestClient(outer, headers=SIGNED) as client:
        created = client.post(f"{below}/v1/calls", json=new_call())
        call = client.get(f"{below}{created.headers['Location']}")
        assert (created.status_code, call.json()["status"]) == (201, "queued")
        wrong = [client.get(f"{below}{path}").json()["code"] for path in ("/v1/nowhere", "/gone")]
        assert wrong == ["not_found", "not_found"]
        assert client.get(f"{below}/v1/calls").headers["Allow"] == "POST"
        assert client.get(f"{below}/healthz").json() == {"status": "ok"}
        [newest, *_] = client.get(f"{below}/sandbox/journal").json()["exchanges"]
        assert newest["path"] == "/v1/calls"
        curl = client.get(f"{below}/sandbox/exchanges/{newest['request_id']}").json()["curl"]
        assert f"http://testserver{below}/v1/calls" in curl


def test_middleware_stands_before_the_sandbox() -> None:
    """What an application adds sees each request and each response."""

    class Stamped(BaseHTTPMiddleware):
        async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
            response = await call_next(request)
            response.headers["X-Stamp"] = request.url.path
            return response

    app = voice_sandbox.create_app()
    app.add_middleware(Stamped)
    with TestClient(app, headers=SIGNED) as client:
        assert client.get("/v1/agents").headers["X-Stamp"] == "/v1/agents"
        assert client.get("/v1/nowhere").headers["X-Stamp"] == "/v1/nowhere"


def test_routes_can_be_added() -> None:
    """A route of one's own is found beside the contract's; the contract's own paths stay its."""

    async def hello(_: Request) -> Response:
        return PlainTextResponse("hello")

    app = voice_sandbox.create_app()
    app.add_route("/hello", hello)
    app.add_route("/v1/hello", hello)
    with TestClient(app, headers=SIGNED) as client:
        assert client.get("/hello").text == "hello"
        assert client.get("/v1/hello").status_code == 404


# One contract


def _problem_responses(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        media["application/problem+json"]
        for response in document["components"]["responses"].values()
        if "application/problem+json" in (media := response.get("content", {}))
    ]


def test_documented_problem_without_a_row_stops_the_start(
    changed_contract: Callable[..., Path],
) -> None:
    """A problem that the contract promises and nobody can send is named with its operation."""

    def add(document: dict[str, Any]) -> None:
        examples = _problem_responses(document)[0]["examples"]
        [first, *_] = examples.values()
        examples["line_cut"] = first | {"value": first["value"] | {"code": "line_cut"}}

    with pytest.raises(ContractError, match=r"createCall documents the problem line_cut"):
        voice_sandbox.create_app(contract_path=changed_contract(change=add))


DOCUMENTED = [code for code, problem in PROBLEMS.items() if not problem.of_no_operation]


@pytest.mark.parametrize("code", DOCUMENTED)
def test_row_that_no_contract_documents_stops_the_start(
    code: str, changed_contract: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A problem that clients were not told of is named."""
    monkeypatch.setattr(
        "voice_sandbox.contract.problems.documented_codes",
        lambda response: [each for each in documented_codes(response) if each != code],
    )
    with pytest.raises(ContractError, match=rf"The problem {code} stands in the table"):
        voice_sandbox.create_app()


@pytest.mark.parametrize("status", [400, 409, 422])
def test_status_of_a_problem_is_the_same_in_both(
    status: int, changed_contract: Callable[..., Path]
) -> None:
    """Contract and table may not disagree on the status of a problem."""

    def move(document: dict[str, Any]) -> None:
        responses = document["paths"]["/v1/calls"]["post"]["responses"]
        responses[str(status)], responses["418"] = responses["429"], responses.pop(str(status))

    with pytest.raises(ContractError, match=r"with the status (418|400|409|422), but the table"):
        voice_sandbox.create_app(contract_path=changed_contract(change=move))


PATHS = {
    "/v1/calls": "/v2/phone-calls",
    "/v1/calls/{call_id}": "/v2/phone-calls/{call_id}/state",
    "/v1/agents": "/voices",
    "/v1/webhooks/call-completed": "/hooks/v7/ended",
}


def test_paths_of_the_contract_alone_move_the_sandbox(
    changed_contract: Callable[..., Path],
) -> None:
    """With every path changed in openapi.yaml calls are placed, completed and found as before."""

    def move(document: dict[str, Any]) -> None:
        document["paths"] = {
            PATHS.get(path, f"/v2{path}"): each for path, each in document["paths"].items()
        }
        location = document["paths"]["/v2/phone-calls"]["post"]["responses"]["201"]["headers"]
        location["Location"]["schema"]["pattern"] = "^/v2/phone-calls/[0-9a-f-]+/state$"

    path = changed_contract(change=move)
    with TestClient(voice_sandbox.create_app(contract_path=path), headers=SIGNED) as client:
        assert client.get("/voices").status_code == 200
        created = client.post("/v2/phone-calls", json=new_call())
        call_id = created.json()["call_id"]
        assert created.headers["Location"] == f"/v2/phone-calls/{call_id}/state"
        client.post("/sandbox/clock", json={"until": "idle"})
        assert client.get(created.headers["Location"]).json()["status"] == "completed"
        assert [client.get(path).status_code for path in ("/v1/agents", "/v1/calls")] == [404, 404]


@pytest.mark.parametrize("operation_id", CONTRACT.operations)
def test_status_of_a_success_follows_the_contract(
    operation_id: str, changed_contract: Callable[..., Path]
) -> None:
    """The handlers name no status: a success has the one that the contract documents."""
    operation = CONTRACT.operations[operation_id]

    def change(document: dict[str, Any]) -> None:
        responses = document["paths"][operation.path][operation.method.lower()]["responses"]
        responses["203"] = responses.pop(str(operation.success.status))

    app = voice_sandbox.create_app(contract_path=changed_contract(change=change), wall=FakeWall())
    with TestClient(app, headers=SIGNED) as client:
        created = client.post("/v1/calls", json=new_call())
        path = operation.path_with(call_id=created.json().get("call_id"))
        body = None if operation.body is None else next(iter(operation.body.examples.values()))
        sent = client.request(operation.method, path, json=body and body.value)
        assert sent.status_code == 203


@pytest.mark.parametrize("limit", [150, 5000])
def test_limit_of_a_body_follows_the_contract(
    limit: int, changed_contract: Callable[..., Path]
) -> None:
    """The largest body is the one that the contract names, and the problem says so."""

    def change(document: dict[str, Any]) -> None:
        document["paths"]["/v1/calls"]["post"]["requestBody"]["x-max-body-bytes"] = limit

    app = voice_sandbox.create_app(contract_path=changed_contract(change=change))
    body = httpx2.Request("POST", "http://x", json=new_call()).content
    headers = {"Content-Type": "application/json"}
    with TestClient(app, headers=SIGNED) as client:
        fits = client.post("/v1/calls", content=body.ljust(limit), headers=headers)
        too_large = client.post("/v1/calls", content=body.ljust(limit + 1), headers=headers)
    assert (fits.status_code, too_large.status_code) == (201, 413)
    assert str(limit) in too_large.json()["detail"]


def test_length_of_an_idempotency_key_follows_the_contract(
    changed_contract: Callable[..., Path],
) -> None:
    """The limit of the header stands in the contract, and the problem repeats it."""

    def change(document: dict[str, Any]) -> None:
        document["components"]["parameters"]["IdempotencyKey"]["schema"]["maxLength"] = 12

    app = voice_sandbox.create_app(contract_path=changed_contract(change=change))
    with TestClient(app, headers=SIGNED) as client:
        sent = [
            client.post("/v1/calls", json=new_call(), headers={"Idempotency-Key": "k" * length})
            for length in (12, 13)
        ]
    assert [response.status_code for response in sent] == [201, 400]
    assert "1 to 12 visible ASCII characters" in sent[1].json()["detail"]


def test_time_stands_where_the_wall_of_the_caller_stands() -> None:
    """The wall clock is a parameter."""
    with TestClient(voice_sandbox.create_app(wall=FakeWall(START)), headers=SIGNED) as client:
        assert client.get("/sandbox/clock").json()["now"] == "2026-11-24T09:30:00.000Z"
