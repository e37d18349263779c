"""Calls and the simulated provider against the model of `verify`, on each engine."""

import pytest

from sandbox_process import start_sandbox
from verify_command import new_key, sandbox_target
from voice_sandbox.verification.any_order import any_order
from voice_sandbox.verification.runner import run_one

ON_ENGINES = ["sqlite-memory", "sqlite-file", "postgresql"]
SEQUENCES = 40


def test_sandbox_behaves_as_the_model(
    database: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever is sent in whatever order, every response is the one that the rules give."""
    folder = tmp_path_factory.mktemp("model")
    with start_sandbox(folder, "--database", database) as server:
        target = sandbox_target(server.url)
        outcome = run_one(any_order(SEQUENCES), target, key=new_key(), base_url=server.url)
    assert (outcome.finding, outcome.doubt) == ("", ""), outcome.requests
