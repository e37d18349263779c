"""A card shows no response that the contract does not document: one of the two would be wrong."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from voice_portal.page import PageError
from voice_portal.sources import Sources

PRICE = {"type": "integer", "description": "What the call costs.", "examples": [12]}
CARDS = {
    "CreatedCall": "operation: createCall",
    "Call": "operation: getCall",
    "AgentList": "operation: listAgents",
    "Agent": "operation: listAgents",
    "Receipt": "operation: callCompleted\nfirst: createCall/quickstart",
    "Problem": "operation: listAgents\ntoken: ''\nexpect: missing_token",
}


def card(options: Any) -> Any:
    return f"```try-api\n{options}\n```"


@pytest.mark.parametrize("schema", CARDS)
def test_field_that_nobody_implements_stops_the_build(
    render: Callable[..., Any], altered: Callable[..., Sources], schema: Any
) -> None:
    """A new required field of any response names the card, the place, and how to fix it."""

    def require_price(document: Any) -> None:
        node = document["components"]["schemas"][schema]
        node["required"].append("price")
        node["properties"]["price"] = PRICE

    with pytest.raises(PageError) as raised:
        render(card(CARDS[schema]), altered(require_price))
    place = "/agents/0/price" if schema == "Agent" else "/price"
    assert re.match(
        r"docs/guide\.md:5: try-api: The card try-\w+ shows the response \d+ of \w+, which is not "
        rf"what openapi\.yaml documents\. {place}: This field is missing\. What the call costs\. "
        r"Example: 12\. Fix the sandbox, or change openapi\.yaml\.",
        raised.value.message,
    )


def test_problem_of_an_unknown_path_is_checked_too(
    render: Callable[..., Any], altered: Callable[..., Sources]
) -> None:
    """No operation documents the response to an unknown path, and it is a problem all the same."""

    def require_price(document: Any) -> None:
        node = document["components"]["schemas"]["Problem"]
        node["required"].append("price")
        node["properties"]["price"] = PRICE

    with pytest.raises(PageError, match=r"of another path or method, which is .* /price: This"):
        render(
            card("operation: listAgents\npath: /v1/nowhere\nexpect: not_found"),
            altered(require_price),
        )


def test_missing_header_stops_the_build(
    render: Callable[..., Any], altered: Callable[..., Sources]
) -> None:
    """A required header that the sandbox does not send is named."""

    def require_header(document: Any) -> None:
        headers = document["paths"]["/v1/agents"]["get"]["responses"]["200"]["headers"]
        headers["X-Price"] = {
            "description": "What the request costs.",
            "required": True,
            "schema": {"type": "string"},
            "example": "12",
        }

    with pytest.raises(PageError, match=r"The header X-Price is missing\. What the"):
        render(card("operation: listAgents"), altered(require_header))


def test_header_of_another_form_stops_the_build(
    render: Callable[..., Any], altered: Callable[..., Sources]
) -> None:
    """A header whose value the contract forbids is shown with that value."""
    with pytest.raises(PageError, match=r"The header X-Request-Id: req_[0-9a-f]+ does not fit"):
        render(
            card("operation: listAgents"),
            altered("#/components/headers/XRequestId/schema", "pattern", "^[0-9]+$"),
        )


@pytest.mark.parametrize(
    ("pointer", "keyword", "value", "finding"),
    [
        ("Call/properties", "duration", {"type": "string"}, "/duration: This is a number, but"),
        ("Call/properties", "status", {"enum": ["ended"]}, "/status: This must be one of: ended"),
        ("Receipt", "properties", {"received": {"const": False}}, "/received: This value"),
    ],
)
def test_value_of_another_form_stops_the_build(
    render: Callable[..., Any],
    altered: Callable[..., Sources],
    pointer: str,
    keyword: str,
    value: Any,
    finding: str,
) -> None:
    """Type, words and values of a shown response are those of the contract."""
    schema = pointer.partition("/")[0]
    with pytest.raises(PageError, match=re.escape(finding)):
        render(card(CARDS[schema]), altered(f"#/components/schemas/{pointer}", keyword, value))
