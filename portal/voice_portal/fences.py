"""The fences of the pages: a name, the options it takes, and the HTML it becomes.

A fence is a code block of ``pymdownx.superfences`` whose body is YAML:

    ```try-api
    operation: createCall
    example: quickstart
    ```

A name or option that does not exist stops the build with file, line and mend.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import yaml

from voice_portal import card, inspector, recordings, serving, tables
from voice_portal.fields import listed
from voice_portal.page import Page, PageError
from voice_portal.placeholders import filled
from voice_portal.recorder import Recorded
from voice_portal.steps import CHANGES, Refused, choose, step_of
from voice_portal.text import phrase, render
from voice_sandbox.contract.model import Operation
from voice_sandbox.contract.problems import PROBLEMS


@dataclass(frozen=True, slots=True)
class Fence:
    """``render`` gets the page and the options, of which all ``required`` are there."""

    name: str
    render: Callable[[Page, Mapping[str, Any]], str]
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()

    def html(self, body: str, page: Page) -> str:
        """The HTML of the fence with that body. Raises: `PageError`."""
        try:
            return self.render(page, self._options(body))
        except Refused as refused:
            line = page.line_of_fence(self.name, body)
            raise page.error(f"{self.name}: {refused}", line=line) from None

    def _options(self, body: str) -> Mapping[str, Any]:
        try:
            options = yaml.safe_load(body) or {}
        except yaml.YAMLError as error:
            raise Refused(
                f"The fence is not YAML: {error}. Write one option: value a line."
            ) from None
        if not isinstance(options, dict):
            raise Refused("The fence is not a list of options. Write one option: value a line.")
        for option in options:
            choose(str(option), (*self.required, *self.optional), "option")
        for option in self.required:
            if option not in options:
                raise Refused(f"The option {option} is missing. Add a line {option}: …")
        return options


def _operation(page: Page, name: Any) -> Operation:
    known = page.sources.contract.operations
    return known[choose(str(name), known, "operation")]


def _try_api(page: Page, options: Mapping[str, Any]) -> str:
    identity = page.new_id(f"try-{options['operation']}".lower())
    return _card(page, options, identity)


def _card(page: Page, options: Mapping[str, Any], identity: str) -> str:
    sources = page.sources
    steps = tuple(step_of(sources, given) for given in (*_first(options), options))
    step, expect = steps[-1], options.get("expect")
    title = options.get("title") or (step.example or step.operation).summary
    choice = card.Choice(
        steps=steps,
        title=str(title),
        line=str(options.get("line") or card.default_line(step)),
        chain=options.get("chain", True) is not False,
        expect=None if expect is None else choose(str(expect), PROBLEMS, "problem"),
    )
    if choice.expect is not None and not card.documents(step, choice.expect):
        raise Refused(f"{step.operation.operation_id} documents no problem {choice.expect}.")
    answers = sources.recorder.record(steps)
    _check_answers(choice, answers)
    if page.checks_recordings:
        sources.recorder.cards.setdefault(page.path, set()).add(identity)
        recordings.check(sources, page, identity, answers)
    return render("card", id=identity, page=page, **card.view(choice, sources, answers))


def _first(options: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The options of the steps before the last one: a list, or one written operation/example."""
    first = options.get("first", [])
    if isinstance(first, str):
        operation, _, example = first.partition("/")
        return [{"operation": operation, **({"example": example} if example else {})}]
    for step in first:
        for option in step:
            choose(str(option), CHANGES, "option")
    return list(first)


def _check_answers(choice: card.Choice, answers: Sequence[Recorded]) -> None:
    """Every step succeeds, but the last one of a card that provokes a problem."""
    for step, answer in zip(choice.steps, answers, strict=True):
        expected = choice.expect if step is choice.step else None
        code = (answer.body or {}).get("code") if answer.status >= 400 else None
        if code != expected:
            raise Refused(
                f"{step.method} {step.target} is answered {answer.status} "
                f"{code or 'with success'}, not {expected or 'with success'}: "
                f"{(answer.body or {}).get('detail', '')}"
            )


def _fields(page: Page, options: Mapping[str, Any]) -> str:
    contract = page.sources.contract
    if ("schema" in options) == ("parameters" in options):
        raise Refused("Give either schema: or parameters:, one of them.")
    for option in ("schema", "general"):
        if option in options:
            choose(str(options[option]), contract.components["schemas"], "schema")
    if "parameters" in options:
        _operation(page, options["parameters"])
    return render("fields", fields=list(listed(contract, options)))


def _operations(page: Page, options: Mapping[str, Any]) -> str:
    """With ``anchors`` each operation's row is what an address such as ``#getCall`` leads to."""
    anchors = options.get("anchors", False) is True
    return render("operations", rows=tables.operations(page.sources), page=page, anchors=anchors)


def _connection(page: Page, options: Mapping[str, Any]) -> str:
    return render("connection", sources=page.sources)


def _agents(page: Page, options: Mapping[str, Any]) -> str:
    return render("agents", agents=page.sources.agents)


def _statuses(page: Page, options: Mapping[str, Any]) -> str:
    return render("statuses", statuses=tables.statuses(page.sources.contract))


def _states(page: Page, options: Mapping[str, Any]) -> str:
    return render("states", **tables.life(page.sources.contract))


def _outcomes(page: Page, options: Mapping[str, Any]) -> str:
    return render("outcomes", outcomes=tables.outcomes(page.sources.contract))


def _responses(page: Page, options: Mapping[str, Any]) -> str:
    operation = _operation(page, options["operation"])
    rows = tables.responses(operation)
    return render("responses", operation=operation, rows=rows, page=page)


def _scenarios(page: Page, options: Mapping[str, Any]) -> str:
    return render("scenarios", rows=tables.scenarios(page.sources), page=page)


def _serve_options(page: Page, options: Mapping[str, Any]) -> str:
    return render("options", rows=serving.options(options.get("names", "").split()))


def _workflows(page: Page, options: Mapping[str, Any]) -> str:
    return render("workflows", workflows=tables.workflows(page.sources), page=page)


def _inspector(page: Page, options: Mapping[str, Any]) -> str:
    return render("inspector", **inspector.view(page.sources))


def _problem_index(page: Page, options: Mapping[str, Any]) -> str:
    return render("problem-index", codes=tables.problem_index(), phrase=phrase)


def _problem(page: Page, options: Mapping[str, Any]) -> str:
    code = choose(str(options["code"]), PROBLEMS, "problem")
    provocation = page.sources.provocations[
        choose(
            code, page.sources.provocations, "entry of portal/voice_portal/provocations.yaml for"
        )
    ]
    options = {"title": f"Provoke {code}", "chain": False, **filled(provocation, page)}
    never = options.get("never")
    try:
        provoke = None if never else _card(page, {**options, "expect": code}, f"provoke-{code}")
    except Refused as refused:
        raise Refused(f"portal/voice_portal/provocations.yaml, {code}: {refused}") from None
    return render(
        "problem",
        page=page,
        never=never,
        card=provoke,
        **tables.problem(code, page.sources.contract),
    )


FENCES: Final[Mapping[str, Fence]] = {
    fence.name: fence
    for fence in (
        Fence(
            "try-api",
            _try_api,
            ("operation",),
            (*CHANGES[1:], "title", "line", "chain", "first", "expect"),
        ),
        Fence("fields", _fields, (), ("schema", "general", "parameters")),
        Fence("operations", _operations, (), ("anchors",)),
        Fence("connection", _connection),
        Fence("agents", _agents),
        Fence("statuses", _statuses),
        Fence("states", _states),
        Fence("outcomes", _outcomes),
        Fence("responses", _responses, ("operation",)),
        Fence("scenarios", _scenarios),
        Fence("serve-options", _serve_options, (), ("names",)),
        Fence("workflows", _workflows),
        Fence("inspector", _inspector),
        Fence("problem-index", _problem_index),
        Fence("problem", _problem, ("code",)),
    )
}

__all__ = ["FENCES", "Fence", "PageError", "Refused"]
