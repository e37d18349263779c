"""Limits what one key may do: requests a second, streams at a time, and calls at all.

Both are counted in this process. A deployment with several workers counts in each, so a key gets
up to as many times the rate; of the calls each worker hands out no more than its share.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from math import ceil
from typing import Final

from uuid_utils import UUID

from voice_sandbox.contract.problems import ProblemError
from voice_sandbox.store.protocol import CallStore

_MOST_KEPT: Final = 10_000
"""Namespaces that are remembered before those that are at rest are forgotten."""
_FULL_RETRY_SECONDS: Final = 60
_NEVER_FULL: Final = object()
_STREAM_RETRY_SECONDS: Final = 5


class RateLimiter:
    """Lets each namespace send ``rate`` requests a second, and as many at once.

    The generic cell rate algorithm: of each namespace only the time is kept at which it would have
    caught up (ITU-T I.371, annex A).
    """

    def __init__(self, rate: float, *, monotonic: Callable[[], float]) -> None:
        self._rate = rate
        self._interval = 1 / rate
        self._burst_seconds = max(1.0, self._interval)
        self._monotonic = monotonic
        self._caught_up_at: dict[bytes, float] = {}
        self._keep = _MOST_KEPT

    def admit(self, namespace: bytes) -> None:
        """Counts one request. Raises: `ProblemError` ``rate_limited``."""
        now = self._monotonic()
        caught_up_at = max(self._caught_up_at.get(namespace, 0.0), now) + self._interval
        if (early := caught_up_at - now - self._burst_seconds) > 1e-9:
            raise ProblemError(
                "rate_limited",
                f"This deployment takes {self._rate:g} requests a second of one key. Wait as many "
                "seconds as Retry-After says, then send the same request again.",
                headers={"Retry-After": str(ceil(early))},
            )
        if len(self._caught_up_at) >= self._keep:
            self._forget(now)
        self._caught_up_at[namespace] = caught_up_at

    def charge(self, namespace: bytes, requests: int) -> None:
        """Counts what has cost as much as so many requests."""
        now = self._monotonic()
        caught_up_at = max(self._caught_up_at.get(namespace, 0.0), now)
        self._caught_up_at[namespace] = caught_up_at + requests * self._interval

    def _forget(self, now: float) -> None:
        """Drops namespaces at rest; looks again when as many have come as are left."""
        self._caught_up_at = {
            name: instant for name, instant in self._caught_up_at.items() if instant > now
        }
        self._keep = max(_MOST_KEPT, 2 * len(self._caught_up_at))


class StreamSlots:
    """Lets each namespace follow ``limit`` streams: one key cannot take all connections."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._open: Counter[bytes] = Counter()

    def take(self, namespace: bytes) -> Callable[[], None]:
        """Takes a place; what it returns gives it back. Raises: `ProblemError` ``rate_limited``."""
        if self._open[namespace] >= self._limit:
            raise ProblemError(
                "rate_limited",
                f"This key follows {self._limit} streams, as many as this deployment allows at a "
                "time. Close one, or share one stream between readers.",
                headers={"Retry-After": str(_STREAM_RETRY_SECONDS)},
            )
        self._open[namespace] += 1
        return partial(self._give_back, namespace)

    def _give_back(self, namespace: bytes) -> None:
        self._open[namespace] -= 1
        if not self._open[namespace]:
            del self._open[namespace]


class Quota:
    """Lets each namespace hold ``limit`` calls.

    The store counts only now and then: what is left is handed out in shares, one for each of
    ``workers`` processes, and counted anew when a share is used up. A full namespace is counted
    once: it stays full as long as its newest call is the same, since no call goes by itself.
    """

    def __init__(self, store: CallStore, limit: int, *, workers: int) -> None:
        self._store = store
        self._limit = limit
        self._workers = workers
        self._share: dict[bytes, int] = {}
        self._newest_when_full: dict[bytes, UUID | None] = {}

    async def admit(self, namespace: bytes) -> None:
        """Counts one call. Raises: `ProblemError` ``rate_limited``."""
        share = self._share.get(namespace, 0)
        if share == 0:
            left = await self._left(namespace)
            if left <= 0:
                raise ProblemError(
                    "rate_limited",
                    f"This key holds {self._limit} calls, as many as this deployment keeps for "
                    "one. Empty it with DELETE /sandbox/state, or use another key.",
                    headers={"Retry-After": str(_FULL_RETRY_SECONDS)},
                )
            share = max(1, left // self._workers)
            if len(self._share) >= _MOST_KEPT:
                self._share.clear()
        self._share[namespace] = share - 1

    async def _left(self, namespace: bytes) -> int:
        """How many calls the namespace may still hold."""
        newest = await self._store.newest_call_id(namespace)
        if self._newest_when_full.pop(namespace, _NEVER_FULL) == newest:
            left = 0
        else:
            left = self._limit - await self._store.count_calls(namespace)
        if left <= 0:
            if len(self._newest_when_full) >= _MOST_KEPT:
                self._newest_when_full.clear()
            self._newest_when_full[namespace] = newest
        return left
