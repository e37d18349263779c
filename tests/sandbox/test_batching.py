"""Concurrent callers share one batch, and nobody waits for a timer."""

import asyncio
from collections.abc import Sequence

import pytest

from voice_sandbox.store.batching import Batcher
from voice_sandbox.store.protocol import DatabaseAway

pytestmark = pytest.mark.anyio

WRONG, AWAY = -1, -2


class Doubler:
    """Doubles numbers, one batch at a time, while it may."""

    def __init__(self, *, limit: int = 64) -> None:
        self.batches: list[list[int]] = []
        self.may_run = asyncio.Event()
        self.may_run.set()
        self.double = Batcher(self._run, limit=limit)

    async def _run(self, batch: Sequence[int]) -> list[int]:
        self.batches.append(list(batch))
        await self.may_run.wait()
        if WRONG in batch:
            raise ValueError("no such number")
        if AWAY in batch:
            raise DatabaseAway("away")
        return [2 * number for number in batch]


async def test_each_caller_gets_its_own_result() -> None:
    """A result goes to the caller of its item, whoever else was in the batch."""
    doubler = Doubler()
    results = await asyncio.gather(*(doubler.double(number) for number in range(10)))
    assert results == [2 * number for number in range(10)]


async def test_a_single_caller_does_not_wait() -> None:
    """Items that come one after the other run one after the other."""
    doubler = Doubler()
    for number in range(3):
        await doubler.double(number)
    assert doubler.batches == [[0], [1], [2]]


async def test_items_that_arrive_during_a_batch_share_the_next() -> None:
    """While one batch runs all other items wait for the next one."""
    doubler = Doubler()
    doubler.may_run.clear()
    tasks = [asyncio.create_task(doubler.double(number)) for number in range(2)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    tasks += [asyncio.create_task(doubler.double(number)) for number in range(2, 6)]
    await asyncio.sleep(0)
    doubler.may_run.set()
    await asyncio.gather(*tasks)
    assert doubler.batches == [[0, 1], [2, 3, 4, 5]]


async def test_a_batch_has_a_limit() -> None:
    """A batch holds at most so many items, and none is left behind."""
    doubler = Doubler(limit=4)
    await asyncio.gather(*(doubler.double(number) for number in range(10)))
    assert doubler.batches == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


@pytest.mark.parametrize("limit", [1, 2, 64])
async def test_only_the_item_at_fault_fails(limit: int) -> None:
    """One item that cannot be done takes no other item of its batch with it."""
    doubler = Doubler(limit=limit)
    outcomes = await asyncio.gather(
        *(doubler.double(number) for number in (1, WRONG, 3, WRONG, 5)), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes] == [int, ValueError, int, ValueError, int]


async def test_an_outage_is_raised_for_items_that_wait() -> None:
    """Nobody waits in a queue for a database that the batch before has found to be away."""
    doubler = Doubler(limit=1)
    outcomes = await asyncio.gather(
        *(doubler.double(number) for number in (AWAY, 1, 2)), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes] == [DatabaseAway] * 3
    assert await doubler.double(3) == 6


async def test_a_cancelled_caller_does_not_disturb_the_others() -> None:
    """A client that goes away in the middle leaves the results of the others alone."""
    doubler = Doubler()
    doubler.may_run.clear()
    gone, stays = (asyncio.create_task(doubler.double(number)) for number in (1, 2))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.sleep(0)
    doubler.may_run.set()
    assert await stays == 4
