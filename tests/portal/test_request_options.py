"""The requests of a card: what a later one needs from an earlier response comes by the links."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from node_tools import NodeTools
from sandbox_process import SandboxServer
from voice_portal.links import LinkedValue
from voice_portal.request_options import requests_of
from voice_portal.snippets import snippets
from voice_portal.sources import Sources

READ_NEW_CALL = {"operation": "getCall", "first": "createCall/quickstart"}
CALL_LISTED_AGENT = {"operation": "createCall", "first": "listAgents"}


def add_cancellation(document: Any) -> None:
    """A new operation of the contract, as anybody would add it."""
    responses = document["paths"]["/v1/calls/{call_id}"]["get"]["responses"]
    document["paths"]["/v1/calls/{call_id}/cancel"] = {
        "post": {
            "operationId": "cancelCall",
            "tags": ["Calls"],
            "summary": "Cancel a call",
            "description": "Withdraws a call before anybody answers.",
            "parameters": [{"$ref": "#/components/parameters/CallId"}],
            "responses": responses,
        }
    }
    created = document["paths"]["/v1/calls"]["post"]["responses"]["201"]
    created["links"]["cancelTheCall"] = {
        "operationId": "cancelCall",
        "description": "The `call_id` of the response is the call to cancel.",
        "parameters": {"call_id": "$response.body#/call_id"},
    }


@pytest.fixture
def programs(sources: Sources, sandbox_server: SandboxServer, node_tools: NodeTools) -> Any:
    """Runs the snippets of a card against a real sandbox: the output by language."""

    def run(options: Any, key: str) -> Any:
        found = snippets(requests_of(sources, options), base=sandbox_server.url)
        commands = {
            "bash": ["bash", "-e", "-c"],
            "python": [sys.executable, "-c"],
            "javascript": [str(node_tools.node), "--input-type=module", "-e"],
        }
        return {
            snippet.lexer: subprocess.run(
                [*commands[snippet.lexer], snippet.code],
                env={"PATH": "/usr/bin:/bin", "VOICE_API_KEY": key},
                capture_output=True,
                text=True,
                check=True,
            ).stdout
            for snippet in found
        }

    return run


def test_parameter_comes_from_an_earlier_response(sources: Sources) -> None:
    """A card that creates a call and reads it shows the new call, not the sample."""
    created, read = sources.responses.record(requests_of(sources, READ_NEW_CALL))
    assert created.body["call_id"] == read.body["call_id"]
    assert read.body["status"] == "queued"


def test_field_of_the_body_comes_from_an_earlier_response(sources: Sources) -> None:
    """A link that fills a field of the request body fills it at build time too."""
    _, request = requests_of(sources, CALL_LISTED_AGENT)
    assert request.body["agent"] == LinkedValue(
        "key", 0, "$response.body#/agents/0/key", sources.agents[0]["key"]
    )
    [_, created] = sources.responses.record(requests_of(sources, CALL_LISTED_AGENT))
    assert created.status == sources.contract.operations["createCall"].success.status


def test_what_the_page_names_stays(sources: Sources) -> None:
    """A parameter or field that the page gives is not replaced by a link."""
    [_, read] = requests_of(sources, {**READ_NEW_CALL, "parameters": {"call_id": "x"}})
    assert read.parameters == {"call_id": "x"}
    [_, create] = requests_of(sources, {**CALL_LISTED_AGENT, "body": {"agent": "nobody"}})
    assert create.body["agent"] == "nobody"
    [_, create] = requests_of(sources, {**CALL_LISTED_AGENT, "example": "second_agent"})
    assert create.body["agent"] == sources.agents[1]["key"]


def test_latest_response_wins(sources: Sources) -> None:
    """Of two created calls, the one that was created last is read."""
    first = [{"operation": "createCall"}, {"operation": "createCall", "scenario": "busy"}]
    *_, read = requests_of(sources, {"operation": "getCall", "first": first})
    assert [value.request for value in read.linked] == [1]


@pytest.mark.parametrize("options", [READ_NEW_CALL, CALL_LISTED_AGENT])
def test_programs_pass_the_value_on(programs: Any, key: str, options: Any) -> None:
    """The snippets of such a card run as they stand, and use the value of the response."""
    for language, output in programs(options, key).items():
        if options is READ_NEW_CALL:
            assert "queued" in output or "ringing" in output, (language, output)
        else:
            assert "call_id" in output, (language, output)


def test_new_operation_needs_no_code_of_the_portal(altered: Callable[..., Sources]) -> None:
    """An operation added with its link is called with the value that the link names."""
    sources = altered(add_cancellation)
    create, cancel = requests_of(
        sources, {"operation": "cancelCall", "first": "createCall/quickstart"}
    )
    assert cancel.linked == [LinkedValue("call_id", 0, "$response.body#/call_id", sources.call_id)]
    curl, python, javascript = snippets((create, cancel), base="http://127.0.0.1:9")
    assert 'curl -X POST "http://127.0.0.1:9/v1/calls/${CALL_ID}/cancel"' in curl.code
    assert 'f"http://127.0.0.1:9/v1/calls/{call_id}/cancel"' in python.code
    assert "`http://127.0.0.1:9/v1/calls/${call_id}/cancel`" in javascript.code
