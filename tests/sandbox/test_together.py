"""Many who ask at the same time share one question, and nobody waits for a timer."""

import asyncio
from collections.abc import Sequence

import pytest

from voice_sandbox.store.batching import Batcher
from voice_sandbox.store.protocol import StorageUnavailable

pytestmark = pytest.mark.anyio

WRONG, AWAY = -1, -2


class Source:
    """Answers each number with its double, one question at a time, when it is told to."""

    def __init__(self, *, limit: int = 64) -> None:
        self.questions: list[list[int]] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.together = Batcher(self._ask, limit=limit)

    async def _ask(self, asked: Sequence[int]) -> list[int]:
        self.questions.append(list(asked))
        await self.may_answer.wait()
        if WRONG in asked:
            raise ValueError("no such number")
        if AWAY in asked:
            raise StorageUnavailable("away")
        return [2 * number for number in asked]


async def test_each_gets_its_own_answer() -> None:
    """Answers go to those who asked, whoever else asked with them."""
    source = Source()
    responses = await asyncio.gather(*(source.together(number) for number in range(10)))
    assert responses == [2 * number for number in range(10)]


async def test_alone_nobody_waits() -> None:
    """Questions one after the other go one after the other."""
    source = Source()
    for number in range(3):
        await source.together(number)
    assert source.questions == [[0], [1], [2]]


async def test_what_comes_meanwhile_goes_together() -> None:
    """While one question is under way all others gather for the next."""
    source = Source()
    source.may_answer.clear()
    asked = [asyncio.create_task(source.together(number)) for number in range(2)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    asked += [asyncio.create_task(source.together(number)) for number in range(2, 6)]
    await asyncio.sleep(0)
    source.may_answer.set()
    await asyncio.gather(*asked)
    assert source.questions == [[0, 1], [2, 3, 4, 5]]


async def test_only_so_many_go_together() -> None:
    """A question has an upper bound, and nobody is left behind by it."""
    source = Source(limit=4)
    await asyncio.gather(*(source.together(number) for number in range(10)))
    assert source.questions == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


async def test_failure_goes_to_those_who_asked_together() -> None:
    """Whoever asked in a question that failed hears of it, and the next question is asked."""
    source = Source(limit=2)
    outcomes = await asyncio.gather(
        *(source.together(number) for number in (1, WRONG, 3)), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes] == [ValueError, ValueError, int]


async def test_outage_is_known_to_those_who_wait_behind_it() -> None:
    """Nobody waits in a queue for a database that the first in it has found to be away."""
    source = Source(limit=1)
    outcomes = await asyncio.gather(
        *(source.together(number) for number in (AWAY, 1, 2)), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes] == [StorageUnavailable] * 3
    assert await source.together(3) == 6


async def test_who_gives_up_takes_nobody_along() -> None:
    """A client that goes away in the middle leaves the answers of the others alone."""
    source = Source()
    source.may_answer.clear()
    gone, stays = (asyncio.create_task(source.together(number)) for number in (1, 2))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.sleep(0)
    source.may_answer.set()
    assert await stays == 4
