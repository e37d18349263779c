"""The Try API card: what it sends, what it was answered when the page was built, complete as HTML.

The script gets plain data of the contract in one attribute; it adds nothing of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from markupsafe import Markup

from voice_portal.chains import links_of
from voice_portal.recorder import Recorded
from voice_portal.snippets import Snippet, snippets
from voice_portal.sources import Sources
from voice_portal.step import Step
from voice_portal.steps import step_of
from voice_portal.tables import codes_of, ended, unfinished_states
from voice_portal.text import first_sentence, highlight, marked, phrase, pretty
from voice_sandbox.contract.model import Contract

FOLLOW: Final = "followTheCall"
"""The link of an answer that leads to the operation which reads the new call."""
IDEMPOTENCY: Final = "Idempotency-Key"


@dataclass(frozen=True, slots=True)
class Choice:
    """What the page chose: names are checked against the contract before this is made."""

    steps: tuple[Step, ...]
    """The last one is the request that the card is about."""
    title: str
    line: str
    chain: bool
    expect: str | None
    """The code of the problem that the card provokes."""

    @property
    def step(self) -> Step:
        return self.steps[-1]


def view(choice: Choice, sources: Sources, answers: list[Recorded]) -> dict[str, Any]:
    """The values of the template ``card.html``."""
    step, answer = choice.step, answers[-1]
    refused = choice.expect is not None
    return {
        "step": step,
        "endpoint": step.path if "://" not in step.path else step.operation.path,
        "title": choice.title,
        "line": choice.line,
        "reference": _reference(step, sources.contract),
        "tabs": [
            {"label": s.label, "lexer": s.lexer, "html": _live_spans(s, choice, sources)}
            for s in snippets(choice.steps, base=sources.sandbox_url, refused=refused)
        ],
        "live_url": sources.live_url if all(s.is_of_contract for s in choice.steps) else None,
        "sandbox_url": sources.sandbox_url,
        "body": step.text if step.pad_to == 0 else None,
        "raw": step.raw is not None,
        "path_parameters": [
            {"name": name, "value": value} for name, value in step.parameters.items()
        ],
        "scenarios": list(sources.scenarios) if _picks_outcome(choice) else [],
        "other_end": ended(sources.scenarios.default, sources.contract),
        "first": choice.steps[:-1],
        "own_token": step.token is not None,
        "status": answer.status,
        "phrase": phrase(answer.status),
        "meaning": _meaning(step, answer.status),
        "headers": {name.title(): value for name, value in answer.headers.items()},
        "answer": None if answer.body is None else highlight(pretty(answer.body), "json"),
        "data": _data(choice, sources),
    }


def documents(step: Step, code: str) -> bool:
    """Whether the operation documents the problem, or none can: its path or method is changed."""
    if (step.path, step.method) != (step.operation.path, step.operation.method):
        return True
    return any(code in codes_of(r.schema) for r in step.operation.responses.values())


def default_line(step: Step) -> str:
    """The card's one line: the example's own words, else the operation's."""
    if step.example is not None and step.example.description:
        return step.example.description
    return first_sentence(step.operation.description)


def _reference(step: Step, contract: Contract) -> str | None:
    """The operation's place in the reference, which has those of the contract alone."""
    name = step.operation.operation_id
    return name if name in contract.operations else None


def _picks_outcome(choice: Choice) -> bool:
    """A card that calls a number the reader may choose offers the catalogue of outcomes."""
    body = choice.step.body
    return choice.expect is None and isinstance(body, Mapping) and "phone" in body


def _meaning(step: Step, status: int) -> str:
    response = step.operation.responses.get(status)
    return response.description if response else ""


def _live_spans(snippet: Snippet, choice: Choice, sources: Sources) -> Markup:
    """The snippet with spans around the values that the script keeps up to date."""
    html = highlight(snippet.before, snippet.lexer)
    if snippet.body:
        html += Markup("<span data-body>{}</span>{}").format(
            highlight(snippet.body, snippet.lexer), highlight(snippet.after, snippet.lexer)
        )
    for name, value in choice.step.parameters.items():
        html = marked(html, value, f'data-parameter="{name}"')
    return marked(html, sources.sandbox_url, "data-base")


def _data(choice: Choice, sources: Sources) -> dict[str, Any]:
    return {
        "title": choice.title,
        "chain": choice.chain,
        "expect": choice.expect,
        "steps": [_step(step, sources.contract) for step in choice.steps],
        "proper": choice.step.example.value if choice.step.example else None,
        "fresh": _fresh(choice.step, sources),
        "life": _life(choice, sources),
    }


def _fresh(step: Step, sources: Sources) -> dict[str, Any] | None:
    """The request that makes a call for this one, where it is about a call."""
    creating = sources.contract.operations["createCall"]
    followers = {link.operation_id for link in creating.success.links.values()}
    if step.operation.operation_id not in followers:
        return None
    return _step(step_of(sources, {"operation": creating.operation_id}), sources.contract)


def _step(step: Step, contract: Contract) -> dict[str, Any]:
    operation = step.operation
    changed = (step.path, step.method) != (operation.path, operation.method)
    return {
        # An answer is checked against this operation; another path or method has none.
        "operation": None if changed else operation.operation_id,
        "proper": {"method": operation.method, "path": operation.path} if changed else None,
        "summary": operation.summary,
        "method": step.method,
        "path": step.path,
        "parameters": dict(step.parameters),
        "query": dict(step.query),
        "headers": dict(step.headers),
        "token": step.token,
        "mediaType": step.media_type if step.text is not None else None,
        "body": step.body,
        "raw": step.raw,
        "padTo": step.pad_to,
        "idempotent": any(p.name == IDEMPOTENCY for p in operation.parameters),
        "answers": {
            str(status): {"phrase": phrase(status), "meaning": response.description}
            for status, response in operation.responses.items()
        },
        "links": links_of(operation, contract),
    }


def _life(choice: Choice, sources: Sources) -> Mapping[str, Any] | None:
    """How to follow what the operation created, or nothing if it creates nothing to follow."""
    link = choice.step.operation.success.links.get(FOLLOW)
    if link is None or choice.expect is not None:
        return None
    contract, control = sources.contract, sources.control
    target = contract.operations[link.operation_id]
    states = contract.schema("CallStatus")
    return {
        "method": target.method,
        "path": target.path,
        "parameters": dict(link.parameters),
        "states": states["enum"],
        "meanings": states["x-enumDescriptions"],
        "unfinished": unfinished_states(contract),
        "behind": control.operations["inspectCall"].path,
        "clock": control.operations["advanceClock"].path,
        "webhook": contract.operations["callCompleted"].path,
    }
