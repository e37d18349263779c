"""The report as one HTML file that needs nothing else: for a manager, and for a browser offline."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from html import escape
from typing import Final

from voice_sandbox.rehearsal.evidence import RehearsedRequest
from voice_sandbox.rehearsal.rehearsal import Played
from voice_sandbox.rehearsal.report import RehearsalReport, calls_of, curl, outcome_of
from voice_sandbox.rehearsal.rules import RULES

_STYLE: Final = """
:root { color-scheme: light dark; --text: #1a2230; --soft: #566072; --line: #d5dae2;
  --page: #fff; --panel: #f5f7fa; --good: #0b6b3a; --bad: #a11223; }
@media (prefers-color-scheme: dark) { :root { --text: #e6e9ef; --soft: #a5aebd; --line: #39424f;
  --page: #12161d; --panel: #1b212b; --good: #6fd39b; --bad: #ff97a3; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 72rem; padding: 1.5rem 1rem 4rem; color: var(--text);
  background: var(--page); font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 .25rem; overflow-wrap: anywhere; }
a { color: inherit; } h2 { font-size: 1.25rem; margin: 2.5rem 0 .75rem; }
h3 { font-size: 1rem; margin: 1.25rem 0 .5rem; }
.grade.passed, .grade.failed { white-space: normal; }
.grade { font-size: 2.5rem; font-weight: 700; line-height: 1.1; }
.soft { color: var(--soft); }
.passed, .failed { white-space: nowrap; }
.passed { color: var(--good); } .failed { color: var(--bad); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { border-bottom: 1px solid var(--line); padding: .4rem .6rem; text-align: left;
  vertical-align: top; }
th { font-weight: 600; color: var(--soft); }
td.number, th.number { text-align: right; }
details { border: 1px solid var(--line); border-radius: .5rem; margin: .75rem 0; }
summary { cursor: pointer; padding: .6rem .9rem; min-height: 2.75rem; }
details > div { padding: 0 .9rem .9rem; }
pre { background: var(--panel); border-radius: .375rem; padding: .75rem; overflow-x: auto;
  white-space: pre-wrap; overflow-wrap: anywhere; font-size: .85rem; }
code { font-family: ui-monospace, monospace; }
.finding { border-left: 4px solid var(--bad); padding: .1rem 0 .1rem .9rem; margin: 1rem 0; }
.finding p { margin: .25rem 0; }
:focus-visible { outline: 3px solid currentColor; outline-offset: 2px; }
"""


def as_html(report: RehearsalReport) -> bytes:
    """One HTML document with its style in it."""
    return "".join(_document(report)).encode()


def _document(report: RehearsalReport) -> Iterator[str]:
    command = escape(shlex.join(report.command))
    kind = "passed" if report.passed == len(report.played) else "failed"
    yield (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Rehearsal of {command}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        f"<h1>Rehearsal of <code>{command}</code></h1>\n"
        f'<p class="grade {kind}">{report.passed} of {len(report.played)} acts passed</p>\n'
        f'<p class="soft">The program was run {len(report.played)} times in '
        f"{report.seconds:.0f} s, each time with another thing that can happen to a call. "
        "No phone rang.</p>\n"
    )
    yield from _rules(report)
    yield "<h2>Acts</h2>\n"
    for each in report.played:
        yield from _act(report, each)
    yield "</main>\n</body>\n</html>\n"


def _rules(report: RehearsalReport) -> Iterator[str]:
    yield (
        '<h2>Rules</h2>\n<div class="scroll" tabindex="0" role="region" aria-label="Rules">\n'
        "<table>\n<thead><tr><th>Result</th><th>Rule</th><th>Broken in</th></tr></thead>\n<tbody>\n"
    )
    for rule in RULES:
        acts = [
            each.act.name
            for each in report.played
            if any(broken is rule for broken, _ in each.findings)
        ]
        where = ", ".join(f'<a href="#{name}">{name}</a>' for name in acts) or "none"
        yield f"<tr><td>{_mark(not acts)}</td><td>{escape(rule.sentence)}</td>"
        yield f"<td>{where}</td></tr>\n"
    yield "</tbody>\n</table>\n</div>\n"


def _act(report: RehearsalReport, each: Played) -> Iterator[str]:
    act, ending = each.act, each.evidence.ending
    is_open = "" if each.passed else " open"
    yield (
        f'<details id="{escape(act.name)}"{is_open}>\n<summary>{_mark(each.passed)} '
        f"<strong>{escape(act.name)}</strong> {escape(act.line)}</summary>\n<div>\n"
        f'<p class="soft">{escape(act.expects)}</p>\n'
    )
    for rule, finding in each.findings:
        yield (
            f'<div class="finding">\n<p><strong>{escape(finding.sentence)}</strong></p>\n'
            f"<p>{escape(rule.why)}</p>\n<p>Fix: {escape(rule.fix)}</p>\n"
        )
        if finding.shown:
            yield f"<pre>{escape(_shown(report, finding.shown))}</pre>\n"
        yield "</div>\n"
    yield f"<h3>The program {ending.words} after {ending.seconds:.1f} s</h3>\n"
    if states := " → ".join(status for _, status in calls_of(each.evidence)):
        yield f"<p>The call: {escape(states)}</p>\n"
    yield from _exchanges(each)
    if ending.output.strip():
        yield f"<h3>What it wrote</h3>\n<pre>{escape(ending.output[-2000:])}</pre>\n"
    yield "</div>\n</details>\n"


def _exchanges(each: Played) -> Iterator[str]:
    sent = each.evidence.sent
    if not sent:
        yield "<p>It sent no request.</p>\n"
        return
    yield (
        '<div class="scroll" tabindex="0" role="region" aria-label="Requests">\n<table>\n'
        '<thead><tr><th class="number">After</th><th>Request</th><th>Response</th></tr></thead>\n'
        "<tbody>\n"
    )
    for one in sent:
        yield (
            f'<tr><td class="number">{one.started_at:.2f} s</td>'
            f"<td><code>{escape(one.method)} {escape(one.path)}</code></td>"
            f"<td>{escape(outcome_of(one))}</td></tr>\n"
        )
    yield "</tbody>\n</table>\n</div>\n"


def _shown(report: RehearsalReport, shown: tuple[RehearsedRequest, ...]) -> str:
    return "\n\n".join(f"{curl(report, sent)}\n# {outcome_of(sent)}" for sent in shown[:3])


def _mark(is_good: bool) -> str:
    """In words too: not everybody sees colours."""
    word = "passed" if is_good else "failed"
    return f'<span class="{word}">{"✓" if is_good else "✗"} {word}</span>'
