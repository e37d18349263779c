"""The fences of the reference as HTML: the parts of an operation's page, and a shared schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from voice_portal import operation_view
from voice_portal.fence_options import choose
from voice_portal.fields import parameters_of
from voice_portal.markup import render
from voice_portal.named_schemas import NamedSchema
from voice_portal.page import Page
from voice_portal.reference import INDEX
from voice_sandbox.contract.model import Contract, Operation


def head(page: Page, options: Mapping[str, Any]) -> str:
    """Method, path, what it does, and the key that it needs."""
    operation, contract = found(page, options)
    return render(
        "operation-head",
        page=page,
        operation=operation,
        paragraphs=operation_view.paragraphs(operation.description),
        security=operation_view.security(operation, contract),
    )


def request(page: Page, options: Mapping[str, Any]) -> str:
    operation, _ = found(page, options)
    return render(
        "operation-request", page=page, code=operation_view.command(operation, page.sources)
    )


def parameters(page: Page, options: Mapping[str, Any]) -> str:
    operation, contract = found(page, options)
    return render("fields", page=page, fields=list(parameters_of(contract, operation)))


def body(page: Page, options: Mapping[str, Any]) -> str:
    operation, contract = found(page, options)
    return render(
        "operation-body",
        page=page,
        request=operation.body,
        body=operation_view.request_body(operation, contract),
        examples=operation_view.examples(operation.body.examples if operation.body else {}),
    )


def responses(page: Page, options: Mapping[str, Any]) -> str:
    operation, contract = found(page, options)
    return render(
        "operation-responses",
        page=page,
        operation=operation,
        responses=list(operation_view.responses(operation, contract)),
    )


def next_step(page: Page, options: Mapping[str, Any]) -> str:
    operation, contract = found(page, options)
    links = [
        (contract.operations[link.operation_id], link.description)
        for link in operation.success.links.values()
    ]
    return render(
        "operation-next",
        page=page,
        links=links,
        guide=operation_view.guide(operation, page.sources),
        index=INDEX,
        of_service=contract is page.sources.contract,
    )


def schema(page: Page, options: Mapping[str, Any]) -> str:
    named = named_schema(page, options)
    return render(
        "schema",
        page=page,
        named=named,
        schema=named.schema,
        meanings=operation_view.meanings(named.schema),
        body=operation_view.shared_schema(named, page.sources),
        operations=[page.sources.operations[name] for name in named.operations],
    )


def named_schema(page: Page, options: Mapping[str, Any]) -> NamedSchema:
    """The shared schema that a fence names. Raises: `FenceError`."""
    known = page.sources.shared_schemas
    return known[choose(str(options["name"]), known, "shared schema")]


def found(page: Page, options: Mapping[str, Any]) -> tuple[Operation, Contract]:
    """The operation that a fence names, and its contract. Raises: `FenceError`."""
    known = page.sources.operations
    operation = known[choose(str(options["operation"]), known, "operation")]
    return operation, page.sources.contract_of(operation)
