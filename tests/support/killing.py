"""Load on replicas that share a database while something goes wrong, and a count of what was lost.

Every client retries a request under its Idempotency-Key until some replica acknowledges it, as an
integrator should. Afterwards each acknowledged call must be there, be over, and have each of its
completions delivered once; and there must be no call that nobody asked for.
"""

import asyncio
import itertools
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from uuid_utils import UUID

from sandbox_process import SandboxServer, start_sandbox
from voice_sandbox.http.authentication import namespace_of
from voice_sandbox.store import open_store
from voice_sandbox.store.protocol import Store

SPEED = 20
SETTLE_SECONDS = 60
REQUEST_SECONDS = 30
# A scenario's number, and what its completions are answered with.
DELIVERY_STATUSES = {"+12025550100": (200,), "+12025550131": (200, 200)}


@dataclass
class Outcome:
    """What became of the calls."""

    acknowledged: dict[str, dict[UUID, str]] = field(default_factory=dict)
    """By key: each `call_id` that was answered 201, and the number that was called."""
    cut_off: int = 0
    """Requests whose connection broke, or that got none."""
    rejected: int = 0
    """Requests that were answered 503."""
    faults: list[str] = field(default_factory=list)
    """Everything that should not be, in words."""

    @property
    def calls(self) -> int:
        return sum(map(len, list(self.acknowledged.values())))

    def wait_for(self, more: int) -> None:
        """Returns when so many more calls have been acknowledged. Raises: `AssertionError`."""
        enough, deadline = self.calls + more, time.monotonic() + REQUEST_SECONDS
        while self.calls < enough:
            assert time.monotonic() < deadline, f"too few calls are created: {self.faults}"
            time.sleep(0.01)


class Replicas:
    """Processes on one database, each of which can be killed and started again."""

    def __init__(self, folder: Path, database: str, count: int) -> None:
        self._folder = folder
        self._database = database
        self._starts = itertools.count(1)
        self._stacks = [ExitStack() for _ in range(count)]
        self.servers: list[SandboxServer] = []
        for number in range(count):
            self.servers.append(self._started(number))

    @property
    def origins(self) -> list[str]:
        return [server.url for server in self.servers]

    def kill(self, number: int) -> None:
        """`kill -9` for one of them."""
        self.servers[number].process.kill()
        self.servers[number].process.wait()

    def start_again(self, number: int) -> None:
        """Starts it anew, on another port."""
        self._stacks[number].close()
        self.servers[number] = self._started(number)

    def close(self) -> None:
        """Ends all as an operator would. Raises: `AssertionError` where one does not end well."""
        with ExitStack() as stack:
            for replica in self._stacks:
                stack.push(replica)

    def logs(self) -> str:
        """What all of them have printed, those that are gone included."""
        return "".join(path.read_text("utf-8") for path in self._folder.glob("*/sandbox.log"))

    def _started(self, number: int) -> SandboxServer:
        folder = self._folder / str(next(self._starts))
        folder.mkdir()
        options = ("--database", self._database, "--speed", str(SPEED))
        return self._stacks[number].enter_context(start_sandbox(folder, *options))


@contextmanager
def replicas_on(folder: Path, database: str, count: int) -> Iterator[Replicas]:
    """So many replicas until the block ends."""
    replicas = Replicas(folder, database, count)
    try:
        yield replicas
    finally:
        replicas.close()


@contextmanager
def load_on(replicas: Replicas, *, clients: int, agent: str) -> Iterator[Outcome]:
    """Clients that create calls on any of the replicas until the block ends."""
    outcome, stop = Outcome(), threading.Event()
    threads = [
        threading.Thread(
            target=_create_calls,
            args=(replicas, f"sandbox_killing_{number}", agent, outcome, stop),
        )
        for number in range(clients)
    ]
    for thread in threads:
        thread.start()
    try:
        yield outcome
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def take_stock(replicas: Replicas, database: str, outcome: Outcome) -> None:
    """Waits until nothing is pending, and adds to the outcome all that is not as it should be."""
    with httpx2.Client(timeout=10) as client:
        deadline = time.monotonic() + SETTLE_SECONDS
        for key in outcome.acknowledged:
            clock = httpx2.Request(
                "GET", f"{replicas.origins[0]}/sandbox/clock", headers=_authorization(key)
            )
            while client.send(clock).json()["next_due_at"] is not None:
                if time.monotonic() > deadline:
                    outcome.faults.append(f"completions of {key} are still pending")
                    break
                time.sleep(0.1)
        for key, calls in outcome.acknowledged.items():
            for call_id in random.Random(7).sample(sorted(calls), min(20, len(calls))):
                response = client.get(
                    f"{replicas.origins[-1]}/v1/calls/{call_id}", headers=_authorization(key)
                )
                if response.json().get("status") != "completed":
                    outcome.faults.append(f"{call_id} is answered as {response.text}")
    asyncio.run(_count(open_store(database), outcome))


async def _count(store: Store, outcome: Outcome) -> None:
    await store.open()
    for key, calls in outcome.acknowledged.items():
        namespace = namespace_of(key)
        for call_id, phone in calls.items():
            call = await store.call(namespace, call_id)
            if call is None:
                outcome.faults.append(f"{call_id} is lost")
            elif call.result is None or call.result.status != "completed":
                outcome.faults.append(f"{call_id} is not over")
            elif call.delivery_statuses != DELIVERY_STATUSES[phone]:
                outcome.faults.append(f"{call_id} was delivered: {call.delivery_statuses}")
        extra = await store.count_calls(namespace) - len(calls)
        if extra:
            outcome.faults.append(f"{key} has {extra} calls that nobody asked for")
    await store.close()


def _create_calls(
    replicas: Replicas, key: str, agent: str, outcome: Outcome, stop: threading.Event
) -> None:
    acknowledged = outcome.acknowledged[key] = {}
    dice = random.Random(key)
    with httpx2.Client(headers=_authorization(key), timeout=10) as client:
        for number in itertools.count():
            if stop.is_set():
                return
            phone = dice.choice(list(DELIVERY_STATUSES))
            call_id = _acknowledged(
                lambda: dice.choice(replicas.origins),
                client,
                {"phone": phone, "agent": agent},
                f"call-{number}",
                outcome,
            )
            if call_id is None:
                outcome.faults.append(f"nobody acknowledged call {number} of {key}")
                return
            acknowledged[call_id] = phone


def _acknowledged(
    origin: Callable[[], str],
    client: httpx2.Client,
    body: dict[str, Any],
    idempotency_key: str,
    outcome: Outcome,
) -> UUID | None:
    deadline = time.monotonic() + REQUEST_SECONDS
    while time.monotonic() < deadline:
        try:
            response = client.post(
                f"{origin()}/v1/calls", json=body, headers={"Idempotency-Key": idempotency_key}
            )
        except httpx2.TransportError:
            outcome.cut_off += 1
            time.sleep(0.02)
            continue
        if response.status_code == 201:
            return UUID(response.json()["call_id"])
        if response.status_code != 503 or "retry-after" not in response.headers:
            outcome.faults.append(f"answered {response.status_code}: {response.text}")
        outcome.rejected += 1
        time.sleep(0.1)
    return None


def _authorization(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}
