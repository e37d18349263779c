"""Limits: each holds, says so in the contract's own words, and hinders no other key."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice_sandbox.contract.problems import ProblemError
from voice_sandbox.http.rate_limits import RateLimiter
from voice_sandbox.limits import HELP, Limits, within

from .conftest import (
    CONTRACT,
    CONTROL,
    KEY,
    FakeWall,
    Sandbox,
    assert_conforms,
    client_of,
    new_call,
    running_sandbox,
)

pytestmark = pytest.mark.anyio
NAMESPACE = b"n" * 16
SLOW = 1 / 1000
"""Requests a second of which a test, however slow, sees only the first admitted."""


@asynccontextmanager
async def limited(**limits: Any) -> AsyncIterator[Sandbox]:
    """A sandbox with those limits."""
    wall = FakeWall()
    async with running_sandbox("sqlite:///:memory:", wall, limits=Limits(**limits)) as sandbox:
        yield sandbox


def test_every_limit_explains_itself() -> None:
    """Whoever reads the help learns what each limit does."""
    assert set(HELP) == set(Limits.__struct_fields__)


# Requests a second


async def test_key_that_asks_too_often_is_told_to_wait() -> None:
    """A request over the rate is 429 as the contract has it, with the seconds to wait."""
    async with limited(max_rate=SLOW) as sandbox:
        assert (await sandbox.client.get("/v1/agents")).status_code == 200
        rejected = await sandbox.client.get("/v1/agents")
    assert_conforms(CONTRACT, rejected)
    assert (rejected.status_code, rejected.json()["code"]) == (429, "rate_limited")
    assert 0 < int(rejected.headers["retry-after"]) <= 1 / SLOW


async def test_rate_is_of_each_key_alone() -> None:
    """Who asks too often slows nobody else down, and an unknown token counts for nobody."""
    async with limited(max_rate=SLOW) as sandbox:
        for _ in range(2):
            await sandbox.client.get("/v1/agents")
        async with client_of(sandbox.app, "sandbox_other") as other:
            assert (await other.get("/v1/agents")).status_code == 200
        async with client_of(sandbox.app, "live-key") as stranger:
            assert (await stranger.get("/v1/agents")).status_code == 401


async def test_rate_holds_for_the_control_api() -> None:
    """What the sandbox alone can do is no way around the limit."""
    async with limited(max_rate=SLOW) as sandbox:
        await sandbox.client.get("/sandbox/clock")
        rejected = await sandbox.client.get("/sandbox/clock")
    assert rejected.status_code == 429
    assert_conforms(CONTROL, rejected)


async def test_wrong_paths_count() -> None:
    """Asking for what is not there is asking too."""
    async with limited(max_rate=SLOW) as sandbox:
        await sandbox.client.get("/v1/nowhere")
        assert (await sandbox.client.get("/v1/agents")).status_code == 429


async def test_provider_is_never_slowed_down() -> None:
    """A call of a key at its limit completes all the same."""
    async with limited(max_rate=SLOW) as sandbox:
        await sandbox.create(new_call()["phone"])
        sandbox.wall.advance(3600)
        async with client_of(sandbox.app, "sandbox_other") as other:
            await other.get("/v1/agents")
        delivered = [x for x in sandbox.exchanges if x.by_provider]
        while not delivered:
            await anyio.sleep(0.01)
            delivered = [x for x in sandbox.exchanges if x.by_provider]
    assert [exchange.status for exchange in delivered] == [200]


@pytest.mark.parametrize("path", ["/sandbox/journal?text=none", "/sandbox/journal/har"])
async def test_reading_a_long_journal_counts_for_what_it_costs(path: str) -> None:
    """A search or an export of a thousand exchanges counts like hundreds of requests."""
    async with limited(max_rate=50) as sandbox:
        await sandbox.client.get("/v1/agents")
        for _ in range(1000):
            sandbox.runtime.journal.record(sandbox.exchanges[0])
        assert (await sandbox.client.get(path)).status_code == 200
        assert (await sandbox.client.get("/v1/agents")).status_code == 429


@given(
    rate=st.floats(0.1, 1000),
    gaps=st.lists(st.floats(0, 3), min_size=1, max_size=200),
)
def test_no_window_holds_more_than_the_rate(rate: float, gaps: list[float]) -> None:
    """However requests are spread, a span of t seconds admits at most rate x (t + 1), plus one."""
    now = 0.0
    limiter = RateLimiter(rate, monotonic=lambda: now)
    admitted: list[float] = []
    for gap in gaps:
        now += gap
        try:
            limiter.admit(NAMESPACE)
        except ProblemError as error:
            now += int(error.headers["Retry-After"])
            limiter.admit(NAMESPACE)  # who waits as told is let in
        admitted.append(now)
    for first, start in enumerate(admitted):
        for last in range(first, len(admitted)):
            span = admitted[last] - start
            assert last - first + 1 <= rate * span + max(rate, 1) + 1.01


def test_namespaces_at_rest_are_forgotten() -> None:
    """Ever new keys do not fill the memory."""
    now = 0.0
    limiter = RateLimiter(1000, monotonic=lambda: now)
    for number in range(25_000):
        now += 1
        limiter.admit(number.to_bytes(16))
    assert len(limiter._caught_up_at) <= 10_000


# Calls and exchanges


async def test_full_key_is_told_how_to_make_room() -> None:
    """A key that holds as many calls as it may gets 429 until its namespace is emptied."""
    async with limited(max_calls=3) as sandbox:
        for _ in range(3):  # the sample call that every namespace starts with is none of them
            await sandbox.create(new_call()["phone"])
        rejected = await sandbox.client.post("/v1/calls", json=new_call())
        assert_conforms(CONTRACT, rejected)
        assert (rejected.status_code, rejected.json()["code"]) == (429, "rate_limited")
        assert "DELETE /sandbox/state" in rejected.json()["detail"]
        await sandbox.client.delete("/sandbox/state")
        await sandbox.create(new_call()["phone"])


async def test_full_key_is_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that goes on at its limit costs no count of all its calls each time."""
    async with limited(max_calls=3) as sandbox:
        counted, count_calls = [], sandbox.runtime.store.count_calls

        async def count(namespace: bytes) -> int:
            counted.append(namespace)
            return await count_calls(namespace)

        monkeypatch.setattr(sandbox.runtime.store, "count_calls", count)
        for _ in range(2):
            statuses = [
                (await sandbox.client.post("/v1/calls", json=new_call())).status_code
                for _ in range(20)
            ]
            assert statuses == [201] * 3 + [429] * 17
            await sandbox.client.delete("/sandbox/state")
    assert len(counted) == 4


async def test_full_key_fills_no_other() -> None:
    """Each key has its own room."""
    async with limited(max_calls=1) as sandbox:
        await sandbox.create(new_call()["phone"])
        async with client_of(sandbox.app, "sandbox_other") as other:
            assert (await other.post("/v1/calls", json=new_call())).status_code == 201


async def test_workers_share_what_a_key_may_hold() -> None:
    """Of what is left, one of four workers hands out a quarter before it counts anew."""
    wall = FakeWall()
    async with running_sandbox(
        "sqlite:///:memory:", wall, limits=Limits(max_calls=40), workers=4
    ) as sandbox:
        created = 0
        while (await sandbox.client.post("/v1/calls", json=new_call())).status_code == 201:
            created += 1
    assert created == 40


async def test_journal_keeps_as_many_as_it_may() -> None:
    """The journal's limit is the deployment's, and the response says how many it keeps."""
    async with limited(max_journal=5) as sandbox:
        for _ in range(9):
            await sandbox.client.get("/v1/agents")
        har = (await sandbox.client.get("/sandbox/journal/har")).json()
        gone = await sandbox.client.get("/sandbox/exchanges/req_01890a5dac96774bbcceb302099a8057")
    assert len(har["log"]["entries"]) == 5
    assert "the last 5 " in gone.json()["detail"]


async def test_idle_hours_are_the_deployment_s() -> None:
    """A namespace goes when nobody has used it for as long as the limit says."""
    async with limited(max_idle_hours=1) as sandbox:
        call_id = await sandbox.create(new_call()["phone"])
        await sandbox.runtime.expiry.sweep()
        sandbox.wall.advance(7200)
        await sandbox.runtime.expiry.sweep()
        assert (await sandbox.client.get(f"/v1/calls/{call_id}")).status_code == 404


# Bodies


async def test_body_over_the_limit_is_413() -> None:
    """A deployment can take less than the contract allows."""
    async with limited(max_body=100) as sandbox:
        rejected = await sandbox.complete(transcript="agent: " + "la" * 100)
        assert (await sandbox.client.post("/v1/calls", json=new_call())).status_code == 201
    assert_conforms(CONTRACT, rejected)
    assert (rejected.status_code, "at most 100 bytes" in rejected.json()["detail"]) == (413, True)


def test_limit_never_widens_the_contract() -> None:
    """A limit above the contract's own changes nothing."""
    assert within(CONTRACT, Limits(max_body=10**9)) == CONTRACT


async def test_without_limits_nothing_is_rejected() -> None:
    """A sandbox on one's own machine takes what its tests send."""
    async with limited() as sandbox:
        for _ in range(200):
            assert (await sandbox.client.get("/v1/agents")).status_code == 200


# Streams at a time


async def _follow(
    sandbox: Sandbox, key: str, method: str = "GET"
) -> tuple[int, asyncio.Task[None]]:
    """Opens a live stream; returns its status and the task that reads it."""
    began: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    scope: dict[str, Any] = {"type": "http", "method": method, "path": "/sandbox/journal/stream"}
    scope |= {"headers": [(b"authorization", f"Bearer {key}".encode())], "query_string": b""}
    scope |= {"scheme": "http", "root_path": "", "http_version": "1.1", "raw_path": None}
    scope |= {"asgi": {"version": "3.0", "spec_version": "2.4"}}

    async def receive() -> Any:
        await anyio.sleep_forever()

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            began.set_result(message["status"])

    task = asyncio.create_task(sandbox.app(scope, receive, send))
    return await began, task


async def test_streams_of_a_key_are_limited(wall: FakeWall) -> None:
    """A stream too many is 429 with a wait; other keys follow theirs; a closed one makes room."""
    async with running_sandbox("sqlite:///:memory:", wall, limits=Limits(max_streams=2)) as sandbox:
        opened = [await _follow(sandbox, KEY) for _ in range(3)]
        assert [status for status, _ in opened] == [200, 200, 429]
        assert (await _follow(sandbox, "sandbox_other"))[0] == 200
        rejected = await sandbox.client.get("/sandbox/journal/stream")
        assert (rejected.json()["code"], rejected.headers["retry-after"]) == ("rate_limited", "5")
        for _ in range(3):  # nor do those that only ask for the head hold a place
            assert (await _follow(sandbox, "sandbox_heads", "HEAD"))[0] == 200
        opened[0][1].cancel()
        with suppress(asyncio.CancelledError):
            await opened[0][1]
        assert (await _follow(sandbox, KEY))[0] == 200
        assert (await sandbox.client.get("/v1/agents")).status_code == 200
        streams = [x for x in sandbox.exchanges if x.operation_id == "streamJournal"]
        assert [x.status for x in streams] == [429, 429, 200, 200, 200, 200]
