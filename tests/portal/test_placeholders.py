"""Placeholders: values of the contract in running text and in code."""

from collections.abc import Callable
from typing import Any

import pytest

from voice_portal.page import PageError
from voice_portal.sources import Sources


def test_placeholder_becomes_the_contracts_value(
    render: Callable[..., Any], sources: Sources
) -> None:
    """A placeholder stands for one value of the contract."""
    html = render("Live is {{ live_url }}, version {{ contract.version }}.")
    assert html.text == f"Live is {sources.live_url}, version {sources.contract.version}."


def test_placeholder_works_inside_code(render: Callable[..., Any], sources: Sources) -> None:
    """Code spans and fenced code show the value as it stands, not escaped twice."""
    html = render("`{{ quickstart.phone }}`\n\n```sh\necho {{ scenarios.busy }}\n```\n")
    body = sources.contract.operations["createCall"].body
    assert body is not None
    phone = body.examples["quickstart"].value["phone"]
    [busy] = [scenario.number for scenario in sources.scenarios if scenario.name == "busy"]
    assert html.find("code").text == phone
    assert html.find("pre").text.strip() == f"echo {busy}"


@pytest.mark.parametrize(
    ("placeholder", "fix"),
    [
        ("{{ live_uri }}", "live_uri is not one of live_url, sandbox_url"),
        ("{{ agents.9.key }}", "9 is not one of 0, 1"),
        ("{{ quickstart }}", "stands for several values. Name one of its parts: phone, agent"),
        ("{{ live_url.host }}", "a value has no parts"),
        ("{{ }}", "nothing is not one of"),
    ],
)
def test_unknown_placeholder_stops_the_build(
    render: Callable[..., Any], placeholder: str, fix: str
) -> None:
    """An unknown placeholder raises with its name, the file, the line and the fix."""
    with pytest.raises(PageError) as raised:
        render(f"First line.\n\nSecond {placeholder} line.")
    assert raised.value.message.startswith("docs/guide.md:7: ")
    assert fix in raised.value.message
