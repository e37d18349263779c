"""JSON Pointers (RFC 6901) into YAML files: what one points at, and on which line that stands.

Every file of facts is read here, so that a key that is given twice is rejected in all of them:
PyYAML alone would keep the second and drop the first without a word.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

_SafeLoader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _UniqueKeyLoader(_SafeLoader):  # type: ignore[misc, valid-type]
    """Reads what YAML is safe to read, and no key twice."""

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"The key {key.value} is given twice. Leave one",
                    problem_mark=key.start_mark,
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


class YAMLError(Exception):
    """A file cannot be read; the message names file, line and fix."""


def read_yaml(source: bytes, path: Path) -> Any:
    """The document of a YAML file. Raises: `YAMLError`."""
    try:
        return yaml.load(source, Loader=_UniqueKeyLoader)  # noqa: S506  (a safe loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise YAMLError(f"{path.name}:{line}: {error.problem}.") from error
    except (ValueError, yaml.YAMLError) as error:
        raise YAMLError(f"{path.name} cannot be read: {error}") from error


def at(document: Any, reference: str) -> Any:
    """What a local reference such as ``#/components/schemas/Call`` points at.

    Raises: `KeyError` or `TypeError` where it leads nowhere.
    """
    for token in reference.removeprefix("#/").split("/"):
        document = document[token.replace("~1", "/").replace("~0", "~")]
    return document


def escape_pointer(token: str) -> str:
    """RFC 6901, section 3."""
    return token.replace("~", "~0").replace("/", "~1")


def line_of(path: Path, pointer: str) -> int:
    """The line, counted from 1, of the deepest YAML node that the JSON Pointer reaches."""
    node = yaml.compose(path.read_text(encoding="utf-8"), Loader=_SafeLoader)
    if node is None:
        return 1
    line = node.start_mark.line
    for token in pointer.split("/")[1:]:
        token = token.replace("~1", "/").replace("~0", "~")
        if isinstance(node, yaml.MappingNode):
            found = next((pair for pair in node.value if pair[0].value == token), None)
            if found is None:
                break
            line, node = found[0].start_mark.line, found[1]
        elif isinstance(node, yaml.SequenceNode) and token.isdigit():
            node = node.value[int(token)]
            line = node.start_mark.line
        else:
            break
    return int(line) + 1
