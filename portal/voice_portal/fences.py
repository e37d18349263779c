"""The fences of the pages: a name, the options it takes, and what it becomes.

A fence is a code block of ``pymdownx.superfences`` whose body is YAML:

    ```try-api
    operation: createCall
    example: quickstart
    ```

Each becomes HTML for the page, and Markdown for readers of text. A name or option that does not
exist stops the build with file, line and fix.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from voice_portal import fence_html, fence_text, reference_html, reference_text
from voice_portal.fence_options import FenceError, choose, read_options
from voice_portal.page import Page
from voice_portal.request_options import REQUEST_OPTIONS
from voice_sandbox.contract.problems import PROBLEMS

ENTRIES: Final = "problems"
"""The fence that becomes one heading and one ``problem`` fence a code: headings must be Markdown
so that the table of contents and the search see them."""


@dataclass(frozen=True, slots=True)
class Fence:
    """Both functions get the page and the options, of which all ``required`` are there."""

    name: str
    as_html: Callable[[Page, Mapping[str, Any]], str]
    as_text: Callable[[Page, Mapping[str, Any]], Iterator[str]]
    """The lines of Markdown that say the same."""
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()

    def html(self, body: str, page: Page) -> str:
        """The HTML of the fence with that body. Raises: `PageError`."""
        try:
            return self.as_html(page, self._options(body))
        except FenceError as error:
            line = page.line_of_fence(self.name, body)
            raise page.error(f"{self.name}: {error}", line=line) from None

    def text(self, body: str, page: Page) -> list[str]:
        """The Markdown of the fence with that body. Raises: `PageError`."""
        try:
            return list(self.as_text(page, self._options(body)))
        except FenceError as error:
            raise page.error(f"{self.name}: {error}") from None

    def _options(self, body: str) -> Mapping[str, Any]:
        options = read_options(body)
        for option in options:
            choose(str(option), (*self.required, *self.optional), "option")
        for option in self.required:
            if option not in options:
                raise FenceError(f"The option {option} is missing. Add a line {option}: …")
        return options


def with_entries(lines: Iterable[str]) -> Iterator[str]:
    """The lines with a heading and a ``problem`` fence a code in the place of ``problems``."""
    rest = iter(lines)
    for line in rest:
        if line.strip() != f"```{ENTRIES}":
            yield line
            continue
        next(rest)
        for problem in PROBLEMS.values():
            yield from (
                f"### {problem.title} {{ #{problem.code} }}",
                "",
                "```problem",
                f"code: {problem.code}",
                "```",
                "",
            )


def _of_operation(
    name: str,
    as_html: Callable[[Page, Mapping[str, Any]], str],
    as_text: Callable[[Page, Mapping[str, Any]], Iterator[str]],
) -> Fence:
    """A part of an operation's page."""
    return Fence(name, as_html, as_text, required=("operation",))


FENCES: Final[Mapping[str, Fence]] = {
    fence.name: fence
    for fence in (
        Fence(
            "try-api",
            fence_html.try_api,
            fence_text.try_api,
            required=("operation",),
            optional=(*REQUEST_OPTIONS[1:], "title", "line", "chain", "first", "expect", "opens"),
        ),
        Fence(
            "fields",
            fence_html.fields,
            fence_text.fields,
            optional=("schema", "general", "parameters"),
        ),
        Fence("operations", fence_html.operations, fence_text.operations, optional=("reference",)),
        Fence("connection", fence_html.connection, fence_text.connection),
        Fence("api-base", fence_html.api_base, fence_text.api_base),
        Fence("agents", fence_html.agents, fence_text.agents),
        Fence("statuses", fence_html.statuses, fence_text.statuses),
        Fence("faults", fence_html.faults, fence_text.faults),
        Fence("states", fence_html.states, fence_text.states),
        Fence("outcomes", fence_html.outcomes, fence_text.outcomes),
        Fence("limits", fence_html.limits, fence_text.limits),
        Fence("results", fence_html.results, fence_text.results),
        Fence("responses", fence_html.responses, fence_text.responses, required=("operation",)),
        Fence("scenarios", fence_html.scenarios, fence_text.scenarios),
        Fence(
            "serve-options",
            fence_html.serve_options_table,
            fence_text.serve_options_list,
            optional=("names", "title"),
        ),
        Fence("commands", fence_html.commands, fence_text.commands),
        Fence("command", fence_html.command, fence_text.command, required=("name",)),
        Fence("exit-codes", fence_html.exit_codes, fence_text.exit_codes),
        Fence("workflows", fence_html.workflows, fence_text.workflows),
        Fence("inspector", fence_html.sandbox_inspector, fence_text.sandbox_inspector),
        Fence("problem-index", fence_html.problem_index, fence_text.problem_index),
        Fence("rejection-order", fence_html.rejection_order, fence_text.rejection_order),
        Fence("problem", fence_html.problem, fence_text.problem, required=("code",)),
        _of_operation("operation-head", reference_html.head, reference_text.head),
        _of_operation("operation-request", reference_html.request, reference_text.request),
        _of_operation("operation-parameters", reference_html.parameters, reference_text.parameters),
        _of_operation("operation-body", reference_html.body, reference_text.body),
        _of_operation("operation-responses", reference_html.responses, reference_text.responses),
        _of_operation("operation-next", reference_html.next_step, reference_text.next_step),
        Fence("schema", reference_html.schema, reference_text.schema, required=("name",)),
    )
}
