"""The closed list of checks, in the order in which they run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from voice_sandbox.verification.check import Check
from voice_sandbox.verification.checks import (
    armed,
    clock,
    completing,
    creating,
    idempotency,
    irrelevant,
    isolation,
    journal,
    json_forms,
    limits,
    live_call,
    numbers,
    on_request,
    reading,
    rejection_order,
    secrecy,
    states,
    texts,
)

_SUBJECTS: Final = (
    reading,
    creating,
    completing,
    isolation,
    limits,
    rejection_order,
    json_forms,
    texts,
    irrelevant,
    idempotency,
    states,
    journal,
    secrecy,
    clock,
    on_request,
    armed,
    numbers,
    live_call,
)

CHECKS: Final[Mapping[str, Check]] = {
    found.name: found
    for subject in _SUBJECTS
    for found in vars(subject).values()
    if isinstance(found, Check)
}
