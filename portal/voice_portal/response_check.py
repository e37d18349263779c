"""Whether a recorded response is one that the contract documents.

A page shows what the sandbox sends. Where the contract says something else, one of the two is
wrong, and the build stops: a reader must never see a response that the contract forbids, nor miss
a field that it promises.
"""

from __future__ import annotations

from collections.abc import Iterator

from voice_portal.card_request import CardRequest
from voice_portal.fence_options import FenceError
from voice_portal.sandbox_responses import RecordedResponse
from voice_portal.sources import Sources
from voice_sandbox.contract.model import Contract, DocumentedResponse
from voice_sandbox.contract.problems import MEDIA_TYPE, undocumented
from voice_sandbox.contract.validation import Validator


def check_response(
    sources: Sources, card: str, request: CardRequest, response: RecordedResponse
) -> None:
    """Raises: `FenceError` with card, place and fix where the contract says something else."""
    name = request.operation.operation_id
    contract = sources.contract if name in sources.contract.operations else sources.control
    what = "another path or method" if request.is_changed else name
    for finding in _findings(contract, request, response):
        raise FenceError(
            f"The card {card} shows the response {response.status} of {what}, which is not what "
            f"{contract.path.name} documents. {finding} Fix the sandbox, or change "
            f"{contract.path.name}."
        )


def _findings(
    contract: Contract, request: CardRequest, response: RecordedResponse
) -> Iterator[str]:
    """What does not fit, one sentence a finding."""
    documented = None
    if request.is_changed:
        # No operation documents it, and every rejection is a problem.
        media_type: str | None = MEDIA_TYPE
        schema = contract.schema("Problem")
    else:
        documented = request.operation.responses.get(response.status)
        if documented is None:
            known = ", ".join(map(str, request.operation.responses))
            yield f"It documents no status {response.status}, only {known}."
            return
        yield from _header_findings(contract, documented, response)
        media_type = documented.media_type
        if documented.schema is None:
            if response.body is not None:
                yield "It documents no body, but there is one."
            return
        schema = documented.schema
    if response.headers.get("content-type") != media_type:
        yield f"The media type is {response.headers.get('content-type')}, not {media_type}."
    errors = Validator(contract, schema).errors(response.body)
    if documented is not None:
        errors += undocumented(documented, response.body)
    for error in errors:
        yield f"{error.pointer or 'The body'}: {error.detail}"


def _header_findings(
    contract: Contract, documented: DocumentedResponse, response: RecordedResponse
) -> Iterator[str]:
    for header in documented.headers.values():
        value = response.headers.get(header.name.lower())
        if value is None and header.required:
            yield f"The header {header.name} is missing. {header.description}"
        elif value is not None and not Validator(contract, header.schema).is_valid(value):
            yield f"The header {header.name}: {value} does not fit. {header.description}"
