"""Reads SQL: statements by name from a file, and the migrations of a schema in their order."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

_SQL_FOLDER: Final = Path(__file__).with_name("sql")


class Statement(NamedTuple):
    """A statement whose values stand in an order: looking them up by name takes an engine longer.

    A name that an engine without numbered placeholders needs twice is in ``names`` twice.
    """

    sql: str
    names: Sequence[str]

    def ordered(self, values: Mapping[str, Any]) -> list[Any]:
        """The values in the order of their placeholders."""
        return [values[name] for name in self.names]


def statements(
    engine: str, fragments: Mapping[str, str], *, numbered: bool
) -> Mapping[str, Statement]:
    """The statements of ``sqlite.sql`` or another engine's file by their ``-- name:`` lines.

    ``{name}`` stands there for the fragment of that name, and ``:name`` for a value. The value's
    placeholder is ``$1``, or ``?`` where they are not ``numbered``: Python 3.12.0 to 3.12.3 warn
    of SQLite's numbered placeholders (https://github.com/python/cpython/issues/117995).
    """
    text = (_SQL_FOLDER / f"{engine}.sql").read_text(encoding="utf-8")
    text = re.sub(r"\{(\w+)\}", lambda match: fragments[match[1]], text)
    parts = re.split(r"^-- name: (\w+)$", text, flags=re.MULTILINE)
    return {
        name: _statement(sql, numbered=numbered)
        for name, sql in zip(parts[1::2], parts[2::2], strict=True)
    }


def migrations(engine: str) -> Sequence[str]:
    """The scripts that bring an empty database up to the newest schema, the first one first."""
    paths = sorted((_SQL_FOLDER / f"{engine}_migrations").glob("*.sql"))
    return [path.read_text(encoding="utf-8") for path in paths]


def _statement(sql: str, *, numbered: bool) -> Statement:
    names: list[str] = []

    def placeholder(match: re.Match[str]) -> str:
        name = match[1]
        if not numbered:
            names.append(name)
            return "?"
        if name not in names:
            names.append(name)
        return f"${names.index(name) + 1}"

    without_comments = re.sub(r"^--.*\n", "", sql, flags=re.MULTILINE)
    return Statement(re.sub(r"(?<![:\w]):([a-z_]+)", placeholder, without_comments), names)
