"""problem_requests.yaml: the one table of how each problem is triggered."""

import pytest

from voice_portal.card import problem_card, tried
from voice_portal.page import Page
from voice_portal.sources import Sources
from voice_sandbox.contract.problems import PROBLEMS


def test_table_has_every_problem_and_no_other(sources: Sources) -> None:
    """Each code of the table of problems has a request, or a sentence on why it has none."""
    assert set(sources.problem_requests) == set(PROBLEMS)


@pytest.mark.parametrize("code", PROBLEMS)
def test_request_triggers_its_problem(sources: Sources, code: str) -> None:
    """The request of the table gets the problem, its status and its title."""
    options, never = problem_card(Page("errors.md", 1, sources), code)
    if never:
        assert code == "internal_error"
        return
    _, [*_, response] = tried(sources, options)
    assert response.status == PROBLEMS[code].status
    assert (response.body["code"], response.body["title"]) == (code, PROBLEMS[code].title)
