"""How much of the contract and the catalogue an integrator's tests have covered.

What only the provider sends is left out unless it is asked for: an integrator cannot own it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import floor
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:  # whoever only reads a measure needs neither contract nor store
    from voice_sandbox.calls.scenarios import Scenarios
    from voice_sandbox.contract.model import Contract
    from voice_sandbox.store.protocol import Covered

PROVIDER_OPERATION: Final = "callCompleted"
"""The webhook: the provider sends its requests, and an integrator's code never does."""


class Item(msgspec.Struct, frozen=True):
    """One thing that can be covered, such as the problem ``createCall 429 rate_limited``."""

    kind: str
    """``operation``, ``status``, ``problem`` or ``scenario``."""
    name: str
    exchanges: int


def measure(
    contract: Contract,
    scenarios: Scenarios,
    covered: Iterable[Covered],
    *,
    operation: str | None = None,
    provider: bool = False,
) -> list[Item]:
    """Every item, covered or not, in the order of contract and catalogue.

    With an ``operation`` only its own items; with ``provider`` those of the webhook too.
    """
    counts: dict[tuple[str, str], int] = {}
    for one in covered:
        for key in _covered_by(one):
            counts[key] = counts.get(key, 0) + one.exchanges
    offered = [
        item
        for name in contract.operations
        if (name == operation if operation else provider or name != PROVIDER_OPERATION)
        for item in _of_operation(contract, name)
    ]
    if not operation:
        offered += (("scenario", scenario.name) for scenario in scenarios)
    return [Item(kind, name, counts.get((kind, name), 0)) for kind, name in offered]


def percent(items: Sequence[Item]) -> float:
    """The share of items that are covered, such as ``12.5``; never rounded up to a goal."""
    if not items:
        return 0.0
    return floor(1000 * sum(item.exchanges > 0 for item in items) / len(items)) / 10


def table(items: Sequence[Item], *, only_missing: bool) -> Iterator[str]:
    """Lines for people: each item with how often it was covered, then a sum for each kind."""
    for item in items:
        if not (only_missing and item.exchanges):
            yield f"{item.exchanges:7}  {item.kind:10} {item.name}"
    yield ""
    for kind in dict.fromkeys(item.kind for item in items):
        of_kind = [item for item in items if item.kind == kind]
        covered = sum(item.exchanges > 0 for item in of_kind)
        yield f"{covered:7}  of {len(of_kind)} {_PLURALS[kind]}"
    yield f"{percent(items)} % of {len(items)} items are covered."


_PLURALS: Final = {
    "operation": "operations",
    "status": "statuses",
    "problem": "problems",
    "scenario": "scenarios",
}


def _of_operation(contract: Contract, name: str) -> Iterator[tuple[str, str]]:
    yield "operation", name
    for status, response in contract.operations[name].responses.items():
        yield "status", f"{name} {status}"
        if status >= 400:
            for code in response.examples:
                yield "problem", f"{name} {status} {code}"


def _covered_by(covered: Covered) -> Iterator[tuple[str, str]]:
    yield "operation", covered.operation_id
    yield "status", f"{covered.operation_id} {covered.status}"
    if covered.code:
        yield "problem", f"{covered.operation_id} {covered.status} {covered.code}"
    if covered.scenario:
        yield "scenario", covered.scenario
