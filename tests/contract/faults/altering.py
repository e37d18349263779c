"""What faults have in common: ways to alter a request, a response or a store between the two."""

import copy
import json
from collections.abc import Callable
from typing import Any

from msgspec.structs import replace
from uuid_utils import UUID

from fault_injection import FaultInjector, FaultyRequest, FaultyResponse
from read_once import contracts
from voice_sandbox.calls import call as calls
from voice_sandbox.calls.call import Call, CompletionDecision, Result
from voice_sandbox.calls.provider import provider_call_id
from voice_sandbox.contract.catalogue import read_catalogue
from voice_sandbox.contract.problems import PROBLEMS

CALLS = "/v1/calls"
WEBHOOK = "/v1/webhooks/call-completed"


def first_agent() -> str:
    """The key of the first agent of the catalogue."""
    return read_catalogue(contracts()[0]).agents[0].key


def is_call(request: FaultyRequest) -> bool:
    return request.method == "GET" and request.path.startswith(f"{CALLS}/")


def is_service(request: FaultyRequest) -> bool:
    return request.path.startswith("/v1")


def change_responses(
    injector: FaultInjector,
    where: Callable[[FaultyRequest, FaultyResponse], bool],
    change: Callable[[FaultyResponse], None],
) -> None:
    injector.on_response(
        lambda request, response: change(response) if where(request, response) else None
    )


def change_json(
    injector: FaultInjector,
    where: Callable[[FaultyRequest, FaultyResponse], bool],
    change: Callable[[Any], Any],
) -> None:
    """`change` alters the decoded body in place, or returns another one."""

    def alter(response: FaultyResponse) -> None:
        value = response.json
        if value is not None:
            changed = change(value)
            response.put_json(value if changed is None else changed)

    change_responses(injector, where, alter)


def of_problems(request: FaultyRequest, response: FaultyResponse) -> bool:
    return is_service(request) and response.status >= 400


def of_calls(request: FaultyRequest, response: FaultyResponse) -> bool:
    return is_call(request) and response.status == 200


def of_created(request: FaultyRequest, response: FaultyResponse) -> bool:
    return request.path == CALLS and response.status == 201


def schemas(change: Callable[[dict[str, Any]], None]) -> Callable[[dict[str, Any]], None]:
    return lambda document: change(document["components"]["schemas"])


def plain(status: int, text: str) -> FaultyResponse:
    """A response as a framework gives it when the program inside breaks."""
    return FaultyResponse(
        status, [(b"content-type", b"text/plain"), (b"content-length", b"0")], text.encode()
    )


def is_posted(request: FaultyRequest) -> bool:
    return is_service(request) and request.method == "POST"


def token_of(request: FaultyRequest) -> bytes:
    return b"".join(request.values("authorization"))


def lenient(body: bytes) -> Any:
    """The JSON of a body as a careless decoder reads it, `None` where even that finds none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def put_problem(response: FaultyResponse, code: str) -> None:
    """Make a problem another one, whole: status, code, title and type."""
    problem = PROBLEMS[code]
    response.status = problem.status
    if response.body:
        document = response.json | {"status": problem.status, "code": code}
        document |= {"title": problem.title, "type": problem.type}
        document.pop("errors", None)
        response.put_json(document)


def become(injector: FaultInjector, status: int, code: str) -> None:
    """Answer one status of the service as another problem."""
    change_responses(
        injector,
        lambda request, response: of_problems(request, response) and response.status == status,
        lambda response: put_problem(response, code),
    )


def crash_on(injector: FaultInjector, is_met: Callable[[bytes], bool]) -> None:
    """Break on certain bodies of the service."""

    def alter(request: FaultyRequest) -> FaultyResponse | None:
        if is_posted(request) and is_met(request.body):
            return plain(500, "Internal Server Error")
        return None

    injector.on_request(alter)


def change_body(injector: FaultInjector, change: Callable[[dict[str, Any]], None]) -> None:
    """Let the sandbox read another object than was sent; `change` alters it in place."""

    def alter(body: bytes) -> bytes:
        value = lenient(body)
        if not isinstance(value, dict):
            return body
        before = repr(value)
        change(value)
        return body if repr(value) == before else json.dumps(value).encode()

    decode_first(injector, alter)


def change_reference(injector: FaultInjector, is_met: Callable[[FaultyRequest, str], bool]) -> None:
    """Let a completion be one of the newest call where its reference meets a condition."""
    alias = read_catalogue(contracts()[0]).newest_call_alias

    def alter(request: FaultyRequest) -> None:
        value = lenient(request.body) if request.path == WEBHOOK else None
        if isinstance(value, dict) and is_met(request, str(value.get("provider_call_id"))):
            request.body = json.dumps(value | {"provider_call_id": alias}).encode()
            request.put("content-length", str(len(request.body)).encode())

    injector.on_request(alter)


def remember_calls(injector: FaultInjector, remember: Callable[[bytes, Call], Any]) -> None:
    """Be told of each call that is saved, with its namespace."""

    async def created(original: Any, namespace: bytes, call: Call, **more: Any) -> Any:
        kept = await original(namespace, call, **more)
        if kept is None:
            remember(namespace, call)
        return kept

    injector.store("create_call", created)


def owners_of_calls(injector: FaultInjector) -> dict[str, bytes]:
    """Whose token created a call, by the provider's id of the call."""
    owners: dict[str, bytes] = {}

    def alter(request: FaultyRequest, response: FaultyResponse) -> None:
        if of_created(request, response):
            owners[provider_call_id(UUID(response.json["call_id"]))] = token_of(request)

    injector.on_response(alter)
    return owners


def show_results(injector: FaultInjector, choose: Callable[[Result, Result], Result]) -> set[UUID]:
    """Show of two results of one call the chosen one; fill the set to limit that to its calls."""
    results: dict[UUID, Result] = {}
    only: set[UUID] = set()

    async def saved(
        original: Any, namespace: bytes, call_id: UUID, result: Result, **m: Any
    ) -> Any:
        results[call_id] = choose(results.get(call_id, result), result)
        await original(namespace, call_id, result, **m)
        return True

    async def shown(read: Any, namespace: bytes, call_id: UUID) -> Any:
        found = await read(namespace, call_id)
        if found is None or call_id not in results or (only and call_id not in only):
            return found
        return replace(found, result=results[call_id])

    injector.store("complete_call", saved)
    injector.read_calls(shown)
    return only


def reject_retries(
    injector: FaultInjector, is_other: Callable[[FaultyRequest, FaultyRequest], bool]
) -> None:
    """Answer 409 to a creation whose Idempotency-Key was first sent with another one."""
    firsts: dict[bytes, FaultyRequest] = {}

    def alter(request: FaultyRequest) -> None:
        for key in request.values("idempotency-key"):
            first = firsts.setdefault(token_of(request) + key, copy.copy(request))
            if is_other(first, request):
                request.put("prefer", b"code=409")

    injector.on_request(alter)


def decode_first(injector: FaultInjector, change: Callable[[bytes], bytes]) -> None:
    """Let the sandbox read another body than was sent."""

    def alter(request: FaultyRequest) -> None:
        if is_posted(request) and request.is_whole:
            request.body = change(request.body)
            if request.values("content-length"):
                request.put("content-length", str(len(request.body)).encode())

    injector.on_request(alter)


def judge(
    injector: FaultInjector, change: Callable[[CompletionDecision, str, Result], CompletionDecision]
) -> None:
    original = calls.judge

    def judged(result: Result, *, live_status: str, ended: Result | None) -> CompletionDecision:
        verdict = original(result, live_status=live_status, ended=ended)
        return change(verdict, live_status, result)

    injector.replace(calls, "judge", judged)


def authorize(injector: FaultInjector, change: Callable[[list[bytes]], list[bytes]]) -> None:
    """Let other headers decide who sends a request."""

    def alter(request: FaultyRequest) -> None:
        values = change(request.values("authorization"))
        request.put("authorization", None)
        request.headers += [(b"authorization", value) for value in values]

    injector.on_request(alter)


def complete(injector: FaultInjector, change: Callable[[Result], Result]) -> None:
    """Save another result than was judged."""

    async def saved(
        original: Any, namespace: bytes, call_id: UUID, result: Result, **m: Any
    ) -> Any:
        return await original(namespace, call_id, change(result), **m)

    injector.store("complete_call", saved)
