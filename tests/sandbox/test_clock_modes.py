"""What moves a clock: the wall, an advance alone, or the reads of a program that polls."""

import itertools
from typing import Any

import pytest

from voice_sandbox.calls.scenarios import Scenario

from .conftest import (
    CONTROL,
    SCENARIOS,
    FakeWall,
    Sandbox,
    assert_conforms,
    client_of,
    running_sandbox,
)

pytestmark = pytest.mark.anyio

ON_ENGINES = ["sqlite-memory", "postgresql"]

ANSWERED = SCENARIOS.default.number
CREATED = [scenario for scenario in SCENARIOS if scenario.rejection is None]


async def set_mode(sandbox: Sandbox, mode: str) -> dict[str, Any]:
    response = await sandbox.client.post("/sandbox/clock", json={"mode": mode})
    assert_conforms(CONTROL, response)
    assert response.status_code == 200
    return dict(response.json())


async def test_reads_move_the_clock_through_every_state(sandbox: Sandbox) -> None:
    """A loop sees queued, ringing, in_progress, completed in as many reads."""
    await set_mode(sandbox, "polls")
    call_id = await sandbox.create(ANSWERED)
    seen = [(await sandbox.read(call_id))["status"] for _ in range(4)]
    assert seen == ["queued", "ringing", "in_progress", "completed"]


@pytest.mark.parametrize("pause", [0, 100_000])
async def test_it_does_not_matter_how_long_a_loop_sleeps(sandbox: Sandbox, pause: float) -> None:
    """The wall moves nothing, so a slow loop misses no state and a fast one waits for none."""
    await set_mode(sandbox, "polls")
    call_id = await sandbox.create(ANSWERED)
    seen = []
    for _ in range(4):
        sandbox.wall.advance(pause)
        await sandbox.runtime.deliverer.deliver_due()
        seen.append((await sandbox.read(call_id))["status"])
    assert seen == ["queued", "ringing", "in_progress", "completed"]


@pytest.mark.parametrize("scenario", CREATED, ids=lambda scenario: scenario.name)
async def test_every_call_that_ends_ends_in_a_few_reads(
    sandbox: Sandbox, scenario: Scenario
) -> None:
    """Whatever a number plays, a loop gets to its last state, and stays there."""
    await set_mode(sandbox, "polls")
    call_id = await sandbox.create(scenario.number)
    seen = [(await sandbox.read(call_id))["status"] for _ in range(6)]
    plan = [seen[0], *(b for a, b in itertools.pairwise(seen) if a != b)]
    assert len(plan) == len(set(plan)), f"{plan} goes back"
    has_end = bool(scenario.completions)
    assert (seen[-1] not in ("queued", "ringing", "in_progress")) == has_end


async def test_journal_says_which_read_moved_the_clock(sandbox: Sandbox) -> None:
    """Each read that moved it names the time to which it did; a read of an ended call does not."""
    await set_mode(sandbox, "polls")
    call_id = await sandbox.create(ANSWERED)
    for _ in range(4):
        await sandbox.read(call_id)
    found = await sandbox.client.get("/sandbox/journal", params={"operation": "getCall"})
    whys = [entry["why"] for entry in found.json()["exchanges"]]
    assert whys[0] is None
    assert all("moved the clock to" in why for why in whys[1:])


async def test_call_that_never_ends_stays_where_it_is(sandbox: Sandbox) -> None:
    """Reads move no clock for a call that nothing is planned for."""
    await set_mode(sandbox, "polls")
    call_id = await sandbox.create(SCENARIOS.by_name["never_completes"].number)
    assert [(await sandbox.read(call_id))["status"] for _ in range(5)][2:] == ["in_progress"] * 3


async def test_other_calls_of_the_key_go_on_with_it(sandbox: Sandbox) -> None:
    """Time is that of the key: what is due for another call by then has happened."""
    await set_mode(sandbox, "polls")
    slow = await sandbox.create(SCENARIOS.by_name["no_answer"].number)
    fast = await sandbox.create(SCENARIOS.by_name["busy"].number)
    for _ in range(3):
        await sandbox.read(slow)
    assert (await sandbox.read(fast))["status"] == "busy"


async def test_manual_clock_stands_until_it_is_advanced(sandbox: Sandbox) -> None:
    """Neither the wall nor a read moves it."""
    before = await set_mode(sandbox, "manual")
    call_id = await sandbox.create(ANSWERED)
    sandbox.wall.advance(3600)
    await sandbox.runtime.deliverer.deliver_due()
    for _ in range(3):
        assert (await sandbox.read(call_id))["status"] == "queued"
    assert (await sandbox.client.get("/sandbox/clock")).json()["now"] == before["now"]
    await sandbox.advance(60)
    assert (await sandbox.read(call_id))["status"] == "completed"


async def test_wall_moves_the_clock_again(sandbox: Sandbox) -> None:
    """Back in the mode `wall` it goes on from where it stood, and completions come."""
    stood = await set_mode(sandbox, "manual")
    call_id = await sandbox.create(ANSWERED)
    sandbox.wall.advance(3600)
    assert (await set_mode(sandbox, "wall"))["now"] == stood["now"]
    sandbox.wall.advance(9)
    await sandbox.runtime.deliverer.deliver_due()
    assert (await sandbox.read(call_id))["status"] == "completed"


async def test_what_was_due_is_delivered_before_a_clock_stands(sandbox: Sandbox) -> None:
    """No completion is left between two clocks."""
    call_id = await sandbox.create(ANSWERED)
    sandbox.wall.advance(60)
    await set_mode(sandbox, "manual")
    assert (await sandbox.read(call_id))["status"] == "completed"


async def test_mode_belongs_to_a_key_and_ends_with_its_namespace(sandbox: Sandbox) -> None:
    """Another key goes by the wall, and so does one that was emptied."""
    await set_mode(sandbox, "polls")
    async with client_of(sandbox.app, "sandbox_other") as other:
        assert (await other.get("/sandbox/clock")).json()["mode"] == "wall"
    await sandbox.client.delete("/sandbox/state")
    assert (await sandbox.client.get("/sandbox/clock")).json()["mode"] == "wall"


@pytest.mark.parametrize("mode", ["manual", "polls"])
async def test_new_keys_have_the_mode_of_the_deployment(
    database: str, wall: FakeWall, mode: str
) -> None:
    """`serve --clock polls` needs no change in a test."""
    async with running_sandbox(database, wall, clock_mode=mode) as sandbox:
        response = await sandbox.client.get("/sandbox/clock")
        assert_conforms(CONTROL, response)
        assert response.json()["mode"] == mode


async def test_standing_clock_still_runs_until_idle(sandbox: Sandbox) -> None:
    """`until: idle` delivers everything in every mode."""
    await set_mode(sandbox, "manual")
    call_id = await sandbox.create(ANSWERED)
    await sandbox.client.post("/sandbox/clock", json={"until": "idle"})
    assert (await sandbox.read(call_id))["status"] == "completed"


@pytest.mark.parametrize("body", [{"mode": "fast"}, {"mode": None}, {"mode": "polls", "until": 1}])
async def test_mode_that_is_none_is_rejected(sandbox: Sandbox, body: Any) -> None:
    """422 says which modes there are."""
    response = await sandbox.client.post("/sandbox/clock", json=body)
    assert_conforms(CONTROL, response)
    assert response.status_code == 422
    assert "polls" in response.text
