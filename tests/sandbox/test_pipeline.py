"""One exchange by a contract: what is rejected, in which order, and what every response carries."""

import asyncio
import itertools
import json
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from voice_sandbox import app as app_module
from voice_sandbox.api import service as service_module
from voice_sandbox.clock import wall
from voice_sandbox.contract.model import ContractError, Operation
from voice_sandbox.contract.problems import PROBLEMS
from voice_sandbox.contract.validation import Validator
from voice_sandbox.http.authentication import Keyring
from voice_sandbox.http.exchange import Request, Response
from voice_sandbox.http.pipeline import Pipeline
from voice_sandbox.http.routing import ContractRouter
from voice_sandbox.store.protocol import StorageUnavailable

from .conftest import (
    CATALOGUE,
    CONTRACT,
    KEY,
    SCENARIOS,
    RawResponse,
    Sandbox,
    completion,
    new_call,
    raw_request,
)

pytestmark = pytest.mark.anyio

TOKEN = (b"authorization", f"Bearer {KEY}".encode())
JSON = (b"content-type", b"application/json")
LIMIT = CONTRACT.operations["createCall"].body.max_bytes  # type: ignore[union-attr]
CALL = json.dumps(new_call()).encode()


def assert_problem(response: RawResponse, code: str) -> dict[str, Any]:
    """The response is a whole problem document of that code."""
    assert response.header("content-type") == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert (body["code"], body["status"], response.status) == (
        code,
        PROBLEMS[code].status,
        PROBLEMS[code].status,
    )
    assert body["request_id"] == response.header("x-request-id")
    return body


# Time


async def test_large_bodies_are_read_one_a_turn(sandbox: Sandbox) -> None:
    """However many clients send one at a time, the loop goes round between two of them."""
    turns, rejected_in = 0, list[int]()

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def send() -> None:
        headers = [TOKEN, JSON]
        path = "/v1/webhooks/call-completed"
        response = await sandbox.raw("POST", path, headers=headers, chunks=[b" " * 100_000])
        assert response.status == 400
        rejected_in.append(turns)

    counting = asyncio.create_task(count())
    await asyncio.gather(*(send() for _ in range(8)))
    counting.cancel()
    assert len(set(rejected_in)) == 8


# Order of rejection


async def test_order_of_rejection(sandbox: Sandbox) -> None:
    """One request with everything wrong, fixed step by step, meets each rejection in its turn."""
    wrong_type, large = (b"content-type", b"text/plain"), [b"x" * LIMIT, b"x"]
    request = sandbox.raw
    bad_key = (b"idempotency-key", b"two words")
    assert_problem(
        await request("PUT", "/v1/calls/", headers=[wrong_type], chunks=large), "not_found"
    )
    response = await request("PUT", "/v1/calls", headers=[wrong_type], chunks=large)
    assert_problem(response, "method_not_allowed")
    assert response.header("allow") == "POST"
    response = await request("POST", "/v1/calls", headers=[wrong_type, bad_key], chunks=large)
    assert_problem(response, "missing_token")
    assert (response.header("www-authenticate") or "").startswith("Bearer")
    headers = [TOKEN, wrong_type, bad_key]
    response = await request("POST", "/v1/calls", headers=headers, chunks=large)
    assert_problem(response, "unsupported_media_type")
    headers = [TOKEN, JSON, bad_key]
    response = await request("POST", "/v1/calls", headers=headers, chunks=large)
    assert_problem(response, "body_too_large")
    response = await request("POST", "/v1/calls", headers=headers, chunks=[b"{"])
    assert_problem(response, "invalid_idempotency_key")
    response = await request("POST", "/v1/calls", headers=[TOKEN, JSON], chunks=[b"{"])
    assert_problem(response, "malformed_json")
    response = await request("POST", "/v1/calls", headers=[TOKEN, JSON], chunks=[b"{}"])
    assert_problem(response, "validation_failed")
    response = await request("POST", "/v1/calls", headers=[TOKEN, JSON], chunks=[CALL])
    assert response.status == 201


# Route and method


@pytest.mark.parametrize(
    "path",
    [
        "/v1",
        "/v1/",
        "/v1/calls/",
        "/v1//calls",
        "/V1/calls",
        "/v1/Calls",
        "/v1/calls/a/b",
        "/v1/agents/",
        "/v1/agents/x",
        "/v1/webhooks",
        "/v1/webhooks/call-completed/",
        "/v1/calls\n",
        "/v1/\0",
        "/sandbox/",
        "/sandbox/clock/",
    ],
)
async def test_unknown_path_is_a_problem(sandbox: Sandbox, path: str) -> None:
    """A path that is not in the contract letter by letter is answered 404, with or without key."""
    for headers in ([], [TOKEN]):
        assert_problem(await sandbox.raw("GET", path, headers=headers), "not_found")


ALLOWED = {
    "/v1/calls": "POST",
    "/v1/calls/x": "GET, HEAD",
    "/v1/agents": "GET, HEAD",
    "/v1/webhooks/call-completed": "POST",
    "/sandbox/state": "DELETE",
    "/sandbox/clock": "GET, HEAD, POST",
}


@pytest.mark.parametrize(("path", "allowed"), ALLOWED.items())
async def test_wrong_method_names_the_right_ones(sandbox: Sandbox, path: str, allowed: str) -> None:
    """Each method that a path does not take is answered 405 with `Allow`."""
    methods = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW", "get"}
    for method in methods - set(allowed.split(", ")):
        response = await sandbox.raw(method, path)
        assert (response.status, response.header("allow")) == (405, allowed)


async def test_head_is_get_without_body(sandbox: Sandbox) -> None:
    """HEAD gives the headers of GET, its length included, and no body."""
    get = await sandbox.raw("GET", "/v1/agents", headers=[TOKEN])
    head = await sandbox.raw("HEAD", "/v1/agents", headers=[TOKEN])
    assert (head.status, head.body) == (200, b"")
    assert head.header("content-length") == str(len(get.body))
    assert [name for name, _ in head.headers] == [name for name, _ in get.headers]


async def test_rejected_head_has_no_body(sandbox: Sandbox) -> None:
    """A problem in answer to HEAD is said by its headers alone."""
    response = await sandbox.raw("HEAD", "/v1/nowhere")
    assert (response.status, response.body) == (404, b"")


# Token


@pytest.mark.parametrize(
    "values",
    [
        [b""],
        [b"Bearer"],
        [b"Bearer sandbox_abc"],
        [b"Bearer sandbox_" + b"a" * 65],
        [b"Bearer sandbox_demo,"],
        [b"Bearer sandbox_de mo"],
        [b"Basic sandbox_demo"],
        ["Bearer sandbox_d\u0435mo".encode()],
        [b"Bearer sandbox_\xff\xff\xff\xff"],
        [b"Bearer provider.wrong." + b"0" * 32],
        [b"Bearer sandbox_demo", b"Bearer sandbox_demo"],
    ],
)
async def test_wrong_token_is_rejected(sandbox: Sandbox, values: list[bytes]) -> None:
    """A token of any wrong shape is 401 with a challenge, and nothing is created."""
    headers = [(b"authorization", value) for value in values]
    response = await sandbox.raw("GET", "/v1/agents", headers=headers)
    assert_problem(response, "invalid_token")
    assert 'error="invalid_token"' in (response.header("www-authenticate") or "")


@pytest.mark.parametrize(
    "operation", CONTRACT.operations.values(), ids=lambda operation: operation.operation_id
)
async def test_every_operation_needs_a_token(sandbox: Sandbox, operation: Operation) -> None:
    """One Bearer token stands on every operation of the service."""
    path = operation.path.replace("{call_id}", str(CATALOGUE.sample.call_id))
    assert_problem(await sandbox.raw(operation.method, path), "missing_token")


# Media type


@pytest.mark.parametrize(
    "value",
    [
        b"application/json",
        b"Application/JSON",
        b"application/json; charset=utf-8",
        b"application/json;charset=UTF-8",
        b'application/json; charset="utf-8"',
        b"application/json ; charset=utf-8",
        b"application/json;",
        b"application/json; ;charset=utf-8;",
        b"application/json;charset=utf-8;charset=UTF-8",
        b'application/json; profile="a;b=\\"c, d"; charset=utf-8',
        b"application/json; v=1; q=0.9",
    ],
)
async def test_json_in_utf8_is_taken(sandbox: Sandbox, value: bytes) -> None:
    """However the media type is written, JSON in UTF-8 is JSON in UTF-8."""
    headers = [TOKEN, (b"content-type", value)]
    assert (await sandbox.raw("POST", "/v1/calls", headers=headers, chunks=[CALL])).status == 201


@pytest.mark.parametrize(
    "values",
    [
        [],
        [b""],
        [b"text/json"],
        [b"text/plain"],
        [b"application/jsonx"],
        [b"application/json5"],
        [b"application/vnd.api+json"],
        [b"application/problem+json"],
        [b"application/x-www-form-urlencoded"],
        [b"application/json; charset=latin-1"],
        [b"application/json; charset=utf-16"],
        [b"application/json; charset=utf-8; charset=utf-16"],
        [b'application/json; x="; charset=utf-16'],
        [b"application/json; charset"],
        [b"application/json; charset="],
        [b"application/json, application/json"],
        [b"application/json", b"application/json"],
        [b"application/json", b"text/plain"],
        [b"*/*"],
        [b"application/json\xff"],
    ],
)
async def test_other_media_type_is_rejected(sandbox: Sandbox, values: list[bytes]) -> None:
    """A body that is not declared as JSON in UTF-8, once, is not read."""
    headers = [TOKEN, *((b"content-type", value) for value in values)]
    response = await sandbox.raw("POST", "/v1/calls", headers=headers, chunks=[CALL])
    assert (
        "Content-Type: application/json"
        in assert_problem(response, "unsupported_media_type")["detail"]
    )


@pytest.mark.parametrize("value", [b"gzip", b"br", b"deflate", b"identity, gzip", b"zstd", b""])
async def test_compressed_body_is_rejected(sandbox: Sandbox, value: bytes) -> None:
    """Nothing is unpacked, so nothing can explode."""
    headers = [TOKEN, JSON, (b"content-encoding", value)]
    response = await sandbox.raw("POST", "/v1/calls", headers=headers, chunks=[CALL])
    assert_problem(response, "unsupported_media_type")


@pytest.mark.parametrize("value", [b"identity", b"Identity"])
async def test_identity_is_no_compression(sandbox: Sandbox, value: bytes) -> None:
    """A body that says it is as it is, is as it is."""
    headers = [TOKEN, JSON, (b"content-encoding", value)]
    assert (await sandbox.raw("POST", "/v1/calls", headers=headers, chunks=[CALL])).status == 201


# Size


@pytest.mark.parametrize("length", [str(LIMIT + 1).encode(), b"9" * 30, b"9" * 5000])
async def test_declared_length_over_the_limit_is_rejected(sandbox: Sandbox, length: bytes) -> None:
    """A body that says it is too large is rejected before a byte of it is read."""
    headers = [TOKEN, JSON, (b"content-length", length)]
    response = await sandbox.raw("POST", "/v1/calls", headers=headers, chunks=[])
    assert str(LIMIT) in assert_problem(response, "body_too_large")["detail"]


async def test_chunks_over_the_limit_are_rejected(sandbox: Sandbox) -> None:
    """A chunked body is counted while it arrives, and not kept beyond the limit."""
    chunks = itertools.chain([b"x" * 65_536] * (LIMIT // 65_536), [b"x"], [b"x" * 65_536] * 9)
    response = await sandbox.raw("POST", "/v1/calls", headers=[TOKEN, JSON], chunks=chunks)
    assert_problem(response, "body_too_large")


async def test_chunks_at_the_limit_are_read(sandbox: Sandbox) -> None:
    """A body that fills the limit to the last byte is read."""
    padded = CALL + b" " * (LIMIT - len(CALL))
    chunks = [padded[i : i + 65_536] for i in range(0, LIMIT, 65_536)]
    response = await sandbox.raw("POST", "/v1/calls", headers=[TOKEN, JSON], chunks=chunks)
    assert response.status == 201


async def test_largest_escaped_completion_is_read(sandbox: Sandbox) -> None:
    """The longest transcript is accepted even where every character is written as escapes."""
    await sandbox.create(CATALOGUE.sample.phone)
    body = json.dumps(completion(transcript="\U0001f642" * CATALOGUE.longest_transcript)).encode()
    response = await sandbox.raw(
        "POST", "/v1/webhooks/call-completed", headers=[TOKEN, JSON], chunks=[body]
    )
    assert response.status == 200


async def test_client_that_goes_away_creates_nothing(sandbox: Sandbox) -> None:
    """A connection that ends in the middle of the body is no request."""
    response = await sandbox.raw(
        "POST", "/v1/calls", headers=[TOKEN, JSON], chunks=[CALL], disconnect=True
    )
    assert_problem(response, "malformed_json")


# JSON and schema


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff",
        b"\xef\xbb\xbf" + CALL,
        b'{"a":1,"a":2}',
        b"NaN",
        rb'"\ud800"',
        b"[" * LIMIT,
        b"1" * 5000,
        b"1e-99999999999999999999",
    ],
    ids=lambda body: ascii(body)[:30],
)
async def test_malformed_json_is_rejected(sandbox: Sandbox, body: bytes) -> None:
    """What is not strict JSON is 400, never a 5xx."""
    for path in ("/v1/calls", "/v1/webhooks/call-completed"):
        response = await sandbox.raw("POST", path, headers=[TOKEN, JSON], chunks=[body])
        assert_problem(response, "malformed_json")


async def test_errors_are_bounded_and_escaped(sandbox: Sandbox) -> None:
    """A problem lists at most 20 places, each a JSON Pointer that the contract allows."""
    body = {f"{'~/' * 600}{i}": i for i in range(100)}
    response = await sandbox.raw(
        "POST",
        "/v1/webhooks/call-completed",
        headers=[TOKEN, JSON],
        chunks=[json.dumps(body).encode()],
    )
    problem = assert_problem(response, "validation_failed")
    assert len(problem["errors"]) <= 20
    schema = CONTRACT.operations["callCompleted"].responses[422].schema
    assert schema is not None
    assert Validator(CONTRACT, schema).errors(problem) == []


@pytest.mark.parametrize(
    "body",
    [
        b'{"prov_x": 1}',
        b'{"prov_x": 1, "prov_x": 2}',
        b'{"pr\\u006fv_x": 1}',
        b'{"phone": "prov_x", "agent": "prov_x"}',
        b'{"prov_prov_": 1, "pprov_rov_": 2}',
        b'{"ppprov_rov_rov_": 1, "ppprov_rov_rov_": 1}',
    ],
)
async def test_problem_never_repeats_a_provider_id(sandbox: Sandbox, body: bytes) -> None:
    """Even what the client itself sent in the shape of an id does not come back."""
    for path in ("/v1/calls", "/v1/webhooks/call-completed"):
        response = await sandbox.raw("POST", path, headers=[TOKEN, JSON], chunks=[body])
        assert response.status in (400, 422)
        assert b"prov_" not in response.body


@pytest.mark.parametrize("path", ["/v1/prov_x", "/v1/calls/prov_x", "/prov_x"])
async def test_path_never_comes_back(sandbox: Sandbox, path: str) -> None:
    """A path in the shape of an id is not repeated."""
    response = await sandbox.raw("GET", path, headers=[TOKEN])
    assert response.status == 404
    assert b"prov_" not in response.body


# What every response carries


async def test_each_exchange_has_a_name_of_its_own(sandbox: Sandbox) -> None:
    """No two responses share a request id."""
    responses = [await sandbox.raw("GET", "/v1/agents") for _ in range(20)]
    assert len({response.header("x-request-id") for response in responses}) == 20


async def test_response_says_its_length(sandbox: Sandbox) -> None:
    """Success and problem alike declare how long they are."""
    for headers in ([], [TOKEN]):
        response = await sandbox.raw("GET", "/v1/agents", headers=headers)
        assert response.header("content-length") == str(len(response.body))


async def test_observer_sees_the_exchange(sandbox: Sandbox) -> None:
    """What is observed is what was answered."""
    response = await sandbox.raw("GET", "/v1/calls/nothing", headers=[TOKEN])
    [seen] = sandbox.exchanges
    assert (seen.request_id, seen.operation_id, seen.status, seen.code, seen.by_provider) == (
        response.header("x-request-id"),
        "getCall",
        404,
        "call_not_found",
        False,
    )


ANYTHING = st.text() | st.integers() | st.none() | st.lists(st.text(), max_size=2)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    body=st.binary(max_size=80)
    | st.dictionaries(st.sampled_from(["phone", "agent", "prov_", "x"]) | st.text(), ANYTHING)
    .map(json.dumps)
    .map(str.encode),
    path=st.sampled_from(["/v1/calls", "/v1/webhooks/call-completed", "/sandbox/clock"]),
)
async def test_no_body_breaks_the_service(sandbox: Sandbox, body: bytes, path: str) -> None:
    """Whatever is posted, the response is documented and holds no id of the provider."""
    response = await sandbox.raw("POST", path, headers=[TOKEN, JSON], chunks=[body])
    assert response.status in (200, 201, 400, 404, 409, 422)
    assert b"prov_" not in response.body


@pytest.mark.parametrize(
    "path", ["/v1%2Fagents", "/v1/calls%2f00000000-0000-0000-0000-000000000000", "%2Fv1/agents"]
)
async def test_encoded_slash_separates_nothing(sandbox: Sandbox, path: str) -> None:
    """`%2F` is a character of a segment: such a path is none of the contract's."""
    response = await sandbox.raw("GET", path, headers=[TOKEN], encoded=True)
    assert_problem(response, "not_found")


@pytest.mark.parametrize("path", ["/sandbox", "/livez", "/readyz", "/v1/agents", "/sandbox/clock"])
@pytest.mark.parametrize("blank", ["%0A", "%0D", "%0D%0A", "%20", "%09", "%00", "%E2%80%A8"])
async def test_blank_after_a_path_makes_another_path(
    sandbox: Sandbox, path: str, blank: str
) -> None:
    """No blank after a path is overlooked: such a path is none of the contract's."""
    response = await sandbox.raw("GET", path + blank, headers=[TOKEN], encoded=True)
    assert_problem(response, "not_found")


async def test_encoded_letter_is_the_letter(sandbox: Sandbox) -> None:
    """`%61` is an a, wherever it stands (RFC 3986, section 6.2.2.2)."""
    assert (await sandbox.raw("GET", "/v1/%61gents", headers=[TOKEN], encoded=True)).status == 200


# Operations and handlers


async def _nothing(request: Request) -> Response:
    return Response({})


def routed(handlers: Mapping[str, Callable[[Request], Awaitable[Response]]]) -> ContractRouter:
    pipeline = Pipeline(
        CONTRACT,
        {**dict.fromkeys(CONTRACT.operations, _nothing), **handlers},
        keyring=Keyring("secret"),
        may_name_provider=False,
        unusable_number="malformed_json",
        observe=app_module.ignore,
        wall=wall,
    )
    return ContractRouter([pipeline], [])


@pytest.mark.parametrize("operation_id", CONTRACT.operations)
def test_operation_without_handler_stops_the_start(operation_id: str) -> None:
    """An operation that nobody answers is named before the first request."""
    handlers = dict.fromkeys(set(CONTRACT.operations) - {operation_id}, _nothing)
    with pytest.raises(ContractError, match=rf"{operation_id}.*no handler"):
        Pipeline(
            CONTRACT,
            handlers,
            keyring=Keyring("secret"),
            may_name_provider=False,
            unusable_number="malformed_json",
            observe=app_module.ignore,
            wall=wall,
        )


def test_handler_without_operation_stops_the_start() -> None:
    """A handler that nobody can reach is named before the first request."""
    with pytest.raises(ContractError, match=r"handler for sendFax.*no such operation"):
        routed({"sendFax": _nothing})


def test_app_with_a_renamed_operation_does_not_start(
    changed_contract: Callable[..., Path],
) -> None:
    """A contract that names another operation stops the whole application."""
    path = changed_contract(
        ("operationId: getCall\n      tags", "operationId: seeCall\n      tags")
    )
    with pytest.raises(ContractError):
        app_module.create_app(contract_path=path)


# What breaks inside


@pytest.fixture
def agents() -> tuple[str, list[tuple[bytes, bytes]]]:
    return "/v1/agents", [TOKEN]


async def _leaks(request: Request) -> Response:
    return Response({"agents": ["prov_0123456789"]})


async def _raises(request: Request) -> Response:
    raise ZeroDivisionError("the secret is sandbox_secret")


async def _unencodable(request: Request) -> Response:
    return Response({"agents": object()})


@pytest.mark.parametrize("handler", [_leaks, _raises, _unencodable])
async def test_broken_handler_is_an_internal_error(
    agents: tuple[str, list[tuple[bytes, bytes]]],
    handler: Callable[[Request], Awaitable[Response]],
) -> None:
    """Whatever breaks inside is held back: 500, a problem, and not a word of what it was."""
    path, headers = agents
    response = await raw_request(routed({"listAgents": handler}), "GET", path, headers=headers)
    assert_problem(response, "internal_error")
    assert b"prov_" not in response.body
    assert b"secret" not in response.body


async def test_internal_error_is_logged_with_its_request(
    agents: tuple[str, list[tuple[bytes, bytes]]], caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever runs the sandbox finds the cause by the request id."""
    path, headers = agents
    response = await raw_request(routed({"listAgents": _raises}), "GET", path, headers=headers)
    assert str(response.header("x-request-id")) in caplog.text
    assert "ZeroDivisionError" in caplog.text


async def test_failing_store_is_unavailable(
    agents: tuple[str, list[tuple[bytes, bytes]]], caplog: pytest.LogCaptureFixture
) -> None:
    """A store that cannot serve is 503 with a wait, and not an internal error."""

    async def fails(request: Request) -> Response:
        raise StorageUnavailable("disk I/O error")

    path, headers = agents
    response = await raw_request(routed({"listAgents": fails}), "GET", path, headers=headers)
    assert_problem(response, "storage_unavailable")
    assert response.header("retry-after") == "1"
    assert "disk I/O error" in caplog.text
    assert b"disk" not in response.body


# Every problem is triggered


TRIGGERED = {
    "malformed_json": ("POST", "/v1/calls", b"{"),
    "not_found": ("GET", "/v1/nowhere", b""),
    "call_not_found": ("GET", "/v1/calls/x", b""),
    "fault_not_found": ("DELETE", "/sandbox/faults/fault_0", b""),
    "exchange_not_found": ("GET", "/sandbox/exchanges/req_unknown", b""),
    "invalid_parameter": ("GET", "/sandbox/journal?limit=0", b""),
    "method_not_allowed": ("PUT", "/v1/calls", b""),
    "validation_failed": ("POST", "/v1/calls", b"{}"),
    "call_already_ended": ("POST", "/v1/webhooks/call-completed", b"other"),
}
TRIGGERED_BY_HEADERS = {
    "invalid_idempotency_key": [TOKEN, JSON, (b"idempotency-key", b"")],
    "missing_token": [JSON],
    "invalid_token": [(b"authorization", b"Bearer x"), JSON],
    "unsupported_media_type": [TOKEN],
    "body_too_large": [TOKEN, JSON, (b"content-length", b"99999999")],
}
TRIGGERED_BY_NUMBERS = {
    scenario.rejection.code: scenario.number for scenario in SCENARIOS if scenario.rejection
}
TRIGGERED_ELSEWHERE = {
    "internal_error": test_broken_handler_is_an_internal_error,
    "storage_unavailable": test_failing_store_is_unavailable,
    "idempotency_conflict": "tests/sandbox/test_api_service.py",
    "impossible_outcome": "tests/sandbox/test_api_service.py",
}


@pytest.mark.parametrize(("code", "how"), TRIGGERED.items(), ids=TRIGGERED.keys())
async def test_problem_is_triggered_by_a_request(
    sandbox: Sandbox, code: str, how: tuple[str, str, bytes]
) -> None:
    """The request that means to meet a problem meets it."""
    method, path, body = how
    if body == b"other":
        body = json.dumps(completion(duration=7)).encode()
    response = await sandbox.client.request(
        method, path, content=body, headers={"Content-Type": "application/json"}
    )
    assert (response.json()["code"], response.status_code) == (code, PROBLEMS[code].status)


@pytest.mark.parametrize(
    ("code", "headers"), TRIGGERED_BY_HEADERS.items(), ids=TRIGGERED_BY_HEADERS.keys()
)
async def test_problem_is_triggered_by_headers(
    sandbox: Sandbox, code: str, headers: list[tuple[bytes, bytes]]
) -> None:
    """The headers that mean to meet a problem meet it."""
    assert_problem(await sandbox.raw("POST", "/v1/calls", headers=headers, chunks=[CALL]), code)


@pytest.mark.parametrize(
    ("code", "number"), TRIGGERED_BY_NUMBERS.items(), ids=TRIGGERED_BY_NUMBERS.keys()
)
async def test_problem_is_triggered_by_a_number(sandbox: Sandbox, code: str, number: str) -> None:
    """The number of a scenario meets the problem that the scenario names."""
    response = await sandbox.client.post("/v1/calls", json={**new_call(), "phone": number})
    assert (response.json()["code"], response.status_code) == (code, PROBLEMS[code].status)


def test_every_problem_is_triggered() -> None:
    """No code of the table exists on paper only."""
    triggered = {*TRIGGERED, *TRIGGERED_BY_HEADERS, *TRIGGERED_BY_NUMBERS, *TRIGGERED_ELSEWHERE}
    assert set(PROBLEMS) - triggered == set(), "add the request that triggers it to TRIGGERED"
    assert triggered - set(PROBLEMS) == set()


def test_every_handler_has_its_operation() -> None:
    """The handlers of the service are the operations of the contract."""
    assert set(service_module.handlers(None, None)) == set(CONTRACT.operations)  # type: ignore[arg-type]
