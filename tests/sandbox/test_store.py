"""What a store promises, held by one suite for every store, and how SQLite keeps its files."""

import asyncio
import contextlib
import hashlib
import os
import re
import signal
import sqlite3
import stat
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import httpx2
import pytest
from msgspec.structs import replace
from uuid_utils import UUID

from sandbox_process import start_sandbox
from voice_sandbox import store as store_package
from voice_sandbox.calls.call import Call, Result
from voice_sandbox.clock import VirtualClock, new_call_id
from voice_sandbox.store import open_store
from voice_sandbox.store.call_columns import FRAGMENTS, REQUEST_COLUMNS, request_values
from voice_sandbox.store.protocol import Due, IdempotencyKey, StorageUnavailable, Store, StoreError
from voice_sandbox.store.sql_files import migration, migrations, statements
from voice_sandbox.store.sqlite import SQLiteStore

from .conftest import CATALOGUE, START, FakeWall, running_sandbox
from .stored_calls import DONE, OLD_CALL, SAMPLE, new_call

pytestmark = pytest.mark.anyio

ON_ENGINES = ["sqlite-memory", "sqlite-file", "postgresql"]

ONE = b"1" * 16
OTHER = b"2" * 16
CLOCK = VirtualClock(START, START)
BUSY = Result("busy", None, 0)
LEASE = 30.0
SQL_FOLDER = Path(store_package.__file__).parent / "sql"


@pytest.fixture
async def store(database: str) -> AsyncIterator[Store]:
    """An open store on each engine, with one namespace."""
    opened = open_store(database)
    await opened.open()
    await opened.open_namespace(ONE, fresh=CLOCK, sample=SAMPLE)
    yield opened
    await opened.close()


async def create(
    store: Store,
    *,
    namespace: bytes = ONE,
    due_at: float | None = START + 8,
    key: IdempotencyKey | None = None,
    now: float = START,
) -> Call:
    call = new_call(now)
    kept = await store.create_call(namespace, call, due_at=due_at, idempotency_key=key)
    assert kept is None
    return call


async def complete(
    store: Store, call: Call, result: Result = DONE, *, drop_plan: bool = False
) -> bool:
    return await store.complete_call(
        ONE,
        call.call_id,
        result,
        ended_at=START + 8,
        completed_by="req_1",
        drop_plan=drop_plan,
    )


# Namespaces


async def test_namespace_keeps_its_first_clock(store: Store) -> None:
    """Opening a namespace again changes nothing."""
    later = VirtualClock(START + 9, START + 9, 5)
    assert await store.open_namespace(ONE, fresh=later, sample=SAMPLE) == CLOCK


async def test_namespace_starts_with_its_sample_call(store: Store) -> None:
    """A new namespace holds one finished call."""
    assert await store.call(ONE, SAMPLE.call_id) == SAMPLE


async def test_namespaces_do_not_see_each_other(store: Store) -> None:
    """A call of one key does not exist for another."""
    call = await create(store)
    await store.open_namespace(OTHER, fresh=CLOCK, sample=SAMPLE)
    assert await store.call(OTHER, call.call_id) is None
    assert await store.newest_call_id(OTHER) == SAMPLE.call_id


@pytest.mark.parametrize("due_at", [None, START + 8])
async def test_call_of_an_emptied_namespace_is_emptied_with_it(
    store: Store, due_at: float | None
) -> None:
    """Who empties a namespace just before a call is stored leaves nothing of it, and harms none."""
    key = IdempotencyKey("order-1", b"body", START + 60)
    stored = [
        store.create_call(OTHER, new_call(), due_at=due_at, idempotency_key=key),
        store.create_call(OTHER, new_call(), due_at=due_at, idempotency_key=None),
        store.create_call(ONE, mine := new_call(), due_at=due_at, idempotency_key=None),
    ]
    assert await asyncio.gather(*stored) == [None, None, None]
    assert await store.call(ONE, mine.call_id) == mine
    await store.open_namespace(OTHER, fresh=CLOCK, sample=SAMPLE)
    assert await store.newest_call_id(OTHER) == SAMPLE.call_id
    call = await create(store, namespace=OTHER, key=key)
    assert await store.call(OTHER, call.call_id) == call


async def test_deleting_a_namespace_leaves_the_others(store: Store) -> None:
    """Emptying one namespace takes nothing from another."""
    call = await create(store)
    await store.open_namespace(OTHER, fresh=CLOCK, sample=SAMPLE)
    await store.delete_namespace(OTHER)
    assert await store.call(ONE, call.call_id) == call
    assert await store.call(OTHER, SAMPLE.call_id) is None


async def test_deleted_namespace_opens_fresh(store: Store) -> None:
    """After deletion neither clock nor calls nor plans of before are left."""
    call = await create(store)
    await store.delete_namespace(ONE)
    fresh = VirtualClock(START + 60, START + 60)
    assert await store.open_namespace(ONE, fresh=fresh, sample=SAMPLE) == fresh
    assert await store.call(ONE, call.call_id) is None
    assert await store.next_due_at(ONE) is None


async def test_only_an_idle_namespace_is_deleted_as_idle(store: Store) -> None:
    """A use that is written down keeps a namespace, and so does one that is not yet."""
    assert await store.idle_namespaces(since=1, limit=9) == [ONE]
    await store.delete_namespace(ONE, idle_since=0)
    assert await store.clock(ONE) == CLOCK
    await create(store)  # on another process, which has not written down the use
    await store.delete_namespace(ONE, idle_since=60)
    assert await store.clock(ONE) == CLOCK
    assert await store.idle_namespaces(since=60, limit=9) == []
    await store.delete_namespace(ONE, idle_since=61)
    assert await store.clock(ONE) is None


async def test_running_time_never_goes_back(store: Store) -> None:
    """Of processes that share the running time the furthest moves it, and new keys begin there."""
    assert [await store.move_uptime(seconds) for seconds in (0, 60, 30, 90)] == [0, 60, 60, 90]
    await store.open_namespace(OTHER, fresh=CLOCK, sample=SAMPLE)
    assert await store.idle_namespaces(since=90, limit=9) == [ONE]
    assert await store.idle_namespaces(since=91, limit=9) == [ONE, OTHER]
    assert await store.idle_namespaces(since=91, limit=1) == [ONE]


async def test_uses_of_namespaces_that_are_not_open_come_back(store: Store) -> None:
    """Whoever writes down uses learns which of them belong to no open namespace."""
    strangers = [number.to_bytes(16) for number in range(1200)]
    assert await store.use_namespaces([*strangers, ONE], at=START + 5) == strangers
    assert await store.idle_namespaces(since=START + 5, limit=9) == []
    assert await store.idle_namespaces(since=START + 6, limit=9) == [ONE]


async def test_deleting_what_is_not_there_is_no_error(store: Store) -> None:
    """Emptying an unknown namespace changes nothing."""
    await store.delete_namespace(OTHER)


async def fill(store: Store, namespace: bytes, *, due_at: float | None, keys: bool = True) -> None:
    """Twelve calls with a kept key each."""
    for number in range(12):
        key = IdempotencyKey(f"order-{number}", b"body", START + 60) if keys else None
        await create(store, namespace=namespace, due_at=due_at, key=key)


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work on a namespace goes in pieces of five rows."""
    for module in ("sqlite", "postgres"):
        monkeypatch.setattr(f"voice_sandbox.store.{module}.PIECE_ROWS", 5)


@pytest.mark.usefixtures("small_pieces")
async def test_namespace_is_empty_before_its_rows_are_removed(store: Store) -> None:
    """Nobody sees half of a namespace, and who opens it again meanwhile keeps what is new."""
    await fill(store, ONE, due_at=START + 8)
    deleting = asyncio.create_task(store.delete_namespace(ONE))
    async with asyncio.timeout(5):
        while await store.clock(ONE) is not None:
            await asyncio.sleep(0)
    assert await store.next_due_at(ONE) is None
    assert await store.newest_call_id(ONE) is None
    await store.open_namespace(ONE, fresh=CLOCK, sample=SAMPLE)
    call = await create(store, key=IdempotencyKey("order-1", b"body", START + 60))
    await deleting
    await store.sweep()
    assert await store.call(ONE, call.call_id) == call
    assert await store.count_calls(ONE) == 1
    assert [due.call_id for due in await claim(store, START + 9)] == [call.call_id]


@pytest.mark.parametrize("database", ON_ENGINES[:2], indirect=True)
@pytest.mark.usefixtures("small_pieces")
async def test_others_go_on_between_the_pieces(store: Store) -> None:
    """While a large namespace is emptied or advanced other keys are read and written."""
    await store.open_namespace(OTHER, fresh=CLOCK, sample=SAMPLE)
    works: list[Callable[[], Coroutine[Any, Any, object]]] = [
        lambda: store.move_clock(ONE, START + 6, wall_now=START),
        lambda: store.delete_namespace(ONE),
    ]
    for work in works:
        await fill(store, ONE, due_at=START + 8, keys=False)
        working = asyncio.ensure_future(work())
        served = 0
        while not working.done():
            await create(store, namespace=OTHER)
            served += 1
        assert served >= 3
        await working


@pytest.mark.usefixtures("small_pieces")
async def test_sweep_removes_what_a_broken_deletion_left(store: Store) -> None:
    """A process that dies while it removes the rows of a namespace leaves them to the next."""
    await fill(store, ONE, due_at=START + 8)
    deleting = asyncio.create_task(store.delete_namespace(ONE))
    async with asyncio.timeout(5):
        while await store.clock(ONE) is not None:
            await asyncio.sleep(0)
    deleting.cancel()
    await asyncio.wait([deleting])
    assert await claim(store, START + 99) == []
    await store.sweep()
    assert await store.next_wake_at() is None


@pytest.mark.usefixtures("small_pieces")
async def test_every_wake_moves_with_the_clock(store: Store) -> None:
    """However many completions are due at one instant, each wakes when the moved clock says."""
    await fill(store, ONE, due_at=START + 8)
    await fill(store, ONE, due_at=START + 9, keys=False)
    await asyncio.gather(
        *(store.move_clock(ONE, START + second, wall_now=START) for second in (1, 6, 4))
    )
    assert len(await claim(store, START + 1.9)) == 0
    assert len(await claim(store, START + 2)) == 12
    assert len(await claim(store, START + 3)) == 12


# Calls


async def test_call_comes_back_as_it_was_saved(store: Store) -> None:
    """What is read is what was written."""
    call = await create(store)
    assert await store.call(ONE, call.call_id) == call


async def test_unknown_call_is_none(store: Store) -> None:
    """A call that was never created is not there."""
    assert await store.call(ONE, new_call_id()) is None


async def test_newest_call_is_the_last_created(store: Store) -> None:
    """The alias of the newest call follows each creation."""
    for _ in range(5):
        call = await create(store)
        assert await store.newest_call_id(ONE) == call.call_id


async def test_newest_call_is_the_last_stored_whatever_its_id(store: Store) -> None:
    """Ids that a wall clock which was put back has made sort wrongly, and that changes nothing."""
    for number in reversed(range(2, 7)):
        call = replace(new_call(), call_id=UUID(int=number))
        await store.create_call(ONE, call, due_at=None, idempotency_key=None)
        assert await store.newest_call_id(ONE) == call.call_id


async def test_sample_call_is_not_counted(store: Store) -> None:
    """What a key may hold are the calls that it has created."""
    assert await store.count_calls(ONE) == 0
    for count in range(1, 4):
        await create(store)
        assert await store.count_calls(ONE) == count
    await store.delete_namespace(ONE)
    assert await store.count_calls(ONE) == 0


async def test_completion_is_saved_whole(store: Store) -> None:
    """Status, transcript, duration, instant and request are saved together."""
    call = await create(store)
    assert await complete(store, call) is True
    assert await store.call(ONE, call.call_id) == replace(
        call, result=DONE, ended_at=START + 8, completed_by="req_1"
    )


async def test_first_completion_wins(store: Store) -> None:
    """A call that is over keeps its result."""
    call = await create(store)
    await complete(store, call, BUSY)
    assert await complete(store, call, DONE) is False
    saved = await store.call(ONE, call.call_id)
    assert saved is not None
    assert saved.result == BUSY


async def test_one_of_many_completions_wins(store: Store) -> None:
    """Of completions that arrive together exactly one is saved."""
    call = await create(store)
    results = [Result("completed", f"agent: {i}", i) for i in range(20)]
    saved = await asyncio.gather(*(complete(store, call, result) for result in results))
    assert sorted(saved) == [False] * 19 + [True]
    kept = await store.call(ONE, call.call_id)
    assert kept is not None
    assert kept.result == results[saved.index(True)]


@pytest.mark.parametrize(
    "transcript",
    ["\U0001f642" * 65_536, "' \" \\ ; -- %s :a ?", "\u2028\u202e\ufeff\r\n\t", "Өмүр сүйүү ңң"],
    ids=["astral", "quotes", "separators", "kyrgyz"],
)
async def test_transcript_comes_back_letter_by_letter(store: Store, transcript: str) -> None:
    """No character is lost or changed."""
    call = await create(store)
    await complete(store, call, Result("completed", transcript, 5))
    saved = await store.call(ONE, call.call_id)
    assert saved is not None
    assert saved.result is not None
    assert saved.result.transcript == transcript


# Idempotency keys


def idempotency_key(body: bytes = b"body", expires_at: float = START + 100) -> IdempotencyKey:
    return IdempotencyKey("order-1", body, expires_at)


async def test_key_in_use_gives_the_first_call(store: Store) -> None:
    """A second creation with a kept key saves nothing and names the first call."""
    first = await create(store, key=idempotency_key())
    second = new_call()
    kept = await store.create_call(
        ONE, second, due_at=None, idempotency_key=idempotency_key(b"other")
    )
    assert kept is not None
    assert (kept.call_id, kept.fingerprint) == (first.call_id, b"body")
    assert await store.call(ONE, second.call_id) is None


async def test_key_is_kept_until_it_expires(store: Store) -> None:
    """Just before its end a key is in use, and from its end on it is new."""
    await create(store, key=idempotency_key(expires_at=START + 100))
    early = await store.create_call(
        ONE, new_call(START + 99), due_at=None, idempotency_key=idempotency_key()
    )
    assert early is not None
    await create(store, key=idempotency_key(expires_at=START + 200), now=START + 100)


async def test_key_in_use_can_be_read(store: Store) -> None:
    """What a key stands for is known without a creation, as long as it is in use."""
    call = await create(store, key=idempotency_key(expires_at=START + 100))
    kept = await store.kept_call(ONE, "order-1", now=START + 99)
    assert kept is not None
    assert (kept.call_id, kept.fingerprint) == (call.call_id, b"body")
    assert await store.kept_call(ONE, "order-1", now=START + 100) is None
    assert await store.kept_call(ONE, "order-2", now=START) is None
    assert await store.kept_call(OTHER, "order-1", now=START) is None


async def test_key_belongs_to_its_namespace(store: Store) -> None:
    """Two keys may use the same Idempotency-Key."""
    await store.open_namespace(OTHER, fresh=CLOCK, sample=SAMPLE)
    await create(store, key=idempotency_key())
    await create(store, namespace=OTHER, key=idempotency_key())


async def test_one_of_many_creations_wins(store: Store) -> None:
    """Thirty creations at once with one key save one call."""
    kept = await asyncio.gather(
        *(
            store.create_call(ONE, new_call(), due_at=None, idempotency_key=idempotency_key())
            for _ in range(30)
        )
    )
    assert kept.count(None) == 1
    assert len({k.call_id for k in kept if k is not None}) == 1


# Clocks


async def test_clock_moves_forward(store: Store) -> None:
    """A moved clock is kept."""
    moved = await store.move_clock(ONE, START + 60, wall_now=START)
    assert moved == VirtualClock(START, START + 60)
    assert await store.open_namespace(ONE, fresh=CLOCK, sample=SAMPLE) == moved


async def test_clock_never_moves_backward(store: Store) -> None:
    """An instant that has passed leaves the clock where it is."""
    await store.move_clock(ONE, START + 60, wall_now=START)
    moved = await store.move_clock(ONE, START, wall_now=START)
    assert moved is not None
    assert moved.now(START) == START + 60


async def test_clock_of_an_unknown_namespace_does_not_move(store: Store) -> None:
    """Moving the clock of nobody creates nothing."""
    assert await store.move_clock(OTHER, START + 60, wall_now=START) is None


async def test_moving_the_clock_moves_the_wakes(store: Store) -> None:
    """After an advance the background finds the completion earlier on the wall."""
    await create(store, due_at=START + 8)
    await store.move_clock(ONE, START + 6, wall_now=START)
    assert await store.next_wake_at() == START + 2


async def test_a_step_leaves_the_wakes_to_the_last_move(store: Store) -> None:
    """An advance of many steps moves the wall times once, and to the right place."""
    await create(store, due_at=START + 8)
    await store.move_clock(ONE, START + 3, wall_now=START, wakes=False)
    assert await store.next_wake_at() == START + 8
    await store.move_clock(ONE, START + 6, wall_now=START)
    assert await store.next_wake_at() == START + 2


@pytest.mark.parametrize("database", ON_ENGINES[1:], indirect=True)
async def test_a_broken_advance_is_settled_when_the_store_opens(store: Store) -> None:
    """A process that died between two steps leaves no completion waiting for the old wall time."""
    await create(store, due_at=START + 8)
    await store.move_clock(ONE, START + 6, wall_now=START, wakes=False)
    await store.close()
    await store.open()
    assert await store.next_wake_at() == START + 2


# Deliveries


async def claim(store: Store, wall_now: float, limit: int = 100) -> list[Due]:
    return list(await store.claim_due(wall_now=wall_now, lease_seconds=LEASE, limit=limit))


async def claim_one(store: Store, *, until: float, wall_now: float) -> list[Due]:
    return list(
        await store.claim_until(ONE, until=until, wall_now=wall_now, lease_seconds=LEASE, limit=1)
    )


async def test_nothing_is_claimed_before_it_is_due(store: Store) -> None:
    """A completion is claimed at its time, not before."""
    call = await create(store, due_at=START + 8)
    assert await claim(store, START + 7.9) == []
    assert await claim(store, START + 8) == [Due(ONE, call.call_id, START + 8)]


async def test_claimed_delivery_is_not_claimed_again(store: Store) -> None:
    """While a lease lasts nobody else delivers, and when it ends somebody else may."""
    call = await create(store, due_at=START + 8)
    claimed = await claim(store, START + 8)
    assert await claim(store, START + 8 + LEASE - 0.1) == []
    assert await claim(store, START + 8 + LEASE) == claimed == [Due(ONE, call.call_id, START + 8)]


async def test_lease_holds_for_both_ways_of_claiming(store: Store) -> None:
    """What the background delivers an advance does not deliver too."""
    await create(store, due_at=START + 8)
    await claim(store, START + 8)
    assert await claim_one(store, until=START + 9, wall_now=START + 9) == []


async def test_many_claims_share_nothing(store: Store) -> None:
    """Of claims that are made together each delivery goes to one."""
    for _ in range(10):
        await create(store, due_at=START + 8)
    claims = await asyncio.gather(*(claim(store, START + 9, limit=3) for _ in range(6)))
    claimed = [due.call_id for batch in claims for due in batch]
    assert len(claimed) == len(set(claimed)) == 10


async def test_claims_come_in_order(store: Store) -> None:
    """The longest due is delivered first."""
    for offset in (8, 3, 5):
        await create(store, due_at=START + offset)
    assert [due.due_at - START for due in await claim(store, START + 9)] == [3, 5, 8]


async def test_claim_of_a_namespace_takes_the_earliest(store: Store) -> None:
    """An advance delivers in the order in which completions are due."""
    await create(store, due_at=START + 8)
    early = await create(store, due_at=START + 3)
    claimed = await claim_one(store, until=START + 9, wall_now=START)
    assert claimed == [Due(ONE, early.call_id, START + 3)]


async def test_claim_of_a_namespace_leaves_the_others(store: Store) -> None:
    """An advance delivers nothing for another key."""
    await store.open_namespace(OTHER, fresh=CLOCK, sample=SAMPLE)
    await create(store, namespace=OTHER)
    assert await claim_one(store, until=START + 99, wall_now=START) == []


async def test_one_claim_takes_all_of_one_instant(store: Store) -> None:
    """An advance delivers together what is due together, and one instant after the other."""
    await create(store, due_at=START + 8)
    early = [await create(store, due_at=START + 3) for _ in range(4)]

    async def claimed(until: float, limit: int = 100) -> list[Due]:
        return list(
            await store.claim_until(
                ONE, until=until, wall_now=START, lease_seconds=LEASE, limit=limit
            )
        )

    assert await claimed(START + 2) == []
    first = await claimed(START + 9, limit=3)
    rest = await claimed(START + 9)
    assert {(due.namespace, due.due_at) for due in first + rest} == {(ONE, START + 3)}
    assert len(first) == 3
    assert {due.call_id for due in first + rest} == {call.call_id for call in early}
    assert [due.due_at for due in await claimed(START + 9)] == [START + 8]
    assert await claimed(START + 9) == []


async def test_next_due_is_the_earliest(store: Store) -> None:
    """What is due next is known for a namespace and for all."""
    await create(store, due_at=START + 8)
    await create(store, due_at=START + 3)
    assert (await store.next_due_at(ONE), await store.next_wake_at()) == (START + 3, START + 3)


async def test_nothing_is_due_without_a_plan(store: Store) -> None:
    """A call that never completes by itself wakes nobody."""
    await create(store, due_at=None)
    assert (await store.next_due_at(ONE), await store.next_wake_at()) == (None, None)


async def test_finished_delivery_is_recorded(store: Store) -> None:
    """Each response is kept in order, and the next delivery can be claimed at once."""
    call = await create(store, due_at=START + 8)
    for made, (response, following) in enumerate(((422, START + 10), (200, None))):
        [due] = await claim(store, START + 11)
        await store.finish_delivery(due, made=made, response=response, next_due_at=following)
    saved = await store.call(ONE, call.call_id)
    assert saved is not None
    assert saved.delivery_statuses == (422, 200)
    assert await store.next_due_at(ONE) is None


async def test_delivery_is_recorded_once(store: Store) -> None:
    """Of two processes that made the same delivery, one after its lease, the first is recorded."""
    call = await create(store, due_at=START + 8)
    [due] = await claim(store, START + 8)
    for response, following in ((200, None), (409, START + 9)):
        await store.finish_delivery(due, made=0, response=response, next_due_at=following)
    saved = await store.call(ONE, call.call_id)
    assert saved is not None
    assert saved.delivery_statuses == (200,)
    assert await store.next_due_at(ONE) is None


@pytest.mark.parametrize("drop_plan", [True, False])
async def test_completion_drops_the_plan_where_told(store: Store, drop_plan: bool) -> None:
    """A completion by hand cancels what the provider planned; the provider's own does not."""
    call = await create(store, due_at=START + 8)
    await complete(store, call, drop_plan=drop_plan)
    assert (await store.next_due_at(ONE) is None) == drop_plan


async def test_plan_dropped_during_a_delivery_stays_dropped(store: Store) -> None:
    """A delivery that was under way does not bring a dropped plan back."""
    call = await create(store, due_at=START + 8)
    [due] = await claim(store, START + 8)
    await complete(store, call, drop_plan=True)
    await store.finish_delivery(due, made=0, response=409, next_due_at=START + 9)
    assert await store.next_due_at(ONE) is None


async def test_delivery_into_an_emptied_namespace_changes_nothing(store: Store) -> None:
    """A delivery whose namespace was emptied meanwhile is recorded nowhere."""
    await create(store, due_at=START + 8)
    [due] = await claim(store, START + 8)
    await store.delete_namespace(ONE)
    await store.finish_delivery(due, made=0, response=200, next_due_at=START)
    assert (await store.call(ONE, due.call_id), await store.next_wake_at()) == (None, None)


async def test_open_store_answers_a_ping(store: Store) -> None:
    """Readiness asks the store itself, and costs it one look."""
    await store.ping()


async def test_closed_store_answers_no_ping() -> None:
    """A store that is not open is not ready."""
    with pytest.raises(StorageUnavailable):
        await open_store("sqlite:///:memory:").ping()


async def test_closed_store_serves_nothing() -> None:
    """A store that is not open says so instead of breaking."""
    with pytest.raises(StorageUnavailable, match="closed"):
        await open_store("sqlite:///:memory:").call(ONE, SAMPLE.call_id)


# SQLite files


@contextlib.asynccontextmanager
async def opened(path: Path) -> AsyncIterator[Store]:
    store = open_store(f"sqlite:///{path}")
    await store.open()
    try:
        yield store
    finally:
        await store.close()


def execute(path: Path, statement: str) -> list[tuple[object, ...]]:
    """Runs SQL as another program would, in a connection of the test's own."""
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        return db.execute(statement).fetchall()


async def test_the_log_is_moved_beside_the_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After many writes a thread moves the log into the file, and writers do not wait for it."""
    monkeypatch.setattr("voice_sandbox.store.sqlite._CHECKPOINT_WRITES", 10)
    path = tmp_path / "calls.db"
    async with opened(path) as store:
        await store.open_namespace(ONE, fresh=CLOCK, sample=SAMPLE)
        before = path.stat().st_size
        for _ in range(10):
            await create(store)
        async with asyncio.timeout(10):
            while path.stat().st_size == before:
                await create(store)


@pytest.mark.parametrize(("suffix", "level"), [("", 1), ("?synchronous=full", 2)])
async def test_a_loss_of_power_costs_what_it_was_told_to(
    tmp_path: Path, suffix: str, level: int
) -> None:
    """With synchronous=full each transaction waits for the disk; without, only checkpoints do."""
    store = open_store(f"sqlite:///{tmp_path}/calls.db{suffix}")
    await store.open()
    assert isinstance(store, SQLiteStore)
    assert list(store._connection().execute("PRAGMA synchronous").fetchone()) == [level]
    await store.close()


async def test_a_new_file_is_opened_by_several_at_once(tmp_path: Path) -> None:
    """Who comes while another process makes the file waits for it, as workers that start do."""
    path = tmp_path / "calls.db"
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        store = open_store(f"sqlite:///{path}")
        opening = asyncio.create_task(store.open())
        await asyncio.sleep(0.05)
        assert not opening.done()
        other.execute("COMMIT")
    await opening
    await store.open_namespace(ONE, fresh=CLOCK, sample=SAMPLE)
    await store.close()


async def test_clocks_of_two_processes_never_go_back(tmp_path: Path) -> None:
    """Where two processes move one clock, the later instant stands, whoever wrote last."""
    path = tmp_path / "calls.db"
    async with opened(path) as one, opened(path) as other:
        await one.open_namespace(ONE, fresh=CLOCK, sample=SAMPLE)
        for step in range(1, 20):
            far, near = START + 100 * step, START + 100 * step - 50
            await one.move_clock(ONE, far, wall_now=START)
            moved = await other.move_clock(ONE, near, wall_now=START)
            assert moved is not None
            assert moved.now(START) == far


async def test_acknowledged_data_is_there_after_reopening(tmp_path: Path) -> None:
    """Calls, results, clocks, kept keys and plans survive the process."""
    path = tmp_path / "calls.db"
    async with opened(path) as store:
        await store.open_namespace(ONE, fresh=CLOCK, sample=SAMPLE)
        await store.move_clock(ONE, START + 5, wall_now=START)
        call = await create(store, key=idempotency_key(), due_at=START + 8)
        done = await create(store, due_at=None)
        await complete(store, done)
    async with opened(path) as store:
        assert (await store.open_namespace(ONE, fresh=CLOCK, sample=SAMPLE)).now(START) == START + 5
        assert await store.call(ONE, call.call_id) == call
        assert (await store.call(ONE, done.call_id) or call).result == DONE
        assert await store.next_due_at(ONE) == START + 8
        kept = await store.create_call(
            ONE, new_call(), due_at=None, idempotency_key=idempotency_key()
        )
        assert kept is not None


async def test_migrations_are_applied_once(tmp_path: Path) -> None:
    """Opening again migrates nothing, and the version says how many were applied."""
    path = tmp_path / "calls.db"
    async with opened(path):
        pass
    schema = execute(path, "SELECT sql FROM sqlite_schema ORDER BY name")
    async with opened(path):
        pass
    assert execute(path, "SELECT sql FROM sqlite_schema ORDER BY name") == schema
    [[version]] = execute(path, "PRAGMA user_version")
    assert version == len(list((SQL_FOLDER / "sqlite_migrations").glob("*.sql")))


def write_file_of_schema(path: Path, version: int) -> None:
    """A file as an earlier version left it: a namespace, its sample, a call, a kept key."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        for script in migrations("sqlite")[:version]:
            db.executescript(script.sql)
        db.execute(f"PRAGMA application_id = {int.from_bytes(b'voic')}")
        db.execute(f"PRAGMA user_version = {version}")
        db.execute(
            "INSERT INTO namespaces VALUES (?, ?, ?, ?, ?)", (ONE, START, START + 5, 1, START)
        )
        db.executemany(
            """INSERT INTO calls (
                namespace, call_id, phone, agent, scenario, created_at, status, transcript,
                duration_seconds, ended_at, completed_by, delivery_answers, due_at, wake_at
            ) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
            [
                (
                    *(ONE, SAMPLE.call_id.bytes, SAMPLE.phone, SAMPLE.agent, SAMPLE.scenario),
                    *(SAMPLE.created_at, DONE.status, DONE.transcript, DONE.duration_seconds),
                    *(START, None, "[]", None, None),
                ),
                (
                    *(ONE, OLD_CALL.call_id.bytes, OLD_CALL.phone, OLD_CALL.agent),
                    *(OLD_CALL.scenario, START, DONE.status, DONE.transcript),
                    *(
                        DONE.duration_seconds,
                        START + 8,
                        "req_1",
                        "[422, 200]",
                        START + 9,
                        START + 4,
                    ),
                ),
            ],
        )
        db.execute(
            "INSERT INTO idempotency_keys VALUES (?, ?, ?, ?, ?)",
            (ONE, "order-1", b"body", OLD_CALL.call_id.bytes, START + 100),
        )
        db.commit()


async def test_file_of_the_first_release_opens(tmp_path: Path) -> None:
    """Calls, clock, plans and kept keys of a file with the first released schema are all there."""
    path = tmp_path / "calls.db"
    write_file_of_schema(path, 2)
    async with opened(path) as store:
        assert await store.clock(ONE) == VirtualClock(START, START + 5)
        assert await store.call(ONE, SAMPLE.call_id) == SAMPLE
        assert await store.call(ONE, OLD_CALL.call_id) == OLD_CALL
        assert await store.newest_call_id(ONE) == OLD_CALL.call_id
        assert (await store.next_due_at(ONE), await store.next_wake_at()) == (START + 9, START + 4)
        kept = await store.create_call(
            ONE, new_call(), due_at=None, idempotency_key=idempotency_key()
        )
        assert kept is not None
        assert kept.call_id == OLD_CALL.call_id


@pytest.mark.parametrize(
    ("engine", "name", "digest"),
    [
        ("sqlite", "0001_first", "0a82521b41f80a29"),
        ("sqlite", "0002_journal", "363f90a0ebda6f75"),
        ("sqlite", "0003_delivery_statuses", "42e0608d0e0f89b6"),
        ("sqlite", "0004_generations", "7aa39634f7853e1d"),
        ("sqlite", "0005_uptime", "8246bf7eaa9342ea"),
        ("postgres", "0004_uptime", "073de175bbdef810"),
        ("postgres", "0001_first", "42141e002691ce35"),
        ("postgres", "0002_delivery_statuses", "42e0608d0e0f89b6"),
        ("postgres", "0003_generations", "5852afa32b1c8938"),
    ],
)
def test_released_migrations_never_change(engine: str, name: str, digest: str) -> None:
    """A change of the schema is a new script: databases exist that ran the old ones."""
    script = (SQL_FOLDER / f"{engine}_migrations" / f"{name}.sql").read_bytes()
    assert hashlib.sha256(script).hexdigest()[:16] == digest


def test_each_field_of_a_call_has_a_column() -> None:
    """The one list of columns is whole."""
    kept_with_the_result = {"result", "ended_at", "completed_by", "delivery_statuses"}
    fields = set(Call.__struct_fields__) - {"call_id"} - kept_with_the_result
    assert fields == set(REQUEST_COLUMNS), "add it to REQUEST_COLUMNS and to both migrations"
    assert request_values(OLD_CALL).keys() == REQUEST_COLUMNS.keys()


async def test_two_processes_may_start_on_one_new_file(tmp_path: Path) -> None:
    """Whoever comes second waits for the schema instead of making it again."""
    for attempt in range(5):
        stores = [open_store(f"sqlite:///{tmp_path}/{attempt}.db") for _ in range(4)]
        await asyncio.gather(
            *(asyncio.to_thread(asyncio.run, _open_and_close(store)) for store in stores)
        )


async def _open_and_close(store: Store) -> None:
    await store.open()
    await store.close()


async def _rejected(path: Path) -> str:
    with pytest.raises(StoreError) as rejected:
        await open_store(f"sqlite:///{path}").open()
    message = str(rejected.value)
    assert str(path) in message
    assert "--database" in message
    return message


async def test_schema_of_a_newer_version_is_rejected(tmp_path: Path) -> None:
    """An older sandbox does not touch the file of a newer one."""
    path = tmp_path / "calls.db"
    async with opened(path):
        pass
    execute(path, "PRAGMA user_version = 999")
    assert "newer version" in await _rejected(path)


async def test_schema_of_another_build_is_rejected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A version number does not stand for two schemas: the scripts that were run are known."""
    path = tmp_path / "calls.db"
    async with opened(path):
        pass
    changed = [
        migration(script.sql.replace("used_at", "seen_at")) for script in migrations("sqlite")
    ]
    monkeypatch.setattr("voice_sandbox.store.sqlite_connection.migrations", lambda _: changed)
    assert "was made by another build" in await _rejected(path)


def test_digest_is_of_statements_alone() -> None:
    """A comment of a script may be improved without a database being rejected."""
    script = migrations("sqlite")[0]
    assert migration("-- Another word.\n\n" + script.sql + "\n").digest == script.digest
    assert migration(script.sql.replace("REAL", "INTEGER")).digest != script.digest


async def test_file_that_is_no_database_is_rejected(tmp_path: Path) -> None:
    """Somebody's text file is not overwritten."""
    path = tmp_path / "notes.txt"
    path.write_text("shopping list\n" * 100)
    await _rejected(path)
    assert path.read_text() == "shopping list\n" * 100


async def test_corrupt_schema_is_rejected(tmp_path: Path) -> None:
    """A file whose first page is broken is rejected."""
    path = tmp_path / "calls.db"
    async with opened(path):
        pass
    content = bytearray(path.read_bytes())
    content[100:2000] = b"\xff" * 1900
    path.write_bytes(content)
    await _rejected(path)


async def test_folder_instead_of_a_file_is_rejected(tmp_path: Path) -> None:
    """A folder is no database."""
    await _rejected(tmp_path)


async def test_missing_folder_is_rejected(tmp_path: Path) -> None:
    """A path into a folder that does not exist is rejected by name."""
    await _rejected(tmp_path / "gone" / "calls.db")


async def test_file_in_place_of_a_folder_is_rejected(tmp_path: Path) -> None:
    """A path through a file is rejected by name."""
    (tmp_path / "file").write_text("x")
    await _rejected(tmp_path / "file" / "calls.db")


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs /proc, as Linux has it")
async def test_folder_that_takes_no_files_is_rejected() -> None:
    """A folder in which even root can create nothing is rejected by name."""
    await _rejected(Path("/proc/self/calls.db"))


@pytest.mark.parametrize(
    "url",
    ["", "calls.db", "sqlite://", "sqlite:///", "sqlite:calls.db", "mysql://localhost/x", "x:///y"],
)
def test_unknown_url_is_rejected(url: str) -> None:
    """Only a URL of a known kind is a database; the sentence shows one."""
    with pytest.raises(ValueError, match="sqlite:///FILE"):
        open_store(url)


@pytest.mark.parametrize("replaced", [True, False])
async def test_deleted_or_replaced_file_is_noticed(tmp_path: Path, replaced: bool) -> None:
    """Nothing is acknowledged into a file that has no name any more, and readiness says so."""
    path = tmp_path / "calls.db"
    async with opened(path) as store:
        await store.open_namespace(ONE, fresh=CLOCK, sample=SAMPLE)
        path.unlink()
        if replaced:
            path.write_bytes(b"")
        with pytest.raises(StorageUnavailable, match="deleted or replaced"):
            await store.ping()
        with pytest.raises(StorageUnavailable, match="deleted or replaced"):
            await create(store)
    assert path.exists() == replaced


async def test_database_that_takes_no_writes_is_not_ready(tmp_path: Path) -> None:
    """Readiness writes: a database that can only be read is not ready."""
    async with opened(tmp_path / "calls.db") as store:
        assert isinstance(store, SQLiteStore)
        store._connection().execute("PRAGMA query_only = 1")
        with pytest.raises(StorageUnavailable, match="readonly"):
            await store.ping()
        store._connection().execute("PRAGMA query_only = 0")
        await store.ping()


async def test_new_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    """Phone numbers and transcripts are not for every user of the machine, whatever the umask."""
    umask = os.umask(0)
    try:
        async with opened(tmp_path / "calls.db") as store:
            await store.open_namespace(ONE, fresh=CLOCK, sample=SAMPLE)
            modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    finally:
        os.umask(umask)
    assert modes == {"calls.db": 0o600, "calls.db-wal": 0o600, "calls.db-shm": 0o600}


async def test_no_statement_reads_all_rows_of_a_key(tmp_path: Path) -> None:
    """Each statement finds its rows by an index: a large key makes no other request slow."""
    path = tmp_path / "calls.db"
    async with opened(path):
        pass
    long_steps = set()
    with contextlib.closing(sqlite3.connect(path)) as db:
        for name, statement in statements("sqlite", FRAGMENTS, numbered=False).items():
            plan = db.execute(f"EXPLAIN QUERY PLAN {statement.sql}", [1] * len(statement.names))
            long_steps |= {(name, step) for *_, step in plan if re.search(LONG_STEP, step)}
    assert {name for name, _ in long_steps} == BOUNDED_OTHERWISE, long_steps


# A table or an index as a whole, or all calls of one key.
LONG_STEP = r"SCAN (calls|idempotency_keys|namespaces)|calls.*\(generation=\?\)"
# These take the first or the last entry of an index, one piece, or one namespace.
BOUNDED_OTHERWISE = {
    *("ping", "insert_call", "newest_call_id", "count_calls", "use_namespace"),
    *("is_used_since", "delete_calls"),
}


def test_statements_of_sqlite_have_plain_placeholders() -> None:
    """Python 3.12.0 to 3.12.3 warn of numbered and named ones that get a list of values."""
    for name, statement in statements("sqlite", FRAGMENTS, numbered=False).items():
        assert statement.sql.count("?") == len(statement.names), name
        assert not re.search(r"[?$:@]\w|[{}]", statement.sql), name


async def test_lost_file_is_unavailable_not_broken(tmp_path: Path) -> None:
    """A table that disappears while the sandbox runs is answered as unavailable."""
    path = tmp_path / "calls.db"
    async with opened(path) as store:
        await store.open_namespace(ONE, fresh=CLOCK, sample=SAMPLE)
        execute(path, "DROP TABLE calls")
        with pytest.raises(StorageUnavailable):
            await store.call(ONE, SAMPLE.call_id)
        with pytest.raises(StorageUnavailable):
            await create(store)
        execute(path, "DROP TABLE namespaces")
        with pytest.raises(StorageUnavailable):
            await store.ping()


# All or nothing


FORBID = """
    CREATE TRIGGER forbid BEFORE INSERT ON calls WHEN NEW.phone = '+12025550199'
    BEGIN SELECT RAISE(ABORT, 'the disk is full'); END
"""


async def test_failed_creation_keeps_no_key(tmp_path: Path) -> None:
    """A creation that fails after its key was written leaves no key behind."""
    path = tmp_path / "calls.db"
    async with opened(path) as store:
        await store.open_namespace(ONE, fresh=CLOCK, sample=SAMPLE)
        execute(path, FORBID)
        forbidden = replace(new_call(), phone="+12025550199")
        with pytest.raises(StorageUnavailable):
            await store.create_call(ONE, forbidden, due_at=None, idempotency_key=idempotency_key())
        assert execute(path, "SELECT count(*) FROM idempotency_keys") == [(0,)]
        await create(store, key=idempotency_key())


@pytest.mark.parametrize("at", [0, 7, 19])
async def test_failed_write_leaves_the_others_of_its_turn(tmp_path: Path, at: int) -> None:
    """Of writers that share a transaction only the one whose statement fails is undone, whole."""
    path = tmp_path / "calls.db"
    async with opened(path) as store:
        await store.open_namespace(ONE, fresh=CLOCK, sample=SAMPLE)
        await store.open_namespace(OTHER, fresh=CLOCK, sample=SAMPLE)
        done = await create(store)
        execute(path, FORBID)
        calls = [new_call() for _ in range(20)]
        calls[at] = replace(calls[at], phone="+12025550199")
        outcomes = await asyncio.gather(
            *(
                store.create_call(
                    ONE,
                    call,
                    due_at=START + 8,
                    idempotency_key=replace(idempotency_key(), value=f"order-{number}"),
                )
                for number, call in enumerate(calls)
            ),
            store.move_clock(OTHER, START + 60, wall_now=START),
            complete(store, done),
            return_exceptions=True,
        )
        assert type(outcomes[at]) is StorageUnavailable
        assert outcomes[:at] + outcomes[at + 1 :] == [
            *[None] * 19,
            VirtualClock(START, START + 60),
            True,
        ]
    assert execute(path, "SELECT count(*) FROM calls WHERE due_at IS NOT NULL") == [(20,)]
    assert execute(path, "SELECT count(*) FROM idempotency_keys") == [(19,)]


async def test_store_serves_on_after_a_failed_write(tmp_path: Path) -> None:
    """One failed turn does not take the next one with it."""
    path = tmp_path / "calls.db"
    async with opened(path) as store:
        await store.open_namespace(ONE, fresh=CLOCK, sample=SAMPLE)
        execute(path, FORBID)
        with pytest.raises(StorageUnavailable):
            await store.create_call(
                ONE,
                replace(new_call(), phone="+12025550199"),
                due_at=None,
                idempotency_key=None,
            )
        call = await create(store)
        assert await store.call(ONE, call.call_id) == call


async def test_write_after_a_failed_one_in_the_same_turn_is_saved(tmp_path: Path) -> None:
    """Whoever writes later in a turn that was undone starts a new transaction."""
    path = tmp_path / "calls.db"
    async with opened(path) as store:
        await store.open_namespace(ONE, fresh=CLOCK, sample=SAMPLE)
        execute(path, FORBID)
        calls = [replace(new_call(), phone="+12025550199"), new_call()]
        failed, saved = await asyncio.gather(
            *(store.create_call(ONE, call, due_at=None, idempotency_key=None) for call in calls),
            return_exceptions=True,
        )
        assert isinstance(failed, StorageUnavailable)
        assert saved is None
        assert execute(path, "SELECT count(*) FROM calls") == [(2,)]


async def test_cancelled_writer_takes_nobody_with_it(tmp_path: Path) -> None:
    """A client that goes away in the middle leaves the writes of others alone."""
    async with opened(tmp_path / "calls.db") as store:
        await store.open_namespace(ONE, fresh=CLOCK, sample=SAMPLE)
        gone = asyncio.create_task(create(store))
        stays = asyncio.create_task(create(store))
        await asyncio.sleep(0)
        gone.cancel()
        call = await stays
        assert await store.call(ONE, call.call_id) == call


async def test_app_answers_a_failed_store_as_unavailable(tmp_path: Path, wall: FakeWall) -> None:
    """A store that fails is 503 with Retry-After, and nothing half-applied remains."""
    path = tmp_path / "calls.db"
    async with running_sandbox(f"sqlite:///{path}", wall) as sandbox:
        await sandbox.client.get("/sandbox/clock")
        execute(path, FORBID.replace("+12025550199", "+12025550100"))
        body = {"phone": "+12025550100", "agent": CATALOGUE.agents[0].key}
        headers = {"Idempotency-Key": "one"}
        rejected = await sandbox.client.post("/v1/calls", json=body, headers=headers)
        execute(path, "DROP TRIGGER forbid")
        created = await sandbox.client.post("/v1/calls", json=body, headers=headers)
    assert (rejected.status_code, rejected.json()["code"]) == (503, "storage_unavailable")
    assert rejected.headers["retry-after"] == "1"
    assert (created.status_code, "idempotent-replayed" in created.headers) == (201, False)


def test_killed_process_loses_no_acknowledged_call(tmp_path: Path) -> None:
    """`kill -9` in the middle of work: every call that was answered 201 is there afterwards."""
    body = {"phone": "+12025550130", "agent": CATALOGUE.agents[0].key}
    options: dict[str, Any] = {"headers": {"Authorization": "Bearer sandbox_kill"}, "timeout": 10}
    with start_sandbox(tmp_path) as server, httpx2.Client(base_url=server.url, **options) as client:
        acknowledged = [client.post("/v1/calls", json=body).json()["call_id"] for _ in range(200)]
        server.process.send_signal(signal.SIGKILL)
        server.process.wait(10)
    with start_sandbox(tmp_path) as server, httpx2.Client(base_url=server.url, **options) as client:
        found = [client.get(f"/v1/calls/{call_id}").status_code for call_id in acknowledged]
    assert found == [200] * 200


async def test_a_file_of_another_program_is_left_alone(tmp_path: Path) -> None:
    """A database that somebody else has filled is rejected, and nothing is added to it."""
    theirs = tmp_path / "theirs.db"
    with contextlib.closing(sqlite3.connect(theirs)) as db:
        db.execute("CREATE TABLE invoices (number INTEGER)")
        db.commit()
    with pytest.raises(StoreError, match="belongs to another program"):
        await open_store(f"sqlite:///{theirs}").open()
    with contextlib.closing(sqlite3.connect(theirs)) as db:
        assert db.execute("SELECT name FROM sqlite_schema").fetchall() == [("invoices",)]
