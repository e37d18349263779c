"""The contract as a Postman collection, format 2.1, which most API clients import.

Every request example is one request. Base URL and key are variables: the sandbox and its demo key
until somebody changes them.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, Final

from voice_portal.markup import phrase, pretty
from voice_portal.sources import Sources
from voice_sandbox.contract.model import DocumentedResponse, Operation

SCHEMA: Final = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
_NAMESPACE: Final = uuid.UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")  # RFC 9562: URLs


def collection(sources: Sources) -> dict[str, Any]:
    """One folder a tag, one request an example, one saved response an example of a response."""
    contract = sources.contract
    return {
        "info": {
            "_postman_id": str(uuid.uuid5(_NAMESPACE, f"{contract.title} {contract.version}")),
            "name": contract.title,
            "version": contract.version,
            "description": contract.description,
            "schema": SCHEMA,
        },
        "auth": {"type": "bearer", "bearer": [_text("token", "{{apiKey}}")]},
        "variable": [_text("baseUrl", sources.sandbox_url), _text("apiKey", "sandbox_demo")],
        "item": [
            {
                "name": tag,
                "description": description,
                "item": [
                    item
                    for operation in contract.operations.values()
                    if operation.tag == tag
                    for item in _requests(operation)
                ],
            }
            for tag, description in contract.tags.items()
        ],
    }


def _requests(operation: Operation) -> list[dict[str, Any]]:
    examples = operation.body.examples.values() if operation.body else [None]
    return [
        {
            "name": example.summary if example else operation.summary,
            "request": (request := _request(operation, example.value if example else None)),
            "response": [
                _response(response, name, value.value, request)
                for response in operation.responses.values()
                for name, value in response.examples.items()
            ],
        }
        for example in examples
    ]


def _request(operation: Operation, body: Any) -> dict[str, Any]:
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
                {"key": p.name, "value": str(p.example), "description": p.description}
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
