"""The table of the stages of rejection."""

from voice_sandbox.contract.problems import PROBLEMS
from voice_sandbox.contract.rejection import ANYTIME, STAGES


def test_every_problem_belongs_to_a_stage() -> None:
    """Each problem code is that of a stage, or may come at any time."""
    assert {code for stage in STAGES for code in stage.codes} | set(ANYTIME) == set(PROBLEMS)


def test_stages_are_told_apart() -> None:
    """No two stages have one name, and each says what it judges in one sentence."""
    assert len({stage.name for stage in STAGES}) == len(STAGES)
    assert all(stage.judges.endswith(".") for stage in STAGES)
