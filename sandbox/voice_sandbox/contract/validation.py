"""Validators compiled from the contract, and the sentences that say what to put right."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from itertools import chain, islice
from types import MappingProxyType
from typing import Any, Final, cast

import jsonschema_rs

from voice_sandbox.contract.model import Contract, Schema
from voice_sandbox.contract.pointers import at, escape_pointer
from voice_sandbox.contract.problems import FieldError, ProblemError

MAX_ERRORS: Final = 20
_NONE: Final[Mapping[str, Collection[str]]] = MappingProxyType({})
_MAX_POINTER: Final = 500
_MAX_DETAIL: Final = 1000
_NOUNS: Final = {
    "string": "a string",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "object": "an object",
    "array": "an array",
    "null": "null",
}


class Validator:
    """One compiled schema of a contract."""

    def __init__(
        self, contract: Contract, schema: Schema, *, known: Mapping[str, Collection[str]] = _NONE
    ) -> None:
        """``known`` are values by the name of a schema that the contract leaves open.

        Such a schema takes these values alone, as if it listed them.
        """
        named = _named_in(schema, contract)
        for name, values in known.items():
            if name in named:
                described = {key: named[name][key] for key in ("type", "description")}
                named[name] = described | {"enum": list(values)}
        self._schema = enforced({**schema, "components": {"schemas": named}})
        self._compiled = jsonschema_rs.Draft202012Validator(self._schema, validate_formats=True)

    def is_valid(self, value: Any) -> bool:
        return self._compiled.is_valid(value)

    def expected(self) -> str:
        """What the contract says of the value, with an example."""
        return _expected(self._resolved(self._schema))

    def check(self, value: Any) -> None:
        """Raises: `ProblemError` ``validation_failed`` with one entry a place, at most 20."""
        if self._compiled.is_valid(value):
            return
        errors = self.errors(value)
        places = "1 place" if len(errors) == 1 else f"{len(errors)} places"
        raise ProblemError(
            "validation_failed",
            f"The body does not fit the contract in {places}. "
            "Fix what errors lists and send it again.",
            errors=errors,
        )

    def errors(self, value: Any) -> list[FieldError]:
        """What does not fit, the first finding for each place in the value."""
        found: dict[str, FieldError] = {}
        for error in self._compiled.iter_errors(self._abridged(value)):
            for pointer, detail in self._findings(error):
                where = _shortened(pointer, _MAX_POINTER)
                found.setdefault(where, FieldError(where, _shortened(detail, _MAX_DETAIL)))
                if len(found) == MAX_ERRORS:
                    return list(found.values())
        return list(found.values())

    def _abridged(self, value: Any) -> Any:
        """What has the same errors, of which jsonschema-rs copies the value around each.

        Of unknown members only as many stay as are listed, by the part of their names that is
        shown.
        """
        properties = self._resolved(self._schema).get("properties")
        if properties is None or not isinstance(value, dict):
            return value
        unknown = islice((name for name in value if name not in properties), MAX_ERRORS)
        known = {name: value[name] for name in properties if name in value}
        return known | {name[:_MAX_POINTER]: None for name in unknown}

    def _findings(self, error: jsonschema_rs.ValidationError) -> Iterator[tuple[str, str]]:
        place = "".join(f"/{escape_pointer(str(token))}" for token in error.instance_path)
        kind: Any = error.kind
        holder = self._holder(error)
        match type(kind).__name__:
            case "Required":
                field = self._resolved(holder["properties"][kind.property])
                missing = f"{place}/{escape_pointer(kind.property)}"
                yield missing, f"This field is missing. {_expected(field)}".rstrip()
            case "AdditionalProperties":
                fields = ", ".join(holder["properties"])
                for name in kind.unexpected:
                    yield (
                        f"{place}/{escape_pointer(name)}",
                        f"There is no such field. Remove it; the fields are {fields}.",
                    )
            case "Type":
                nouns = " or ".join(_NOUNS[name] for name in kind.types)
                found = _NOUNS[_type_of(error.instance)]
                wrong = f"This is {found}, but must be {nouns}. {_expected(holder)}"
                yield place, wrong.rstrip()
            case "OneOfNotValid" | "AnyOf":
                yield from self._findings_of_alternatives(error, place)
            case "Enum":
                yield place, "This must be one of: " + ", ".join(map(str, kind.options)) + "."
            case _:
                rule = _rule(error.instance, kind)
                yield place, f"{rule} {_expected(holder)}".strip() or "This value does not fit."

    def _findings_of_alternatives(
        self, error: jsonschema_rs.ValidationError, place: str
    ) -> Iterator[tuple[str, str]]:
        """Those of the alternative that was meant: the discriminator names it.

        Without a discriminator it is the one with findings in the fewest places. Of several such
        ones, what all of them find, and if they agree in nothing, what the contract says of all.
        """
        holder, kind = self._holder(error), cast(Any, error.kind)
        found = [dict(chain.from_iterable(map(self._findings, errors))) for errors in kind.context]
        if "discriminator" in holder and isinstance(error.instance, dict):
            name, mapping = (holder["discriminator"][word] for word in ("propertyName", "mapping"))
            chosen = error.instance.get(name)
            if not isinstance(chosen, str) or chosen not in mapping:
                yield f"{place}/{name}", "This must be one of: " + ", ".join(mapping) + "."
                return
            yield from found[holder["oneOf"].index({"$ref": mapping[chosen]})].items()
            return
        fewest = min(map(len, found))
        meant = [places for places in found if len(places) == fewest]
        shared = set.intersection(*map(set, meant))
        for pointer in sorted(shared):
            yield pointer, f"{meant[0][pointer]} {_expected(holder)}".rstrip()
        if not shared:
            yield place, _expected(holder)

    def _holder(self, error: jsonschema_rs.ValidationError) -> Mapping[str, Any]:
        """The schema that holds the keyword that failed."""
        node: Any = self._schema
        for token in error.schema_path[:-1]:
            node = node[token]
        return self._resolved(node) if isinstance(node, dict) else {}

    def _resolved(self, schema: Schema) -> Schema:
        while "$ref" in schema:
            schema = at(self._schema, schema["$ref"])
        return schema


class Validators:
    """All validators of one contract, compiled once at start-up."""

    def __init__(self, contract: Contract, *, known: Mapping[str, Collection[str]] = _NONE) -> None:
        """``known`` as a `Validator` takes it, for what clients send in bodies."""
        self.body: Mapping[str, Validator] = {
            operation.operation_id: Validator(contract, operation.body.schema, known=known)
            for operation in contract.operations.values()
            if operation.body
        }
        self.parameters: Mapping[str, Mapping[str, Validator]] = {
            operation.operation_id: {
                parameter.name: Validator(contract, parameter.schema)
                for parameter in operation.parameters
            }
            for operation in contract.operations.values()
        }


def enforced(schema: Any) -> Any:
    """The schema with the rules of ``x-allOf``, which generators must not see, as ``allOf``."""
    if isinstance(schema, list):
        return [enforced(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        "allOf" if keyword == "x-allOf" else keyword: enforced(rule)
        for keyword, rule in schema.items()
    }


def _named_in(schema: Schema, contract: Contract) -> dict[str, Schema]:
    """The schemas that a schema refers to, directly or not: compiling all would take longer."""
    found: dict[str, Schema] = {}

    def look(node: Any) -> None:
        if isinstance(node, list):
            for item in node:
                look(item)
        elif isinstance(node, dict):
            name = str(node.get("$ref", "")).removeprefix("#/components/schemas/")
            if name and name not in found:
                found[name] = contract.schema(name)
                look(found[name])
            for item in node.values():
                look(item)

    look(schema)
    return found


def _expected(schema: Schema) -> str:
    """What the contract says of a field, with its first example."""
    sentences = [" ".join(str(schema.get("description", "")).split())]
    if "enum" in schema:
        sentences.append("One of: " + ", ".join(map(str, schema["enum"])) + ".")
    elif examples := schema.get("examples"):
        sentences.append(f"Example: {json.dumps(examples[0], ensure_ascii=False)}.")
    return " ".join(filter(None, sentences))


def _rule(value: Any, kind: Any) -> str:
    """Which bound a value breaks; empty for other rules, such as a pattern, which words explain."""
    match kind.name:
        case "maxLength" | "maxItems" | "maxProperties":
            return f"This has {_counted(value)}, but at most {kind.limit:,} are allowed."
        case "minLength" | "minItems" | "minProperties":
            return f"This has {_counted(value)}, but at least {kind.limit:,} must be there."
        case "maximum":
            return f"This must be at most {kind.limit:,}."
        case "exclusiveMaximum":
            return f"This must be less than {kind.limit:,}."
        case "minimum":
            return f"This must be at least {kind.limit:,}."
        case "exclusiveMinimum":
            return f"This must be more than {kind.limit:,}."
        case _:
            return ""


def _counted(value: Any) -> str:
    """Such as ``65,537 characters``: JSON Schema counts code points."""
    noun = {"string": "character", "array": "item", "object": "field"}[_type_of(value)]
    return f"{len(value):,} {noun}{'' if len(value) == 1 else 's'}"


def _shortened(text: str, length: int) -> str:
    # A tilde at the cut would be half of an escape, which is no JSON Pointer.
    return text if len(text) <= length else text[: length - 1].removesuffix("~") + "…"


def _type_of(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case str():
            return "string"
        case int() | float():
            return "number"
        case list():
            return "array"
        case _:
            return "object"
