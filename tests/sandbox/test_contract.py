"""The reading of contracts: a closed world, and examples that keep their own schemas."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from voice_sandbox.contract import reader as room
from voice_sandbox.contract.model import Contract, ContractError, Operation, Schema
from voice_sandbox.contract.pointers import escape_pointer, line_of
from voice_sandbox.contract.problems import MEDIA_TYPE, PROBLEMS, documented_codes
from voice_sandbox.contract.reader import find_contract, load_contract
from voice_sandbox.contract.validation import Validator

from .conftest import CONTRACT, CONTROL

BOTH = pytest.mark.parametrize("both", [CONTRACT, CONTROL], ids=["openapi", "control"])
PATH_LEVEL = {"not_found", "method_not_allowed", "internal_error"}


# Reading


MISTAKES: Mapping[str, tuple[str, str, str]] = {
    # what is wrong: (what the contract says, what it says instead, what the sentence names)
    "unknown keyword of the root": ("\ntags:\n", "\nwebhooks: {}\ntags:\n", "webhooks"),
    "unknown keyword of an operation": (
        "operationId: listAgents",
        "deprecated: true\n      operationId: listAgents",
        "deprecated",
    ),
    "unknown method": ("    post:\n", "    trace:\n", "trace"),
    "unknown keyword of a parameter": ("required: false", "explode: true", "explode"),
    "unknown keyword of a schema": ("maxItems: 100", "maxItmes: 100", "maxItmes"),
    "keyword of JSON Schema that nobody enforces": (
        "uniqueItems: true",
        "contains: {}",
        "contains",
    ),
    "missing keyword of an operation": ("      summary: List agents\n", "", "summary"),
    "key given twice": ("summary: List agents", "tags: [Agents]", "tags is given twice"),
    "missing examples": ("            examples:\n", "            x-gone:\n", "x-gone"),
    "reference that leads nowhere": (
        "'#/components/schemas/NewCall'",
        "'#/components/schemas/NoCall'",
        "NoCall",
    ),
    "reference to another file": (
        "'#/components/parameters/CallId'",
        "'other.yaml#/components/parameters/CallId'",
        "other.yaml",
    ),
    "reference beside other keywords": (
        "- $ref: '#/components/parameters/CallId'",
        "- { $ref: '#/components/parameters/CallId', name: x }",
        "$ref",
    ),
    "path parameter that is not declared": ("/v1/calls/{call_id}:", "/v1/calls/{id}:", "{id}"),
    "parameter in a cookie": ("in: header", "in: cookie", "cookie"),
    "another OpenAPI": ("openapi: 3.1.0", "openapi: 3.0.3", "3.1"),
    "body that may be left out": (
        "required: true\n        description: Whom",
        "required: false\n        description: Whom",
        "may be left out",
    ),
    "link to no operation": (
        "operationId: getCall\n              desc",
        "operationId: seeCall\n              desc",
        "seeCall",
    ),
    "link that fills what is not taken": (
        "parameters: { call_id: $response",
        "parameters: { id: $response",
        "id",
    ),
    "operationId that stands twice": ("operationId: listAgents", "operationId: getCall", "getCall"),
    "range of statuses": ("'401': {", "'4XX': {", "4XX"),
    "no success": ("'201':", "'301':", "success"),
}


@pytest.mark.parametrize(("old", "new", "named"), MISTAKES.values(), ids=MISTAKES.keys())
def test_mistake_stops_the_reading(
    changed_contract: Callable[..., Path], old: str, new: str, named: str
) -> None:
    """What the reader does not understand stops it, with a sentence that names it."""
    path = changed_contract((old, new))
    with pytest.raises(ContractError) as rejected:
        load_contract(path)
    assert named in str(rejected.value)
    assert str(rejected.value).startswith("openapi.yaml")


@pytest.mark.parametrize(
    "name",
    [name for name in MISTAKES if "unknown" in name or "missing" in name or "nowhere" in name],
)
def test_mistake_is_found_by_its_line(changed_contract: Callable[..., Path], name: str) -> None:
    """The sentence names the line of the mistake, or of what holds it."""
    old, new, _ = MISTAKES[name]
    path = changed_contract((old, new))
    with pytest.raises(ContractError) as rejected:
        load_contract(path)
    line = int(str(rejected.value).split(":")[1])
    changed = [
        number
        for number, (before, after) in enumerate(
            zip(
                find_contract().read_text().splitlines(),
                path.read_text().splitlines(),
                strict=False,
            ),
            start=1,
        )
        if before != after
    ]
    assert changed[0] - 10 <= line <= changed[0] + 1


@pytest.mark.parametrize("name", [name for name in MISTAKES if "unknown keyword" in name])
def test_unknown_keyword_comes_with_the_fix(
    changed_contract: Callable[..., Path], name: str
) -> None:
    """Whoever adds a keyword learns what to do about it."""
    old, new, _ = MISTAKES[name]
    with pytest.raises(ContractError, match="Remove it, or "):
        load_contract(changed_contract((old, new)))


@pytest.mark.parametrize(
    "text",
    ["", "[]", "just words", "a: [1", "\x00", "openapi: 3.1.0"],
    ids=["empty", "list", "words", "broken", "nul", "alone"],
)
def test_what_is_no_contract_stops_the_reading(tmp_path: Path, text: str) -> None:
    """Any other file is rejected by name, without a traceback."""
    path = tmp_path / "other.yaml"
    path.write_text(text)
    with pytest.raises(ContractError, match=r"other\.yaml"):
        load_contract(path)


def test_missing_file_stops_the_reading(tmp_path: Path) -> None:
    """A contract that does not exist is named."""
    with pytest.raises(ContractError, match=r"gone\.yaml"):
        load_contract(tmp_path / "gone.yaml")


def test_line_of_finds_the_deepest_node(tmp_path: Path) -> None:
    """A JSON Pointer leads to the line of its node, or of the nearest one above."""
    path = tmp_path / "a.yaml"
    path.write_text("a:\n  b/c:\n    - x\n    - y: 1\n")
    pointers = ["", "/a", "/a/b~1c", "/a/b~1c/1/y", "/a/gone/deep"]
    assert [line_of(path, pointer) for pointer in pointers] == [1, 1, 2, 4, 1]


def test_operations_are_the_documented_ones(contract: Contract) -> None:
    """Every operation of the file is read, in its order, and no other."""
    document = yaml.safe_load(contract.path.read_text("utf-8"))
    assert list(contract.operations) == [
        operation["operationId"]
        for path in document["paths"].values()
        for method, operation in path.items()
        if method in ("get", "post", "put", "patch", "delete")
    ]


def test_operations_are_frozen(contract: Contract) -> None:
    """Nobody changes the contract while the program runs."""
    with pytest.raises(AttributeError):
        contract.operations["getCall"].method = "POST"  # type: ignore[misc]


def test_borrowed_components_come_from_the_other_contract(
    contract: Contract, control_contract: Contract
) -> None:
    """The control contract repeats no schema of the service's: it borrows it."""
    assert control_contract.schema("CallId") == contract.schema("CallId")


def test_unknown_schema_is_named(contract: Contract) -> None:
    """Code that asks for a schema that is not there learns its name."""
    with pytest.raises(ContractError, match="NoSuch"):
        contract.schema("NoSuch")


@BOTH
def test_every_operation_has_one_success(both: Contract) -> None:
    """There is exactly one way for an operation to succeed."""
    for operation in both.operations.values():
        assert len([status for status in operation.responses if status < 300]) == 1


# Every keyword is enforced


ENFORCED: Mapping[str, tuple[Schema, Any]] = {
    # keyword: (a schema with it, a value that it rejects)
    "$ref": ({"$ref": "#/components/schemas/CallId"}, 1),
    "type": ({"type": "string"}, 1),
    "enum": ({"enum": ["a"]}, "b"),
    "const": ({"const": 0}, 1),
    "format": ({"format": "uuid"}, "x"),
    "pattern": ({"pattern": "^a$"}, "a\n"),
    "minLength": ({"minLength": 2}, "\U0001f642"),
    "maxLength": ({"maxLength": 1}, "ab"),
    "minimum": ({"minimum": 0}, -1),
    "maximum": ({"maximum": 0}, 1),
    "exclusiveMinimum": ({"exclusiveMinimum": 0}, 0),
    "properties": ({"properties": {"a": {"type": "null"}}}, {"a": 1}),
    "required": ({"required": ["a"], "properties": {"a": {}}}, {}),
    "additionalProperties": ({"additionalProperties": False, "properties": {}}, {"a": 1}),
    "items": ({"items": {"type": "null"}}, [1]),
    "minItems": ({"minItems": 1}, []),
    "maxItems": ({"maxItems": 0}, [1]),
    "uniqueItems": ({"uniqueItems": True}, [1, 1]),
    "allOf": ({"allOf": [{"type": "null"}]}, 1),
    "x-allOf": ({"x-allOf": [{"type": "null"}]}, 1),
    "anyOf": ({"anyOf": [{"type": "null"}, {"const": 2}]}, 1),
    "oneOf": ({"oneOf": [{"type": "null"}, {"const": None}]}, None),
    "if": ({"if": {"const": 1}, "then": {"const": 2}}, 1),
    "then": ({"if": {"const": 1}, "then": {"const": 2}}, 1),
    "else": ({"if": {"const": 1}, "else": {"const": 2}}, 3),
}
ANNOTATIONS = {
    *("title", "description", "examples", "discriminator"),
    *("x-enumDescriptions", "x-normalized-status"),
}


def test_every_understood_keyword_is_enforced_or_an_annotation() -> None:
    """No keyword is understood by name alone."""
    assert set(ENFORCED) | ANNOTATIONS == room._SCHEMA_KEYWORDS


@pytest.mark.parametrize("keyword", ENFORCED)
def test_keyword_is_enforced(contract: Contract, keyword: str) -> None:
    """A value that the keyword forbids is rejected."""
    schema, value = ENFORCED[keyword]
    assert not Validator(contract, schema).is_valid(value)


@pytest.mark.parametrize(
    ("form", "wrong"),
    [
        ("uuid", "01890a5d-ac96-774b-bcce"),
        ("date-time", "2026-13-24T09:30:00Z"),
        ("uri-reference", "a b"),
        ("json-pointer", "no-slash"),
        ("json-pointer", "/a~2"),
    ],
)
def test_every_format_is_enforced(contract: Contract, form: str, wrong: str) -> None:
    """A format is a rule here, not a remark."""
    assert not Validator(contract, {"type": "string", "format": form}).is_valid(wrong)


@BOTH
def test_no_other_format_is_used(both: Contract) -> None:
    """Every format that the contracts use is one that a test has seen enforced."""
    found = {node["format"] for node in _schemas(both) if "format" in node}
    assert found <= {"uuid", "date-time", "uri-reference", "json-pointer"}


@BOTH
def test_every_pattern_is_anchored(both: Contract) -> None:
    """A pattern speaks about the whole text, and of ASCII digits only."""
    patterns = [node["pattern"] for node in _schemas(both) if "pattern" in node]
    assert patterns
    assert [p for p in patterns if not (p[0] == "^" and p[-1] == "$") or r"\d" in p] == []


def test_every_object_is_closed(contract: Contract) -> None:
    """No object of the service takes a field that it does not name."""
    objects = [schema for schema in _schemas(contract) if schema.get("type") == "object"]
    assert [schema for schema in objects if schema["additionalProperties"] is not False] == []


def test_only_a_request_has_optional_fields(contract: Contract) -> None:
    """A client finds every field that a response may have."""
    bodies = [operation.body for operation in contract.operations.values()]
    requests = [contract.resolve(body.schema) for body in bodies if body is not None]
    optional = [
        set(schema["properties"]) - set(schema["required"])
        for schema in _schemas(contract)
        if schema.get("type") == "object" and schema not in requests
    ]
    assert [names for names in optional if names] == []


def _schemas(contract: Contract) -> list[Schema]:
    """Every schema object anywhere in the document's components."""
    found: list[Schema] = []

    def walk(node: Any) -> None:
        if isinstance(node, dict):
            found.append(node)
            for keyword, inner in node.items():
                if keyword != "examples":
                    walk(list(inner.values()) if keyword == "properties" else inner)
        elif isinstance(node, list):
            for inner in node:
                walk(inner)

    walk(list(contract.components["schemas"].values()))
    return found


# Examples keep their own schemas


def _examples() -> list[Any]:
    """Every example of both contracts, beside the schema that it shows."""
    found = []
    for contract in (CONTRACT, CONTROL):
        for operation in contract.operations.values():
            found += _examples_of(contract, operation)
        for name, schema in contract.components["schemas"].items():
            for pointer, holder in _with_examples(schema, name):
                found += [
                    pytest.param(contract, holder, value, id=f"{contract.path.stem}-{pointer}-{i}")
                    for i, value in enumerate(holder["examples"])
                ]
    return found


def _examples_of(contract: Contract, operation: Operation) -> list[Any]:
    where = f"{contract.path.stem}-{operation.operation_id}"
    found = [
        pytest.param(contract, p.schema, p.example, id=f"{where}-{p.name}")
        for p in operation.parameters
    ]
    if operation.body:
        found += [
            pytest.param(contract, operation.body.schema, e.value, id=f"{where}-{e.name}")
            for e in operation.body.examples.values()
        ]
    for status, response in operation.responses.items():
        found += [
            pytest.param(contract, h.schema, h.example, id=f"{where}-{status}-{h.name}")
            for h in response.headers.values()
        ]
        if response.schema is not None:
            found += [
                pytest.param(contract, response.schema, e.value, id=f"{where}-{status}-{e.name}")
                for e in response.examples.values()
            ]
    return found


def _with_examples(schema: Any, pointer: str) -> list[tuple[str, Schema]]:
    if not isinstance(schema, dict):
        return []
    found: list[tuple[str, Schema]] = []
    found += [(pointer, schema)] if isinstance(schema.get("examples"), list) else []
    for name, inner in schema.get("properties", {}).items():
        found += _with_examples(inner, f"{pointer}/{name}")
    return found + _with_examples(schema.get("items"), f"{pointer}/items")


@pytest.mark.parametrize(("owner", "schema", "value"), _examples())
def test_example_keeps_its_schema(owner: Contract, schema: Schema, value: Any) -> None:
    """What the contract shows is what the contract allows."""
    assert Validator(owner, schema).errors(value) == []


@BOTH
def test_every_request_and_response_has_an_example(both: Contract) -> None:
    """Cards, snippets and tests find an example wherever there is a body."""
    for operation in both.operations.values():
        assert operation.body is None or operation.body.examples
        for response in operation.responses.values():
            assert response.schema is None or response.examples


@BOTH
def test_links_fill_what_the_target_takes(both: Contract) -> None:
    """A body that a link makes fits its target, once the response's values are in it."""
    for operation in both.operations.values():
        for link in operation.success.links.values():
            target = both.operations[link.operation_id]
            if link.body is not None:
                assert target.body is not None
                shown = next(iter(operation.success.examples.values())).value
                body = {key: _followed(value, shown) for key, value in link.body.items()}
                assert Validator(both, target.body.schema).errors(body) == []


def _followed(value: Any, response: Any) -> Any:
    """A runtime expression such as `$response.body#/agents/0/key`, or the plain value."""
    if not (isinstance(value, str) and value.startswith("$response.body#/")):
        return value
    for token in value.partition("#/")[2].split("/"):
        response = response[int(token) if isinstance(response, list) else token]
    return response


# Problems


def _problem_examples(contract: Contract) -> list[tuple[int, Any]]:
    return [
        (response.status, example.value)
        for operation in contract.operations.values()
        for response in operation.responses.values()
        if response.media_type == MEDIA_TYPE
        for example in response.examples.values()
    ]


@BOTH
def test_problem_examples_say_what_the_table_says(both: Contract) -> None:
    """Type, title and status of every documented problem are those that are sent."""
    for status, shown in _problem_examples(both):
        problem = PROBLEMS[shown["code"]]
        assert (shown["type"], shown["title"], shown["status"], status) == (
            problem.type,
            problem.title,
            problem.status,
            problem.status,
        )


@BOTH
def test_every_documented_code_has_an_example(both: Contract) -> None:
    """A problem response shows each code that it may carry, under that code as its name."""
    for operation in both.operations.values():
        for response in operation.responses.values():
            if response.media_type == MEDIA_TYPE:
                assert list(response.examples) == list(documented_codes(response)) != []


@BOTH
def test_problems_are_flat(both: Contract) -> None:
    """Generators make one class of each problem: a closed object without branches."""
    for operation in both.operations.values():
        for response in operation.responses.values():
            if response.media_type == MEDIA_TYPE:
                assert response.schema is not None
                schema = both.resolve(response.schema)
                assert not {"allOf", "anyOf", "oneOf", "if"} & set(schema)
                assert schema["type"] == "object"
                assert schema["additionalProperties"] is False


@pytest.mark.parametrize("code", PROBLEMS)
def test_every_problem_is_documented(code: str) -> None:
    """Table and contracts list the same codes, but for those that belong to no operation."""
    documented = {
        shown["code"] for both in (CONTRACT, CONTROL) for _, shown in _problem_examples(both)
    }
    assert (code in documented) != (code in PATH_LEVEL)


# Sizes


@BOTH
def test_body_limit_lies_above_the_largest_body(both: Contract) -> None:
    """No body that the schema allows is too large, however it is escaped."""
    for operation in both.operations.values():
        if operation.body:
            largest = _largest(both, operation.body.schema)
            assert largest < operation.body.max_bytes


@BOTH
def test_body_limit_is_no_invitation(both: Contract) -> None:
    """No operation reads much more than the largest body that its schema allows."""
    for operation in both.operations.values():
        if operation.body:
            largest = _largest(both, operation.body.schema)
            assert operation.body.max_bytes <= max(16 * 1024, 1.1 * largest)


@BOTH
def test_example_of_a_large_body_names_the_limit(both: Contract) -> None:
    """The documented problem says the limit of the operation that it is documented for."""
    for operation in both.operations.values():
        if operation.body:
            [example] = operation.responses[413].examples.values()
            assert f" {operation.body.max_bytes} bytes" in example.value["detail"]


def _largest(contract: Contract, schema: Schema) -> int:
    """Bytes of the longest JSON text: an astral character takes twelve."""
    schema = contract.resolve(schema)
    for alternatives in ("anyOf", "oneOf"):
        if alternatives in schema:
            return max(_largest(contract, branch) for branch in schema[alternatives])
    if "enum" in schema:
        return max(12 * len(json.dumps(value)) for value in schema["enum"])
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    sizes = {"null": 4, "boolean": 5, "integer": 32, "number": 32}
    if "array" in kinds:
        sizes["array"] = 2 + schema["maxItems"] * (1 + _largest(contract, schema["items"]))
    for kind in kinds:
        if kind == "string":
            length = schema.get("maxLength", 64)
            sizes["string"] = 2 + 12 * length
        if kind == "object":
            sizes["object"] = 2 + sum(
                12 * len(name) + 4 + _largest(contract, inner)
                for name, inner in schema["properties"].items()
            )
    return max(sizes[kind] for kind in kinds)


def test_pointer_escapes() -> None:
    """A name with tilde and slash is one token of a JSON Pointer (RFC 6901, section 3)."""
    assert escape_pointer("a~/b") == "a~0~1b"


BOUNDS = [
    ({"maxLength": 65536}, "a" * 65537, "This has 65,537 characters, but at most 65,536 are"),
    ({"maxLength": 1}, "👋🏽", "This has 2 characters, but at most 1 are allowed."),
    ({"minLength": 2}, "a", "This has 1 character, but at least 2 must be there."),
    ({"maxItems": 1}, [1, 2], "This has 2 items, but at most 1 are allowed."),
    ({"minItems": 1}, [], "This has 0 items, but at least 1 must be there."),
    ({"maxProperties": 1}, {"a": 1, "b": 2}, "This has 2 fields, but at most 1 are allowed."),
    ({"maximum": 86400}, 86401, "This must be at most 86,400."),
    ({"exclusiveMaximum": 3}, 3, "This must be less than 3."),
    ({"minimum": 0}, -1, "This must be at least 0."),
    ({"exclusiveMinimum": 0.5}, 0.5, "This must be more than 0.5."),
]


@pytest.mark.parametrize(("schema", "value", "sentence"), BOUNDS)
def test_broken_bound_is_named(
    contract: Contract, schema: dict[str, Any], value: Any, sentence: str
) -> None:
    """Who is over a bound is told the bound, how far it is off, and what the field is."""
    [error] = Validator(contract, {**schema, "description": "A field."}).errors(value)
    assert error.detail.startswith(sentence)
    assert error.detail.endswith(" A field.")
