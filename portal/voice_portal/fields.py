"""Field lists: what a schema or a set of parameters says, one row a field."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from voice_portal.markup import pretty
from voice_portal.named_schemas import forms_of, is_object, name_of
from voice_sandbox.contract.model import Contract, Header, Operation, Parameter, Schema

_FORMATS: Final = {
    "uuid": "a UUID",
    "date-time": "a date and time (RFC 3339)",
    "uri-reference": "a URI or a path (RFC 3986)",
    "json-pointer": "a JSON Pointer (RFC 6901)",
}


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
    limits: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    example: str | None = None
    depth: int = 0
    """How many objects it lies in."""
    schema: str = ""
    """The name of its schema, or of the schema of a list's entries, where that has one."""
    is_form: bool = False
    """Whether this is no field but the beginning of one form of a value that has several."""

    @property
    def parent(self) -> str:
        """What stands before the field's own name, such as ``agents[].``."""
        return self.name[: self.name.rfind(".") + 1] if self.depth else ""


def kind(field: Field) -> str:
    """Type, presence and limits of a field in one line, for readers of text."""
    listed = ", ".join(f"`{word}`" for word in field.words)
    words = [f"{'one of' if len(field.words) > 1 else 'always'} {listed}"] if listed else []
    return "; ".join((field.type, field.presence, *field.limits, *words))


def listed(contract: Contract, options: Mapping[str, Any]) -> Iterator[Field]:
    """The rows that the options of a fence ask for."""
    if "parameters" in options:
        return parameters_of(contract, contract.operations[options["parameters"]])
    general = contract.schema(options["general"]) if "general" in options else None
    return fields_of(contract, contract.schema(options["schema"]), general=general)


def fields_of(
    contract: Contract,
    schema: Schema,
    *,
    general: Schema | None = None,
    closed: Collection[str] = (),
) -> Iterator[Field]:
    """One row a property, those of nested objects after their parent.

    ``general`` is the schema of all responses of the kind: what only the special one has may be
    absent. Schemas whose names are in ``closed`` are not opened where a field has them.
    """
    found = contract.resolve(schema)
    is_sent = any(
        operation.body is not None and contract.resolve(operation.body.schema) == found
        for operation in contract.operations.values()
    )
    words = ("required", "optional") if is_sent else ("always present", "may be absent")
    walk = _Walk(contract, words, set(closed))
    yield from walk.inside(schema, "", depth=0, present=(general or found).get("required", ()))


class _Walk:
    """One way through a schema. A named schema is opened the first time, and then no more."""

    def __init__(self, contract: Contract, words: tuple[str, str], closed: set[str]) -> None:
        self.contract = contract
        self.words = words
        self.closed = closed

    def inside(
        self, node: Schema, prefix: str, *, depth: int, present: Collection[str] | None = None
    ) -> Iterator[Field]:
        """The rows of an object's fields, or of those of each form that it may have."""
        found = self.contract.resolve(node)
        if "items" in found:
            yield from self.inside(found["items"], f"{prefix}[].", depth=depth)
        forms = list(forms_of(self.contract, found))
        for number, form in enumerate(forms):
            yield self._form(form, number, depth=depth)
            yield from self.inside(form, prefix, depth=depth + 1)
        required = found.get("required", ()) if present is None else present
        for name in found.get("properties", {}):
            field = f"{prefix}{name}"
            node = found["properties"][name]
            yield replace(
                _field(self.contract, field, node, presence=self.words[name not in required]),
                depth=depth,
            )
            yield from self._below(node, field, depth=depth + 1)

    def _below(self, node: Schema, field: str, *, depth: int) -> Iterator[Field]:
        """The rows below a field whose value, or whose entries, have fields of their own."""
        names, path = {name_of(node)}, field
        found = self.contract.resolve(node)
        while "items" in found:
            node, path = found["items"], f"{path}[]"
            names.add(name_of(node))
            found = self.contract.resolve(node)
        names.discard("")
        if is_object(self.contract, found) and not names & self.closed:
            self.closed |= names
            yield from self.inside(node, f"{path}.", depth=depth)

    def _form(self, form: Schema, number: int, *, depth: int) -> Field:
        found = self.contract.resolve(form)
        names = ", ".join(f"`{name}`" for name in found.get("required", ()))
        return Field(
            name="or" if number else "either",
            type="",
            presence="",
            meaning=found.get("description", f"An object with {names}."),
            depth=depth,
            schema=name_of(form),
            is_form=True,
        )


def parameters_of(contract: Contract, operation: Operation) -> Iterator[Field]:
    """One row a parameter of the path, the query or the headers."""
    for parameter in operation.parameters:
        yield _named(
            contract,
            parameter,
            "required" if parameter.required else "optional",
            f" in the {parameter.location}",
        )


def headers_of(contract: Contract, headers: Mapping[str, Header]) -> Iterator[Field]:
    """One row a header of a response."""
    for header in headers.values():
        yield _named(contract, header, "always present" if header.required else "may be absent")


def rules_of(contract: Contract, schema: Schema) -> list[str]:
    """What a schema says of several fields together, in words."""
    rules = contract.resolve(schema).get("x-allOf", ())
    return [rule["description"] for rule in rules if "description" in rule]


def _named(contract: Contract, value: Parameter | Header, presence: str, place: str = "") -> Field:
    field = _field(contract, value.name, value.schema, presence=presence, example=value.example)
    return replace(field, type=field.type + place, meaning=value.description or field.meaning)


def _field(
    contract: Contract, name: str, node: Schema, *, presence: str, example: Any = None
) -> Field:
    schema = contract.resolve(node)
    if example is None:
        example = next(iter(schema.get("examples", ())), None)
    entries = schema.get("items", {})
    return Field(
        name=name,
        type=_type(contract, schema),
        presence=presence,
        meaning=schema.get("description", ""),
        limits=(*_limits(schema), *_item_limits(contract, schema)),
        words=tuple(str(word) for word in schema.get("enum", ())),
        example=None if example is None or "enum" in schema else pretty(example),
        schema=name_of(node) or name_of(entries),
    )


def _type(contract: Contract, schema: Schema) -> str:
    forms = list(forms_of(contract, schema))
    if forms:
        number = f"object in one of {len(forms)} forms" if len(forms) > 1 else "object"
        return number if len(forms) == len(_alternatives(schema)) else f"{number} or null"
    kinds = schema.get("type", "value")
    kind = " or ".join(kinds) if isinstance(kinds, list) else str(kinds)
    if "items" in schema:
        items = contract.resolve(schema["items"])
        entry = "array" if "items" in items else items.get("type", "object")
        kind += f" of {' or '.join(entry) if isinstance(entry, list) else entry}s"
    return kind


def _alternatives(schema: Schema) -> Collection[Schema]:
    found: Collection[Schema] = schema.get("oneOf") or schema.get("anyOf") or ()
    return found


def _limits(schema: Schema) -> Iterator[str]:
    if "const" in schema:
        yield f"always `{pretty(schema['const'])}`"
    if "format" in schema:
        yield _FORMATS.get(schema["format"], f"format `{schema['format']}`")
    yield from _range(schema, "minLength", "maxLength", "characters")
    if "exclusiveMinimum" in schema:
        yield f"more than {schema['exclusiveMinimum']:,}"
    yield from _range(schema, "minimum", "maximum", "")
    yield from _range(schema, "minItems", "maxItems", "entries")
    if schema.get("uniqueItems"):
        yield "no entry twice"
    if "pattern" in schema:
        yield f"pattern `{schema['pattern']}`"


def _item_limits(contract: Contract, schema: Schema) -> Iterator[str]:
    """The limits of a list's entries, where these are plain values and have no row of their own."""
    items = contract.resolve(schema.get("items", {}))
    if not is_object(contract, items):
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
