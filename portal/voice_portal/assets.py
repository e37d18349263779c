"""The site's own styles and scripts, from the files in ``docs/assets`` to how browsers like them.

Styles become one file that carries its hash in its name: one request, and kept for good.
Scripts stay modules; a page names all that they import, so that the browser asks for them at once.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

_COMMENT: Final = re.compile(r"/\*.*?\*/\s*", re.DOTALL)
_INDENT: Final = re.compile(r"\n\s*")
_IMPORT: Final = re.compile(r'^import (?:.+ from )?"\./(?P<name>[\w-]+\.js)";', re.MULTILINE)


def stylesheet(docs: Path, paths: Sequence[str]) -> tuple[str, str]:
    """One style for those files: its path, such as ``assets/stylesheets/site.5b2c….css``, and text.

    Comments and indents are left out. Raises: `FileNotFoundError` for a file that is not there.
    """
    source = "\n".join((docs / path).read_text(encoding="utf-8") for path in paths)
    text = _INDENT.sub("\n", _COMMENT.sub("", source)).strip() + "\n"
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    return f"{Path(paths[0]).parent.as_posix()}/site.{digest}.css", text


def modules(docs: Path, path: str) -> list[str]:
    """The modules that a script imports, and those that these import, without itself."""
    folder = Path(path).parent
    found = dict.fromkeys(_imported(docs / folder, Path(path).name, set()))
    return [f"{folder.as_posix()}/{name}" for name in found]


def _imported(folder: Path, name: str, seen: set[str]) -> Iterator[str]:
    for match in _IMPORT.finditer((folder / name).read_text(encoding="utf-8")):
        imported = match["name"]
        if imported not in seen:
            seen.add(imported)
            yield imported
            yield from _imported(folder, imported, seen)
