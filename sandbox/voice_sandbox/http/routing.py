"""Finds the operation of a path and a method among those of a contract."""

from __future__ import annotations

import re
from collections.abc import Iterable

from voice_sandbox.contract.model import Operation
from voice_sandbox.contract.problems import ProblemError


class Routes:
    """The paths of one contract. A trailing slash makes another path."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        self._by_template: dict[str, dict[str, Operation]] = {}
        for operation in operations:
            self._by_template.setdefault(operation.path, {})[operation.method] = operation
        self._plain = {p: ops for p, ops in self._by_template.items() if "{" not in p}
        self._templates = [
            (re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(path))), operations)
            for path, operations in self._by_template.items()
            if "{" in path
        ]
        self._roots = {path.split("/")[1] for path in self._by_template}

    def own(self, path: str) -> bool:
        """Whether a path, known or not, lies where the contract's operations are."""
        return path[1:].partition("/")[0] in self._roots

    def find(self, method: str, path: str) -> tuple[Operation, dict[str, str]]:
        """The operation and the path parameters; HEAD finds what GET finds.

        Raises: `ProblemError` ``not_found``, or ``method_not_allowed`` with ``Allow``.
        """
        operations, parameters = self._match(path)
        if operations is None:
            raise ProblemError(
                "not_found",
                "There is no operation at this path. A path has no trailing slash. "
                f"The contract has: {', '.join(self._by_template)}.",
            )
        operation = operations.get("GET" if method == "HEAD" else method)
        if operation is None:
            methods = {*operations, "HEAD"} if "GET" in operations else set(operations)
            allowed = ", ".join(sorted(methods))
            raise ProblemError(
                "method_not_allowed", f"This path takes {allowed}.", headers={"Allow": allowed}
            )
        return operation, parameters

    def _match(self, path: str) -> tuple[dict[str, Operation] | None, dict[str, str]]:
        if (operations := self._plain.get(path)) is not None:
            return operations, {}
        for template, operations in self._templates:
            if match := template.fullmatch(path):
                return operations, match.groupdict()
        return None, {}
