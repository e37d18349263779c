"""What a verification found, for people, as JUnit XML and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any
from xml.etree import ElementTree as ET

from voice_sandbox.junit import add_result, encoded
from voice_sandbox.verification.check import Check
from voice_sandbox.verification.identity import Identity
from voice_sandbox.verification.runner import Outcome


class Verdict(Enum):
    """The whole in one word; the value of each is the exit code."""

    CONFORMS = 0
    BREAKS = 1
    UNCLEAR = 2


@dataclass(frozen=True, slots=True)
class Report:
    """One verification. ``left_out`` are checks that this deployment does not allow."""

    url: str
    identity: Identity
    outcomes: Sequence[Outcome]
    left_out: Sequence[Check]
    stopped: str = ""
    """One sentence, where the run ended early."""

    @property
    def verdict(self) -> Verdict:
        if any(outcome.finding and not outcome.has_no_response for outcome in self.outcomes):
            return Verdict.BREAKS
        if self.stopped or not self.outcomes or any(outcome.doubt for outcome in self.outcomes):
            return Verdict.UNCLEAR
        if any(outcome.finding for outcome in self.outcomes):
            return Verdict.BREAKS
        return Verdict.CONFORMS

    def findings(self) -> Iterator[tuple[Outcome, list[str]]]:
        """Each thing that is wrong once, with the names of all checks that show its symptom."""
        by_symptom: dict[str, list[Outcome]] = {}
        for outcome in self.outcomes:
            if outcome.finding:
                by_symptom.setdefault(outcome.symptom, []).append(outcome)
        for outcomes in by_symptom.values():
            yield outcomes[0], [outcome.check.name for outcome in outcomes]


def as_json(report: Report) -> str:
    """The whole report as one JSON object."""
    document: dict[str, Any] = {
        "url": report.url,
        "deployment": {"kind": report.identity.kind.value, "why": report.identity.why},
        "verdict": {
            Verdict.CONFORMS: "conforms",
            Verdict.BREAKS: "does_not_conform",
            Verdict.UNCLEAR: "could_not_tell",
        }[report.verdict],
        "stopped": report.stopped or None,
        "checks": [
            {
                "name": outcome.check.name,
                "sentence": outcome.check.sentence,
                "needs": outcome.check.needs.value,
                "result": _result(outcome),
                "seconds": round(outcome.seconds, 3),
                "finding": outcome.finding or outcome.doubt or None,
                "symptom": outcome.symptom or None,
                "curl": outcome.curl or None,
                "steps": list(outcome.requests),
                "key": outcome.key or None,
            }
            for outcome in report.outcomes
        ]
        + [
            {
                "name": check.name,
                "sentence": check.sentence,
                "needs": check.needs.value,
                "result": "left_out",
                "seconds": 0,
                "finding": None,
                "symptom": None,
                "curl": None,
                "steps": [],
                "key": None,
            }
            for check in report.left_out
        ],
    }
    return json.dumps(document, indent=2, ensure_ascii=True) + "\n"


def as_junit(report: Report) -> bytes:
    """A JUnit test suite: a failure for each finding, an error where nothing could be told."""
    failures = sum(bool(outcome.finding) for outcome in report.outcomes)
    suite = ET.Element(
        "testsuite",
        name="voice-sandbox verify",
        tests=str(len(report.outcomes) + len(report.left_out)),
        failures=str(failures),
        errors=str(sum(bool(outcome.doubt) for outcome in report.outcomes) + bool(report.stopped)),
        skipped=str(len(report.left_out)),
        time=f"{sum(outcome.seconds for outcome in report.outcomes):.3f}",
    )
    for outcome in report.outcomes:
        case = _case(suite, outcome.check, outcome.seconds)
        if outcome.finding:
            text = "\n".join([outcome.check.sentence, *outcome.requests])
            add_result(case, "failure", outcome.finding, text)
        elif outcome.doubt:
            add_result(case, "error", outcome.doubt, outcome.check.sentence)
    for check in report.left_out:
        add_result(_case(suite, check, 0.0), "skipped", "Needs a sandbox.", check.sentence)
    if report.stopped:
        case = ET.SubElement(suite, "testcase", classname="verify", name="run", time="0")
        add_result(case, "error", report.stopped, report.stopped)
    return encoded(suite)


def _result(outcome: Outcome) -> str:
    return "failed" if outcome.finding else "unclear" if outcome.doubt else "passed"


def _case(suite: ET.Element, check: Check, seconds: float) -> ET.Element:
    return ET.SubElement(
        suite,
        "testcase",
        classname=f"verify.{check.needs.value}",
        name=check.name,
        time=f"{seconds:.3f}",
    )
