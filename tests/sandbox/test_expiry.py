"""Namespaces that nobody uses are removed after the hours that a limit says, and no other."""

from collections.abc import AsyncIterator

import pytest
from uuid_utils import UUID

from voice_sandbox.calls.call import Call, Result
from voice_sandbox.clock import VirtualClock, new_seq
from voice_sandbox.simulation.expiry import NamespaceExpiry
from voice_sandbox.store import open_store
from voice_sandbox.store.protocol import Covered, JournalSegment, StorageUnavailable, Store

pytestmark = pytest.mark.anyio

NAMESPACE = b"n" * 16
NOON = 1_700_000_000.0
IDLE_SECONDS = 3600.0


async def opened(store: Store, *, now: float) -> None:
    """Open the namespace at that wall time."""
    sample = Call(
        call_id=UUID(int=1),
        phone="+12025550100",
        agent="agent",
        scenario="answered",
        created_at=now,
        result=Result("completed", "agent: Hello", 1),
        ended_at=now,
    )
    await store.open_namespace(NAMESPACE, fresh=VirtualClock(now, now), sample=sample)


def expiry(store: Store, *, now: float) -> NamespaceExpiry:
    """One of perhaps several processes, at that wall time."""
    return NamespaceExpiry(
        store,
        idle_seconds=IDLE_SECONDS,
        wall=lambda: now,
        open_namespace=lambda namespace: opened(store, now=now),
    )


async def exists(store: Store) -> bool:
    """Whether the namespace still holds its sample call."""
    return await store.newest_call_id(NAMESPACE) is not None


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    store = open_store("sqlite:///:memory:")
    await store.open()
    yield store
    await store.close()


@pytest.mark.parametrize(
    ("idle_seconds", "stays"), [(IDLE_SECONDS, True), (IDLE_SECONDS + 1, False)]
)
async def test_a_namespace_goes_after_its_idle_hours(
    store: Store, idle_seconds: float, stays: bool
) -> None:
    """As many hours without a request as the limit says remove a namespace with all its calls."""
    await opened(store, now=NOON)
    await expiry(store, now=NOON + idle_seconds).sweep()
    assert await exists(store) is stays


async def test_a_use_keeps_a_namespace(store: Store) -> None:
    """A request in time starts the hours anew."""
    await opened(store, now=NOON)
    late = expiry(store, now=NOON + IDLE_SECONDS + 1)
    late.use(NAMESPACE)
    await late.sweep()
    await expiry(store, now=NOON + IDLE_SECONDS + 2).sweep()
    assert await exists(store)


async def test_a_key_that_opened_nothing_goes_like_others(store: Store) -> None:
    """Whoever only lists agents leaves a journal, and that goes after the idle hours too."""
    busy = expiry(store, now=NOON)
    busy.use(NAMESPACE)
    await store.append_journal(
        [JournalSegment(NAMESPACE, new_seq(), NOON, 1, b"packed")],
        [(NAMESPACE, Covered("listAgents", 200, "", "", 1))],
    )
    await busy.sweep()
    await expiry(store, now=NOON + IDLE_SECONDS).sweep()
    assert await store.journal(NAMESPACE, after="") != []
    await expiry(store, now=NOON + IDLE_SECONDS + 1).sweep()
    assert await store.journal(NAMESPACE, after="") == []
    assert await store.coverage(NAMESPACE) == []


async def test_nobody_has_no_namespace(store: Store) -> None:
    """A request without a key opens nothing."""
    busy = expiry(store, now=NOON)
    busy.use(b"")
    await busy.sweep()
    assert not await exists(store)


async def test_uses_outlive_an_outage(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be written down is written down by the next sweep."""
    await opened(store, now=NOON)
    late = expiry(store, now=NOON + IDLE_SECONDS + 1)
    late.use(NAMESPACE)
    with monkeypatch.context() as away:
        away.setattr(store, "use_namespaces", _unavailable)
        with pytest.raises(StorageUnavailable):
            await late.sweep()
    await late.sweep()
    assert await exists(store)


async def _unavailable(namespaces: object, *, at: float) -> None:
    raise StorageUnavailable("away")
