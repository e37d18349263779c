"""The fault matrix: faulty variants of the sandbox, one deliberate fault each.

A contract test earns its place by a fault that nothing else caught. Each fault names the check
that should catch it; CI runs that pair, and `make faults` runs everything against everything.
Each category has a module of its own, and `altering` what they share.
"""

from faults import (
    armed,
    control,
    headers,
    idempotency,
    irrelevant,
    isolation,
    json_by_form,
    limits,
    media_types,
    numbers,
    order,
    others,
    overlooked,
    problems,
    retries,
    schema,
    secrecy,
    states,
    states_by_rule,
    storage,
    strict_json,
    texts,
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

_WRITTEN_LATER = (
    limits,
    order,
    json_by_form,
    texts,
    irrelevant,
    retries,
    states_by_rule,
    control,
    others,
    armed,
    secrecy,
    numbers,
    overlooked,
)

_FOUND = [
    found for subject in _SUBJECTS for found in vars(subject).values() if isinstance(found, Fault)
]
_FOUND += [one for subject in _WRITTEN_LATER for one in subject.ROWS]

FAULTS: dict[str, Fault] = {one.name: one for one in _FOUND}
assert len(FAULTS) == len(_FOUND), "Two faults have the same name."
