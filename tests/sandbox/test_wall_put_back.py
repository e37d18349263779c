"""A machine whose wall clock is wrong, or is put right, changes nothing that was promised."""

import itertools
from collections.abc import Iterable

import pytest

from voice_sandbox.http.authentication import namespace_of
from voice_sandbox.journal.search import Search

from .conftest import (
    CATALOGUE,
    KEY,
    FakeWall,
    Sandbox,
    running_sandbox,
)

pytestmark = pytest.mark.anyio

ON_ENGINES = ["sqlite-file", "postgresql"]
ANSWERED = CATALOGUE.sample.phone
NEVER = "+12025550130"
JUMPS = [-86_400.0, -3600.0, -1.5, 3600.0, 90_000.0]


async def _now(sandbox: Sandbox) -> str:
    now: str = (await sandbox.client.get("/sandbox/clock")).json()["now"]
    return now


@pytest.mark.parametrize("jump", JUMPS)
async def test_calls_go_on_when_the_wall_jumps(sandbox: Sandbox, jump: float) -> None:
    """In the seconds after a jump a call rings, is answered and ends, and never steps back."""
    before = await _now(sandbox)
    sandbox.wall.advance(jump)
    call_id = await sandbox.create(ANSWERED)
    assert await _now(sandbox) >= before
    seen = []
    for _ in range(12):
        seen.append((await sandbox.read(call_id))["status"])
        sandbox.wall.advance(1)
        await sandbox.runtime.deliverer.deliver_due()
    assert [status for status, _ in itertools.groupby(seen)] == [
        "queued",
        "ringing",
        "in_progress",
        "completed",
    ]


@pytest.mark.parametrize("jumps", [[-3600.0], [-3600.0, -3600.0], [90_000.0, -90_000.0]])
async def test_newest_call_is_the_one_that_was_created_last(
    sandbox: Sandbox, jumps: Iterable[float]
) -> None:
    """The reference to the newest call follows the order of creation, whatever the wall showed."""
    await sandbox.create(NEVER)
    for jump in jumps:
        sandbox.wall.advance(jump)
        newest = await sandbox.create(NEVER)
    await sandbox.complete()
    assert (await sandbox.read(newest))["status"] == "completed"


@pytest.mark.parametrize("jump", JUMPS)
async def test_state_goes_on_after_a_restart_with_another_wall(database: str, jump: float) -> None:
    """A server that starts with the wall put back or ahead shows no earlier time, and calls end."""
    wall = FakeWall()
    async with running_sandbox(database, wall) as sandbox:
        call_id = await sandbox.create(ANSWERED)
        wall.advance(3)
        status, before = (await sandbox.read(call_id))["status"], await _now(sandbox)
    assert status == "in_progress"
    wall.advance(jump)
    async with running_sandbox(database, wall) as sandbox:
        assert await _now(sandbox) >= before
        assert (await sandbox.read(call_id))["status"] in {"in_progress", "completed"}
        wall.advance(5)
        await sandbox.runtime.deliverer.deliver_due()
        assert (await sandbox.read(call_id))["status"] == "completed"


@pytest.mark.parametrize("jump", JUMPS)
async def test_journal_goes_on_after_a_restart_with_another_wall(
    database: str, jump: float
) -> None:
    """What is sent after the restart is the newest in the journal, and on a stream that resumes."""
    wall = FakeWall()
    async with running_sandbox(database, wall) as sandbox:
        await sandbox.client.get("/v1/agents")
        [seen] = (await sandbox.client.get("/sandbox/journal")).json()["exchanges"]
    wall.advance(jump)
    async with running_sandbox(database, wall) as sandbox:
        await sandbox.create(NEVER)
        newest, *_ = (await sandbox.client.get("/sandbox/journal")).json()["exchanges"]
        assert newest["operation_id"] == "createCall"
        assert newest["seq"] > seen["seq"]
        assert newest["at"] >= seen["at"]


@pytest.mark.parametrize("seconds", [60, 3600, 1e9])
async def test_future_event_id_is_said_to_be_one(sandbox: Sandbox, seconds: float) -> None:
    """Nobody waits in silence for events after an id that no event can have yet."""
    await sandbox.client.get("/v1/agents")
    [seen] = (await sandbox.client.get("/sandbox/journal")).json()["exchanges"]
    future = f"{int((sandbox.wall() + seconds) * 1000):012x}" + seen["seq"][12:]
    journal = sandbox.runtime.journal
    events = journal.follow(namespace_of(KEY), Search(), after=future)
    ready = (await anext(events)).decode()
    assert f"id: {seen['seq']}" in ready
    assert "lies in the future" in ready
    await sandbox.client.get("/v1/agents")
    await journal.write()
    assert b"event: exchange" in await anext(events)
    await events.aclose()


async def test_wrong_wall_at_the_start_deletes_no_namespace(database: str) -> None:
    """A clock that is a day ahead when the server starts makes no key idle."""
    wall = FakeWall()
    async with running_sandbox(database, wall) as sandbox:
        call_id = await sandbox.create(NEVER)
    wall.advance(25 * 3600)
    async with running_sandbox(database, wall) as sandbox:
        await sandbox.runtime.expiry.sweep()
        wall.advance(-25 * 3600)
        assert (await sandbox.read(call_id))["call_id"] == call_id


async def test_idempotency_key_keeps_when_the_wall_is_put_back(sandbox: Sandbox) -> None:
    """A retry after the jump replays: virtual time, which ends the key, went on."""
    first = await sandbox.create(NEVER, **{"Idempotency-Key": "one"})
    sandbox.wall.advance(-3600)
    assert await sandbox.create(NEVER, **{"Idempotency-Key": "one"}) == first
