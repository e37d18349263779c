"""What the page of an operation shows of it, for HTML and for Markdown alike."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from voice_portal.fields import Field, fields_of, headers_of, rules_of
from voice_portal.markup import phrase, pretty
from voice_portal.named_schemas import NamedSchema, name_of
from voice_portal.reference import guide_of
from voice_portal.request_options import request_of
from voice_portal.snippets import curl
from voice_portal.sources import Sources
from voice_sandbox.contract.model import Contract, DocumentedResponse, Example, Operation, Schema
from voice_sandbox.contract.problems import MEDIA_TYPE, PROBLEMS, Problem, documented_codes

_LINK: Final = re.compile(r"\[([^\]]*)\]\(#[^)]*\)")
GUIDE_OF_CONTROL: Final = "sandbox-guide.md"
"""The guide to what only the sandbox can do."""


@dataclass(frozen=True, slots=True)
class ShownBody:
    """The fields of a body. A problem has none here: its schema is listed on the page Schemas."""

    media_type: str
    schema: str
    """The name of its schema; empty where it has none."""
    fields: tuple[Field, ...]
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ShownExample:
    title: str
    text: str
    language: str


@dataclass(frozen=True, slots=True)
class ShownResponse:
    status: int
    phrase: str
    meaning: str
    headers: tuple[Field, ...]
    body: ShownBody | None
    problems: tuple[Problem, ...]
    examples: tuple[ShownExample, ...]


def paragraphs(text: str) -> list[str]:
    """The paragraphs of a description. Its links lead to places that only a list of all operations
    has: their words stay."""
    plain = _LINK.sub(r"\1", text.strip())
    return [" ".join(each.split()) for each in re.split(r"\n\s*\n", plain)]


def security(operation: Operation, contract: Contract) -> str:
    """How a request proves whose it is, in one sentence."""
    if not operation.authenticated:
        return "This operation needs no key."
    [scheme] = contract.components["securitySchemes"].values()
    return str(scheme["description"]).strip().splitlines()[0]


def guide(operation: Operation, sources: Sources) -> str:
    """The page that explains what the operation is for."""
    of_service = operation.operation_id in sources.contract.operations
    return guide_of(operation) if of_service else GUIDE_OF_CONTROL


def command(operation: Operation, sources: Sources) -> str:
    """The request as a command of curl, with the contract's examples.

    What changes a call needs one that has not ended, so a call is created first.
    """
    request = request_of(sources, {"operation": operation.operation_id})
    text = "".join(curl(request, sources.sandbox_url))
    if operation.method != "GET" and "call_id" in operation.path_parameters:
        created = request_of(sources, {"operation": "createCall"})
        first = "".join(curl(created, sources.sandbox_url, silent=True))
        text = text.replace(sources.call_id, "$CALL_ID")
        return f"CALL_ID=$({first} | jq -r .call_id)\n{text}"
    # A stream has no end: what arrives is shown at once, for a second.
    is_stream = operation.success.media_type == "text/event-stream"
    return text.replace("curl ", "curl -N --max-time 1 ", 1) if is_stream else text


def request_body(operation: Operation, contract: Contract) -> ShownBody:
    """The body of the request. The operation must have one."""
    assert operation.body is not None
    return _body(contract, operation.body.media_type, operation.body.schema)


def examples(found: dict[str, Example] | Any) -> tuple[ShownExample, ...]:
    """Bodies as they are sent; an event of a stream is no JSON."""
    return tuple(_example(each) for each in found.values())


def responses(operation: Operation, contract: Contract) -> Iterator[ShownResponse]:
    """Every documented response in the order of the contract, the success first."""
    for status, response in operation.responses.items():
        yield ShownResponse(
            status=status,
            phrase=phrase(status),
            meaning=response.description,
            headers=tuple(headers_of(contract, response.headers)),
            body=_response_body(contract, response),
            problems=tuple(PROBLEMS[code] for code in documented_codes(response)),
            examples=examples(response.examples),
        )


def shared_schema(named: NamedSchema, sources: Sources) -> ShownBody:
    """A schema of the page Schemas. What it holds of other shared schemas is linked."""
    contract, schema = named.contract, named.schema
    others = [name for name in sources.shared_schemas if name != named.name]
    return ShownBody(
        media_type="",
        schema=named.name,
        fields=tuple(fields_of(contract, schema, closed=others)),
        rules=tuple(rules_of(contract, schema)),
    )


def meanings(schema: Schema) -> dict[str, str]:
    """The words of an enumeration with what each means, where the contract says it."""
    saved: dict[str, str] = schema.get("x-normalized-status", {})
    told: dict[str, str] = {
        **{word: f"Saved as `{status}`." for word, status in saved.items()},
        **schema.get("x-enumDescriptions", {}),
    }
    return {str(word): told.get(word, "") for word in schema.get("enum", ())}


def _body(contract: Contract, media_type: str, schema: Schema) -> ShownBody:
    return ShownBody(
        media_type=media_type,
        schema=name_of(schema),
        fields=tuple(fields_of(contract, schema)),
        rules=tuple(rules_of(contract, schema)),
    )


def _response_body(contract: Contract, response: DocumentedResponse) -> ShownBody | None:
    if response.media_type is None or response.schema is None:
        return None
    if response.media_type == MEDIA_TYPE:
        return ShownBody(MEDIA_TYPE, name_of(response.schema), fields=(), rules=())
    return _body(contract, response.media_type, response.schema)


def _example(example: Example) -> ShownExample:
    if isinstance(example.value, str):
        return ShownExample(example.summary, example.value.rstrip("\n"), "text")
    return ShownExample(example.summary, pretty(example.value), "json")
