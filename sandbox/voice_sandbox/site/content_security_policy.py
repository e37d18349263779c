"""What the pages of the portal may do in a browser: the headers that each of its answers carries.

The Content Security Policy is read off the built pages: what they hold inline is allowed by its
hash, and nothing else is. A page that somebody else managed to change can then run nothing of its
own, and ask nobody but this sandbox. Nothing is evaluated from text, and no ``unsafe-inline`` is
needed, for styles neither.
"""

from __future__ import annotations

import base64
import hashlib
import html
import os
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from math import inf
from pathlib import Path
from typing import Final

from voice_sandbox import clock

Page = tuple[Path, int]
"""A built page, and when it was written in nanoseconds."""
_LOOK_SECONDS: Final = 1.0

_INLINE_SCRIPT: Final = re.compile(r"<script(?![^>]*\ssrc=)([^>]*)>(.*?)</script>", re.S | re.I)
_DATA: Final = re.compile(r"type=[\"']?application/", re.I)
_INLINE_STYLE: Final = re.compile(r"<style[^>]*>(.*?)</style>", re.S | re.I)
_STYLE: Final = re.compile(r"\sstyle=\"([^\"]*)\"", re.I)
_HANDLER: Final = re.compile(r"<[^>]*?\son[a-z]+=\"([^\"]*)\"", re.I)
# The origin that the build was told to send cards to; a page of the sandbox itself has none.
_ELSEWHERE: Final = re.compile(r'<meta name="?voice-sandbox"? content="?(https?://[\w.:\[\]-]+)')

_FIXED: Final = {
    # A page has no business with these, nor has what it embeds.
    "Permissions-Policy": ", ".join(
        f"{feature}=()"
        for feature in "camera display-capture geolocation microphone midi payment usb".split()
    ),
    # No other site learns which page was read, and none gets a hand on its window or its files.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class ContentSecurityPolicy:
    """The headers for a folder of built pages, which may be built anew at any time.

    For threads: each may ask, and one looks at the folder.
    """

    def __init__(self, folder: Path, *, monotonic: Callable[[], float] = clock.monotonic) -> None:
        self._folder = folder
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._looked_at = -inf
        self._pages: frozenset[Page] = frozenset()
        self._headers: dict[str, str] = {}

    def headers(self, page: Page | None = None) -> dict[str, str]:
        """Of every response of the site.

        The folder is looked at once a second, and where ``page`` is newer than the last look.
        """
        with self._lock:
            is_new = page is not None and page not in self._pages
            if is_new or self._monotonic() - self._looked_at >= _LOOK_SECONDS:
                self._look()
            return self._headers

    def _look(self) -> None:
        pages = frozenset(_pages_in(self._folder))
        if pages != self._pages or not self._headers:
            policy = content_policy(_texts(path for path, _ in pages))
            self._headers = {"Content-Security-Policy": policy, **_FIXED}
            self._pages = pages
        self._looked_at = self._monotonic()


def _pages_in(folder: Path) -> Iterator[Page]:
    for parent, _, names in os.walk(folder.resolve()):
        for name in names:
            if name.lower().endswith(".html"):
                path = Path(parent, name)
                with suppress(FileNotFoundError):  # the build removes it just now
                    yield path, path.stat().st_mtime_ns


def _texts(paths: Iterable[Path]) -> Iterator[str]:
    for path in paths:
        with suppress(FileNotFoundError):
            yield path.read_text("utf-8", "replace")


def content_policy(pages: Iterable[str]) -> str:
    """The policy that lets the pages do what stands in them, and nothing else (CSP Level 3)."""
    scripts: set[str] = set()
    handlers: set[str] = set()
    styles: set[str] = set()
    attributes: set[str] = set()
    elsewhere: set[str] = set()
    for page in pages:
        scripts.update(
            text for given, text in _INLINE_SCRIPT.findall(page) if not _DATA.search(given)
        )
        handlers.update(map(html.unescape, _HANDLER.findall(page)))
        styles.update(_INLINE_STYLE.findall(page))
        attributes.update(map(html.unescape, _STYLE.findall(page)))
        elsewhere.update(_ELSEWHERE.findall(page))
    directives = {
        "default-src": ["'none'"],
        "script-src": ["'self'", *_hashes(scripts)],
        "script-src-attr": _attributes(handlers),
        "style-src": ["'self'", *_hashes(styles)],
        "style-src-attr": _attributes(attributes),
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'", "data:"],
        "connect-src": ["'self'", *sorted(elsewhere)],
        "worker-src": ["'self'"],
        "frame-src": ["'self'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'self'"],
        "base-uri": ["'none'"],
        "object-src": ["'none'"],
    }
    return "; ".join(f"{name} {' '.join(values)}" for name, values in directives.items())


def _hashes(texts: Iterable[str]) -> list[str]:
    return sorted(
        f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
        for text in texts
    )


def _attributes(texts: set[str]) -> list[str]:
    """Attributes by their hashes: ``unsafe-hashes`` says that they are meant, and no others."""
    return ["'unsafe-hashes'", *_hashes(texts)] if texts else ["'none'"]
