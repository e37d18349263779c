"""The pages as Markdown, for readers of text: ``llms.txt``, ``<page>/index.md``, Copy page."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from voice_portal.fences import FENCES, with_entries
from voice_portal.page import Page
from voice_portal.placeholders import fill
from voice_sandbox.contract.model import Contract

_ATTRIBUTES: Final = re.compile(r"\s*\{:?\s*[#.][^}]*\}")
_INCLUDE: Final = re.compile(r'--8<-- "(.+)"')
_LINK: Final = re.compile(r"\]\((?P<file>[\w-]+\.\w+)(?P<anchor>#[\w-]+)?\)")


def page(lines: list[str], page: Page) -> str:
    """The whole page as Markdown that needs nothing else to be read. Raises: `PageError`."""
    written = _written(with_entries(fill(lines, page)), page)
    return "\n".join(written).strip() + "\n"


def included(lines: list[str], folder: Path) -> list[str]:
    """The lines with the files that they include."""
    found: list[str] = []
    for line in lines:
        include = _INCLUDE.fullmatch(line.strip())
        found += (folder / include[1]).read_text("utf-8").splitlines() if include else [line]
    return found


def index(contract: Contract, pages: list[tuple[str, str, str]]) -> str:
    """The file ``llms.txt`` (llmstxt.org); a page is its title, its URL and its text."""
    summary = " ".join(contract.description.split())
    lines = [f"# {contract.title}", "", f"> {summary}", "", "## Pages", ""]
    for title, url, text in pages:
        first = next((each for each in text.splitlines()[1:] if each[:1].isalpha()), "")
        lines.append(f"- [{title}](/{url}index.md): {first}")
    lines += [
        "",
        "## Contract",
        "",
        "- [openapi.yaml](/openapi.yaml): the whole contract, OpenAPI 3.1",
        "- [openapi.json](/openapi.json): the same as JSON",
        "- [arazzo.yaml](/arazzo.yaml): the life of a call as workflows, Arazzo 1.0",
        "- [postman.json](/postman.json): the same as a Postman collection",
        "",
        "## Optional",
        "",
        "- [llms-full.txt](/llms-full.txt): all pages in one file",
    ]
    return "\n".join(lines) + "\n"


def _written(lines: Iterable[str], page: Page) -> Iterator[str]:
    """The lines with Markdown in the place of the fences."""
    rest = iter(lines)
    in_code = False
    for line in rest:
        name = line.removeprefix("```").strip()
        if line.startswith("```") and name in FENCES:
            body = list(itertools.takewhile(lambda inside: not inside.startswith("```"), rest))
            yield from FENCES[name].text("\n".join(body), page)
        elif line.startswith("```"):
            in_code = not in_code
            yield line
        elif in_code:
            yield line
        elif not line.startswith("<swagger-ui"):
            yield _LINK.sub(_as_text_link, _ATTRIBUTES.sub("", line))


def _as_text_link(link: re.Match[str]) -> str:
    """A link to a page leads to its Markdown, and one to another file to that file."""
    name, is_page = link["file"].removesuffix(".md"), link["file"].endswith(".md")
    folder = "" if name == "index" or not is_page else f"{name}/"
    return f"](/{folder}{'index.md' if is_page else name}{link['anchor'] or ''})"
