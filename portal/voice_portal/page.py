"""One page while it is rendered: its name, its lines, and how it rejects what it cannot show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import click
from markupsafe import Markup
from pymdownx.superfences import SuperFencesException  # type: ignore[import-untyped]

from voice_portal.markup import linked
from voice_portal.reference import SCHEMAS, page_of
from voice_portal.sources import Sources


def text_address(page: str) -> str:
    """Where the Markdown of a page lies in the site, such as ``/calls/index.md``."""
    return "/index.md" if page == "index.md" else f"/{page.removesuffix('.md')}/index.md"


class PageError(SuperFencesException, click.ClickException):  # type: ignore[misc]
    """A page asks for what does not exist; the message names file, line and fix.

    SuperFences swallows every other exception and shows the fence as plain text.
    """


@dataclass
class Page:
    """``path`` is the file inside ``docs/``; ``first_line`` the line its Markdown begins on."""

    path: str
    first_line: int
    sources: Sources
    lines: Sequence[str] = ()
    checks_recordings: bool = False
    """Whether responses must be those of portal/voice_portal/recordings/."""
    _ids: set[str] = field(default_factory=set)

    def error(self, message: str, *, line: int | None = None) -> PageError:
        """The error to raise; ``line`` counts from 0 within the Markdown."""
        place = f"docs/{self.path}"
        if line is not None:
            place += f":{self.first_line + line}"
        return PageError(f"{place}: {message}")

    def line_of_fence(self, name: str, body: str) -> int | None:
        """Where the fence of that name and body begins, or nothing if it is not in the source."""
        wanted = [line.strip() for line in body.splitlines()]
        for number, line in enumerate(self.lines):
            if line.strip("` ~") == name:
                inside = self.lines[number + 1 : number + 1 + len(wanted)]
                if [text.strip() for text in inside] == wanted:
                    return number
        return None

    def link(self, target: str, *, anchor: str = "") -> str:
        """A relative URL of another page, such as ``../errors/#not_found``."""
        up = "../" * (0 if self.path == "index.md" else self.path.count("/") + 1)
        name = target.removesuffix(".md").removesuffix("index")
        url = up + (f"{name}/" if name else "")
        return (url or "./") + (f"#{anchor}" if anchor else "")

    def operation_link(self, operation_id: str) -> str:
        """A relative URL of the page of an operation."""
        return self.link(page_of(operation_id))

    def schema_link(self, name: str) -> str:
        """A relative URL of a schema's entry on the page Schemas; empty where it has none."""
        return self.link(SCHEMAS, anchor=name) if name in self.sources.shared_schemas else ""

    def words(self, text: str) -> Markup:
        """A sentence of the contract, in which an operationId leads to the operation's page."""
        return linked(text, self._links)

    @cached_property
    def _links(self) -> dict[str, str]:
        others = {name: page_of(name) for name in self.sources.operations}
        return {name: self.link(page) for name, page in others.items() if page != self.path}

    def new_id(self, wish: str) -> str:
        """An HTML id that no other part of the page has."""
        count = 1
        candidate = wish
        while candidate in self._ids:
            count += 1
            candidate = f"{wish}-{count}"
        self._ids.add(candidate)
        return candidate
