"""Numbers for Prometheus: what was asked, how long it took, and what went wrong behind it.

No label holds a key, a path or anything else that a client chooses.
With several workers each writes its numbers into files of a folder that they share, which the
variable PROMETHEUS_MULTIPROC_DIR names; whoever supervises them adds them up.
This room is entered only where the numbers are wanted: its library is an extra.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from inspect import isawaitable
from typing import Any, Final, cast

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.multiprocess import MultiProcessCollector

from voice_sandbox.http.exchange import Exchange
from voice_sandbox.store.protocol import StorageUnavailable, Store

_BUCKETS_SECONDS: Final = (
    *(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
_LOOK_SECONDS: Final = 1.0
NO_OPERATION: Final = "none"
"""Stands for requests to paths that the contract does not have."""


class Metrics:
    """Counts what happens in this process."""

    def __init__(self, registry: CollectorRegistry = prometheus_client.REGISTRY) -> None:
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
        self._requests = Counter(
            "voice_sandbox_requests",
            "Requests of integrators that got a response.",
            ["operation", "status"],
            registry=registry,
        )
        self._durations = Histogram(
            "voice_sandbox_request_duration_seconds",
            "Time from the head of a request to its response.",
            ["operation"],
            buckets=_BUCKETS_SECONDS,
            registry=registry,
        )
        self._calls = Counter(
            "voice_sandbox_calls_created",
            "Calls that were created, by their outcome.",
            ["scenario"],
            registry=registry,
        )
        self._deliveries = Counter(
            "voice_sandbox_deliveries",
            "Completions that the simulated provider posted, by the status of the response.",
            ["status"],
            registry=registry,
        )
        self._faults = Counter(
            "voice_sandbox_faults_struck",
            "Requests that an armed fault changed, by its kind.",
            ["kind"],
            registry=registry,
        )
        self._store_errors = Counter(
            "voice_sandbox_store_errors",
            "Times that the database did not serve.",
            registry=registry,
        )
        self._backlog = Gauge(
            "voice_sandbox_journal_backlog_exchanges",
            "Exchanges that are not written down yet.",
            multiprocess_mode="livesum",
            registry=registry,
        )
        self._connections = Gauge(
            "voice_sandbox_connections",
            "Connections of clients that are open.",
            multiprocess_mode="livesum",
            registry=registry,
        )

    def observe(self, exchange: Exchange) -> None:
        """Counts an exchange."""
        status = str(exchange.status)
        if exchange.by_provider:
            self._deliveries.labels(status).inc()
            return
        if exchange.fault is not None:
            self._faults.labels(exchange.fault).inc()
        operation = exchange.operation_id or NO_OPERATION
        self._requests.labels(operation, status).inc()
        self._durations.labels(operation).observe(exchange.duration_seconds)
        if operation == "createCall" and exchange.status == 201 and not exchange.replayed:
            self._calls.labels(exchange.scenario).inc()

    def counting(self, store: Store) -> Store:
        """The store, with each time counted that it does not serve."""
        return cast(Store, _CountingStore(store, self._store_errors.inc))

    async def look(self, *, backlog: Callable[[], int], connections: Callable[[], int]) -> None:
        """Reads what changes by itself, once a second, until it is cancelled."""
        while True:
            self._backlog.set(backlog())
            self._connections.set(connections())
            await asyncio.sleep(_LOOK_SECONDS)


@contextmanager
def exposed(host: str, port: int, *, folder: str | None = None) -> Iterator[int]:
    """Answers Prometheus on an address of its own; yields the port. Raises: `OSError`.

    ``folder`` is the one that the workers write into; without it the numbers are this process's.
    """
    registry = prometheus_client.REGISTRY
    if folder is not None:
        registry = CollectorRegistry()
        MultiProcessCollector(registry, folder)  # type: ignore[no-untyped-call]
    server, thread = prometheus_client.start_http_server(port, host, registry)
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _CountingStore:
    """A store of any kind; calls ``failed`` when one of its methods cannot serve."""

    def __init__(self, store: Store, failed: Callable[[], None]) -> None:
        self._store = store
        self._failed = failed

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)
        if not callable(method):
            return method

        def counted(*arguments: Any, **options: Any) -> Any:
            try:
                result = method(*arguments, **options)
            except StorageUnavailable:
                self._failed()
                raise
            return self._awaited(result) if isawaitable(result) else result

        return counted

    async def _awaited(self, result: Awaitable[Any]) -> Any:
        try:
            return await result
        except StorageUnavailable:
            self._failed()
            raise
