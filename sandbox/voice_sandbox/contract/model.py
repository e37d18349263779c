"""What a contract says, as frozen operations: the shapes that everything else is made from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from voice_sandbox.contract.pointers import at

_TEMPLATE: Final = re.compile(r"\{(\w+)\}")

Schema = Mapping[str, Any]
"""A JSON Schema 2020-12 object; its references point into ``Contract.components``."""


class ContractError(Exception):
    """The contract says something that cannot be kept; the message names file, line and fix."""


class Example(msgspec.Struct, frozen=True):
    name: str
    summary: str
    description: str
    value: Any


class Parameter(msgspec.Struct, frozen=True):
    name: str
    location: str
    """``path``, ``query`` or ``header``."""
    required: bool
    description: str
    schema: Schema
    example: Any


class RequestBody(msgspec.Struct, frozen=True):
    media_type: str
    schema: Schema
    max_bytes: int
    description: str
    examples: Mapping[str, Example]


class Header(msgspec.Struct, frozen=True):
    name: str
    required: bool
    description: str
    schema: Schema
    example: Any


class Link(msgspec.Struct, frozen=True):
    """How an answer feeds a next operation: values are runtime expressions or plain JSON."""

    name: str
    operation_id: str
    description: str
    parameters: Mapping[str, Any]
    body: Any


class DocumentedResponse(msgspec.Struct, frozen=True):
    status: int
    description: str
    media_type: str | None
    schema: Schema | None
    headers: Mapping[str, Header]
    examples: Mapping[str, Example]
    links: Mapping[str, Link]


class Operation(msgspec.Struct, frozen=True):
    """One operation; ``path`` is its template, such as ``/v1/calls/{call_id}``."""

    operation_id: str
    method: str
    path: str
    tag: str
    summary: str
    description: str
    authenticated: bool
    parameters: tuple[Parameter, ...]
    body: RequestBody | None
    responses: Mapping[int, DocumentedResponse]

    @property
    def path_parameters(self) -> list[str]:
        """The names in the path's template, in their order."""
        return _TEMPLATE.findall(self.path)

    def path_with(self, **parameters: object) -> str:
        """The path with its parameters filled in. Raises: `KeyError` for a missing one."""
        return _TEMPLATE.sub(lambda name: str(parameters[name[1]]), self.path)

    @property
    def success(self) -> DocumentedResponse:
        """The one 2xx response."""
        return next(r for status, r in self.responses.items() if status < 300)


class ContractServer(msgspec.Struct, frozen=True):
    url: str
    description: str


class Contract(msgspec.Struct, frozen=True):
    """A whole contract. ``document`` is the plain OpenAPI document with all references local."""

    path: Path
    title: str
    version: str
    description: str
    sha256: str
    servers: tuple[ContractServer, ...]
    tags: Mapping[str, str]
    operations: Mapping[str, Operation]
    document: Mapping[str, Any]

    @property
    def components(self) -> Mapping[str, Any]:
        components: Mapping[str, Any] = self.document["components"]
        return components

    def schema(self, name: str) -> Schema:
        """The schema of that name in ``components``. Raises: `ContractError` if there is none."""
        try:
            found: Schema = self.components["schemas"][name]
        except KeyError:
            raise ContractError(f"{self.path.name}: components/schemas has no {name}.") from None
        return found

    def resolve(self, schema: Schema) -> Schema:
        """The schema itself, or the one its ``$ref`` points at."""
        while "$ref" in schema:
            schema = at(self.document, schema["$ref"])
        return schema
