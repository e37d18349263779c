"""The fault matrix: faulty variants of the sandbox, one deliberate fault each.

A contract test earns its place by a fault that nothing else caught. Each fault names the check
that should catch it; CI runs that pair, and `make faults` runs everything against everything.
Each category has a module of its own, and `altering` what they share.
"""

from faults import (
    headers,
    idempotency,
    isolation,
    media_types,
    problems,
    schema,
    states,
    storage,
    strict_json,
    time_passing,
    tokens,
    transport,
    webhook,
)
from faults.fault import Fault

__all__ = ["FAULTS", "Fault"]

# In the order of the matrix.
_SUBJECTS = (
    transport,
    strict_json,
    media_types,
    tokens,
    schema,
    states,
    storage,
    webhook,
    idempotency,
    isolation,
    headers,
    problems,
    time_passing,
)

_FOUND = [
    found for subject in _SUBJECTS for found in vars(subject).values() if isinstance(found, Fault)
]

FAULTS: dict[str, Fault] = {one.name: one for one in _FOUND}
assert len(FAULTS) == len(_FOUND), "Two faults have the same name."
