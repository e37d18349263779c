"""The simulated provider at work: every scenario from creation to end, and what may go wrong."""

import asyncio
import json
import math
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from uuid_utils import UUID

from sandbox_process import start_sandbox
from voice_sandbox.calls.scenarios import Scenario
from voice_sandbox.contract.model import Contract
from voice_sandbox.http.authentication import namespace_of
from voice_sandbox.simulation.delivery import BATCH, LEASE_SECONDS
from voice_sandbox.store.protocol import Due

from .conftest import (
    CATALOGUE,
    KEY,
    SCENARIOS,
    START,
    FakeWall,
    Sandbox,
    assert_conforms,
    client_of,
    new_call,
    running_sandbox,
)

pytestmark = pytest.mark.anyio

ON_ENGINES = ["sqlite-memory", "postgresql"]


ANSWERED = "+12025550100"
TWICE = "+12025550131"
HELLO = "agent: Hello\nuser: Hi"

# name: status, transcript (... where there is one, whatever it says), duration, delivery answers
ENDS: dict[str, tuple[str, Any, int | None, list[int]]] = {
    "answered": ("completed", ..., 5, [200]),
    "long_talk": ("completed", ..., 120, [200]),
    "kyrgyz": ("completed", ..., 11, [200]),
    "russian": ("completed", ..., 11, [200]),
    "voicemail": ("completed", ..., 8, [200]),
    "silence": ("completed", None, 10, [200]),
    "empty_transcript": ("completed", None, 5, [200]),
    "longest_transcript": ("completed", ..., 60, [200]),
    "no_answer": ("no_answer", None, 0, [200]),
    "busy": ("busy", None, 0, [200]),
    "rejected": ("busy", None, 0, [200]),
    "invalid_number": ("failed", None, 0, [200]),
    "canceled": ("canceled", None, 0, [200]),
    "dropped": ("failed", ..., 3, [200]),
    "stuck_queued": ("queued", None, None, []),
    "stuck_ringing": ("ringing", None, None, []),
    "never_completes": ("in_progress", None, None, []),
    "colon_in_turn": ("completed", ..., 6, [200]),
    "right_to_left": ("completed", ..., 6, [200]),
    "same_speaker": ("completed", ..., 6, [200]),
    "interrupted_line": ("completed", ..., 6, [200]),
    "long_line": ("completed", ..., 60, [200]),
    "delivered_twice": ("completed", HELLO, 5, [200, 200]),
    "delivered_late": ("completed", HELLO, 5, [200]),
    "conflicting": ("completed", HELLO, 5, [200, 409]),
    "before_ringing": ("completed", HELLO, 1, [200]),
    "unknown_word": ("completed", HELLO, 5, [422, 200]),
}
PLAYED = [scenario for scenario in SCENARIOS if scenario.rejection is None]


def test_every_scenario_is_played() -> None:
    """No scenario of the catalogue goes without a run from creation to end."""
    assert set(ENDS) == {scenario.name for scenario in PLAYED}


@pytest.mark.parametrize("scenario", PLAYED, ids=lambda scenario: scenario.name)
async def test_scenario_ends_as_it_says(
    sandbox: Sandbox, contract: Contract, scenario: Scenario
) -> None:
    """Each scenario gives the status, transcript, duration and deliveries that it promises."""
    status, transcript, duration, responses = ENDS[scenario.name]
    call_id = await sandbox.create(scenario.number)
    await sandbox.advance(3600)
    response = await sandbox.client.get(f"/v1/calls/{call_id}")
    assert_conforms(contract, response)
    call = response.json()
    said = call["transcript"]
    assert (call["status"], call["duration"]) == (status, duration)
    assert said == (said if transcript is ... and said else transcript)
    inspected = await sandbox.inspect(call_id)
    assert [delivery["answered"] for delivery in inspected["deliveries"]] == responses


@pytest.mark.parametrize("scenario", PLAYED, ids=lambda scenario: scenario.name)
async def test_scenario_goes_the_same_way_on_the_wall(sandbox: Sandbox, scenario: Scenario) -> None:
    """Second by second on the wall, a call ends as it ends by one great advance."""
    call_id = await sandbox.create(scenario.number)
    for _ in range(130):
        sandbox.wall.advance(1)
        await sandbox.runtime.deliverer.deliver_due()
    call = await sandbox.read(call_id)
    assert (call["status"], call["duration"]) == (ENDS[scenario.name][0], ENDS[scenario.name][2])
    inspected = await sandbox.inspect(call_id)
    assert [d["answered"] for d in inspected["deliveries"]] == ENDS[scenario.name][3]


@pytest.mark.parametrize("scenario", PLAYED, ids=lambda scenario: scenario.name)
async def test_states_come_when_the_catalogue_says(sandbox: Sandbox, scenario: Scenario) -> None:
    """The time line of a call is the scenario's, to the second."""
    call_id = await sandbox.create(scenario.number)
    await sandbox.advance(0.5)
    for second, status in (
        (scenario.ringing_after_seconds, "ringing"),
        (scenario.answered_after_seconds, "in_progress"),
    ):
        ends_before = scenario.completions and (second or 0) > scenario.completions[0].after_seconds
        if second is None or ends_before:
            continue
        now = (await sandbox.inspect(call_id))["timeline"]
        assert status not in [reached["status"] for reached in now]
        already = 0.5 if len(now) == 1 else scenario.ringing_after_seconds
        assert already is not None
        await sandbox.advance(second - already)
        assert (await sandbox.read(call_id))["status"] == status


async def test_completion_is_due_to_the_instant(sandbox: Sandbox) -> None:
    """A moment before its time a call goes on, and at its time it is over."""
    call_id = await sandbox.create(ANSWERED)
    await sandbox.advance(7.999)
    assert (await sandbox.read(call_id))["status"] == "in_progress"
    await sandbox.advance(0.001)
    assert (await sandbox.read(call_id))["status"] == "completed"


async def test_everything_due_has_happened_after_an_advance(sandbox: Sandbox) -> None:
    """Of a hundred calls not one is still open when the response to the advance arrives."""
    call_ids = [await sandbox.create(ANSWERED) for _ in range(BATCH + 20)]
    clock = await sandbox.advance(8)
    assert clock["next_due_at"] is None
    for call_id in call_ids:
        assert (await sandbox.read(call_id))["status"] == "completed"


async def test_two_advances_at_once_deliver_once(sandbox: Sandbox) -> None:
    """Whoever advances beside somebody else waits for the same deliveries."""
    call_ids = [await sandbox.create(TWICE) for _ in range(10)]
    await asyncio.gather(*(sandbox.advance(9) for _ in range(5)))
    for call_id in call_ids:
        deliveries = (await sandbox.inspect(call_id))["deliveries"]
        assert [delivery["answered"] for delivery in deliveries] == [200, 200]


async def test_advance_and_background_deliver_once(sandbox: Sandbox) -> None:
    """What is due on the wall is delivered once, whoever comes first."""
    call_ids = [await sandbox.create(TWICE) for _ in range(10)]
    sandbox.wall.advance(9)
    await asyncio.gather(
        sandbox.advance(0), sandbox.runtime.deliverer.deliver_due(), sandbox.advance(0)
    )
    for call_id in call_ids:
        deliveries = (await sandbox.inspect(call_id))["deliveries"]
        assert [delivery["answered"] for delivery in deliveries] == [200, 200]


async def test_completion_is_a_request_like_any_other(sandbox: Sandbox) -> None:
    """The provider's completion passes the webhook operation, as the provider."""
    call_id = await sandbox.create(ANSWERED)
    await sandbox.advance(8)
    [posted] = [seen for seen in sandbox.exchanges if seen.by_provider]
    assert (posted.operation_id, posted.status) == ("callCompleted", 200)
    assert (await sandbox.inspect(call_id))["completed_by"] == posted.request_id


async def test_completion_by_hand_drops_the_plan(sandbox: Sandbox) -> None:
    """Whoever completes a call by hand hears nothing more of the provider."""
    call_id = await sandbox.create(ANSWERED)
    await sandbox.complete(status="busy", transcript=None, duration=0)
    await sandbox.advance(3600)
    assert (await sandbox.read(call_id))["status"] == "busy"
    assert [seen for seen in sandbox.exchanges if seen.by_provider] == []


async def test_completion_by_hand_between_two_deliveries_drops_the_second(
    sandbox: Sandbox,
) -> None:
    """After a rejected delivery of an unknown word, a completion by hand ends the call."""
    call_id = await sandbox.create("+12025550135")
    await sandbox.advance(8)
    await sandbox.complete(status="failed", transcript=None, duration=5)
    await sandbox.advance(3600)
    assert (await sandbox.read(call_id))["status"] == "failed"
    assert [seen.status for seen in sandbox.exchanges if seen.by_provider] == [422]


async def test_namespaces_move_apart(sandbox: Sandbox) -> None:
    """The advance of one key leaves the calls of another where they are."""
    async with client_of(sandbox.app, "sandbox_other") as client:
        other = Sandbox(sandbox.app, sandbox.wall, client)
        call_id = await other.create(ANSWERED)
        await sandbox.create(ANSWERED)
        await sandbox.advance(3600)
        assert (await other.read(call_id))["status"] == "queued"


async def test_deliveries_after_the_clock_was_moved_keep_their_distance(
    sandbox: Sandbox,
) -> None:
    """What an advance has not reached is delivered on the wall, at its time on the clock."""
    call_id = await sandbox.create(ANSWERED)
    await sandbox.advance(6)
    sandbox.wall.advance(1.9)
    await sandbox.runtime.deliverer.deliver_due()
    assert (await sandbox.read(call_id))["status"] == "in_progress"
    sandbox.wall.advance(0.2)
    await sandbox.runtime.deliverer.deliver_due()
    assert (await sandbox.read(call_id))["status"] == "completed"


async def test_speed_is_virtual_seconds_a_wall_second(wall: FakeWall) -> None:
    """At speed 10 a call of eight seconds takes 0.8 on the wall."""
    async with running_sandbox("sqlite:///:memory:", wall, speed=10.0) as sandbox:
        call_id = await sandbox.create(ANSWERED)
        wall.advance(0.81)
        await sandbox.runtime.deliverer.deliver_due()
        assert (await sandbox.read(call_id))["status"] == "completed"


async def test_background_delivers_by_itself() -> None:
    """Nobody has to ask: on the real wall a fast call completes in the background."""
    async with running_sandbox("sqlite:///:memory:", time.time, speed=100.0) as sandbox:  # type: ignore[arg-type]
        call_id = await sandbox.create(ANSWERED)
        await _until(lambda: _is(sandbox, call_id, "completed"))


async def test_call_planned_later_but_due_earlier_wakes_the_background() -> None:
    """A short call is not kept waiting by a long one that was planned before it."""
    async with running_sandbox("sqlite:///:memory:", time.time, speed=100.0) as sandbox:  # type: ignore[arg-type]
        await sandbox.create("+12025550101")
        call_id = await sandbox.create("+12025550113")
        await _until(lambda: _is(sandbox, call_id, "failed"))


async def test_restart_takes_up_what_was_planned(tmp_path: Path, wall: FakeWall) -> None:
    """What came due while no process ran is delivered by the next one."""
    database = f"sqlite:///{tmp_path}/calls.db"
    async with running_sandbox(database, wall) as sandbox:
        call_id = await sandbox.create(ANSWERED)
    wall.advance(60)
    async with running_sandbox(database, wall) as sandbox:
        await _until(lambda: _is(sandbox, call_id, "completed"))


async def _is(sandbox: Sandbox, call_id: str, status: str) -> bool:
    return bool((await sandbox.read(call_id))["status"] == status)


async def _answers(sandbox: Sandbox, call_id: str, responses: list[int | None]) -> bool:
    deliveries = (await sandbox.inspect(call_id))["deliveries"]
    return [delivery["answered"] for delivery in deliveries] == responses


async def _until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Waits until it is so, for five seconds at most."""
    async with asyncio.timeout(5):
        while not await condition():
            await asyncio.sleep(0.005)


# What may go wrong


async def _claimed_by_a_crashed_process(sandbox: Sandbox, *, seconds: float = LEASE_SECONDS) -> Due:
    """Eight seconds on, something else has claimed what is due, and will never finish it."""
    # Claimed first: on the wall as it stands the background finds nothing due.
    [due] = await sandbox.runtime.store.claim_due(
        wall_now=sandbox.wall() + 8, lease_seconds=seconds, limit=BATCH
    )
    sandbox.wall.advance(8)
    return due


async def test_delivery_of_a_crashed_process_waits_for_its_lease(sandbox: Sandbox) -> None:
    """While a lease lasts nobody delivers in its place; after it somebody does."""
    call_id = await sandbox.create(ANSWERED)
    await _claimed_by_a_crashed_process(sandbox)
    sandbox.wall.advance(LEASE_SECONDS - 1)
    await sandbox.runtime.deliverer.deliver_due()
    assert (await sandbox.read(call_id))["status"] == "in_progress"
    sandbox.wall.advance(1)
    await sandbox.runtime.deliverer.deliver_due()
    await _until(lambda: _is(sandbox, call_id, "completed"))


async def test_redelivery_changes_nothing(sandbox: Sandbox) -> None:
    """A process that died after its post but before its note leaves a call that stays as it is."""
    call_id = await sandbox.create(ANSWERED)
    await _claimed_by_a_crashed_process(sandbox)
    planned = (await sandbox.inspect(call_id))["deliveries"][0]["payload"]
    call = await sandbox.runtime.store.call(namespace_of(KEY), UUID(call_id))
    assert call is not None
    await sandbox.runtime.deliverer.end(namespace_of(KEY), call, planned)
    before = await sandbox.read(call_id)
    sandbox.wall.advance(LEASE_SECONDS)
    await _until(lambda: _answers(sandbox, call_id, [200]))
    assert await sandbox.read(call_id) == before


async def test_namespace_emptied_during_a_delivery(sandbox: Sandbox) -> None:
    """A delivery that finds its call gone leaves a fresh namespace alone."""
    call_id = await sandbox.create(ANSWERED)
    due = await _claimed_by_a_crashed_process(sandbox)
    assert (await sandbox.client.delete("/sandbox/state")).status_code == 204
    await sandbox.runtime.deliverer.deliver(due)
    assert (await sandbox.client.get(f"/v1/calls/{call_id}")).status_code == 404
    assert (await sandbox.read(str(CATALOGUE.sample.call_id)))["status"] == "completed"


def test_two_processes_deliver_once(tmp_path: Path) -> None:
    """Two processes on one database share the work, and each completion is posted once."""
    options: dict[str, Any] = {"headers": {"Authorization": f"Bearer {KEY}"}, "timeout": 10}
    folders = [tmp_path / "one", tmp_path / "two"]
    database = ["--database", f"sqlite:///{tmp_path}/shared.db", "--speed", "50"]
    for folder in folders:
        folder.mkdir()
    with (
        start_sandbox(folders[0], *database) as one,
        start_sandbox(folders[1], *database) as two,
        httpx2.Client(base_url=one.url, **options) as client,
        httpx2.Client(base_url=two.url, **options) as other,
    ):
        body = {"phone": TWICE, "agent": CATALOGUE.agents[0].key}
        call_ids = [client.post("/v1/calls", json=body).json()["call_id"] for _ in range(20)]
        deadline = time.monotonic() + 10
        while other.get("/sandbox/clock").json()["next_due_at"] is not None:
            assert time.monotonic() < deadline, "not everything was delivered in time"
        for call_id in call_ids:
            deliveries = other.get(f"/sandbox/calls/{call_id}").json()["deliveries"]
            assert [delivery["answered"] for delivery in deliveries] == [200, 200]


async def test_late_finish_of_a_slow_process_stops_nobody(sandbox: Sandbox) -> None:
    """A process that finishes after its lease, when another has delivered, breaks no delivery."""
    call_id = await sandbox.create(TWICE)
    slow = await _claimed_by_a_crashed_process(sandbox, seconds=0)
    deliverer = sandbox.runtime.deliverer
    await deliverer.deliver_due()
    await _until(lambda: _answers(sandbox, call_id, [200, None]))
    await deliverer.deliver(slow)
    sandbox.wall.advance(LEASE_SECONDS + 60)
    await deliverer.deliver_due()
    await _until(lambda: _answers(sandbox, call_id, [200, 200]))


async def test_provider_survives_a_plan_that_breaks(
    tmp_path: Path, wall: FakeWall, caplog: pytest.LogCaptureFixture
) -> None:
    """One call that cannot be delivered does not stop the provider for all the others."""
    database = f"sqlite:///{tmp_path}/calls.db"
    async with running_sandbox(database, wall) as sandbox:
        broken = await sandbox.create(ANSWERED)
        call_id = await sandbox.create(ANSWERED)
        store = sandbox.runtime.store
        store._db.execute(  # type: ignore[attr-defined]
            "UPDATE calls SET scenario = 'of_a_newer_version' WHERE call_id = ?",
            [UUID(broken).bytes],
        )
        wall.advance(8)
        sandbox.runtime.deliverer.wake()
        await _until(lambda: _is(sandbox, call_id, "completed"))


async def test_waiting_for_a_lease_is_no_busy_loop(sandbox: Sandbox) -> None:
    """While somebody else holds what is due, the background looks only now and then."""
    await sandbox.create(ANSWERED)
    await _claimed_by_a_crashed_process(sandbox)
    looked = 0
    store = sandbox.runtime.store
    claim = store.claim_due

    async def counted(**bounds: Any) -> Any:
        nonlocal looked
        looked += 1
        return await claim(**bounds)

    store.claim_due = counted  # type: ignore[method-assign]
    sandbox.runtime.deliverer.wake()
    for _ in range(1000):
        await asyncio.sleep(0)
    assert looked < 20


async def test_stops_in_the_instant_in_which_a_call_is_planned(wall: FakeWall) -> None:
    """Waking the deliverer and stopping it at once never leaves it running."""
    async with asyncio.timeout(10):
        for _ in range(5):
            async with running_sandbox("sqlite:///:memory:", wall) as sandbox:
                await asyncio.sleep(0.05)  # until it naps
                await sandbox.client.post("/v1/calls", json=new_call())


async def test_advance_stops_where_its_client_has_gone(sandbox: Sandbox) -> None:
    """What nobody waits for is not played to its end: the clock stands where it was given up."""
    calls = []
    for _ in range(4):
        calls.append(await sandbox.create(ANSWERED))
        sandbox.wall.advance(1)
    asked = 0

    async def is_given_up() -> bool:
        nonlocal asked
        asked += 1
        return asked > 2

    namespace, deliverer = namespace_of(KEY), sandbox.runtime.deliverer
    clock = await deliverer.advance(namespace, math.inf, is_given_up=is_given_up)
    assert clock.now(sandbox.wall()) == START + 9
    statuses = [(await sandbox.read(call_id))["status"] for call_id in calls]
    assert statuses == ["completed", "completed", "in_progress", "in_progress"]


async def test_advance_of_a_client_that_hangs_up_ends(sandbox: Sandbox) -> None:
    """The connection of a client that asked for a long advance is enough to tell."""
    for _ in range(3):
        await sandbox.create(ANSWERED)
        sandbox.wall.advance(1)
    body = json.dumps({"until": "idle"}).encode()
    headers = [
        (b"authorization", f"Bearer {KEY}".encode()),
        (b"content-type", b"application/json"),
    ]
    # After the body ASGI tells of the connection's end.
    waiting = [{"type": "http.request", "body": body, "more_body": False}]
    waiting.append({"type": "http.disconnect"})

    async def receive() -> Any:
        return waiting.pop(0) if len(waiting) > 1 else waiting[0]

    async def send(message: Any) -> None:
        pass

    scope = {"type": "http", "method": "POST", "path": "/sandbox/clock", "query_string": b""}
    scope |= {"headers": headers, "scheme": "http", "root_path": "", "http_version": "1.1"}
    await sandbox.app(scope, receive, send)
    assert (await sandbox.client.get("/sandbox/clock")).json()["next_due_at"] is not None


async def test_what_is_due_at_one_instant_goes_at_once(sandbox: Sandbox) -> None:
    """Completions of one instant are claimed at once, and not one by one."""
    for _ in range(BATCH):
        await sandbox.create(ANSWERED)
    store = sandbox.runtime.store
    claim, claimed = store.claim_until, []

    async def counted(*arguments: Any, **bounds: Any) -> Any:
        found = await claim(*arguments, **bounds)
        claimed.append(len(found))
        return found

    store.claim_until = counted  # type: ignore[method-assign]
    await sandbox.advance(8)
    assert claimed == [BATCH]
