"""Requests in any order, against the rules of a call.

Hypothesis generates sequences of creations, completions, jumps of the clock and resets. Each
response is compared with the model. The first sequence that does not fit is shortened as far as
possible. `voice-sandbox verify --generate` runs it beside Schemathesis, which looks at one request
at a time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import inf
from typing import Any, Final

from hypothesis import HealthCheck, Phase, Verbosity, settings
from hypothesis import strategies as st
from hypothesis.errors import Flaky
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from voice_sandbox.calls.scenarios import Completion, Scenario
from voice_sandbox.clock import DAY_SECONDS
from voice_sandbox.contract.problems import PROBLEMS
from voice_sandbox.verification.api import Api
from voice_sandbox.verification.check import Check, Needs
from voice_sandbox.verification.finding import Finding, must, must_be, must_be_unknown_call
from voice_sandbox.verification.guard import CALLS_PATH, WEBHOOK_PATH
from voice_sandbox.verification.http1 import ReceivedResponse
from voice_sandbox.verification.model import ModelCall, delivered, normalized, state_at

STEPS: Final = 30
"""The longest sequence."""
_UNKNOWN_WORD: Final = "no_such_word"
_KEPT_SECONDS: Final = DAY_SECONDS
# Halves add up without a rest, so every sum that ought to be a time of a scenario is one.
_JUMPS: Final = (0.5, 1, 2, 3, 5, 5, 20, 130, DAY_SECONDS - 0.5, DAY_SECONDS)
_NOT_THE_SAME: Final = (
    "The same sequence of requests is answered now as the rules say, now otherwise."
)
_MANY: Final = 6
"""Calls after which a namespace may be emptied."""
_POSITIONS: Final = st.integers(0, 99)


@dataclass(slots=True)
class _Call:
    """What is known of a call from what was sent and when."""

    call_id: str
    reference: str
    scenario: Scenario
    created_at: float
    model: ModelCall
    planned: list[Completion]
    ended_by: dict[str, Any] | None = None
    """The completion by hand or by order that was accepted."""

    @property
    def due_at(self) -> float:
        return self.created_at + self.planned[0].after_seconds if self.planned else inf


@dataclass(slots=True)
class _Kept:
    """What an Idempotency-Key stands for."""

    body: dict[str, str]
    call: _Call
    location: list[str]
    expires_at: float


@dataclass(slots=True)
class _Namespace:
    """A key: the seconds that its clock has moved, its calls and what it keeps."""

    now: float = 0.0
    calls: list[_Call] = field(default_factory=list)
    kept: dict[str, _Kept] = field(default_factory=dict)
    rejections: Counter[str] = field(default_factory=Counter)

    @property
    def next_due_at(self) -> float:
        return min((call.due_at for call in self.calls), default=inf)

    def move(self, until: float, words: Any) -> None:
        """Moves the clock, and has the provider send whatever is due by then."""
        for call in self.calls:
            while call.due_at <= until:
                completion = call.planned.pop(0)
                call.model.state = state_at(call.scenario, completion.after_seconds)
                if completion.status in words:
                    call.model.complete(delivered(completion, words))
            call.model.state = state_at(call.scenario, until - call.created_at)
        self.now = until


class RequestsInAnyOrder(RuleBasedStateMachine):
    """One key of a sandbox. A subclass names the ``api``."""

    api: Api

    @initialize()
    def begin(self) -> None:
        """Empties the namespace. Only what comes afterwards is shown of a finding."""
        self.api.reset()
        self.api.exchanges.clear()
        self._stop()

    def _stop(self) -> None:
        self.space = _Namespace()
        self.api.stop_clock()
        self.began = self.api.now()

    @rule(number=_POSITIONS)
    def create(self, number: int) -> None:
        """Without an Idempotency-Key each creation makes a call of its own."""
        played = self.api.target.played
        scenario = played[number % len(played)]
        self._created(self._create(self._body(scenario)), scenario)

    @rule(number=_POSITIONS)
    def create_endless(self, number: int) -> None:
        """A call that the provider does not end stays in a state long enough to be ended there."""
        endless = [one for one in self.api.target.played if not one.completions]
        scenario = endless[number % len(endless)]
        self._created(self._create(self._body(scenario)), scenario)

    @rule(number=st.integers(0, 1), agent=st.integers(0, 1), key=st.sampled_from(["one", "two"]))
    def create_once(self, number: int, agent: int, key: str) -> None:
        """With an Idempotency-Key it makes a call, repeats the kept one, or is a conflict."""
        scenario = self.api.target.played[number]
        body = self._body(scenario, agent)
        if not self._is_of_the_kept(body, key):
            self._keep(body, key, scenario, self._create(body, key))

    @rule(number=_POSITIONS, key=st.sampled_from(["", "one", "two"]))
    def create_rejected(self, number: int, key: str) -> None:
        """Some numbers reject, always or so many times; a kept key is a conflict before that."""
        rejecting = self.api.target.rejecting
        scenario = rejecting[number % len(rejecting)]
        assert scenario.rejection is not None
        body = self._body(scenario)
        if self._is_of_the_kept(body, key):
            return
        response = self._create(body, key)
        if self.space.rejections[scenario.name] == scenario.rejection.times:
            self._keep(body, key, scenario, response)
        else:
            self.space.rejections[scenario.name] += 1
            problem = PROBLEMS[scenario.rejection.code]
            when = f"a call goes to the number of {scenario.name}"
            must_be(response, problem.status, problem.code, when=when)

    @rule(body=st.sampled_from([{}, {"agent": 1}, {"phone": "12025550111"}]))
    def create_wrongly(self, body: dict[str, Any]) -> None:
        """A body that breaks the schema creates nothing."""
        call = {**self.api.new_call(), **body} if body else body
        must_be(self.api.post(CALLS_PATH, call), 422, "validation_failed", when=f"{body} is sent")

    @precondition(lambda self: self.space.calls)
    @rule(
        position=_POSITIONS,
        word=_POSITIONS,
        transcript=st.sampled_from([None, "", "agent: Hello", "user: \U0001f600 саламатсызбы"]),
        duration=st.sampled_from([0, 1, 120]),
        way=st.sampled_from(["alias", "reference", "order"]),
    )
    def complete(
        self, position: int, word: int, transcript: str | None, duration: int, way: str
    ) -> None:
        """A completion by hand or by the provider's order is answered as the states allow."""
        call = self._newest() if way == "alias" else self._at(position)
        words = [*self.api.target.catalogue.normalized_status, _UNKNOWN_WORD]
        outcome = {"status": words[word % len(words)], "transcript": transcript}
        self._complete(call, way, {**outcome, "duration": duration})

    @precondition(lambda self: self._ended())
    @rule(
        position=_POSITIONS,
        word=_POSITIONS,
        change=st.sampled_from(["nothing", "synonym", "status", "transcript", "duration"]),
        way=st.sampled_from(["reference", "order"]),
    )
    def complete_again(self, position: int, word: int, change: str, way: str) -> None:
        """The same result again is 200 in any words; one that differs in anything is 409."""
        ended = self._ended()
        call = ended[position % len(ended)]
        assert call.ended_by is not None
        outcome = dict(call.ended_by)
        words = self.api.target.catalogue.normalized_status
        if change == "synonym":
            same = [one for one in words if words[one] == words[outcome["status"]]]
            outcome["status"] = same[word % len(same)]
        elif change == "status":
            outcome["status"] = list(words)[word % len(words)]
        elif change == "transcript":
            text = outcome["transcript"] or ""
            outcome["transcript"] = [None, "", text + " ", text.upper(), text[:-1]][word % 5]
        elif change == "duration":
            outcome["duration"] += 1 + word
        self._complete(call, way, outcome)

    @precondition(lambda self: self.space.calls)
    @rule(position=_POSITIONS)
    def read_any(self, position: int) -> None:
        """Whatever happened to others, a call stays as it is, its plan too."""
        call = self._at(position)
        self._must_show(call)
        deliveries = self.api.inspect(call.call_id)["deliveries"]
        planned = [one["payload"]["status"] for one in deliveries if one["answered"] is None]
        must(
            planned == [completion.status for completion in call.planned],
            f"The provider must have {len(call.planned)} completions of a call of "
            f"{call.scenario.name} left, but it has {planned}.",
            self.api.last(),
        )

    @precondition(lambda self: self.space.calls)
    @rule(position=_POSITIONS)
    def read_under_another_key(self, position: int) -> None:
        """Nobody else's calls exist."""
        path = f"{CALLS_PATH}/{self._at(position).call_id}"
        response = self.api.another_key().get(path)
        must_be_unknown_call(response, when="a call of another key is read")

    @rule()
    def count_rings(self) -> None:
        """Each call rings once, and nothing else rings."""
        response = self.api.get("/sandbox/rings")
        must_be(response, 200, when="the rings are counted")
        found = {one["phone"]: one["count"] for one in response.json()["rings"]}
        expected = Counter(call.scenario.number for call in self.space.calls)
        must(found == expected, f"{expected} calls rang, but {found} are counted.", response)

    @rule(seconds=st.sampled_from(_JUMPS))
    def advance(self, seconds: float) -> None:
        """Everything that is due has happened when the response comes."""
        self.api.advance(seconds)
        self._move(self.space.now + seconds)

    @precondition(lambda self: self.space.next_due_at < inf)
    @rule()
    def advance_until_idle(self) -> None:
        """The clock stops at the last time that something is due."""
        last = max(
            call.created_at + call.planned[-1].after_seconds
            for call in self.space.calls
            if call.planned
        )
        response = self.api.post("/sandbox/clock", {"until": "idle"})
        must_be(response, 200, when="the clock is moved until nothing is due")
        self._move(max(last, self.space.now))

    @precondition(lambda self: len(self.space.calls) >= _MANY)
    @rule()
    def empty(self) -> None:
        """An emptied namespace is as new, and the calls that it held are gone."""
        gone = self.space.calls
        self.api.reset()
        self._stop()
        for call in (gone[0], gone[-1]):
            response = self.api.get(f"{CALLS_PATH}/{call.call_id}")
            must_be_unknown_call(response, when="the namespace of a call was emptied")

    @invariant()
    def newest_call_is_as_the_rules_say(self) -> None:
        """After each step, whatever it was."""
        if self.space.calls:
            self._must_show(self._newest())

    @invariant()
    def clock_moves_by_what_was_asked(self) -> None:
        """It never moves otherwise, and says whether anything is due."""
        response = self.api.get("/sandbox/clock")
        must_be(response, 200, when="the clock is read")
        moved = self.api.now() - self.began
        must(
            abs(moved - self.space.now) < 0.002,
            f"The clock must have moved by {self.space.now:g} seconds, but it moved {moved:.3f}.",
            response,
        )
        is_due = response.json()["next_due_at"] is not None
        must(
            is_due == (self.space.next_due_at < inf),
            f"The clock says that {'something' if is_due else 'nothing'} is due, which is not so.",
            response,
        )

    # Steps

    def _body(self, scenario: Scenario, agent: int = 0) -> dict[str, str]:
        agents = self.api.target.catalogue.agents
        return {"phone": scenario.number, "agent": agents[agent % len(agents)].key}

    def _create(self, body: dict[str, str], key: str = "") -> ReceivedResponse:
        headers = (("Idempotency-Key", key),) if key else ()
        return self.api.post(CALLS_PATH, body, *headers)

    def _is_of_the_kept(self, body: dict[str, str], key: str) -> bool:
        """Whether a key is kept; then what a creation under it is answered with is looked at."""
        kept = self.space.kept.get(key)
        if kept is None or self.space.now >= kept.expires_at:
            return False
        response = self._create(body, key)
        if body != kept.body:
            when = "an Idempotency-Key comes with another body"
            must_be(response, 409, "idempotency_conflict", when=when)
            return True
        must_be(response, 201, when="a creation is repeated under its Idempotency-Key")
        must(
            response.json()["call_id"] == kept.call.call_id
            and response.values("location") == kept.location
            and response.values("idempotent-replayed") == ["true"],
            "A creation that is repeated must have the call_id and the Location of the first one, "
            "and Idempotent-Replayed: true.",
            response,
        )
        return True

    def _keep(
        self, body: dict[str, str], key: str, scenario: Scenario, response: ReceivedResponse
    ) -> None:
        """A new call, which its key stands for from now on if there is one."""
        call = self._created(response, scenario)
        if key:
            expires_at = self.space.now + _KEPT_SECONDS
            self.space.kept[key] = _Kept(body, call, response.values("location"), expires_at)

    def _created(self, response: ReceivedResponse, scenario: Scenario) -> _Call:
        must_be(response, 201, when=f"a call of {scenario.name} is created")
        must(
            not response.values("idempotent-replayed"),
            "A new call must not say that it is a repetition.",
            response,
        )
        call_id = response.json()["call_id"]
        known = {call.call_id for call in self.space.calls}
        must(call_id not in known, "Two creations have the same call_id.", response)
        call = _Call(
            call_id,
            self.api.inspect(call_id)["provider_call_id"],
            scenario,
            self.space.now,
            ModelCall(state_at(scenario, 0)),
            list(scenario.completions),
        )
        self.space.calls.append(call)
        self._move(self.space.now)
        return call

    def _complete(self, call: _Call, way: str, outcome: dict[str, Any]) -> None:
        """Sends a completion, and holds the response against the rules."""
        if way == "order":
            response = self.api.post(f"/sandbox/calls/{call.call_id}/end", outcome)
        else:
            reference = self.api.newest_call_alias if way == "alias" else call.reference
            body = {"event_type": "call.completed", "provider_call_id": reference, **outcome}
            response = self.api.post(WEBHOOK_PATH, body)
        shown = call.model.result[0] if call.model.result else call.model.state
        when = f"a call that is {shown} gets {outcome} by {way}"
        if outcome["status"] == _UNKNOWN_WORD:
            must_be(response, 422, when=when)
            return
        was_over = call.model.result is not None
        words = self.api.target.catalogue.normalized_status
        expected, code = call.model.complete(
            normalized(words, outcome["status"], outcome["transcript"], outcome["duration"])
        )
        must_be(response, expected, code, when=when)
        if expected == 200 and not was_over:
            call.ended_by = outcome
        if expected == 200 and (way == "order" or not was_over):
            call.planned = []

    def _must_show(self, call: _Call) -> None:
        expected = call.model.result or (call.model.state, None, None)
        shown = self.api.read(call.call_id)
        found = shown["status"], shown["transcript"], shown["duration"]
        seconds = self.space.now - call.created_at
        must(
            found == expected,
            f"{seconds:g} seconds after its creation a call of {call.scenario.name} must show "
            f"{str(expected)[:80]}, but it shows {str(found)[:80]}.",
            self.api.last(),
        )

    def _move(self, until: float) -> None:
        self.space.move(until, self.api.target.catalogue.normalized_status)

    def _ended(self) -> list[_Call]:
        return [call for call in self.space.calls if call.ended_by is not None]

    def _newest(self) -> _Call:
        return self.space.calls[-1]

    def _at(self, position: int) -> _Call:
        return self.space.calls[position % len(self.space.calls)]


def any_order(sequences: int, *, is_random: bool = True) -> Check:
    """The check that generates so many sequences, new ones each time if ``is_random``.

    Raises, when it runs: `Finding`.
    """

    def run(api: Api) -> None:
        try:
            run_state_machine_as_test(
                type("Requests", (RequestsInAnyOrder,), {"api": api}),
                settings=settings(
                    max_examples=sequences,
                    stateful_step_count=STEPS,
                    deadline=None,
                    derandomize=not is_random,
                    database=None,
                    phases=(Phase.generate, Phase.shrink),
                    report_multiple_bugs=False,
                    suppress_health_check=list(HealthCheck),
                    verbosity=Verbosity.quiet,
                ),
            )
        except Flaky as error:
            first = next(_findings(error), None)
            said = f" At first: {first.sentence}" if first else ""
            raise Finding(f"{_NOT_THE_SAME}{said}", first.response if first else None) from error

    return Check(
        "requests_in_any_order_keep_the_rules",
        "Whatever is sent in whatever order, every response is the one that the rules give.",
        Needs.SANDBOX,
        run,
    )


def _findings(error: BaseException | None) -> Iterator[Finding]:
    """The findings that an error holds, or was raised after."""
    if isinstance(error, Finding):
        yield error
    elif error is not None:
        for inner in getattr(error, "exceptions", ()):
            yield from _findings(inner)
        yield from _findings(error.__cause__ or error.__context__)
