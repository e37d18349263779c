"""Runs operations of one kind in batches, so that concurrent callers share one statement.

A single caller does not wait. An item that arrives while a batch runs goes with the next batch, so
a batch grows with the load, up to a limit. There is no timer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from voice_sandbox.store.protocol import StorageUnavailable

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class Batcher(Generic[_Item, _Result]):
    """Awaiting ``batcher(item)`` gives that item's own result."""

    def __init__(
        self, run: Callable[[Sequence[_Item]], Awaitable[Sequence[_Result]]], *, limit: int
    ) -> None:
        """``run`` returns one result for each item, in their order. It gets at most ``limit``."""
        self._run = run
        self._limit = limit
        self._waiting: list[tuple[_Item, asyncio.Future[_Result]]] = []
        self._task: asyncio.Task[None] | None = None

    async def __call__(self, item: _Item) -> _Result:
        """Raises: what ``run`` raises, for all items of the batch.

        `StorageUnavailable` is raised for the items that wait behind the batch too.
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
                    results = await self._run([item for item, _ in batch])
                except Exception as error:  # noqa: BLE001  (raised in each caller)
                    if isinstance(error, StorageUnavailable):
                        batch += self._waiting
                        self._waiting.clear()
                    for _, future in batch:
                        if not future.done():
                            future.set_exception(error)
                else:
                    for (_, future), result in zip(batch, results, strict=True):
                        if not future.done():  # its caller may have been cancelled
                            future.set_result(result)
        finally:
            self._task = None
            for _, future in self._waiting:  # the loop is ending
                future.cancel()
