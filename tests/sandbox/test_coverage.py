"""Integration coverage: what a test run has covered of contract and catalogue."""

from typing import Any

import pytest
from uuid_utils import UUID

from voice_sandbox.testing.client import SandboxClient

from .conftest import CONTRACT


def covered(voice_sandbox: SandboxClient, **measured: Any) -> dict[str, int]:
    """The items that are covered at least once, with how often."""
    items = voice_sandbox.coverage(**measured)["items"]
    return {item["name"]: item["exchanges"] for item in items if item["exchanges"]}


def test_a_fresh_key_has_covered_nothing(voice_sandbox: SandboxClient) -> None:
    """Coverage starts at zero percent."""
    assert voice_sandbox.coverage()["percent"] == 0


def test_one_call_covers_what_it_touches(voice_sandbox: SandboxClient) -> None:
    """Operations, statuses and scenario of one call are counted; the webhook's when asked for."""
    number = voice_sandbox.scenarios()["busy"]
    call_id = voice_sandbox.call(number)
    voice_sandbox.until_idle()
    voice_sandbox.status(call_id)
    own = {
        "createCall": 1,
        "createCall 201": 1,
        "getCall": 1,
        "getCall 200": 1,
        "busy": 3,
    }
    assert covered(voice_sandbox) == own
    completed = {"callCompleted": 1, "callCompleted 200": 1}
    assert covered(voice_sandbox, provider=True) == own | completed


def test_the_provider_s_webhook_is_left_out(voice_sandbox: SandboxClient) -> None:
    """An integrator cannot own what only the provider sends, so it lowers nobody's percentage."""
    names = {item["name"].split()[0] for item in voice_sandbox.coverage()["items"]}
    with_provider = voice_sandbox.coverage(provider=True)["items"]
    assert {item["name"].split()[0] for item in with_provider} - names == {"callCompleted"}


@pytest.mark.parametrize("operation", ["createCall", "callCompleted"])
def test_one_operation_is_measured_alone(voice_sandbox: SandboxClient, operation: str) -> None:
    """With an operation only its own items count, the webhook's too where it is named."""
    voice_sandbox.call("busy")
    voice_sandbox.until_idle()
    measured = voice_sandbox.coverage(operation=operation)
    assert {item["name"].split()[0] for item in measured["items"]} == {operation}
    assert measured["percent"] == round(200 / len(measured["items"]) - 0.05, 1)


def test_an_unknown_operation_has_nothing_to_cover(voice_sandbox: SandboxClient) -> None:
    """Of an operation that the contract does not have nothing is covered."""
    assert voice_sandbox.coverage(operation="noSuch") == {"percent": 0, "items": []}


def test_problems_are_counted_by_code(voice_sandbox: SandboxClient) -> None:
    """A problem counts under its operation, status and code."""
    voice_sandbox.client.get("/v1/agents", headers={"Prefer": "code=429"})
    assert covered(voice_sandbox)["listAgents 429 rate_limited"] == 1


def test_counting_goes_on_after_the_journal_forgot(voice_sandbox: SandboxClient) -> None:
    """Coverage counts more exchanges than the journal keeps."""
    for _ in range(1010):
        voice_sandbox.client.get("/v1/agents")
    assert covered(voice_sandbox)["listAgents"] == 1010


def test_everything_can_be_covered(voice_sandbox: SandboxClient) -> None:
    """One hundred percent is within reach of every key."""
    client = voice_sandbox.client
    agent = client.get("/v1/agents").json()["agents"][0]["key"]
    for number in voice_sandbox.scenarios().values():
        client.post("/v1/calls", json={"phone": number, "agent": agent})
    voice_sandbox.until_idle()
    client.get("/v1/calls/00000000-0000-0000-0000-000000000000", headers={"Prefer": "code=200"})
    for item in voice_sandbox.coverage(provider=True)["items"]:
        if item["kind"] == "problem":
            operation_id, status, code = item["name"].split()
            operation = CONTRACT.operations[operation_id]
            path = operation.path_with(call_id=UUID(int=0))
            prefer = f"code={status}, example={code}"
            client.request(operation.method, path, headers={"Prefer": prefer})
    items = voice_sandbox.coverage(provider=True)["items"]
    missing = [item["name"] for item in items if not item["exchanges"]]
    assert missing == [], "send a request above that meets each of these"
