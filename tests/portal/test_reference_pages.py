"""Which pages the reference has, where they lie, and how they come into the navigation."""

from typing import Any

import pytest
from msgspec.structs import replace

from voice_portal import reference
from voice_portal.fields import fields_of, rules_of
from voice_portal.sources import Sources


def test_address_is_readable() -> None:
    """An operationId becomes words in small letters."""
    assert reference.page_of("createCall") == "reference/create-call.md"
    assert reference.page_of("exportHAR") == "reference/export-har.md"


def test_no_two_operations_share_an_address(sources: Sources) -> None:
    """Each operation of both contracts has a page, and there is one for the schemas."""
    assert len(reference.pages(sources)) == len(sources.operations) + 1


def test_new_operation_has_its_page_and_its_place(sources: Sources) -> None:
    """The contract alone makes the page: its address, its fences, its row in the navigation."""
    contract = sources.contract
    added = replace(contract.operations["listAgents"], operation_id="listVoices", summary="Voices")
    operations = {**contract.operations, "listVoices": added}
    changed = Sources(replace(contract, operations=operations), sources.scenarios)
    page = reference.pages(changed)["reference/list-voices.md"]
    assert page.startswith("# Voices\n")
    assert "```try-api\noperation: listVoices\n```" in page
    assert "## Responses" in page
    nav = reference.navigation([{"Reference": [{"Index": "reference.md"}]}], changed)
    assert {"Voices": "reference/list-voices.md"} in nav[0]["Reference"]
    assert reference.search_terms(changed)["reference/list-voices/"]["page"][0] == "listVoices"


def test_navigation_keeps_what_it_has(sources: Sources) -> None:
    """Pages of the service come behind the index, those of the sandbox where they are named."""
    nav: list[Any] = ["index.md", {"Guides": [{"Calls": "calls.md"}]}, {"API": "reference.md"}]
    nav.append({sources.control.title: reference.CONTROL})
    added = reference.navigation(nav, sources)
    assert added[:3] == nav[:3]
    assert added[-1] == {"Schemas": "reference/schemas.md"}
    [control] = [item for item in added if sources.control.title in item]
    assert added[-2] == control
    assert len(control[sources.control.title]) == len(sources.control.operations)


def test_request_that_changes_something_comes_after_its_creation(sources: Sources) -> None:
    """A completion needs a call that has not ended; reading one does not."""

    def first(name: str) -> str | None:
        found = reference.first_of(sources.contract.operations[name], sources.contract)
        return found.operation_id if found else None

    assert first("callCompleted") == "createCall"
    assert first("getCall") is first("createCall") is first("listAgents") is None


@pytest.mark.parametrize("name", ["/v1/calls/{call_id}", "GET /v1/calls/{call_id}"])
def test_path_is_one_word_of_the_search(name: str) -> None:
    """The search takes a path for one word, with its method or without."""
    assert reference.term_of(name).endswith("v1_calls_call_id")


def test_forms_of_a_value_are_told_apart(sources: Sources) -> None:
    """A value of several forms lists each with its fields."""
    fields = list(fields_of(sources.control, sources.control.schema("NewNumber")))
    forms = [field for field in fields if field.is_form and field.depth == 0]
    assert [form.name for form in forms] == ["either", "or", "or"]
    assert fields[1].name == "scenario"
    assert (fields[1].depth, fields[1].presence) == (1, "required")


def test_object_is_opened_once(sources: Sources) -> None:
    """The second field with the same schema is linked and not listed again."""
    fields = list(fields_of(sources.control, sources.control.schema("Exchange")))
    names = [field.name for field in fields]
    assert "request.headers" in names
    assert "response.headers" not in names
    assert {f.name for f in fields if f.schema == "Message"} == {"request", "response"}
    assert sources.shared_schemas["Message"].operations.keys() == {"readExchange"}


def test_rules_of_several_fields_are_sentences(sources: Sources) -> None:
    """What holds for several fields together stands below them."""
    rules = rules_of(sources.contract, sources.contract.schema("Call"))
    assert len(rules) >= 2
    assert all(rule.endswith(".") for rule in rules)
