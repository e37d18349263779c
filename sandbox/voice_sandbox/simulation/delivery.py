"""Delivers the simulated provider's completions when they are due.

Each is posted through the application's own ASGI stack, as a request like any other: there is no
other way to set a result. A delivery is claimed under a lease first, so that a process that dies
in the middle leaves it to the next one; a completion that arrives twice changes nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from math import inf
from typing import Any, Final

import msgspec
import orjson
from starlette.types import ASGIApp, Message

from voice_sandbox.calls.call import Call
from voice_sandbox.clock import VirtualClock
from voice_sandbox.http.authentication import Keyring
from voice_sandbox.http.exchange import CALL_EXTENSION
from voice_sandbox.simulation.simulation import Simulation
from voice_sandbox.store.protocol import Due, StorageUnavailable

logger = logging.getLogger("voice_sandbox")

WEBHOOK_PATH: Final = "/v1/webhooks/call-completed"
LEASE_SECONDS: Final = 5.0
"""A delivery takes milliseconds; what a process that died has claimed waits so long."""
BATCH: Final = 100
# Other processes on the same database plan calls too, so look again at least this often.
LONGEST_NAP_SECONDS: Final = 1.0
_BUSY_WAIT_SECONDS: Final = 0.01


class Posted(msgspec.Struct, frozen=True):
    """What a completion was answered with."""

    status: int
    body: Mapping[str, Any]


class Deliverer:
    """Plays the provider's side of every call."""

    def __init__(self, simulation: Simulation, service: ASGIApp, keyring: Keyring) -> None:
        self._simulation = simulation
        self._service = service
        self._keyring = keyring
        self._sooner = asyncio.Event()
        self._next_wake = float("inf")

    def call_planned(self, wake_at: float) -> None:
        """Wakes the deliverer in time for a completion that is due at that wall time."""
        if wake_at < self._next_wake:
            self._next_wake = wake_at
            self._sooner.set()

    async def run(self) -> None:
        """Delivers what becomes due, until it is cancelled."""
        while True:
            try:
                await self._deliver_due()
                await self._nap()
            except StorageUnavailable as error:
                logger.error("storage unavailable, deliveries wait: %s", error)
                await asyncio.sleep(LONGEST_NAP_SECONDS)

    async def end(self, namespace: bytes, call: Call, payload: Mapping[str, Any]) -> Posted:
        """Posts a completion now, for a client that plays the provider."""
        return await self._post(namespace, call, payload)

    async def advance(self, namespace: bytes, until: float) -> VirtualClock:
        """Moves a clock to ``until``; everything due by then has been delivered on return.

        Until infinity it moves as far as the last completion that is pending.
        """
        store, wall = self._simulation.store, self._simulation.wall
        reached = -inf
        while (next_due_at := await store.next_due_at(namespace)) is not None:
            if next_due_at > until:
                break
            due = await store.claim_next(
                namespace, until=until, wall_now=wall(), lease_seconds=LEASE_SECONDS
            )
            if due is None:  # another task delivers it just now
                await asyncio.sleep(_BUSY_WAIT_SECONDS)
                continue
            await store.move_clock(namespace, due.due_at, wall_now=wall(), wakes=False)
            reached = due.due_at
            await self._deliver(due)
        reached = until if until < inf else reached
        if reached > -inf:
            await store.move_clock(namespace, reached, wall_now=wall())
        return await self._simulation.clock(namespace)

    async def _deliver_due(self) -> None:
        store, wall = self._simulation.store, self._simulation.wall
        while True:
            claimed = await store.claim_due(
                wall_now=wall(), lease_seconds=LEASE_SECONDS, limit=BATCH
            )
            # At the same time, so that the store can save them together.
            ended = await asyncio.gather(*map(self._deliver, claimed), return_exceptions=True)
            for due, error in zip(claimed, ended, strict=True):
                if isinstance(error, StorageUnavailable):
                    raise error
                if error is not None:  # the other calls go on
                    logger.error("call %s cannot be completed", due.call_id, exc_info=error)
            if len(claimed) < BATCH:
                return

    async def _nap(self) -> None:
        self._sooner.clear()
        next_wake = await self._simulation.store.next_wake_at()
        self._next_wake = float("inf") if next_wake is None else next_wake
        # What is due and still there is claimed by another task, so even then wait a little.
        nap = min(
            max(self._next_wake - self._simulation.wall(), _BUSY_WAIT_SECONDS), LONGEST_NAP_SECONDS
        )
        # Not wait_for: on Python 3.11 it loses a cancellation that comes with the event.
        with suppress(TimeoutError):
            async with asyncio.timeout(nap):
                await self._sooner.wait()

    async def _deliver(self, due: Due) -> None:
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
        """Runs one request through the service."""
        body = orjson.dumps(payload)
        answered: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Message) -> None:
            answered.append(message)

        await self._service(
            {
                "type": "http",
                "asgi": {"version": "3.0"},
                "http_version": "1.1",
                "method": "POST",
                "scheme": "http",
                "path": WEBHOOK_PATH,
                "raw_path": WEBHOOK_PATH.encode(),
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
        start, content = answered
        return Posted(start["status"], orjson.loads(content["body"]))
