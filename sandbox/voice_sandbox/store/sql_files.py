"""Reads SQL: statements by name from a file, and the migrations of a schema in their order."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from voice_sandbox.store.protocol import StoreError

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


class Migration(NamedTuple):
    """A script that brings a schema from the version before to its own."""

    sql: str
    digest: str
    """Of all that is not comment or space: a database keeps it for each script it has run."""


def migrations(engine: str) -> Sequence[Migration]:
    """The scripts that bring an empty database up to the newest schema, the first one first."""
    paths = sorted((_SQL_FOLDER / f"{engine}_migrations").glob("*.sql"))
    return [migration(path.read_text(encoding="utf-8")) for path in paths]


def migration(sql: str) -> Migration:
    """A script with its digest."""
    words = " ".join(re.sub(r"--.*", "", sql).split())
    return Migration(sql, hashlib.sha256(words.encode()).hexdigest()[:16])


def check_digests(scripts: Sequence[Migration], applied: Mapping[int, str | None]) -> None:
    """Raises `StoreError` where a database has run another script under the same version.

    A database of before digests were kept has none.
    """
    for number, script in enumerate(scripts, 1):
        if applied.get(number) not in (None, script.digest):
            raise StoreError(
                f"its schema {number} was made by another build of the sandbox, which had other "
                "tables under that number; open it with the build that made it"
            )


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
