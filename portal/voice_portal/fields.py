"""Field lists: what a schema or a set of parameters says, one row a field."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from voice_portal.markup import pretty
from voice_sandbox.contract.model import Contract, Operation, Schema


@dataclass(frozen=True, slots=True)
class Field:
    """``name`` is a path such as ``agents[].key``; ``limits`` are phrases, some of them code.

    ``presence`` is ``required`` or ``optional`` where you send the field, and ``always present`` or
    ``may be absent`` where you read it.
    """

    name: str
    type: str
    presence: str
    meaning: str
    limits: tuple[str, ...]
    words: tuple[str, ...]
    example: str | None


def listed(contract: Contract, options: Mapping[str, Any]) -> Iterator[Field]:
    """The rows that the options of a fence ask for."""
    if "parameters" in options:
        return parameters_of(contract, contract.operations[options["parameters"]])
    general = contract.schema(options["general"]) if "general" in options else None
    return fields_of(contract, contract.schema(options["schema"]), general=general)


def fields_of(
    contract: Contract, schema: Schema, *, general: Schema | None = None
) -> Iterator[Field]:
    """One row a property, those of nested objects after their parent.

    ``general`` is the schema of all responses of the kind: what only the special one has may be
    absent.
    """
    schema = contract.resolve(schema)
    is_sent = any(
        operation.body is not None and contract.resolve(operation.body.schema) == schema
        for operation in contract.operations.values()
    )
    words = ("required", "optional") if is_sent else ("always present", "may be absent")
    present = (general or schema).get("required", ())
    for name in schema.get("properties", {}):
        yield from _rows(contract, schema, name, words=words, present=present)


def _rows(
    contract: Contract,
    schema: Schema,
    name: str,
    *,
    words: tuple[str, str],
    present: Collection[str],
    prefix: str = "",
) -> Iterator[Field]:
    node = schema["properties"][name]
    yield _field(contract, f"{prefix}{name}", node, presence=words[name not in present])
    found = contract.resolve(node)
    inner = contract.resolve(found["items"]) if "items" in found else found
    prefix = f"{prefix}{name}[]." if "items" in found else f"{prefix}{name}."
    for each in inner.get("properties", {}):
        required = inner.get("required", ())
        yield from _rows(contract, inner, each, words=words, present=required, prefix=prefix)


def parameters_of(contract: Contract, operation: Operation) -> Iterator[Field]:
    """One row a parameter of the path, the query or the headers."""
    for parameter in operation.parameters:
        yield _field(
            contract,
            parameter.name,
            parameter.schema,
            presence="required" if parameter.required else "optional",
            meaning=parameter.description,
            example=parameter.example,
            place=f" in the {parameter.location}",
        )


def _field(
    contract: Contract,
    name: str,
    node: Schema,
    *,
    presence: str,
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
        presence=presence,
        meaning=meaning or schema.get("description", ""),
        limits=(*_limits(schema), *_item_limits(contract, schema)),
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


def _item_limits(contract: Contract, schema: Schema) -> Iterator[str]:
    """The limits of a list's entries, where these are plain values and have no row of their own."""
    items = contract.resolve(schema.get("items", {}))
    if "properties" not in items:
        yield from (f"each {limit}" for limit in _limits(items))


def _range(schema: Schema, low: str, high: str, unit: str) -> Iterator[str]:
    minimum, maximum = schema.get(low), schema.get(high)
    numbers = (
        f"{minimum:,} to {maximum:,}"
        if minimum is not None and maximum is not None
        else f"at least {minimum:,}"
        if minimum is not None
        else f"at most {maximum:,}"
        if maximum is not None
        else ""
    )
    if numbers:
        yield f"{numbers} {unit}".strip()
