"""Every limit of both contracts, from both sides: generated from the schemas, never listed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from voice_sandbox.contract.model import Contract, Operation, Parameter
from voice_sandbox.contract.validation import MAX_ERRORS, Validator
from voice_sandbox.sandbox_key import PATTERN
from voice_sandbox.verification.api import Api
from voice_sandbox.verification.boundary_values import pattern_texts, texts, variants
from voice_sandbox.verification.check import Needs, check
from voice_sandbox.verification.finding import Finding, must, must_be, must_be_invalid
from voice_sandbox.verification.guard import WEBHOOK_PATH
from voice_sandbox.verification.http1 import ReceivedResponse, SentRequest
from voice_sandbox.verification.model import normalized
from voice_sandbox.verification.requests import (
    as_json,
    bodies,
    operations,
    path_of,
    request_of,
)

JUDGED_FURTHER: Final = ("armFault", "bindNumber")
"""Operations whose fields depend on each other: a body may fit the schema and still be wrong."""
REJECTED: Final = (400, 401, 405, 413, 415, 422)
"""How a request is rejected before its operation looks at it."""


@check(Needs.READ)
def bodies_are_held_to_the_schema(api: Api) -> None:
    """Each body on the wrong side of a limit is 422 at its place, and each on the right side is
    taken."""
    for contract, operation in operations(api):
        if operation.body is None:
            continue
        validator = Validator(contract, operation.body.schema)
        for what, value in api.some(_bodies(api, contract, operation)):
            sent = request_of(api, operation, body=as_json(value))
            if not api.target.guard.allows(sent):
                continue
            when = f"a body of {operation.operation_id} has {what}"
            errors = validator.errors(value)
            response = api.send(sent)
            if errors and len(errors) < MAX_ERRORS:
                must_be_invalid(response, *(error.pointer for error in errors), when=when)
            elif errors:
                must_be(response, 422, "validation_failed", when=when)
            elif _is_unknown_agent(api, value):
                must_be_invalid(response, "/agent", when=when)
            elif not _is_judged_further(operation, response):
                _must_be_taken(response.status, when, response)


@check(Needs.SANDBOX)
def rejected_bodies_create_nothing(api: Api) -> None:
    """A creation whose body is rejected creates no call, whatever is wrong with it."""
    operation = api.target.contract.operations["createCall"]
    assert operation.body is not None
    validator = Validator(api.target.contract, operation.body.schema)
    newest = api.create("never_completes")
    for what, value in api.some(_bodies(api, api.target.contract, operation)):
        sent = request_of(api, operation, body=as_json(value))
        is_wrong = not validator.is_valid(value) or _is_unknown_agent(api, value)
        if api.target.guard.allows(sent) and is_wrong:
            must_be(api.send(sent), 422, "validation_failed", when=f"a creation has {what}")
    must_be(api.complete(), 200, when="the newest call is completed")
    must(
        api.read(newest)["status"] == "completed",
        "A creation that was rejected created a call.",
        api.last(),
    )


@check(Needs.SANDBOX)
def completions_at_the_limits_are_kept(api: Api) -> None:
    """Whatever result the schema of a completion takes is read back as it was sent."""
    contract = api.target.contract
    operation = contract.operations["callCompleted"]
    assert operation.body is not None
    validator = Validator(contract, operation.body.schema)
    seen = set()
    for what, value in api.some(_bodies(api, contract, operation)):
        if not validator.is_valid(value):
            continue
        result = value["status"], value["transcript"], value["duration"]
        if result in seen:
            continue
        seen.add(result)
        call_id = api.create("never_completes")
        completion = {**value, "provider_call_id": api.newest_call_alias}
        when = f"a completion has {what}"
        must_be(api.post(WEBHOOK_PATH, completion), 200, when=when)
        call = api.read(call_id)
        must(
            (call["status"], call["transcript"], call["duration"])
            == normalized(api.target.catalogue.normalized_status, *result),
            f"When {when}, the call must show what was sent, but it does not.",
            api.last(),
        )


@check(Needs.READ)
def parameters_are_held_to_the_schema(api: Api) -> None:
    """Each parameter on the wrong side of a limit is rejected, and each on the right side is
    taken."""
    for contract, operation in operations(api):
        for parameter in operation.parameters:
            validator = Validator(contract, parameter.schema)
            schema = contract.resolve(parameter.schema)
            for what, text in api.some(texts(schema, [str(parameter.example)])):
                sent = _with_parameter(api, operation, parameter, text)
                if sent is None or not api.target.guard.allows(sent):
                    continue
                valid = validator.is_valid(text)
                if valid and operation.success.media_type == "text/event-stream":
                    continue  # a stream does not end
                when = f"{parameter.name} of {operation.operation_id} has {what}"
                response = api.send(sent)
                if valid:
                    _must_be_taken(response.status, when, response)
                elif parameter.location == "path":
                    # What is found by it may not be there; otherwise its form is wrong.
                    must_be(response, 404 if 404 in operation.responses else 422, when=when)
                else:
                    must_be(response, 400, when=when)


@check(Needs.SANDBOX)
def keys_are_held_to_their_form(api: Api) -> None:
    """A token with one character too few, too many or of another kind is 401 `invalid_token`."""

    for what, token in pattern_texts(PATTERN):
        if token != token.strip() or not token or not _is_sendable(token):
            continue
        sent = SentRequest("GET", "/v1/agents", (("Authorization", f"Bearer {token}"),))
        response = api.send(sent)
        when = f"a token has {what}"
        if not re.fullmatch(PATTERN, token):
            must_be(response, 401, "invalid_token", when=when)
        elif not api.target.listed_keys:
            must_be(response, 200, when=when)


def _bodies(api: Api, contract: Contract, operation: Operation) -> Iterator[tuple[str, Any]]:
    """Bodies around every limit; of a second example only what the first has not."""
    assert operation.body is not None
    seen: set[str] = set()
    for body in bodies(api, operation):
        found = list(variants(contract, operation.body.schema, body))
        yield from ((what, value) for what, value in found if what not in seen)
        seen.update(what for what, _ in found)


def _with_parameter(
    api: Api, operation: Operation, parameter: Parameter, text: str
) -> SentRequest | None:
    """The request with one parameter as given; ``None`` where HTTP cannot carry the text."""
    if parameter.location == "query":
        return request_of(api, operation, query={parameter.name: text})
    if parameter.location == "path":
        # An empty segment, and one of dots, make another path.
        is_segment = bool(text.strip(".")) and "/" not in text
        return (
            request_of(api, operation, path=path_of(operation, **{parameter.name: text}))
            if is_segment
            else None
        )
    if not _is_sendable(text) or text != text.strip():
        return None
    return request_of(api, operation, (parameter.name, text))


def _is_sendable(text: str) -> bool:
    """Whether a header can carry a text (RFC 9110, section 5.5)."""
    return all(one == "\t" or (" " <= one <= "\xff" and one != "\x7f") for one in text)


def _is_judged_further(operation: Operation, response: ReceivedResponse) -> bool:
    """Whether a body that fits the schema was rejected for what the schema does not say."""
    return operation.operation_id in JUDGED_FURTHER and response.status == 422


def _is_unknown_agent(api: Api, value: Any) -> bool:
    agents = [agent.key for agent in api.target.catalogue.agents]
    return isinstance(value, dict) and "agent" in value and value["agent"] not in agents


def _must_be_taken(status: int, when: str, response: ReceivedResponse) -> None:
    if status in REJECTED:
        raise Finding(
            f"When {when}, the contract allows it, but it is rejected: {status}.", response
        )
