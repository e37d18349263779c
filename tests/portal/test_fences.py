"""Fences: what a page asks for is shown, and what does not exist stops the build with the fix."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from voice_portal.fences import FENCES
from voice_portal.page import PageError
from voice_portal.sources import Sources


def fence(name: str, *options: str) -> str:
    return "\n".join(("A line above.", "", f"```{name}", *options, "```"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            fence("try-api", "operation: creatCall"),
            "docs/guide.md:7: try-api: There is no operation creatCall. Did you mean createCall?",
        ),
        (
            fence("try-api", "operation: createCall", "example: quickstarts"),
            "docs/guide.md:7: try-api: There is no example of createCall named quickstarts. "
            "Did you mean quickstart?",
        ),
        (
            fence("try-api", "operation: listAgents", "example: any"),
            "docs/guide.md:7: try-api: There is no example of listAgents named any. "
            "There are none to choose from: leave it out.",
        ),
        (
            fence("try-api", "operation: createCall", "scenario: busi"),
            "docs/guide.md:7: try-api: There is no scenario busi. Did you mean busy?",
        ),
        (
            fence("try-api", "operation: listAgents", "scenario: busy"),
            "docs/guide.md:7: try-api: listAgents calls no number, so it plays no scenario.",
        ),
        (
            fence("try-api", "operation: getCall", "parameters: { id: x }"),
            "docs/guide.md:7: try-api: There is no path parameter of getCall named id. "
            "Choose one of: call_id.",
        ),
        (
            fence("try-api", "operation: createCall", "expect: validation_faild"),
            "docs/guide.md:7: try-api: There is no problem validation_faild. "
            "Did you mean validation_failed?",
        ),
        (
            fence("try-api", "operation: listAgents", "expect: call_not_found"),
            "docs/guide.md:7: try-api: listAgents documents no problem call_not_found.",
        ),
        (
            fence("try-api", "operation: createCall", "expect: validation_failed"),
            "docs/guide.md:7: try-api: The response to POST /v1/calls is 201 with success, "
            "not validation_failed",
        ),
        (
            fence("try-api", "operation: createCall", "body: { phone: '12' }"),
            "docs/guide.md:7: try-api: The response to POST /v1/calls is 422 "
            "validation_failed, not with success: The body does not fit the contract in 1 place.",
        ),
        (
            fence("try-api", "operation: callCompleted", "first: createCall/slow"),
            "docs/guide.md:7: try-api: There is no example of createCall named slow. "
            "Choose one of: quickstart, second_agent.",
        ),
        (
            fence("try-api", "operation: createCall", "exampel: quickstart"),
            "docs/guide.md:7: try-api: There is no option exampel. Did you mean example?",
        ),
        (
            fence("try-api", "example: quickstart"),
            "docs/guide.md:7: try-api: The option operation is missing. Add a line operation: …",
        ),
        (
            fence("try-api", "operation: [createCall"),
            "docs/guide.md:7: try-api: The fence is not YAML",
        ),
        (
            fence("try-api", "createCall"),
            "docs/guide.md:7: try-api: The fence is not a list of options.",
        ),
        (
            fence("try-api createCall"),
            "docs/guide.md:7: The fence try-api takes no createCall on its first line.",
        ),
        (
            fence("tryapi", "operation: createCall"),
            "docs/guide.md:7: There is no fence or language tryapi. Did you mean try-api?",
        ),
        (
            fence("fields", "schema: NewCal"),
            "docs/guide.md:7: fields: There is no schema NewCal. Did you mean NewCall?",
        ),
        (
            fence("fields"),
            "docs/guide.md:7: fields: Give either schema: or parameters:, one of them.",
        ),
        (
            fence("problem", "code: call_not_fond"),
            "docs/guide.md:7: problem: There is no problem call_not_fond. "
            "Did you mean call_not_found?",
        ),
    ],
    ids=lambda value: value.splitlines()[2][3:] if "\n" in value else None,
)
def test_what_does_not_exist_stops_the_build(
    render: Callable[..., Any], text: str, message: str
) -> None:
    """A fence that asks for what does not exist raises with file, line and the fix."""
    with pytest.raises(PageError) as raised:
        render(text)
    assert raised.value.message.startswith(message)


@pytest.mark.parametrize("name", ["operations", "connection", "agents", "scenarios"])
def test_generated_list_takes_no_options(render: Callable[..., Any], name: str) -> None:
    """A generated list is complete by itself, so an option for it is a mistake."""
    with pytest.raises(PageError, match="There is no option only"):
        render(fence(name, "only: some"))


def test_every_fence_has_a_template_that_renders(render: Callable[..., Any]) -> None:
    """Each fence renders with the least options it needs."""
    least = {
        "try-api": ["operation: createCall"],
        "fields": ["schema: Call"],
        "responses": ["operation: getCall"],
        "problem": ["code: call_not_found"],
        "command": ["name: serve"],
        "schema": ["name: Problem"],
        **{name: ["operation: createCall"] for name in FENCES if name.startswith("operation-")},
    }
    for name in FENCES:
        html = render(fence(name, *least.get(name, [])))
        assert html.find("pre", class_="superfences") is None
        assert "```" not in html.get_text(), name


def test_card_is_complete_without_javascript(render: Callable[..., Any], sources: Sources) -> None:
    """The card's HTML holds method, path, title, a program in each language, and the response."""
    html = render(fence("try-api", "operation: createCall", "example: quickstart"))
    card = html.find("try-api")
    operation = sources.contract.operations["createCall"]
    assert operation.body is not None
    assert card.find(class_="method").text == "POST"
    assert card.find(class_="endpoint-path").text == "/v1/calls"
    assert card.find(class_="card-title").text == operation.body.examples["quickstart"].summary
    assert [panel["data-language"] for panel in card.find_all(class_="card-panel")] == [
        *("bash", "python", "javascript"),
        *("php", "go", "java", "csharp"),
    ]
    response = json.loads(card.find(class_="card-json").text)
    assert response == operation.success.examples["created"].value
    assert "Recorded response" in card.find(class_="card-status").text


def test_card_gives_its_script_data_of_the_contract(
    render: Callable[..., Any], sources: Sources
) -> None:
    """The script learns request, links and states from the contract, and nothing else."""
    card = render(fence("try-api", "operation: createCall")).find("try-api")
    data = json.loads(card["data-card"])
    [request] = data["requests"]
    assert request["links"][0] == {
        "operation": "getCall",
        "parameters": {"call_id": "$response.body#/call_id"},
        "body": None,
    }
    assert data["life"]["states"] == sources.contract.schema("CallStatus")["enum"]
    assert data["life"]["unfinished"] == ["queued", "ringing", "in_progress"]


def test_card_has_neither_inline_script_nor_style(render: Callable[..., Any]) -> None:
    """A strict content security policy can be set later: cards carry no inline code."""
    html = render(fence("try-api", "operation: createCall"))
    inline = [
        element.name
        for element in html.find_all(True)
        if element.name in ("script", "style")
        or any(name == "style" or name.startswith("on") for name in element.attrs)
    ]
    assert inline == []


def test_two_cards_of_one_operation_have_different_ids(render: Callable[..., Any]) -> None:
    """The same operation may stand on a page twice, and no id is given twice."""
    html = render("\n\n".join([fence("try-api", "operation: createCall")] * 2))
    ids = [element["id"] for element in html.find_all(id=True)]
    assert len(ids) == len(set(ids))


def test_markup_in_an_agents_name_stays_text(
    render: Callable[..., Any], sources: Sources, changed: Any
) -> None:
    """A name that looks like markup is shown letter by letter, in lists, cards and prose."""
    markup = "<img src=x onerror=alert(1)>"
    hostile = changed(f"name: {sources.agents[0]['name']}\n", f"name: {markup}\n")
    text = "\n\n".join(
        (
            fence("agents"),
            fence("try-api", "operation: listAgents"),
            "The agent {{ agents.0.name }} and `{{ agents.0.name }}`.",
        )
    )
    html = render(text, hostile)
    assert html.find("img") is None
    assert html.get_text().count(markup) == 4


def test_headings_of_problems_are_in_the_table_of_contents(render: Callable[..., Any]) -> None:
    """Each problem is a real heading whose id is the code, so toc and search find it."""
    html = render("# Errors\n\n```problems\n```\n")
    heading = html.find(id="call_not_found")
    assert heading.name == "h3"
    assert heading.text == "No such call"
