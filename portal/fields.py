"""Field lists: what a schema or a set of parameters says, one row a field."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from portal.text import pretty
from sandbox.contract import Contract, Operation, Schema


@dataclass(frozen=True, slots=True)
class Field:
    """``name`` is a path such as ``agents[].key``; ``limits`` are phrases, some of them code."""

    name: str
    type: str
    required: bool
    meaning: str
    limits: tuple[str, ...]
    words: tuple[str, ...]
    example: str | None


def fields_of(contract: Contract, schema: Schema, *, prefix: str = "") -> Iterator[Field]:
    """One row a property, those of nested objects after their parent."""
    schema = contract.resolve(schema)
    for name, node in schema.get("properties", {}).items():
        found = contract.resolve(node)
        yield _field(contract, f"{prefix}{name}", node, required=name in schema.get("required", ()))
        if "items" in found:
            yield from fields_of(contract, found["items"], prefix=f"{prefix}{name}[].")
        else:
            yield from fields_of(contract, found, prefix=f"{prefix}{name}.")


def parameters_of(contract: Contract, operation: Operation) -> Iterator[Field]:
    """One row a parameter of the path, the query or the headers."""
    for parameter in operation.parameters:
        yield _field(
            contract,
            parameter.name,
            parameter.schema,
            required=parameter.required,
            meaning=parameter.description,
            example=parameter.example,
            place=f" in the {parameter.location}",
        )


def _field(
    contract: Contract,
    name: str,
    node: Schema,
    *,
    required: bool,
    meaning: str = "",
    example: Any = None,
    place: str = "",
) -> Field:
    schema = contract.resolve(node)
    if example is None:
        example = next(iter(schema.get("examples", ())), None)
    return Field(
        name=name,
        type=_type(contract, schema) + place,
        required=required,
        meaning=meaning or schema.get("description", ""),
        limits=tuple(_limits(schema)),
        words=tuple(str(word) for word in schema.get("enum", ())),
        example=None if example is None or "enum" in schema else pretty(example),
    )


def _type(contract: Contract, schema: Schema) -> str:
    kinds = schema.get("type", "value")
    kind = " or ".join(kinds) if isinstance(kinds, list) else str(kinds)
    if "items" in schema:
        items = contract.resolve(schema["items"])
        kind += f" of {items.get('type', 'value')}s"
    return kind


def _limits(schema: Schema) -> Iterator[str]:
    if "const" in schema:
        yield f"always `{pretty(schema['const'])}`"
    if "format" in schema:
        yield f"format `{schema['format']}`"
    yield from _range(schema, "minLength", "maxLength", "characters")
    yield from _range(schema, "minimum", "maximum", "")
    yield from _range(schema, "minItems", "maxItems", "entries")
    if "pattern" in schema:
        yield f"pattern `{schema['pattern']}`"


def _range(schema: Schema, low: str, high: str, unit: str) -> Iterator[str]:
    least, most = schema.get(low), schema.get(high)
    numbers = (
        f"{least:,} to {most:,}"
        if least is not None and most is not None
        else f"at least {least:,}"
        if least is not None
        else f"at most {most:,}"
        if most is not None
        else ""
    )
    if numbers:
        yield f"{numbers} {unit}".strip()
