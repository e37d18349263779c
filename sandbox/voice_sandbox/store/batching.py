"""Runs operations of one kind in batches, so that concurrent callers share one statement.

A single caller does not wait. An item that arrives while a batch runs goes with the next batch, so
a batch grows with the load, up to a limit. There is no timer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from voice_sandbox.store.protocol import DatabaseAway

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
_Batch = list[tuple[_Item, "asyncio.Future[_Result]"]]


class Batcher(Generic[_Item, _Result]):
    """Awaiting ``batcher(item)`` gives that item's own result."""

    def __init__(
        self, run: Callable[[Sequence[_Item]], Awaitable[Sequence[_Result]]], *, limit: int
    ) -> None:
        """``run`` returns one result for each item, in their order. It gets at most ``limit``."""
        self._run = run
        self._limit = limit
        self._waiting: _Batch[_Item, _Result] = []
        self._task: asyncio.Task[None] | None = None

    async def __call__(self, item: _Item) -> _Result:
        """Raises: what ``run`` raises for the item.

        A batch that fails changes nothing, and its items run again one by one: only the item that
        is at fault fails. `DatabaseAway` is raised for the whole batch, and for the items that
        wait behind it.
        """
        future: asyncio.Future[_Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._task is None:
            self._task = asyncio.create_task(self._run_batches())
        return await future

    async def _run_batches(self) -> None:
        try:
            while self._waiting:
                batch = self._waiting[: self._limit]
                del self._waiting[: self._limit]
                try:
                    await self._run_batch(batch)
                except DatabaseAway as error:
                    _fail(batch + self._waiting, error)
                    self._waiting.clear()
        finally:
            self._task = None
            for _, future in self._waiting:  # the loop is ending
                future.cancel()

    async def _run_batch(self, batch: _Batch[_Item, _Result]) -> None:
        try:
            results = await self._run([item for item, _ in batch])
        except DatabaseAway:
            raise
        except Exception as error:  # noqa: BLE001  (raised in the caller)
            if len(batch) == 1:
                _fail(batch, error)
                return
            for single in batch:
                await self._run_batch([single])
        else:
            for (_, future), result in zip(batch, results, strict=True):
                if not future.done():  # its caller may have been cancelled
                    future.set_result(result)


def _fail(batch: _Batch[_Item, _Result], error: Exception) -> None:
    for _, future in batch:
        if not future.done():
            future.set_exception(error)
