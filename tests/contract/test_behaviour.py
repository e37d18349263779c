"""Behaviour that no schema can say: every check of the registry against the running sandbox."""

import pytest

from sandbox_process import SandboxServer
from verify_command import run_check, sandbox_target
from voice_sandbox.verification.api import Target
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
    assert not outcome.finding, f"{outcome.finding}\n" + "\n".join(outcome.steps)


def test_every_check_says_one_sentence() -> None:
    """What a check holds true can be read where its name stands in a report."""
    sentences = [check.sentence for check in CHECKS.values()]
    assert len(set(sentences)) == len(sentences)
    assert [sentence for sentence in sentences if not sentence.endswith(".")] == []
