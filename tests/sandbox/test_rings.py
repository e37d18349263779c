"""Rings: how often each number was dialled, as the proof that a retry called nobody twice."""

from typing import Any

import pytest

from voice_sandbox.api import failures

from .conftest import CONTROL, SCENARIOS, Sandbox, assert_conforms, client_of, new_call

pytestmark = pytest.mark.anyio

ON_ENGINES = ["sqlite-memory", "postgresql"]

BUSY = SCENARIOS.by_name["busy"].number
ANSWERED = SCENARIOS.default.number
UNAVAILABLE = SCENARIOS.by_name["provider_unavailable"].number


async def rings(sandbox: Sandbox, **query: str) -> list[dict[str, Any]]:
    response = await sandbox.client.get("/sandbox/rings", params=query)
    assert_conforms(CONTROL, response)
    assert response.status_code == 200
    return list(response.json()["rings"])


async def test_new_key_has_rung_nobody(sandbox: Sandbox) -> None:
    """The sample call of a key is no ring."""
    await sandbox.advance(1)
    assert await rings(sandbox) == []
    assert await rings(sandbox, phone=BUSY) == [
        {"phone": BUSY, "count": 0, "call_ids": [], "request_ids": []}
    ]


async def test_every_created_call_rings(sandbox: Sandbox) -> None:
    """Each number is listed with its calls, and with the requests that created them."""
    created: dict[str, list[str]] = {ANSWERED: [], BUSY: []}
    for phone in (BUSY, ANSWERED, BUSY):
        created[phone].append(await sandbox.create(phone))
    requests = [exchange.request_id for exchange in sandbox.exchanges]
    assert await rings(sandbox) == [
        {
            "phone": ANSWERED,
            "count": 1,
            "call_ids": created[ANSWERED],
            "request_ids": [requests[1]],
        },
        {
            "phone": BUSY,
            "count": 2,
            "call_ids": created[BUSY],
            "request_ids": [requests[0], requests[2]],
        },
    ]
    assert [ring["phone"] for ring in await rings(sandbox, phone=ANSWERED)] == [ANSWERED]


async def test_rejected_creation_does_not_ring(sandbox: Sandbox) -> None:
    """503 has called nobody."""
    body = {**new_call(), "phone": UNAVAILABLE}
    assert (await sandbox.client.post("/v1/calls", json=body)).status_code == 503
    assert await rings(sandbox) == []


async def test_replay_does_not_ring(sandbox: Sandbox) -> None:
    """The same `Idempotency-Key` has called once."""
    for _ in range(3):
        await sandbox.create(BUSY, **{"Idempotency-Key": "order-1842"})
    assert [ring["count"] for ring in await rings(sandbox)] == [1]


async def test_rings_belong_to_a_key(sandbox: Sandbox) -> None:
    """Another key has dialled nothing, and an emptied one neither."""
    await sandbox.create(BUSY)
    async with client_of(sandbox.app, "sandbox_other") as other:
        assert (await other.get("/sandbox/rings")).json() == {"rings": []}
    await sandbox.client.delete("/sandbox/state")
    assert await rings(sandbox) == []


async def test_many_rings_are_counted_exactly_and_named_in_part(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counts are of all calls; the newest calls and the numbers dialled last are listed."""
    monkeypatch.setattr(failures, "_RINGS_A_TURN", 2)
    monkeypatch.setattr(failures, "_IDS_LIMIT", 2)
    monkeypatch.setattr(failures, "_NUMBERS_LIMIT", 1)
    await sandbox.create(ANSWERED)
    calls = [await sandbox.create(BUSY) for _ in range(5)]
    [ring] = await rings(sandbox)
    assert (ring["phone"], ring["count"], ring["call_ids"]) == (BUSY, 5, calls[-2:])


@pytest.mark.parametrize("phone", ["555", " 12025550100", ""])
async def test_number_that_is_none_is_rejected(sandbox: Sandbox, phone: str) -> None:
    """400 says how a number looks; a plus sign that was not escaped arrives as a blank."""
    response = await sandbox.client.get("/sandbox/rings", params={"phone": phone})
    assert_conforms(CONTROL, response)
    assert response.json()["code"] == "invalid_parameter"
