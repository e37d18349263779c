"""The search of the built site finds the right page first for what people type.

The queries run in the site's own worker, with its own index and languages.
"""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from node_tools import NodeTools
from voice_portal.fields import fields_of
from voice_portal.reference import page_of
from voice_portal.search_index import SearchTermsError, with_terms
from voice_portal.sources import load_sources

SCRIPTS = Path(__file__).parents[1] / "support"

QUERIES = {
    "api base": "api-base",
    "authentication": "authentication",
    "authenticate": "authentication",
    "api key": "authentication",
    "token": "authentication",
    "bearer token": "authentication",
    "polling": "follow-a-call",
    "polls": "follow-a-call",
    "pagination": "calls",
    "sdk": "clients",
    "client library": "clients",
    "callback": "how-results-arrive",
    "webhook": "how-results-arrive",
    "webhooks": "how-results-arrive",
    "rate limit": "rate-limits-and-timeouts",
    "rate limits": "rate-limits-and-timeouts",
    "timeout": "rate-limits-and-timeouts",
    "retry": "retries",
    "retries": "retries",
    "idempotency": "retries",
    "idempotency key": "retries",
    "request timeout": "rate-limits-and-timeouts",
    "body size": "rate-limits-and-timeouts",
    "install": "install",
    "installation": "install",
    "docker": "hosting",
    "kubernetes": "hosting",
    "ci": "continuous-integration",
    "github actions": "continuous-integration",
    "gitlab": "continuous-integration",
    "pytest": "testing",
    "errors": "errors",
    "error codes": "errors",
    "429": "errors",
    "422": "errors",
    "busy": "sandbox-guide",
    "voicemail": "how-calls-go-wrong",
    "transcript": "transcripts",
    "speaker": "transcripts",
    "right to left": "transcripts",
    "расшифровка": "transcripts",
    "agent": "agents",
    "agents": "agents",
    "phone number format": "calls",
    "+12025550111": "sandbox-guide",
    "12025550111": "sandbox-guide",
    "+1 202 555 0111": "sandbox-guide",
    "voice-sandbox logs": "command-line",
    "logs": "command-line",
    "exit codes": "command-line",
    "agent_id": "agents",
    "call_id": "calls",
    "rate_limited": "errors",
    "validation_failed": "errors",
    "idempotency_conflict": "errors",
    "duration": "follow-a-call",
    "postman": "downloads",
    "openapi": "downloads",
    "swagger": "swagger-ui",
    "try it out": "swagger-ui",
    "endpoints": "reference",
    "api reference": "reference",
    "clock": "sandbox-guide",
    "time travel": "sandbox-guide",
    "mock server": "sandbox-guide",
    "test numbers": "sandbox-guide",
    "nginx": "hosting",
    "metrics": "hosting",
    "cors": "hosting",
    "production": "go-live",
    "changelog": "contract-changes",
    "benchmark": "performance",
    "node": "any-language",
    "java": "any-language",
    "createCall": "reference/create-call",
    "getCall": "reference/get-call",
    "listAgents": "reference/list-agents",
    "callCompleted": "reference/call-completed",
    "advanceClock": "reference/advance-clock",
    "POST /v1/calls": "reference/create-call",
    "GET /v1/calls/{call_id}": "reference/get-call",
    "get /v1/agents": "reference/list-agents",
    "/v1/webhooks/call-completed": "reference/call-completed",
    "DELETE /sandbox/state": "reference/reset-state",
    "PUT /sandbox/numbers/{phone}": "reference/bind-number",
    "advance_seconds": "reference/advance-clock",
    "event_type": "how-results-arrive",
    "repeat_to_limit": "reference/bind-number",
    "provider_call_id": "how-results-arrive",
    "X-Request-Id": "inspector",
    "control api": "reference",
    "status": "follow-a-call",
    "no_answer": "sandbox-guide",
    "connection reset": "how-calls-go-wrong",
    "502": "how-calls-go-wrong",
    "health check": "hosting",
    "security": "security",
    "verify": "contract-testing",
    "schemathesis": "contract-testing",
    "quickstart": "quickstart",
    "getting started": "quickstart",
    "аутентификации": "authentication",
    "токены": "authentication",
    "вебхуки": "how-results-arrive",
    "ошибку": "errors",
    "опрос": "follow-a-call",
    "sandbox": "sandbox-guide",
    "inspector": "inspector",
    "debug": "inspector",
    "base url": "",
    "database": "postgresql",
    "environment variables": "hosting",
    "coverage": "testing",
    "fault injection": "testing",
    "typescript": "clients",
    "rehearse": "rehearsal",
    "404": "errors",
    "unauthorized": "authentication",
    "malformed_json": "errors",
    "how do I authenticate": "authentication",
    "list calls": "calls",
    "test without real calls": "sandbox-guide",
    "bearer": "authentication",
    "api keys": "authentication",
    "typescript sdk": "clients",
    "docker compose": "hosting",
    "cancel a call": "follow-a-call",
    "hang up": "how-calls-go-wrong",
    "data retention": "sandbox-guide",
    "request id": "inspector",
    "voice-sandbox call": "command-line",
    "e164": "calls",
    "localhost": "sandbox-guide",
    "exponential backoff": "retries",
    "callback url": "how-results-arrive",
    "звонки": "calls",
    "тесты": "testing",
    "too many requests": "rate-limits-and-timeouts",
    "how to get an api key": "authentication",
    "backoff": "retries",
    "retry-after header": "retries",
    "409": "errors",
    "how often to poll": "follow-a-call",
    "place a call": "calls",
    "follow a call": "follow-a-call",
    "how results arrive": "how-results-arrive",
    "timeouts": "rate-limits-and-timeouts",
    "throttling": "rate-limits-and-timeouts",
    "size limit": "rate-limits-and-timeouts",
    "transcripts": "transcripts",
    "null transcript": "transcripts",
    "redaction": "security",
    "postgres": "postgresql",
    "postgresql": "postgresql",
    "pgbouncer": "postgresql",
    "replicas": "postgresql",
    "download": "downloads",
    "downloads": "downloads",
    "llms.txt": "downloads",
    "wheel": "downloads",
    "csp": "security",
    "vulnerability": "security",
    "threat model": "security",
}
"""What people type → the page that must come first."""
REFERENCE = {
    query: page_of(name).removesuffix(".md")
    for name, operation in load_sources().operations.items()
    for query in (name, f"{operation.method} {operation.path}")
}
"""Each operation by its id, and by its method and path."""
FIELDS = {
    field.name.rpartition(".")[2].replace("[]", "")
    for operation in load_sources().operations.values()
    for contract in [load_sources().contract_of(operation)]
    for schema in [operation.body and operation.body.schema, operation.success.schema]
    for field in (fields_of(contract, schema) if schema else ())
    if not field.is_form
}
"""The names of all fields that are sent or read."""
COMMON = {"after", "at", "why"}
"""Fields whose name is a word that no search looks for."""


@pytest.fixture(scope="module")
def found(site: Path, node_tools: NodeTools) -> Mapping[str, list[str]]:
    """The addresses that the search finds for each query, the best page first."""
    queries = list(dict.fromkeys((*QUERIES, *REFERENCE, *sorted(FIELDS))))
    command = [str(node_tools.node), str(SCRIPTS / "search_site.mjs"), str(site), *queries]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    return dict(zip(queries, map(json.loads, ran.stdout.splitlines()), strict=True))


@pytest.mark.parametrize(("query", "page"), (QUERIES | REFERENCE).items())
def test_search_finds_the_page_first(found: Mapping[str, list[str]], query: str, page: str) -> None:
    """The first result for what people type is on the page that says it."""
    assert found[query], "nothing is found"
    assert found[query][0].partition("#")[0].rstrip("/") == page


@pytest.mark.parametrize("name", sorted(FIELDS - COMMON))
def test_name_of_a_field_finds_an_operation(found: Mapping[str, list[str]], name: str) -> None:
    """The name of a field leads to an operation that has it."""
    assert any(address.startswith("reference/") for address in found[name])


def test_nodes_of_the_index_have_different_names(site: Path, node_tools: NodeTools) -> None:
    """Numbers among the words do not merge two nodes, which would break every search over them."""
    command = [str(node_tools.node), str(SCRIPTS / "search_words.mjs"), str(site)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    one, other = json.loads(ran.stdout)
    assert one != other


def test_numbers_lead_to_the_scenarios(found: Mapping[str, list[str]]) -> None:
    """A number is found however it is written."""
    written = ("+12025550111", "12025550111", "+1 202 555 0111")
    assert {found[query][0] for query in written} == {"sandbox-guide/#scenarios"}


def test_codes_and_commands_lead_to_their_entries(found: Mapping[str, list[str]]) -> None:
    """A problem code leads to its entry, and a command to its section."""
    assert found["rate_limited"][0] == "errors/#rate_limited"
    assert found["validation_failed"][0] == "errors/#validation_failed"
    assert found["voice-sandbox logs"][0] == "command-line/#logs"


def index_of(site: Path) -> dict[str, Any]:
    index: dict[str, Any] = json.loads((site / "search" / "search_index.json").read_text("utf-8"))
    return index


def test_no_card_is_in_the_index(site: Path) -> None:
    """The texts of cards, of code and of links to the next page are the same on many pages."""
    docs = index_of(site)["docs"]
    texts = " ".join(doc["text"] for doc in docs)
    for text in ("Try create call", "Sends no key", "Recorded response", "<pre>"):
        assert text not in texts
    assert "Where to go next" not in {doc["title"] for doc in docs}


def test_index_stays_small(site: Path) -> None:
    """Readers load the index when they search for the first time."""
    assert len((site / "search" / "search_index.json").read_bytes()) < 250_000


def test_terms_of_an_unknown_section_stop_the_build() -> None:
    """A heading that was renamed takes its terms with it, or the build says so."""
    index = {"docs": [{"location": "calls/", "title": "Calls", "text": ""}]}
    terms = {"calls/": {"page": ["dial"], "gone": ["lost"]}}
    with pytest.raises(SearchTermsError, match="calls/#gone"):
        with_terms(index, terms)
    assert with_terms(index, {"calls/": {"page": ["dial"]}})["docs"][0]["terms"] == ["dial"]
