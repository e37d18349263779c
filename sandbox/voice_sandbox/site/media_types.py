"""What each file of the site is, by the end of its name.

The system has a table too, but each machine its own: where it calls a script text/plain, a browser
that is told not to guess runs none.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import Final

_MEDIA_TYPES: Final = {
    ".css": "text/css",
    ".gif": "image/gif",
    ".gz": "application/gzip",
    ".html": "text/html",
    ".ico": "image/x-icon",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".js": "text/javascript",
    ".json": "application/json",
    ".map": "application/json",
    ".md": "text/markdown",
    ".mjs": "text/javascript",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".toml": "application/toml",
    ".ttf": "font/ttf",
    ".txt": "text/plain",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".xml": "application/xml",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
    # Programs and settings that a reader copies.
    **dict.fromkeys((".conf", ".ini", ".service", ".sql"), "text/plain"),
    **dict.fromkeys((".go", ".java", ".mod", ".php", ".py", ".rb", ".sh", ".ts"), "text/plain"),
}
# RFC 9727, section 3: this name has no end.
CATALOGUE: Final = "api-catalog"
_LINKSET: Final = 'application/linkset+json; profile="https://www.rfc-editor.org/info/rfc9727"'
_UNKNOWN: Final = "application/octet-stream"


def media_type_of(name: str) -> str:
    """Such as ``text/html`` for ``index.html``, without a charset."""
    if name == CATALOGUE:
        return _LINKSET
    return _MEDIA_TYPES.get(PurePath(name).suffix.lower(), _UNKNOWN)
