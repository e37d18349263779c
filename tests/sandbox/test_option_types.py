"""Options that take numbers say in plain words which ones."""

import pytest
from click.testing import CliRunner

from voice_sandbox.cli.main import command_contexts, main
from voice_sandbox.option_types import Number, WholeNumber


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["serve", "--port", "abc"], "abc is not a whole number. Give a whole number from 0 to"),
        (["serve", "--speed", "0"], "0 is out of range. Give a number more than 0, at most"),
        (["calls", "--limit", "0"], "0 is out of range. Give a whole number from 1 to 999."),
        (["calls", "--limit", "1.5"], "1.5 is not a whole number."),
        (["clock", "advance", "nan"], "nan is out of range."),
        (["exec", "--kill-after", "0", "--", "true"], "Give a number from 0.1 to 3,600."),
    ],
)
def test_wrong_number_is_explained(words: list[str], told: str) -> None:
    """A wrong number ends with 2, what was wrong, and what to give."""
    ran = CliRunner().invoke(main, words)
    assert ran.exit_code == 2
    assert told in ran.output


@pytest.mark.parametrize(
    ("kind", "value", "number"),
    [
        (Number(0, 1), "0.5", 0.5),
        (Number(0, 1), "1", 1.0),
        (Number(0, min_open=True), "1e300", 1e300),
        (WholeNumber(1), "7", 7),
    ],
)
def test_number_of_the_range_is_taken(kind: Number, value: str, number: float) -> None:
    """Both ends belong to a range, unless it is open."""
    assert kind.convert(value, None, None) == number


def test_help_names_no_type_of_python() -> None:
    """The help says which numbers an option takes without comparing signs."""
    for context in command_contexts().values():
        text = context.get_help()
        assert "RANGE" not in text
        assert "<=" not in text
