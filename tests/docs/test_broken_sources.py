"""The build stops on whatever is wrong, quiet or not, and says the file, the line and the mend."""

import shutil
import subprocess
import sys

import pytest

from built_pages import SOURCES, python_path

BROKEN = {
    "operation": (
        "docs/calls.md",
        "operation: createCall",
        "operation: createCal",
        "docs/calls.md:8: try-api: There is no operation createCal. Did you mean createCall?",
    ),
    "example": (
        "docs/calls.md",
        "example: quickstart",
        "example: quikstart",
        "docs/calls.md:8: try-api: There is no example of createCall named quikstart. "
        "Did you mean quickstart?",
    ),
    "scenario": (
        "docs/calls.md",
        "example: quickstart",
        "scenario: bussy",
        "docs/calls.md:8: try-api: There is no scenario bussy. Did you mean busy?",
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
        "docs/calls.md",
        "#virtual-clock",
        "#virtual-clok",
        "has no #virtual-clok. Did you mean #virtual-clock?",
    ),
    "recording": (
        "portal/voice_portal/recordings/calls.json",
        '"status": 201',
        '"status": 202',
        "docs/calls.md:8: try-api: The card try-createcall is no longer answered as",
    ),
    "expression": (
        "openapi.yaml",
        "$response.body#/call_id",
        "$response.body#/cal_id",
        "the link followTheCall reads $response.body#/cal_id, which the answer of createCall",
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
def test_build_stops_and_says_where_and_what(root, tmp_path, case):
    """One slip in pages, recordings or contract: no site, no traceback, one sentence that helps."""
    name, old, new, told = BROKEN[case]
    for part in SOURCES:
        copy = shutil.copytree if (root / part).is_dir() else shutil.copyfile
        copy(root / part, tmp_path / part)
    file = tmp_path / name
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), "utf-8")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet"],
        cwd=tmp_path,
        env=python_path(tmp_path),
        capture_output=True,
        text=True,
    )
    said = built.stdout + built.stderr
    assert built.returncode != 0
    assert told in said
    assert "Traceback" not in said
