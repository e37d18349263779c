"""The programme of a rehearsal: a closed, typed file of acts.

An act that names an unknown scenario, operation or fault is rejected when the file is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
import yaml

from voice_sandbox.calls.scenarios import load_scenarios
from voice_sandbox.contract.catalogue import read_catalogue
from voice_sandbox.contract.faults import ANY_OPERATION, FAULTS
from voice_sandbox.contract.model import Contract

PROGRAMME: Final = Path(__file__).with_name("acts.yaml")
BASELINE: Final = "answered"
"""The act that says how many calls a run of the program means to place."""

Exit = Literal["success", "failure", "any"]
Variation = Literal["agents", "words"]


class ProgrammeError(Exception):
    """The file cannot be used; the message says what to fix."""


class ActFault(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A fault as `armFault` takes it, without a number."""

    operation: str
    fault: Mapping[str, Any]
    times: int | str = 1
    skip: int = 0


class Act(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One run of the program, and what may become of it."""

    name: str
    line: str
    """What happens, as a sentence."""
    expects: str
    """What a good program does, as a sentence."""
    scenario: str | None = None
    outcome: Mapping[str, Any] | None = None
    """What every number plays, where it is no scenario of the catalogue."""
    faults: tuple[ActFault, ...] = ()
    clock: Literal["polls", "wall", "manual"] = "polls"
    exit: Exit = "any"
    retries: tuple[str, ...] = ()
    """Operations that are sent again until they succeed."""
    never_ends: bool = False
    variation: Variation | None = None
    like: str | None = None
    """An act that differs only in what must make no difference."""


class _Programme(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    acts: tuple[Act, ...]


def read_programme(path: Path, contract: Contract) -> tuple[Act, ...]:
    """The acts of a file in their order. Raises: `ProgrammeError`."""
    try:
        document = yaml.safe_load(path.read_text("utf-8"))
        acts = msgspec.convert(document, _Programme).acts
    except OSError as error:
        raise ProgrammeError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ProgrammeError(f"{path} is no YAML: {' '.join(str(error).split())}.") from error
    except msgspec.ValidationError as error:
        raise ProgrammeError(f"{path}: {error}.") from error
    for problem in _problems(acts, contract):
        raise ProgrammeError(f"{path}: {problem}")
    return acts


def select(acts: Sequence[Act], names: Sequence[str]) -> tuple[Act, ...]:
    """The acts of those names, in the order of the programme, or all of them where none is named.

    Raises: `ProgrammeError`.
    """
    known = [act.name for act in acts]
    for name in names:
        if name not in known:
            raise ProgrammeError(f"There is no act {name!r}. The acts are: {', '.join(known)}.")
    return tuple(act for act in acts if not names or act.name in names)


def _problems(acts: Sequence[Act], contract: Contract) -> Iterator[str]:
    """What is wrong in the acts, as sentences."""
    names = [act.name for act in acts]
    if not acts:
        yield "It has no act. Write at least one below `acts`."
    for name in sorted(set(names)):
        if names.count(name) > 1:
            yield f"The act {name} is there twice."
    scenarios = load_scenarios(read_catalogue(contract)).by_name
    for act in acts:
        where = f"In the act {act.name}"
        if (act.scenario is None) == (act.outcome is None):
            yield f"{where}: give either a scenario or an outcome."
        if act.scenario not in {None, *scenarios}:
            yield f"{where}: there is no scenario {act.scenario}. See voice-sandbox scenarios."
        if act.like not in {None, *names}:
            yield f"{where}: there is no act {act.like} that it could be like."
        yield from (f"{where}: {problem}" for problem in _problems_of_faults(act, contract))


def _problems_of_faults(act: Act, contract: Contract) -> Iterator[str]:
    for operation in {*act.retries, *(fault.operation for fault in act.faults)}:
        if operation not in {ANY_OPERATION, *contract.operations}:
            yield f"there is no operation {operation}."
    if not all(fault.fault.get("kind") in FAULTS for fault in act.faults):
        yield f"the kind of a fault is one of: {', '.join(FAULTS)}."
