"""The catalogue of scenarios: what becomes of a call, chosen by the number that is called.

Typed and closed: an unknown word, a number used twice or an impossible time line stops the
program with the file, the line and the fix.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from voice_sandbox.calls.call import IN_PROGRESS, QUEUED, RINGING, possible_ends
from voice_sandbox.contract.catalogue import Catalogue
from voice_sandbox.contract.pointers import YAMLError, line_of, read_yaml
from voice_sandbox.contract.problems import PROBLEMS

CATALOGUE_FILE: Final = Path(__file__).parent.with_name("scenarios.yaml")

_NUMBER: Final = (int, float)
# What each word of the catalogue holds. YAML reads a phone number without quotes as an integer.
_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    **dict.fromkeys(("first", "last", "default", "name", "number", "line"), (str,)),
    **dict.fromkeys(("status", "unknown_status", "code"), (str,)),
    **dict.fromkeys(("ringing", "in_progress", "after", "ended", "lasted"), _NUMBER),
    **dict.fromkeys(("scenarios", "completions"), (list,)),
    "transcript": (str, type(None)),
    "repeat_to_limit": (bool,),
    "repeat_to": (int,),
    "refusal": (dict,),
    **dict.fromkeys(("retry_after", "times"), (int,)),
}
# What the texts look like, as both contracts promise it, and how to say so.
_FORMS: Final[Mapping[str, tuple[re.Pattern[str], str]]] = {
    **dict.fromkeys(
        ("first", "last", "number"),
        (re.compile(r"\+[1-9][0-9]{7,14}"), "a plus sign and 8 to 15 digits"),
    ),
    "name": (re.compile(r"[a-z][a-z_]{0,63}"), "small letters and _, 64 at most"),
    "line": (re.compile(r"[^\x00-\x1f]{1,300}"), "1 to 300 characters in one line"),
    "unknown_status": (re.compile(r"[a-z][a-z_-]{0,63}"), "small letters, - and _, 64 at most"),
    "transcript": (re.compile(r"[^\x00]*"), "text without the character NUL"),
}
OWN_SCENARIO: Final = "own"
"""The name of what a call plays to whose number a key has given an outcome of its own."""
_OWN_LINE: Final = "An outcome of your own."
_LONGEST_SECONDS: Final = 86_400
"""No call of the contract lasts longer than a day."""
_MOST_SCENARIOS: Final = 100
_MOST_COMPLETIONS: Final = 10
_MOST_REJECTIONS: Final = 1000


class ScenarioError(Exception):
    """The catalogue cannot be played; the message names file, line and fix."""


class OutcomeError(Exception):
    """Something in an outcome cannot be played; ``pointer`` is the JSON Pointer of its place."""

    def __init__(self, pointer: str, message: str) -> None:
        super().__init__(message)
        self.pointer = pointer
        self.message = message


class Completion(msgspec.Struct, frozen=True):
    """One delivery of the provider, ``after_seconds`` after the call was created."""

    after_seconds: float
    status: str
    """The provider's own word, on purpose an unknown one where the scenario says so."""
    transcript: str | None
    repeat_to: int
    """The transcript is repeated to so many characters; 0 where it is not."""
    duration_seconds: int


class RejectedCreation(msgspec.Struct, frozen=True):
    """The creation is rejected with this problem."""

    code: str
    retry_after_seconds: int
    times: int | None
    """How often; then calls to the number work. ``None`` is always."""


class Scenario(msgspec.Struct, frozen=True):
    name: str
    number: str
    line: str
    """One sentence for people."""
    ringing_after_seconds: float | None
    answered_after_seconds: float | None
    completions: tuple[Completion, ...]
    rejection: RejectedCreation | None


class Scenarios(msgspec.Struct, frozen=True):
    """The whole catalogue; any number it does not list plays the default scenario."""

    range_first: str
    range_last: str
    default: Scenario
    by_name: Mapping[str, Scenario]
    by_number: Mapping[str, Scenario]

    def __iter__(self) -> Iterator[Scenario]:
        return iter(self.by_name.values())

    def for_number(self, phone: str) -> Scenario:
        return self.by_number.get(phone, self.default)


def load_scenarios(catalogue: Catalogue, *, path: Path = CATALOGUE_FILE) -> Scenarios:
    """Reads and checks the catalogue. Raises: `ScenarioError`."""
    try:
        document = read_yaml(path.read_bytes(), path)
        return _ScenarioReader(catalogue).scenarios(document)
    except YAMLError as error:
        raise ScenarioError(str(error)) from error
    except OSError as error:
        raise ScenarioError(f"The scenarios {path} cannot be read: {error}") from error
    except OutcomeError as error:
        line = line_of(path, error.pointer)
        raise ScenarioError(f"{path.name}:{line}: {error.message}") from error


def read_outcome(outcome: Any, catalogue: Catalogue) -> Scenario:
    """An outcome in the form of the catalogue, but for name, number and line.

    Raises: `OutcomeError`.
    """
    words = {"name": OWN_SCENARIO, "number": catalogue.sample.phone, "line": _OWN_LINE}
    return _ScenarioReader(catalogue).outcome({**outcome, **words}, "")


class _ScenarioReader:
    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue

    def fail(self, pointer: str, message: str) -> OutcomeError:
        return OutcomeError(pointer, message)

    def take(self, node: Any, pointer: str, required: str, optional: str = "") -> dict[str, Any]:
        if not isinstance(node, dict):
            raise self.fail(pointer, "A mapping was expected here.")
        needed, known = required.split(), required.split() + optional.split()
        for word in node:
            if word not in known:
                raise self.fail(
                    f"{pointer}/{word}",
                    f"The word {word} is not understood here. Known are: {', '.join(known)}.",
                )
            self.check(word, node[word], f"{pointer}/{word}")
        for word in needed:
            if word not in node:
                raise self.fail(pointer, f"The word {word} is missing here.")
        return node

    def check(self, word: str, value: Any, pointer: str) -> None:
        """Whether one value is of the type and the form that its word needs."""
        types = _TYPES[word]
        # To Python a truth is a number too.
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            kinds = " or ".join(kind.__name__ for kind in types)
            raise self.fail(pointer, f"The value of {word} must be of type {kinds}.")
        if isinstance(value, _NUMBER) and not 0 <= value <= _LONGEST_SECONDS:  # nan is not either
            raise self.fail(pointer, f"{word} must be 0 to {_LONGEST_SECONDS} seconds.")
        if isinstance(value, str) and word in _FORMS:
            form, description = _FORMS[word]
            if not form.fullmatch(value):
                raise self.fail(pointer, f"The value of {word} must be {description}.")

    def scenarios(self, document: Any) -> Scenarios:
        root = self.take(document, "", "first last default scenarios")
        if len(root["scenarios"]) > _MOST_SCENARIOS:
            raise self.fail("/scenarios", f"There are more than {_MOST_SCENARIOS} scenarios.")
        by_name: dict[str, Scenario] = {}
        by_number: dict[str, Scenario] = {}
        for i, node in enumerate(root["scenarios"]):
            pointer = f"/scenarios/{i}"
            scenario = self.scenario(node, pointer)
            is_as_long = len(scenario.number) == len(root["first"]) == len(root["last"])
            if not is_as_long or not root["first"] <= scenario.number <= root["last"]:
                raise self.fail(
                    f"{pointer}/number",
                    f"{scenario.number} lies outside {root['first']} to {root['last']}, the range "
                    "that is reserved for fiction. Choose a number inside it.",
                )
            for seen, word in ((by_name, scenario.name), (by_number, scenario.number)):
                if word in seen:
                    raise self.fail(pointer, f"{word} is listed twice. Give each scenario its own.")
            by_name[scenario.name] = by_number[scenario.number] = scenario
        if root["default"] not in by_name:
            raise self.fail("/default", f"There is no scenario named {root['default']}.")
        if by_name[root["default"]].rejection is not None:
            raise self.fail("/default", "The default creates calls. Name one that has no refusal.")
        return Scenarios(root["first"], root["last"], by_name[root["default"]], by_name, by_number)

    def scenario(self, node: Any, pointer: str) -> Scenario:
        scenario = self.outcome(node, pointer)
        if scenario.name == OWN_SCENARIO:
            raise self.fail(f"{pointer}/name", f"{OWN_SCENARIO} is what numbers of a key play.")
        return scenario

    def outcome(self, node: Any, pointer: str) -> Scenario:
        """What becomes of a call, from a scenario or from a number of one's own."""
        node = self.take(
            node, pointer, "name number line", "ringing in_progress completions refusal"
        )
        rejection = self.rejection(node.get("refusal"), f"{pointer}/refusal")
        ringing, answered = node.get("ringing"), node.get("in_progress")
        if ringing == 0 or (answered is not None and (ringing is None or ringing >= answered)):
            raise self.fail(
                pointer, "A call rings before it is answered: 0 < ringing < in_progress."
            )
        is_created = rejection is None or rejection.times is not None
        if is_created != ("completions" in node):
            raise self.fail(
                pointer,
                "Give a scenario either completions or refusal. It may have both if refusal has "
                "times.",
            )
        if not is_created and ringing is not None:
            raise self.fail(f"{pointer}/ringing", "A rejected call never rings.")
        if len(node.get("completions", ())) > _MOST_COMPLETIONS:
            raise self.fail(
                f"{pointer}/completions", f"At most {_MOST_COMPLETIONS} completions are played."
            )
        completions = tuple(
            self.completion(completion, f"{pointer}/completions/{i}", ringing, answered)
            for i, completion in enumerate(node.get("completions", ()))
        )
        if [c.after_seconds for c in completions] != sorted(c.after_seconds for c in completions):
            raise self.fail(f"{pointer}/completions", "Completions come in the order of `after`.")
        return Scenario(
            name=node["name"],
            number=node["number"],
            line=node["line"],
            ringing_after_seconds=ringing,
            answered_after_seconds=answered,
            completions=completions,
            rejection=rejection,
        )

    def completion(
        self, node: Any, pointer: str, ringing: float | None, answered: float | None
    ) -> Completion:
        node = self.take(
            node,
            pointer,
            "after transcript",
            "status unknown_status ended lasted repeat_to_limit repeat_to",
        )
        status, unknown = node.get("status"), node.get("unknown_status")
        if (status is None) == (unknown is None):
            raise self.fail(pointer, "Give a completion either status or unknown_status.")
        words = self.catalogue.normalized_status
        if status is not None and status not in words:
            raise self.fail(
                f"{pointer}/status",
                f"The provider has no word {status}. The contract lists: {', '.join(words)}.",
            )
        if unknown in words:
            raise self.fail(f"{pointer}/unknown_status", f"The contract does know {unknown}.")
        ended = node.get("ended", node["after"])
        # With `lasted` the end is told before we have seen what led to it.
        begun = 0 if "lasted" in node else answered or ringing or 0
        if not 0 < ended <= node["after"] or ended < begun:
            raise self.fail(
                pointer,
                "A call rings and is answered before it ends, and ends before that is delivered.",
            )
        if node.get("lasted", 0) > ended:
            raise self.fail(f"{pointer}/lasted", "A talk is no longer than its call.")
        if status is not None:
            self.possible_end(words[status], node, pointer, ringing, answered)
        transcript = node["transcript"]
        limit = self.catalogue.longest_transcript
        if max(len(transcript or ""), node.get("repeat_to", 0)) > limit:
            raise self.fail(f"{pointer}/transcript", "Longer than the contract allows.")
        for word in ("repeat_to_limit", "repeat_to"):
            if node.get(word) and not transcript:
                raise self.fail(f"{pointer}/{word}", "There is no transcript to repeat.")
        lasted = node.get("lasted", 0 if answered is None else ended - answered)
        return Completion(
            after_seconds=node["after"],
            status=status or unknown,
            transcript=transcript,
            repeat_to=limit if node.get("repeat_to_limit") else node.get("repeat_to", 0),
            duration_seconds=int(lasted),
        )

    def possible_end(
        self, end: str, node: Any, pointer: str, ringing: float | None, answered: float | None
    ) -> None:
        """Whether a call can end so where it stands when the completion arrives."""
        live = QUEUED
        for status, at in ((RINGING, ringing), (IN_PROGRESS, answered)):
            if at is not None and node["after"] >= at:
                live = status
        if end not in possible_ends(live):
            raise self.fail(
                f"{pointer}/status",
                f"A call that is {live} cannot end as {end}. "
                f"It can end as {' or '.join(possible_ends(live))}.",
            )
        if end == "completed" and answered is None and "lasted" not in node:
            raise self.fail(
                pointer, "A call that nobody answered is not completed. Give it an in_progress."
            )

    def rejection(self, node: Any, pointer: str) -> RejectedCreation | None:
        if node is None:
            return None
        node = self.take(node, pointer, "code retry_after", "times")
        problem = PROBLEMS.get(node["code"])
        if problem is None or problem.status not in (429, 503):
            raise self.fail(f"{pointer}/code", f"{node['code']} is no problem with Retry-After.")
        if node["retry_after"] < 1:
            raise self.fail(f"{pointer}/retry_after", "The least retry_after is 1 second.")
        if "times" in node and not 1 <= node["times"] <= _MOST_REJECTIONS:
            raise self.fail(f"{pointer}/times", f"times must be 1 to {_MOST_REJECTIONS}.")
        return RejectedCreation(node["code"], node["retry_after"], node.get("times"))
