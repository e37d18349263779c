"""Requests in any order: which faults such sequences find, and how they are shown."""

import pytest

from fault_injection import FaultInjector, FaultyRequest, FaultyResponse, faulty_sandbox
from faults import FAULTS
from faults.fault import Fault
from verify_command import new_key, sandbox_target
from voice_sandbox.verification.any_order import any_order
from voice_sandbox.verification.runner import Outcome, run_one

pytestmark = pytest.mark.usefixtures("quiet")

SEQUENCES = 60
SHORT = 24
"""Requests of a sequence that was made as short as it goes: preparation, and a few steps."""
FOUND = (
    "completion_is_ignored",
    "rejected_requests_are_kept",
)


def found_in(fault: Fault, sequences: int = SEQUENCES) -> Outcome:
    """What sequences find in a sandbox with a fault."""
    with faulty_sandbox(fault.alter) as url:
        check = any_order(sequences, is_random=False)
        return run_one(check, sandbox_target(url), key=new_key(), base_url=url)


@pytest.mark.parametrize("name", FOUND)
def test_sequences_find_the_fault(name: str) -> None:
    """The finding is a sentence, with the few requests that show it."""
    outcome = found_in(FAULTS[name])
    assert outcome.finding.endswith((".", '"')), outcome.finding
    assert 0 < len(outcome.requests) <= SHORT, outcome.requests
    assert "VOICE_API_KEY" in outcome.curl


def test_what_is_not_the_same_twice_is_a_finding_too() -> None:
    """A fault that strikes now and then is told, though no sequence shows it again."""
    with faulty_sandbox(_break_once) as url:
        check = any_order(5, is_random=False)
        outcome = run_one(check, sandbox_target(url), key=new_key(), base_url=url)
    assert outcome.finding.startswith("The same sequence of requests is answered now"), outcome


def _break_once(injector: FaultInjector) -> None:
    responses = 0

    def alter(request: FaultyRequest, response: FaultyResponse) -> None:
        nonlocal responses
        responses += 1
        if responses == 40:
            response.status = 202

    injector.on_response(alter)
