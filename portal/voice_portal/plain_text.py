"""The pages as Markdown, for readers of text: ``llms.txt``, ``<page>/index.md``, Copy page."""

from __future__ import annotations

import itertools
import posixpath
import re
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Final

from voice_portal.fences import FENCES, with_entries
from voice_portal.for_agents import PUBLISHED
from voice_portal.page import Page, text_address
from voice_portal.placeholders import fill
from voice_sandbox.contract.model import Contract

_ATTRIBUTES: Final = re.compile(r"\s*\{:?\s*[#.][^}]*\}")
_INCLUDE: Final = re.compile(r'(?P<indent> *)--8<-- "(?P<file>[^":]+)(?::(?P<section>[\w-]+))?"')
_MARK: Final = re.compile(r"\W*--8<-- \[(?P<edge>start|end):(?P<section>[\w-]+)\]")
_WRAPPERS: Final = ("<swagger-ui", "<div", "</div>")
_DETAILS: Final = re.compile(r'\?\?\? \w+ "(?P<title>.+)"')
_LINK: Final = re.compile(
    r"\]\((?P<file>(?:[\w.-]+/)*[\w-]+\.\w+|\.well-known/[\w-]+)(?P<anchor>#[\w-]+)?\)"
)


def page(lines: list[str], page: Page) -> str:
    """The whole page as Markdown that needs nothing else to be read. Raises: `PageError`."""
    written = _written(with_entries(fill(list(_opened(lines)), page)), page)
    return "\n".join(written).strip() + "\n"


def included(lines: list[str], folder: Path) -> list[str]:
    """The lines with the files, or the marked sections of files, that they include."""
    found: list[str] = []
    for line in lines:
        include = _INCLUDE.fullmatch(line.rstrip())
        if include is None:
            found.append(line)
            continue
        text = (folder / include["file"]).read_text("utf-8").splitlines()
        found += [include["indent"] + each for each in _section(text, include["section"])]
    return found


def _section(lines: list[str], section: str | None) -> list[str]:
    """The lines between the marks of a section, or all of them, without any mark."""
    found: list[str] = []
    inside = section is None
    for line in lines:
        mark = _MARK.match(line)
        if mark is None:
            if inside:
                found.append(line)
        elif mark["section"] == section:
            inside = mark["edge"] == "start"
    while found and not found[-1]:
        del found[-1]
    return found


def _opened(lines: Iterable[str]) -> Iterator[str]:
    """The lines with what a page folds away unfolded, below its title."""
    is_folded = False
    for line in lines:
        details = _DETAILS.fullmatch(line.rstrip())
        if details is not None:
            is_folded = True
            yield f"**{details['title']}**"
            continue
        is_folded = is_folded and (not line.strip() or line.startswith("    "))
        yield line.removeprefix("    ") if is_folded else line


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
        "",
        "## Optional",
        "",
        "- [llms-full.txt](/llms-full.txt): all pages in one file",
        "- [skill.md](/skill.md): what an agent must know before it writes a client",
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
        elif not line.startswith(_WRAPPERS):
            as_text_link = partial(_as_text_link, posixpath.dirname(page.path))
            yield _LINK.sub(as_text_link, _ATTRIBUTES.sub("", line))


def _as_text_link(folder: str, link: re.Match[str]) -> str:
    """A link to a page leads to its Markdown, and one to another file to that file."""
    target = posixpath.normpath(posixpath.join(folder, link["file"]))
    if link["file"] in PUBLISHED:
        return f"](/{link['file']})"
    address = text_address(target) if target.endswith(".md") else f"/{target}"
    return f"]({address}{link['anchor'] or ''})"
