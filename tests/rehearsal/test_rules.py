"""The rules of a rehearsal catch the clients that break them, and no client that keeps them."""

import os
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from node_tools import NodeTools
from voice_sandbox.rehearsal.rules import RULES

from .clients_of_rules import (
    AGENT,
    BAD,
    CLIENTS,
    FOLLOWS,
    GOOD,
    SHOWN_BY,
    broken,
    played_by,
    rendered,
)


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, node_tools: NodeTools) -> None:
    """All clients give up soon, and Node is there."""
    monkeypatch.setenv("CALL_DEADLINE_SECONDS", "9")
    monkeypatch.setenv("KNOWN_AGENT", AGENT)
    monkeypatch.setenv("PATH", f"{node_tools.node.parent}{os.pathsep}{os.environ['PATH']}")


def test_each_rule_is_broken_by_two_clients() -> None:
    """A rule without a client that breaks it would be a rule that nothing holds."""
    assert list(SHOWN_BY) == [rule.code for rule in RULES]
    for name in BAD:
        source = (CLIENTS / name).read_text("utf-8")
        assert [code for code in SHOWN_BY if f'"{code}"' not in source] == []


def test_bad_clients_break_their_rule_and_no_other() -> None:
    """Each of two clients for a rule breaks it, and nothing that has no part in it."""

    def play(name: str, code: str) -> tuple[str, str, dict[str, list[str]]]:
        command = [BAD[name], str(CLIENTS / name), code]
        return name, code, broken(played_by(command, ("answered", *SHOWN_BY[code]), jobs=4))

    with ThreadPoolExecutor(6) as pool:
        runs = [pool.submit(play, name, code) for code in SHOWN_BY for name in BAD]
    wrong = [
        (name, code, found)
        for name, code, found in (run.result() for run in runs)
        if code not in found or not set(found) <= {code, *FOLLOWS.get(code, ())}
    ]
    assert wrong == []


@pytest.mark.parametrize("name", GOOD)
def test_good_client_passes_every_act(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python, Node and the shell: what the pages tell to write breaks no rule."""
    if name == "wait.sh" and (shutil.which("jq") is None or shutil.which("curl") is None):
        pytest.skip("jq or curl is missing: apt-get install jq curl")
    monkeypatch.setenv("CALL_DEADLINE_SECONDS", "20")
    played = played_by([GOOD[name], str(rendered(name, tmp_path))], jobs=25, seconds=40)
    assert broken(played) == {}
    assert len(played) >= 20


def test_first_version_of_the_page_fails_for_its_faults(tmp_path: Path) -> None:
    """The polling code of version 0.1 never dials twice, but hangs, gives up and dies."""
    played = played_by([sys.executable, str(rendered("wait_0_1.py", tmp_path))])
    assert set(broken(played)) == {"gave_up", "hung", "died"}
    passed = {each.act.name for each in played if each.passed}
    assert {"answered", "busy", "voicemail", "long_transcript", "conflicting_results"} <= passed
    assert not passed & {"stuck_queued", "lost_response", "unavailable_twice", "gateway_page"}
