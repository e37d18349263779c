"""Prism as second opinion: another validator, written by others, watches the quickstart.

`prism proxy` in report mode passes everything through and names each violation of the contract
that it sees in the header `sl-violations`.
"""

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
import yaml

from node_tools import NodeTools
from prism_process import TIMEOUT_SECONDS, prism_before
from sandbox_process import SandboxServer


@pytest.fixture
def through_prism(prism: str, key: str) -> Iterator[httpx2.Client]:
    """A client of the sandbox whose every exchange Prism sees."""
    headers = {"Authorization": f"Bearer {key}"}
    with httpx2.Client(base_url=prism, headers=headers, timeout=TIMEOUT_SECONDS) as client:
        yield client


@pytest.fixture(scope="module")
def examples(contract_path: Path) -> dict[str, dict[str, object]]:
    """The request examples of each operation by operationId."""
    contract = yaml.safe_load(contract_path.read_text())
    return {
        operation["operationId"]: {
            name: example["value"]
            for name, example in operation["requestBody"]["content"]["application/json"][
                "examples"
            ].items()
        }
        for item in contract["paths"].values()
        for operation in item.values()
        if "requestBody" in operation
    }


def test_prism_has_nothing_to_say_about_the_quickstart(
    through_prism: httpx2.Client, examples: dict[str, dict[str, object]]
) -> None:
    """Create, read, list and complete keep the contract in the eyes of another validator."""
    created = through_prism.post("/v1/calls", json=examples["createCall"]["quickstart"])
    call_id = created.json()["call_id"]
    exchanges = [
        created,
        through_prism.get(f"/v1/calls/{call_id}"),
        through_prism.get("/v1/agents"),
        through_prism.post(
            "/v1/webhooks/call-completed", json=examples["callCompleted"]["completed"]
        ),
        through_prism.get(f"/v1/calls/{call_id}"),
    ]
    assert [r.status_code for r in exchanges] == [201, 200, 200, 200, 200]
    assert [r.headers.get("sl-violations") for r in exchanges] == [None] * len(exchanges)
    assert exchanges[-1].json()["status"] == "completed"


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/calls", {"phone": "0", "agent": "nobody"}, 422),
        ("/v1/calls", {}, 422),
        ("/v1/webhooks/call-completed", {"event_type": "call.started"}, 422),
    ],
)
def test_prism_rejects_what_the_sandbox_rejects(
    through_prism: httpx2.Client, path: str, body: object, status: int
) -> None:
    """Both validators find fault with the same requests, and the rejection keeps the contract."""
    response = through_prism.post(path, json=body)
    assert response.status_code == status
    violations = response.headers["sl-violations"]
    assert '"location":["request"' in violations
    assert '"location":["response"' not in violations


def test_prism_keeps_quiet_about_documented_problems(
    through_prism: httpx2.Client, prism: str
) -> None:
    """A rejection for other reasons than the body is a response that the contract describes."""
    unknown = through_prism.get("/v1/calls/01890a5d-ac96-774b-bcce-000000000000")
    assert unknown.status_code == 404
    assert "sl-violations" not in unknown.headers
    wrong_key = httpx2.get(
        f"{prism}/v1/agents", headers={"Authorization": "Bearer wrong"}, timeout=TIMEOUT_SECONDS
    )
    assert wrong_key.status_code == 401
    assert "sl-violations" not in wrong_key.headers


def test_prism_notices_a_response_that_breaks_the_contract(
    node_tools: NodeTools,
    contract_path: Path,
    sandbox_server: SandboxServer,
    key: str,
    tmp_path: Path,
) -> None:
    """The second opinion can fail: a contract that promises more names the broken promise."""
    contract = yaml.safe_load(contract_path.read_text())
    schemas = contract["components"]["schemas"]
    schemas["Agent"]["properties"]["voice"] = {"type": "string"}
    schemas["Agent"]["required"].append("voice")
    stricter = tmp_path / "openapi.yaml"
    stricter.write_text(yaml.safe_dump(contract))
    with prism_before(sandbox_server.url, contract=stricter, node_tools=node_tools) as url:
        response = httpx2.get(
            f"{url}/v1/agents",
            headers={"Authorization": f"Bearer {key}"},
            timeout=TIMEOUT_SECONDS,
        )
    assert "must have required property 'voice'" in response.headers["sl-violations"]
