"""Armed faults: an unchanged program meets each, exactly as often as was said, on both engines."""

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from voice_sandbox.contract.faults import FAULTS, documented_problems
from voice_sandbox.contract.model import Contract
from voice_sandbox.http.armed_faults import FAULTS_LIMIT

from .conftest import (
    CATALOGUE,
    CONTRACT,
    CONTROL,
    SCENARIOS,
    FakeWall,
    Sandbox,
    assert_conforms,
    client_of,
    new_call,
    running_sandbox,
)

pytestmark = pytest.mark.anyio

ON_ENGINES = ["sqlite-memory", "postgresql"]

SAMPLE = str(CATALOGUE.sample.call_id)
UNAVAILABLE = {"kind": "problem", "code": "provider_unavailable", "retry_after": 7}
OPERATIONS = list(CONTRACT.operations)


async def arm(sandbox: Sandbox, operation: str, fault: Any, **options: Any) -> dict[str, Any]:
    body = {"operation": operation, "fault": fault, **options}
    response = await sandbox.client.post("/sandbox/faults", json=body)
    assert response.status_code == 201, response.text
    assert_conforms(CONTROL, response)
    return dict(response.json())


async def listed(sandbox: Sandbox) -> list[dict[str, Any]]:
    response = await sandbox.client.get("/sandbox/faults")
    assert_conforms(CONTROL, response)
    return list(response.json()["faults"])


async def post_call(sandbox: Sandbox, **headers: str) -> httpx2.Response:
    return await sandbox.client.post("/v1/calls", json=new_call(), headers=headers)


async def statuses(sandbox: Sandbox, count: int) -> list[int]:
    return [(await post_call(sandbox)).status_code for _ in range(count)]


async def entries(sandbox: Sandbox, **search: str) -> list[dict[str, Any]]:
    response = await sandbox.client.get("/sandbox/journal", params=search)
    assert_conforms(CONTROL, response)
    return list(response.json()["exchanges"])


# The table


def test_table_and_control_contract_know_the_same_faults() -> None:
    """What can be armed is what the table describes, no kind more or less."""
    assert list(FAULTS) == CONTROL.schema("FaultKind")["enum"]


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_row_of_the_table_is_complete(fault: Any) -> None:
    """Every fault says what it is, when it strikes and what the client sees."""
    assert all(text.strip() for text in (fault.line, fault.strikes, fault.seen))
    alternative = CONTROL.schema("Fault")["discriminator"]["mapping"][fault.kind]
    schema = CONTROL.resolve({"$ref": alternative})
    assert ["kind", *fault.members] == list(schema["properties"])


# Arming


async def test_problem_comes_as_often_as_it_was_armed(sandbox: Sandbox) -> None:
    """503 twice, then 201: the third attempt of an unchanged retry loop succeeds."""
    await arm(sandbox, "createCall", UNAVAILABLE, times=2)
    assert await statuses(sandbox, 3) == [503, 503, 201]


async def test_fault_strikes_once_unless_told_otherwise(sandbox: Sandbox) -> None:
    """Without `times` the second request is answered as ever."""
    await arm(sandbox, "createCall", UNAVAILABLE)
    assert await statuses(sandbox, 2) == [503, 201]


async def test_fault_can_strike_always(sandbox: Sandbox) -> None:
    """With `always` it strikes until it is disarmed."""
    fault = await arm(sandbox, "createCall", UNAVAILABLE, times="always")
    assert await statuses(sandbox, 3) == [503, 503, 503]
    assert (await sandbox.client.delete(f"/sandbox/faults/{fault['id']}")).status_code == 204
    assert await statuses(sandbox, 1) == [201]


async def test_skip_lets_requests_pass_first(sandbox: Sandbox) -> None:
    """The third of four requests fails."""
    await arm(sandbox, "createCall", UNAVAILABLE, skip=2)
    assert await statuses(sandbox, 4) == [201, 201, 503, 201]


async def test_faults_strike_in_the_order_in_which_they_were_armed(sandbox: Sandbox) -> None:
    """The first fault that fits strikes, and the next one when it is spent."""
    await arm(sandbox, "createCall", UNAVAILABLE)
    await arm(sandbox, "createCall", {"kind": "problem", "code": "rate_limited"})
    assert await statuses(sandbox, 3) == [503, 429, 201]


async def test_fault_that_waits_lets_the_next_one_strike(sandbox: Sandbox) -> None:
    """Requests that one fault lets pass may meet another."""
    await arm(sandbox, "createCall", UNAVAILABLE, skip=1)
    await arm(sandbox, "createCall", {"kind": "problem", "code": "rate_limited"})
    assert await statuses(sandbox, 3) == [429, 503, 201]


async def test_fault_strikes_its_operation_alone(sandbox: Sandbox) -> None:
    """A fault of `getCall` leaves `createCall` as it is."""
    await arm(sandbox, "getCall", {"kind": "problem", "code": "rate_limited"})
    assert await statuses(sandbox, 1) == [201]
    assert (await sandbox.client.get(f"/v1/calls/{SAMPLE}")).status_code == 429


@pytest.mark.parametrize("operation_id", OPERATIONS)
async def test_any_strikes_every_operation(sandbox: Sandbox, operation_id: str) -> None:
    """`any` is each operation of the contract."""
    await sandbox.create(SCENARIOS.by_name["never_completes"].number)
    await arm(sandbox, "any", {"kind": "problem", "code": "rate_limited"})
    assert (await request(sandbox, operation_id)).status_code == 429
    assert (await request(sandbox, operation_id)).status_code < 300


async def test_any_is_no_operation_of_the_sandbox(sandbox: Sandbox) -> None:
    """The control API never fails, so what was armed can be disarmed."""
    await arm(sandbox, "any", {"kind": "internal_error"}, times="always")
    assert (await sandbox.client.get("/sandbox/clock")).status_code == 200
    assert (await sandbox.client.delete("/sandbox/faults")).status_code == 204
    assert await statuses(sandbox, 1) == [201]


async def test_fault_can_be_for_one_number(sandbox: Sandbox) -> None:
    """Only requests about that number fail: its creation, and reading its call."""
    busy = SCENARIOS.by_name["busy"].number
    await arm(sandbox, "any", {"kind": "internal_error"}, phone=busy, skip=1, times=2)
    other = await sandbox.create(SCENARIOS.default.number)
    call_id = await sandbox.create(busy)
    assert (await sandbox.client.get(f"/v1/calls/{other}")).status_code == 200
    assert (await sandbox.client.get(f"/v1/calls/{call_id}")).status_code == 500
    called = {**new_call(), "phone": busy}
    assert (await sandbox.client.post("/v1/calls", json=called)).status_code == 500


async def test_simulated_provider_meets_no_fault(sandbox: Sandbox) -> None:
    """Calls still complete: a fault strikes the program under test and not the sandbox."""
    await arm(sandbox, "any", {"kind": "internal_error"}, times="always", skip=1)
    call_id = await sandbox.create(SCENARIOS.default.number)
    await sandbox.advance(60)
    await sandbox.client.delete("/sandbox/faults")
    assert (await sandbox.read(call_id))["status"] == "completed"


async def test_request_that_the_contract_rejects_meets_no_fault(sandbox: Sandbox) -> None:
    """A 422 uses no fault up: it strikes the next request that is right."""
    await arm(sandbox, "createCall", UNAVAILABLE)
    assert (await sandbox.client.post("/v1/calls", json={})).status_code == 422
    assert await statuses(sandbox, 1) == [503]


async def test_parallel_requests_meet_exactly_as_many_faults_as_were_armed(
    sandbox: Sandbox,
) -> None:
    """Of thirty requests at once seven fail, whoever comes first."""
    await arm(sandbox, "createCall", UNAVAILABLE, times=7)
    responses = await asyncio.gather(*(post_call(sandbox) for _ in range(30)))
    assert [r.status_code for r in responses].count(503) == 7
    assert [fault["struck"] for fault in await listed(sandbox)] == [7]


# Listing, disarming, limits


async def test_list_says_how_often_each_fault_struck(sandbox: Sandbox) -> None:
    """A fault that has struck for the last time stays in the list, so that a test can see it."""
    first = await arm(sandbox, "createCall", UNAVAILABLE)
    second = await arm(sandbox, "any", {"kind": "lost_response"}, times="always", skip=5)
    await statuses(sandbox, 2)
    assert await listed(sandbox) == [{**first, "struck": 1}, {**second, "struck": 0}]


async def test_faults_belong_to_a_key(sandbox: Sandbox) -> None:
    """Another key meets no fault, lists none, and cannot disarm one."""
    fault = await arm(sandbox, "any", {"kind": "internal_error"}, times="always")
    async with client_of(sandbox.app, "sandbox_other") as other:
        assert (await other.post("/v1/calls", json=new_call())).status_code == 201
        assert (await other.get("/v1/agents")).status_code == 200
        assert (await other.get("/sandbox/faults")).json() == {"faults": []}
        response = await other.delete(f"/sandbox/faults/{fault['id']}")
    assert_conforms(CONTROL, response)
    assert (response.status_code, response.json()["code"]) == (404, "fault_not_found")
    assert len(await listed(sandbox)) == 1


@pytest.mark.parametrize("fault_id", ["fault_0", "x", "fault_" + "0" * 32])
async def test_unknown_id_is_no_fault(sandbox: Sandbox, fault_id: str) -> None:
    """What is no id of a fault of this key is 404, whatever it looks like."""
    response = await sandbox.client.delete(f"/sandbox/faults/{fault_id}")
    assert_conforms(CONTROL, response)
    assert response.json()["code"] == "fault_not_found"


async def test_emptying_the_namespace_disarms(sandbox: Sandbox) -> None:
    """A key that starts anew has no faults."""
    await arm(sandbox, "any", {"kind": "internal_error"}, times="always")
    await sandbox.client.delete("/sandbox/state")
    assert await listed(sandbox) == []
    assert await statuses(sandbox, 1) == [201]
    assert (await sandbox.client.get("/v1/agents")).status_code == 200


async def test_armed_faults_are_limited(sandbox: Sandbox) -> None:
    """One more than the limit is rejected, and a spent fault makes room."""
    store, namespace = sandbox.runtime.store, sandbox.exchanges
    await arm(sandbox, "createCall", {"kind": "internal_error"})
    await statuses(sandbox, 1)
    key = namespace[-1].namespace
    [spent] = await store.faults(key)
    for number in range(FAULTS_LIMIT - 1):
        await store.arm_fault(
            key,
            type(spent)(f"fault_{number:032x}", "listAgents", spent.fault, None, 0, None),
            limit=FAULTS_LIMIT,
        )
    await arm(sandbox, "getCall", {"kind": "internal_error"})
    body = {"operation": "getCall", "fault": {"kind": "internal_error"}}
    response = await sandbox.client.post("/sandbox/faults", json=body)
    assert_conforms(CONTROL, response)
    assert response.status_code == 422
    assert len(await listed(sandbox)) == FAULTS_LIMIT


async def test_faults_of_a_key_cost_other_keys_nothing(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many faults one key has armed, no request of another key looks for them."""
    await arm(sandbox, "any", {"kind": "internal_error"}, times="always")
    store, key = sandbox.runtime.store, sandbox.exchanges[-1].namespace
    [armed] = await store.faults(key)
    for number in range(FAULTS_LIMIT - 1):
        more = type(armed)(f"fault_{number:032x}", "any", armed.fault, None, 0, None)
        await store.arm_fault(key, more, limit=FAULTS_LIMIT)
    looked: list[bytes] = []
    strike = type(store).strike_fault

    async def spied(self: Any, namespace: bytes, *given: Any, **named: Any) -> Any:
        looked.append(namespace)
        return await strike(self, namespace, *given, **named)

    monkeypatch.setattr(type(store), "strike_fault", spied)
    async with client_of(sandbox.app, "sandbox_innocent") as other:
        created = await other.post("/v1/calls", json=new_call())
        assert created.status_code == 201
        assert (await other.get(f"/v1/calls/{created.json()['call_id']}")).status_code == 200
        assert (await other.get("/v1/agents")).status_code == 200
    assert looked == []
    assert (await sandbox.client.get("/v1/agents")).status_code == 500
    assert looked == [key]


WRONG: list[tuple[str, dict[str, Any]]] = [
    ("/fault/kind", {"fault": {"kind": "explosion"}}),
    ("/fault/kind", {"fault": {}}),
    ("/operation", {"operation": "cancelCall"}),
    ("/operation", {"operation": "resetState"}),
    ("/times", {"times": 0}),
    ("/times", {"times": -1}),
    ("/times", {"times": 1001}),
    ("/times", {"times": "often"}),
    ("/skip", {"skip": -1}),
    ("/phone", {"phone": "555"}),
    ("/fault/code", {"fault": {"kind": "problem"}}),
    ("/fault/code", {"fault": {"kind": "problem", "code": "call_not_found"}}),
    ("/fault/code", {"fault": {"kind": "reset", "code": "rate_limited"}}),
    ("/fault/retry_after", {"fault": {**UNAVAILABLE, "retry_after": 0}}),
    (
        "/fault/retry_after",
        {"fault": {"kind": "problem", "code": "validation_failed", "retry_after": 1}},
    ),
    ("/fault/seconds", {"fault": {"kind": "late_response"}}),
    ("/fault/seconds", {"fault": {"kind": "late_response", "seconds": 0}}),
    ("/fault/seconds", {"fault": {"kind": "late_response", "seconds": 61}}),
    ("/fault/status", {"fault": {"kind": "gateway_error"}}),
    ("/fault/status", {"fault": {"kind": "gateway_error", "status": 503}}),
    ("/fault/minutes", {"fault": {"kind": "late_response", "seconds": 1, "minutes": 1}}),
]


@pytest.mark.parametrize(("pointer", "change"), WRONG)
async def test_fault_that_could_never_strike_is_rejected(
    sandbox: Sandbox, pointer: str, change: dict[str, Any]
) -> None:
    """422 names the place and says what fits there."""
    body = {"operation": "createCall", "fault": UNAVAILABLE, **change}
    response = await sandbox.client.post("/sandbox/faults", json=body)
    assert_conforms(CONTROL, response)
    assert response.status_code == 422
    [error] = response.json()["errors"]
    assert error["pointer"] == pointer
    assert len(error["detail"]) > 10


# Each fault, without a connection


async def request(sandbox: Sandbox, operation_id: str) -> httpx2.Response:
    """A request of the operation; a completion needs a call that goes on."""
    if operation_id == "createCall":
        return await post_call(sandbox)
    if operation_id == "getCall":
        return await sandbox.client.get(f"/v1/calls/{SAMPLE}")
    if operation_id == "listAgents":
        return await sandbox.client.get("/v1/agents")
    return await sandbox.complete()


def every_problem() -> Iterator[tuple[str, str]]:
    for operation in CONTRACT.operations.values():
        for code in documented_problems(operation):
            yield operation.operation_id, code


@pytest.mark.parametrize(("operation_id", "code"), list(every_problem()))
async def test_every_documented_problem_can_be_armed(
    sandbox: Sandbox, contract: Contract, operation_id: str, code: str
) -> None:
    """The response keeps the contract and carries the id of this request."""
    await arm(sandbox, operation_id, {"kind": "problem", "code": code})
    response = await request(sandbox, operation_id)
    assert_conforms(contract, response)
    assert response.json()["code"] == code
    assert response.json()["request_id"] == response.headers["x-request-id"]


async def test_retry_after_is_the_one_that_was_armed(sandbox: Sandbox) -> None:
    """An unchanged program can be shown any `Retry-After`."""
    await arm(sandbox, "createCall", UNAVAILABLE)
    assert (await post_call(sandbox)).headers["retry-after"] == "7"


async def rings(sandbox: Sandbox) -> int:
    """How many calls the key has created, its sample call left out."""
    return await sandbox.runtime.store.count_calls(sandbox.exchanges[-1].namespace)


BEFORE: list[dict[str, Any]] = [
    UNAVAILABLE,
    {"kind": "internal_error"},
    {"kind": "gateway_error", "status": 502},
]
AFTER: list[dict[str, Any]] = [
    {"kind": "internal_error_after_work"},
    {"kind": "gateway_error", "status": 504},
    {"kind": "wrong_type"},
    {"kind": "empty"},
    {"kind": "late_response", "seconds": 0.01},
    {"kind": "slow_body", "seconds": 0.01},
]
CUT_BEFORE, CUT_AFTER = ["reset"], ["lost_response", "truncated"]


def test_every_fault_is_struck_here() -> None:
    """No row of the table goes without a run."""
    kinds = {fault["kind"] for fault in BEFORE + AFTER}
    assert kinds | set(CUT_BEFORE) | set(CUT_AFTER) == set(FAULTS)


@pytest.mark.parametrize("fault", BEFORE, ids=lambda fault: fault["kind"])
async def test_fault_before_the_work_creates_no_call(sandbox: Sandbox, fault: Any) -> None:
    """Nothing was created, and the journal says so."""
    await arm(sandbox, "createCall", fault)
    await post_call(sandbox)
    assert await rings(sandbox) == 0
    [entry] = await entries(sandbox)
    assert (entry["fault"], entry["call_id"]) == (fault["kind"], None)
    assert "nothing was created" in entry["why"]


@pytest.mark.parametrize("fault", AFTER, ids=lambda fault: fault["kind"])
async def test_fault_after_the_work_leaves_a_call_that_exists(sandbox: Sandbox, fault: Any) -> None:
    """The call exists, and the journal says so and names it."""
    await arm(sandbox, "createCall", fault)
    await post_call(sandbox)
    assert await rings(sandbox) == 1
    [entry] = await entries(sandbox)
    assert entry["fault"] == fault["kind"]
    assert "the call exists" in entry["why"]
    assert (await sandbox.read(entry["call_id"]))["status"] == "queued"


@pytest.mark.parametrize("kind", CUT_BEFORE + CUT_AFTER)
async def test_connection_that_nobody_lends_ends_with_an_exception(
    sandbox: Sandbox, kind: str
) -> None:
    """Where there is no server, as in a test of one process, the client is told of a reset."""
    await arm(sandbox, "createCall", {"kind": kind})
    with pytest.raises(ConnectionResetError):
        await post_call(sandbox)
    assert await rings(sandbox) == (0 if kind in CUT_BEFORE else 1)
    [entry] = await entries(sandbox)
    assert (entry["fault"], entry["status"]) == (kind, 0 if kind in CUT_BEFORE else 201)


@pytest.mark.parametrize("kind", ["internal_error", "internal_error_after_work"])
async def test_internal_error_is_a_problem(sandbox: Sandbox, kind: str) -> None:
    """The service breaks as it would by itself: 500 with a problem document."""
    await arm(sandbox, "createCall", {"kind": kind})
    response = await post_call(sandbox)
    assert (response.status_code, response.json()["code"]) == (500, "internal_error")
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("status", [502, 504])
async def test_gateway_error_is_a_page(sandbox: Sandbox, status: int) -> None:
    """What a gateway sends is HTML, and no problem document."""
    await arm(sandbox, "getCall", {"kind": "gateway_error", "status": status})
    response = await sandbox.client.get(f"/v1/calls/{SAMPLE}")
    assert (response.status_code, response.headers["content-type"]) == (status, "text/html")
    assert str(status) in response.text


async def test_wrong_type_is_the_body_under_another_name(sandbox: Sandbox) -> None:
    """The body is the usual JSON."""
    await arm(sandbox, "listAgents", {"kind": "wrong_type"})
    response = await sandbox.client.get("/v1/agents")
    assert response.headers["content-type"].startswith("text/html")
    assert response.json() == CATALOGUE.agent_list


async def test_empty_is_a_success_without_a_body(sandbox: Sandbox) -> None:
    """200 and nothing more."""
    await arm(sandbox, "getCall", {"kind": "empty"})
    response = await sandbox.client.get(f"/v1/calls/{SAMPLE}")
    assert (response.status_code, response.content) == (200, b"")
    assert response.headers["content-length"] == "0"


async def test_what_a_fault_took_away_is_not_covered(sandbox: Sandbox) -> None:
    """A response that the client never saw counts for no coverage; an armed problem does."""
    await arm(sandbox, "createCall", {"kind": "empty"})
    await arm(sandbox, "createCall", UNAVAILABLE)
    await statuses(sandbox, 2)
    covered = (await sandbox.client.get("/sandbox/coverage")).json()["items"]
    met = {item["name"] for item in covered if item["exchanges"]}
    assert met == {"createCall", "createCall 503", "createCall 503 provider_unavailable"}


@pytest.mark.parametrize("database", ["sqlite-memory"], indirect=True)
async def test_faults_do_not_need_the_store_for_agents(
    database: str, wall: FakeWall, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing is armed, `listAgents` reads the store once in a while and not each time."""
    async with running_sandbox(database, wall) as sandbox:
        reads = 0
        store = sandbox.runtime.store
        original = type(store).namespaces_with_faults

        async def counted(self: Any, *, limit: int) -> Any:
            nonlocal reads
            reads += 1
            return await original(self, limit=limit)

        monkeypatch.setattr(type(store), "namespaces_with_faults", counted)
        monkeypatch.setattr("voice_sandbox.simulation.faults._FRESH_SECONDS", 3600)
        for _ in range(20):
            await sandbox.client.get("/v1/agents")
        assert reads == 1
