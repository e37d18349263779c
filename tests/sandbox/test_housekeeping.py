"""Namespaces that nobody uses are removed after the hours that a limit says, and no other."""

import pytest

from sandbox.calls import Call, Result
from sandbox.clock import VirtualClock, new_call_id
from sandbox.housekeeping import Housekeeper
from sandbox.store import open_store
from sandbox.store.protocol import Store

pytestmark = pytest.mark.anyio

NAMESPACE = b"n" * 16
NOON = 1_700_000_000.0
IDLE_SECONDS = 3600.0


async def opened(store: Store, *, now: float) -> None:
    """Open the namespace at that wall time."""
    sample = Call(
        call_id=new_call_id(),
        phone="+12025550100",
        agent="agent",
        scenario="answered",
        created_at=now,
        result=Result("completed", "agent: Hello", 1),
        ended_at=now,
    )
    await store.open_namespace(NAMESPACE, fresh=VirtualClock(now, now), sample=sample)


async def exists(store: Store) -> bool:
    """Whether the namespace still holds its sample call."""
    return await store.newest_call_id(NAMESPACE) is not None


@pytest.mark.parametrize(
    ("idle_seconds", "stays"), [(IDLE_SECONDS, True), (IDLE_SECONDS + 1, False)]
)
async def test_a_namespace_goes_after_its_idle_hours(idle_seconds: float, stays: bool) -> None:
    """As many hours without a request as the limit says remove a namespace with all its calls."""
    store = open_store("sqlite:///:memory:")
    await store.open()
    await opened(store, now=NOON)
    await Housekeeper(store, idle_seconds=IDLE_SECONDS, wall=lambda: NOON + idle_seconds).sweep()
    assert await exists(store) is stays
    await store.close()


async def test_a_use_keeps_a_namespace() -> None:
    """A request in time starts the hours anew."""
    store = open_store("sqlite:///:memory:")
    await store.open()
    await opened(store, now=NOON)
    late = Housekeeper(store, idle_seconds=IDLE_SECONDS, wall=lambda: NOON + IDLE_SECONDS + 1)
    late.use(NAMESPACE)
    await late.sweep()
    await Housekeeper(
        store, idle_seconds=IDLE_SECONDS, wall=lambda: NOON + IDLE_SECONDS + 2
    ).sweep()
    assert await exists(store)
    await store.close()
