"""The contract as a Postman collection, format 2.1, which most API clients import.

Every request example is one request. Base URL and key are variables: the sandbox and its demo key
until somebody changes them. The requests also run as a sequence, from top to bottom: each tests the
status of its response, and what the contract's links pass on goes into variables.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, Final

from voice_portal.links import FROM_BODY
from voice_portal.markup import phrase, pretty
from voice_portal.sources import Sources
from voice_sandbox.contract.model import Contract, DocumentedResponse, Operation

SCHEMA: Final = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
_NAMESPACE: Final = uuid.UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")  # RFC 9562: URLs


def collection(sources: Sources) -> dict[str, Any]:
    """One folder a tag, one request an example, one saved response an example of a response."""
    contract = sources.contract
    passed_on = _passed_on(contract)
    return {
        "info": {
            "_postman_id": str(uuid.uuid5(_NAMESPACE, f"{contract.title} {contract.version}")),
            "name": contract.title,
            "version": contract.version,
            "description": contract.description,
            "schema": SCHEMA,
        },
        "auth": {"type": "bearer", "bearer": [_text("token", "{{apiKey}}")]},
        "variable": [
            _text("baseUrl", sources.sandbox_url),
            _text("apiKey", "sandbox_demo"),
            *(_text(name, example) for name, example in passed_on.items()),
        ],
        "item": [
            {
                "name": tag,
                "description": description,
                "item": [
                    item
                    for operation in contract.operations.values()
                    if operation.tag == tag
                    for item in _requests(operation, contract, passed_on)
                ],
            }
            for tag, description in contract.tags.items()
        ],
    }


def _passed_on(contract: Contract) -> dict[str, str]:
    """The path parameters that a link fills, with the value that each has before."""
    filled = {
        (link.operation_id, name)
        for operation in contract.operations.values()
        for link in operation.success.links.values()
        for name in link.parameters
    }
    return {
        parameter.name: str(parameter.example)
        for operation in contract.operations.values()
        for parameter in operation.parameters
        if (operation.operation_id, parameter.name) in filled
    }


def _requests(
    operation: Operation, contract: Contract, passed_on: Mapping[str, str]
) -> list[dict[str, Any]]:
    examples = operation.body.examples.values() if operation.body else [None]
    requests = []
    for number, example in enumerate(examples):
        request = _request(operation, example.value if example else None, passed_on)
        item: dict[str, Any] = {
            "name": example.summary if example else operation.summary,
            "event": [_event("test", _tests(operation))],
            "request": request,
            "response": [
                _response(response, name, value.value, request)
                for response in operation.responses.values()
                for name, value in response.examples.items()
            ],
        }
        # The first example completes what the sequence has created, and every other one needs a
        # call of its own: a call that has ended takes no other result.
        creating = _creating(operation, contract)
        if number and creating is not None:
            item["event"].append(_event("prerequest", _creation(creating)))
        requests.append(item)
    return requests


def _creating(operation: Operation, contract: Contract) -> Operation | None:
    """The operation whose newest result this one changes, as a link without parameters says."""
    for one in contract.operations.values():
        for link in one.success.links.values():
            is_next = link.operation_id == operation.operation_id
            if is_next and link.body and not link.parameters and FROM_BODY not in pretty(link.body):
                return one
    return None


def _tests(operation: Operation) -> list[str]:
    """The script that runs after a response."""
    status = operation.success.status
    lines = [f'pm.test("responds with {status}", () => pm.response.to.have.status({status}));']
    for link in operation.success.links.values():
        for name, expression in link.parameters.items():
            way = "".join(
                f'["{token}"]' for token in expression.removeprefix(FROM_BODY).split("/")[1:]
            )
            lines.append(f'pm.collectionVariables.set("{name}", pm.response.json(){way});')
    return lines


def _creation(operation: Operation) -> list[str]:
    """The script that sends an operation's first example before the request."""
    assert operation.body is not None
    body = next(iter(operation.body.examples.values())).value
    request = {
        "url": "BASE_URL" + operation.path,
        "method": operation.method,
        "header": {"Authorization": "KEY", "Content-Type": "application/json"},
        "body": {"mode": "raw", "raw": pretty(body)},
    }
    text = pretty(request)
    text = text.replace('"BASE_URL', 'pm.variables.get("baseUrl") + "')
    text = text.replace('"KEY"', '"Bearer " + pm.variables.get("apiKey")')
    return f"pm.sendRequest({text}, (error) => {{ if (error) throw error; }});".splitlines()


def _event(listen: str, lines: list[str]) -> dict[str, Any]:
    return {"listen": listen, "script": {"type": "text/javascript", "exec": lines}}


def _request(operation: Operation, body: Any, passed_on: Mapping[str, str]) -> dict[str, Any]:
    parts = operation.path.strip("/").split("/")
    path = [f":{part[1:-1]}" if part.startswith("{") else part for part in parts]
    parameters = operation.parameters
    request: dict[str, Any] = {
        "method": operation.method,
        "description": operation.description,
        "header": [
            {**_text(p.name, str(p.example)), "description": p.description, "disabled": True}
            for p in parameters
            if p.location == "header"
        ],
        "url": {
            "raw": "{{baseUrl}}/" + "/".join(path),
            "host": ["{{baseUrl}}"],
            "path": path,
            "variable": [
                {
                    "key": p.name,
                    "value": f"{{{{{p.name}}}}}" if p.name in passed_on else str(p.example),
                    "description": p.description,
                }
                for p in parameters
                if p.location == "path"
            ],
        },
    }
    if body is not None:
        request["body"] = {
            "mode": "raw",
            "raw": pretty(body),
            "options": {"raw": {"language": "json"}},
        }
    return request


def _response(
    response: DocumentedResponse, name: str, value: Any, request: Mapping[str, Any]
) -> Any:
    return {
        "name": f"{response.status} {name}",
        "originalRequest": request,
        "status": phrase(response.status),
        "code": response.status,
        "_postman_previewlanguage": "json",
        "header": [{"key": "Content-Type", "value": response.media_type}],
        "cookie": [],
        "body": pretty(value),
    }


def _text(key: str, value: str) -> dict[str, str]:
    return {"key": key, "value": value, "type": "string"}
