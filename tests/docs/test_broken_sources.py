"""The build stops on whatever is wrong, quiet or not, and says the file, the line and the fix."""

from pathlib import Path
from typing import Any

import pytest

from built_pages import DOCS, build_in, copy_sources


def first_card(name: str) -> str:
    """The place of the first card of a page, as a message names it."""
    lines = (DOCS / name).read_text("utf-8").split("\n")
    return f"docs/{name}:{lines.index('```try-api') + 1}"


CALLS, INDEX = first_card("calls.md"), first_card("index.md")

BROKEN = {
    "operation": (
        "docs/calls.md",
        "operation: createCall",
        "operation: createCal",
        f"{CALLS}: try-api: There is no operation createCal. Did you mean createCall?",
    ),
    "example": (
        "docs/calls.md",
        "example: quickstart",
        "example: quikstart",
        f"{CALLS}: try-api: There is no example of createCall named quikstart. "
        "Did you mean quickstart?",
    ),
    "scenario": (
        "docs/calls.md",
        "example: quickstart",
        "scenario: bussy",
        f"{CALLS}: try-api: There is no scenario bussy. Did you mean busy?",
    ),
    "placeholder": (
        "docs/calls.md",
        "{{ quickstart.phone }}",
        "{{ quikstart.phone }}",
        "There is no value for the placeholder {{ quikstart.phone }}",
    ),
    "page": (
        "docs/calls.md",
        "(agents.md)",
        "(agent.md)",
        "The link agent.md leads nowhere. Did you mean agents.md?",
    ),
    "anchor": (
        "docs/follow-a-call.md",
        "#virtual-clock",
        "#virtual-clok",
        "has no #virtual-clok. Did you mean #virtual-clock?",
    ),
    "recording": (
        "portal/voice_portal/recordings/calls.json",
        '"status": 201',
        '"status": 202',
        f"{CALLS}: try-api: The card try-createcall no longer shows the response that is in",
    ),
    "field that nobody implements": (
        "openapi.yaml",
        "required: [call_id]\n      properties:\n",
        "required: [call_id, price]\n      properties:\n        price: { type: integer }\n",
        f"{INDEX}: try-api: The card try-createcall shows the response 201 of createCall, "
        "which is not what openapi.yaml documents. /price: This field is missing. "
        "Fix the sandbox, or change openapi.yaml.",
    ),
    "option given twice": (
        "docs/calls.md",
        "example: quickstart\n",
        "example: quickstart\nexample: second_agent\n",
        f"{CALLS}: try-api: The fence is not YAML: options:3: The key example is given "
        "twice. Leave one.",
    ),
    "expression": (
        "openapi.yaml",
        "$response.body#/call_id",
        "$response.body#/cal_id",
        "the link followTheCall reads $response.body#/cal_id, which the response of createCall",
    ),
    "link": (
        "openapi.yaml",
        "completeTheCall:\n              operationId: callCompleted",
        "completeTheCall:\n              operationId: callComplete",
        "openapi.yaml: the link completeTheCall of createCall names no operation: callComplete.",
    ),
    "lost operation": (
        "openapi.yaml",
        "operationId: listAgents",
        "operationId: listVoices",
        "openapi.yaml: there is no 'listAgents' any more",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_build_stops_and_says_where_and_what(root: Path, tmp_path: Path, case: Any) -> None:
    """One slip in pages, recordings or contract: no site, no traceback, one sentence that helps."""
    name, old, new, told = BROKEN[case]
    copy_sources(root, tmp_path)
    file = tmp_path / name
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), "utf-8")
    built = build_in(tmp_path)
    said = built.stdout + built.stderr
    assert built.returncode != 0
    assert told in said
    assert "Traceback" not in said
