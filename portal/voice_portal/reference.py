"""The pages of the reference: one for each operation of both contracts, and one for shared schemas.

They are made when the portal is built, all from one template, and no file of them lies in docs/: an
operation that is added to a contract has its page.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from voice_portal.sources import Sources
from voice_sandbox.contract.model import Contract, Operation

INDEX: Final = "reference.md"
"""The page that lists all operations; in the navigation it stands before the pages made here."""
SCHEMAS: Final = "reference/schemas.md"
CONTROL: Final = "reference/sandbox"
"""Where the navigation has this in the place of a page, the operations of the sandbox come, and
after them what several operations share."""
_GUIDES: Final[Mapping[str, str]] = {
    "getCall": "follow-a-call.md",
    "callCompleted": "how-results-arrive.md",
}


def page_of(operation_id: str) -> str:
    """The file of an operation's page, such as ``reference/create-call.md``."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", operation_id)
    return f"reference/{words.lower()}.md"


def guide_of(operation: Operation) -> str:
    """The page that explains an operation of the service: its own, or the one of its tag."""
    return _GUIDES.get(operation.operation_id, f"{operation.tag.lower()}.md")


def is_of_operation(page: str, sources: Sources) -> bool:
    """Whether the page is that of one operation."""
    return any(page == page_of(name) for name in sources.operations)


def pages(sources: Sources) -> dict[str, str]:
    """Every page of the reference as Markdown, by its file."""
    found = {page_of(name): _operation_page(sources, name) for name in sources.operations}
    return {**found, SCHEMAS: "\n".join(_schemas_page(sources))}


def navigation(nav: list[Any], sources: Sources) -> list[Any]:
    """The navigation with the pages of the reference: those of the service behind its index."""
    return [entry for item in nav for entry in _with_pages(item, sources)]


def search_terms(sources: Sources) -> dict[str, dict[str, list[str]]]:
    """The words that lead to the page of an operation: its id, its path with and without method."""
    return {
        f"{page_of(name).removesuffix('.md')}/": {
            "page": [
                name,
                term_of(operation.path),
                term_of(f"{operation.method} {operation.path}"),
            ]
        }
        for name, operation in sources.operations.items()
    }


def term_of(path: str) -> str:
    """A path as one word, such as ``get_v1_calls_call_id``: the search does the same with a query
    (docs/assets/javascripts/workers/search.js)."""
    return re.sub(r"\W+", "_", path).strip("_").lower()


def first_of(operation: Operation, contract: Contract) -> Operation | None:
    """The operation that a card sends before this one: it creates what this one changes."""
    if operation.method == "GET":
        return None
    for other in contract.operations.values():
        targets = {link.operation_id for link in other.success.links.values()}
        if other.method == "POST" and operation.operation_id in targets:
            return other
    return None


def _operation_page(sources: Sources, name: str) -> str:
    return "\n".join(_operation_lines(sources, sources.operations[name]))


def _operation_lines(sources: Sources, operation: Operation) -> Iterator[str]:
    of_service = operation.operation_id in sources.contract.operations
    yield from (f"# {operation.summary}", "")
    yield from _fence("operation-head", operation)
    if of_service:
        yield from _fence("try-api", operation, **_card_options(sources, operation))
    else:
        yield from ("## Request", "")
        yield from _fence("operation-request", operation)
    if operation.parameters:
        yield from ("## Parameters", "")
        yield from _fence("operation-parameters", operation)
    if operation.body is not None:
        yield from ("## Request body", "")
        yield from _fence("operation-body", operation)
    yield from ("## Responses", "")
    yield from _fence("operation-responses", operation)
    yield from ("## Where to go next", "")
    yield from _fence("operation-next", operation)


def _card_options(sources: Sources, operation: Operation) -> Mapping[str, str]:
    first = first_of(operation, sources.contract)
    return {"first": first.operation_id} if first else {}


def _fence(name: str, operation: Operation, **options: str) -> Iterator[str]:
    yield from (f"```{name}", f"operation: {operation.operation_id}")
    yield from (f"{option}: {value}" for option, value in options.items())
    yield from ("```", "")


def _schemas_page(sources: Sources) -> Iterator[str]:
    yield from (
        "# Schemas",
        "",
        "Several operations share these values and objects.",
        "All other fields are on the page of the operation that has them.",
        "",
    )
    for name in sources.shared_schemas:
        yield from (f"## {name} {{ #{name} }}", "", "```schema", f"name: {name}", "```", "")
    yield from (
        "## Where to go next",
        "",
        f"The [API reference](../{INDEX}) lists all operations. [Errors](../errors.md) explains "
        "every problem.",
    )


def _with_pages(item: Any, sources: Sources) -> Iterator[Any]:
    if not isinstance(item, dict):
        yield item
        return
    [(title, value)] = item.items()
    if isinstance(value, list):
        yield {title: navigation(value, sources)}
        return
    if value == CONTROL:
        yield {title: list(_entries(sources.control.operations))}
        yield {"Schemas": SCHEMAS}
        return
    yield item
    if value == INDEX:
        yield from _entries(sources.contract.operations)


def _entries(operations: Mapping[str, Operation]) -> Iterator[dict[str, str]]:
    for name, operation in operations.items():
        yield {operation.summary: page_of(name)}
