"""One deployment, wired from its settings: one process, or several and one beside them."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack, ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from starlette.applications import Starlette

from voice_sandbox.app import Runtime, create_app, ignore, runtime_of
from voice_sandbox.calls.scenarios import ScenarioError
from voice_sandbox.contract.model import ContractError
from voice_sandbox.http.authentication import DEMO_KEY, KeysError, read_keys
from voice_sandbox.http.exchange import Exchange, Observer
from voice_sandbox.installation import __version__, how_to_install
from voice_sandbox.server.access_log import Log
from voice_sandbox.server.options import LOG_LEVELS, Settings, default_database_file
from voice_sandbox.server.sockets import ListenError, listen, make_room, origin_of
from voice_sandbox.server.uvicorn_server import (
    DrainingServer,
    OverloadGuard,
    configured,
    layered,
    run,
)
from voice_sandbox.server.workers import Inherited, Supervisor, WorkerError
from voice_sandbox.store.protocol import StoreError

if TYPE_CHECKING:
    from voice_sandbox.server.metrics import Metrics

logger = logging.getLogger("voice_sandbox")

EXPLAINED: Final = (
    *(ContractError, KeysError, ListenError, ScenarioError, StoreError, WorkerError, ValueError),
)
"""Errors whose message says all there is to say."""
_METRICS_FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"
"""How prometheus-client learns that several processes count together."""


def deploy(settings: Settings, *, say: Callable[[str], None]) -> None:
    """Serves until it is told to stop. Raises: what `EXPLAINED` of the command line lists."""
    _make_default_folder(settings.database)
    inherited = Inherited.here()
    if inherited is not None:
        with inherited.listens() as listener:
            _serve(settings, listener, inherited.tell_started, lifeline=inherited.lifeline)
        return
    with listen(settings.host, settings.port) as listener:
        welcome = _welcome(settings, origin_of(listener) + settings.root_path)
        if settings.workers > 1:
            _supervise(settings, listener, lambda: say(welcome))
        else:
            with ExitStack() as stack:
                _expose(settings, stack)
                _serve(settings, listener, lambda: say(welcome))
    say("Stopped.")


def _make_default_folder(database: str) -> None:
    """The user's data folder may be new; any other folder is named by somebody, and is there."""
    file = default_database_file()
    if database != f"sqlite:///{file}":
        return
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(
            f"Calls would be kept in {file.parent}, which cannot be created: "
            f"{error.strerror or error}. Name another file with --database FILE, "
            "or keep nothing with --database :memory:."
        ) from error


def _supervise(settings: Settings, listener: socket.socket, started: Callable[[], None]) -> None:
    """Looks after processes that serve."""
    if sys.platform == "win32":
        raise ValueError("Several workers need Linux or macOS. Use --workers 1.")
    if settings.database == "sqlite:///:memory:":
        raise ValueError("Workers share a database. Use --database FILE, or --workers 1.")
    _app(settings, None, Log(sys.stderr))  # what is wrong is said once, before any worker starts
    with ExitStack() as stack:
        shared = None
        if settings.metrics_port is not None:
            from tempfile import TemporaryDirectory

            shared = stack.enter_context(TemporaryDirectory(prefix="voice-sandbox-"))
            _expose(settings, stack, folder=shared)
            os.environ[_METRICS_FOLDER] = shared
        Supervisor(
            listener,
            settings.workers,
            drain_delay=settings.drain_delay,
            reloads=settings.keys_file is not None,
            ended=None if shared is None else _forget_gauges_of(shared),
        ).run(started)


def _serve(
    settings: Settings,
    listener: socket.socket,
    started: Callable[[], None],
    *,
    lifeline: int | None = None,
) -> None:
    """Serves in this process."""
    # Up to twice as many are taken, to be told that they are too many.
    make_room(2 * settings.limits.max_connections)
    metrics, log = _metrics(settings), Log(sys.stderr)
    app = _app(settings, metrics, log)
    runtime = runtime_of(app)
    before = layered(
        OverloadGuard(app, settings.limits),
        root_path=settings.root_path,
        proxies=settings.proxies,
        cors_origins=settings.cors_origins,
    )
    config = configured(before, settings.limits, cors_origins=settings.cors_origins)

    def begin() -> None:
        # What the start has made stays, so the collector need not look at it again.
        gc.freeze()
        gc.enable()
        started()

    server = DrainingServer(runtime, config, drain_delay=settings.drain_delay, started=begin)

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        async with AsyncExitStack() as stack:
            if settings.keys_file is not None and hasattr(signal, "SIGHUP"):
                path = settings.keys_file
                loop.add_signal_handler(signal.SIGHUP, lambda: _read_keys_again(runtime, path))
            if lifeline is not None:
                loop.add_reader(lifeline, lambda: _orphaned(loop, lifeline, server))
            if metrics is not None:
                looking = asyncio.create_task(
                    metrics.look(
                        backlog=lambda: runtime.journal.backlog,
                        connections=lambda: server.connections,
                    )
                )
                stack.push_async_callback(_cancelled, looking)
            await run(server, runtime, listener)

    with log, asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(serve())


def _app(settings: Settings, metrics: Metrics | None, log: Log) -> Starlette:
    return create_app(
        database=settings.database,
        site=settings.site,
        speed=settings.speed,
        clock_mode=settings.clock,
        contract_path=settings.contract,
        numbers_path=settings.scenarios,
        limits=settings.limits,
        keys=None if settings.keys_file is None else read_keys(settings.keys_file),
        workers=settings.workers,
        observe=_observer(settings, metrics, log),
        wrap_store=None if metrics is None else metrics.counting,
    )


def _observer(settings: Settings, metrics: Metrics | None, log: Log) -> Observer:
    logs_requests = settings.log_level == LOG_LEVELS[0] and not settings.quiet
    observe = log if logs_requests else ignore
    return observe if metrics is None else _both(observe, metrics.observe)


def _both(first: Observer, second: Observer) -> Observer:
    def observe(exchange: Exchange) -> None:
        first(exchange)
        second(exchange)

    return observe


def _metrics(settings: Settings) -> Metrics | None:
    if settings.metrics_port is None:
        return None
    _need_prometheus()
    from voice_sandbox.server.metrics import Metrics

    return Metrics()


def _expose(settings: Settings, stack: ExitStack, *, folder: str | None = None) -> None:
    """Answers Prometheus until the stack ends."""
    if settings.metrics_port is None:
        return
    _need_prometheus()
    from voice_sandbox.server.metrics import exposed

    host, port = settings.metrics_host, settings.metrics_port
    try:
        stack.enter_context(exposed(host, port, folder=folder))
    except OSError as error:
        raise ValueError(
            f"Prometheus cannot be served on {host} port {port}: {error.strerror or error}. "
            "Choose another by --metrics-host and --metrics-port."
        ) from error


def _need_prometheus() -> None:
    try:
        import prometheus_client  # noqa: F401
    except ImportError as error:
        raise ValueError(
            "Metrics need the library prometheus-client. " + how_to_install("metrics")
        ) from error


def _forget_gauges_of(folder: str) -> Callable[[int], None]:
    """What a worker showed of its present state goes with it; what it counted stays."""
    from prometheus_client.multiprocess import mark_process_dead

    def forget(pid: int) -> None:
        mark_process_dead(pid, folder)  # type: ignore[no-untyped-call]

    return forget


def _read_keys_again(runtime: Runtime, path: Path) -> None:
    try:
        runtime.allow(read_keys(path))
    except KeysError as error:
        logger.error("the keys stay as they were: %s", error)


def _orphaned(loop: asyncio.AbstractEventLoop, lifeline: int, server: DrainingServer) -> None:
    """The supervisor is gone, so nobody would ever end this worker."""
    loop.remove_reader(lifeline)
    logger.error("the supervisor is gone, so this worker stops")
    server.leave()


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def _welcome(settings: Settings, address: str) -> str:
    portal = f"{address}/" if settings.site else "none (make site builds it, --site site shows it)"
    key = f"{DEMO_KEY}, or any other sandbox_…"
    if settings.keys_file is not None:
        key = f"one of those in {settings.keys_file}"
    return (
        f"voice-sandbox {__version__}: every call is simulated, no phone rings.\n"
        f"  Portal  {portal}\n"
        f"  API     {address}/v1\n"
        f"  Key     {key}\n"
        f"  Calls   {_place(settings.database)}\n"
        "Press Ctrl+C to stop."
    )


def _place(database: str) -> str:
    """Where calls are kept, for people and without a password."""
    parts = urlsplit(database)
    if parts.scheme != "sqlite":
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    file = parts.path.removeprefix("/")
    return "in memory, until it stops" if file == ":memory:" else str(Path(file).absolute())
