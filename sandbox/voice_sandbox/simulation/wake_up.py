"""Wakes whoever waits for the next thing that is due, when something is planned that comes sooner.

Handlers plan completions and the deliverer waits for them; neither has to know the other.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from math import inf


class WakeUp:
    """The wall time until which somebody sleeps."""

    def __init__(self) -> None:
        self._sooner = asyncio.Event()
        self._due_at = inf

    def planned(self, due_at: float) -> None:
        """Something is due at that wall time."""
        if due_at < self._due_at:
            self._due_at = due_at
            self._sooner.set()

    def reset(self) -> None:
        """From now on every plan wakes, until `sleep` knows what is due next."""
        self._due_at = inf
        self._sooner = asyncio.Event()  # of the event loop that runs now

    async def sleep(self, seconds: float, *, due_at: float) -> None:
        """Sleeps so long, or until something is planned that is due before ``due_at``."""
        self._due_at = due_at
        # Not wait_for: on Python 3.11 it loses a cancellation that comes with the event.
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._sooner.wait()
