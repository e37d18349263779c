"""What a shell offers to complete, from the contract of this installation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from voice_sandbox.contract.model import Contract


def scenario_names(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    from voice_sandbox.calls.scenarios import load_scenarios
    from voice_sandbox.contract.catalogue import read_catalogue

    return [
        CompletionItem(word, help=scenario.line)
        for scenario in load_scenarios(read_catalogue(_contract()))
        for word in (scenario.name, scenario.number)
        if word.startswith(incomplete) and incomplete.startswith("+") == word.startswith("+")
    ]


def operation_ids(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    return [name for name in _contract().operations if name.startswith(incomplete)]


def fault_kinds(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    from voice_sandbox.contract.faults import FAULTS

    return [
        CompletionItem(fault.kind, help=fault.line)
        for fault in FAULTS.values()
        if fault.kind.startswith(incomplete)
    ]


def agent_keys(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    from voice_sandbox.contract.catalogue import read_catalogue

    agents = read_catalogue(_contract()).agents
    return [agent.key for agent in agents if agent.key.startswith(incomplete)]


def provider_words(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    words = _contract().schema("ProviderStatus")["enum"]
    return [word for word in words if word.startswith(incomplete)]


def _contract() -> Contract:
    from voice_sandbox.contract.reader import find_contract, load_contract

    return load_contract(find_contract())
