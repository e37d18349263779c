"""Addresses that readers have saved go on working, with their anchors, on any static host."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest

from voice_portal import moved_pages
from voice_portal.moved_pages import MOVED, MovedPageError

ADDRESSES = Path(__file__).with_name("addresses.txt").read_text("utf-8").split()
"""Each section of each page before the guides were split. Readers have saved them: remove none."""
TITLES = {new: f"Title of {new}" for new in MOVED.values()}


def redirect_of(page: Any) -> str:
    """Where a page leads without JavaScript; empty for one that is no redirect."""
    refresh = page.select_one('noscript > meta[http-equiv="refresh"]')
    return str(refresh["content"]).partition("url=")[2] if refresh else ""


def test_every_address_leads_to_its_section(html: Mapping[str, Any]) -> None:
    """The page is there, or it leads to one that has the same anchor."""
    lost = []
    for address in ADDRESSES:
        path, _, anchor = address.partition("#")
        page = html[f"{path}index.html"]
        if to := redirect_of(page):
            page = html[f"{urljoin(path, to)}index.html"]
        if page.find(id=anchor) is None:
            lost.append(address)
    assert lost == []


@pytest.mark.parametrize(("old", "new"), MOVED.items())
def test_old_page_leads_to_the_new_one(html: Mapping[str, Any], old: str, new: str) -> None:
    """Refresh, script, canonical link and text name the same address."""
    page = html[f"{old}index.html"]
    named = [
        redirect_of(page),
        page.find("script")["data-to"],
        page.find("link", rel="canonical")["href"],
        page.find("a")["href"],
    ]
    assert {urljoin(f"/{old}", to) for to in named} == {f"/{new}"}


@pytest.mark.parametrize("old", MOVED)
def test_no_list_of_pages_has_an_old_address(site: Path, old: str) -> None:
    """Search, sitemap, navigation and the lists for language models have the new one alone."""
    for name in ("search/search_index.json", "sitemap.xml", "llms.txt", "llms-full.txt"):
        text = (site / name).read_text("utf-8")
        assert not re.search(rf"[/\"]{old}(?!call-completed)", text), name
    assert f'href="{old}' not in (site / "index.html").read_text("utf-8")


@pytest.mark.parametrize("old", MOVED)
def test_old_address_has_markdown_too(site: Path, old: str) -> None:
    """A program that reads the old address as Markdown finds the new one."""
    text = (site / old / "index.md").read_text("utf-8")
    assert f"/{MOVED[old]}index.md)" in text


def test_published_site_has_whole_canonical_addresses() -> None:
    """A search engine gets the new address with its host, where the host is known."""
    pages = dict(moved_pages.files(TITLES, site_url="https://docs.example.test/voice/"))
    [(old, new), *_] = MOVED.items()
    canonical = f'<link rel="canonical" href="https://docs.example.test/voice/{new}">'
    assert canonical in pages[f"{old}index.html"]


def test_table_that_does_not_fit_the_pages_stops_the_build() -> None:
    """An old address that is a page again, or that leads to no page, is named with its fix."""
    [(old, new), *_] = MOVED.items()
    with pytest.raises(MovedPageError, match=rf"{old} is a page again\. Remove it"):
        list(moved_pages.files({**TITLES, old: "Again"}, site_url=""))
    with pytest.raises(MovedPageError, match=rf"{old} leads to {new}, which is no page"):
        list(moved_pages.files({}, site_url=""))
