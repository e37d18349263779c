"""Draws in CONTRIBUTING.md which package of the sandbox imports which, from the code itself.

A row imports the packages that are marked in it. The order is that of import-linter's layers in
pyproject.toml, so a mark never stands left of the diagonal. ``--check`` only looks.
"""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "sandbox" / "voice_sandbox"
PAGE = ROOT / "CONTRIBUTING.md"
BEGIN, END = "<!-- made by make diagram -->\n```text\n", "```\n"


def packages() -> list[str]:
    """Packages and modules at the top of `voice_sandbox`, the highest layer first."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    layers = settings["tool"]["importlinter"]["contracts"][0]["layers"]
    return [name for layer in layers for name in layer.split(" | ")]


def imports(name: str) -> set[str]:
    """The packages that one package imports."""
    files = (
        (PACKAGE / name).rglob("*.py") if (PACKAGE / name).is_dir() else [PACKAGE / f"{name}.py"]
    )
    return {found for file in files for found in _imported(ast.parse(file.read_text("utf-8")))}


def _imported(module: ast.Module) -> Iterator[str]:
    for node in ast.walk(module):
        if isinstance(node, ast.ImportFrom) and node.module:
            package, _, rest = node.module.partition(".")
            if package == PACKAGE.name:
                yield from [rest.split(".")[0]] if rest else [alias.name for alias in node.names]


def diagram() -> str:
    """One row for each package, with a mark in the column of each package that it imports."""
    names = packages()
    width = max(map(len, names))
    lines = [
        " " * (width + 2) + " ".join(f"{letters}" for letters in letters_row)
        for letters_row in zip(*(name.rjust(width) for name in names), strict=True)
    ]
    for row, name in enumerate(names):
        marks = imports(name)
        cells = (
            "■" if column == row else "●" if other in marks else "·"
            for column, other in enumerate(names)
        )
        lines.append(f"{name:{width}}  {' '.join(cells)}")
    return "\n".join(line.rstrip() for line in lines) + "\n"


def page_with_diagram(page: str) -> str:
    """The page with the diagram as the code is now."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + diagram() + END + after


if __name__ == "__main__":
    page = PAGE.read_text("utf-8")
    current = page_with_diagram(page)
    if "--check" in sys.argv and page != current:
        sys.exit("The diagram in CONTRIBUTING.md is not that of the code: run make diagram.")
    PAGE.write_text(current, "utf-8")
