"""What stands between clients and the sandbox: a proxy that forwards, and a path it is mounted at.

Forwarded headers are believed from named proxies alone, for anybody can write them. They only say
where a client sent its request to, which exports repeat.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

Network = IPv4Network | IPv6Network

HOST: Final = re.compile(rb"([A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{1,5})?")
"""What a ``Host`` may be: a name or an address, and a port."""
_PATH: Final = re.compile(r"(/[A-Za-z0-9._~-]+)+")


class Forwarded:
    """Believes ``X-Forwarded-For``, ``-Proto`` and ``-Host`` from the named proxies."""

    def __init__(self, app: ASGIApp, proxies: Sequence[Network]) -> None:
        self._app = app
        self._proxies = proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        client = scope.get("client")
        if client and self._is_proxy(client[0]):
            scope = self._as_sent(scope)
        await self._app(scope, receive, send)

    def _as_sent(self, scope: Scope) -> Scope:
        """The request as the client sent it to the proxy."""
        told = {name: value for name, value in scope["headers"] if name.startswith(b"x-forwarded-")}
        changed = dict(scope)
        # Each proxy appends, so what the nearest one says stands last.
        scheme = told.get(b"x-forwarded-proto", b"").rpartition(b",")[2].strip().lower()
        if scheme in (b"http", b"https"):
            changed["scheme"] = scheme.decode()
        host = told.get(b"x-forwarded-host", b"").rpartition(b",")[2].strip()
        if HOST.fullmatch(host):
            others = [header for header in scope["headers"] if header[0] != b"host"]
            changed["headers"] = [*others, (b"host", host)]
        for sender in reversed(told.get(b"x-forwarded-for", b"").decode("latin-1").split(",")):
            if not _is_address(sender.strip()):
                break
            changed["client"] = (sender.strip(), 0)
            if not self._is_proxy(sender.strip()):
                break
        return changed

    def _is_proxy(self, address: str) -> bool:
        if not _is_address(address):
            return False
        parsed = ip_address(address)
        return any(parsed in network for network in self._proxies)


class Mounted:
    """Serves the application below a path, whether the proxy has cut that off or not."""

    def __init__(self, app: ASGIApp, root_path: str) -> None:
        self._app = app
        self._root_path = root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path, root = scope["path"], self._root_path
        if path == root or path.startswith(f"{root}/"):
            path = path[len(root) :] or "/"
        await self._app({**scope, "path": path, "root_path": root}, receive, send)


def proxies(names: Sequence[str]) -> tuple[Network, ...]:
    """The networks of addresses such as ``10.0.0.5`` or ``10.0.0.0/8``. Raises: `ValueError`."""
    try:
        return tuple(ip_network(name) for name in names)
    except ValueError as error:
        raise ValueError(
            f"A proxy is named by its address: {error}. Use one such as 10.0.0.5, "
            "or a network such as 10.0.0.0/8."
        ) from None


def root_path(path: str) -> str:
    """The path without a slash at its end. Raises: `ValueError`."""
    path = path.rstrip("/")
    if path and not _PATH.fullmatch(path):
        raise ValueError(f"The root path {path!r} is none. Use one such as /voice.")
    return path


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
