"""The live page of the sandbox: what its script takes from the contract and the scenarios."""

from __future__ import annotations

from typing import Any

from voice_portal.markup import phrase
from voice_portal.sources import Sources
from voice_portal.tables import unfinished_states
from voice_sandbox.contract.faults import ANY_OPERATION, FAULTS, documented_problems
from voice_sandbox.contract.model import Contract
from voice_sandbox.contract.problems import PROBLEMS


def view(sources: Sources) -> dict[str, Any]:
    """The values of the template ``inspector.html``."""
    contract = sources.contract
    return {
        "operations": list(contract.operations),
        "statuses": list(_phrases(contract).items()),
        "scenarios": list(sources.scenarios),
        "default": sources.scenarios.default,
        "data": _data(sources),
    }


def _data(sources: Sources) -> dict[str, Any]:
    contract = sources.contract
    create = contract.operations["createCall"]
    assert create.body is not None
    states = contract.schema("CallStatus")
    return {
        "create": {
            "method": create.method,
            "path": create.path,
            "mediaType": create.body.media_type,
            "body": next(iter(create.body.examples.values())).value,
        },
        "phrases": {str(status): name for status, name in _phrases(contract).items()},
        "life": {
            "states": states["enum"],
            "meanings": states["x-enumDescriptions"],
            "unfinished": unfinished_states(contract),
        },
        "endings": [{"name": name, "body": body} for name, body in _endings(contract).items()],
        "faults": [
            {"kind": fault.kind, "line": fault.line, "members": fault.members}
            for fault in FAULTS.values()
        ],
        "problems": _problems(contract),
    }


def _problems(contract: Contract) -> dict[str, list[str]]:
    """The problems that a fault may name for each operation; for any, those of them all."""
    found = {
        name: list(documented_problems(operation))
        for name, operation in contract.operations.items()
    }
    shared = set.intersection(*map(set, found.values()))
    return {**found, ANY_OPERATION: sorted(shared)}


def _phrases(contract: Contract) -> dict[int, str]:
    """Every status that the sandbox can respond with, such as ``{201: "Created"}``."""
    documented = {
        status for operation in contract.operations.values() for status in operation.responses
    }
    rejected = {problem.status for problem in PROBLEMS.values()}
    return {status: phrase(status) for status in sorted(documented | rejected)}


def _endings(contract: Contract) -> dict[str, dict[str, Any]]:
    """How the provider reports each end of a call: one body of ``endCall`` a final state.

    The words of a talk are those of the webhook's example, an end without one has none.
    """
    webhook = contract.operations["callCompleted"].body
    assert webhook is not None
    talks = {example.value["status"]: example.value for example in webhook.examples.values()}
    endings: dict[str, dict[str, Any]] = {}
    for word, status in contract.schema("ProviderStatus")["x-normalized-status"].items():
        told = talks.get(word, {"transcript": None, "duration": 0})
        endings.setdefault(
            status,
            {"status": word, "transcript": told["transcript"], "duration": told["duration"]},
        )
    return endings
