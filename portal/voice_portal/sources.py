"""All that pages are made from: both contracts, scenarios, and how to trigger each problem."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Final

from voice_portal.named_schemas import NamedSchema, shared_schemas
from voice_portal.sandbox_responses import SandboxResponses
from voice_sandbox.calls.scenarios import CATALOGUE_FILE, Scenarios, load_scenarios
from voice_sandbox.contract.catalogue import read_catalogue
from voice_sandbox.contract.model import Contract, ContractError, Operation
from voice_sandbox.contract.pointers import read_yaml
from voice_sandbox.contract.reader import find_contract, load_contract

PROBLEM_REQUESTS_FILE: Final = Path(__file__).with_name("problem_requests.yaml")
WORKFLOWS_FILE: Final = Path(__file__).parents[2] / "arazzo.yaml"
ACTS_FILE: Final = CATALOGUE_FILE.parent / "rehearsal" / "acts.yaml"


@dataclass(frozen=True)
class Sources:
    contract: Contract
    scenarios: Scenarios

    @property
    def sandbox_url(self) -> str:
        """Base URL of the local sandbox: the contract lists it first."""
        return self.contract.servers[0].url

    @property
    def live_url(self) -> str:
        """Base URL of the live service, shown as text and never called."""
        return self.contract.servers[1].url

    @property
    def agents(self) -> list[dict[str, Any]]:
        """The catalogue of agents, which is the response example of ``listAgents``."""
        examples = self.contract.operations["listAgents"].success.examples
        agents: list[dict[str, Any]] = next(iter(examples.values())).value["agents"]
        return agents

    @property
    def call_id(self) -> str:
        """The id of the finished sample call that every sandbox key starts with."""
        [parameter] = self.contract.operations["getCall"].parameters
        return str(parameter.example)

    @cached_property
    def control(self) -> Contract:
        """The contract of what only the sandbox can do."""
        return load_contract(find_contract("control.yaml"), components_from=self.contract)

    @cached_property
    def operations(self) -> Mapping[str, Operation]:
        """The operations of both contracts, those of the service first."""
        return {**self.contract.operations, **self.control.operations}

    def contract_of(self, operation: Operation) -> Contract:
        """The contract that has the operation."""
        of_service = operation.operation_id in self.contract.operations
        return self.contract if of_service else self.control

    @cached_property
    def shared_schemas(self) -> Mapping[str, NamedSchema]:
        """The schemas of both contracts that stand in several places, by name."""
        return shared_schemas(self.contract, self.control)

    @cached_property
    def responses(self) -> SandboxResponses:
        """Asks the sandbox for the responses that pages show."""
        return SandboxResponses(
            self.contract.path,
            call_id=self.call_id,
            request_id=self.contract.schema("RequestId")["examples"][0],
            fault_id=self.control.schema("FaultId")["examples"][0],
        )

    @cached_property
    def workflows(self) -> list[Mapping[str, Any]]:
        """The life of a call as the workflows of an Arazzo document, each with its steps."""
        read = read_yaml(WORKFLOWS_FILE.read_bytes(), WORKFLOWS_FILE)
        found: list[Mapping[str, Any]] = read["workflows"]
        return found

    @cached_property
    def problem_requests(self) -> Mapping[str, Any]:
        """Problem code → the options of the card that triggers it."""
        read: Mapping[str, Any] = read_yaml(
            PROBLEM_REQUESTS_FILE.read_bytes(), PROBLEM_REQUESTS_FILE
        )
        return read


def load_sources() -> Sources:
    """Reads everything, anew when one of the files has changed.

    Raises: `ContractError` and `ScenarioError` with file and fix.
    """
    contract, control = find_contract(), find_contract("control.yaml")
    files = (contract, control, CATALOGUE_FILE, PROBLEM_REQUESTS_FILE, WORKFLOWS_FILE)
    return _load(contract, *(file.stat().st_mtime_ns for file in files))


@lru_cache(maxsize=1)
def _load(path: Path, *changed_at: int) -> Sources:
    contract = load_contract(path)
    try:
        return Sources(contract, load_scenarios(read_catalogue(contract)))
    except KeyError as missing:
        raise ContractError(
            f"{path.name}: there is no {missing} any more, and the portal is made from it. "
            "Put it back, or change the portal with it."
        ) from missing
