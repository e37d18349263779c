"""Addresses follow the reader: what is served of the site names the origin it was fetched from.

The build writes the address of a sandbox on the reader's own machine, and notes in each page what
it wrote. Pages follow too, so that they are right without JavaScript. A page whose build named
another origin for its cards keeps that one. Files under ``examples/`` name addresses of their own.
"""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Final
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.types import Scope

from voice_sandbox.http.proxy import HOST
from voice_sandbox.site.media_types import CATALOGUE

_TEXTS: Final = frozenset({".json", ".md", ".txt", ".yaml"})
_EXAMPLES: Final = "examples"
_PAGE: Final = "text/html"
_ELSEWHERE: Final = re.compile(rb'<meta name="?voice-sandbox"? content="?https?://')
_WRITTEN: Final = re.compile(rb'data-written="?(https?://[\w.:\[\]-]+)')


def names_addresses(path: str, media_type: str, content: bytes) -> bool:
    """Whether the file at a path of the site is one whose addresses follow the reader."""
    parts = PurePath(path)
    if parts.parts[:1] == (_EXAMPLES,):
        return False
    if media_type.startswith(_PAGE):
        return _ELSEWHERE.search(content) is None
    return parts.suffix in _TEXTS or parts.name == CATALOGUE


def written_origin(page: bytes) -> bytes | None:
    """What the build wrote into every page, such as ``http://127.0.0.1:8010``."""
    found = _WRITTEN.search(page)
    return found[1] if found else None


def origin_of(scope: Scope, headers: Headers) -> bytes | None:
    """Where the request was sent to, such as ``https://voice.example.com/voice``.

    ``None`` where ``Host`` is no name of a host, for whatever it says would stand in the text.
    """
    host = headers.get("host", "").encode("latin-1")
    if not HOST.fullmatch(host):
        return None
    # Where the sandbox is mounted at a path with a parameter, a client chooses the root path.
    return b"%b://%b%b" % (scope["scheme"].encode(), host, quote(scope["root_path"]).encode())


def with_origin(content: bytes, written: bytes, origin: bytes) -> bytes:
    """The text with the reader's origin in the place of the written one."""
    # A longer port is another address, and scripts compare their own with what the build wrote.
    address = rb'(?<!data-written=)(?<!data-written=")' + re.escape(written) + rb"(?![0-9])"
    return re.sub(address, lambda _: origin, content)
