"""Old addresses of pages: each leads to the new one, on any static host and without JavaScript.

A section that moved to another page keeps its anchor on the old page, as a link to the new place.
"""

from __future__ import annotations

import html
import posixpath
from collections.abc import Iterator, Mapping
from string import Template
from typing import Final

MOVED: Final[Mapping[str, str]] = {
    "webhooks/": "how-results-arrive/",
}
"""The old address of a page → the new one. Both end in a slash."""
_NAME: Final = "portal/voice_portal/moved_pages.py"
_SCRIPT: Final = "assets/javascripts/moved.js"
# A refresh forgets the anchor and the script keeps it, so the refresh is for readers without one.
_PAGE: Final = Template(
    """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<meta name="color-scheme" content="light dark">
<title>$title has a new address</title>
<link rel="canonical" href="$canonical">
<script src="$script" data-to="$to"></script>
<noscript><meta http-equiv="refresh" content="0; url=$to"></noscript>
</head>
<body>
<h1>This page has a new address</h1>
<p>Go to <a href="$to">$title</a>.</p>
</body>
</html>
"""
)


class MovedPageError(ValueError):
    """The table of old addresses does not fit the pages."""


def files(titles: Mapping[str, str], *, site_url: str) -> Iterator[tuple[str, str]]:
    """The files of the old addresses with their text: HTML for readers, Markdown for programs.

    ``titles`` are those of all pages by their address. ``site_url`` is the address of the published
    site, or empty. Raises: `MovedPageError`.
    """
    for old, new in MOVED.items():
        if old in titles:
            raise MovedPageError(f"{old} is a page again. Remove it from {_NAME}.")
        if new not in titles:
            raise MovedPageError(f"{old} leads to {new}, which is no page. Fix {_NAME}.")
        to = posixpath.relpath(new, old) + "/"
        page = _PAGE.substitute(
            title=html.escape(titles[new]),
            to=to,
            canonical=html.escape(f"{site_url.rstrip('/')}/{new}" if site_url else to),
            script=posixpath.relpath(_SCRIPT, old),
        )
        yield f"{old}index.html", page
        yield (
            f"{old}index.md",
            f"# This page has a new address\n\n[{titles[new]}](/{new}index.md)\n",
        )
