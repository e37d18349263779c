"""Links that lead nowhere: every link of every rendered page, to pages, files and anchors alike.

MkDocs counts such links as warnings, which ``--quiet`` silences and ``--strict`` then does not see.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Final
from urllib.parse import unquote, urljoin, urlsplit

_HOST: Final = "http://portal.invalid/"


@dataclass(frozen=True, slots=True)
class Rendered:
    """A page as it was written and as it was rendered."""

    path: str
    """The file inside docs/, such as ``calls.md``."""
    url: str
    """Where it lies in the site, such as ``calls/``."""
    source: str
    html: str


def dead_links(
    pages: Iterable[Rendered], files: Iterable[str], *, api: tuple[str, ...] = ()
) -> Iterator[str]:
    """One message a dead link: file, line, and what was probably meant.

    ``files`` are the addresses of everything else in the site, such as ``openapi.yaml``.
    ``api`` are the beginnings of paths that the sandbox serves on the site's origin: ``/v1/``.
    """
    pages = list(pages)
    read = {page.url: _parsed(page.html) for page in pages}
    known = {*files, *read}
    for page in pages:
        for href in dict.fromkeys(read[page.url].links):
            target = urlsplit(urljoin(_HOST + page.url, href))
            if target.netloc != urlsplit(_HOST).netloc or f"{target.path}/".startswith(api):
                continue
            path, anchor = unquote(target.path.lstrip("/")), unquote(target.fragment)
            if path not in known:
                nearest = _nearest(href, {each.path: each.path for each in pages})
                yield f"{_place(page, href)}: The link {href} leads nowhere.{nearest}"
            elif anchor and path in read and anchor not in read[path].ids:
                nearest = _nearest(anchor, {each: f"#{each}" for each in read[path].ids})
                yield (
                    f"{_place(page, f'#{anchor}')}: The link {href} leads to a page that has no "
                    f"#{anchor}.{nearest}"
                )


@dataclass
class _ParsedPage(HTMLParser):
    links: list[str] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if values.get("id"):
            self.ids.add(str(values["id"]))
        if tag == "a" and values.get("href"):
            self.links.append(str(values["href"]))


def _parsed(html: str) -> _ParsedPage:
    found = _ParsedPage()
    found.feed(html)
    found.close()
    return found


def _place(page: Rendered, wanted: str) -> str:
    """File and line of a link; a link that a fence made has no line of its own."""
    for number, line in enumerate(page.source.splitlines(), start=1):
        if f"({wanted}" in line or f'"{wanted}' in line or f"{wanted})" in line:
            return f"docs/{page.path}:{number}"
    return f"docs/{page.path}"


def _nearest(wrong: str, known: Mapping[str, str]) -> str:
    """The fix: what comes nearest to the wrong name, if anything does."""
    nearest = difflib.get_close_matches(wrong, known, n=1)
    return f" Did you mean {known[nearest[0]]}?" if nearest else ""
