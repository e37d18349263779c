"""The only wiring: contract, store, provider and portal become one ASGI application."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from math import inf
from pathlib import Path
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from voice_sandbox import clock
from voice_sandbox.api import control
from voice_sandbox.api import service as handlers
from voice_sandbox.calls.scenarios import load_scenarios
from voice_sandbox.contract.catalogue import read_catalogue
from voice_sandbox.contract.reader import find_contract, load_contract
from voice_sandbox.http.authentication import Keyring
from voice_sandbox.http.exchange import Exchange, Observer
from voice_sandbox.http.health import Health
from voice_sandbox.http.pipeline import Pipeline
from voice_sandbox.http.rate_limits import Quota, RateLimiter
from voice_sandbox.journal.journal import Journal
from voice_sandbox.limits import Limits, within
from voice_sandbox.simulation.delivery import Deliverer
from voice_sandbox.simulation.expiry import NamespaceExpiry
from voice_sandbox.simulation.simulation import Simulation
from voice_sandbox.store import open_store
from voice_sandbox.store.protocol import StorageUnavailable, Store

_DEFAULTS: Final = Limits()


def ignore(exchange: Exchange) -> None:
    """Observes nothing."""


class App:
    """The sandbox as an ASGI application, complete but for its running time."""

    def __init__(
        self,
        *,
        database: str = "sqlite:///:memory:",
        site: Path | None = None,
        speed: float = 1.0,
        contract_path: Path | None = None,
        limits: Limits = _DEFAULTS,
        keys: frozenset[bytes] | None = None,
        workers: int = 1,
        wall: clock.Wall = clock.wall,
        observe: Observer = ignore,
        wrap_store: Callable[[Store], Store] | None = None,
    ) -> None:
        """``speed`` is seconds of virtual time for each second on the wall, ``keys`` the digests of
        the keys that are accepted, where not all are, ``workers`` how many processes share the
        store, and ``wrap_store`` puts something before the store that looks on.

        Raises: `ContractError`, `ScenarioError` or `ValueError` with a sentence that says what
        to put right.
        """
        if not 0 < speed < inf:  # not a number is not greater than 0 either
            raise ValueError(f"The speed {speed} is no number of times. Use 1, or 10 for haste.")
        contract = within(load_contract(contract_path or find_contract()), limits)
        control_contract = within(
            load_contract(find_contract("control.yaml"), components_from=contract), limits
        )
        catalogue = read_catalogue(contract)
        rate = limits.max_rate
        keyring = Keyring(
            secrets.token_hex(32),
            allowed=keys,
            admit=None if rate is None else RateLimiter(rate, monotonic=clock.monotonic).admit,
        )
        self.allow_keys = keyring.allow
        scenarios = load_scenarios(catalogue)
        store = open_store(database)
        self._store = store if wrap_store is None else wrap_store(store)
        self._expiry = NamespaceExpiry(
            self._store,
            idle_seconds=limits.max_idle_hours * 3600,
            wall=wall,
            open_namespace=lambda namespace: simulation.clock(namespace),
        )
        self._journal = Journal(self._store, scenarios, limit=limits.max_journal, wall=wall)
        limit = limits.max_calls
        simulation = Simulation(
            catalogue=catalogue,
            scenarios=scenarios,
            store=self._store,
            wall=wall,
            speed=speed,
            admit_call=None if limit is None else Quota(self._store, limit, workers=workers).admit,
            call_planned=lambda wake_at: self._deliverer.call_planned(wake_at),
        )

        def observe_control(exchange: Exchange) -> None:
            self._expiry.use(exchange.namespace)
            observe(exchange)

        def observe_service(exchange: Exchange) -> None:
            self._journal.record(exchange)
            observe_control(exchange)

        self._service = Pipeline(
            contract,
            handlers.handlers(simulation),
            keyring=keyring,
            may_name_provider=False,
            unusable_number="malformed_json",
            observe=observe_service,
            wall=wall,
        )
        self._deliverer = Deliverer(simulation, self._service, keyring)
        self._control = Pipeline(
            control_contract,
            control.handlers(
                control.ControlContext(simulation, contract, self._deliverer, self._journal)
            ),
            keyring=keyring,
            may_name_provider=True,
            unusable_number="validation_failed",
            observe=observe_control,
            wall=wall,
        )
        self._health = Health(self._store, fallback=_with_site(site, self._service))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Opens the store and plays the provider until the block ends. Raises: `StoreError`."""
        await self._store.open()
        tasks = [
            asyncio.create_task(self._deliverer.run(), name="simulated provider"),
            asyncio.create_task(self._journal.run(), name="journal"),
            asyncio.create_task(self._expiry.run(), name="housekeeper"),
        ]
        try:
            yield
        finally:
            self._journal.end()
            for task in tasks:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
            with suppress(StorageUnavailable):
                await self._journal.write()
                await self._expiry.sweep()
            await self._store.close()

    def drain(self) -> None:
        """Is not ready any more, and ends what would never end, the live streams."""
        self._health.leave()
        self._journal.end()

    @property
    def journal_backlog(self) -> int:
        """How many exchanges are not written down yet."""
        return self._journal.backlog

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._answers(scope["path"])(scope, receive, send)
        else:
            await self._live(receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        """The lifespan protocol of ASGI, for servers that speak it."""
        await receive()
        is_started = False
        try:
            async with self.running():
                is_started = True
                await send({"type": "lifespan.startup.complete"})
                await receive()
        except Exception as error:
            phase = "shutdown" if is_started else "startup"
            await send({"type": f"lifespan.{phase}.failed", "message": str(error)})
            raise
        await send({"type": "lifespan.shutdown.complete"})

    def _answers(self, path: str) -> ASGIApp:
        for service in (self._service, self._control):
            if service.owns(path):
                return service
        return self._health


def _with_site(folder: Path | None, service: ASGIApp) -> ASGIApp:
    if folder is None:
        return service
    # What serves files takes a tenth of a start, and most sandboxes of tests serve none.
    from voice_sandbox.site.files import Site

    return Site(folder, fallback=service)
