"""The rules of a rehearsal: each is one row of a table and one pure function of the evidence.

A finding names the exchanges that show it. The page, the checklist and the reports are made from
the table.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any, Final

import msgspec

from voice_sandbox.rehearsal.evidence import Evidence, RehearsedRequest, crash_in

POLL_SECONDS: Final = 2.0
"""Between two reads of a call, as the pages advise."""
_TOO_FAST_SECONDS: Final = POLL_SECONDS / 2
_BACK_OFF_SECONDS: Final = 0.5
"""From the third attempt on of a request that fails."""
_EARLY_SECONDS: Final = 0.1
"""By which a clock of the program may be ahead of ours."""
_SIGNAL: Final = 128
_SIGNALS: Final = 65
_MALFORMED: Final = frozenset({400, 404, 405, 411, 413, 414, 415, 422, 431})


class Violation(msgspec.Struct, frozen=True):
    """What a program did against a rule in one act."""

    sentence: str
    shown: tuple[RehearsedRequest, ...] = ()
    """The exchanges that show it, in their order."""


Judge = Callable[[Evidence], Iterator[Violation]]


class Rule(msgspec.Struct, frozen=True):
    """One row of the table."""

    code: str
    sentence: str
    """What a good program does."""
    why: str
    fix: str
    page: str
    """Where the portal says more, relative to its root."""
    judge: Judge
    is_about_times: bool = False
    """Whether it reads how long the program has waited."""
    explains_itself: bool = False
    """Whether it says something only where no other rule was broken."""


def findings(evidence: Evidence) -> list[tuple[Rule, Violation]]:
    """Everything that was wrong in an act, in the order of the table."""
    found: list[tuple[Rule, Violation]] = []
    for rule in RULES:
        if found and rule.explains_itself:
            continue
        found += [(rule, finding) for finding in rule.judge(evidence)]
    return found


# Calls


def _nothing_sent(evidence: Evidence) -> Iterator[Violation]:
    if not evidence.sent:
        if crash := crash_in(evidence.ending.output):
            why = f"It ended before: {crash}"
        elif trigger := evidence.ending.failed_trigger:
            why = f"The command of --trigger failed: {trigger}"
        else:
            why = "Does it read its address from another variable (see --env), or from a file?"
        yield Violation(f"Your program sent nothing to VOICE_API_URL. {why}")


def _double_dial(evidence: Evidence) -> Iterator[Violation]:
    for number, rings in evidence.rings.items():
        meant = evidence.meant.get(number, evidence.otherwise_meant)
        if rings > meant:
            creations = [
                each
                for each in evidence.of("createCall")
                if isinstance(each.body, dict) and each.body.get("phone") == number
            ]
            yield Violation(
                f"{number} rang {_times(rings)}, and {_times(meant)} was meant.", tuple(creations)
            )


def _retry_without_key(evidence: Evidence) -> Iterator[Violation]:
    for first, again in _retried_creations(evidence):
        if first.idempotency_key is None or again.idempotency_key is None:
            yield Violation("A creation was sent again without an Idempotency-Key.", (first, again))
            return


def _retry_with_other_key(evidence: Evidence) -> Iterator[Violation]:
    for first, again in _retried_creations(evidence):
        if None not in (first.idempotency_key, again.idempotency_key) and (
            first.idempotency_key != again.idempotency_key
        ):
            yield Violation(
                "A creation was sent again with another Idempotency-Key.", (first, again)
            )
            return


def _key_with_other_body(evidence: Evidence) -> Iterator[Violation]:
    first_with: dict[str, RehearsedRequest] = {}
    for each in evidence.of("createCall"):
        if each.idempotency_key is None or not isinstance(each.body, dict):
            continue
        first = first_with.setdefault(each.idempotency_key, each)
        if first.body != each.body:
            yield Violation("Two different creations had the same Idempotency-Key.", (first, each))
            return


def _retried_creations(evidence: Evidence) -> Iterator[tuple[RehearsedRequest, RehearsedRequest]]:
    """Creations that were sent again although the first one may have been done."""
    for attempts in _attempts(evidence.of("createCall")):
        for first, again in pairwise(attempts):
            if first.is_ambiguous:
                yield first, again


# Retries


def _retried_too_early(evidence: Evidence) -> Iterator[Violation]:
    for attempts in _attempts(evidence.sent):
        for first, again in pairwise(attempts):
            wait = first.retry_after_seconds
            if wait is None or not first.is_whole:
                continue
            waited = again.started_at - first.ended_at
            if waited < wait - _EARLY_SECONDS:
                yield Violation(
                    f"Retry-After was {wait} s, and the next attempt came after {waited:.1f} s.",
                    (first, again),
                )
                return


def _retried_in_vain(evidence: Evidence) -> Iterator[Violation]:
    for attempts in _attempts(evidence.sent):
        for first, again in pairwise(attempts):
            if first.is_whole and 400 <= first.status < 500 and not first.may_pass:
                yield Violation(
                    f"The same request was sent again after {first.status} {first.code or ''}, "
                    "which no retry fixes.",
                    (first, again),
                )
                return


def _gave_up(evidence: Evidence) -> Iterator[Violation]:
    if evidence.ending.exit_code is None:  # it may be about to
        return
    for operation_id in evidence.act.retries:
        sent = evidence.of(operation_id)
        if sent and sent[-1].may_pass:
            yield Violation(
                f"{operation_id} failed and was not sent again, although the next attempt would "
                "have succeeded.",
                tuple(sent[-2:]),
            )


def _no_back_off(evidence: Evidence) -> Iterator[Violation]:
    for attempts in _attempts(evidence.sent):
        fast: list[RehearsedRequest] = []
        for first, again in pairwise(attempts):
            is_fast = first.may_pass and again.started_at - first.ended_at < _BACK_OFF_SECONDS
            fast = [*(fast or [first]), again] if is_fast else []
            if len(fast) > 2:
                yield Violation(
                    f"A request that failed was sent {_times(len(fast))} with less than "
                    f"{_BACK_OFF_SECONDS:g} s between the attempts.",
                    tuple(fast),
                )
                return


# Polling


def _polled_too_fast(evidence: Evidence) -> Iterator[Violation]:
    for reads in _reads(evidence).values():
        gaps = [
            (again.started_at - first.started_at, first, again)
            for first, again in pairwise(reads)
            if first.succeeded and not first.is_end
        ]
        fast = [gap for gap in gaps if gap[0] < _TOO_FAST_SECONDS]
        if len(fast) > 1:
            shortest = min(fast, key=lambda gap: gap[0])
            yield Violation(
                f"A call was read again after {shortest[0]:.2f} s. Poll every {POLL_SECONDS:g} s.",
                shortest[1:],
            )
            return


def _polled_after_end(evidence: Evidence) -> Iterator[Violation]:
    for reads in _reads(evidence).values():
        ends = [number for number, each in enumerate(reads) if each.is_end]
        if ends and len(reads) > ends[0] + 2:
            yield Violation(
                f"A call was read {_times(len(reads) - ends[0] - 1)} more after its end.",
                tuple(reads[ends[0] : ends[0] + 3]),
            )
            return


def _missed_end(evidence: Evidence) -> Iterator[Violation]:
    if evidence.act.never_ends or evidence.ending.exit_code != 0:
        return
    read_to_end = {each.call_id for each in evidence.sent if each.is_end}
    for created in evidence.of("createCall"):
        if created.succeeded and created.call_id not in read_to_end:
            reads = [each for each in evidence.of("getCall") if each.call_id == created.call_id]
            yield Violation(
                "The program exited with 0 before it had read the end of its call."
                if reads
                else "The program never read its call, so that it does not know the result.",
                (created, *reads[-1:]),
            )
            return


# The program itself


def _hung(evidence: Evidence) -> Iterator[Violation]:
    ending = evidence.ending
    if ending.exit_code is None:
        last = evidence.sent[-1:]
        why = "its call never ends" if evidence.act.never_ends else "its call had ended"
        if not any(each.is_end for each in evidence.sent) and not evidence.act.never_ends:
            why = "it had not read the end of its call"
        yield Violation(
            f"The program was still {'at work' if ending.is_service else 'running'} after "
            f"{ending.seconds:.0f} s, and {why}.",
            tuple(last),
        )


def _died(evidence: Evidence) -> Iterator[Violation]:
    ending = evidence.ending
    code = ending.exit_code
    if not code or ending.is_service:
        return
    last = tuple(evidence.sent[-1:])
    if _SIGNAL < code < _SIGNAL + _SIGNALS:
        yield Violation(f"The program was ended by signal {code - _SIGNAL}.", last)
    elif crash := crash_in(ending.output):
        yield Violation(f"Nothing in the program caught a failure: {crash}", last)


def _wrong_exit(evidence: Evidence) -> Iterator[Violation]:
    ending, act = evidence.ending, evidence.act
    code = ending.exit_code
    if code is None or ending.is_service:
        return
    last = tuple(evidence.sent[-1:])
    if act.exit == "success" and code:
        said = ending.output.strip().splitlines()[-1:]
        told = f" It wrote: {said[0][:200]}" if said else ""
        yield Violation(
            f"The program exited with {code}, and this act lets it succeed.{told}", last
        )
    elif act.exit == "failure" and not code:
        yield Violation("The program exited with 0 although it could not do its work.", last)


# Requests


def _malformed(evidence: Evidence) -> Iterator[Violation]:
    told = set[str]()
    for each in evidence.sent:
        if each.fault is not None or each.status not in _MALFORMED or _is_about_agent(each):
            continue
        if each.identity not in told:
            told.add(each.identity)
            yield Violation(
                f"{each.method} {each.path} was rejected with {each.status} "
                f"{each.code or ''}: {each.shown.get('why') or 'see the contract'}",
                (each,),
            )


def _key_in_wrong_place(evidence: Evidence) -> Iterator[Violation]:
    for each in evidence.sent:
        if each.key_places:
            yield Violation(f"The API key stood in {' and '.join(each.key_places)}.", (each,))
            return


def _unknown_agent(evidence: Evidence) -> Iterator[Violation]:
    if evidence.act.variation == "agents":
        return
    for each in evidence.of("createCall"):
        if each.fault is None and each.agent is not None and each.agent not in evidence.agents:
            yield Violation(f"No agent has the key {each.agent!r}.", (each,))
            return


def _ignored_agents(evidence: Evidence) -> Iterator[Violation]:
    if evidence.act.variation != "agents":
        return
    listed = [each for each in evidence.of("listAgents") if each.succeeded]
    for each in evidence.of("createCall"):
        before = [one for one in listed if one.ended_at <= each.started_at]
        if each.agent is not None and each.agent not in evidence.agents and before:
            yield Violation(
                f"The program had read the list of agents, and asked for {each.agent!r}, which is "
                "not on it.",
                (before[-1], each),
            )
            return


def _relied_on_words(evidence: Evidence) -> Iterator[Violation]:
    like = evidence.like
    if evidence.act.variation != "words" or like is None:
        return
    here, there = _conduct(evidence), _conduct(like)
    if here != there:
        yield Violation(
            f"With other words in `title` and `detail` the program {here}; with the usual ones "
            f"it {there}.",
            tuple(evidence.of("createCall")[-2:]),
        )


def _conduct(evidence: Evidence) -> str:
    """What a program did, without what depends on time."""
    code = evidence.ending.exit_code
    ended = "did not end" if code is None else f"exited with {code}"
    return f"sent {len(evidence.of('createCall'))} creations and {ended}"


# What rules share


def _attempts(sent: Sequence[RehearsedRequest]) -> list[list[RehearsedRequest]]:
    """Requests that are the same one, up to the one that succeeded: what follows is new."""
    runs: list[list[RehearsedRequest]] = []
    open_runs: dict[str, list[RehearsedRequest]] = {}
    for each in sent:
        run = open_runs.get(each.identity)
        if run is None:
            run = open_runs[each.identity] = []
            runs.append(run)
        run.append(each)
        if each.succeeded:
            del open_runs[each.identity]
    return runs


def _reads(evidence: Evidence) -> dict[Any, list[RehearsedRequest]]:
    """The reads of each call in their order."""
    reads: dict[Any, list[RehearsedRequest]] = defaultdict(list)
    for each in evidence.of("getCall"):
        reads[each.path].append(each)
    return reads


def _is_about_agent(each: RehearsedRequest) -> bool:
    errors = each.response.get("errors") if isinstance(each.response, dict) else None
    return {error.get("pointer") for error in errors or ()} == {"/agent"}


def _times(number: int) -> str:
    return {1: "once", 2: "twice"}.get(number, f"{number} times")


RULES: Final = (
    Rule(
        "nothing_sent",
        "The program sends its requests to VOICE_API_URL.",
        "Else nothing can be said about it.",
        "Read the address of the service from VOICE_API_URL, or name your own variable by "
        "--env NAME=url.",
        "rehearsal/#options",
        _nothing_sent,
    ),
    Rule(
        "double_dial",
        "Nobody is phoned twice for one intent.",
        "A second call is the one failure that a person hears.",
        "Send an Idempotency-Key with every creation, and the same key with every retry of it.",
        "retries/#idempotency",
        _double_dial,
    ),
    Rule(
        "retry_without_key",
        "A creation that is sent again carries an Idempotency-Key.",
        "A response can be lost after the call was placed. Without a key the retry places another.",
        "Choose a key before the first attempt, save it, and send it with each attempt.",
        "retries/#idempotency",
        _retry_without_key,
    ),
    Rule(
        "retry_with_other_key",
        "A creation that is sent again carries the same Idempotency-Key.",
        "A new key means a new call.",
        "Make the key outside of the loop that retries.",
        "retries/#idempotency",
        _retry_with_other_key,
    ),
    Rule(
        "key_with_other_body",
        "An Idempotency-Key stands for one creation.",
        "The same key with another body is rejected with 409, and the second call is not placed.",
        "Make the key from what the call is for, such as the order and its reminder.",
        "errors/#idempotency_conflict",
        _key_with_other_body,
    ),
    Rule(
        "retried_too_early",
        "A retry waits as many seconds as Retry-After says.",
        "An earlier attempt is rejected again and makes the wait longer for all.",
        "Read the header Retry-After, and sleep that long before the next attempt.",
        "errors/#rate_limited",
        _retried_too_early,
        is_about_times=True,
    ),
    Rule(
        "retried_in_vain",
        "A request that was rejected as wrong is not sent again.",
        "The same request gets the same response: 4xx other than 408 and 429 need a change.",
        "Retry 408, 429, 5xx and lost responses only. RehearsalReport every other status.",
        "errors/",
        _retried_in_vain,
    ),
    Rule(
        "gave_up",
        "A request whose failure may pass is sent again.",
        "A call that nobody placed, or a result that nobody read, is lost.",
        "Retry 429, 5xx and lost responses until a deadline.",
        "how-calls-go-wrong/",
        _gave_up,
    ),
    Rule(
        "no_back_off",
        "Attempts that fail in a row come more and more slowly.",
        "A service that is down gets up more slowly under a hail of requests.",
        "Wait 2 s after the first failure, and twice as long after each further one.",
        "retries/#backoff",
        _no_back_off,
        is_about_times=True,
    ),
    Rule(
        "polled_too_fast",
        f"A call is read every {POLL_SECONDS:g} s.",
        "A talk takes minutes. Faster reads only use up the rate limit.",
        f"Sleep {POLL_SECONDS:g} s between two reads of a call.",
        "follow-a-call/#polling",
        _polled_too_fast,
        is_about_times=True,
    ),
    Rule(
        "polled_after_end",
        "A call that has ended is not read again.",
        "It never changes any more.",
        "Stop when `duration` is not null.",
        "follow-a-call/#polling",
        _polled_after_end,
    ),
    Rule(
        "missed_end",
        "The program reads the end of each of its calls.",
        "There is no callback: who does not poll until the end does not know the result.",
        "Poll until `duration` is not null, or until a deadline, and then exit with an error.",
        "follow-a-call/#polling",
        _missed_end,
    ),
    Rule(
        "hung",
        "The program ends by itself, also where a call never does.",
        "A call can be stuck. A program that waits for ever stops all that comes after it.",
        "Give up at a deadline. Make it a setting, so that a rehearsal can use a short one.",
        "how-calls-go-wrong/#stuck",
        _hung,
    ),
    Rule(
        "died",
        "Every failure is caught.",
        "A program that dies leaves half of its work behind.",
        "Catch what your HTTP client and your JSON parser raise, say it in one line, and exit "
        "with 1.",
        "how-calls-go-wrong/",
        _died,
    ),
    Rule(
        "malformed_request",
        "Every request keeps the contract.",
        "What the contract does not allow is rejected, here and on the live service.",
        "The problem's `errors` name the field and what was expected.",
        "errors/",
        _malformed,
    ),
    Rule(
        "key_in_wrong_place",
        "The API key stands in the header Authorization alone.",
        "Addresses and bodies are written to logs on the way.",
        "Send `Authorization: Bearer KEY`, and the key nowhere else.",
        "errors/#missing_token",
        _key_in_wrong_place,
    ),
    Rule(
        "unknown_agent",
        "The agent is one of listAgents.",
        "A creation with another agent is rejected with 422.",
        "Take the key from listAgents.",
        "agents/",
        _unknown_agent,
    ),
    Rule(
        "ignored_agents",
        "Who reads the list of agents uses an agent of it.",
        "Agents come and go.",
        "Look your agent up in the list before each creation, and report it where it is gone.",
        "agents/",
        _ignored_agents,
    ),
    Rule(
        "relied_on_words",
        "`title` and `detail` of a problem are shown and never compared.",
        "They are words for people and may change at any time. `status` and `code` stay.",
        "Decide by `status` and `code`.",
        "errors/",
        _relied_on_words,
    ),
    Rule(
        "wrong_exit_status",
        "The exit status says whether the program did its work.",
        "A scheduler, a container and a CI read nothing else.",
        "Exit with 0 where the work was done, and with 1 where it was not.",
        "rehearsal/#rules",
        _wrong_exit,
        explains_itself=True,
    ),
)
"""Every rule, in the order of the reports."""
