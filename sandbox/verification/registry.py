"""The closed list of checks, in the order in which they run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sandbox.verification.check import Check
from sandbox.verification.checks import completing, creating, keeping_apart, placing, reading

_SUBJECTS: Final = (reading, creating, completing, keeping_apart, placing)

CHECKS: Final[Mapping[str, Check]] = {
    found.name: found
    for subject in _SUBJECTS
    for found in vars(subject).values()
    if isinstance(found, Check)
}
