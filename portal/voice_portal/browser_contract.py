"""The contract as cards check responses against it: responses and schemas, without their prose."""

from __future__ import annotations

from typing import Any, Final

from voice_portal.sources import Sources
from voice_sandbox.contract.model import DocumentedResponse, Operation
from voice_sandbox.contract.problems import MEDIA_TYPE, PROBLEMS, documented_codes
from voice_sandbox.contract.validation import enforced

_PROSE: Final = frozenset(
    ("description", "title", "examples", "x-enumDescriptions", "x-normalized-status")
)


def browser_contract(sources: Sources) -> dict[str, Any]:
    """Operation → status → what a response must be; ``unknownRoute`` is that of an unknown path."""
    contract, control = sources.contract, sources.control
    operations = {**control.operations, **contract.operations}
    return {
        "operations": {name: _responses(operation) for name, operation in operations.items()},
        "unknownRoute": {
            "mediaType": MEDIA_TYPE,
            "headers": {},
            "schema": {"$ref": "#/components/schemas/Problem"},
            "codes": [code for code, problem in PROBLEMS.items() if problem.of_no_operation],
        },
        "schemas": {name: plain(schema) for name, schema in control.components["schemas"].items()},
    }


def plain(schema: Any) -> Any:
    """A schema with its rules alone."""
    return _rules(enforced(schema))


def _rules(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_rules(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        keyword: {name: _rules(each) for name, each in rule.items()}
        if keyword == "properties"
        else rule
        if keyword in ("enum", "const")
        else _rules(rule)
        for keyword, rule in schema.items()
        if keyword not in _PROSE
    }


def _responses(operation: Operation) -> dict[str, Any]:
    return {str(status): _response(response) for status, response in operation.responses.items()}


def _response(response: DocumentedResponse) -> dict[str, Any]:
    return {
        "mediaType": response.media_type,
        "schema": None if response.schema is None else plain(response.schema),
        "headers": {
            name: {"required": header.required, "schema": plain(header.schema)}
            for name, header in response.headers.items()
        },
        "codes": documented_codes(response),
    }
