"""One request of a card: an operation of a contract, and what the page changes about it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from voice_sandbox.contract.model import Example, Operation


@dataclass(frozen=True, slots=True)
class Step:
    """A request, ready to send. ``token`` is the reader's key where it is ``None``."""

    operation: Operation
    method: str
    path: str
    """The template, such as ``/v1/calls/{call_id}``, or a path of the page's own."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
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
    def is_of_contract(self) -> bool:
        """Whether the live service would understand it too."""
        return not self.path.startswith("/sandbox") and "Prefer" not in self.headers
