"""The control API: it keeps its own contract, and touches one namespace only."""

from typing import Any

import httpx2
import pytest
from uuid_utils import UUID

import voice_sandbox as package
from voice_sandbox.calls.provider import provider_call_id
from voice_sandbox.contract.model import Contract

from .conftest import (
    CATALOGUE,
    CONTROL,
    START,
    FakeWall,
    Sandbox,
    assert_conforms,
    client_of,
    running_sandbox,
)

pytestmark = pytest.mark.anyio

ON_ENGINES = ["sqlite-memory", "postgresql"]


ANSWERED = "+12025550100"
NEVER = "+12025550130"
SAMPLE = str(CATALOGUE.sample.call_id)
JSON = {"Content-Type": "application/json"}


async def advance(sandbox: Sandbox, body: Any) -> httpx2.Response:
    return await sandbox.client.post("/sandbox/clock", json=body)


# GET /sandbox


async def test_says_what_it_is_without_a_token(
    sandbox: Sandbox, contract: Contract, control_contract: Contract
) -> None:
    """Whoever is about to place calls can ask first whether phones will ring."""
    async with client_of(sandbox.app, None) as client:
        response = await client.get("/sandbox")
    assert_conforms(control_contract, response)
    assert response.json() == {
        "sandbox": True,
        "version": package.__version__,
        "contract": {"version": contract.version, "sha256": contract.sha256},
    }


async def test_says_so_to_a_wrong_token_too(sandbox: Sandbox) -> None:
    """The question needs no key, so no key is wrong."""
    async with client_of(sandbox.app, "live-key") as client:
        assert (await client.get("/sandbox")).json()["sandbox"] is True


# Everything else needs a token


@pytest.mark.parametrize(
    "operation",
    [operation for operation in CONTROL.operations.values() if operation.authenticated],
    ids=lambda operation: operation.operation_id,
)
async def test_needs_a_token(sandbox: Sandbox, control_contract: Contract, operation: Any) -> None:
    """Only what the sandbox says of itself is public."""
    path = operation.path.replace("{call_id}", SAMPLE).replace("{request_id}", "req_12345678")
    async with client_of(sandbox.app, None) as client:
        response = await client.request(operation.method, path)
    assert_conforms(control_contract, response)
    assert response.status_code == 401


# Calls


@pytest.mark.parametrize("scenario", ["answered", "never_completes", "conflicting", "unknown_word"])
@pytest.mark.parametrize("seconds", [0, 1, 8, 9, 60])
async def test_inspected_call_conforms(
    sandbox: Sandbox, control_contract: Contract, scenarios: Any, scenario: str, seconds: int
) -> None:
    """At every moment of its life the provider's side of a call is as the contract says."""
    call_id = await sandbox.create(scenarios.by_name[scenario].number)
    await sandbox.advance(seconds)
    response = await sandbox.client.get(f"/sandbox/calls/{call_id}")
    assert_conforms(control_contract, response)
    assert response.json()["scenario"] == scenario


async def test_inspected_call_shows_the_provider_s_id(sandbox: Sandbox) -> None:
    """Here, and nowhere else, the provider's id of a call can be read."""
    call_id = await sandbox.create(ANSWERED)
    shown = (await sandbox.inspect(call_id))["provider_call_id"]
    assert shown == provider_call_id(UUID(call_id))


async def test_timeline_tells_when(sandbox: Sandbox) -> None:
    """Each state that a call reached is told with its instant on the virtual clock."""
    call_id = await sandbox.create(ANSWERED)
    await sandbox.advance(60)
    assert [
        (reached["status"], reached["at"])
        for reached in (await sandbox.inspect(call_id))["timeline"]
    ] == [
        ("queued", "2026-11-24T09:30:00.000Z"),
        ("ringing", "2026-11-24T09:30:01.000Z"),
        ("in_progress", "2026-11-24T09:30:03.000Z"),
        ("completed", "2026-11-24T09:30:08.000Z"),
    ]


async def test_timeline_of_a_call_that_skipped_ahead(sandbox: Sandbox) -> None:
    """A call that ended while it rang was never in progress."""
    call_id = await sandbox.create(ANSWERED)
    await sandbox.advance(1)
    await sandbox.complete()
    await sandbox.advance(60)
    timeline = (await sandbox.inspect(call_id))["timeline"]
    assert [reached["status"] for reached in timeline] == ["queued", "ringing", "completed"]


async def test_sample_call_can_be_inspected(sandbox: Sandbox, control_contract: Contract) -> None:
    """The call that every namespace starts with has a provider's side too."""
    response = await sandbox.client.get(f"/sandbox/calls/{SAMPLE}")
    assert_conforms(control_contract, response)
    assert response.json()["completed_by"] is None


@pytest.mark.parametrize("call_id", ["00000000-0000-4000-8000-000000000000", "x", SAMPLE[:-1]])
async def test_unknown_call_is_not_found(
    sandbox: Sandbox, control_contract: Contract, call_id: str
) -> None:
    """An id of no call is rejected as the service rejects it."""
    response = await sandbox.client.get(f"/sandbox/calls/{call_id}")
    assert_conforms(control_contract, response)
    assert response.json()["code"] == "call_not_found"


async def test_call_of_another_key_is_not_found(sandbox: Sandbox) -> None:
    """Nobody looks behind the calls of somebody else."""
    call_id = await sandbox.create(ANSWERED)
    async with client_of(sandbox.app, "sandbox_other") as other:
        assert (await other.get(f"/sandbox/calls/{call_id}")).status_code == 404


# Clock


async def test_clock_is_the_wall_at_first(sandbox: Sandbox, control_contract: Contract) -> None:
    """A fresh namespace shows the wall's time and has nothing pending."""
    response = await sandbox.client.get("/sandbox/clock")
    assert_conforms(control_contract, response)
    assert response.json() == {
        "now": "2026-11-24T09:30:00.000Z",
        "rate": 1.0,
        "mode": "wall",
        "next_due_at": None,
    }


async def test_clock_names_what_is_due_next(sandbox: Sandbox) -> None:
    """A test can see how far it has to advance."""
    await sandbox.create("+12025550101")
    await sandbox.create(ANSWERED)
    clock = (await sandbox.client.get("/sandbox/clock")).json()
    assert clock["next_due_at"] == "2026-11-24T09:30:08.000Z"


@pytest.mark.parametrize("seconds", [0, 0.001, 1, 1.5, 1e3, 31_536_000])
async def test_advance_conforms(
    sandbox: Sandbox, control_contract: Contract, seconds: float
) -> None:
    """Whatever is allowed moves the clock by just that much."""
    response = await advance(sandbox, {"advance_seconds": seconds})
    assert_conforms(control_contract, response)
    read = await sandbox.client.get("/sandbox/clock")
    assert response.json() == read.json()
    assert sandbox.wall() == START


@pytest.mark.parametrize(
    "body",
    [
        {"advance_seconds": -1},
        {"advance_seconds": -0.001},
        {"advance_seconds": 31_536_001},
        {"advance_seconds": 31_536_000.5},
        {"advance_seconds": 1e300},
        {"advance_seconds": 10**30},
        {"advance_seconds": "30"},
        {"advance_seconds": None},
        {"advance_seconds": True},
        {"advance_seconds": [30]},
        {"advance_seconds": 30, "extra": 1},
        {"seconds": 30},
        {},
        [],
        30,
    ],
    ids=repr,
)
async def test_wrong_advance_is_rejected(
    sandbox: Sandbox, control_contract: Contract, body: Any
) -> None:
    """Time moves forward only, by a number, by a year at most."""
    response = await advance(sandbox, body)
    assert_conforms(control_contract, response)
    assert response.status_code == 422
    assert (await sandbox.client.get("/sandbox/clock")).json()["now"].startswith("2026-11-24T09:30")


ADVANCE = CONTROL.operations["advanceClock"].body
assert ADVANCE is not None


@pytest.mark.parametrize(
    ("number", "status"),
    [("9" * ADVANCE.max_bytes, 413), ("9" * 100, 422), ("0x1", 400)],
    ids=["endless", "long", "no JSON"],
)
async def test_what_is_no_number_at_all_is_rejected(
    sandbox: Sandbox, control_contract: Contract, number: str, status: int
) -> None:
    """What JSON cannot read is 400, what no clock can show 422, and what has no end 413."""
    body = f'{{"advance_seconds": {number}}}'
    response = await sandbox.client.post("/sandbox/clock", content=body, headers=JSON)
    assert_conforms(control_contract, response)
    assert response.status_code == status


async def test_advance_belongs_to_one_namespace(sandbox: Sandbox) -> None:
    """The clock of one key says nothing about another's."""
    async with client_of(sandbox.app, "sandbox_other") as other:
        before = (await other.get("/sandbox/clock")).json()
        await sandbox.advance(3600)
        assert (await other.get("/sandbox/clock")).json() == before


async def test_moved_clock_follows_the_wall(sandbox: Sandbox) -> None:
    """After an advance the clock runs on from where it was put."""
    await sandbox.advance(60)
    sandbox.wall.advance(1)
    clock = (await sandbox.client.get("/sandbox/clock")).json()
    assert clock["now"] == "2026-11-24T09:31:01.000Z"


async def test_wall_that_is_set_back_breaks_nothing(sandbox: Sandbox) -> None:
    """A correction of the machine's clock does not carry a namespace before its beginning."""
    await sandbox.client.get("/sandbox/clock")
    sandbox.wall.advance(-3600)
    clock = (await sandbox.client.get("/sandbox/clock")).json()
    assert clock["now"] == "2026-11-24T09:30:00.000Z"


async def test_clock_at_the_end_of_time_still_answers(
    wall: FakeWall, control_contract: Contract
) -> None:
    """However far a clock was moved, the sandbox answers as documented."""
    async with running_sandbox("sqlite:///:memory:", wall, speed=1e6) as sandbox:
        await sandbox.client.get("/sandbox/clock")
        wall.advance(300_000)
        call_id = await sandbox.create(NEVER)
        for response in (
            await sandbox.client.get("/sandbox/clock"),
            await advance(sandbox, {"advance_seconds": 31_536_000}),
            await sandbox.client.get(f"/sandbox/calls/{call_id}"),
        ):
            assert_conforms(control_contract, response)
            assert response.status_code == 200


async def test_rate_is_the_speed_that_the_namespace_opened_with(wall: FakeWall) -> None:
    """The clock says how fast it runs."""
    async with running_sandbox("sqlite:///:memory:", wall, speed=10.0) as sandbox:
        assert (await sandbox.client.get("/sandbox/clock")).json()["rate"] == 10


# State


async def test_reset_empties_the_namespace(sandbox: Sandbox, control_contract: Contract) -> None:
    """Calls, kept keys, plans and the moved clock are gone, and the sample call is back."""
    call_id = await sandbox.create(ANSWERED, **{"Idempotency-Key": "one"})
    await sandbox.advance(60)
    response = await sandbox.client.delete("/sandbox/state")
    assert_conforms(control_contract, response)
    assert (await sandbox.client.get(f"/v1/calls/{call_id}")).status_code == 404
    assert (await sandbox.read(SAMPLE))["status"] == "completed"
    assert (await sandbox.client.get("/sandbox/clock")).json() == {
        "now": "2026-11-24T09:30:00.000Z",
        "rate": 1.0,
        "mode": "wall",
        "next_due_at": None,
    }
    assert await sandbox.create(ANSWERED, **{"Idempotency-Key": "one"}) != call_id


async def test_reset_leaves_other_namespaces_alone(sandbox: Sandbox) -> None:
    """One test that cleans up takes nothing from another."""
    async with client_of(sandbox.app, "sandbox_other") as client:
        other = Sandbox(sandbox.app, sandbox.wall, client)
        call_id = await other.create(ANSWERED)
        await sandbox.client.delete("/sandbox/state")
        assert (await other.read(call_id))["status"] == "queued"


async def test_reset_of_an_empty_namespace_is_no_error(
    sandbox: Sandbox, control_contract: Contract
) -> None:
    """Cleaning up twice, or before anything happened, is fine."""
    for _ in range(2):
        assert_conforms(control_contract, await sandbox.client.delete("/sandbox/state"))


# Ending a call


@pytest.mark.parametrize(("word", "status"), CATALOGUE.normalized_status.items())
async def test_end_gives_every_outcome(
    sandbox: Sandbox, control_contract: Contract, word: str, status: str
) -> None:
    """A call can be ended now with any word of the provider."""
    call_id = await sandbox.create(ANSWERED)
    body = {"status": word, "transcript": None, "duration": 0}
    response = await sandbox.client.post(f"/sandbox/calls/{call_id}/end", json=body)
    assert_conforms(control_contract, response)
    assert (await sandbox.read(call_id))["status"] == status


async def test_ended_call_hears_no_more(sandbox: Sandbox) -> None:
    """What the provider had planned for the call is dropped."""
    call_id = await sandbox.create(ANSWERED)
    body = {"status": "busy", "transcript": None, "duration": 0}
    await sandbox.client.post(f"/sandbox/calls/{call_id}/end", json=body)
    clock = await sandbox.advance(3600)
    assert clock["next_due_at"] is None
    assert (await sandbox.read(call_id))["status"] == "busy"


async def test_ended_call_shows_no_plan_that_was_dropped(sandbox: Sandbox) -> None:
    """What the provider will not do any more is not among its deliveries."""
    call_id = await sandbox.create(ANSWERED)
    body = {"status": "busy", "transcript": None, "duration": 0}
    ended = await sandbox.client.post(f"/sandbox/calls/{call_id}/end", json=body)
    assert ended.json()["deliveries"] == []
    assert (await sandbox.client.get(f"/sandbox/calls/{call_id}")).json()["deliveries"] == []


async def test_end_is_rejected_as_the_webhook_rejects(
    sandbox: Sandbox, control_contract: Contract
) -> None:
    """An outcome that the state forbids is 409 here too, and the call goes on."""
    call_id = await sandbox.create(ANSWERED)
    await sandbox.advance(3)
    body = {"status": "busy", "transcript": None, "duration": 0}
    response = await sandbox.client.post(f"/sandbox/calls/{call_id}/end", json=body)
    assert_conforms(control_contract, response)
    assert response.json()["code"] == "impossible_outcome"
    await sandbox.advance(5)
    assert (await sandbox.read(call_id))["status"] == "completed"


async def test_end_with_an_unusable_transcript_is_rejected(
    sandbox: Sandbox, control_contract: Contract
) -> None:
    """What the webhook cannot send back it does not take from here either."""
    call_id = await sandbox.create(ANSWERED)
    body = {"status": "completed", "transcript": "prov_x", "duration": 0}
    response = await sandbox.client.post(f"/sandbox/calls/{call_id}/end", json=body)
    assert_conforms(control_contract, response)
    assert [error["pointer"] for error in response.json()["errors"]] == ["/transcript"]


# Until idle


async def test_until_idle_plays_everything_pending(
    sandbox: Sandbox, control_contract: Contract
) -> None:
    """Nobody has to know how long a call takes."""
    call_ids = [
        await sandbox.create(number) for number in (ANSWERED, "+12025550101", "+12025550133")
    ]
    response = await advance(sandbox, {"until": "idle"})
    assert_conforms(control_contract, response)
    assert response.json()["next_due_at"] is None
    for call_id in call_ids:
        assert (await sandbox.read(call_id))["status"] == "completed"


async def test_until_idle_moves_nothing_where_nothing_is_pending(sandbox: Sandbox) -> None:
    """A namespace that waits for nothing stays where it is."""
    await sandbox.create(NEVER)
    response = await advance(sandbox, {"until": "idle"})
    assert response.json()["now"] == "2026-11-24T09:30:00.000Z"


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "1e-400", "9" * 40])
async def test_clock_takes_no_number_that_is_none(
    sandbox: Sandbox, control_contract: Contract, number: str
) -> None:
    """To a clock these are wrong values: 422, as for a negative number or a century."""
    response = await sandbox.client.post(
        "/sandbox/clock", content=f'{{"advance_seconds": {number}}}', headers=JSON
    )
    assert_conforms(control_contract, response)
    assert response.json()["code"] == "validation_failed"
    assert (await sandbox.client.get("/sandbox/clock")).json()["now"] == "2026-11-24T09:30:00.000Z"
