"""What faults have in common: ways to alter a request, an answer or a store between the two."""

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


def is_call(ask: FaultyRequest) -> bool:
    return ask.method == "GET" and ask.path.startswith(f"{CALLS}/")


def is_service(ask: FaultyRequest) -> bool:
    return ask.path.startswith("/v1")


def change_answers(
    shop: FaultInjector,
    where: Callable[[FaultyRequest, FaultyResponse], bool],
    change: Callable[[FaultyResponse], None],
) -> None:
    shop.on_answer(lambda ask, reply: change(reply) if where(ask, reply) else None)


def change_json(
    shop: FaultInjector,
    where: Callable[[FaultyRequest, FaultyResponse], bool],
    change: Callable[[Any], Any],
) -> None:
    """`change` alters the decoded body in place, or returns another one."""

    def alter(reply: FaultyResponse) -> None:
        value = reply.json
        if value is not None:
            changed = change(value)
            reply.put_json(value if changed is None else changed)

    change_answers(shop, where, alter)


def of_problems(ask: FaultyRequest, reply: FaultyResponse) -> bool:
    return is_service(ask) and reply.status >= 400


def of_calls(ask: FaultyRequest, reply: FaultyResponse) -> bool:
    return is_call(ask) and reply.status == 200


def of_created(ask: FaultyRequest, reply: FaultyResponse) -> bool:
    return ask.path == CALLS and reply.status == 201


def schemas(change: Callable[[dict[str, Any]], None]) -> Callable[[dict[str, Any]], None]:
    return lambda document: change(document["components"]["schemas"])


def plain(status: int, text: str) -> FaultyResponse:
    """An answer as a framework gives it when the program inside breaks."""
    return FaultyResponse(
        status, [(b"content-type", b"text/plain"), (b"content-length", b"0")], text.encode()
    )


def is_posted(ask: FaultyRequest) -> bool:
    return is_service(ask) and ask.method == "POST"


def token_of(ask: FaultyRequest) -> bytes:
    return b"".join(ask.values("authorization"))


def lenient(body: bytes) -> Any:
    """The JSON of a body as a careless decoder reads it, `None` where even that finds none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def put_problem(reply: FaultyResponse, code: str) -> None:
    """Make a problem another one, whole: status, code, title and type."""
    problem = PROBLEMS[code]
    reply.status = problem.status
    if reply.body:
        document = reply.json | {"status": problem.status, "code": code}
        document |= {"title": problem.title, "type": problem.type}
        document.pop("errors", None)
        reply.put_json(document)


def become(shop: FaultInjector, status: int, code: str) -> None:
    """Answer one status of the service as another problem."""
    change_answers(
        shop,
        lambda ask, reply: of_problems(ask, reply) and reply.status == status,
        lambda reply: put_problem(reply, code),
    )


def crash_on(shop: FaultInjector, is_met: Callable[[bytes], bool]) -> None:
    """Break on certain bodies of the service."""

    def alter(ask: FaultyRequest) -> FaultyResponse | None:
        if is_posted(ask) and is_met(ask.body):
            return plain(500, "Internal Server Error")
        return None

    shop.on_request(alter)


def change_body(shop: FaultInjector, change: Callable[[dict[str, Any]], None]) -> None:
    """Let the sandbox read another object than was sent; `change` alters it in place."""

    def alter(body: bytes) -> bytes:
        value = lenient(body)
        if not isinstance(value, dict):
            return body
        before = repr(value)
        change(value)
        return body if repr(value) == before else json.dumps(value).encode()

    decode_first(shop, alter)


def change_reference(shop: FaultInjector, is_met: Callable[[FaultyRequest, str], bool]) -> None:
    """Let a completion be one of the newest call where its reference meets a condition."""
    alias = read_catalogue(contracts()[0]).newest_call_alias

    def alter(ask: FaultyRequest) -> None:
        value = lenient(ask.body) if ask.path == WEBHOOK else None
        if isinstance(value, dict) and is_met(ask, str(value.get("provider_call_id"))):
            ask.body = json.dumps(value | {"provider_call_id": alias}).encode()
            ask.put("content-length", str(len(ask.body)).encode())

    shop.on_request(alter)


def remember_calls(shop: FaultInjector, remember: Callable[[bytes, Call], Any]) -> None:
    """Be told of each call that is saved, with its namespace."""

    async def created(original: Any, namespace: bytes, call: Call, **more: Any) -> Any:
        kept = await original(namespace, call, **more)
        if kept is None:
            remember(namespace, call)
        return kept

    shop.store("create_call", created)


def owners_of_calls(shop: FaultInjector) -> dict[str, bytes]:
    """Whose token created a call, by the provider's id of the call."""
    owners: dict[str, bytes] = {}

    def alter(ask: FaultyRequest, reply: FaultyResponse) -> None:
        if of_created(ask, reply):
            owners[provider_call_id(UUID(reply.json["call_id"]))] = token_of(ask)

    shop.on_answer(alter)
    return owners


def show_results(shop: FaultInjector, choose: Callable[[Result, Result], Result]) -> set[UUID]:
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

    shop.store("complete_call", saved)
    shop.read_calls(shown)
    return only


def refuse_retries(
    shop: FaultInjector, is_other: Callable[[FaultyRequest, FaultyRequest], bool]
) -> None:
    """Answer 409 to a creation whose Idempotency-Key was first sent with another one."""
    firsts: dict[bytes, FaultyRequest] = {}

    def alter(ask: FaultyRequest) -> None:
        for key in ask.values("idempotency-key"):
            first = firsts.setdefault(token_of(ask) + key, copy.copy(ask))
            if is_other(first, ask):
                ask.put("prefer", b"code=409")

    shop.on_request(alter)


def decode_first(shop: FaultInjector, change: Callable[[bytes], bytes]) -> None:
    """Let the sandbox read another body than was sent."""

    def alter(ask: FaultyRequest) -> None:
        if is_posted(ask) and ask.is_whole:
            ask.body = change(ask.body)
            if ask.values("content-length"):
                ask.put("content-length", str(len(ask.body)).encode())

    shop.on_request(alter)


def judge(
    shop: FaultInjector, change: Callable[[CompletionDecision, str, Result], CompletionDecision]
) -> None:
    original = calls.judge

    def judged(result: Result, *, live_status: str, ended: Result | None) -> CompletionDecision:
        verdict = original(result, live_status=live_status, ended=ended)
        return change(verdict, live_status, result)

    shop.replace(calls, "judge", judged)


def authorize(shop: FaultInjector, change: Callable[[list[bytes]], list[bytes]]) -> None:
    """Let other headers decide who sends a request."""

    def alter(ask: FaultyRequest) -> None:
        values = change(ask.values("authorization"))
        ask.put("authorization", None)
        ask.headers += [(b"authorization", value) for value in values]

    shop.on_request(alter)


def complete(shop: FaultInjector, change: Callable[[Result], Result]) -> None:
    """Save another result than was judged."""

    async def saved(
        original: Any, namespace: bytes, call_id: UUID, result: Result, **m: Any
    ) -> Any:
        return await original(namespace, call_id, change(result), **m)

    shop.store("complete_call", saved)
