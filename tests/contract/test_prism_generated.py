"""Prism's opinion of requests that nobody thought of: two validators must agree about each.

Schemathesis makes the requests up, Prism stands in between and reports what it finds. Three kinds
of request cannot be put to Prism 5.16, and each has a test that says so: what is not JSON makes
it hang, a field whose name is no header text ends its process, and it overlooks empty headers.
"""

import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, given, seed, settings
from schemathesis import GenerationMode
from schemathesis.config import SchemathesisConfig

from node_tools import NodeTools
from prism_process import TIMEOUT_SECONDS, prism_before
from read_once import contracts
from sandbox_process import SandboxServer
from voice_sandbox.contract.catalogue import read_catalogue
from voice_sandbox.contract.reader import load_contract
from voice_sandbox.verification.generated_values import schemathesis_values

EXAMPLES = int(os.environ.get("CONTRACT_EXAMPLES") or 40)
SEED = os.environ.get("CONTRACT_SEED") or "20261124"
# What the sandbox says when a request does not fit a schema of the contract.
SCHEMA_REJECTIONS = {"validation_failed", "invalid_idempotency_key"}

# What has neither parameters nor a body has nothing that could be wrong with it.
GENERATED = [
    (operation.operation_id, mode)
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    for operation in contracts()[0].operations.values()
    if mode is GenerationMode.POSITIVE or operation.parameters or operation.body
]


@pytest.fixture(scope="module")
def operations(contract_path: Path) -> dict[str, Any]:
    """Schemathesis' view of each operation by operationId."""
    config = SchemathesisConfig.from_str(schemathesis_values(contracts()[0]))
    schema = schemathesis.openapi.from_path(contract_path, config=config)
    found: list[Any] = [result.ok() for result in schema.get_all_operations()]  # type: ignore[union-attr]
    return {operation.definition.raw["operationId"]: operation for operation in found}


def violations(response: httpx2.Response, side: str) -> list[str]:
    """What Prism found on one side of an exchange: `["body.phone: must match pattern"]`."""
    return [
        f"{'.'.join(map(str, one['location'][1:]))}: {one['message']}"
        for one in json.loads(response.headers.get("sl-violations", "[]"))
        if one["location"][0] == side
    ]


def names(value: Any) -> Iterator[str]:
    """The names of all fields in a JSON value."""
    if isinstance(value, dict):
        yield from value
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from names(inner)


def is_for_prism(arguments: dict[str, Any]) -> bool:
    """Whether Prism can take a request; see the tests at the end for what it cannot."""
    if "json" not in arguments and arguments.get("data") is not None:
        return False
    fields = names(arguments.get("json"))
    return (
        all(name.isascii() and name.isprintable() for name in fields)
        and "" not in (arguments.get("headers") or {}).values()
    )


@pytest.mark.parametrize(
    ("operation_id", "mode"), GENERATED, ids=lambda value: getattr(value, "value", value)
)
def test_both_validators_agree(
    operation_id: str, mode: GenerationMode, operations: dict[str, Any], prism: str
) -> None:
    """What one accepts the other accepts, and no response breaks the contract."""
    key = f"sandbox_prism_{secrets.token_hex(8)}"
    signed = {"Authorization": f"Bearer {key}"}
    judged = 0

    @seed(secrets.randbelow(2**32) if SEED == "random" else int(SEED))
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(operations[operation_id].as_strategy(generation_mode=mode))
    def agree(case: Any) -> None:
        nonlocal judged
        arguments = case.as_transport_kwargs(base_url=prism)
        if not is_for_prism(arguments):
            return
        response = _sent(case, prism, signed)
        judged += 1
        assert violations(response, "response") == [], "Prism finds fault with the answer"
        found = violations(response, "request")
        if response.status_code < 400:
            assert found == [], "the sandbox accepts what Prism refuses"
        elif response.json()["code"] in SCHEMA_REJECTIONS:
            assert found, f"the sandbox refuses what Prism accepts: {response.text}"

    agree()
    expected = 1 if operation_id == "listAgents" else EXAMPLES // 4
    assert judged >= expected, f"only {judged} requests could be judged"


def _sent(case: Any, url: str, headers: dict[str, str]) -> httpx2.Response:
    """Sends a generated request as Schemathesis would, and gives the response as httpx2 does."""
    found = case.call(base_url=url, headers=headers, timeout=TIMEOUT_SECONDS)
    pairs = [(name, value) for name, values in found.headers.items() for value in values]
    kept = [(name, value) for name, value in pairs if name.lower() != "content-encoding"]
    return httpx2.Response(found.status_code, headers=kept, content=found.content)


# What Prism cannot judge. When one of these fails, Prism has learned it: narrow `is_for_prism`.


def test_prism_overlooks_empty_headers(prism: str, key: str, contract_path: Path) -> None:
    """The one disagreement: minLength 1 of a header does not hold for Prism when it is empty."""
    response = httpx2.post(
        f"{prism}/v1/calls",
        json={"phone": "+12025550100", "agent": _first_agent(contract_path)},
        headers={"Authorization": f"Bearer {key}", "Idempotency-Key": ""},
        timeout=TIMEOUT_SECONDS,
    )
    assert response.json()["code"] == "invalid_idempotency_key"
    assert violations(response, "request") == []


def test_prism_hangs_on_what_is_no_json(prism: str, key: str) -> None:
    """A body that is no JSON is never answered, so our own checks alone judge those."""
    with pytest.raises(httpx2.ReadTimeout):
        httpx2.post(
            f"{prism}/v1/calls",
            content=b"{",
            headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
            timeout=1,
        )


def test_prism_dies_of_a_name_that_is_no_header_text(
    node_tools: NodeTools, contract_path: Path, sandbox_server: SandboxServer, key: str
) -> None:
    """It copies the name of an unknown field into a header, and Node rejects that."""
    with (
        prism_before(sandbox_server.url, contract=contract_path, node_tools=node_tools) as url,
        pytest.raises(httpx2.TransportError),
    ):
        httpx2.post(
            f"{url}/v1/calls",
            json={"\u0444": 1},
            headers={"Authorization": f"Bearer {key}"},
            timeout=TIMEOUT_SECONDS,
        )


def _first_agent(contract_path: Path) -> str:
    return read_catalogue(load_contract(contract_path)).agents[0].key
