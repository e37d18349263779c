"""The table of problems: every code is sendable, explained, and shaped as the contract says."""

import re
from http import HTTPStatus

import pytest

from voice_sandbox.contract.model import Contract
from voice_sandbox.contract.problems import PROBLEMS, FieldError, Problem, ProblemError, document
from voice_sandbox.contract.validation import Validator

EVERY = pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS.keys())


@EVERY
def test_document_fits_the_contract(problem: Problem, contract: Contract) -> None:
    """Whatever code is rejected with, the document is a Problem of the contract."""
    sent = document(ProblemError(problem.code, "What was wrong."), request_id="req_12345678")
    assert Validator(contract, contract.schema("Problem")).errors(sent) == []


def test_document_with_errors_fits_the_contract(contract: Contract) -> None:
    """A rejection that lists places is a ValidationProblem of the contract."""
    error = ProblemError(
        "validation_failed", "Wrong.", errors=[FieldError("/phone", "must be one")]
    )
    sent = document(error, request_id="req_12345678")
    assert Validator(contract, contract.schema("ValidationProblem")).errors(sent) == []


@EVERY
def test_status_is_an_error_of_http(problem: Problem) -> None:
    """Every problem has a status that HTTP knows as an error."""
    assert HTTPStatus(problem.status) >= HTTPStatus.BAD_REQUEST


@EVERY
def test_type_points_at_the_entry(problem: Problem) -> None:
    """The type of a problem leads to the entry of its code."""
    assert problem.type == f"/errors/#{problem.code}"


@EVERY
def test_entry_says_what_and_how(problem: Problem) -> None:
    """The Errors page tells of each problem what it means and how to fix it."""
    for sentence in (problem.meaning, problem.remedy):
        assert re.fullmatch(r"[A-Z`].{20,}[.]", sentence)


def test_titles_are_different() -> None:
    """Two problems are never called the same."""
    assert len({problem.title for problem in PROBLEMS.values()}) == len(PROBLEMS)


def test_unknown_code_cannot_be_rejected_with() -> None:
    """A code that is not in the table cannot be sent."""
    with pytest.raises(KeyError):
        ProblemError("no_such_code", "Wrong.")
