"""Requests made from an operation of a contract, for checks that hold of every operation.

Owns how an operation is filled in: its path, its headers and a body that the contract takes. What
a check changes of it is the check's own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote

from voice_sandbox.contract.model import Contract, Operation, Parameter
from voice_sandbox.verification.api import JSON, UNKNOWN_CALL_ID, Api
from voice_sandbox.verification.guard import UNKNOWN_REFERENCE
from voice_sandbox.verification.http1 import SentRequest

# Digits of a numeral that the guard would take for a number to call.
_LONG_NUMERAL: Final = re.compile(r"(?<=[ :\[,])([1-9][0-9]{0,5})(0{2,})(?=[,}\]])")


def operations(api: Api) -> Iterator[tuple[Contract, Operation]]:
    """Every operation that the deployment has, those of a sandbox included."""
    contracts = [api.target.contract]
    if api.target.guard.is_sandbox:
        contracts.append(api.target.control_contract)
    for contract in contracts:
        for operation in contract.operations.values():
            yield contract, operation


def path_of(operation: Operation, **parameters: str) -> str:
    """The path of an operation, with examples where nothing else is said."""
    examples = {
        parameter.name: parameter.example
        for parameter in operation.parameters
        if parameter.location == "path"
    }
    written = {**examples, "call_id": UNKNOWN_CALL_ID, **parameters}
    return operation.path_with(
        **{name: quote(str(value), safe="") for name, value in written.items()}
    )


def bodies(api: Api, operation: Operation) -> list[dict[str, Any]]:
    """The examples of a body, which call only numbers of nobody and complete no call."""
    if operation.body is None:
        return []
    found = []
    for example in operation.body.examples.values():
        value = dict(example.value)
        if "phone" in value and api.target.guard.is_sandbox:
            value["phone"] = api.number("answered")
        if "provider_call_id" in value:
            value["provider_call_id"] = UNKNOWN_REFERENCE
        found.append(value)
    return found


def request_of(
    api: Api,
    operation: Operation,
    *headers: tuple[str, str],
    path: str | None = None,
    query: Mapping[str, str] | None = None,
    body: bytes | None = None,
) -> SentRequest:
    """A request that is right, apart from what is given."""
    target = path_of(operation) if path is None else path
    if query:
        pairs = (f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in query.items())
        target += "?" + "&".join(pairs)
    if operation.body is not None and body is None:
        body = as_json(bodies(api, operation)[0])
    signed = (("Authorization", f"Bearer {api.key}"),)
    typed = (JSON,) if operation.body is not None else ()
    return SentRequest(operation.method, target, (*signed, *typed, *headers), body)


def as_json(value: Any) -> bytes:
    """JSON in UTF-8, escaped where UTF-8 cannot say it; long round numerals as ``31536e3``."""
    text = json.dumps(value, ensure_ascii=False)
    text = _LONG_NUMERAL.sub(lambda digits: f"{digits[1]}e{len(digits[2])}", text)
    try:
        return text.encode()
    except UnicodeEncodeError:
        return json.dumps(value).encode()


def of_location(operation: Operation, location: str) -> list[Parameter]:
    """The parameters of an operation that stand in its ``path``, ``query`` or ``header``."""
    return [one for one in operation.parameters if one.location == location]
