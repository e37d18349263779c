"""A client of a running sandbox: the contract's operations by httpx2, the control API by methods.

The command line and the pytest plugin stand on it. Nothing the server needs imports it.
What the methods do is written in ``operations``; here their requests are sent.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import wraps
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import httpx2
import orjson

from voice_sandbox.testing.operations import (
    NOT_SENT,
    TIMEOUT_SECONDS,
    Operations,
    SandboxError,
    Steps,
    rejected,
    unreachable,
)

__all__ = ["SandboxClient", "SandboxError", "local_client"]

P = ParamSpec("P")
T = TypeVar("T")


def _blocking(
    operation: Callable[Concatenate[Operations, P], Steps[T]],
) -> Callable[Concatenate[SandboxClient, P], T]:
    """A method that sends an operation's requests and waits for each response."""

    @wraps(operation)
    def method(self: SandboxClient, /, *args: P.args, **kwargs: P.kwargs) -> T:
        steps = operation(self._operations, *args, **kwargs)
        try:
            request = next(steps)
            while True:
                request = steps.send(self.client.request(**request._asdict()))
        except StopIteration as end:
            result: T = end.value
            return result
        except NOT_SENT as error:
            raise unreachable(self.url, error) from error

    return method


class SandboxClient:
    """One key of one sandbox. Methods raise `SandboxError` for every problem."""

    def __init__(
        self,
        url: str,
        key: str,
        *,
        transport: httpx2.BaseTransport | None = None,
        catalogue: Mapping[str, Any] | None = None,
    ) -> None:
        """``catalogue`` is what a sandbox at this address has sent before; then it is not asked.

        Raises: `SandboxError` where no request can be sent to such a URL.
        """
        self.url = url
        self.key = key
        try:
            self._operations = Operations(url, key, catalogue=catalogue)
            self.client = httpx2.Client(transport=transport, **self._operations.client_options())
            """For the contract's own operations, signed with the key."""
        except (*NOT_SENT, ImportError, OSError, ValueError) as error:
            raise unreachable(url, error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self.client.close()

    identify = _blocking(Operations.identify)
    call = _blocking(Operations.call)
    status = _blocking(Operations.status)
    inspect = _blocking(Operations.inspect)
    agents = _blocking(Operations.agents)
    clock = _blocking(Operations.clock)
    advance = _blocking(Operations.advance)
    until_idle = _blocking(Operations.until_idle)
    clock_mode = _blocking(Operations.clock_mode)
    fail = _blocking(Operations.fail)
    faults = _blocking(Operations.faults)
    disarm = _blocking(Operations.disarm)
    number = _blocking(Operations.number)
    numbers = _blocking(Operations.numbers)
    load_numbers = _blocking(Operations.load_numbers)
    unbind = _blocking(Operations.unbind)
    rings = _blocking(Operations.rings)
    dialled = _blocking(Operations.dialled)
    end = _blocking(Operations.end)
    scenarios = _blocking(Operations.scenarios)
    catalogue = _blocking(Operations.catalogue)
    journal = _blocking(Operations.journal)
    exchange = _blocking(Operations.exchange)
    har = _blocking(Operations.har)
    coverage = _blocking(Operations.coverage)
    reset = _blocking(Operations.reset)

    def follow(self, *, after: str | None = None, **search: str) -> Iterator[dict[str, Any]]:
        """The exchanges as they end, from now on or from the `seq` ``after`` on.

        Ends when the caller stops or the sandbox does. See ``streamJournal`` for the parameters.
        """
        try:
            with self.client.stream(
                "GET",
                "/sandbox/journal/stream",
                params=search,
                headers={} if after is None else {"Last-Event-ID": after},
                timeout=httpx2.Timeout(TIMEOUT_SECONDS, read=None),
            ) as response:
                if response.status_code != 200:
                    response.read()
                    raise rejected(response)
                for line in _lines(response.iter_bytes()):
                    if line.startswith(b'data: {"'):
                        yield orjson.loads(line.removeprefix(b"data: "))
        except NOT_SENT as error:
            raise unreachable(self.url, error) from error


def local_client(url: str, key: str, **options: Any) -> SandboxClient:
    """A client of a sandbox on this machine, whose address is http: no certificates are loaded."""
    transport = httpx2.HTTPTransport(verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    return SandboxClient(url, key, transport=transport, **options)


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The lines of a stream of events.

    httpx2 also splits at separators that JSON may hold as they are, such as U+2028.
    """
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines
