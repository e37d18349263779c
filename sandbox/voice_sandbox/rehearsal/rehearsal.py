"""Plays the acts of a programme with somebody's program, and judges what it did.

Acts run at the same time, each in a run of the program of its own. A program that is a service is
started for each act, or once for all, and a second command makes it place a call.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Final

import msgspec

from voice_sandbox.clock import monotonic, wall
from voice_sandbox.rehearsal.acts import BASELINE, Act
from voice_sandbox.rehearsal.evidence import Ending, Evidence, RehearsedRequest
from voice_sandbox.rehearsal.programs import Program, Troupe
from voice_sandbox.rehearsal.rules import Rule, Violation, findings
from voice_sandbox.rehearsal.stage import RehearsalStage, new_key, stage
from voice_sandbox.testing.client import SandboxClient
from voice_sandbox.testing.command_start import CannotStart
from voice_sandbox.testing.environment import Chosen, environment_of

_SETTLED_SECONDS: Final = 0.05
"""Within which an exchange is known whose client has ended."""
_LOOK_SECONDS: Final = 0.05
_QUIET_SECONDS: Final = 3.0
"""After the end of a call, for a service to read it once more than it needs."""
_GIVEN_UP_SECONDS: Final = 10.0
"""After which a service that sends nothing has given up."""
_TRIGGER_SECONDS: Final = 20.0
"""For which a trigger that fails is repeated, since the service may not listen yet."""
_AGAIN_SECONDS: Final = 0.25


class RehearsalPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What is rehearsed, and how."""

    command: Sequence[str]
    acts: Sequence[Act]
    """At least the act that the others are measured by, and each that another one is like."""
    timeout_seconds: float = 60.0
    jobs: int = 1
    chosen: Chosen = ()
    """More names of variables, and what each holds."""
    trigger: Sequence[str] = ()
    """The command that makes a service place a call."""
    keep: bool = False
    """Whether one service serves all acts, one after the other."""
    startup_seconds: float = 1.0
    """That a service has before the first trigger."""


class Played(msgspec.Struct, frozen=True):
    """An act and what was wrong in it."""

    evidence: Evidence
    findings: Sequence[tuple[Rule, Violation]]

    @property
    def act(self) -> Act:
        return self.evidence.act

    @property
    def passed(self) -> bool:
        return not self.findings


def needed(programme: Sequence[Act], selected: Sequence[Act]) -> list[Act]:
    """The acts to play so that the selected ones can be judged, in the order of the programme."""
    names = {act.name for act in selected} | {BASELINE}
    names |= {act.like for act in selected if act.like is not None}
    return [act for act in programme if act.name in names]


def rehearse(
    plan: RehearsalPlan, *, tell: Callable[[Evidence], None] = lambda _: None
) -> list[Played]:
    """Plays every act of the plan; ``tell`` is told of each that has been played.

    Raises: `CannotStart` where the command cannot be started, `SandboxError`.
    """
    troupe = Troupe()
    with ExitStack() as stack:
        stages = {
            variation: stack.enter_context(stage(variation))
            for variation in {act.variation for act in plan.acts}
        }

        def play(act: Act) -> Evidence:
            evidence = _play(plan, act, stages[act.variation], troupe)
            tell(evidence)
            return evidence

        if plan.keep:
            evidences = _play_with_one_service(plan, stages[None], troupe, tell)
        else:
            pool = stack.enter_context(ThreadPoolExecutor(plan.jobs))
            try:
                evidences = list(pool.map(play, plan.acts))
            except BaseException:  # one that was interrupted must not wait for the programs
                pool.shutdown(wait=False, cancel_futures=True)
                troupe.stop()
                raise
    return judge(evidences)


def judge(evidences: Sequence[Evidence]) -> list[Played]:
    """What was wrong in each act, measured by the others."""
    by_name = {evidence.act.name: evidence for evidence in evidences}
    meant = by_name[BASELINE].rings if BASELINE in by_name else {}
    played = []
    for evidence in evidences:
        like = by_name.get(evidence.act.like or "")
        measured = msgspec.structs.replace(evidence, meant=meant, like=like)
        played.append(Played(measured, findings(measured)))
    return played


def _play(plan: RehearsalPlan, act: Act, on: RehearsalStage, troupe: Troupe) -> Evidence:
    token = new_key()
    with on.client(token) as client:
        on.prepare(client, act)
        environment = environment_of(on.url, token, plan.chosen)
        began_at = wall()
        if plan.trigger:
            ending = _serve(plan, environment, on, token, began_at, troupe)
        else:
            with Program(plan.command, environment, troupe) as program:
                ending = program.wait(plan.timeout_seconds)
        _pause(_SETTLED_SECONDS)
        return evidence_of(on, client, act, ending, began_at=began_at)


def _serve(
    plan: RehearsalPlan,
    environment: Mapping[str, str],
    on: RehearsalStage,
    token: str,
    began_at: float,
    troupe: Troupe,
) -> Ending:
    """Starts the service, triggers it, and waits until its call has ended."""
    with Program(plan.command, environment, troupe) as service:
        _pause(plan.startup_seconds)
        if service.has_ended:
            return service.wait(0)
        return _trigger(plan, environment, on, token, began_at, service, troupe)


def _trigger(
    plan: RehearsalPlan,
    environment: Mapping[str, str],
    on: RehearsalStage,
    token: str,
    began_at: float,
    service: Program,
    troupe: Troupe,
) -> Ending:
    """Lets the service place a call, and waits until nothing more is to be expected."""
    began = monotonic()
    failed = _pull(plan, environment, lambda: on.count(token, began_at=began_at) > 0, troupe)
    if failed:
        return Ending(
            0, monotonic() - began, service.output, is_service=True, failed_trigger=failed
        )
    triggered_at = wall() - began_at
    sent: Sequence[RehearsedRequest] = ()
    while (lasted := monotonic() - began) < plan.timeout_seconds:
        if service.has_ended:
            return service.wait(0)
        if on.count(token, began_at=began_at) != len(sent):
            sent = on.sent(token, began_at=began_at)
        if _has_settled(sent, wall() - began_at, triggered_at):
            return Ending(0, lasted, service.output, is_service=True)
        _pause(_LOOK_SECONDS)
    return Ending(None, lasted, service.output, is_service=True)


def _pull(
    plan: RehearsalPlan,
    environment: Mapping[str, str],
    has_sent: Callable[[], bool],
    troupe: Troupe,
) -> str | None:
    """Runs the trigger, again while it fails and the service has sent nothing.

    Returns how it ended where it failed to the end.
    """
    began = monotonic()
    limit = min(plan.timeout_seconds, _TRIGGER_SECONDS)
    while True:
        with Program(plan.trigger, environment, troupe) as trigger:
            ended = trigger.wait(plan.timeout_seconds)
        if ended.exit_code == 0 or has_sent():
            return None
        if monotonic() - began > limit:
            last = ended.output.strip().splitlines()[-1:]
            return ": ".join([f"it {ended.words}", *last])
        _pause(_AGAIN_SECONDS)


def _has_settled(sent: Sequence[RehearsedRequest], now: float, triggered_at: float) -> bool:
    """Whether the service has been quiet for long enough, which depends on what it may wait for."""
    if not sent:
        return now - triggered_at > _GIVEN_UP_SECONDS
    created = {each.call_id for each in sent if each.operation_id == "createCall"}
    ended = {each.call_id for each in sent if each.is_end}
    quiet = _QUIET_SECONDS if created and created <= ended else _GIVEN_UP_SECONDS
    return now - sent[-1].ended_at > quiet


def _play_with_one_service(
    plan: RehearsalPlan, on: RehearsalStage, troupe: Troupe, tell: Callable[[Evidence], None]
) -> list[Evidence]:
    """Plays the acts one after the other under one key, which is emptied before each."""
    token = new_key()
    environment = environment_of(on.url, token, plan.chosen)
    evidences = []
    with on.client(token) as client, Program(plan.command, environment, troupe) as service:
        _pause(plan.startup_seconds)
        for act in plan.acts:
            if act.variation is not None:  # it would need another sandbox
                continue
            client.reset()
            on.prepare(client, act)
            began_at = wall()
            if service.has_ended:
                raise CannotStart(
                    "The service has ended by itself, so nothing can be triggered.", was_found=True
                )
            ending = _trigger(plan, environment, on, token, began_at, service, troupe)
            evidences.append(evidence_of(on, client, act, ending, began_at=began_at))
            tell(evidences[-1])
    return evidences


def evidence_of(
    on: RehearsalStage,
    client: SandboxClient,
    act: Act,
    ending: Ending,
    *,
    began_at: float,
    calls: int = 1,
) -> Evidence:
    """What the sandbox knows of a run that has ended. Raises: `SandboxError`.

    ``calls`` is how many calls to a number were meant, where no other act tells.
    """
    sent = on.sent(client.key, began_at=began_at)
    created = dict.fromkeys(
        each.call_id
        for each in sent
        if each.operation_id == "createCall" and each.call_id is not None
    )
    return Evidence(
        act=act,
        sent=sent,
        rings={ring["phone"]: ring["count"] for ring in client.dialled()},
        agents=on.agents,
        timelines=[client.inspect(call_id) for call_id in created],
        ending=ending,
        otherwise_meant=calls,
    )


def _pause(seconds: float) -> None:
    threading.Event().wait(seconds)
