"""Lists that pages show instead of typing them: operations, agents, states, outcomes, scenarios."""

from __future__ import annotations

from typing import Any, Final

from voice_portal.markup import first_sentence, phrase
from voice_portal.reference import guide_of, page_of
from voice_portal.sources import Sources
from voice_sandbox.calls.scenarios import Scenario
from voice_sandbox.contract.model import Contract, Operation, Schema
from voice_sandbox.contract.problems import PROBLEMS, documented_codes

REFERENCES: Final = ("service", "sandbox")
"""The two contracts as the reference calls them."""
_TOO_LARGE: Final = "body_too_large"


def operations(sources: Sources, *, reference: str = "") -> list[dict[str, Any]]:
    """Every operation of a contract with its first sentence.

    Its page is its guide, or its page of the reference where a ``reference`` is asked for.
    """
    contract = sources.control if reference == "sandbox" else sources.contract
    return [
        {
            "operation": operation,
            "line": first_sentence(operation.description),
            "page": page_of(operation.operation_id) if reference else guide_of(operation),
        }
        for operation in contract.operations.values()
    ]


def statuses(contract: Contract) -> list[dict[str, Any]]:
    """Every state of a call, its meaning, and whether the call has ended in it."""
    schema = contract.schema("CallStatus")
    unfinished = unfinished_states(contract)
    return [
        {
            "name": name,
            "meaning": schema["x-enumDescriptions"][name],
            "has_ended": name not in unfinished,
        }
        for name in schema["enum"]
    ]


def unfinished_states(contract: Contract) -> list[str]:
    """The states of a call that has not ended: the contract says they have no duration yet."""
    [rule, *_] = contract.schema("Call")["x-allOf"]
    states: list[str] = rule["if"]["properties"]["status"]["enum"]
    return states


def life(contract: Contract) -> dict[str, list[str]]:
    """The way of an answered call, and the other ends before and after somebody answered.

    The contract says which ends were never answered: those have no transcript and no time.
    """
    unfinished = unfinished_states(contract)
    final = [name for name in contract.schema("CallStatus")["enum"] if name not in unfinished]
    completed, others = final[0], final[1:]
    [_, rule, *_] = contract.schema("Call")["x-allOf"]
    unanswered = rule["if"]["properties"]["status"]["enum"]
    return {
        "path": [*unfinished, completed],
        "before": others,
        "after": [name for name in others if name not in unanswered],
    }


def outcomes(contract: Contract) -> list[dict[str, Any]]:
    """The service's word for each outcome with the provider's words that become it."""
    table = contract.schema("ProviderStatus")["x-normalized-status"]
    meanings = contract.schema("CallStatus")["x-enumDescriptions"]
    normalized = dict.fromkeys(table.values())
    return [
        {
            "name": name,
            "words": [word for word, meant in table.items() if meant == name],
            "meaning": meanings[name],
        }
        for name in normalized
    ]


def limits(contract: Contract) -> list[dict[str, Any]]:
    """What the contract limits, how far, and the problem that a larger request gets."""
    schemas = contract.components["schemas"]
    key = contract.components["parameters"]["IdempotencyKey"]
    too_long = f"{key['schema']['maxLength']:,} characters"
    return [
        *(
            _limit(f"Body of `{each.operation_id}`", f"{each.body.max_bytes:,} bytes", _TOO_LARGE)
            for each in contract.operations.values()
            if each.body is not None
        ),
        _limit(f"`{key['name']}`", too_long, "invalid_idempotency_key"),
        _limit("`transcript`", f"{schemas['Transcript']['maxLength']:,} characters"),
        _limit("`duration`", f"{schemas['Duration']['maximum']:,} seconds"),
        _limit("Agents of `listAgents`", _greatest_number(schemas["AgentList"], "agents")),
        _limit("`errors` of a problem", _greatest_number(schemas["ValidationProblem"], "errors")),
    ]


def results(contract: Contract) -> list[dict[str, str]]:
    """What ``transcript`` and ``duration`` of a call are in each of its states."""
    unfinished, unanswered = (
        rule["if"]["properties"]["status"]["enum"] for rule in contract.schema("Call")["x-allOf"]
    )
    kinds = {
        **dict.fromkeys(unfinished, ("`null`", "`null`")),
        **dict.fromkeys(unanswered, ("`null`", "`0`")),
    }
    spoken = ("text, or `null` if nobody spoke", "whole seconds")
    return [
        {"status": status, "transcript": transcript, "duration": duration}
        for status in contract.schema("CallStatus")["enum"]
        for transcript, duration in [kinds.get(status, spoken)]
    ]


def _limit(what: str, greatest: str, code: str = "") -> dict[str, Any]:
    return {"what": what, "greatest": greatest, "code": code}


def _greatest_number(schema: Schema, name: str) -> str:
    return f"{schema['properties'][name]['maxItems']:,}"


def workflows(sources: Sources) -> list[dict[str, Any]]:
    """Every workflow with its steps: the operation of each, and what it shows."""
    operations = sources.contract.operations
    return [
        {
            "name": workflow["workflowId"],
            "line": workflow["summary"].removesuffix("."),
            "steps": [
                {
                    "operation": operations[step["operationId"].rpartition(".")[2]],
                    "line": step["description"],
                }
                for step in workflow["steps"]
            ],
        }
        for workflow in sources.workflows
    ]


def responses(operation: Operation) -> list[dict[str, Any]]:
    """Every documented response of an operation with its problem codes."""
    return [
        {
            "status": status,
            "phrase": phrase(status),
            "meaning": response.description,
            "codes": documented_codes(response),
        }
        for status, response in operation.responses.items()
    ]


def scenarios(sources: Sources) -> list[dict[str, Any]]:
    """Every scenario with the number that plays it and how the call ends."""
    return [
        {
            "name": scenario.name,
            "number": scenario.number,
            "line": scenario.line,
            "default": scenario is sources.scenarios.default,
            "command": f"voice-sandbox call {scenario.name} --watch",
            "times": _times(scenario),
            "end": ended(scenario, sources.contract),
        }
        for scenario in sources.scenarios
    ]


def ended(scenario: Scenario, contract: Contract) -> str:
    """How the call ends, such as ``busy``; the status of a rejection; empty when it never does."""
    if scenario.rejection:
        return str(PROBLEMS[scenario.rejection.code].status)
    words = contract.schema("ProviderStatus")["x-normalized-status"]
    return next((words[c.status] for c in scenario.completions if c.status in words), "")


def grouped_scenarios(sources: Sources) -> list[tuple[str, list[Scenario]]]:
    """The scenarios in groups, by what a program sees of them; each group with its title."""
    groups: dict[str, list[Scenario]] = {title: [] for title in _OUTCOME_GROUPS}
    for scenario in sources.scenarios:
        groups[_outcome_group(scenario, sources)].append(scenario)
    return [(title, found) for title, found in groups.items() if found]


_ENDS_WELL: Final = "Ends well"
_NOT_REACHED: Final = "Not reached or failed"
_REJECTED: Final = "Creation is rejected"
_ODD: Final = "Odd deliveries"
_ENDLESS: Final = "Never ends"
_OUTCOME_GROUPS: Final = (_ENDS_WELL, _NOT_REACHED, _REJECTED, _ODD, _ENDLESS)


def _outcome_group(scenario: Scenario, sources: Sources) -> str:
    if scenario.rejection:
        return _REJECTED
    if not scenario.completions:
        return _ENDLESS
    [first, *more] = scenario.completions
    end_of_talk = (scenario.answered_after_seconds or 0) + first.duration_seconds
    is_late = first.duration_seconds > 0 and first.after_seconds > end_of_talk
    if more or is_late or first.after_seconds < (scenario.ringing_after_seconds or 0):
        return _ODD
    ends = [ended(each, sources.contract) for each in (scenario, sources.scenarios.default)]
    return _ENDS_WELL if ends[0] == ends[1] else _NOT_REACHED


def _times(scenario: Scenario) -> list[str]:
    """When what happens, such as `1 s ringing`; the provider's words are its own."""
    times = [
        (scenario.ringing_after_seconds, "ringing"),
        (scenario.answered_after_seconds, "in progress"),
        *((c.after_seconds, f"the provider reports `{c.status}`") for c in scenario.completions),
    ]
    # A completion may come before what we would have seen.
    told = sorted((after, words) for after, words in times if after is not None)
    return [f"{after:g} s {words}" for after, words in told]


def problem(code: str, sources: Sources) -> dict[str, Any]:
    """One problem and the operations of the service that document it.

    A problem of no such operation has those of the sandbox's control API.
    """
    documenting = _documenting(code, sources.contract) or _documenting(code, sources.control)
    return {
        "problem": PROBLEMS[code],
        "phrase": phrase(PROBLEMS[code].status),
        "operations": documenting,
    }


def _documenting(code: str, contract: Contract) -> list[Operation]:
    return [
        operation
        for operation in contract.operations.values()
        if any(code in documented_codes(r) for r in operation.responses.values())
    ]


def problem_index() -> dict[int, list[str]]:
    """Status → the codes that come with it."""
    codes: dict[int, list[str]] = {}
    for code, each in PROBLEMS.items():
        codes.setdefault(each.status, []).append(code)
    return dict(sorted(codes.items()))
