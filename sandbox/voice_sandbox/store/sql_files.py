"""Reads SQL: statements by name from a file, and the migrations of a schema in their order."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

_SQL_FOLDER: Final = Path(__file__).with_name("sql")


class Statement(NamedTuple):
    """A statement with numbers for its values: to find them by name takes an engine longer."""

    sql: str
    names: Sequence[str]
    """Of the values, the one with number 1 first."""

    def numbered(self, values: Mapping[str, Any]) -> list[Any]:
        """The values in the order of their numbers."""
        return [values[name] for name in self.names]


def statements(engine: str, *, sign: str) -> Mapping[str, Statement]:
    """The statements of ``sqlite.sql`` or another engine's file by their ``-- name:`` lines.

    A value is ``:name`` there, and ``sign`` with a number in the statement.
    """
    text = (_SQL_FOLDER / f"{engine}.sql").read_text(encoding="utf-8")
    parts = re.split(r"^-- name: (\w+)$", text, flags=re.MULTILINE)
    return {name: _statement(sql, sign) for name, sql in zip(parts[1::2], parts[2::2], strict=True)}


def migrations(engine: str) -> Sequence[str]:
    """The scripts that bring an empty database up to the newest schema, the first one first."""
    paths = sorted((_SQL_FOLDER / f"{engine}_migrations").glob("*.sql"))
    return [path.read_text(encoding="utf-8") for path in paths]


def _statement(sql: str, sign: str) -> Statement:
    names: list[str] = []

    def number(match: re.Match[str]) -> str:
        if match[1] not in names:
            names.append(match[1])
        return f"{sign}{names.index(match[1]) + 1}"

    return Statement(re.sub(r"(?<![:\w]):([a-z_]+)", number, sql), names)
