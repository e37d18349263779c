"""The site's own styles and scripts, from the files in ``docs/assets`` to how browsers like them.

Styles become one file that carries its hash in its name: one request, and kept for good.
Scripts stay modules, published without their comments and types. A page names all modules that its
scripts import, so that the browser asks for them at once.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

_COMMENT: Final = re.compile(r"/\*.*?\*/\s*", re.DOTALL)
_INDENT: Final = re.compile(r"\n\s*")
_SCRIPT_COMMENT: Final = re.compile(r"/\*\*.*?\*/ ?|^ *// [^\n]*", re.DOTALL | re.MULTILINE)
_BLANK_LINES: Final = re.compile(r"\n(?: *\n)+")
_IMPORT: Final = re.compile(r'^import (?:.+ from )?"(?P<path>\.{1,2}/[\w./-]+\.js)";', re.MULTILINE)


def stylesheet(docs: Path, paths: Sequence[str]) -> tuple[str, str]:
    """One style for those files: its path, such as ``assets/stylesheets/site.5b2c….css``, and text.

    Comments and indents are left out. Raises: `FileNotFoundError` for a file that is not there.
    """
    source = "\n".join((docs / path).read_text(encoding="utf-8") for path in paths)
    text = _INDENT.sub("\n", _COMMENT.sub("", source)).strip() + "\n"
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    return f"{Path(paths[0]).parent.as_posix()}/site.{digest}.css", text


def script(text: str) -> str:
    """The script as browsers get it: its types and comments are for those who read its source.

    A comment behind code stays: only a parser could tell it from a text with two slashes.
    """
    return _BLANK_LINES.sub("\n", _SCRIPT_COMMENT.sub("", text)).strip() + "\n"


def modules(docs: Path, path: str) -> list[str]:
    """The modules that a script imports, and those that these import, without itself."""
    return list(dict.fromkeys(_imported(docs, path, {path})))


def _imported(docs: Path, path: str, seen: set[str]) -> Iterator[str]:
    for match in _IMPORT.finditer((docs / path).read_text(encoding="utf-8")):
        imported = posixpath.normpath(posixpath.join(posixpath.dirname(path), match["path"]))
        if imported not in seen:
            seen.add(imported)
            yield imported
            yield from _imported(docs, imported, seen)
