"""Delivers the simulated provider's completions when they are due.

Each is posted through the application's own ASGI stack, as a request like any other: there is no
other way to set a result. A delivery is claimed under a lease first, so that a process that dies
in the middle leaves it to the next one; a completion that arrives twice changes nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from math import inf
from typing import Any, Final

import msgspec
import orjson
from starlette.types import ASGIApp, Message

from voice_sandbox import clock
from voice_sandbox.calls.call import Call
from voice_sandbox.clock import VirtualClock
from voice_sandbox.http.authentication import Keyring
from voice_sandbox.http.exchange import CALL_EXTENSION
from voice_sandbox.simulation.simulation import Simulation
from voice_sandbox.store.protocol import Due, StorageUnavailable

logger = logging.getLogger("voice_sandbox")

LEASE_SECONDS: Final = 5.0
"""A delivery takes milliseconds; what a process that died has claimed waits so long."""
BATCH: Final = 100
# Other processes on the same database plan calls too, so look again at least this often.
LONGEST_NAP_SECONDS: Final = 1.0
_BUSY_WAIT_SECONDS: Final = 0.01
_LONGEST_WAIT_SECONDS: Final = 4 * LEASE_SECONDS
"""For what another process has claimed: two leases that end without a delivery, and more."""


class Posted(msgspec.Struct, frozen=True):
    """The response to a completion."""

    status: int
    body: Mapping[str, Any]


class Deliverer:
    """Plays the provider's side of every call."""

    def __init__(self, simulation: Simulation, keyring: Keyring) -> None:
        self._simulation = simulation
        self._webhook = simulation.contract.operations["callCompleted"]
        self._keyring = keyring
        self.endpoint: ASGIApp
        """That of ``callCompleted``, the operation that takes completions: set where it is made."""

    def wake(self) -> None:
        """Looks for what is due at once."""
        self._simulation.wake_up.planned(0)

    async def run(self) -> None:
        """Delivers what becomes due, until it is cancelled."""
        while True:
            try:
                await self.deliver_due()
                await self._nap()
            except StorageUnavailable as error:
                logger.error("storage unavailable, deliveries wait: %s", error)
                await asyncio.sleep(LONGEST_NAP_SECONDS)

    async def end(self, namespace: bytes, call: Call, payload: Mapping[str, Any]) -> Posted:
        """Posts a completion now, for a client that plays the provider."""
        return await self._post(namespace, call, payload)

    async def advance(
        self,
        namespace: bytes,
        until: float,
        *,
        is_given_up: Callable[[], Awaitable[bool]] | None = None,
    ) -> VirtualClock:
        """Moves a clock to ``until``; everything due by then has been delivered on return.

        Until infinity it moves as far as the last completion that is pending. What is due at one
        instant goes together. Where nobody waits for it any more, it stops at the instant that it
        has reached. Raises: `StorageUnavailable`.
        """
        store, wall = self._simulation.store, self._simulation.wall
        reached, waited_since = -inf, clock.monotonic()
        while (next_due_at := await store.next_due_at(namespace)) is not None:
            if next_due_at > until:
                break
            if is_given_up is not None and await is_given_up():
                until = reached
                break
            claimed = await store.claim_until(
                namespace, until=until, wall_now=wall(), lease_seconds=LEASE_SECONDS, limit=BATCH
            )
            if not claimed:  # another task delivers it just now
                if clock.monotonic() - waited_since > _LONGEST_WAIT_SECONDS:
                    raise StorageUnavailable("what is due is held by another process for too long")
                await asyncio.sleep(_BUSY_WAIT_SECONDS)
                continue
            await store.move_clock(namespace, claimed[0].due_at, wall_now=wall(), wakes=False)
            reached, waited_since = claimed[0].due_at, clock.monotonic()
            for error in await self._deliver_at_once(claimed):
                raise error
        reached = until if until < inf else reached
        if reached > -inf:
            await store.move_clock(namespace, reached, wall_now=wall())
        return await self._simulation.clock(namespace)

    async def deliver_due(self) -> None:
        """Delivers everything that is due by now."""
        store, wall = self._simulation.store, self._simulation.wall
        while True:
            claimed = await store.claim_due(
                wall_now=wall(), lease_seconds=LEASE_SECONDS, limit=BATCH
            )
            for error in await self._deliver_at_once(claimed):
                if isinstance(error, StorageUnavailable):
                    raise error  # of all others the calls go on
            if len(claimed) < BATCH:
                return

    async def _deliver_at_once(self, claimed: Sequence[Due]) -> list[BaseException]:
        """Delivers at the same time, so that the store can save together; returns what failed."""
        ended = await asyncio.gather(*map(self.deliver, claimed), return_exceptions=True)
        failed = [error for error in ended if error is not None]
        for due, error in zip(claimed, ended, strict=True):
            if error is not None and not isinstance(error, StorageUnavailable):
                logger.error("call %s cannot be completed", due.call_id, exc_info=error)
        return failed

    async def _nap(self) -> None:
        wake_up = self._simulation.wake_up
        wake_up.reset()
        next_wake_at = await self._simulation.store.next_wake_at()
        due_at = inf if next_wake_at is None else next_wake_at
        # What is due and still there is claimed by another task, so even then wait a little.
        nap = min(max(due_at - self._simulation.wall(), _BUSY_WAIT_SECONDS), LONGEST_NAP_SECONDS)
        await wake_up.sleep(nap, due_at=due_at)

    async def deliver(self, due: Due) -> None:
        """Posts the next completion of a claimed call and plans the one after it."""
        store = self._simulation.store
        call = await store.call(due.namespace, due.call_id)
        if call is None:  # the namespace was emptied meanwhile
            return
        made = len(call.delivery_statuses)
        left = self._simulation.plan(call).deliveries[made:]
        if not left or left[0].due_at != due.due_at:  # another process made it after our lease
            return
        posted = await self._post(due.namespace, call, left[0].payload)
        following = left[1].due_at if len(left) > 1 else None
        await store.finish_delivery(due, made=made, response=posted.status, next_due_at=following)

    async def _post(self, namespace: bytes, call: Call, payload: Mapping[str, Any]) -> Posted:
        """Sends one request to the webhook."""
        body = orjson.dumps(payload)
        responses: list[Message] = []
        path = self._webhook.path

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Message) -> None:
            responses.append(message)

        await self.endpoint(
            {
                "type": "http",
                "asgi": {"version": "3.0"},
                "http_version": "1.1",
                "method": self._webhook.method,
                "scheme": "http",
                "path": path,
                "raw_path": path.encode(),
                "path_params": {},
                "query_string": b"",
                "root_path": "",
                "headers": [
                    (b"authorization", self._keyring.provider_authorization(namespace)),
                    (b"content-type", b"application/json"),
                    (b"content-length", str(len(body)).encode()),
                ],
                "client": None,
                "server": None,
                "extensions": {
                    CALL_EXTENSION: {"call_id": call.call_id, "scenario": call.scenario}
                },
            },
            receive,
            send,
        )
        start, content = responses
        return Posted(start["status"], orjson.loads(content["body"]))
