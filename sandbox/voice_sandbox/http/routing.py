"""Routes made from the contracts: one for each operation, matched by table.

A path that is an operation's is looked up; only a template such as ``/v1/calls/{call_id}`` is
matched by a regular expression. Everything outside the contracts goes the usual way through
Starlette's router.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol
from urllib.parse import unquote

from starlette.routing import BaseRoute, Route, Router
from starlette.types import ASGIApp, Lifespan, Receive, Scope, Send

from voice_sandbox.contract.problems import ProblemError

_ENCODED_SLASH: Final = re.compile(rb"%2[Ff]")


class RouteTable:
    """The routes of one contract by path and method. A trailing slash makes another path."""

    def __init__(self, routes: Sequence[Route]) -> None:
        by_path: dict[str, dict[str, Route]] = {}
        for route in routes:
            # Starlette adds HEAD to GET (RFC 9110, section 9.3.2).
            by_path.setdefault(route.path, {}).update(dict.fromkeys(route.methods or (), route))
        self.routes = routes
        self.roots = frozenset(_root(path) for path in by_path)
        """First segments of the paths: whatever lies below them is the contract's."""
        self._paths = ", ".join(by_path)
        self._plain = {path: found for path, found in by_path.items() if "{" not in path}
        self._templates = [
            (next(iter(found.values())).path_regex, found)
            for path, found in by_path.items()
            if "{" in path
        ]

    def find(self, path: str) -> tuple[Mapping[str, Route], dict[str, str]]:
        """The routes at a path by method, none for a wrong path, and the parameters in it."""
        if (found := self._plain.get(path)) is not None:
            return found, {}
        for template, found in self._templates:
            if match := template.fullmatch(path):
                return found, match.groupdict()
        return {}, {}

    def rejection(self, path: str) -> ProblemError:
        """What is wrong: ``not_found``, or ``method_not_allowed`` with ``Allow``."""
        methods, _ = self.find(path)
        if not methods:
            return ProblemError(
                "not_found",
                "There is no operation at this path. A path has no trailing slash. "
                f"The contract has: {self._paths}.",
            )
        allowed = ", ".join(sorted(methods))
        return ProblemError(
            "method_not_allowed", f"This path takes {allowed}.", headers={"Allow": allowed}
        )


class RoutedContract(Protocol):
    """One contract as it is served."""

    @property
    def table(self) -> RouteTable: ...

    @property
    def unrouted(self) -> ASGIApp:
        """Rejects a request that has no route."""


class ContractRouter(Router):
    """Starlette's router, which looks for operations of the contracts before its other routes."""

    def __init__(
        self,
        contracts: Sequence[RoutedContract],
        others: Sequence[BaseRoute],
        *,
        lifespan: Lifespan[Any] | None = None,
    ) -> None:
        """What has no route at all is rejected by the first contract."""
        super().__init__(
            [*(route for contract in contracts for route in contract.table.routes), *others],
            redirect_slashes=False,
            default=contracts[0].unrouted,
            lifespan=lifespan,
        )
        self._by_root = {root: contract for contract in contracts for root in contract.table.roots}

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = self.endpoint(scope) or super().app
        await endpoint(scope, receive, send)

    def endpoint(self, scope: Scope) -> ASGIApp | None:
        """What responds below a contract's paths, to whatever breaks too; None for other routes."""
        if scope["type"] != "http":
            return None
        if b"%2" in (raw_path := scope.get("raw_path") or b""):
            scope["path"] = _with_encoded_slashes(raw_path, scope["path"])
        path = route_path(scope)
        contract = self._by_root.get(_root(path))
        if contract is None:
            # The end of a regular expression of Starlette's matches before a line break too.
            return self.default if path.endswith("\n") else None
        methods, scope["path_params"] = contract.table.find(path)
        route = methods.get(scope["method"])
        return contract.unrouted if route is None else route.app


def route_path(scope: Scope) -> str:
    """The path below the place where the application is mounted, such as ``/v1/agents``."""
    path: str = scope["path"]
    root_path = scope.get("root_path", "")
    if root_path and (path == root_path or path.startswith(f"{root_path}/")):
        path = path[len(root_path) :]
    return path or "/"


def _with_encoded_slashes(raw_path: bytes, path: str) -> str:
    """The path, decoded, with each ``%2F`` left as it is: it separates nothing (RFC 3986, 2.2)."""
    if not _ENCODED_SLASH.search(raw_path):
        return path
    segments = _ENCODED_SLASH.split(raw_path)
    return "%2F".join(unquote(segment) for segment in segments)


def _root(path: str) -> str:
    return path[1:].partition("/")[0]
