"""The portal's scripts as browsers get them: one file for all pages, and one for the inspector.

The sources are ES modules that import by name at the start of a line, and export declarations. In a
bundle each is a function that returns what it exports, after those that it imports. So a page asks
for one script in the place of thirty.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Final

FOLDER: Final = "assets/javascripts"
_IMPORT: Final = re.compile(
    r'^import (?P<names>\{[^}]+\}|\* as \w+) from "(?P<path>\.{1,2}/[\w./-]+\.js)";$', re.MULTILINE
)
_OTHER_IMPORT: Final = re.compile(r"^import\b.*$", re.MULTILINE)
_LATER: Final = re.compile(r'\bawait import\("(?P<path>\.{1,2}/[\w./-]+\.js)"\)')
_EXPORT: Final = re.compile(
    r"^export (?P<declaration>(?:async )?(?:function\*?|class|const)) (?P<name>\w+)", re.MULTILINE
)
_OTHER_EXPORT: Final = re.compile(r"^export\b(?! (?:async )?(?:function|class|const)\b).*$", re.M)


class BundleError(Exception):
    """A script cannot be bundled; the message names it, and says how to write it."""


class Bundle:
    """Modules of ``docs``, those that others import first.

    ``parts`` are the paths of its entries. Modules of ``shared`` are taken from that bundle.
    """

    def __init__(
        self, docs: Path, name: str, parts: Iterable[str], *, shared: Bundle | None = None
    ) -> None:
        """Raises: `BundleError`, `FileNotFoundError`."""
        self.path = f"{FOLDER}/{name}"
        self._docs = docs
        self._shared = shared
        self._texts: dict[str, str] = {}
        self.later: list[str] = []
        """Modules that are imported when they are needed: entries of another bundle."""
        for part in parts:
            self._add(part, ())

    @property
    def modules(self) -> Collection[str]:
        """The paths of its modules."""
        return self._texts.keys()

    def text(self, later: dict[str, str]) -> str:
        """The script. ``later`` is the bundle of each module that is imported when needed."""
        known = self._shared.modules if self._shared else ()
        head = ""
        if self._shared:
            place = _relative(self.path, self._shared.path)
            head = f'import {{ modules as shared }} from "{place}";\n'
        bodies = (self._module(path, text, known, later) for path, text in self._texts.items())
        return f"{head}export const modules = {{}};\n{''.join(bodies)}"

    def _add(self, path: str, importing: tuple[str, ...]) -> None:
        if path in importing:
            raise BundleError(f"{path} imports itself, by {' and '.join(importing)}.")
        if path in self._texts or (self._shared and path in self._shared.modules):
            return
        text = (self._docs / path).read_text(encoding="utf-8")
        for imported in _IMPORT.finditer(text):
            self._add(_absolute(path, imported["path"]), (*importing, path))
        for line in (*_OTHER_IMPORT.findall(_IMPORT.sub("", text)), *_OTHER_EXPORT.findall(text)):
            raise BundleError(
                f'{path}: `{line}` cannot be bundled. Write `import {{ … }} from "./….js";` in '
                "one line, and `export` before a function, a class or a const."
            )
        self.later += [_absolute(path, found["path"]) for found in _LATER.finditer(text)]
        self._texts[path] = text

    def _module(self, path: str, text: str, known: Collection[str], later: dict[str, str]) -> str:
        def taken(found: re.Match[str]) -> str:
            imported = _absolute(path, found["path"])
            source = "shared" if imported in known else "modules"
            names = found["names"].removeprefix("* as ")
            return f'const {names.replace(" as ", ": ")} = {source}["{imported}"];'

        def when_needed(found: re.Match[str]) -> str:
            imported = _absolute(path, found["path"])
            bundle = _relative(self.path, later[imported])
            return f'(await import("{bundle}")).modules["{imported}"]'

        exports = ", ".join(found["name"] for found in _EXPORT.finditer(text))
        text = _LATER.sub(when_needed, _IMPORT.sub(taken, text))
        text = _EXPORT.sub(r"\g<declaration> \g<name>", text)
        place = f'new URL("{_relative(self.path, path)}", import.meta.url)'
        text = text.replace("import.meta.url", place)
        return f'modules["{path}"] = (() => {{\n{text.strip()}\nreturn {{ {exports} }};\n}})();\n'


def bundles(docs: Path, parts: Iterable[str]) -> list[Bundle]:
    """The script of all pages, and after it those of what pages load when they need it.

    Raises: `BundleError`, `FileNotFoundError`.
    """
    portal = Bundle(docs, "portal.js", parts)
    return [
        portal,
        *(Bundle(docs, posixpath.basename(part), [part], shared=portal) for part in portal.later),
    ]


def _absolute(path: str, imported: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), imported))


def _relative(path: str, other: str) -> str:
    return f"./{posixpath.relpath(other, posixpath.dirname(path))}"
