"""The links of the contract as cards follow them: what an answer passes on, and to which operation.

A link whose expression its own answer cannot fill stops the build: the next card would stay empty.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from voice_portal.steps import Refused
from voice_sandbox.contract.model import Contract, Link, Operation
from voice_sandbox.contract.pointers import line_of

FROM_BODY: Final = "$response.body#"


def links_of(operation: Operation, contract: Contract) -> list[dict[str, Any]]:
    """What a card passes on when its operation has succeeded. Raises: `Refused`."""
    return [
        _link(link, operation, contract)
        for link in operation.success.links.values()
        if link.operation_id in contract.operations
    ]


def _link(link: Link, operation: Operation, contract: Contract) -> dict[str, Any]:
    example = next(iter(operation.success.examples.values())).value
    for expression in _expressions({"parameters": dict(link.parameters), "body": link.body}):
        if not _leads_somewhere(expression, example):
            status = operation.success.status
            method, path = operation.method.lower(), operation.path.replace("/", "~1")
            place = f"/paths/{path}/{method}/responses/{status}/links/{link.name}"
            raise Refused(
                f"{contract.path.name}:{line_of(contract.path, place)}: the link {link.name} reads "
                f"{expression}, which the answer of {operation.operation_id} does not have. Write "
                f"{FROM_BODY} and a JSON Pointer to one of: {', '.join(map(str, example))}."
            )
    return {
        "operation": link.operation_id,
        "parameters": dict(link.parameters),
        "body": link.body,
    }


def _expressions(value: Any) -> Iterator[str]:
    """Every runtime expression (OpenAPI 3.1, section 4.8.20.4) in a link's values."""
    if isinstance(value, dict):
        for item in value.values():
            yield from _expressions(item)
    elif isinstance(value, list):
        for item in value:
            yield from _expressions(item)
    elif isinstance(value, str) and value.startswith("$"):
        yield value


def _leads_somewhere(expression: str, example: Any) -> bool:
    """Whether the expression reads something of the answer; docs' expressions.js reads no other."""
    if not expression.startswith(FROM_BODY):
        return False
    value = example
    for token in expression.removeprefix(FROM_BODY).split("/")[1:]:
        token = token.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict) and token in value:
            value = value[token]
        elif isinstance(value, list) and token.isdigit() and int(token) < len(value):
            value = value[int(token)]
        else:
            return False
    return True
