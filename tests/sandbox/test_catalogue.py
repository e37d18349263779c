"""Agents, words and sample call come from the contract, whose parts must agree."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from voice_sandbox.contract.catalogue import Catalogue, read_catalogue
from voice_sandbox.contract.model import Contract, ContractError
from voice_sandbox.contract.reader import load_contract


def test_agents_are_the_example_of_the_list(catalogue: Catalogue, contract: Contract) -> None:
    """The catalogue is the 200 example of listAgents, in its order."""
    shown = next(iter(contract.operations["listAgents"].success.examples.values())).value
    assert [agent.key for agent in catalogue.agents] == [agent["key"] for agent in shown["agents"]]


def test_sample_call_is_the_example_of_a_read_call(
    catalogue: Catalogue, contract: Contract
) -> None:
    """The finished call of every namespace is the one that the contract shows."""
    shown = next(iter(contract.operations["getCall"].success.examples.values())).value
    sample = catalogue.sample
    assert shown == {
        "call_id": str(sample.call_id),
        "status": sample.status,
        "transcript": sample.transcript,
        "duration": sample.duration_seconds,
    }


def _agents(document: Any) -> Any:
    responses = document["paths"]["/v1/agents"]["get"]["responses"]
    return responses["200"]["content"]["application/json"]["examples"]["catalogue"]["value"]


def _rename(document: Any) -> None:
    _agents(document)["agents"][0]["key"] = "renamed"


def _twice(document: Any) -> None:
    first, second, *_ = _agents(document)["agents"]
    second["key"] = first["key"]


def _unnormalized(document: Any) -> None:
    del document["components"]["schemas"]["ProviderStatus"]["x-normalized-status"]["busy"]


def _unlisted(document: Any) -> None:
    document["components"]["schemas"]["ProviderStatus"]["enum"].remove("busy")


def _unknown_status(document: Any) -> None:
    document["components"]["schemas"]["ProviderStatus"]["x-normalized-status"]["busy"] = "engaged"


def _no_body(document: Any) -> None:
    del document["paths"]["/v1/calls"]["post"]["requestBody"]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (_rename, "renamed"),
        (_twice, "the same key"),
        (_unnormalized, "x-normalized-status"),
        (_unlisted, "x-normalized-status"),
        (_unknown_status, "engaged"),
        (_no_body, "requestBody"),
    ],
)
def test_contradiction_stops_the_reading(
    changed_contract: Callable[..., Path], change: Callable[[Any], None], named: str
) -> None:
    """Two parts of the contract that contradict each other stop the program, by name."""
    contract = load_contract(changed_contract(change=change))
    with pytest.raises(ContractError, match=named):
        read_catalogue(contract)


def test_renamed_agent_is_followed(changed_contract: Callable[..., Path]) -> None:
    """An agent that is renamed throughout the contract is renamed in the catalogue."""

    def rename(document: Any) -> None:
        created = document["paths"]["/v1/calls"]["post"]["requestBody"]["content"]
        examples = created["application/json"]["examples"].values()
        for example in examples:
            if example["value"]["agent"] == _agents(document)["agents"][0]["key"]:
                example["value"]["agent"] = "renamed"
        _rename(document)

    catalogue = read_catalogue(load_contract(changed_contract(change=rename)))
    assert catalogue.agents[0].key == "renamed"


def test_added_agent_needs_no_other_change(changed_contract: Callable[..., Path]) -> None:
    """An agent that is added to the list alone is one of the catalogue."""

    def add(document: Any) -> None:
        agents = _agents(document)["agents"]
        agents.append(agents[0] | {"key": "new_one"})

    catalogue = read_catalogue(load_contract(changed_contract(change=add)))
    assert catalogue.agents[-1].key == "new_one"
