"""The links of the contract as cards follow them: what a response passes on, and to which request.

A link whose expression its own response cannot fill stops the build: the next card would stay
empty.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from voice_portal.fence_options import FenceError
from voice_sandbox.contract.model import Contract, Link, Operation
from voice_sandbox.contract.pointers import line_of

FROM_BODY: Final = "$response.body#"


@dataclass(frozen=True, slots=True)
class LinkedValue:
    """A value that a request takes from the response to an earlier request of the same card."""

    name: str
    """What it is called in a program, such as ``call_id``."""
    request: int
    """Which of the card's requests has the response, counted from 0."""
    expression: str
    example: Any
    """The value in the contract's example of that response."""

    @property
    def tokens(self) -> tuple[str, ...]:
        """The way to the value in the response, such as ``("agents", "0", "key")``."""
        return _tokens(self.expression)


def links_of(operation: Operation, contract: Contract) -> list[Link]:
    """What a card passes on when its operation has succeeded. Raises: `FenceError`."""
    links = [
        link
        for link in operation.success.links.values()
        if link.operation_id in contract.operations
    ]
    for link in links:
        _check(link, operation, contract)
    return links


def linked_values(
    link: Link, operation: Operation, request: int
) -> tuple[dict[str, LinkedValue], dict[str, Any]]:
    """The parameters, and the fields of a JSON body, that the link fills from a response.

    ``operation`` is the one that the request with that number calls. What the link gives as a plain
    value is left out.
    """
    example = _example(operation)

    def filled(template: Any) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for name, value in (template or {}).items():
            if isinstance(value, Mapping):
                if inner := filled(value):
                    values[name] = inner
            elif isinstance(value, str) and value.startswith(FROM_BODY):
                found = evaluate(value, example)
                values[name] = LinkedValue(_tokens(value)[-1], request, value, found)
        return values

    return filled(link.parameters), filled(link.body)


def evaluate(expression: str, body: Any) -> Any:
    """The value that a runtime expression (OpenAPI 3.1, section 4.8.20.4) reads from a body.

    Raises: `KeyError`, `IndexError` or `TypeError` where it leads nowhere.
    """
    value = body
    for token in _tokens(expression):
        value = value[int(token) if isinstance(value, list) and token.isdigit() else token]
    return value


def _tokens(expression: str) -> tuple[str, ...]:
    pointer = expression.removeprefix(FROM_BODY)
    return tuple(t.replace("~1", "/").replace("~0", "~") for t in pointer.split("/")[1:])


def _check(link: Link, operation: Operation, contract: Contract) -> None:
    example = _example(operation)
    for expression in _expressions([dict(link.parameters), link.body]):
        if not _leads_somewhere(expression, example):
            status = operation.success.status
            method, path = operation.method.lower(), operation.path.replace("/", "~1")
            place = f"/paths/{path}/{method}/responses/{status}/links/{link.name}"
            raise FenceError(
                f"{contract.path.name}:{line_of(contract.path, place)}: the link {link.name} reads "
                f"{expression}, which the response of {operation.operation_id} does not have. "
                f"Write {FROM_BODY} and a JSON Pointer to one of: {', '.join(map(str, example))}."
            )


def _example(operation: Operation) -> Any:
    return next(iter(operation.success.examples.values())).value


def _expressions(value: Any) -> Iterator[str]:
    """Every runtime expression in a link's values."""
    if isinstance(value, dict):
        for item in value.values():
            yield from _expressions(item)
    elif isinstance(value, list):
        for item in value:
            yield from _expressions(item)
    elif isinstance(value, str) and value.startswith("$"):
        yield value


def _leads_somewhere(expression: str, example: Any) -> bool:
    """Whether the expression reads something of the response; cards read no other."""
    if not expression.startswith(f"{FROM_BODY}/"):
        return False
    try:
        evaluate(expression, example)
    except (KeyError, IndexError, TypeError):
        return False
    return True
