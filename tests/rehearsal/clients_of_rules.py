"""The clients that show what the rules of a rehearsal are worth, and a run of one of them."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from voice_sandbox.contract.catalogue import read_catalogue
from voice_sandbox.contract.reader import find_contract, load_contract
from voice_sandbox.rehearsal.acts import PROGRAMME, read_programme, select
from voice_sandbox.rehearsal.rehearsal import Played, RehearsalPlan, needed, rehearse

ROOT: Final = Path(__file__).resolve().parent.parent.parent
CLIENTS: Final = Path(__file__).parent / "clients"
WAITING: Final = ROOT / "docs/examples/waiting"
AGENT: Final = read_catalogue(load_contract(find_contract())).agents[0].key
GOOD: Final = {"wait.py": sys.executable, "wait.mjs": "node", "wait.sh": "sh"}
"""The programs of the pages, and what runs each."""
BAD: Final = {"bad.py": sys.executable, "bad.mjs": "node"}
"""Clients that break the rule that is named by their argument."""

SHOWN_BY: Final[dict[str, tuple[str, ...]]] = {
    "nothing_sent": ("busy",),
    "double_dial": ("busy",),
    "retry_without_key": ("lost_response",),
    "retry_with_other_key": ("error_after_work",),
    "key_with_other_body": (),
    "retried_too_early": ("unavailable_twice",),
    "retried_in_vain": ("key_rejected",),
    "gave_up": ("lost_response",),
    "no_back_off": ("outage",),
    "polled_too_fast": ("never_completes",),
    "polled_after_end": ("busy",),
    "missed_end": ("busy",),
    "hung": ("stuck_queued",),
    "died": ("silence",),
    "malformed_request": (),
    "key_in_wrong_place": (),
    "unknown_agent": (),
    "ignored_agents": ("agents_changed",),
    "relied_on_words": ("other_words", "unavailable_twice"),
    "wrong_exit_status": ("key_rejected", "answered"),
}
"""Acts in which each rule can be broken, beside the one that all are measured by."""
FOLLOWS: Final[dict[str, set[str]]] = {
    "retry_without_key": {"double_dial"},
    "retry_with_other_key": {"double_dial"},
    "unknown_agent": {"ignored_agents"},
    "relied_on_words": {"gave_up"},
}
"""What cannot but be broken too."""


def rendered(name: str, folder: Path) -> Path:
    """A program of the pages as a reader has it."""
    source = WAITING / name
    text = (source if source.exists() else CLIENTS / name).read_text("utf-8")
    for word, value in {
        "{{ sandbox_url }}": "http://127.0.0.1:8010",
        "{{ quickstart.phone }}": "+12025550100",
        "{{ quickstart.agent }}": AGENT,
    }.items():
        text = text.replace(word, value)
    assert "{{" not in text
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def played_by(
    command: Sequence[str], names: Sequence[str] = (), *, jobs: int = 8, seconds: float = 18
) -> list[Played]:
    """The acts of those names, or all, as the command plays them."""
    programme = read_programme(PROGRAMME, load_contract(find_contract()))
    selected = select(programme, names)
    acts = needed(programme, selected)
    return rehearse(RehearsalPlan(command=command, acts=acts, timeout_seconds=seconds, jobs=jobs))


def broken(played: Sequence[Played]) -> dict[str, list[str]]:
    """Rule → what was said of it, with the acts."""
    found: dict[str, list[str]] = {}
    for each in played:
        for rule, finding in each.findings:
            found.setdefault(rule.code, []).append(f"{each.act.name}: {finding.sentence}")
    return found
