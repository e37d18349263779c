"""Each fence as HTML: one function a fence, from the page and its options to a template."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from voice_portal import card, command_line, inspector, recordings, serve_options, tables
from voice_portal.fence_options import FenceError, choose
from voice_portal.fields import listed
from voice_portal.markup import phrase, render
from voice_portal.page import Page
from voice_portal.placeholders import VERSION
from voice_portal.response_check import check_response
from voice_sandbox.contract.faults import FAULTS
from voice_sandbox.contract.model import Operation
from voice_sandbox.contract.rejection import STAGES

_OPTIONS: Final = "Options of voice-sandbox serve"
"""What a screen reader calls the table. A page with two of them names each."""


def try_api(page: Page, options: Mapping[str, Any]) -> str:
    identity = page.new_id(f"try-{options['operation']}".lower())
    return _card(page, options, identity)


def fields(page: Page, options: Mapping[str, Any]) -> str:
    contract = page.sources.contract
    if ("schema" in options) == ("parameters" in options):
        raise FenceError("Give either schema: or parameters:, one of them.")
    for option in ("schema", "general"):
        if option in options:
            choose(str(options[option]), contract.components["schemas"], "schema")
    if "parameters" in options:
        _operation(page, options["parameters"])
    return render("fields", page=page, fields=list(listed(contract, options)))


def operations(page: Page, options: Mapping[str, Any]) -> str:
    """Each row leads to a guide. With ``reference`` it leads to the operation's own page, and an
    address such as ``#getCall`` leads to the row.
    """
    rows = tables.operations(page.sources, **_chosen(options))
    return render("operations", rows=rows, page=page, anchors="reference" in options)


def _chosen(options: Mapping[str, Any]) -> dict[str, str]:
    if "reference" not in options:
        return {}
    return {"reference": choose(str(options["reference"]), tables.REFERENCES, "reference")}


def connection(page: Page, options: Mapping[str, Any]) -> str:
    return render("connection", sources=page.sources)


def api_base(page: Page, options: Mapping[str, Any]) -> str:
    return render("api-base", page=page, sources=page.sources, version=VERSION)


def agents(page: Page, options: Mapping[str, Any]) -> str:
    return render("agents", agents=page.sources.agents)


def statuses(page: Page, options: Mapping[str, Any]) -> str:
    return render("statuses", statuses=tables.statuses(page.sources.contract))


def faults(page: Page, options: Mapping[str, Any]) -> str:
    return render("faults", faults=FAULTS.values())


def states(page: Page, options: Mapping[str, Any]) -> str:
    return render("states", **tables.life(page.sources.contract))


def outcomes(page: Page, options: Mapping[str, Any]) -> str:
    return render("outcomes", outcomes=tables.outcomes(page.sources.contract))


def limits(page: Page, options: Mapping[str, Any]) -> str:
    return render("limits", limits=tables.limits(page.sources.contract), page=page)


def results(page: Page, options: Mapping[str, Any]) -> str:
    return render("results", results=tables.results(page.sources.contract))


def responses(page: Page, options: Mapping[str, Any]) -> str:
    operation = _operation(page, options["operation"])
    rows = tables.responses(operation)
    return render("responses", operation=operation, rows=rows, page=page)


def scenarios(page: Page, options: Mapping[str, Any]) -> str:
    return render("scenarios", rows=tables.scenarios(page.sources), page=page)


def serve_options_table(page: Page, options: Mapping[str, Any]) -> str:
    rows = serve_options.options(options.get("names", "").split())
    return render("options", rows=rows, title=options.get("title", _OPTIONS))


def command(page: Page, options: Mapping[str, Any]) -> str:
    name = options["name"]
    return render("command", name=name, **command_line.command(name))


def commands(page: Page, options: Mapping[str, Any]) -> str:
    return render("commands", rows=command_line.commands())


def exit_codes(page: Page, options: Mapping[str, Any]) -> str:
    return render("exit-codes", rows=command_line.codes())


def workflows(page: Page, options: Mapping[str, Any]) -> str:
    return render("workflows", workflows=tables.workflows(page.sources), page=page)


def sandbox_inspector(page: Page, options: Mapping[str, Any]) -> str:
    return render("inspector", **inspector.view(page.sources))


def problem_index(page: Page, options: Mapping[str, Any]) -> str:
    return render("problem-index", codes=tables.problem_index(), phrase=phrase)


def rejection_order(page: Page, options: Mapping[str, Any]) -> str:
    return render("rejection-order", stages=STAGES)


def problem(page: Page, options: Mapping[str, Any]) -> str:
    shown, never = card.problem_card(page, str(options["code"]))
    code = str(options["code"])
    try:
        html = None if never else _card(page, shown, f"trigger-{code}")
    except FenceError as error:
        raise FenceError(f"{card.PROBLEM_REQUESTS}, {code}: {error}") from None
    found = tables.problem(code, page.sources)
    return render("problem", page=page, never=never, card=html, **found)


def _card(page: Page, options: Mapping[str, Any], identity: str) -> str:
    sources = page.sources
    choice, responses = card.tried(sources, options)
    for request, response in zip(choice.requests, responses, strict=True):
        check_response(sources, identity, request, response)
    if page.checks_recordings:
        sources.responses.cards.setdefault(page.path, set()).add(identity)
        recordings.check(sources, page, identity, responses)
    return render("card", id=identity, page=page, **card.view(choice, sources, responses[-1]))


def _operation(page: Page, name: Any) -> Operation:
    known = page.sources.contract.operations
    return known[choose(str(name), known, "operation")]
