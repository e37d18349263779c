"""One request of a card: an operation of a contract, and what the page changes about it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote, urlencode

from voice_portal.links import LinkedValue
from voice_sandbox.contract.model import Example, Operation


@dataclass(frozen=True, slots=True)
class CardRequest:
    """A request, ready to send. ``token`` is the reader's key where it is ``None``.

    A value of ``parameters``, ``query``, ``headers`` and ``body`` may be a `LinkedValue`.
    """

    operation: Operation
    method: str
    path: str
    """The template, such as ``/v1/calls/{call_id}``, or a path of the page's own."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    query: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, Any] = field(default_factory=dict)
    token: str | None = None
    media_type: str | None = None
    body: Any = None
    """The JSON value to send, or ``None`` where there is no body or a ``raw`` one."""
    raw: str | None = None
    """A body that is not JSON on purpose."""
    pad_to: int = 0
    """Spaces in front of the body make it this many bytes long."""
    example: Example | None = None

    @property
    def target(self) -> str:
        """Path and query as they are sent."""
        path = self.path
        for name, value in self.parameters.items():
            path = path.replace(f"{{{name}}}", quote(value, safe=""))
        return path + (f"?{urlencode(self.query)}" if self.query else "")

    @property
    def text(self) -> str | None:
        """The body as it is sent, before spaces make it longer."""
        if self.raw is not None:
            return self.raw
        return None if self.body is None else json.dumps(self.body, indent=2, ensure_ascii=False)

    @property
    def is_changed(self) -> bool:
        """Whether it has another path or method than its operation, so that no operation has it."""
        return (self.path, self.method) != (self.operation.path, self.operation.method)

    @property
    def linked(self) -> list[LinkedValue]:
        """The values that it takes from earlier responses."""
        found: list[LinkedValue] = []

        def note(value: LinkedValue) -> str:
            found.append(value)
            return ""

        self.filled(note)
        return found

    def filled(self, value_of: Callable[[LinkedValue], Any]) -> CardRequest:
        """The request with a value in the place of each linked one."""

        def fill(value: Any) -> Any:
            if isinstance(value, LinkedValue):
                return value_of(value)
            if isinstance(value, Mapping):
                return {name: fill(item) for name, item in value.items()}
            return [fill(item) for item in value] if isinstance(value, list) else value

        def texts(values: Mapping[str, Any]) -> dict[str, str]:
            return {name: str(value) for name, value in fill(values).items()}

        return replace(
            self,
            parameters=texts(self.parameters),
            query=texts(self.query),
            headers=texts(self.headers),
            body=fill(self.body),
        )

    def as_example(self) -> CardRequest:
        """The request with the contract's examples in the place of linked values."""
        return self.filled(lambda value: value.example)
