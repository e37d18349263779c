"""The fault matrix in its bounded form: each fault against the check that should catch it."""

from collections import Counter

import pytest

from fault_injection import faulty_sandbox
from fault_matrix import PAGE_TABLE, as_summary, read_matrix
from faults import FAULTS
from verify_command import run_check, sandbox_target
from voice_sandbox.verification.registry import CHECKS

pytestmark = pytest.mark.usefixtures("quiet")

CATEGORIES = {
    "transport",
    "json",
    "media type",
    "auth",
    "schema",
    "state",
    "storage",
    "webhook",
    "idempotency",
    "isolation",
    "headers",
    "problems",
    "time",
    "limits",
    "order",
    "text",
    "irrelevant",
    "journal",
    "on request",
}


@pytest.mark.parametrize("name", FAULTS)
def test_fault_is_caught(name: str) -> None:
    """The check that should catch the fault does."""
    fault = FAULTS[name]
    with faulty_sandbox(fault.alter) as url:
        outcome = run_check(fault.caught_by, url, sandbox_target(url))
    assert outcome.finding, f"{fault.caught_by} overlooks: {fault.sentence}"
    assert outcome.finding.endswith((".", '"')), outcome.finding
    # A fault that breaks the sandbox by mistake would prove nothing about the check.
    assert ("The deployment broke" in outcome.finding) == fault.crashes, outcome.finding


def test_a_sandbox_without_fault_is_not_accused() -> None:
    """The fault injector itself alters nothing."""
    with faulty_sandbox(lambda injector: None) as url:
        target = sandbox_target(url)
        found = {name: run_check(name, url, target).finding for name in CHECKS}
    assert {name: finding for name, finding in found.items() if finding} == {}


def test_passing_through_alters_nothing() -> None:
    """Faults that are put between client and sandbox alter only what they say."""
    with faulty_sandbox(
        lambda injector: injector.on_response(lambda request, response: None)
    ) as url:
        target = sandbox_target(url)
        found = {name: run_check(name, url, target).finding for name in CHECKS}
    assert {name: finding for name, finding in found.items() if finding} == {}


def test_faults_cover_every_category() -> None:
    """At least three hundred faults, and at least five of each category."""
    assert len(FAULTS) >= 300
    counts = Counter(fault.category for fault in FAULTS.values())
    assert min(counts.values()) >= 5, counts
    assert {fault.category for fault in FAULTS.values()} == CATEGORIES


def test_page_shows_the_matrix() -> None:
    """The table on the Contract testing page is the one that was measured."""
    assert PAGE_TABLE.read_text("utf-8") == as_summary(read_matrix())


def test_matrix_is_complete() -> None:
    """The committed matrix has a row for each fault, says who catches it, and no check is idle."""
    matrix = read_matrix()
    rows = {row["name"]: row for row in matrix["faults"]}
    assert set(rows) == set(FAULTS), "run `make faults`"
    for name, fault in FAULTS.items():
        assert fault.caught_by in rows[name]["checks"]
        assert (rows[name]["sentence"], rows[name]["category"]) == (fault.sentence, fault.category)
    assert matrix["caught"] == len(FAULTS)
    assert matrix["checks_that_caught_nothing"] == []
