"""Reads from the options of a fence which request a card sends.

A page changes a request to provoke a refusal: a broken body, a missing token, another path. What
it names is checked against the contract, so that a card cannot ask for what does not exist.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any, Final

from voice_portal.sources import Sources
from voice_portal.step import Step
from voice_sandbox.contract.model import Example, Operation

CHANGES: Final = tuple(
    "operation example scenario body raw over_limit media_type parameters query headers token "
    "method path".split()
)
"""The options of a request, in a card and in the steps before it."""
_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")


class Refused(Exception):
    """A page asks for what does not exist; the message names the mend."""


def step_of(sources: Sources, options: Mapping[str, Any]) -> Step:
    """The request that the options describe. Raises: `Refused`."""
    operations = {**sources.contract.operations, **sources.control.operations}
    operation = operations[choose(str(options["operation"]), operations, "operation")]
    example = _example(operation, options.get("example"))
    body = example.value if example else None
    if "scenario" in options:
        names = sources.scenarios.by_name
        scenario = names[choose(str(options["scenario"]), names, "scenario")]
        if not isinstance(body, Mapping) or "phone" not in body:
            raise Refused(f"{operation.operation_id} calls no number, so it plays no scenario.")
        body = {**body, "phone": scenario.number}
    if "body" in options:
        body = {**(body or {}), **options["body"]}
    raw = options.get("raw")
    known = {p.name: str(p.example) for p in operation.parameters if p.location == "path"}
    for name in options.get("parameters", {}):
        choose(str(name), known, f"path parameter of {operation.operation_id} named")
    asked = [p.name for p in operation.parameters if p.location == "query"]
    for name in options.get("query", {}):
        choose(str(name), asked, f"query parameter of {operation.operation_id} named")
    takes_body = operation.body is not None
    return Step(
        operation=operation,
        method=choose(str(options.get("method", operation.method)), _METHODS, "method"),
        path=str(options.get("path", operation.path)),
        parameters={} if "path" in options else {**known, **_texts(options.get("parameters", {}))},
        query=_texts(options.get("query", {})),
        headers=_texts(options.get("headers", {})),
        token=None if "token" not in options else str(options["token"] or ""),
        media_type=options.get("media_type", operation.body.media_type if operation.body else None),
        body=None if raw is not None or not takes_body else body,
        raw=None if raw is None else str(raw),
        pad_to=operation.body.max_bytes + 1
        if operation.body is not None and options.get("over_limit")
        else 0,
        example=example,
    )


def choose(name: str, known: Iterable[str], kind: str) -> str:
    """The name, if it is known. Raises: `Refused` with the nearest one that is."""
    names = list(known)
    if name in names:
        return name
    nearest = difflib.get_close_matches(name, names, n=1)
    mend = (
        f"Did you mean {nearest[0]}?"
        if nearest
        else f"Choose one of: {', '.join(names)}."
        if names
        else "There are none to choose from: leave it out."
    )
    raise Refused(f"There is no {kind} {name}. {mend}")


def _example(operation: Operation, name: Any) -> Example | None:
    examples = operation.body.examples if operation.body else {}
    if name is None:
        return next(iter(examples.values()), None)
    return examples[choose(str(name), examples, f"example of {operation.operation_id} named")]


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    return {str(name): str(value) for name, value in values.items()}
