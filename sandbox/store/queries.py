"""Reads SQL: statements by name from a file, and the migrations of a schema in their order."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

_SQL_FOLDER: Final = Path(__file__).with_name("sql")


def named_queries(engine: str) -> Mapping[str, str]:
    """The statements of ``sqlite.sql`` or another engine's file by their ``-- name:`` lines."""
    text = (_SQL_FOLDER / f"{engine}.sql").read_text(encoding="utf-8")
    parts = re.split(r"^-- name: (\w+)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def migrations(engine: str) -> Sequence[str]:
    """The scripts that bring an empty database up to the newest schema, the first one first."""
    paths = sorted((_SQL_FOLDER / f"{engine}_migrations").glob("*.sql"))
    return [path.read_text(encoding="utf-8") for path in paths]
