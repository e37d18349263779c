"""The simulated provider: a pure planner of the outside world.

From a call and its scenario it says when the phone rings, when somebody answers, and which
completions arrive when. It rings nobody: it has no clock, no storage and no network code.
Its ids start with ``prov_`` and never leave the control API.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from uuid_utils import UUID

from voice_sandbox.calls.call import IN_PROGRESS, QUEUED, RINGING, Call
from voice_sandbox.calls.scenarios import Scenario

ID_PREFIX: Final = "prov_"
EVENT_TYPE: Final = "call.completed"
_ID: Final = re.compile(f"{ID_PREFIX}([0-9a-f]{{32}})")


class Delivery(msgspec.Struct, frozen=True):
    """One completion that the provider will post at ``due_at`` on the key's virtual clock."""

    due_at: float
    payload: Mapping[str, Any]


class Plan(msgspec.Struct, frozen=True):
    """What the provider will do with one call. Instants are of the key's virtual clock."""

    ringing_at: float | None
    answered_at: float | None
    deliveries: tuple[Delivery, ...]


def plan(call: Call, scenario: Scenario) -> Plan:
    """The same call and scenario always give the same plan."""

    def after(seconds: float | None) -> float | None:
        return None if seconds is None else call.created_at + seconds

    return Plan(
        ringing_at=after(scenario.ringing_after_seconds),
        answered_at=after(scenario.answered_after_seconds),
        deliveries=tuple(
            Delivery(
                due_at=call.created_at + completion.after_seconds,
                payload={
                    "event_type": EVENT_TYPE,
                    "provider_call_id": provider_call_id(call.call_id),
                    "status": completion.status,
                    "transcript": _repeated(completion.transcript, completion.repeat_to)
                    if completion.repeat_to
                    else completion.transcript,
                    "duration": completion.duration_seconds,
                },
            )
            for completion in scenario.completions
        ),
    )


def status_at(call: Call, scenario: Scenario, instant: float) -> str:
    """Where the call stands at that instant while no completion was accepted."""
    answered, ringing = scenario.answered_after_seconds, scenario.ringing_after_seconds
    if answered is not None and instant >= call.created_at + answered:
        return IN_PROGRESS
    if ringing is not None and instant >= call.created_at + ringing:
        return RINGING
    return QUEUED


def next_change_at(call: Call, scenario: Scenario, instant: float) -> float | None:
    """When an unfinished call changes next after that instant: rings, is answered, or completes.

    ``None`` where nothing is planned any more.
    """
    seconds = [scenario.ringing_after_seconds, scenario.answered_after_seconds]
    changes = [call.created_at + s for s in seconds if s is not None]
    changes = [change for change in changes if change > instant]
    for completion in scenario.completions[len(call.delivery_statuses) :][:1]:
        changes.append(call.created_at + completion.after_seconds)
    return min(changes, default=None)


def first_due_at(call: Call, scenario: Scenario) -> float | None:
    """When the first completion of a new call is due, without planning the rest."""
    if not scenario.completions:
        return None
    return call.created_at + scenario.completions[0].after_seconds


def provider_call_id(call_id: UUID) -> str:
    """The provider's own id of a call, such as ``prov_7508a9902033bbceb447…``.

    It is made from the call's id, digits reversed, so that the store needs no second index.
    """
    return ID_PREFIX + call_id.hex[::-1]


def call_id_of(provider_id: str) -> UUID | None:
    """The call that a provider's id names, or ``None`` where it is not of this provider."""
    match = _ID.fullmatch(provider_id)
    return UUID(hex=match[1][::-1]) if match else None


def _repeated(text: str | None, length: int) -> str:
    assert text, "the catalogue holds a text to repeat"
    return (text * (length // len(text) + 1))[:length]
