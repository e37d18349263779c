"""openapi.yaml alone: each path, status and limit that changes there changes on the pages."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from read_once import contracts
from voice_portal.page import PageError
from voice_portal.sources import Sources
from voice_sandbox.contract.model import Operation
from voice_sandbox.contract.pointers import at, escape_pointer

CONTRACT, _ = contracts()
OPERATIONS = CONTRACT.operations
LIMITS = ("minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems", "pattern")
NUMBER = 31337
EARLIER = {
    link.operation_id: operation.operation_id
    for operation in OPERATIONS.values()
    for link in operation.success.links.values()
}
"""The operation whose link leads to another: what it returns is what the other needs."""


def limits(node: Any, pointer: str) -> Iterator[tuple[str, str]]:
    """Where a limit of a value stands: the pointer of its schema, and the keyword."""
    for keyword, inner in node.items() if isinstance(node, dict) else enumerate(node):
        if keyword in LIMITS and not isinstance(inner, dict):
            yield pointer, keyword
        elif isinstance(inner, (dict, list)) and keyword != "x-allOf":
            yield from limits(inner, f"{pointer}/{escape_pointer(str(keyword))}")


def card(operation: Operation, *options: str) -> str:
    name = operation.operation_id
    first = (f"first: {EARLIER[name]}",) if name in EARLIER else ()
    return "\n".join(("```try-api", f"operation: {name}", *first, *options, "```"))


def statuses() -> Iterator[tuple[str, int]]:
    for operation in OPERATIONS.values():
        for status in operation.responses:
            yield operation.operation_id, status


@pytest.mark.parametrize("name", OPERATIONS)
def test_cards_follow_a_path(
    render: Callable[..., Any], altered: Callable[..., Sources], name: str
) -> None:
    """A card shows and sends the path that the contract has now, and the sandbox takes it."""
    operation = OPERATIONS[name]
    moved = operation.path.replace("/v1/", "/v9/moved/")

    def move(document: Any) -> None:
        text = operation.path.partition("{")[0]
        location = document["paths"]["/v1/calls"]["post"]["responses"]["201"]["headers"]["Location"]
        if name == "getCall":  # a new call is named by the path that reads it
            pattern = location["schema"]["pattern"]
            location["schema"]["pattern"] = pattern.replace(text, moved.partition("{")[0])
        document["paths"] = {
            moved if path == operation.path else path: item
            for path, item in document["paths"].items()
        }

    sources = altered(move)
    html = render(card(operation), sources)
    assert html.find(class_="endpoint-path").text == moved
    sent = moved.partition("{")[0]
    for panel in html.find_all(class_="card-panel"):
        assert sent in panel.get_text(), panel["data-language"]
    if name == "getCall":
        assert sent in render(card(OPERATIONS["createCall"]), sources).find("dl").get_text()


@pytest.mark.parametrize("name", OPERATIONS)
def test_cards_follow_the_status_of_a_success(
    render: Callable[..., Any], altered: Callable[..., Sources], name: str
) -> None:
    """A card shows the status that the contract gives a success, as the sandbox sends it."""
    operation = OPERATIONS[name]
    pointer = f"#/paths/{escape_pointer(operation.path)}/{operation.method.lower()}"

    def change(document: Any) -> None:
        found = at(document, pointer)
        found["responses"] = {
            "202" if status == str(operation.success.status) else status: response
            for status, response in found["responses"].items()
        }

    html = render(card(operation), altered(change))
    assert html.select_one(".card-status .status").text == "202 Accepted"


@pytest.mark.parametrize(("name", "status"), list(statuses()))
def test_lists_follow_every_status(
    render: Callable[..., Any], altered: Callable[..., Sources], name: str, status: Any
) -> None:
    """The list of an operation's responses has the statuses that the contract has now."""
    operation = OPERATIONS[name]
    pointer = f"#/paths/{escape_pointer(operation.path)}/{operation.method.lower()}"

    def change(document: Any) -> None:
        found = at(document, pointer)
        new = "208" if status < 300 else "451"
        found["responses"] = {
            new if each == str(status) else each: response
            for each, response in found["responses"].items()
        }

    shown = render(f"```responses\noperation: {name}\n```", altered(change)).get_text()
    assert str(status) not in shown
    assert ("208 Already Reported" if status < 300 else "451 Unavailable") in shown


def test_status_that_the_sandbox_does_not_send_stops_the_build(
    render: Callable[..., Any], altered: Callable[..., Sources]
) -> None:
    """The status of a problem is that of the table: a contract that says another is found out."""
    pointer = "#/paths/~1v1~1calls~1{call_id}/get"

    def change(document: Any) -> None:
        found = at(document, pointer)
        found["responses"]["410"] = found["responses"].pop("404")

    options = ("parameters: { call_id: x }", "expect: call_not_found")
    with pytest.raises(PageError, match=r"call_not_found with the status 410, but the table "):
        render(card(OPERATIONS["getCall"], *options), altered(change))


@pytest.mark.parametrize(
    ("pointer", "keyword"),
    [
        *limits(CONTRACT.document["components"]["schemas"], "#/components/schemas"),
        *limits(CONTRACT.document["components"]["parameters"], "#/components/parameters"),
    ],
)
def test_field_lists_follow_a_limit(
    render: Callable[..., Any], altered: Callable[..., Sources], pointer: str, keyword: str
) -> None:
    """The list of fields tells every limit that the contract sets, and tells the new one."""
    value = "^31337$" if keyword == "pattern" else NUMBER
    sources = altered(pointer, keyword, value)
    fences = [
        f"```fields\nschema: {name}\n```"
        for name, schema in sources.contract.components["schemas"].items()
        if "properties" in schema
    ]
    fences += [
        f"```fields\nparameters: {name}\n```"
        for name, operation in sources.contract.operations.items()
        if operation.parameters
    ]
    shown = render("\n\n".join(fences), sources).get_text()
    assert re.search(r"31,?337", shown)


@pytest.mark.parametrize("name", [name for name, each in OPERATIONS.items() if each.body])
def test_cards_follow_the_limit_of_a_body(
    render: Callable[..., Any], altered: Callable[..., Sources], name: str
) -> None:
    """The card of a body that is too large sends one byte more than the contract allows now."""
    operation = OPERATIONS[name]
    pointer = f"#/paths/{escape_pointer(operation.path)}/{operation.method.lower()}/requestBody"
    options = ("over_limit: true", "expect: body_too_large")
    sources = altered(pointer, "x-max-body-bytes", NUMBER)
    html = render(card(operation, *options), sources)
    assert str(NUMBER + 1) in html.find(class_="card-panel").get_text()
