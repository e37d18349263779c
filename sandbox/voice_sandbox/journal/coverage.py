"""How much of the contract and the catalogue an integrator's tests have met."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import floor
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:  # whoever only reads a measure needs neither contract nor store
    from voice_sandbox.calls.scenarios import Scenarios
    from voice_sandbox.contract.model import Contract
    from voice_sandbox.store.protocol import Covered


class Item(msgspec.Struct, frozen=True):
    """One thing that can be met, such as the problem ``createCall 429 rate_limited``."""

    kind: str
    """``operation``, ``status``, ``problem`` or ``scenario``."""
    name: str
    exchanges: int


def measure(contract: Contract, scenarios: Scenarios, covered: Iterable[Covered]) -> list[Item]:
    """Every item, met or not, in the order of contract and catalogue."""
    met: dict[tuple[str, str], int] = {}
    for one in covered:
        for key in _met_by(one):
            met[key] = met.get(key, 0) + one.exchanges
    return [
        Item(kind, name, met.get((kind, name), 0)) for kind, name in _offered(contract, scenarios)
    ]


def percent(items: Sequence[Item]) -> float:
    """The share of items that were met, such as ``12.5``; never rounded up to a goal."""
    return floor(1000 * sum(item.exchanges > 0 for item in items) / len(items)) / 10


def table(items: Sequence[Item], *, only_missing: bool) -> Iterator[str]:
    """Lines for people: each item with how often it was met, then a sum for each kind."""
    for item in items:
        if not (only_missing and item.exchanges):
            yield f"{item.exchanges:7}  {item.kind:10} {item.name}"
    yield ""
    for kind in dict.fromkeys(item.kind for item in items):
        of_kind = [item for item in items if item.kind == kind]
        met = sum(item.exchanges > 0 for item in of_kind)
        yield f"{met:7}  of {len(of_kind)} {_PLURALS[kind]}"
    yield f"{percent(items)} % of {len(items)} items were met."


_PLURALS: Final = {
    "operation": "operations",
    "status": "statuses",
    "problem": "problems",
    "scenario": "scenarios",
}


def _offered(contract: Contract, scenarios: Scenarios) -> Iterator[tuple[str, str]]:
    for operation in contract.operations.values():
        yield "operation", operation.operation_id
        for status, response in operation.responses.items():
            yield "status", f"{operation.operation_id} {status}"
            if status >= 400:
                for code in response.examples:
                    yield "problem", f"{operation.operation_id} {status} {code}"
    for scenario in scenarios:
        yield "scenario", scenario.name


def _met_by(covered: Covered) -> Iterator[tuple[str, str]]:
    yield "operation", covered.operation_id
    yield "status", f"{covered.operation_id} {covered.status}"
    if covered.code:
        yield "problem", f"{covered.operation_id} {covered.status} {covered.code}"
    if covered.scenario:
        yield "scenario", covered.scenario
