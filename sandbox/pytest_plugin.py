"""The pytest plugin of the sandbox: a call simulator for your own tests.

``voice_sandbox`` is a key of its own on a sandbox that runs in this process. Place a call to the
number of a scenario, let the virtual clock run, and look at what became of it; nothing sleeps.
Nothing is imported until a test asks for a fixture.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import httpx

    from sandbox.client import SandboxClient


@pytest.fixture(scope="session")
def voice_sandbox_url() -> Iterator[str]:
    """The origin of one sandbox for the whole run; with xdist, one for each worker."""
    from sandbox.local_server import local_sandbox

    with local_sandbox() as url:
        yield url


@pytest.fixture
def voice_sandbox(voice_sandbox_url: str) -> Iterator[SandboxClient]:
    """A fresh key: its own calls, its own clock, its own journal.

    Beside `SandboxClient`'s methods it has ``.url``, ``.key`` and ``.client``, an httpx client
    that is signed with the key.
    """
    import ssl

    import httpx

    from sandbox.client import SandboxClient

    # The address is http on this machine, so no certificates need to be loaded for each test.
    transport = httpx.HTTPTransport(verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    with SandboxClient(voice_sandbox_url, _fresh_key(), transport=transport) as client:
        yield client


@pytest.fixture
def voice_sandbox_asgi() -> Callable[[], AbstractAsyncContextManager[httpx.AsyncClient]]:
    """The same without any socket, for async tests: ``async with voice_sandbox_asgi() as client``.

    The client is signed with a fresh key and talks to a sandbox in the test's own event loop.
    """
    import httpx

    from sandbox.app import App

    @asynccontextmanager
    async def running() -> AsyncIterator[httpx.AsyncClient]:
        app = App()
        async with (
            app.running(),
            httpx.AsyncClient(
                transport=httpx.ASGITransport(app),
                base_url="http://voice-sandbox.test",
                headers={"Authorization": f"Bearer {_fresh_key()}"},
            ) as client,
        ):
            yield client

    return running


def _fresh_key() -> str:
    return f"sandbox_{secrets.token_hex(12)}"
