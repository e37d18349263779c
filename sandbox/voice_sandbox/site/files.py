"""Serves the built portal beside the API, from one origin.

Texts travel compressed. A browser keeps what carries its own hash in its name for a year, and asks
for everything else again, which costs it nothing while the content is the same.
What the site does not have gets the site's own 404 page for a browser, and the service's problem
document for everybody else.

The site may be built anew at any time: a file that is gone is a 404. Files are looked up and read
in threads, because while the event loop waits for a disk, everybody waits.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import re
from functools import lru_cache, partial
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import Final, NamedTuple
from urllib.parse import quote

from anyio import to_thread
from starlette.datastructures import Headers
from starlette.responses import RedirectResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from voice_sandbox.site.content_security_policy import ContentSecurityPolicy
from voice_sandbox.site.media_types import media_type_of
from voice_sandbox.site.reader_origin import (
    names_addresses,
    origin_of,
    with_origin,
    written_origin,
)

_TEXT: Final = re.compile(r"text/|application/(json|manifest\+json|xml|yaml)|image/svg")
_COMPRESSED_FROM_BYTES: Final = 500
# Such as bundle.a5f9d56c.min.js, as the theme names its own files.
_HASHED: Final = re.compile(r"\.[0-9a-f]{8,}\.(min\.)?(js|css|woff2)\Z")
_FOREVER: Final = "public, max-age=31536000, immutable"
_ASK_AGAIN: Final = "no-cache"
_INDEX_PAGE: Final = "index.html"
_NOT_FOUND_PAGE: Final = "404.html"
_MARKDOWN: Final = ".md"
_INDEX_TEXT: Final = "index.md"


class Asset(NamedTuple):
    """One file of the site as it was read; ``packed`` is empty where that saves nothing."""

    path: Path
    changed_at: int
    media_type: str
    content: bytes
    packed: bytes
    etag: str


class _Folder(NamedTuple):
    """A folder with a page, whose address ends with a slash."""


class Site:
    """The folder of a built site."""

    def __init__(self, folder: Path, *, fallback: ASGIApp) -> None:
        self._files = StaticFiles(directory=folder, check_dir=False)
        self._policy = ContentSecurityPolicy(folder)
        self._fallback = fallback

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in ("GET", "HEAD"):
            await self._fallback(scope, receive, send)
            return
        headers = Headers(scope=scope)
        path = self._files.get_path(scope)
        respond = partial(self._response, scope, path, headers)
        response = await to_thread.run_sync(respond)
        await (self._fallback if response is None else response)(scope, receive, send)

    def _response(self, scope: Scope, path: str, headers: Headers) -> Response | None:
        """What the site has at a path. It reads files, so it is not for the event loop."""
        found = self._find(path, has_slash=scope["path"].endswith("/"))
        if found is None and path.endswith(_MARKDOWN):  # beside /page/index.md
            found = self._find(f"{path.removesuffix(_MARKDOWN)}/{_INDEX_TEXT}")
        is_page = isinstance(found, Asset) and found.path.name == _INDEX_PAGE
        if is_page and _prefers_markdown(headers.get("accept", "")):
            found = self._find(f"{path.removesuffix(_INDEX_PAGE)}/{_INDEX_TEXT}") or found
        status = 200
        if found is None and "text/html" in headers.get("accept", ""):
            found, status = self._find(_NOT_FOUND_PAGE), 404
        if found is None:
            return None
        response: Response
        if isinstance(found, Asset):
            name = f"{path}/{_INDEX_TEXT}" if found.path.name == _INDEX_TEXT else path
            if status == 200 and names_addresses(name, found.media_type, found.content):
                found = self._for_reader(found, origin_of(scope, headers))
            is_head = scope["method"] == "HEAD"
            response = _asset_response(found, status, headers, is_head=is_head)
            page = (found.path, found.changed_at) if found.media_type == "text/html" else None
            response.headers.update(self._policy.headers(page))
            if is_page:
                response.headers.add_vary_header("Accept")
        else:
            # A path and no origin: whatever ``Host`` says, it stays here.
            address = f"{scope['root_path']}/{path.replace(os.sep, '/')}/"
            response = RedirectResponse(quote(address))
            response.headers.update(self._policy.headers())
        return response

    def _for_reader(self, asset: Asset, origin: bytes | None) -> Asset:
        """The text with the addresses of the one who reads it."""
        index = self._find(_INDEX_PAGE)
        written = None if not isinstance(index, Asset) else written_origin(index.content)
        if origin is None or written is None or origin == written:
            return asset
        return _read_for(asset, written, origin)

    def _find(self, path: str, *, has_slash: bool = False) -> Asset | _Folder | None:
        try:
            full_path, stat = self._files.lookup_path(path)
            if stat is not None and S_ISDIR(stat.st_mode):
                full_path, stat = self._files.lookup_path(f"{path}/{_INDEX_PAGE}")
                if stat is not None and not has_slash:
                    return _Folder()
            if stat is None or not S_ISREG(stat.st_mode):
                return None
            return _read(Path(full_path), stat.st_mtime_ns, stat.st_size)
        except (OSError, ValueError):  # gone in the meantime, or no name that a file can have
            return None


def _asset_response(asset: Asset, status: int, headers: Headers, *, is_head: bool) -> Response:
    """The file's content, compressed where the client takes that, or 304 where it has it."""
    packs = asset.packed != b"" and _takes_gzip(headers.get("accept-encoding", ""))
    described = {
        "ETag": f'"{asset.etag}{"-gzip" if packs else ""}"',
        "Cache-Control": _FOREVER if _HASHED.search(asset.path.name) else _ASK_AGAIN,
    }
    if asset.packed:
        described["Vary"] = "Accept-Encoding"
    # RFC 9110, section 13.1.2: the tags are compared weakly.
    known = re.findall(r'"[^"]*"|\*', headers.get("if-none-match", ""))
    if status == 200 and (described["ETag"] in known or "*" in known):
        return Response(status_code=304, headers=described)
    if packs:
        described["Content-Encoding"] = "gzip"
    content = asset.packed if packs else asset.content
    if is_head:
        described["Content-Length"] = str(len(content))
    return Response(b"" if is_head else content, status, described, asset.media_type)


@lru_cache(maxsize=1024)
def _read(path: Path, changed_at: int, size: int) -> Asset:
    """The file, read once for as long as it does not change. Raises: `OSError`."""
    return _asset(path, changed_at, path.read_bytes())


# Readers choose the origin, so they must not push the files out of the cache above.
@lru_cache(maxsize=128)
def _read_for(asset: Asset, written: bytes, origin: bytes) -> Asset:
    """The same file for readers who fetched it from this origin."""
    return _asset(asset.path, asset.changed_at, with_origin(asset.content, written, origin))


def _asset(path: Path, changed_at: int, content: bytes) -> Asset:
    media_type, packed = media_type_of(path.name), b""
    if len(content) >= _COMPRESSED_FROM_BYTES and _TEXT.match(media_type):
        packed = gzip.compress(content, mtime=0)
    etag = hashlib.sha256(content).hexdigest()[:32]
    return Asset(path, changed_at, media_type, content, packed, etag)


def _prefers_markdown(accepted: str) -> bool:
    """Whether a client names Markdown, and HTML with no greater weight."""
    weights: dict[str, float] = {}
    for each in accepted.lower().replace(" ", "").split(","):
        media_type, *parameters = each.split(";")
        weight = next((p[2:] for p in parameters if p.startswith("q=")), "1")
        weights[media_type] = float(weight) if re.fullmatch(r"[01](?:\.[0-9]{0,3})?", weight) else 0
    markdown = weights.get("text/markdown", 0)
    return markdown > 0 and markdown >= weights.get("text/html", 0)


def _takes_gzip(accepted: str) -> bool:
    """RFC 9110, section 12.5.3: a weight of 0 rejects a coding."""
    for coding in accepted.lower().replace(" ", "").split(","):
        name, _, weight = coding.partition(";q=")
        if name in ("gzip", "x-gzip", "*"):
            return weight.strip("0.") != "" or weight == ""
    return False
