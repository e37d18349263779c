"""Values on both sides of every limit of a schema, generated from the schema alone.

Owns which values are tempting: lengths and numbers at a limit and one step beyond, the first and
last member of each character class of a pattern and their neighbours, enum values in another
form, other JSON types, missing and unknown members. It does not say which of them are valid: the
compiled contract does. A new field is covered as soon as the contract has it.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from re import _constants as tokens
from re import _parser as parser
from typing import Any, Final

from voice_sandbox.contract.model import Contract, Schema

Variant = tuple[str, Any]
"""What was changed, for a person, and the changed value."""

PADDINGS: Final = (" ", "\t", "\n", "\r\n", "\0", "\u00a0", "\u200b", "\ufeff", "x", "0", "-", ".")
OTHER_TYPES: Final[tuple[Any, ...]] = (None, True, False, 0, 1, -1, 1.5, "", "0", "null", [], {})
SYNONYMS: Final = (
    *("aborted", "answered", "declined", "disconnected", "done", "engaged", "expired", "finished"),
    *("hangup", "in_progress", "no answer", "noanswer", "queued", "ringing", "success"),
    *("unanswered", "unknown", "unreachable"),
)
UNKNOWN_MEMBERS: Final = (
    *("_x", "$x", "x", "", " ", "__proto__", "constructor", "id", "webhook_url", "тест", "é"),
    *("e\u0301", "🙂", "a/b", "a~b", "~1", "~0", "/", "~", "a.b", "a b", '"', "\\", "\u0001"),
)
_MANY: Final = 10
_UNLIMITED: Final = 1_000_000


def variants(contract: Contract, schema: Schema, value: Any) -> Iterator[Variant]:
    """Every tempting change of ``value``, at every place in it."""
    schema = _branch(contract, schema, value)
    yield from _other_types(value)
    yield from ((f"the value {one!r}", one) for one in schema.get("enum", ()) if one != value)
    if isinstance(value, Mapping):
        yield from _members(contract, schema, value)
    elif isinstance(value, list):
        yield from _items(contract, schema, value)
    elif isinstance(value, bool):
        yield "the opposite", not value
    elif isinstance(value, int | float):
        yield from _numbers(schema)
    if "string" in _types(schema):
        yield from texts(schema, [value] if isinstance(value, str) else [])


def texts(schema: Schema, examples: Iterable[str]) -> list[tuple[str, str]]:
    """Texts around the limits of a schema of texts."""
    enum = [one for one in schema.get("enum", ()) if isinstance(one, str)]
    found: dict[str, str] = {}
    for what, text in chain(
        *(_respelled(text) for text in (*examples, *enum)),
        ((f"the word {word!r}", word) for word in SYNONYMS if enum),
        pattern_texts(schema["pattern"]) if "pattern" in schema else (),
        _texts_of_lengths(schema, examples),
    ):
        found.setdefault(text, what)
    return [(what, text) for text, what in found.items()]


def pattern_texts(pattern: str) -> Iterator[tuple[str, str]]:
    """Texts that a pattern takes or barely rejects, each with what is special about it."""
    parsed = list(parser.parse(pattern))
    plain = _written(parsed, {})
    yield "a plain text", plain
    nodes = list(_nodes(parsed, ()))
    # What one place takes, another may take by mistake.
    members = {
        edge for _, (kind, argument) in nodes if kind is tokens.IN for edge in _edges(argument)
    }
    for path, node in nodes:
        choices = dict(_choices(node))
        if node[0] is tokens.IN:
            choices |= {f"the character {character!a}": character for character in sorted(members)}
        for what, choice in choices.items():
            yield what, _written(parsed, {path: choice})
    for padding in PADDINGS:
        yield f"a text that begins with {padding!a}", padding + plain
        yield f"a text that ends with {padding!a}", plain + padding


# Objects, arrays, numbers


def _members(contract: Contract, schema: Schema, value: Mapping[str, Any]) -> Iterator[Variant]:
    for name, property_schema in schema.get("properties", {}).items():
        examples = contract.resolve(property_schema).get("examples", ())
        if name not in value and examples:
            for what, changed in variants(contract, property_schema, examples[0]):
                yield f"also {name} with {what}", {**value, name: changed}
    for name, member in value.items():
        without = {key: kept for key, kept in value.items() if key != name}
        yield f"no {name}", without
        for other in (name.upper(), name.capitalize(), f" {name}", name.replace("_", "-")):
            if other != name:
                yield f"{other} in the place of {name}", {**without, other: member}
        property_schema = schema.get("properties", {}).get(name)
        if property_schema is None:
            continue
        for what, changed in variants(contract, property_schema, member):
            yield f"{name} with {what}", {**value, name: changed}
    for name in UNKNOWN_MEMBERS:
        yield f"an unknown member {name!a}", {**value, name: 1}
    yield "an unknown member that is null", {**value, "x": None}
    yield "three unknown members", {**value, "x": 1, "y": {}, "z": []}


def _items(contract: Contract, schema: Schema, value: Sequence[Any]) -> Iterator[Variant]:
    for count in _around(schema.get("minItems"), schema.get("maxItems")):
        if value and count <= _UNLIMITED:
            yield f"{count} items", [copy.deepcopy(value[n % len(value)]) for n in range(count)]
    if value and "items" in schema:
        for what, changed in variants(contract, schema["items"], value[0]):
            yield f"a first item with {what}", [changed, *value[1:]]


def _numbers(schema: Schema) -> Iterator[Variant]:
    limits = [schema.get(name) for name in ("minimum", "maximum", "exclusiveMinimum")]
    for limit in [*limits, schema.get("exclusiveMaximum")]:
        if limit is not None:
            for step in (-1, -0.5, 0, 0.5, 1, 1000):
                number = limit + step
                yield f"{number:,}", int(number) if number == int(number) else number
    for number in (-1, 0, 0.1, 1, 1.5, 2**31 - 1, 2**31, 2**53, 2**53 + 1, 2**63, 10**20, -(2**63)):
        yield f"{number}", number


def _other_types(value: Any) -> Iterator[Variant]:
    others = [*OTHER_TYPES, [value], {"value": value}]
    if not isinstance(value, str | Mapping | list):
        others.append(str(value))
    for other in others:
        if type(other) is not type(value):
            yield f"{str(other)[:20]!r} of another type", other


def _around(*limits: int | None) -> list[int]:
    near = {limit + step for limit in limits if limit is not None for step in (-1, 0, 1)}
    return sorted(number for number in near if number >= 0)


# Texts


def _texts_of_lengths(schema: Schema, examples: Iterable[str]) -> Iterator[tuple[str, str]]:
    for length in _lengths(schema):
        for filler in _fillers(schema.get("pattern")):
            yield f"{length:,} times {filler!a}", filler * length
        for text in filter(None, examples):
            yield f"{length:,} characters", (text + text[-1] * length)[:length]


def _lengths(schema: Schema) -> list[int]:
    lengths = _around(schema.get("minLength"), schema.get("maxLength"))
    return [length for length in lengths if length <= _UNLIMITED]


def _fillers(pattern: str | None) -> list[str]:
    """Characters of one, two, three and four bytes in UTF-8; one that the pattern takes first."""
    if pattern is None:
        return ["x", "é", "€", "🙂"]
    written = _written(list(parser.parse(pattern)), {})
    return list(dict.fromkeys([written[-1:] or "x", "x", "é", "🙂"]))


def _respelled(text: str) -> Iterator[tuple[str, str]]:
    yield f"{text[:30]!r} itself", text
    for padding in PADDINGS:
        yield f"{padding!a} before it", padding + text
        yield f"{padding!a} after it", text + padding
        middle = len(text) // 2
        yield f"{padding!a} in its middle", text[:middle] + padding + text[middle:]
    yield "capitals", text.upper()
    yield "small letters", text.lower()
    yield "a capital first letter", text[:1].upper() + text[1:]
    yield "_ for -", text.replace("-", "_")
    yield "- for _", text.replace("_", "-")
    yield "no separators", re.sub("[-_.]", "", text)
    yield "its last character missing", text[:-1]
    yield "its first character missing", text[1:]
    yield "its last character twice", text + text[-1:]
    yield "its first character twice", text[:1] + text
    yield "the whole text twice", text + text
    yield "quotes around it", f'"{text}"'
    yield "digits of another alphabet", text.translate(_FULL_WIDTH)
    yield "letters that look alike", text.translate(_LOOK_ALIKE)
    yield "escapes of percent", "".join(f"%{ord(one) % 256:02X}" for one in text[:50])


_FULL_WIDTH: Final = {ord("0") + n: 0xFF10 + n for n in range(10)}
_LOOK_ALIKE: Final = str.maketrans("aceopx", "\u0430\u0441\u0435\u043e\u0440\u0445")


# Patterns

_Path = tuple[int, ...]
_Node = tuple[Any, Any]
_Choice = Callable[[], str] | int
_CATEGORIES: Final = {
    tokens.CATEGORY_DIGIT: "09",
    tokens.CATEGORY_SPACE: " \n",
    tokens.CATEGORY_WORD: "az",
    tokens.CATEGORY_NOT_SPACE: "!~",
    tokens.CATEGORY_NOT_DIGIT: "az",
    tokens.CATEGORY_NOT_WORD: "-.",
}


def _nodes(parsed: Sequence[_Node], path: _Path) -> Iterator[tuple[_Path, _Node]]:
    """Every node of a parsed pattern, with where it stands."""
    for index, node in enumerate(parsed):
        here = (*path, index)
        yield here, node
        kind, argument = node
        if kind is tokens.MAX_REPEAT:
            yield from _nodes(argument[2], here)
        elif kind is tokens.SUBPATTERN:
            yield from _nodes(argument[3], here)
        elif kind is tokens.BRANCH:
            for number, branch in enumerate(argument[1]):
                yield from _nodes(branch, (*here, number))


def _choices(node: _Node) -> Iterator[tuple[str, Any]]:
    """The ways in which one node can be written otherwise."""
    kind, argument = node
    if kind is tokens.MAX_REPEAT:
        low, high = argument[0], argument[1]
        limits = [low] if high is tokens.MAXREPEAT else [low, high]
        for count in _around(*limits):
            yield f"{count} repetitions of a part", count
    elif kind is tokens.IN:
        for character in _edges(argument):
            yield f"the character {character!a}", character
    elif kind in (tokens.LITERAL, tokens.NOT_LITERAL):
        for character in _near(argument, argument):
            yield f"the character {character!a}", character
        yield "a character missing", ""
    elif kind is tokens.BRANCH:
        for number in range(len(argument[1])):
            yield f"form {number + 1}", number
    elif kind is tokens.ANY:
        yield "a line break", "\n"


def _edges(members: Sequence[_Node]) -> Iterator[str]:
    """First and last member of each range of a class, and their neighbours."""
    for kind, argument in members:
        if kind is tokens.RANGE:
            yield from _near(*argument)
        elif kind is tokens.LITERAL:
            yield from _near(argument, argument)
        elif kind is tokens.CATEGORY:
            yield from _CATEGORIES.get(argument, "")
    yield "\u00e9"
    yield "\u0660"


def _near(first: int, last: int) -> list[str]:
    points = dict.fromkeys((first - 1, first, last, last + 1))
    return [
        chr(point) for point in points if 0 <= point < 0x110000 and not 0xD800 <= point < 0xE000
    ]


def _written(parsed: Sequence[_Node], choices: Mapping[_Path, Any], path: _Path = ()) -> str:
    """A text that the pattern takes, but where ``choices`` say otherwise."""
    return "".join(
        _written_node(kind, argument, choices, (*path, index))
        for index, (kind, argument) in enumerate(parsed)
    )


def _written_node(kind: Any, argument: Any, choices: Mapping[_Path, Any], here: _Path) -> str:
    choice = choices.get(here)
    if kind is tokens.MAX_REPEAT:
        return _repeated(argument, choices, here)
    if kind is tokens.SUBPATTERN:
        return _written(argument[3], choices, here)
    if kind is tokens.BRANCH:
        number = _chosen_branch(choices, here) if choice is None else choice
        return _written(argument[1][number], choices, (*here, number))
    return _plain(kind, argument) if choice is None else str(choice)


def _repeated(argument: Any, choices: Mapping[_Path, Any], here: _Path) -> str:
    low, _, inner = argument
    count: int = choices.get(here, max(low, _is_chosen(choices, here)))
    if count == 0:
        return ""
    # A choice inside is written once, in the last repetition.
    return _written(inner, {}, here) * (count - 1) + _written(inner, choices, here)


def _plain(kind: Any, argument: Any) -> str:
    """One character that a node takes, nothing for what has no width."""
    if kind is tokens.LITERAL:
        return chr(argument)
    if kind is tokens.NOT_LITERAL:
        return "y" if chr(argument) == "x" else "x"
    if kind is tokens.IN:
        return _member(argument)
    return "x" if kind is tokens.ANY else ""


def _is_chosen(choices: Mapping[_Path, Any], here: _Path) -> bool:
    return any(path[: len(here)] == here and path != here for path in choices)


def _chosen_branch(choices: Mapping[_Path, Any], here: _Path) -> int:
    return next((path[len(here)] for path in choices if path[: len(here)] == here != path), 0)


def _member(members: Sequence[_Node]) -> str:
    """A member of a class: 9 where it may be, since numbers that begin with 999 ring nobody."""
    kinds = [kind for kind, _ in members]
    if tokens.NEGATE in kinds:
        return "x"
    for kind, argument in members:
        if kind is tokens.RANGE and argument[0] <= ord("9") <= argument[1]:
            return "9"
    kind, argument = members[0]
    if kind is tokens.CATEGORY:
        return _CATEGORIES[argument][-1]
    return chr(argument[0] if kind is tokens.RANGE else argument)


def _types(schema: Schema) -> Sequence[str]:
    found = schema.get("type", ())
    return [found] if isinstance(found, str) else list(found)


def _branch(contract: Contract, schema: Schema, value: Any) -> Schema:
    """The schema that says what ``value`` is, references and alternatives followed."""
    schema = contract.resolve(schema)
    for alternatives in ("oneOf", "anyOf"):
        for one in schema.get(alternatives, ()):
            branch = contract.resolve(one)
            if not isinstance(value, Mapping) or _is_meant(contract, branch, value):
                return _branch(contract, branch, value)
    return schema


def _is_meant(contract: Contract, branch: Schema, value: Mapping[str, Any]) -> bool:
    """Whether an object has what an alternative requires, and nothing that names another one."""
    if not set(branch.get("required", ())) <= set(value):
        return False
    properties = branch.get("properties", {})
    named = ((name, contract.resolve(properties[name])) for name in value if name in properties)
    return all("enum" not in schema or value[name] in schema["enum"] for name, schema in named)
