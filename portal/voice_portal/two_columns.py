"""Puts text and card of a section side by side: marks what belongs to which column.

The order of the page stays, so that a narrow window, a printer and a screen reader have the text
before a card, the card, and the text behind it. The style sheet does the rest.
"""

from __future__ import annotations

from html import escape
from html.parser import HTMLParser
from itertools import accumulate
from typing import Any, Final, NamedTuple

_VOID: Final = frozenset({"br", "hr", "img", "input", "link", "meta", "source", "wbr", "col"})
_CARD: Final = "try-api"
_SECTION: Final = "h2"
_LED_BY: Final = frozenset({"p", "h3"})
"""What before a second card of a section belongs to that card."""


class _Element(NamedTuple):
    """An element of the page that is in no other one."""

    tag: str
    html: str


def in_two_columns(html: str, *, one_card: bool = False) -> str:
    """The page with its cards beside their text.

    A page without a card at its top level is returned as it is. With ``one_card`` the whole page is
    about its card, which stays beside all of it.
    """
    elements = _top_level(html) if f"<{_CARD}" in html else []
    if not any(each.tag == _CARD for each in elements):
        return html
    groups = [elements] if one_card else _groups(elements)
    return "\n".join(_columns(group) for group in groups)


def contents_menu(items: Any, *, is_listed: bool) -> str:
    """The headings of a page as a menu, from the table of contents that MkDocs has made.

    With ``is_listed`` a wide window has them in a column beside the text too, instead of the menu.
    """
    entries = "".join(
        f'<li><a href="{escape(item.url)}">{escape(item.title)}</a></li>'
        for first in items
        for item in (first.children if first.level == 1 else [first])
    )
    if not entries:
        return ""
    names = "page-contents is-listed" if is_listed else "page-contents"
    return (
        f'<details class="{names}" data-search-exclude><summary>On this page</summary>'
        f"<ul>{entries}</ul></details>\n"
    )


def _groups(elements: list[_Element]) -> list[list[_Element]]:
    """The sections of a page, each with at most one card.

    The title belongs to the first section, whose card then stands beside it.
    """
    groups: list[list[_Element]] = [[]]
    sections = 0
    for each in elements:
        sections += each.tag == _SECTION
        if each.tag == _SECTION and (sections > 1 or _has_card(groups[-1])):
            groups.append([])
        if each.tag == _CARD and _has_card(groups[-1]):
            groups.append(_lead(groups[-1]))
        groups[-1].append(each)
    return groups


def _lead(group: list[_Element]) -> list[_Element]:
    """Takes the text from the end of a group that leads to the next card."""
    lead: list[_Element] = []
    while group[-1].tag in _LED_BY:
        lead.insert(0, group.pop())
        if lead[0].tag != "p":
            break
    return lead


def _has_card(group: list[_Element]) -> bool:
    return any(each.tag == _CARD for each in group)


def _columns(group: list[_Element]) -> str:
    if not _has_card(group):
        return "\n".join(each.html for each in group)
    at = next(number for number, each in enumerate(group) if each.tag == _CARD)
    before, card, after = group[:at], group[at], group[at + 1 :]
    return "\n".join(
        [
            '<div class="columns">',
            *_text(before),
            card.html,
            *_text(after),
            "</div>",
        ]
    )


def _text(elements: list[_Element]) -> list[str]:
    if not elements:
        return []
    return ['<div class="columns-text">', *(each.html for each in elements), "</div>"]


def _top_level(html: str) -> list[_Element]:
    parser = _Outline()
    parser.feed(html)
    parser.close()
    lines = [0, *accumulate(len(line) + 1 for line in html.split("\n"))]
    starts = [lines[line - 1] + column for _, line, column in parser.starts]
    ends = [*starts[1:], len(html)]
    elements = [
        _Element(tag, html[start:end].strip("\n"))
        for (tag, _, _), start, end in zip(parser.starts, starts, ends, strict=True)
    ]
    head = html[: starts[0]].strip() if starts else html
    return [_Element("", head), *elements] if head else elements


class _Outline(HTMLParser):
    """Where the elements begin that are in no other one."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.starts: list[tuple[str, int, int]] = []
        self._depth = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._depth == 0:
            self.starts.append((tag, *self.getpos()))
        if tag not in _VOID:
            self._depth += 1

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._depth == 0:
            self.starts.append((tag, *self.getpos()))

    def handle_endtag(self, tag: str) -> None:
        if tag not in _VOID:
            self._depth -= 1
