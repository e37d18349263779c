"""Bodies that fit the control contract, brought to what can also be played.

The contract says which members belong together. Which operation documents which problem, which
words the provider has, and in what order things happen in a call, no schema can say. Generated
bodies are changed here in these places alone; tests/sandbox/test_armed_faults.py and
tests/sandbox/test_numbers.py show what the sandbox responds to a body that breaks such a rule.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from voice_sandbox.calls.call import possible_ends
from voice_sandbox.contract.catalogue import read_catalogue
from voice_sandbox.contract.faults import ANY_OPERATION, documented_problems
from voice_sandbox.contract.reader import find_contract, load_contract

SERVICE = load_contract(find_contract())
CATALOGUE = read_catalogue(SERVICE)
LONGEST_SECONDS = 86_400
STEP_SECONDS = 0.5


def playable(operation_id: str, body: Any) -> Any:
    """The body with the names and instants that its operation can work with."""
    rules = {"armFault": _fault, "bindNumber": _number}
    return rules[operation_id](copy.deepcopy(body)) if operation_id in rules else body


def _fault(body: dict[str, Any]) -> dict[str, Any]:
    names = [*SERVICE.operations, ANY_OPERATION]
    body["operation"] = _one_of(names, body["operation"])
    fault = body["fault"]
    if fault["kind"] == "problem":
        documented = [
            documented_problems(operation)
            for name, operation in SERVICE.operations.items()
            if body["operation"] in (name, ANY_OPERATION)
        ]
        codes = sorted(
            code
            for code in set.intersection(*map(set, documented))
            if "retry_after" not in fault
            or all("Retry-After" in responses[code].headers for responses in documented)
        )
        fault["code"] = _one_of(codes, fault["code"])
    return body


def _number(body: dict[str, Any]) -> dict[str, Any]:
    if "scenario" in body:
        body["scenario"] = "busy"
        return body
    if body.get("refusal") is not None:
        body["refusal"]["code"] = _one_of(
            ["provider_unavailable", "rate_limited"], body["refusal"]["code"]
        )
    if body.get("completions") is not None:
        _order(body)
    return body


def _order(outcome: dict[str, Any]) -> None:
    """Lets a call ring before it is answered, and end after both."""
    last = LONGEST_SECONDS - 10 * STEP_SECONDS
    begun = 0.0
    if outcome.get("in_progress") is not None and outcome.get("ringing") is None:
        outcome["ringing"] = outcome["in_progress"] / 2
    for name in ("ringing", "in_progress"):
        if outcome.get(name) is not None:
            begun = outcome[name] = min(max(outcome[name], begun + STEP_SECONDS), last)
            last += STEP_SECONDS
    after = begun
    for completion in outcome["completions"]:
        after = completion["after"] = min(max(completion["after"], after + STEP_SECONDS), last)
        last += STEP_SECONDS
        ended = completion.get("ended")
        if ended is not None:
            completion["ended"] = min(max(ended, begun), after)
        if completion.get("lasted") is not None:
            completion["lasted"] = min(completion["lasted"], begun)
        if not completion["transcript"]:
            completion.pop("repeat_to", None)
            completion.pop("repeat_to_limit", None)
        _name_end(outcome, completion)


def _name_end(outcome: Mapping[str, Any], completion: dict[str, Any]) -> None:
    words = CATALOGUE.normalized_status
    if completion.get("status") is None:
        if completion["unknown_status"] in words:
            completion["unknown_status"] += "-x"
        return
    live = "queued"
    for name in ("ringing", "in_progress"):
        live = name if outcome.get(name) is not None else live
    ends = set(possible_ends(live))
    if live != "in_progress":
        ends.discard("completed")
    completion["status"] = _one_of(
        [word for word, end in words.items() if end in ends], completion["status"]
    )


def _one_of(names: list[str], generated: str) -> str:
    """One that generation reaches by chance: every text chooses one."""
    return generated if generated in names else names[sum(generated.encode()) % len(names)]
