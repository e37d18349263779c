"""A sandbox in a thread of this process, for tests: bound before it starts, gone when it ends."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from starlette.types import ASGIApp

from voice_sandbox.app import create_app, ignore, runtime_of
from voice_sandbox.clock import WALL_MODE
from voice_sandbox.http.exchange import Observer
from voice_sandbox.limits import Limits
from voice_sandbox.server.sockets import listen, origin_of
from voice_sandbox.server.uvicorn_server import DrainingServer, configured

START_SECONDS: Final = 10.0
STOP_SECONDS: Final = 10.0


@contextmanager
def local_sandbox(
    *,
    database: str = "sqlite:///:memory:",
    speed: float = 1.0,
    clock_mode: str = WALL_MODE,
    contract_path: Path | None = None,
    numbers_path: Path | None = None,
    observe: Observer = ignore,
    wrap: Callable[[ASGIApp], ASGIApp] | None = None,
) -> Iterator[str]:
    """Runs a sandbox on a free port of the loopback interface; yields its origin.

    ``observe`` is told every exchange, in the thread of the sandbox. ``wrap`` returns what stands
    before the application.
    Raises: whatever keeps it from starting, at once.
    """
    app = create_app(
        database=database,
        speed=speed,
        clock_mode=clock_mode,
        contract_path=contract_path,
        numbers_path=numbers_path,
        observe=observe,
    )
    runtime = runtime_of(app)
    listener = listen("127.0.0.1", 0)
    config = configured(app if wrap is None else wrap(app), Limits())
    server = DrainingServer(runtime, config)
    ready = threading.Event()
    failures: list[BaseException] = []

    async def run() -> None:
        async with runtime.lifespan():
            ready.set()
            await server.serve(sockets=[listener])

    def work() -> None:
        try:
            with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
                runner.run(run())
        except BaseException as error:  # noqa: BLE001  (handed to the thread that waits)
            failures.append(error)
        finally:
            ready.set()

    thread = threading.Thread(target=work, name="voice-sandbox", daemon=True)
    thread.start()
    try:
        if not ready.wait(START_SECONDS):
            raise TimeoutError(f"The sandbox did not start within {START_SECONDS:g} seconds.")
        if failures:
            raise failures[0]
        yield origin_of(listener)
    finally:
        server.leave()
        thread.join(STOP_SECONDS)
        listener.close()
