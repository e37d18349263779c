"""Serves the built portal beside the API, from one origin.

Texts travel compressed. A browser keeps what carries its own hash in its name for a year, and asks
for everything else again, which costs it nothing while the content is the same.
What the site does not have is answered by the site's own 404 page to a browser, and by the
service's problem document to everybody else.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from voice_sandbox.site.content_security_policy import ContentSecurityPolicy

_TEXT: Final = re.compile(r"text/|application/(json|javascript|xml|yaml)|image/svg")
_LEAST_BYTES_TO_COMPRESS: Final = 500
# Such as bundle.a5f9d56c.min.js, as the theme names its own files.
_HASHED: Final = re.compile(r"\.[0-9a-f]{8,}\.(min\.)?(js|css)\Z")
_FOREVER: Final = "public, max-age=31536000, immutable"
_ASK_AGAIN: Final = "no-cache"
_REDIRECTS: Final = (301, 302, 307, 308)
_CONDITIONS: Final = (b"if-none-match", b"if-modified-since")


class Asset(NamedTuple):
    """One file of the site as it was read; ``packed`` is empty where that saves nothing."""

    content: bytes
    packed: bytes
    etag: str


class Site:
    """The folder of a built site, or no site at all."""

    def __init__(self, folder: Path | None, *, fallback: ASGIApp) -> None:
        self._files = None if folder is None else StaticFiles(directory=folder, html=True)
        self._not_found_page = None if folder is None else folder / "404.html"
        self._policy = None if folder is None else ContentSecurityPolicy(folder)
        self._fallback = fallback

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._files is None or self._policy is None or scope["method"] not in ("GET", "HEAD"):
            await self._fallback(scope, receive, send)
            return
        found: Response | None
        try:
            path = self._files.get_path(scope)
            found = await self._files.get_response(path, _unconditional(scope))
        except HTTPException:
            found = None
        if found is None or found.status_code == 404:
            wants_page = "text/html" in Headers(scope=scope).get("accept", "")
            if not (wants_page and self._not_found_page and self._not_found_page.is_file()):
                await self._fallback(scope, receive, send)
                return
            found = FileResponse(self._not_found_page, status_code=404)
        if isinstance(found, FileResponse):
            found = _answer(found, Headers(scope=scope), is_head=scope["method"] == "HEAD")
        elif found.status_code in _REDIRECTS:
            found.headers["Location"] = _folder_address(scope)
        found.headers.update(self._policy.headers())
        await found(scope, receive, send)


def _folder_address(scope: Scope) -> str:
    """The address of the page in a folder, as a path: whatever ``Host`` says, it stays here."""
    return quote(f"{scope['root_path']}/{scope['path'].strip('/')}/")


def _answer(file: FileResponse, headers: Headers, *, is_head: bool) -> Response:
    """The file's content, compressed where the client takes that, or 304 where it has it."""
    path = Path(file.path)
    stat = path.stat()
    media_type = file.media_type or "application/octet-stream"
    is_text = _TEXT.match(media_type) is not None
    asset = _read(path, stat.st_mtime_ns, stat.st_size, compress=is_text)
    packs = asset.packed != b"" and _takes_gzip(headers.get("accept-encoding", ""))
    answered = {
        "ETag": f'"{asset.etag}{"-gzip" if packs else ""}"',
        "Cache-Control": _FOREVER if _HASHED.search(path.name) else _ASK_AGAIN,
    }
    if asset.packed:
        answered["Vary"] = "Accept-Encoding"
    # RFC 9110, section 13.1.2: the tags are compared weakly.
    known = re.findall(r'"[^"]*"|\*', headers.get("if-none-match", ""))
    if file.status_code == 200 and (answered["ETag"] in known or "*" in known):
        return Response(status_code=304, headers=answered)
    if packs:
        answered["Content-Encoding"] = "gzip"
    content = asset.packed if packs else asset.content
    if is_head:
        answered["Content-Length"] = str(len(content))
    return Response(b"" if is_head else content, file.status_code, answered, media_type)


@lru_cache(maxsize=1024)
def _read(path: Path, changed_at: int, size: int, *, compress: bool) -> Asset:
    """The file, read once for as long as it does not change."""
    content = path.read_bytes()
    packed = b""
    if compress and len(content) >= _LEAST_BYTES_TO_COMPRESS:
        packed = gzip.compress(content, mtime=0)
    return Asset(content, packed, hashlib.sha256(content).hexdigest()[:32])


def _takes_gzip(accepted: str) -> bool:
    """RFC 9110, section 12.5.3: a weight of 0 refuses a coding."""
    for coding in accepted.lower().replace(" ", "").split(","):
        name, _, weight = coding.partition(";q=")
        if name in ("gzip", "x-gzip", "*"):
            return weight.strip("0.") != "" or weight == ""
    return False


def _unconditional(scope: Scope) -> Scope:
    """The request without conditions: whether the client has the content is answered here."""
    headers = [(name, value) for name, value in scope["headers"] if name not in _CONDITIONS]
    return {**scope, "headers": headers}
