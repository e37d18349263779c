"""The order of rejection: every pair of stages of every operation, from one table of stages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any, Final
from urllib.parse import quote

from voice_sandbox.contract.model import Contract, Operation, Parameter
from voice_sandbox.contract.rejection import STAGES, stage
from voice_sandbox.contract.validation import Validator
from voice_sandbox.verification.api import UNKNOWN_CALL_ID, Api
from voice_sandbox.verification.check import Needs, check
from voice_sandbox.verification.finding import Finding, must_be, problem_code
from voice_sandbox.verification.guard import UNKNOWN_REFERENCE, WEBHOOK_PATH
from voice_sandbox.verification.http1 import SentRequest
from voice_sandbox.verification.requests import as_json, bodies, of_location, operations, path_of

_ORDER: Final = [one.name for one in STAGES]
_WRONG_TEXTS: Final = ("two words", "!", "x" * 300)
_OTHER_METHOD: Final = "PATCH"
"""No operation of either contract has it."""


@dataclass(slots=True)
class _Attempt:
    """A request in parts, so that several of them can be wrong at once."""

    operation: Operation
    path: str
    method: str
    authorization: tuple[str, ...]
    content_type: str = "application/json"
    query: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)
    value: Any = None
    is_malformed: bool = False
    is_too_large: bool = False

    def request(self) -> SentRequest:
        headers = [("Authorization", value) for value in self.authorization]
        if self.operation.body is None:
            return SentRequest(self.method, self.path + self.query, (*headers, *self.headers))
        body = as_json(self.value)
        if self.is_malformed:
            body = body[:-1] + b",}"
        if self.is_too_large:
            body = body.ljust(self.operation.body.max_bytes + 1)
        typed = ("Content-Type", self.content_type)
        return SentRequest(
            self.method, self.path + self.query, (*headers, typed, *self.headers), body
        )


@dataclass(frozen=True, slots=True)
class _Mistake:
    """One thing that is wrong. Two mistakes with the same ``part`` cannot be made at once."""

    stage: str
    what: str
    part: str
    make: Callable[[_Attempt], None]

    @property
    def rank(self) -> int:
        return _ORDER.index(self.stage)


@check(Needs.READ)
def each_stage_comes_before_the_next(api: Api) -> None:
    """Of any two mistakes in a request the earlier stage decides, for every operation."""
    known = _Prepared.made(api) if api.target.guard.is_sandbox else None
    for contract, operation in operations(api):
        mistakes = list(_mistakes(api, contract, operation, known))
        for one in mistakes:
            _must_decide(api, operation, one, one)
        for one, other in api.some(combinations(mistakes, 2)):
            if one.part != other.part and one.stage != other.stage:
                first, second = sorted((one, other), key=lambda mistake: mistake.rank)
                _must_decide(api, operation, first, second)


@check(Needs.SANDBOX)
def preferences_come_after_the_token(api: Api) -> None:
    """`Prefer: code=…` is looked at after the token, and before anything else that is wrong."""
    known = _Prepared.made(api)
    for contract, operation in operations(api):
        wanted = max(status for status in operation.responses if status >= 400)
        codes = list(operation.responses[wanted].examples)
        for one in _mistakes(api, contract, operation, known):
            attempt = _attempt(api, operation)
            one.make(attempt)
            attempt.headers.append(("Prefer", f"code={wanted}"))
            response = api.send(attempt.request())
            when = f"a request for {operation.operation_id} asks for {wanted}, and {one.what}"
            if one.rank <= _ORDER.index("token"):
                _must_have_code(response, stage(one.stage).codes, when)
            else:
                must_be(response, wanted, when=when)
                _must_have_code(response, codes, when)


def _must_decide(api: Api, operation: Operation, first: _Mistake, second: _Mistake) -> None:
    attempt = _attempt(api, operation)
    # The later one first: a mistake in the path goes on from what stands there.
    second.make(attempt)
    if first is not second:
        first.make(attempt)
    sent = attempt.request()
    if not api.target.guard.allows(sent):
        return
    also = "" if first is second else f", and {second.what}"
    when = f"in a request for {operation.operation_id} {first.what}{also}"
    _must_have_code(api.send(sent), stage(first.stage).codes, when)


def _must_have_code(response: Any, codes: Any, when: str) -> None:
    code = problem_code(response)
    if code not in codes:
        raise Finding(
            f"When {when}, the response must be {' or '.join(codes)}, "
            f"but it is {response.status} {code}".rstrip()
            + ".",
            response,
        )


def _attempt(api: Api, operation: Operation) -> _Attempt:
    value = next(iter(bodies(api, operation)), None)
    authorization = (f"Bearer {api.key}",) if operation.authenticated else ()
    return _Attempt(operation, path_of(operation), operation.method, authorization, value=value)


# Mistakes


@dataclass(frozen=True, slots=True)
class _Prepared:
    """What a sandbox must hold before later stages can reject."""

    ended: str
    """The id of a call that has ended."""
    reference: str
    """The provider's id of it."""
    used_key: str
    """An Idempotency-Key that was used with another body."""
    numbers: tuple[str, ...]
    """Numbers that reject a call."""

    @classmethod
    def made(cls, api: Api) -> _Prepared:
        used_key = "used-before"
        ended = api.create("long_talk", ("Idempotency-Key", used_key))
        must_be(api.complete(), 200, when="a call is completed")
        reference = api.inspect(ended)["provider_call_id"]
        numbers = api.number("rate_limited"), api.number("provider_unavailable")
        return cls(ended, reference, used_key, numbers)


def _mistakes(
    api: Api, contract: Contract, operation: Operation, known: _Prepared | None
) -> Iterator[_Mistake]:
    """Everything that can be wrong with a request for an operation, one thing at a time."""

    def path(attempt: _Attempt) -> None:
        attempt.path += "/no/such/path"

    def method(attempt: _Attempt) -> None:
        attempt.method = _OTHER_METHOD

    yield _Mistake("path", "the path is unknown", "path", path)
    yield _Mistake("method", f"the method is {_OTHER_METHOD}", "method", method)
    if operation.authenticated:
        for what, authorization in (
            ("the token is missing", ()),
            ("the token is wrong", ("Bearer wrong",)),
            ("the scheme is Basic", ("Basic d3Jvbmc6d3Jvbmc=",)),
            ("the token is given twice", (f"Bearer {api.key}",) * 2),
        ):
            yield _Mistake("token", what, "token", _setting("authorization", authorization))
    if operation.body is not None:
        text = _setting("content_type", "text/plain")
        yield _Mistake("media type", "the body is text/plain", "type", text)
        yield _Mistake("size", "the body is too large", "size", _setting("is_too_large", True))
        malformed = _setting("is_malformed", True)
        yield _Mistake("JSON", "the body is not JSON", "JSON", malformed)
        yield _Mistake("fields", "a field is unknown", "fields", _putting("surplus", 1))
        yield _Mistake("fields", "a field is missing", "fields", _dropping)
    for parameter in operation.parameters:
        wrong = _wrong_text(contract, parameter)
        if wrong is not None:
            what = f"{parameter.name} has a wrong form"
            make = _wrong_parameter(operation, parameter, wrong)
            yield _Mistake("parameters", what, _part(parameter), make)
    yield from _references(api, operation, known)
    if known is not None and operation.operation_id == "createCall":
        conflict = ("Idempotency-Key", known.used_key)
        what = "the Idempotency-Key was used with another body"
        yield _Mistake("idempotency", what, "header Idempotency-Key", _adding(conflict))
        for number in known.numbers:
            what = f"the number {number} rejects calls"
            yield _Mistake("number", what, "number", _putting("phone", number))


def _references(api: Api, operation: Operation, known: _Prepared | None) -> Iterator[_Mistake]:
    """Calls that do not exist, or that have ended, however the operation names a call."""
    if any(one.name == "call_id" for one in of_location(operation, "path")):
        unknown = _setting("path", path_of(operation, call_id=UNKNOWN_CALL_ID))
        yield _Mistake("reference", "the call is unknown", "path call_id", unknown)
        if known is not None and 409 in operation.responses:
            ended = _setting("path", path_of(operation, call_id=known.ended))
            yield _Mistake("outcome", "the call has ended", "path call_id", ended)
    if operation.path == WEBHOOK_PATH:
        unknown = _putting("provider_call_id", UNKNOWN_REFERENCE)
        yield _Mistake("reference", "the call is unknown", "reference", unknown)
        if known is not None:
            ended = _putting("provider_call_id", known.reference)
            yield _Mistake("outcome", "the call has ended", "reference", _both(ended, _other_end))


def _setting(name: str, value: Any) -> Callable[[_Attempt], None]:
    return lambda attempt: setattr(attempt, name, value)


def _putting(name: str, value: Any) -> Callable[[_Attempt], None]:
    def make(attempt: _Attempt) -> None:
        attempt.value = {**attempt.value, name: value}

    return make


def _adding(header: tuple[str, str]) -> Callable[[_Attempt], None]:
    return lambda attempt: attempt.headers.append(header)


def _both(*makes: Callable[[_Attempt], None]) -> Callable[[_Attempt], None]:
    def make(attempt: _Attempt) -> None:
        for one in makes:
            one(attempt)

    return make


def _other_end(attempt: _Attempt) -> None:
    if "duration" in attempt.value:
        attempt.value = {**attempt.value, "duration": attempt.value["duration"] + 1}


def _dropping(attempt: _Attempt) -> None:
    """Takes the last field away that no other mistake needs."""
    attempt.value = dict(list(attempt.value.items())[:-1])


def _part(parameter: Parameter) -> str:
    return f"{parameter.location} {parameter.name}"


def _wrong_text(contract: Contract, parameter: Parameter) -> str | None:
    """A text that the schema of a parameter rejects, and that can be sent anywhere."""
    validator = Validator(contract, parameter.schema)
    return next((text for text in _WRONG_TEXTS if not validator.is_valid(text)), None)


def _wrong_parameter(
    operation: Operation, parameter: Parameter, text: str
) -> Callable[[_Attempt], None]:
    if parameter.location == "path":
        return _setting("path", path_of(operation, **{parameter.name: text}))
    if parameter.location == "header":
        return _adding((parameter.name, text))

    def make(attempt: _Attempt) -> None:
        separator = "&" if attempt.query else "?"
        attempt.query += f"{separator}{parameter.name}={quote(text)}"

    return make
