"""Namespaces that nobody uses are removed after the hours that a limit says, and no other."""

from collections.abc import AsyncIterator

import pytest
from uuid_utils import UUID

from voice_sandbox.calls.call import Call, Result
from voice_sandbox.clock import Sequence, VirtualClock
from voice_sandbox.simulation.expiry import NamespaceExpiry
from voice_sandbox.store import open_store
from voice_sandbox.store.protocol import Covered, JournalSegment, StorageUnavailable, Store

pytestmark = pytest.mark.anyio

NAMESPACE = b"n" * 16
NOON = 1_700_000_000.0
IDLE_SECONDS = 3600.0


class Machine:
    """A machine on which the deployment runs; `seconds` is its monotonic time."""

    def __init__(self, store: Store, *, seconds: float = 100.0) -> None:
        self.seconds = seconds
        self.wall = NOON
        self._store = store

    async def started(self) -> NamespaceExpiry:
        """A process that starts now, and sweeps first of all."""
        expiry = NamespaceExpiry(
            self._store,
            idle_seconds=IDLE_SECONDS,
            monotonic=lambda: self.seconds,
            open_namespace=self.open_namespace,
        )
        await expiry.sweep()
        return expiry

    async def open_namespace(self, namespace: bytes = NAMESPACE) -> None:
        sample = Call(
            call_id=UUID(int=1),
            phone="+12025550100",
            agent="agent",
            scenario="answered",
            created_at=self.wall,
            result=Result("completed", "agent: Hello", 1),
            ended_at=self.wall,
        )
        fresh = VirtualClock(self.wall, self.wall)
        await self._store.open_namespace(namespace, fresh=fresh, sample=sample)


async def exists(store: Store) -> bool:
    """Whether the namespace still holds its sample call."""
    return await store.newest_call_id(NAMESPACE) is not None


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    store = open_store("sqlite:///:memory:")
    await store.open()
    yield store
    await store.close()


@pytest.fixture
def machine(store: Store) -> Machine:
    return Machine(store)


@pytest.mark.parametrize(
    ("idle_seconds", "stays"), [(IDLE_SECONDS, True), (IDLE_SECONDS + 1, False)]
)
async def test_a_namespace_goes_after_its_idle_hours(
    store: Store, machine: Machine, idle_seconds: float, stays: bool
) -> None:
    """As many hours without a request as the limit says remove a namespace with all its calls."""
    expiry = await machine.started()
    await machine.open_namespace()
    machine.seconds += idle_seconds
    await expiry.sweep()
    assert await exists(store) is stays


async def test_a_use_keeps_a_namespace(store: Store, machine: Machine) -> None:
    """A request in time starts the hours anew."""
    expiry = await machine.started()
    await machine.open_namespace()
    machine.seconds += IDLE_SECONDS + 1
    expiry.use(NAMESPACE)
    await expiry.sweep()
    machine.seconds += 1
    await expiry.sweep()
    assert await exists(store)


@pytest.mark.parametrize("hours", [-48, 25, 24 * 365])
async def test_a_wall_that_is_set_ages_no_namespace(
    store: Store, machine: Machine, hours: float
) -> None:
    """Whether the wall is wrong at the start or later, only running time counts."""
    expiry = await machine.started()
    await machine.open_namespace()
    await expiry.sweep()
    machine.wall += hours * 3600
    await machine.open_namespace(b"o" * 16)
    await machine.started()
    machine.wall = NOON
    await expiry.sweep()
    assert await exists(store)
    assert await store.newest_call_id(b"o" * 16) is not None


async def test_idle_hours_go_on_over_a_restart(store: Store, machine: Machine) -> None:
    """A deployment that is restarted often removes idle namespaces too; a stop ages none."""
    await machine.open_namespace()
    for _ in range(3):
        process = await machine.started()
        machine.seconds += IDLE_SECONDS / 4
        await process.sweep()
        machine.seconds = 7.0  # another boot, after whatever time
        machine.wall += 365 * 24 * 3600
    assert await exists(store)
    process = await machine.started()
    machine.seconds += IDLE_SECONDS / 4 + 1
    await process.sweep()
    assert not await exists(store)


async def test_processes_that_run_side_by_side_age_a_namespace_once(
    store: Store, machine: Machine
) -> None:
    """Workers that run side by side do not add up their time."""
    await machine.open_namespace()
    workers = [await machine.started() for _ in range(8)]
    for _ in range(4):
        for worker in workers:
            machine.seconds += IDLE_SECONDS / 40
            await worker.sweep()
    assert await exists(store)


async def test_a_key_that_opened_nothing_goes_like_others(store: Store, machine: Machine) -> None:
    """Whoever only lists agents leaves a journal, and that goes after the idle hours too."""
    expiry = await machine.started()
    expiry.use(NAMESPACE)
    await store.append_journal(
        [JournalSegment(NAMESPACE, Sequence(lambda: NOON)(), NOON, 1, b"packed")],
        [(NAMESPACE, Covered("listAgents", 200, "", "", 1))],
    )
    await expiry.sweep()
    machine.seconds += IDLE_SECONDS
    await expiry.sweep()
    assert await store.journal(NAMESPACE, after="") != []
    machine.seconds += 1
    await expiry.sweep()
    assert await store.journal(NAMESPACE, after="") == []
    assert await store.coverage(NAMESPACE) == []


async def test_nobody_has_no_namespace(store: Store, machine: Machine) -> None:
    """A request without a key opens nothing."""
    expiry = await machine.started()
    expiry.use(b"")
    await expiry.sweep()
    assert not await exists(store)


async def test_uses_outlive_an_outage(
    store: Store, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What could not be written down is written down by the next sweep."""
    expiry = await machine.started()
    await machine.open_namespace()
    machine.seconds += IDLE_SECONDS + 1
    expiry.use(NAMESPACE)
    with monkeypatch.context() as away:
        away.setattr(store, "use_namespaces", _unavailable)
        with pytest.raises(StorageUnavailable):
            await expiry.sweep()
    await expiry.sweep()
    assert await exists(store)


async def _unavailable(namespaces: object, *, at: float) -> None:
    raise StorageUnavailable("away")
