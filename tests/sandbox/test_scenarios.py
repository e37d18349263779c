"""The catalogue of scenarios: closed, typed, and told with file, line and fix when wrong."""

import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from voice_sandbox.calls.scenarios import (
    CATALOGUE_FILE,
    Scenario,
    ScenarioError,
    Scenarios,
    load_scenarios,
)
from voice_sandbox.cli.main import main
from voice_sandbox.contract.catalogue import Catalogue
from voice_sandbox.contract.model import Contract
from voice_sandbox.contract.problems import PROBLEMS
from voice_sandbox.contract.validation import Validator

from .conftest import SCENARIOS

EVERY = pytest.mark.parametrize("scenario", list(SCENARIOS), ids=lambda scenario: scenario.name)


@EVERY
def test_number_can_be_called(scenario: Scenario, contract: Contract) -> None:
    """Every number of the catalogue is one that the contract accepts."""
    assert Validator(contract, contract.schema("PhoneNumber")).is_valid(scenario.number)


@EVERY
def test_number_belongs_to_nobody(scenario: Scenario, scenarios: Scenarios) -> None:
    """A test number that slips into production rings nobody: its range is kept for fiction."""
    assert scenarios.range_first <= scenario.number <= scenarios.range_last
    assert len(scenario.number) == len(scenarios.range_first)


@EVERY
def test_line_is_for_people(scenario: Scenario) -> None:
    """Every scenario says in whole sentences what becomes of the call."""
    assert scenario.line.endswith(".")


def test_any_other_number_plays_the_default(scenarios: Scenarios, catalogue: Catalogue) -> None:
    """A number outside the list, that of the contract's examples included, is answered."""
    assert scenarios.for_number(catalogue.sample.phone) is scenarios.default


def test_every_outcome_can_be_triggered(scenarios: Scenarios, contract: Contract) -> None:
    """Each state in which a call can end is the end of some scenario."""
    table = contract.schema("ProviderStatus")["x-normalized-status"]
    ends = {table.get(c.status) for scenario in scenarios for c in scenario.completions}
    assert ends - {None} == set(table.values())


def test_rejections_are_the_ones_worth_a_retry(scenarios: Scenarios) -> None:
    """Creation can be rejected with 429 and with 503."""
    codes = {scenario.rejection.code for scenario in scenarios if scenario.rejection}
    assert {PROBLEMS[code].status for code in codes} == {429, 503}


# Mistakes


def _first(**words: Any) -> Callable[[Any], None]:
    return lambda document: document["scenarios"][0].update(words)


def _completion(**words: Any) -> Callable[[Any], None]:
    return lambda document: document["scenarios"][0]["completions"][0].update(words)


def _without(*path: Any) -> Callable[[Any], None]:
    def change(document: Any) -> None:
        *above, last = path
        for step in above:
            document = document[step]
        del document[last]

    return change


def _rejection(**words: Any) -> Callable[[Any], None]:
    def change(document: Any) -> None:
        [rejecting, *_] = [s for s in document["scenarios"] if "refusal" in s]
        rejecting["refusal"].update(words)

    return change


def _named(document: Any, name: str) -> Any:
    return next(scenario for scenario in document["scenarios"] if scenario["name"] == name)


def _twice(word: str) -> Callable[[Any], None]:
    def change(document: Any) -> None:
        document["scenarios"][1][word] = document["scenarios"][0][word]

    return change


MISTAKES: dict[str, tuple[Callable[[Any], None], str]] = {
    "unknown word at the top": (lambda d: d.update(extra=1), "extra"),
    "unknown word of a scenario": (_first(color="red"), "color"),
    "unknown word of a completion": (_completion(color="red"), "color"),
    "missing word of a scenario": (_without("scenarios", 0, "line"), "line"),
    "missing word of a completion": (
        _without("scenarios", 0, "completions", 0, "transcript"),
        "transcript",
    ),
    "unknown default": (lambda d: d.update(default="nothing"), "nothing"),
    "number outside the range": (_first(number="+12025550200"), "range"),
    "number used twice": (_twice("number"), "twice"),
    "name used twice": (_twice("name"), "twice"),
    "answered before it rings": (_first(ringing=4), "rings before"),
    "answered without ringing": (_without("scenarios", 0, "ringing"), "rings before"),
    "neither completions nor refusal": (_without("scenarios", 0, "completions"), "either"),
    "completions and a refusal": (
        lambda d: d["scenarios"][0].update({"refusal": {"code": "rate_limited", "retry_after": 1}}),
        "either",
    ),
    "completions out of order": (
        lambda d: d["scenarios"][0]["completions"].insert(
            0, {"after": 900, "status": "completed", "transcript": None}
        ),
        "order",
    ),
    "word that the contract does not list": (_completion(status="vanished"), "vanished"),
    "unknown word that the contract lists": (
        lambda d: d["scenarios"][0]["completions"].__setitem__(
            0, {"after": 8, "unknown_status": "busy", "transcript": None}
        ),
        "busy",
    ),
    "status and unknown status": (_completion(unknown_status="x"), "either"),
    "neither status": (_without("scenarios", 0, "completions", 0, "status"), "either"),
    "ended before it was answered": (_completion(ended=2), "answered before"),
    "ended after its delivery": (_completion(ended=9), "ends before"),
    "ended before it began": (_completion(after=0), "ends before"),
    "transcript too long": (_completion(transcript="x" * 70_000), "Longer"),
    "refusal that is no problem": (_rejection(code="no_such"), "no_such"),
    "refusal without Retry-After": (_rejection(code="not_found"), "Retry-After"),
    "unknown word of a refusal": (_rejection(color="red"), "color"),
    "missing word of a refusal": (
        lambda d: next(s for s in d["scenarios"] if "refusal" in s)["refusal"].pop("code"),
        "code",
    ),
    "number without quotes": (_first(number=12025550100), "number"),
    "time that is a word": (_first(ringing="soon"), "ringing"),
    "delivery that is a word": (_completion(after="soon"), "after"),
    "transcript that is a number": (_completion(transcript=5), "transcript"),
    "scenario that is a word": (lambda d: d["scenarios"].append("x"), "mapping"),
    "no wait before a retry": (_rejection(retry_after=0), "retry_after"),
    "time that is no number": (_first(ringing=float("nan")), "ringing"),
    "time without end": (_completion(after=float("inf")), "after"),
    "time before the call": (_first(ringing=-1), "ringing"),
    "time that is a truth": (_first(ringing=True), "ringing"),
    "call of a week": (_completion(after=604_800), "after"),
    "talk longer than its call": (_completion(lasted=99), "no longer"),
    "ends before it rings": (
        lambda d: _named(d, "no_answer").update(ringing=40),
        "before it ends",
    ),
    "busy after an answer": (_completion(status="busy"), "cannot end as busy"),
    "completed without an answer": (
        lambda d: _named(d, "no_answer")["completions"][0].update(status="completed"),
        "in_progress",
    ),
    "refused call that rings": (lambda d: _named(d, "rate_limited").update(ringing=1), "rings"),
    "default that refuses": (lambda d: d.update(default="rate_limited"), "refusal"),
    "number that is too short": (_first(number="+1202555010"), "range"),
    "number with letters": (_first(number="+1202555010x"), "plus sign"),
    "name that is no word": (_first(name="Busy Line"), "small letters"),
    "line without words": (_first(line=""), "one line"),
    "line of two lines": (_first(line="One.\nTwo."), "one line"),
    "transcript with NUL": (_completion(transcript="a\0b"), "NUL"),
    "more completions than are played": (
        lambda d: d["scenarios"][0].update(completions=d["scenarios"][0]["completions"] * 11),
        "At most",
    ),
    "more scenarios than are listed": (
        lambda d: d.update(scenarios=d["scenarios"] * 5),
        "more than",
    ),
    "wait that is a truth": (_rejection(retry_after=True), "retry_after"),
    "nothing to repeat": (_completion(transcript=None, repeat_to_limit=True), "repeat"),
}


@pytest.mark.parametrize(("change", "named"), MISTAKES.values(), ids=MISTAKES.keys())
def test_mistake_stops_the_reading(
    tmp_path: Path, catalogue: Catalogue, change: Callable[[Any], None], named: str
) -> None:
    """A catalogue that cannot be played stops the program with file, line and fix."""
    document = yaml.safe_load(CATALOGUE_FILE.read_text("utf-8"))
    change(document)
    path = tmp_path / "scenarios.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False, allow_unicode=True), "utf-8")
    with pytest.raises(ScenarioError, match=rf"^scenarios\.yaml:\d+: .*{named}"):
        load_scenarios(catalogue, path=path)


@pytest.mark.parametrize(
    ("old", "new", "fix"),
    [
        ("    ringing: 1\n", "    ringing: 1\n    ringing: 2\n", "ringing is given twice"),
        ("line: The line is busy.", "color: red", "Known are: name, number"),
        ("    ringing: 1\n", "\t ringing: 1\n", "tab"),
        ("number: '+12025550111'", "number: '+12025550110'", "Give each scenario its own"),
    ],
)
def test_mistake_is_found_on_its_line(
    tmp_path: Path, catalogue: Catalogue, old: str, new: str, fix: str
) -> None:
    """The line that is named is the one to put right, or the scenario's first."""
    text = CATALOGUE_FILE.read_text("utf-8")
    before, after = text.split("  - name: busy\n")
    path = tmp_path / "scenarios.yaml"
    path.write_text(f"{before}  - name: busy\n{after.replace(old, new, 1)}", "utf-8")
    first = before.count("\n") + 1
    with pytest.raises(ScenarioError, match=fix) as stopped:
        load_scenarios(catalogue, path=path)
    line = int(str(stopped.value).split(":")[1])
    assert first <= line <= first + 4


def test_start_stops_at_a_mistake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program does not start, and says in one line what to put right where."""
    path = tmp_path / "scenarios.yaml"
    path.write_text(CATALOGUE_FILE.read_text("utf-8").replace("ringing: 1", "rings: 1", 1), "utf-8")
    monkeypatch.setattr("voice_sandbox.calls.scenarios.CATALOGUE_FILE", path)
    monkeypatch.setattr(load_scenarios, "__kwdefaults__", {"path": path})
    stopped = CliRunner().invoke(main, ["serve", "--port", "0", "--database", "sqlite:///:memory:"])
    assert stopped.exit_code == 1
    assert stopped.output.startswith("Error: scenarios.yaml:12: The word rings is not understood")
    assert gc.isenabled(), "the start has left the collector off"


@pytest.mark.parametrize("text", ["", "a: [1", "- x", "\x00"])
def test_what_is_no_catalogue_stops_the_reading(
    tmp_path: Path, catalogue: Catalogue, text: str
) -> None:
    """Any other file is rejected by name, without a traceback."""
    path = tmp_path / "other.yaml"
    path.write_text(text)
    with pytest.raises(ScenarioError, match=r"other\.yaml"):
        load_scenarios(catalogue, path=path)


def test_missing_file_stops_the_reading(tmp_path: Path, catalogue: Catalogue) -> None:
    """A catalogue that does not exist is named."""
    with pytest.raises(ScenarioError, match=r"gone\.yaml"):
        load_scenarios(catalogue, path=tmp_path / "gone.yaml")
