"""Addresses follow the reader: a text of the site names the origin from which it was fetched.

The build writes the address of a sandbox on the reader's own machine, and notes in each page what
it wrote. HTML is left alone, because scripts do the same in a browser and the Content Security
Policy holds the hashes of what was built. Files under ``examples/`` name addresses of their own.
"""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Final

from starlette.datastructures import Headers
from starlette.types import Scope

from voice_sandbox.http.proxy import HOST

_TEXTS: Final = frozenset({".json", ".md", ".txt", ".yaml"})
_EXAMPLES: Final = "examples"
_WRITTEN: Final = re.compile(rb'data-written="?(https?://[\w.:\[\]-]+)')


def names_addresses(path: str) -> bool:
    """Whether the file at a path of the site is one whose addresses follow the reader."""
    parts = PurePath(path)
    return parts.suffix in _TEXTS and parts.parts[0] != _EXAMPLES


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
    return b"%b://%b%b" % (scope["scheme"].encode(), host, scope["root_path"].encode())


def with_origin(content: bytes, written: bytes, origin: bytes) -> bytes:
    """The text with the reader's origin in the place of the written one."""
    # A longer port is another address.
    return re.sub(re.escape(written) + rb"(?![0-9])", lambda _: origin, content)
