"""The only wiring: contracts, store, simulation and portal become one Starlette application."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import lru_cache
from math import inf
from pathlib import Path
from typing import Final, cast

import orjson
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from voice_sandbox import clock
from voice_sandbox.api import control, service
from voice_sandbox.calls.own_numbers import load_numbers
from voice_sandbox.calls.scenarios import load_scenarios, read_outcome
from voice_sandbox.contract.catalogue import read_catalogue
from voice_sandbox.contract.problems import check_documented
from voice_sandbox.contract.reader import find_contract, load_contract
from voice_sandbox.http.authentication import Keyring
from voice_sandbox.http.exchange import Exchange, Observer
from voice_sandbox.http.health import Health
from voice_sandbox.http.pipeline import Pipeline
from voice_sandbox.http.rate_limits import Quota, RateLimiter, StreamSlots
from voice_sandbox.http.redaction import public_words
from voice_sandbox.http.routing import ContractRouter
from voice_sandbox.journal.journal import Journal
from voice_sandbox.limits import Limits, within
from voice_sandbox.simulation.delivery import Deliverer
from voice_sandbox.simulation.expiry import NamespaceExpiry
from voice_sandbox.simulation.faults import ArmedFaults
from voice_sandbox.simulation.simulation import Simulation
from voice_sandbox.simulation.wake_up import WakeUp
from voice_sandbox.store import open_store
from voice_sandbox.store.protocol import StorageUnavailable, Store

_DEFAULTS: Final = Limits()
_FOLLOW_SECONDS: Final = 10.0
_OUTCOMES_KEPT: Final = 256
"""Outcomes of keys' own numbers that are not read again for each call."""


def ignore(exchange: Exchange) -> None:
    """Observes nothing."""


class Runtime:
    """What runs behind an application: the server drains it, tests look into it."""

    def __init__(
        self,
        *,
        store: Store,
        wall: clock.SteadyWall,
        follows_database: bool,
        keyring: Keyring,
        deliverer: Deliverer,
        journal: Journal,
        expiry: NamespaceExpiry,
        health: Health,
    ) -> None:
        self.store = store
        self._wall = wall
        self._follows_database = follows_database
        self.keyring = keyring
        self.deliverer = deliverer
        self.journal = journal
        self.expiry = expiry
        self._health = health

    @asynccontextmanager
    async def lifespan(self, _: object = None) -> AsyncIterator[None]:
        """Opens the store and plays the provider until the block ends. Raises: `StoreError`."""
        await self.store.open()
        await self._set_wall()
        self.journal.begin()
        tasks = [
            asyncio.create_task(self._keep_wall(), name="clock of the database"),
            asyncio.create_task(self.deliverer.run(), name="simulated provider"),
            asyncio.create_task(self.journal.run(), name="journal"),
            asyncio.create_task(self.expiry.run(), name="expiry of namespaces"),
        ]
        try:
            yield
        finally:
            self.journal.end()
            for task in tasks:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
            with suppress(StorageUnavailable):
                await self.journal.write()
                await self.expiry.sweep()
            await self.store.close()

    async def _set_wall(self) -> None:
        """Goes on from what was shown before, whatever the machine's clock says now."""
        await self._follow_database()
        shown = await self.store.last_shown()
        self._wall.at_least(max(shown.wall, clock.after_seq(shown.seq)))

    async def _keep_wall(self) -> None:
        """Keeps to the clock of the database, as all replicas do, until it is cancelled."""
        while self._follows_database:
            await asyncio.sleep(_FOLLOW_SECONDS)
            with suppress(StorageUnavailable):
                await self._follow_database()

    async def _follow_database(self) -> None:
        if self._follows_database:
            instant = await self.store.database_time()
            if instant is None:
                self._follows_database = False
            else:
                self._wall.follow(instant)

    def allow(self, keys: frozenset[bytes]) -> None:
        """Accepts the keys of those digests alone; the streams of all others end."""
        self.keyring.allow(keys)
        self.journal.check_streams()

    def drain(self) -> None:
        """Is not ready any more, and ends what would never end, the live streams."""
        self._health.leave()
        self.journal.end()


def create_app(
    *,
    database: str = "sqlite:///:memory:",
    site: Path | None = None,
    speed: float = 1.0,
    clock_mode: str = clock.WALL_MODE,
    contract_path: Path | None = None,
    numbers_path: Path | None = None,
    limits: Limits = _DEFAULTS,
    keys: frozenset[bytes] | None = None,
    workers: int = 1,
    wall: clock.Wall | None = None,
    observe: Observer = ignore,
    wrap_store: Callable[[Store], Store] | None = None,
) -> Starlette:
    """The sandbox as a Starlette application, with a route for each operation.

    Its lifespan must run: Starlette runs it for the outermost application, so an application that
    mounts this one enters ``app.router.lifespan_context(app)`` in a lifespan of its own.

    Args:
        database: A URL such as ``sqlite:///calls.db``; see `voice_sandbox.store.open_store`.
        site: The folder of a built portal.
        speed: Seconds of virtual time for each second on the wall.
        clock_mode: What moves the clock of a new key: ``wall``, ``manual`` or ``polls``.
        contract_path: Another ``openapi.yaml``.
        numbers_path: A file of what numbers play; see `voice_sandbox.calls.own_numbers`.
        limits: What the deployment allows.
        keys: Digests of the keys that are accepted, where not all are.
        workers: How many processes share the store.
        wall: The wall clock of a test; without it, that of the machine or of the database.
        observe: Is told every exchange when it has ended.
        wrap_store: Returns what stands before the store, to count or to log.

    Raises: `ContractError`, `ScenarioError` or `ValueError` with a sentence that says what to fix.
    """
    if not 0 < speed < inf:  # not a number is not greater than 0 either
        raise ValueError(f"The speed {speed} is no number of times. Use 1, or 10 for haste.")
    if clock_mode not in clock.MODES:
        raise ValueError(f"No clock goes by {clock_mode!r}. Use one of: {', '.join(clock.MODES)}.")
    contract = within(load_contract(contract_path or find_contract()), limits)
    control_contract = within(
        load_contract(find_contract("control.yaml"), components_from=contract), limits
    )
    check_documented(contract, control_contract)
    catalogue = read_catalogue(contract)
    scenarios = load_scenarios(catalogue)
    rate = limits.max_rate
    limiter = None if rate is None else RateLimiter(rate, monotonic=clock.monotonic)
    keyring = Keyring(
        secrets.token_hex(32),
        allowed=keys,
        admit=None if limiter is None else limiter.admit,
    )
    store = open_store(database)
    if wrap_store is not None:
        store = wrap_store(store)
    steady_wall = clock.SteadyWall(clock.wall if wall is None else wall)
    calls = limits.max_calls
    simulation = Simulation(
        contract=contract,
        catalogue=catalogue,
        scenarios=scenarios,
        store=store,
        wall=steady_wall,
        speed=speed,
        clock_mode=clock_mode,
        admit_call=None if calls is None else Quota(store, calls, workers=workers).admit,
        wake_up=WakeUp(),
        faults=ArmedFaults(store, monotonic=clock.monotonic),
        own_outcome=lru_cache(_OUTCOMES_KEPT)(
            lambda outcome: read_outcome(orjson.loads(outcome), catalogue)
        ),
        own_numbers={}
        if numbers_path is None
        else load_numbers(numbers_path, catalogue=catalogue, scenarios=scenarios),
    )
    # Examples may be shown whole, although they look like tokens and numbers of people.
    public = public_words(
        contract.path.read_text("utf-8"),
        control_contract.path.read_text("utf-8"),
        " ".join(scenarios.by_number),
    )
    journal = Journal(
        store,
        public,
        limit=limits.max_journal,
        wall=steady_wall,
        charge=None if limiter is None else limiter.charge,
        accepts=keyring.accepts,
    )
    expiry = NamespaceExpiry(
        store,
        idle_seconds=limits.max_idle_hours * 3600,
        # A test's own wall moves by hand, and this time with it.
        monotonic=clock.monotonic if wall is None else steady_wall,
        open_namespace=simulation.clock,
    )

    def observe_control(exchange: Exchange) -> None:
        expiry.use(exchange.namespace)
        observe(exchange)

    def observe_service(exchange: Exchange) -> None:
        journal.record(exchange)
        observe_control(exchange)

    deliverer = Deliverer(simulation, keyring)
    served = Pipeline(
        contract,
        service.handlers(simulation, deliverer.advance),
        keyring=keyring,
        may_name_provider=False,
        unusable_number="malformed_json",
        observe=observe_service,
        public=public,
        known={"AgentKey": [agent.key for agent in simulation.catalogue.agents]},
        wall=steady_wall,
        strike=simulation.faults.strike,
    )
    deliverer.endpoint = served.route("callCompleted").app
    controlled = Pipeline(
        control_contract,
        control.handlers(
            control.ControlContext(simulation, deliverer, journal, StreamSlots(limits.max_streams))
        ),
        keyring=keyring,
        may_name_provider=True,
        unusable_number="validation_failed",
        observe=observe_control,
        public=public,
        wall=steady_wall,
    )
    health = Health(store, fallback=served.unrouted)
    runtime = Runtime(
        store=store,
        wall=steady_wall,
        follows_database=wall is None,
        keyring=keyring,
        deliverer=deliverer,
        journal=journal,
        expiry=expiry,
        health=health,
    )
    router = ContractRouter(
        (served, controlled),
        [*health.routes(), *_site_routes(site, served.unrouted)],
        lifespan=runtime.lifespan,
    )
    app = _Application(router)
    app.state.runtime = runtime
    return app


class _Application(Starlette):
    """Starlette, whose handling of errors only what can raise one passes through."""

    router: ContractRouter

    def __init__(self, router: ContractRouter) -> None:
        super().__init__()
        self.router = router

    def build_middleware_stack(self) -> ASGIApp:
        """Operations respond to whatever breaks, and the two layers cost a tenth of a request."""
        stack = super().build_middleware_stack()
        if self.user_middleware or self.exception_handlers:
            return stack

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            endpoint = self.router.endpoint(scope) or stack
            await endpoint(scope, receive, send)

        return app


def runtime_of(app: Starlette) -> Runtime:
    """What runs behind an application that `create_app` made."""
    return cast(Runtime, app.state.runtime)


def _site_routes(folder: Path | None, unrouted: ASGIApp) -> Sequence[BaseRoute]:
    if folder is None:
        return ()
    # What serves files takes a tenth of a start, and most sandboxes of tests serve none.
    from voice_sandbox.site.files import Site

    return [Mount("/", Site(folder, fallback=unrouted), name="site")]
