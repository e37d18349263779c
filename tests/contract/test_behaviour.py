"""Behaviour that no schema can say: every check of the registry against the running sandbox."""

from dataclasses import replace

import msgspec
import pytest

from fault_injection import faulty_sandbox
from read_once import contracts
from sandbox_process import SandboxServer
from verify_command import new_target, run_check, sandbox_target
from voice_sandbox.contract.model import Contract
from voice_sandbox.verification.api import BUSY, Target
from voice_sandbox.verification.check import Needs
from voice_sandbox.verification.registry import CHECKS

IN_SANDBOXES = [name for name, check in CHECKS.items() if check.needs is not Needs.CALL]


@pytest.fixture(scope="module")
def target(sandbox_server: SandboxServer) -> Target:
    """The sandbox of the tests; request ids must not repeat over all checks together."""
    return sandbox_target(sandbox_server.url)


@pytest.mark.parametrize("name", IN_SANDBOXES)
def test_sandbox_passes(name: str, sandbox_server: SandboxServer, target: Target) -> None:
    """The check holds of the sandbox."""
    outcome = run_check(name, sandbox_server.url, target)
    assert not outcome.doubt
    assert not outcome.finding, f"{outcome.finding}\n" + "\n".join(outcome.requests)


def test_every_check_says_one_sentence() -> None:
    """What a check holds true can be read where its name stands in a report."""
    sentences = [check.sentence for check in CHECKS.values()]
    assert len(set(sentences)) == len(sentences)
    assert [sentence for sentence in sentences if not sentence.endswith(".")] == []


def unchecked(contract: Contract, seen: set[tuple[str, int]]) -> list[str]:
    """What no check has seen of a contract, each as a sentence that says what to add."""
    return [
        f"No check gets a {status} from {operation.operation_id}. Add one to "
        "sandbox/voice_sandbox/verification/checks/ that sends "
        f"{operation.method} {operation.path}, and holds the response to what must be true of it."
        for operation in contract.operations.values()
        for status in operation.responses
        if status not in BUSY and (operation.operation_id, status) not in seen
    ]


@pytest.fixture(scope="module")
def seen() -> set[tuple[str, int]]:
    """The documented responses, as operationId and status, that all checks together meet."""
    target = new_target()
    with faulty_sandbox(lambda injector: None) as url:
        target = replace(target, guard=sandbox_target(url).guard)
        for name in IN_SANDBOXES:
            run_check(name, url, target)
    return target.service.seen


def test_every_documented_response_is_checked(seen: set[tuple[str, int]]) -> None:
    """Each status of each operation of the contract is met by a check that looks at it."""
    assert unchecked(contracts()[0], seen) == []


def test_operation_without_a_check_is_named(seen: set[tuple[str, int]]) -> None:
    """Whoever adds an operation to the contract alone is told which check to add."""
    contract, _ = contracts()
    model = contract.operations["getCall"]
    added = msgspec.structs.replace(
        model, operation_id="recordCall", method="POST", path=f"{model.path}/recording"
    )
    grown = msgspec.structs.replace(
        contract, operations={**contract.operations, added.operation_id: added}
    )
    sentences = unchecked(grown, seen)
    assert len(sentences) == len([status for status in added.responses if status not in BUSY])
    assert all(
        "recordCall" in one and "POST /v1/calls/{call_id}/recording" in one for one in sentences
    )
