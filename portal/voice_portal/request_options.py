"""Reads from the options of a fence which requests a card sends.

A page changes a request to trigger a problem: a broken body, a missing token, another path. What
it names is checked against the contract, so that a card cannot ask for what does not exist.
What a later request needs from an earlier response is filled in by the contract's links, so a page
names no value that only the sandbox knows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from voice_portal.card_request import CardRequest
from voice_portal.fence_options import FenceError, choose
from voice_portal.links import linked_values, links_of
from voice_portal.sources import Sources
from voice_sandbox.contract.model import Example, Operation

REQUEST_OPTIONS: Final = tuple(
    "operation example scenario body raw over_limit media_type parameters query headers token "
    "method path".split()
)
"""The options of a request, in a card and in the requests before it."""
_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")


def requests_of(sources: Sources, options: Mapping[str, Any]) -> tuple[CardRequest, ...]:
    """The requests of a card in their order: those of ``first``, and the one that it is about.

    Raises: `FenceError`.
    """
    requests: list[CardRequest] = []
    for each in (*_first(options), options):
        requests.append(_linked(request_of(sources, each), each, requests, sources))
    return tuple(requests)


def request_of(sources: Sources, options: Mapping[str, Any]) -> CardRequest:
    """The request that the options describe. Raises: `FenceError`."""
    operations = {**sources.contract.operations, **sources.control.operations}
    operation = operations[choose(str(options["operation"]), operations, "operation")]
    example = _example(operation, options.get("example"))
    body = example.value if example else None
    if "scenario" in options:
        names = sources.scenarios.by_name
        scenario = names[choose(str(options["scenario"]), names, "scenario")]
        if not isinstance(body, Mapping) or "phone" not in body:
            raise FenceError(f"{operation.operation_id} calls no number, so it plays no scenario.")
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
    return CardRequest(
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


def _first(options: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The options of the requests before the last: a list, or one written operation/example."""
    first = options.get("first", [])
    if isinstance(first, str):
        operation, _, example = first.partition("/")
        return [{"operation": operation, **({"example": example} if example else {})}]
    for request in first:
        for option in request:
            choose(str(option), REQUEST_OPTIONS, "option")
    return list(first)


def _linked(
    request: CardRequest,
    options: Mapping[str, Any],
    earlier: Sequence[CardRequest],
    sources: Sources,
) -> CardRequest:
    """The request with what the links of the earlier ones fill; what the page names itself stays.

    The latest response that has a value wins.
    """
    places = {p.name: p.location for p in request.operation.parameters}
    if "path" in options:
        return request
    for number, each in enumerate(earlier):
        for link in links_of(each.operation, sources.contract):
            if link.operation_id != request.operation.operation_id:
                continue
            parameters, fields = linked_values(link, each.operation, number)
            values: dict[str, dict[str, Any]] = {"path": {}, "query": {}, "header": {}}
            for name, value in parameters.items():
                values[places[name]][name] = value
            if not isinstance(request.body, Mapping) or "example" in options:
                fields = {}
            request = replace(
                request,
                parameters={
                    **request.parameters,
                    **values["path"],
                    **_texts(options.get("parameters", {})),
                },
                query={**request.query, **values["query"], **_texts(options.get("query", {}))},
                headers={
                    **request.headers,
                    **values["header"],
                    **_texts(options.get("headers", {})),
                },
                body=_merged(request.body, fields, options.get("body", {})),
            )
    return request


def _merged(body: Any, fields: Mapping[str, Any], named: Mapping[str, Any]) -> Any:
    """The body with the fields in it, but for those that the page has named."""
    if not fields:
        return body
    merged = dict(body)
    for name, value in fields.items():
        if name not in named:
            inner = isinstance(value, Mapping) and isinstance(merged.get(name), Mapping)
            merged[name] = _merged(merged[name], value, {}) if inner else value
    return merged


def _example(operation: Operation, name: Any) -> Example | None:
    examples = operation.body.examples if operation.body else {}
    if name is None:
        return next(iter(examples.values()), None)
    return examples[choose(str(name), examples, f"example of {operation.operation_id} named")]


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    return {str(name): str(value) for name, value in values.items()}
