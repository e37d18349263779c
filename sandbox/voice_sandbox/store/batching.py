"""Asks once for what many want at the same time, so that they share one way to the database."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from voice_sandbox.store.protocol import StorageUnavailable

_Asked = TypeVar("_Asked")
_Answer = TypeVar("_Answer")


class Batcher(Generic[_Asked, _Answer]):
    """What is asked while an earlier question is under way goes with the next one.

    Nobody waits for a timer: alone, a question goes at once, and the busier it gets, the more go
    together, at most ``most``.
    """

    def __init__(
        self, ask: Callable[[Sequence[_Asked]], Awaitable[Sequence[_Answer]]], *, limit: int
    ) -> None:
        """``ask`` returns one answer for each question, in their order."""
        self._ask = ask
        self._limit = limit
        self._waiting: list[tuple[_Asked, asyncio.Future[_Answer]]] = []
        self._task: asyncio.Task[None] | None = None

    async def __call__(self, asked: _Asked) -> _Answer:
        """Raises: whatever asking raises, for all that were asked with it.

        What is unavailable is so for those too who wait behind it.
        """
        future: asyncio.Future[_Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((asked, future))
        if self._task is None:
            self._task = asyncio.create_task(self._ask_all())
        return await future

    async def _ask_all(self) -> None:
        try:
            while self._waiting:
                together = self._waiting[: self._limit]
                del self._waiting[: self._limit]
                try:
                    responses = await self._ask([asked for asked, _ in together])
                except Exception as error:  # noqa: BLE001  (handed to those who asked)
                    if isinstance(error, StorageUnavailable):
                        together += self._waiting
                        self._waiting.clear()
                    for _, future in together:
                        if not future.done():
                            future.set_exception(error)
                else:
                    for (_, future), response in zip(together, responses, strict=True):
                        if not future.done():  # it may have been given up
                            future.set_result(response)
        finally:
            self._task = None
            for _, future in self._waiting:  # the loop is ending
                future.cancel()
