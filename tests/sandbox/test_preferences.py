"""Faults on request: `Prefer` asks for any response that the operation documents, and no other."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from voice_sandbox.contract.reader import load_contract
from voice_sandbox.contract.validation import Validator
from voice_sandbox.http.preferences import LONGEST_DELAY_MILLISECONDS, preferred
from voice_sandbox.testing.client import SandboxClient

CONTRACT = load_contract(Path(__file__).parents[2] / "openapi.yaml")


def documented_problems() -> Iterator[tuple[str, int, str]]:
    """Every problem of every operation: operationId, status, code."""
    for operation in CONTRACT.operations.values():
        for status, documented in operation.responses.items():
            if status >= 400:
                for code in documented.examples:
                    yield operation.operation_id, status, code


@pytest.mark.parametrize(("operation_id", "status", "code"), list(documented_problems()))
def test_every_documented_problem_can_be_asked_for(
    voice_sandbox: SandboxClient, operation_id: str, status: int, code: str
) -> None:
    """The response keeps the contract: status, required headers, body, and this request's id."""
    operation = CONTRACT.operations[operation_id]
    path = operation.path.replace("{call_id}", "00000000-0000-0000-0000-000000000000")
    prefer = f"code={status}, example={code}"
    response = voice_sandbox.client.request(operation.method, path, headers={"Prefer": prefer})
    documented = operation.responses[status]
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert response.headers["preference-applied"] == prefer
    assert response.json()["request_id"] == response.headers["x-request-id"]
    assert Validator(CONTRACT, documented.schema or {}).errors(response.json()) == []
    assert {name.lower() for name, h in documented.headers.items() if h.required} <= set(
        response.headers
    )


@pytest.mark.parametrize(("operation_id", "status", "code"), list(documented_problems()))
def test_a_problem_can_be_asked_for_by_its_code(operation_id: str, status: int, code: str) -> None:
    """`Prefer: code=rate_limited` needs no status beside it."""
    asked = preferred(CONTRACT.operations[operation_id], [f"code={code}".encode()])
    assert asked is not None
    assert asked.response is not None
    assert (asked.response.status, asked.body("req_x")["code"]) == (status, code)
    assert asked.applied == f"code={code}"


def test_a_code_that_contradicts_the_example_asks_for_nothing() -> None:
    """Two wishes that no response can fulfil are ignored."""
    operation = CONTRACT.operations["getCall"]
    assert preferred(operation, [b"code=rate_limited, example=ringing"]) is None
    assert preferred(operation, [b"code=ringing"]) is None


def test_the_first_of_two_wishes_counts() -> None:
    """As RFC 7240 says, a preference that is given twice counts once, the first time."""
    asked = preferred(CONTRACT.operations["listAgents"], [b"code=429, code=503", b"code=401"])
    assert asked is not None
    assert asked.applied == "code=429"


def test_an_example_is_chosen_by_name(voice_sandbox: SandboxClient) -> None:
    """`Prefer: example=ringing` shows a call that rings, though there is none."""
    response = voice_sandbox.client.get(
        "/v1/calls/00000000-0000-0000-0000-000000000000", headers={"Prefer": "example=ringing"}
    )
    assert response.json()["status"] == "ringing"


@pytest.mark.parametrize("prefer", ["code=418", "example=nothing", "code=404", "respond-async"])
def test_what_is_not_documented_is_ignored(voice_sandbox: SandboxClient, prefer: str) -> None:
    """The request is answered as ever, and no Preference-Applied pretends otherwise."""
    response = voice_sandbox.client.get("/v1/agents", headers={"Prefer": prefer})
    assert response.status_code == 200
    assert "preference-applied" not in response.headers


def test_a_fault_needs_a_key(voice_sandbox: SandboxClient) -> None:
    """Without a token the response is 401, whatever was preferred."""
    headers = {"Authorization": "", "Prefer": "code=503"}
    assert voice_sandbox.client.get("/v1/agents", headers=headers).status_code == 401


def test_a_preferred_fault_changes_nothing(voice_sandbox: SandboxClient) -> None:
    """A creation that was answered by a fault has created no call."""
    agents = voice_sandbox.client.get("/v1/agents").json()["agents"]
    body = {"phone": voice_sandbox.scenarios()["busy"], "agent": agents[0]["key"]}
    voice_sandbox.client.post("/v1/calls", json=body, headers={"Prefer": "code=503"})
    assert voice_sandbox.clock()["next_due_at"] is None


def test_a_delay_is_bounded() -> None:
    """Nobody can hold a request open for longer than ten seconds."""
    asked = preferred(CONTRACT.operations["listAgents"], [b"delay=99999999"])
    assert asked is not None
    assert asked.delay_seconds == LONGEST_DELAY_MILLISECONDS / 1000
    assert asked.applied == f"delay={LONGEST_DELAY_MILLISECONDS}"


QUOTED = [
    b'foo="a, code=429"',
    b'foo="delay=9000"',
    b'foo="\\", code=429, \\""',
    b'foo; bar="a, code=429, b"',
    b'foo="a; code=429"; x=", delay=9000,"',
    b'foo="never closed, code=429',
]


@pytest.mark.parametrize("value", QUOTED)
def test_what_stands_in_quotes_is_no_preference(value: bytes) -> None:
    """A comma, a semicolon or a whole preference inside a quoted value asks for nothing."""
    assert preferred(CONTRACT.operations["listAgents"], [value]) is None


@pytest.mark.parametrize(
    "value",
    [
        b'code="429"',
        b"code = 429",
        b"code=429; reason=test",
        b'foo="a, b", code=429',
        b"code=429;",
        b",, code=429 ,",
    ],
)
def test_preference_is_found_however_it_is_written(value: bytes) -> None:
    """Quotes, blanks, parameters and other preferences around it change nothing."""
    asked = preferred(CONTRACT.operations["listAgents"], [value])
    assert asked is not None
    assert asked.applied == "code=429"


def test_long_nonsense_is_read_in_one_pass() -> None:
    """A header of quotes and backslashes takes time in proportion to its length."""
    value = b'\\"' * 500_000
    assert preferred(CONTRACT.operations["listAgents"], [value]) is None


@pytest.mark.parametrize("value", [b"delay=-1", b"delay=1e9", b"delay=\xb2", b"=,=;", b"code"])
def test_nonsense_is_no_preference(value: bytes) -> None:
    """A value that is no preference asks for nothing."""
    assert preferred(CONTRACT.operations["listAgents"], [value]) is None
