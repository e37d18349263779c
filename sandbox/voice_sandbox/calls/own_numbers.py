"""Numbers of one's own from a file: what calls to a number play, for every key.

A file such as

    '+996700000001': { scenario: busy }
    default: { ringing: 1, completions: [{ after: 20, status: no_answer, transcript: null }] }

binds what ``bindNumber`` binds for one key. Typed and closed: a wrong number, an unknown scenario
or an impossible time line is an error with the file, the line and the fix.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
import orjson

from voice_sandbox.calls.scenarios import OutcomeError, ScenarioError, Scenarios, read_outcome
from voice_sandbox.contract.catalogue import Catalogue
from voice_sandbox.contract.pointers import YAMLError, escape_pointer, line_of, read_yaml

DEFAULT_NUMBER: Final = "default"
"""Stands for every number that has no scenario."""

_NUMBER: Final = re.compile(r"\+[1-9][0-9]{7,14}|default")
_NUMBERS_LIMIT: Final = 1000


class OwnNumber(msgspec.Struct, frozen=True):
    """What calls to a number play: a scenario by its name, or else an outcome as JSON."""

    scenario: str | None
    outcome: str | None


def read_numbers(path: Path) -> Mapping[str, Any]:
    """The bodies of ``bindNumber`` by number, as the file has them. Raises: `ScenarioError`."""
    try:
        document = read_yaml(path.read_bytes(), path)
    except YAMLError as error:
        raise ScenarioError(str(error)) from error
    except OSError as error:
        raise ScenarioError(f"The numbers {path} cannot be read: {error.strerror}.") from error
    if not isinstance(document, dict) or not document:
        raise ScenarioError(
            f"{path.name}:1: A mapping of numbers was expected, such as "
            "'+996700000001': { scenario: busy }."
        )
    if len(document) > _NUMBERS_LIMIT:
        raise ScenarioError(f"{path.name} has more than {_NUMBERS_LIMIT} numbers. Leave some out.")
    for number in document:
        if not isinstance(number, str) or not _NUMBER.fullmatch(number):
            # YAML reads a number without quotes as an integer, and drops its plus sign.
            key = number if isinstance(number, str) else f"+{number}"
            line = line_of(path, f"/{escape_pointer(key)}")
            raise ScenarioError(
                f"{path.name}:{line}: {number!r} is no number. Write a plus sign and 8 to 15 "
                "digits in quotes, such as '+996700000001', or default."
            )
    return document


def load_numbers(path: Path, *, catalogue: Catalogue, scenarios: Scenarios) -> dict[str, OwnNumber]:
    """What calls to each number of the file play. Raises: `ScenarioError`."""
    document = read_numbers(path)
    try:
        return {
            number: _own_number(node, f"/{escape_pointer(number)}", catalogue, scenarios)
            for number, node in document.items()
        }
    except OutcomeError as error:
        line = line_of(path, error.pointer)
        raise ScenarioError(f"{path.name}:{line}: {error.message}") from error


def _own_number(node: Any, pointer: str, catalogue: Catalogue, scenarios: Scenarios) -> OwnNumber:
    if not isinstance(node, dict):
        raise OutcomeError(pointer, "A mapping was expected here, such as { scenario: busy }.")
    if "scenario" not in node:
        try:
            read_outcome(node, catalogue)
        except OutcomeError as error:
            raise OutcomeError(pointer + error.pointer, error.message) from error
        return OwnNumber(None, orjson.dumps(node).decode())
    if len(node) > 1:
        raise OutcomeError(pointer, "Give either a scenario or an outcome. Remove one of them.")
    if not isinstance(node["scenario"], str) or node["scenario"] not in scenarios.by_name:
        names = ", ".join(scenarios.by_name)
        raise OutcomeError(
            f"{pointer}/scenario", f"There is no such scenario. This must be one of: {names}."
        )
    return OwnNumber(node["scenario"], None)
