"""The pytest plugin of the rehearsal: a function of yours in every act, judged by the rules.

A test that takes ``voice_rehearsal`` runs once for each act. Nothing is imported until one does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from voice_sandbox.rehearsal.acts import Act
    from voice_sandbox.rehearsal.evidence import Ending
    from voice_sandbox.rehearsal.stage import RehearsalStage

_MARKER = "voice_rehearsal"


class RehearsedAct:
    """One act, with all that your code needs to meet it.

    ``url`` and ``key`` are what `exec` puts into VOICE_API_URL and VOICE_API_KEY.
    """

    def __init__(self, act: Act, url: str, key: str) -> None:
        self.act = act
        self.url = url
        self.key = key
        self.failure: Exception | None = None
        """What `run` has caught."""
        self.has_run = False

    @property
    def name(self) -> str:
        """The name of the act, such as ``lost_response``."""
        return self.act.name

    def run(self, function: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """Calls your function as a program would: an exception is its way to say that it failed.

        Returns what it returns, or ``None`` where it raised. Whether it may fail depends on the
        act. Without this method an exception fails the test as usual.
        """
        self.has_run = True
        try:
            return function(*args, **options)
        except Exception as error:  # noqa: BLE001  (judged at the end of the test)
            self.failure = error
            return None


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        f"{_MARKER}(*acts, calls=1, times=True): the acts to rehearse, all where none is named; "
        "how many calls to a number are meant; whether waiting times are judged.",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "voice_rehearsal" not in metafunc.fixturenames:
        return
    from voice_sandbox.contract.reader import find_contract, load_contract
    from voice_sandbox.rehearsal.acts import PROGRAMME, ProgrammeError, read_programme, select

    marker = metafunc.definition.get_closest_marker(_MARKER)
    acts = read_programme(PROGRAMME, load_contract(find_contract()))
    try:
        selected = select(acts, [] if marker is None else marker.args)
    except ProgrammeError as error:
        raise pytest.UsageError(str(error)) from error
    metafunc.parametrize(
        "voice_rehearsal", selected, indirect=True, ids=[act.name for act in selected]
    )


@pytest.fixture(scope="session")
def _voice_stages() -> Iterator[Callable[[str | None], RehearsalStage]]:
    """A sandbox for each variation, started when the first act needs it."""
    from voice_sandbox.rehearsal.stage import stage

    with ExitStack() as stack:
        stages: dict[str | None, RehearsalStage] = {}

        def started(variation: str | None) -> RehearsalStage:
            if variation not in stages:
                stages[variation] = stack.enter_context(stage(variation))
            return stages[variation]

        yield started


@pytest.fixture
def voice_rehearsal(
    request: pytest.FixtureRequest, _voice_stages: Callable[[str | None], RehearsalStage]
) -> Iterator[RehearsedAct]:
    """One act of the rehearsal. At the end of the test the rules say what was wrong."""
    from voice_sandbox.clock import monotonic, wall
    from voice_sandbox.rehearsal.rehearsal import evidence_of
    from voice_sandbox.rehearsal.rules import findings
    from voice_sandbox.rehearsal.stage import new_key

    act: Act = request.param
    marker = request.node.get_closest_marker(_MARKER)
    told = {"calls": 1, "times": True} | ({} if marker is None else marker.kwargs)
    on = _voice_stages(act.variation)
    with on.client(new_key()) as client:
        on.prepare(client, act)
        rehearsed = RehearsedAct(act, on.url, client.key)
        began_at, began = wall(), monotonic()
        yield rehearsed
        evidence = evidence_of(
            on,
            client,
            act,
            _ending(rehearsed, monotonic() - began),
            began_at=began_at,
            calls=told["calls"],
        )
        wrong = [
            f"{rule.code}: {finding.sentence} {rule.fix}"
            for rule, finding in findings(evidence)
            if told["times"] or not rule.is_about_times
        ]
        if wrong:
            pytest.fail("\n".join([f"{act.line} {act.expects}", *wrong]), pytrace=False)


def _ending(rehearsed: RehearsedAct, seconds: float) -> Ending:
    """How the function ended, as if it were a program."""
    from voice_sandbox.rehearsal.evidence import Ending

    error = rehearsed.failure
    output = "" if error is None else f"{type(error).__name__}: {error}"
    code = 0 if error is None else 1
    return Ending(code, seconds, output, is_service=not rehearsed.has_run)
