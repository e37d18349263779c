"""The site's own styles and scripts, from the files in ``docs/assets`` to how browsers like them.

Styles become one file that carries its hash in its name: one request, and kept for good.
Scripts are published without their comments and types.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

THEME_FILES: Final = ("assets/stylesheets/*.min.css", "assets/javascripts/bundle.*.min.js")
"""What of the theme knows from which width on the navigation stands beside the text."""
_WIDTHS: Final = {"76.25em": "60em", "76.234375em": "59.984375em"}
_LATIN_FONTS: Final = "assets/fonts/*-latin.*.woff2"
_COMMENT: Final = re.compile(r"/\*.*?\*/\s*", re.DOTALL)
_INDENT: Final = re.compile(r"\n\s*")
_SCRIPT_COMMENT: Final = re.compile(r"/\*\*.*?\*/ ?|^ *// [^\n]*", re.DOTALL | re.MULTILINE)
_BLANK_LINES: Final = re.compile(r"\n(?: *\n)+")


def stylesheet(docs: Path, paths: Sequence[str]) -> tuple[str, str]:
    """One style for those files: its path, such as ``assets/stylesheets/site.5b2c….css``, and text.

    Comments and indents are left out. Raises: `FileNotFoundError` for a file that is not there.
    """
    source = "\n".join((docs / path).read_text(encoding="utf-8") for path in paths)
    text = _INDENT.sub("\n", _COMMENT.sub("", source)).strip() + "\n"
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    return f"{Path(paths[0]).parent.as_posix()}/site.{digest}.css", text


def first_fonts(docs: Path) -> list[str]:
    """The fonts that every page needs: the Latin parts."""
    return [path.relative_to(docs).as_posix() for path in sorted(docs.glob(_LATIN_FONTS))]


def with_earlier_navigation(text: str) -> str:
    """A file of the theme with the navigation beside the text from 960 pixels on, not from 1220."""
    for late, early in _WIDTHS.items():
        text = text.replace(late, early)
    return text


def script(text: str) -> str:
    """The script as browsers get it: its types and comments are for those who read its source.

    A comment behind code stays: only a parser could tell it from a text with two slashes.
    """
    return _BLANK_LINES.sub("\n", _SCRIPT_COMMENT.sub("", text)).strip() + "\n"
