"""The named schemas of both contracts: which of them pages share, and which operations use them.

An operation's own page lists the fields of its request and of its response. What several such lists
have in common is listed on the page Schemas, and each of them links to it: problems, the values of
an enumeration, an object that stands inside several others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from voice_sandbox.contract.model import Contract, Operation, Schema
from voice_sandbox.contract.problems import MEDIA_TYPE

_PREFIX: Final = "#/components/schemas/"


@dataclass(slots=True)
class NamedSchema:
    """``places`` are the fields that have it, such as ``{"Call.status"}``."""

    name: str
    contract: Contract
    places: set[str] = field(default_factory=set)
    is_problem: bool = False
    operations: dict[str, None] = field(default_factory=dict)
    """The operations in whose requests and responses it is, in the order of the contracts."""

    @property
    def schema(self) -> Schema:
        return self.contract.schema(self.name)


def name_of(node: Schema) -> str:
    """The name that a reference leads to; empty where the schema stands in its own place."""
    return str(node.get("$ref", "")).removeprefix(_PREFIX)


def forms_of(contract: Contract, schema: Schema) -> Iterator[Schema]:
    """The forms of a value that may have several; `null` is none."""
    for form in (*schema.get("oneOf", ()), *schema.get("anyOf", ())):
        if contract.resolve(form).get("type") != "null":
            yield form


def is_object(contract: Contract, schema: Schema) -> bool:
    """Whether the value has fields."""
    return "properties" in schema or any(forms_of(contract, schema))


def shared_schemas(*contracts: Contract) -> Mapping[str, NamedSchema]:
    """The schemas that have a list of their own and are a problem, or belong to several fields.

    A plain value such as an id has no list: all that is to say of it stands in its row.
    """
    found: dict[str, NamedSchema] = {}
    for contract in contracts:
        for operation in contract.operations.values():
            visit = _Visit(contract, operation, found)
            for response in operation.responses.values():
                if response.schema is not None:
                    _note(visit, response.schema, is_problem=response.media_type == MEDIA_TYPE)
            if operation.body is not None:
                _note(visit, operation.body.schema)
    return {
        name: each
        for name, each in found.items()
        if (each.is_problem or len(each.places) > 1) and _has_a_list(each.contract, each.schema)
    }


@dataclass(frozen=True, slots=True)
class _Visit:
    contract: Contract
    operation: Operation
    found: dict[str, NamedSchema]


def _note(visit: _Visit, node: Schema, place: str = "", *, is_problem: bool = False) -> None:
    """Notes the schema that a field has, or a body where there is no field, and all below it."""
    name = name_of(node)
    if name:
        each = visit.found.setdefault(name, NamedSchema(name, visit.contract))
        each.places.update({place} if place else ())
        each.is_problem = each.is_problem or is_problem
        each.operations[visit.operation.operation_id] = None
        place = name
    for inner, below in _parts(visit.contract.resolve(node)):
        _note(visit, below, f"{place}.{inner}")


def _parts(schema: Schema) -> Iterator[tuple[str, Schema]]:
    properties: Mapping[str, Any] = schema.get("properties", {})
    yield from properties.items()
    if "items" in schema:
        yield "[]", schema["items"]
    for number, form in enumerate((*schema.get("oneOf", ()), *schema.get("anyOf", ()))):
        yield str(number), form


def _has_a_list(contract: Contract, schema: Schema) -> bool:
    if "items" in schema:
        return _has_a_list(contract, contract.resolve(schema["items"]))
    return is_object(contract, schema) or len(schema.get("enum", ())) > 1
