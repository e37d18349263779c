"""The generator of values at the limits of a schema."""

import re

import pytest

from read_once import contracts
from voice_sandbox.contract.model import Contract
from voice_sandbox.contract.validation import Validator
from voice_sandbox.verification.boundary_values import pattern_texts, texts, variants

BODIES = [
    (contract, operation.operation_id)
    for contract in contracts()
    for operation in contract.operations.values()
    if operation.body is not None
]
PATTERNS = [
    r"^\+[1-9][0-9]{7,14}$",
    r"^[^\u0000]*$",
    r"^[A-Za-z0-9][A-Za-z0-9_.:-]*$",
    r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$",
    r"^[1-5]([0-9]{2}|xx)$",
    r"^[a-z]{2,3}(-[A-Z]{2})?$",
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,6})?Z$",
]


@pytest.mark.parametrize(("contract", "operation_id"), BODIES, ids=lambda one: str(one)[:20])
def test_both_sides_of_every_field_are_generated(contract: Contract, operation_id: str) -> None:
    """Each member of each body has a value that the contract takes, and one that it rejects."""
    body = contract.operations[operation_id].body
    assert body is not None
    validator = Validator(contract, body.schema)
    for example in body.examples.values():
        for name in example.value:
            changed = [
                value
                for _, value in variants(contract, body.schema, example.value)
                if isinstance(value, dict)
                and value.get(name) != example.value[name]
                and all(
                    value.get(other) == kept
                    for other, kept in example.value.items()
                    if other != name
                )
            ]
            taken = [value for value in changed if validator.is_valid(value)]
            assert len(changed) > len(taken), name
            schema = contract.resolve(
                contract.resolve(body.schema).get("properties", {}).get(name, {})
            )
            if len(schema.get("enum", (1, 2))) > 1:
                assert taken, name


@pytest.mark.parametrize("pattern", PATTERNS)
def test_pattern_has_texts_on_both_sides(pattern: str) -> None:
    """What is called plain fits the pattern, and something close to it does not."""
    found = dict(pattern_texts(pattern))
    assert re.search(pattern, found["a plain text"])
    assert any(not re.fullmatch(pattern.rstrip("$"), text) for text in found.values())
    assert sum(bool(re.search(pattern, text)) for text in found.values()) > 1


def test_repetitions_are_at_their_limits() -> None:
    """A part that stands 7 to 14 times is written 6, 7, 14 and 15 times."""
    lengths = {len(text) for _, text in pattern_texts(r"^\+[1-9][0-9]{7,14}$")}
    assert {8, 9, 16, 17} <= lengths


def test_lengths_are_at_their_limits() -> None:
    """A text of 3 to 5 characters is tried with 2 to 6, in characters of one to four bytes."""
    found = [text for _, text in texts({"type": "string", "minLength": 3, "maxLength": 5}, [])]
    assert {(len(text), text[:1]) for text in found} >= {
        (length, character) for length in (2, 3, 5, 6) for character in ("x", "é", "🙂")
    }
