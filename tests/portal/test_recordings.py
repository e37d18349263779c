"""Recorded responses: the build stops when one is no longer true, and says how to go on."""

import json
from pathlib import Path
from typing import Any

import pytest

from voice_portal import recordings
from voice_portal.fence_options import FenceError
from voice_portal.page import Page
from voice_portal.request_options import request_of
from voice_portal.sources import Sources


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """An empty folder of recordings."""
    monkeypatch.setattr(recordings, "FOLDER", tmp_path)
    monkeypatch.delenv(recordings.RECORD_VARIABLE, raising=False)
    return tmp_path


@pytest.fixture
def check(folder: Path, sources: Sources) -> Any:
    """Compares the response to one request with the recordings of docs/guide.md."""

    def check(**request: Any) -> None:
        responses = sources.responses.record([request_of(sources, request)])
        recordings.check(sources, Page("guide.md", 1, sources), "the-card", responses)

    return check


@pytest.fixture
def recorded(folder: Path, check: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The file of a recording that was just made."""
    monkeypatch.setenv(recordings.RECORD_VARIABLE, "write")
    check(operation="listAgents")
    monkeypatch.delenv(recordings.RECORD_VARIABLE)
    return folder / "guide.json"


def test_same_response_passes(recorded: Any, check: Any) -> None:
    """Ids and times differ from run to run, and yet the same response is the same recording."""
    check(operation="listAgents")


def test_changed_response_stops_the_build(recorded: Any, check: Any) -> None:
    """The message names card and file, shows both responses, and says how to go on."""
    changed = json.loads(recorded.read_text("utf-8"))
    changed["the-card"][0]["status"] = 299
    recorded.write_text(json.dumps(changed), "utf-8")
    with pytest.raises(FenceError) as raised:
        check(operation="listAgents")
    message = str(raised.value)
    assert "the-card" in message
    assert '"status": 299' in message
    assert '"status": 200' in message
    assert "make record" in message


def test_card_without_recording_stops_the_build(check: Any) -> None:
    """A new card is recorded on purpose, and looked at."""
    with pytest.raises(FenceError, match=r"has no response in .* Run `make record`"):
        check(operation="listAgents")


def test_recording_without_card_is_found(recorded: Any) -> None:
    """A recording that no page shows is named; while recording it is removed."""
    assert recordings.left_over({"guide.md": {"the-card"}}) == []
    [left] = recordings.left_over({"guide.md": set()})
    assert left.endswith("guide.json: the-card")


def test_recording_names_no_fact_of_the_contract(recorded: Any, sources: Sources) -> None:
    """Agents stand as placeholders, so that renaming one changes no recording."""
    text = recorded.read_text("utf-8")
    assert "{{ agents.0.key }}" in text
    assert not any(f'"{agent["key"]}"' in text for agent in sources.agents)


def test_two_recordings_of_one_creation_are_equal(sources: Sources) -> None:
    """Names generated in a run become the examples of the contract."""
    one, other = (
        sources.responses.record([request_of(sources, {"operation": "createCall"})])
        for _ in range(2)
    )
    assert one == other
    assert one[0].body == {"call_id": sources.call_id}
