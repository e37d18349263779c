"""What rows of faults are made of: ways to alter a request or a response, and nothing else."""

import json
import re
from collections.abc import Callable
from typing import Any

from fault_injection import FaultInjector, FaultyRequest, FaultyResponse
from faults.altering import WEBHOOK, lenient, put_problem
from faults.fault import Fault
from read_once import contracts
from voice_sandbox.calls.scenarios import load_scenarios
from voice_sandbox.contract.catalogue import read_catalogue

Alter = Callable[[FaultInjector], None]
LIMIT = max(
    operation.body.max_bytes
    for operation in contracts()[0].operations.values()
    if operation.body is not None
)
AGENT = read_catalogue(contracts()[0]).agents[0].key
REJECTING = [
    scenario.number.encode()
    for scenario in load_scenarios(read_catalogue(contracts()[0]))
    if scenario.rejection is not None
]


def as_fault(category: str, caught_by: str, name: str, sentence: str, alter: Alter) -> Fault:
    return Fault(name, category, sentence, caught_by, alter, crashes=False)


# What rows are made of


def served(change: Callable[[dict[str, Any]], None]) -> Alter:
    """The sandbox keeps a contract with other schemas."""
    return lambda injector: injector.contract(lambda one: change(one["components"]["schemas"]))


def completion(name: str, **keywords: Any) -> Alter:
    return served(lambda schemas: schemas["Completion"]["properties"][name].update(keywords))


def key_of_retries(**keywords: Any) -> Alter:
    def change(document: dict[str, Any]) -> None:
        document["components"]["parameters"]["IdempotencyKey"]["schema"].update(keywords)

    return lambda injector: injector.contract(change)


def read_body(change: Callable[[dict[str, Any]], Any]) -> Alter:
    """The sandbox reads another object than was sent, where it is an object at all."""

    def alter(request: FaultyRequest) -> None:
        value = lenient(request.body)
        if isinstance(value, dict) and request.method in ("POST", "PUT"):
            before = repr(value)
            change(value)
            if repr(value) != before:
                request.body = json.dumps(value).encode()

    return lambda injector: injector.on_request(alter)


def read_bytes(change: Callable[[bytes], bytes]) -> Alter:
    def alter(request: FaultyRequest) -> None:
        if request.method == "POST":
            request.body = change(request.body)

    return lambda injector: injector.on_request(alter)


def read_text(change: Callable[[str], str]) -> Alter:
    """A transcript is saved as another text."""

    def alter(value: dict[str, Any]) -> None:
        if isinstance(value.get("transcript"), str):
            value["transcript"] = change(value["transcript"])

    return read_body(alter)


def read_header(name: str, change: Callable[[bytes], bytes | None]) -> Alter:
    def alter(request: FaultyRequest) -> None:
        for value in request.values(name)[:1]:
            request.put(name, change(value))

    return lambda injector: injector.on_request(alter)


def read_path(change: Callable[[str], str]) -> Alter:
    def alter(request: FaultyRequest) -> None:
        request.path = change(request.path)

    return lambda injector: injector.on_request(alter)


def respond(
    where: Callable[[FaultyRequest, FaultyResponse], Any], change: Callable[[FaultyResponse], Any]
) -> Alter:
    def alter(request: FaultyRequest, response: FaultyResponse) -> None:
        if where(request, response):
            change(response)

    return lambda injector: injector.on_response(alter)


def code_of(response: FaultyResponse) -> str:
    value = lenient(response.body)
    return str(value.get("code", "")) if isinstance(value, dict) else ""


def put_whole(response: FaultyResponse, code: str) -> None:
    """Another problem, with the header that its status needs."""
    put_problem(response, code)
    if response.status in (429, 503):
        response.put("retry-after", b"1")


def instead(code: str, other: str, where: Callable[[FaultyRequest], Any]) -> Alter:
    """Where a request is rejected with a code and has another mistake, that one decides."""
    return respond(
        lambda request, response: code_of(response) == code and where(request),
        lambda response: put_whole(response, other),
    )


def shown(path: str, change: Callable[[Any], Any]) -> Alter:
    """A success at a path of the control API says something else."""

    def alter(response: FaultyResponse) -> None:
        value = response.json
        changed = change(value)
        response.put_json(value if changed is None else changed)

    return respond(
        lambda request, response: (
            re.fullmatch(path, request.path) and response.status == 200 and response.body
        ),
        alter,
    )


def is_plain(request: FaultyRequest) -> bool:
    return request.method == "POST" and b"json" not in b"".join(request.values("content-type"))


def is_large(request: FaultyRequest) -> bool:
    return len(request.body) > LIMIT or not request.is_whole


def is_broken(request: FaultyRequest) -> bool:
    return request.method == "POST" and lenient(request.body) is None


def has_surplus(request: FaultyRequest) -> bool:
    value = lenient(request.body)
    return isinstance(value, dict) and "surplus" in value


def has_header(name: str) -> Callable[[FaultyRequest], bool]:
    return lambda request: bool(request.values(name))


def status_word(change: Callable[[str], str]) -> Alter:
    def alter(value: dict[str, Any]) -> None:
        if isinstance(value.get("status"), str):
            value["status"] = change(value["status"])

    return read_body(alter)


def kept_key(change: Callable[[str], str]) -> Alter:
    """An Idempotency-Key is compared in another form; what is left of it stays visible ASCII."""

    def alter(value: bytes) -> bytes:
        text = change(value.decode("latin-1"))
        return text.encode("latin-1") if re.fullmatch("[!-~]{1,255}", text) else value

    return read_header("idempotency-key", alter)


def retried(change: Callable[[FaultyResponse], Any]) -> Alter:
    return respond(lambda request, response: response.values("idempotent-replayed"), change)


def received(response: FaultyResponse) -> None:
    response.status = 200
    response.put("content-type", b"application/json")
    response.put_json({"received": True})


def overlooked(code: str, where: Callable[[FaultyRequest], Any]) -> Alter:
    """A completion that must be rejected is answered 200, without effect."""
    return respond(
        lambda request, response: (
            request.path == WEBHOOK and code_of(response) == code and where(request)
        ),
        received,
    )


def says(text: bytes) -> Callable[[FaultyRequest], bool]:
    return lambda request: text in request.body.replace(b" ", b"")


CLOCK_PATH = "/sandbox/clock"
