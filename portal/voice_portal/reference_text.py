"""The fences of the reference as Markdown: it says what the page says, without tabs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from voice_portal import operation_view
from voice_portal.fields import Field, kind, parameters_of
from voice_portal.operation_view import ShownBody, ShownExample
from voice_portal.page import Page, text_address
from voice_portal.reference import SCHEMAS, page_of
from voice_portal.reference_html import found, named_schema
from voice_portal.sources import Sources
from voice_sandbox.contract.problems import Problem


def head(page: Page, options: Mapping[str, Any]) -> Iterator[str]:
    operation, contract = found(page, options)
    for paragraph in operation_view.paragraphs(operation.description):
        yield from (paragraph, "")
    yield f"- Request: `{operation.method} {operation.path}`"
    yield f"- Operation: `{operation.operation_id}`"
    security = operation_view.security(operation, contract)
    yield f"- Security: {security} [Authentication](/authentication/index.md)"
    yield ""


def request(page: Page, options: Mapping[str, Any]) -> Iterator[str]:
    operation, _ = found(page, options)
    command = operation_view.command(operation, page.sources)
    yield from ("```sh", *command.splitlines(), "```", "")


def parameters(page: Page, options: Mapping[str, Any]) -> Iterator[str]:
    operation, contract = found(page, options)
    yield from _fields(page.sources, list(parameters_of(contract, operation)))


def body(page: Page, options: Mapping[str, Any]) -> Iterator[str]:
    operation, contract = found(page, options)
    assert operation.body is not None
    shown = operation_view.request_body(operation, contract)
    yield f"{operation.body.description} {_media(shown)}, at most {operation.body.max_bytes} bytes."
    yield ""
    yield from _body(page.sources, shown)
    yield from _examples(operation_view.examples(operation.body.examples))


def responses(page: Page, options: Mapping[str, Any]) -> Iterator[str]:
    operation, contract = found(page, options)
    for response in operation_view.responses(operation, contract):
        yield from (f"### {response.status} {response.phrase}", "", response.meaning, "")
        yield from _problems(response.problems)
        if response.headers:
            yield from ("Headers:", "", *_fields(page.sources, response.headers))
        if response.body is None:
            yield from ("The response has no body.", "")
        else:
            link = _schema_link(page.sources, response.body.schema)
            yield from (f"Body: {_media(response.body)}{f', {link}' if link else ''}.", "")
            yield from _body(page.sources, response.body)
        yield from _examples(response.examples)


def next_step(page: Page, options: Mapping[str, Any]) -> Iterator[str]:
    operation, _ = found(page, options)
    for link in operation.success.links.values():
        yield f"- [`{link.operation_id}`]({text_address(page_of(link.operation_id))}): "
        yield f"  {link.description}"
    guide = operation_view.guide(operation, page.sources)
    yield f"- [Guide]({text_address(guide)})"


def schema(page: Page, options: Mapping[str, Any]) -> Iterator[str]:
    named = named_schema(page, options)
    if "description" in named.schema:
        yield from (" ".join(named.schema["description"].split()), "")
    for word, meaning in operation_view.meanings(named.schema).items():
        yield f"- `{word}`{f': {meaning}' if meaning else ''}"
    yield from _body(page.sources, operation_view.shared_schema(named, page.sources))
    yield ""


def _body(sources: Sources, body: ShownBody) -> Iterator[str]:
    yield from _fields(sources, body.fields)
    if body.rules:
        yield from (*(f"- {rule}" for rule in body.rules), "")


def _fields(sources: Sources, fields: Sequence[Field]) -> Iterator[str]:
    for field in fields:
        yield _field(sources, field)
    if fields:
        yield ""


def _field(sources: Sources, field: Field) -> str:
    indent = "  " * field.depth
    meaning = " ".join(field.meaning.split())
    if field.is_form:
        return f"{indent}- {field.name}: {meaning}"
    facts = kind(field)
    link = _schema_link(sources, field.schema)
    return f"{indent}- `{field.name}` ({facts}): {meaning}{f' See {link}.' if link else ''}"


def _problems(problems: Sequence[Problem]) -> Iterator[str]:
    for problem in problems:
        yield f"- [`{problem.code}`](/errors/index.md#{problem.code}): {problem.title}."
    if problems:
        yield ""


def _examples(examples: Sequence[ShownExample]) -> Iterator[str]:
    for example in examples:
        yield from (f"{example.title.removesuffix('.')}:", "")
        yield from (f"```{example.language}", *example.text.splitlines(), "```", "")


def _media(body: ShownBody) -> str:
    return f"`{body.media_type}`"


def _schema_link(sources: Sources, name: str) -> str:
    return f"[{name}]({text_address(SCHEMAS)}#{name})" if name in sources.shared_schemas else ""
