"""`voice_sandbox.testing.client.SandboxClient` for async code: the same methods, to be awaited.

The in-process variant of the pytest plugin stands on it. What the methods do is written in
``operations``; here their requests are sent.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import wraps
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import httpx2

from voice_sandbox.testing.operations import NOT_SENT, Operations, Steps, unreachable

P = ParamSpec("P")
T = TypeVar("T")


def _awaited(
    operation: Callable[Concatenate[Operations, P], Steps[T]],
) -> Callable[Concatenate[AsyncSandboxClient, P], Coroutine[Any, Any, T]]:
    """A method that sends an operation's requests and awaits each response."""

    @wraps(operation)
    async def method(self: AsyncSandboxClient, /, *args: P.args, **kwargs: P.kwargs) -> T:
        steps = operation(self._operations, *args, **kwargs)
        try:
            request = next(steps)
            while True:
                request = steps.send(await self.client.request(**request._asdict()))
        except StopIteration as end:
            result: T = end.value
            return result
        except NOT_SENT as error:
            raise unreachable(self.url, error) from error

    return method


class AsyncSandboxClient:
    """One key of one sandbox. Methods raise `SandboxError` for every problem."""

    def __init__(
        self, url: str, key: str, *, transport: httpx2.AsyncBaseTransport | None = None
    ) -> None:
        """Raises: `SandboxError` where no request can be sent to such a URL."""
        self.url = url
        self.key = key
        try:
            self._operations = Operations(url, key)
            self.client = httpx2.AsyncClient(
                transport=transport, **self._operations.client_options()
            )
            """For the contract's own operations, signed with the key."""
        except (*NOT_SENT, ImportError, OSError, ValueError) as error:
            raise unreachable(url, error) from error

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.client.aclose()

    identify = _awaited(Operations.identify)
    call = _awaited(Operations.call)
    status = _awaited(Operations.status)
    inspect = _awaited(Operations.inspect)
    agents = _awaited(Operations.agents)
    clock = _awaited(Operations.clock)
    advance = _awaited(Operations.advance)
    until_idle = _awaited(Operations.until_idle)
    clock_mode = _awaited(Operations.clock_mode)
    fail = _awaited(Operations.fail)
    faults = _awaited(Operations.faults)
    disarm = _awaited(Operations.disarm)
    number = _awaited(Operations.number)
    numbers = _awaited(Operations.numbers)
    load_numbers = _awaited(Operations.load_numbers)
    unbind = _awaited(Operations.unbind)
    rings = _awaited(Operations.rings)
    dialled = _awaited(Operations.dialled)
    end = _awaited(Operations.end)
    scenarios = _awaited(Operations.scenarios)
    catalogue = _awaited(Operations.catalogue)
    journal = _awaited(Operations.journal)
    exchange = _awaited(Operations.exchange)
    har = _awaited(Operations.har)
    coverage = _awaited(Operations.coverage)
    reset = _awaited(Operations.reset)
