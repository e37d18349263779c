"""The fences as Markdown, for readers of text: ``llms.txt``, ``<page>/index.md``, Copy page.

A fence that a page may hold and this module does not know stops the build.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from voice_portal import serving, tables
from voice_portal.fields import Field, listed
from voice_portal.page import Page
from voice_portal.placeholders import fill, filled
from voice_portal.snippets import snippets
from voice_portal.steps import step_of
from voice_portal.text import first_sentence, phrase, pretty
from voice_sandbox.contract.model import Contract
from voice_sandbox.contract.problems import PROBLEMS

_ATTRIBUTES: Final = re.compile(r"\s*\{:?\s*[#.][^}]*\}")
_INCLUDE: Final = re.compile(r'--8<-- "(.+)"')
_LINK: Final = re.compile(r"\]\((?P<file>[\w-]+\.\w+)(?P<anchor>#[\w-]+)?\)")


def page(lines: list[str], page: Page) -> str:
    """The whole page as Markdown that needs nothing else to be read. Raises: `PageError`."""
    written = _written(list(fill(lines, page)), page)
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


def _written(lines: list[str], page: Page) -> Iterator[str]:
    """The lines with Markdown in the place of the fences."""
    rest = iter(lines)
    in_code = False
    for line in rest:
        name = line.removeprefix("```").strip()
        if line.startswith("```") and name in _WRITERS:
            body = list(itertools.takewhile(lambda inside: not inside.startswith("```"), rest))
            yield from _WRITERS[name](page, yaml.safe_load("\n".join(body)) or {})
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


def _try_api(page: Page, options: Mapping[str, Any]) -> Iterator[str]:
    sources = page.sources
    first = options.get("first", [])
    if isinstance(first, str):
        operation, _, example = first.partition("/")
        first = [{"operation": operation, **({"example": example} if example else {})}]
    steps = [step_of(sources, given) for given in (*first, options)]
    [answer] = sources.recorder.record(steps)[-1:]
    step = steps[-1]
    title = options.get("title") or (step.example or step.operation).summary
    [curl, *_] = snippets(steps, base=sources.sandbox_url, refused=bool(options.get("expect")))
    yield from (f"**{title}** (`{step.method} {step.path}`)", "")
    yield from ("```sh", *curl.code.splitlines(), "```", "")
    yield from (f"Answer, recorded from the sandbox: {answer.status} {phrase(answer.status)}", "")
    if answer.body is not None:
        yield from ("```json", *pretty(answer.body).splitlines(), "```")


def _fields(page: Page, options: Mapping[str, Any]) -> Iterator[str]:
    for field in listed(page.sources.contract, options):
        yield f"- `{field.name}` ({_kind(field)}): {' '.join(field.meaning.split())}"


def _kind(field: Field) -> str:
    words = [f"one of {', '.join(f'`{word}`' for word in field.words)}"] if field.words else []
    return "; ".join((field.type, field.presence, *field.limits, *words))


def _operations(page: Page, options: Mapping[str, Any]) -> Iterator[str]:
    for row in tables.operations(page.sources):
        operation = row["operation"]
        yield f"- `{operation.method} {operation.path}` ({operation.operation_id}): {row['line']}"


def _connection(page: Page, options: Mapping[str, Any]) -> Iterator[str]:
    yield f"- Sandbox: {page.sources.sandbox_url}"
    yield f"- Live: {page.sources.live_url}"
    yield "- `Authorization: Bearer YOUR_SERVICE_API_KEY`"


def _agents(page: Page, options: Mapping[str, Any]) -> Iterator[str]:
    for agent in page.sources.agents:
        speaks = ", ".join(agent["languages"])
        yield f"- `{agent['key']}`, {agent['name']}: {agent['description']} Speaks {speaks}."


def _statuses(page: Page, options: Mapping[str, Any]) -> Iterator[str]:
    for status in tables.statuses(page.sources.contract):
        over = "over" if status["over"] else "not over"
        yield f"- `{status['name']}` ({over}): {status['meaning']}"


def _states(page: Page, options: Mapping[str, Any]) -> Iterator[str]:
    life = tables.life(page.sources.contract)
    yield from ("```text", " → ".join(life["path"]))
    yield f"before anybody answers: {' | '.join(life['before'])}"
    yield from (f"after somebody answered: {' | '.join(life['after'])}", "```")


def _outcomes(page: Page, options: Mapping[str, Any]) -> Iterator[str]:
    for outcome in tables.outcomes(page.sources.contract):
        words = ", ".join(f"`{word}`" for word in outcome["words"])
        yield f"- {words} → `{outcome['name']}`: {outcome['meaning']}"


def _responses(page: Page, options: Mapping[str, Any]) -> Iterator[str]:
    for row in tables.responses(page.sources.contract.operations[options["operation"]]):
        codes = ", ".join(f"`{code}`" for code in row["codes"])
        yield f"- {row['status']} {row['phrase']}: {row['meaning']}{f' ({codes})' if codes else ''}"


def _scenarios(page: Page, options: Mapping[str, Any]) -> Iterator[str]:
    for row in tables.scenarios(page.sources):
        yield f"- `{row['number']}` {row['name']}: {row['line']}"
        yield f"  `{row['command']}`: {', '.join(row['times']) or 'nothing happens'}."


def _problem_index(page: Page, options: Mapping[str, Any]) -> Iterator[str]:
    for status, codes in tables.problem_index().items():
        yield f"- {status} {phrase(status)}: {', '.join(f'`{code}`' for code in codes)}"


def _serve_options(page: Page, options: Mapping[str, Any]) -> Iterator[str]:
    for row in serving.options(options.get("names", "").split()):
        default = f" Default: {row['default']}." if row["default"] else ""
        yield f"- `{row['name']}` (`{row['variable']}`): {row['meaning']}{default}"


def _workflows(page: Page, options: Mapping[str, Any]) -> Iterator[str]:
    for workflow in tables.workflows(page.sources):
        yield from (f"### {workflow['line']}", "")
        for number, step in enumerate(workflow["steps"], start=1):
            yield f"{number}. `{step['operation'].operation_id}` {step['line']}"
        yield ""


def _problems(page: Page, options: Mapping[str, Any]) -> Iterator[str]:
    for code, problem in PROBLEMS.items():
        provocation = filled(page.sources.provocations[code], page)
        yield from (f"### {problem.title}", "", f"`{code}`, status {problem.status}.")
        yield from (problem.meaning, problem.remedy, "")
        if "never" in provocation:
            yield first_sentence(provocation["never"])
        else:
            yield from _try_api(page, {"title": f"Provoke {code}", **provocation, "expect": code})
        yield ""


_WRITERS: Final[Mapping[str, Callable[[Page, Mapping[str, Any]], Iterator[str]]]] = {
    "try-api": _try_api,
    "fields": _fields,
    "operations": _operations,
    "connection": _connection,
    "agents": _agents,
    "statuses": _statuses,
    "states": _states,
    "outcomes": _outcomes,
    "responses": _responses,
    "scenarios": _scenarios,
    "problem-index": _problem_index,
    "serve-options": _serve_options,
    "workflows": _workflows,
    "problems": _problems,
    "inspector": lambda page, options: iter(("The inspector is an interactive page.",)),
}
