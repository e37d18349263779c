"""What the contract says about agents, outcomes and the sample call, as the sandbox needs it.

Agents are the 200 example of ``listAgents``; the provider's words are the table
``x-normalized-status``; the sample call is the 200 example of ``getCall``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from uuid_utils import UUID

from voice_sandbox.contract.model import Contract, ContractError


class Agent(msgspec.Struct, frozen=True):
    key: str
    name: str
    description: str
    languages: tuple[str, ...]


class SampleCall(msgspec.Struct, frozen=True):
    """The finished call that every namespace starts with."""

    call_id: UUID
    phone: str
    agent: str
    status: str
    transcript: str
    duration_seconds: int


class Catalogue(msgspec.Struct, frozen=True):
    agents: tuple[Agent, ...]
    agent_list: Mapping[str, Any]
    """The agents as ``listAgents`` answers them."""
    normalized_status: Mapping[str, str]
    """The provider's status → the service's."""
    newest_call_alias: str
    """The ``provider_call_id`` that stands for the newest call of a key."""
    longest_transcript: int
    sample: SampleCall


def read_catalogue(contract: Contract) -> Catalogue:
    """Raises: `ContractError` where the contract's parts contradict each other."""
    where = contract.path.name
    operations = contract.operations
    agent_list = _first(operations["listAgents"].success.examples).value
    agents = tuple(
        Agent(a["key"], a["name"], a["description"], tuple(a["languages"]))
        for a in agent_list["agents"]
    )
    keys = [agent.key for agent in agents]
    if len(set(keys)) != len(keys):
        raise ContractError(
            f"{where}: two agents in the example of listAgents have the same key "
            f"({', '.join(keys)}). Give each agent a key of its own."
        )

    words = contract.schema("ProviderStatus")
    table: Mapping[str, str] = words["x-normalized-status"]
    if list(table) != words["enum"]:
        raise ContractError(
            f"{where}: x-normalized-status and the enum of ProviderStatus do not list the same "
            "words. Give every word of the enum one line in the table."
        )
    unknown = set(table.values()) - set(contract.schema("CallStatus")["enum"])
    if unknown:
        raise ContractError(
            f"{where}: x-normalized-status leads to {', '.join(sorted(unknown))}, "
            "which CallStatus does not list."
        )

    created = operations["createCall"].body
    completion = operations["callCompleted"].body
    if created is None or completion is None:
        raise ContractError(f"{where}: createCall and callCompleted each need a requestBody.")
    for name, example in created.examples.items():
        if example.value["agent"] not in keys:
            raise ContractError(
                f"{where}: the example {name} of createCall names the agent "
                f"{example.value['agent']}, but the example of listAgents has only "
                f"{', '.join(keys)}. Name one of these."
            )
    request = _first(created.examples).value
    call = _first(operations["getCall"].success.examples).value
    return Catalogue(
        agents=agents,
        agent_list=agent_list,
        normalized_status=table,
        newest_call_alias=_first(completion.examples).value["provider_call_id"],
        longest_transcript=contract.schema("Transcript")["maxLength"],
        sample=SampleCall(
            call_id=UUID(call["call_id"]),
            phone=request["phone"],
            agent=request["agent"],
            status=call["status"],
            transcript=call["transcript"],
            duration_seconds=call["duration"],
        ),
    )


def _first(examples: Mapping[str, Any]) -> Any:
    return next(iter(examples.values()))
