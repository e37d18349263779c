"""What a rehearsal found: for people at a terminal, as JSON, and as JUnit XML."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any
from xml.etree import ElementTree as ET

import msgspec

from voice_sandbox.calls.scenarios import Scenarios
from voice_sandbox.contract.faults import FAULTS
from voice_sandbox.installation import __version__
from voice_sandbox.journal.exports import ORIGIN_VARIABLE, as_curl
from voice_sandbox.junit import add_result, encoded
from voice_sandbox.rehearsal.evidence import Evidence, RehearsedRequest
from voice_sandbox.rehearsal.rehearsal import Played
from voice_sandbox.rehearsal.rules import RULES, Rule, Violation
from voice_sandbox.testing.description import escaped


class RehearsalReport(msgspec.Struct, frozen=True, kw_only=True):
    """One rehearsal of one command."""

    command: Sequence[str]
    played: Sequence[Played]
    """The acts that were asked for."""
    scenarios: Scenarios
    seconds: float

    @property
    def passed(self) -> int:
        return sum(each.passed for each in self.played)

    @property
    def percent(self) -> float:
        """The grade: how many acts of all were passed."""
        return round(100 * self.passed / len(self.played), 1) if self.played else 0.0

    @property
    def broken(self) -> list[Rule]:
        """The rules that were broken in any act, in the order of the table."""
        codes = {rule.code for each in self.played for rule, _ in each.findings}
        return [rule for rule in RULES if rule.code in codes]


def lines(report: RehearsalReport) -> Iterator[str]:
    """The report for a terminal: a table of the acts, then each rule that was broken."""
    width = max(len(each.act.name) for each in report.played)
    yield f"{'act':{width}}  result  seconds  requests  calls  broken rules"
    for each in report.played:
        yield act_line(each, width)
    for rule in report.broken:
        yield ""
        yield f"{rule.code}: {rule.sentence}"
        for each in report.played:
            for broken, finding in each.findings:
                if broken is rule:
                    yield escaped(f"  {each.act.name}: {finding.sentence}")
        yield f"  Why: {rule.why}"
        yield f"  Fix: {rule.fix} See /{rule.page}"
        if shown := _first_shown(report, rule):
            yield "  This shows it:"
            for sent in shown:
                yield escaped(f"    {_instant(sent)} → {outcome_of(sent)}")
                yield from (f"      {line}" for line in curl(report, sent).splitlines())
    yield ""
    yield (
        f"{report.passed} of {len(report.played)} acts passed ({report.percent:g} %) "
        f"in {report.seconds:.1f} s."
    )


def act_line(each: Played, width: int) -> str:
    """One act in one line."""
    codes = ", ".join(dict.fromkeys(rule.code for rule, _ in each.findings))
    evidence = each.evidence
    return (
        f"{each.act.name:{width}}  {'passed' if each.passed else 'failed'}  "
        f"{evidence.ending.seconds:7.1f}  {len(evidence.sent):8}  "
        f"{sum(evidence.rings.values()):5}  {codes}"
    ).rstrip()


def checklist(report: RehearsalReport) -> Iterator[str]:
    """The go-live checklist, filled in: each rule, and what the program has covered."""
    broken = {rule.code for rule in report.broken}
    for rule in RULES:
        yield f"[{' ' if rule.code in broken else 'x'}] {rule.sentence}"
    has_all = "x" if report.passed == len(report.played) else " "
    yield f"[{has_all}] Every act was passed: {report.passed} of {len(report.played)}."
    used = {sent.operation_id for each in report.played for sent in each.evidence.sent}
    names = ", ".join(sorted(name for name in used if name)) or "none"
    yield f"    Operations that the program used: {names}."


def as_json(report: RehearsalReport) -> bytes:
    """The whole report as one JSON object."""
    document: dict[str, Any] = {
        "version": __version__,
        "command": list(report.command),
        "acts": len(report.played),
        "passed": report.passed,
        "percent": report.percent,
        "seconds": round(report.seconds, 3),
        "results": [
            {
                "act": each.act.name,
                "line": each.act.line,
                "expects": each.act.expects,
                "passed": each.passed,
                "seconds": round(each.evidence.ending.seconds, 3),
                "exit_code": each.evidence.ending.exit_code,
                "requests": len(each.evidence.sent),
                "rings": dict(each.evidence.rings),
                "findings": [
                    _finding_json(report, rule, finding) for rule, finding in each.findings
                ],
            }
            for each in report.played
        ],
    }
    return (json.dumps(document, indent=2, ensure_ascii=True) + "\n").encode()


def _finding_json(report: RehearsalReport, rule: Rule, finding: Violation) -> dict[str, Any]:
    return {
        "rule": rule.code,
        "sentence": finding.sentence,
        "fix": rule.fix,
        "page": f"/{rule.page}",
        "exchanges": [
            {
                "after_seconds": round(sent.started_at, 3),
                "request": f"{sent.method} {sent.path}",
                "outcome": outcome_of(sent),
                "curl": curl(report, sent),
            }
            for sent in finding.shown
        ],
    }


def as_junit(report: RehearsalReport) -> bytes:
    """A JUnit test suite with a test case for each act."""
    suite = ET.Element(
        "testsuite",
        name="voice-sandbox rehearse",
        tests=str(len(report.played)),
        failures=str(len(report.played) - report.passed),
        errors="0",
        skipped="0",
        time=f"{report.seconds:.3f}",
    )
    for each in report.played:
        case = ET.SubElement(
            suite,
            "testcase",
            classname="rehearsal",
            name=each.act.name,
            time=f"{each.evidence.ending.seconds:.3f}",
        )
        if each.findings:
            sentences = [f"{rule.code}: {finding.sentence}" for rule, finding in each.findings]
            fixes = [rule.fix for rule, _ in each.findings]
            text = "\n".join([each.act.line, *sentences, *fixes])
            add_result(case, "failure", sentences[0], text)
    return encoded(suite)


def curl(report: RehearsalReport, sent: RehearsedRequest) -> str:
    """The request as a command for a POSIX shell."""
    return as_curl(sent.shown, origin=ORIGIN_VARIABLE, scenarios=report.scenarios)


def outcome_of(sent: RehearsedRequest) -> str:
    """What the client got, in words."""
    if sent.fault is not None and not sent.is_whole:
        return f"{sent.fault}: {FAULTS[sent.fault].seen}"
    code = f" {sent.code}" if sent.code else ""
    replayed = ", replayed" if sent.replayed else ""
    waits = f", Retry-After: {sent.retry_after_seconds}" if sent.retry_after_seconds else ""
    return f"{sent.status}{code}{waits}{replayed}"


def _instant(sent: RehearsedRequest) -> str:
    return f"{sent.started_at:6.2f} s  {sent.method} {sent.path}"


def _first_shown(report: RehearsalReport, rule: Rule) -> Sequence[RehearsedRequest]:
    """The exchanges of the first finding of a rule."""
    for each in report.played:
        for broken, finding in each.findings:
            if broken is rule and finding.shown:
                return finding.shown[:3]
    return ()


def calls_of(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """Each state of each call, and when it began."""
    for call in evidence.timelines:
        for state in call["timeline"]:
            yield state["at"], state["status"]
