"""The Markdown extension of the portal: placeholders, fences, and the entries of the Errors page.

It stands on ``pymdownx.superfences`` alone, so any builder that speaks Python-Markdown can use it.
"""

from __future__ import annotations

import re
from typing import Any, Final

from markdown import Markdown
from markdown.extensions import Extension
from markdown.preprocessors import Preprocessor
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound
from pymdownx.superfences import SuperFencesCodeExtension  # type: ignore[import-untyped]

from voice_portal.fence_options import FenceError, choose
from voice_portal.fences import ENTRIES, FENCES, Fence, with_entries
from voice_portal.page import Page, PageError
from voice_portal.placeholders import fill
from voice_portal.sources import Sources, load_sources
from voice_sandbox.calls.scenarios import ScenarioError
from voice_sandbox.contract.model import ContractError

_OPENING: Final = re.compile(r"[ >]*(?P<mark>`{3,}|~{3,})[ \t]*(?P<name>[\w#.+-]*)(?P<rest>.*)$")


class PortalExtension(Extension):
    """Register it after ``pymdownx.superfences``; ``page`` and ``first_line`` make errors exact."""

    def __init__(self, sources: Sources | None = None, **options: Any) -> None:
        self.sources = sources
        self.config = {
            "page": ["page.md", "File inside docs/ that is being rendered."],
            "checks_recordings": [False, "Whether responses must be the recorded ones."],
            "first_line": [1, "The line of that file on which its Markdown begins."],
        }
        super().__init__(**options)

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802  (the name is Markdown's)
        try:
            sources = self.sources or load_sources()
        except (ContractError, ScenarioError) as error:
            # Builders load extensions before they can tell a plain error from a broken extension.
            md.preprocessors.register(_BrokenSources(md, error), "portal", 28)
            return
        page = Page(
            path=self.getConfig("page"),
            first_line=self.getConfig("first_line"),
            checks_recordings=self.getConfig("checks_recordings"),
            sources=sources,
        )
        [superfences] = [
            extension
            for extension in md.registeredExtensions
            if isinstance(extension, SuperFencesCodeExtension)
        ]
        for fence in FENCES.values():
            superfences.extend_super_fences(fence.name, _formatter(fence, page), _accept, None)
        md.block_level_elements.extend(("try-api", "sandbox-inspector"))
        # Above fenced code (25), so that placeholders work inside it.
        md.preprocessors.register(_PortalPreprocessor(md, page), "portal", 28)


class _BrokenSources(Preprocessor):
    def __init__(self, md: Markdown, error: Exception) -> None:
        super().__init__(md)
        self.error = error

    def run(self, lines: list[str]) -> list[str]:
        raise PageError(str(self.error))


class _PortalPreprocessor(Preprocessor):
    def __init__(self, md: Markdown, page: Page) -> None:
        super().__init__(md)
        self.page = page

    def run(self, lines: list[str]) -> list[str]:
        self.page.lines = filled = list(fill(lines, self.page))
        self._check_fences(filled)
        return list(with_entries(filled))

    def _check_fences(self, lines: list[str]) -> None:
        """SuperFences shows a fence that it does not know as text; here it stops the build."""
        known = (*FENCES, ENTRIES)
        closing = ""
        for number, line in enumerate(lines):
            found = _OPENING.match(line)
            if found is None:
                continue
            if closing:
                if found["mark"].startswith(closing) and not found["name"]:
                    closing = ""
                continue
            closing = found["mark"]
            name, rest = found["name"], found["rest"].strip()
            if name in known:
                if rest:
                    raise self.page.error(
                        f"The fence {name} takes no {rest} on its first line. "
                        "Write options below it, one option: value a line.",
                        line=number,
                    )
            elif name and not _is_language(name):
                try:
                    choose(name, known, "fence or language")
                except FenceError as error:
                    raise self.page.error(str(error), line=number) from None


def _formatter(fence: Fence, page: Page) -> Any:
    def formatter(src: str = "", **_: Any) -> str:
        return fence.html(src, page)

    return formatter


def _accept(*_: Any, **__: Any) -> bool:
    return True


def _is_language(name: str) -> bool:
    try:
        get_lexer_by_name(name)
    except ClassNotFound:
        return False
    return True


def makeExtension(**options: Any) -> PortalExtension:  # noqa: N802  (the name is Markdown's)
    return PortalExtension(**options)
