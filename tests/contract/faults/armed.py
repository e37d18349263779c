"""Faults of what a key can arm, written after the checks that try each kind."""

import json
from collections.abc import Callable
from typing import Any

from fault_injection import FaultInjector, FaultyRequest, FaultyResponse
from faults.altering import CALLS
from faults.rows import Alter, as_fault, read_body, shown
from voice_sandbox.http import armed_faults as http_faults
from voice_sandbox.http.armed_faults import Fault
from voice_sandbox.simulation.faults import ArmedFaults

_ARMED, _RINGS, _JOURNAL = "/sandbox/faults", "/sandbox/rings", "/sandbox/journal"


def arms(change: Callable[[dict[str, Any]], Any]) -> Alter:
    """What is armed is another fault than was asked for."""
    return read_body(lambda value: change(value) if "fault" in value else None)


def works(kind: str, *, before: bool, status: int | None = None) -> Alter:
    """A kind strikes before the work, or after it, where it must be the other way."""

    def make(original: Any) -> Any:
        def is_before_work(fault: Fault) -> bool:
            is_met = fault.kind == kind and status in (None, fault.status)
            return before if is_met else bool(original.fget(fault))

        return property(is_before_work)

    return lambda injector: injector.wrap(Fault, "is_before_work", make)


def struck(kind: str, change: Callable[[FaultyResponse], Any]) -> Alter:
    """A response that a kind of fault has struck is another one."""
    armed: dict[bytes, str] = {}

    def note(request: FaultyRequest) -> None:
        token = b"".join(request.values("authorization"))
        if request.path == _ARMED and request.method == "POST":
            armed[token] = json.loads(request.body)["fault"]["kind"]

    def alter(request: FaultyRequest, response: FaultyResponse) -> None:
        token = b"".join(request.values("authorization"))
        if request.path == CALLS and armed.get(token) == kind:
            del armed[token]
            change(response)

    def both(injector: FaultInjector) -> None:
        injector.on_request(note)
        injector.on_response(alter)

    return both


def whole(response: FaultyResponse) -> None:
    """The connection does not end."""
    response.ending = ""
    if response.status == 0:
        response.status, response.body = 200, b""
        response.headers = [(b"content-length", b"0")]


def strikes(choose: Callable[..., Any]) -> Alter:
    """Another fault strikes, or none, as `choose` says with the arguments of the original."""

    def make(original: Any) -> Any:
        async def strike(self: Any, namespace: bytes, operation: Any, phone: str | None) -> Any:
            return await choose(original, self, namespace, operation, phone)

        return strike

    return lambda injector: injector.wrap(ArmedFaults, "strike", make)


async def _never(*_: Any) -> None:
    return None


async def _for_any_number(
    original: Any, self: Any, namespace: bytes, operation: Any, phone: Any
) -> Any:
    faults = await self._store.faults(namespace)
    numbers = [each.phone for each in faults if each.phone is not None]
    return await original(self, namespace, operation, numbers[0] if numbers else phone)


def not_for(name: str) -> Alter:
    async def choose(original: Any, self: Any, namespace: bytes, operation: Any, phone: Any) -> Any:
        if operation.operation_id == name:
            return None
        return await original(self, namespace, operation, phone)

    return strikes(choose)


def _strike_wrong_requests(injector: FaultInjector) -> None:
    """A request that the contract rejects counts as one that a fault may strike."""

    def alter(request: FaultyRequest, response: FaultyResponse) -> None:
        if request.path == CALLS and response.status == 422:
            spent.add(b"".join(request.values("authorization")))

    def strike(request: FaultyRequest, response: FaultyResponse) -> None:
        token = b"".join(request.values("authorization"))
        if request.path == CALLS and response.status == 503 and token in spent:
            spent.discard(token)
            response.status = 201
            response.put("content-type", b"application/json")
            response.put_json({"call_id": "01890a5d-ac96-774b-bcce-b302099a8057"})

    spent: set[bytes] = set()
    injector.on_response(alter)
    injector.on_response(strike)


_KIND = "armed_faults_do_what_their_kind_says"
ROWS = [
    as_fault("on request", _KIND, name, sentence, alter)
    for name, sentence, alter in (
        (
            "internal_error_leaves_a_call",
            "An armed internal_error strikes after the work.",
            works("internal_error", before=False),
        ),
        (
            "internal_error_after_work_does_none",
            "An armed internal_error_after_work strikes before the work.",
            works("internal_error_after_work", before=True),
        ),
        (
            "reset_leaves_a_call",
            "An armed reset strikes after the work.",
            works("reset", before=False),
        ),
        (
            "lost_response_creates_no_call",
            "An armed lost_response strikes before the work.",
            works("lost_response", before=True),
        ),
        (
            "truncated_creates_no_call",
            "An armed truncated strikes before the work.",
            works("truncated", before=True),
        ),
        (
            "timeout_of_a_gateway_creates_no_call",
            "An armed 504 of a gateway strikes before the work.",
            works("gateway_error", before=True, status=504),
        ),
        (
            "bad_gateway_leaves_a_call",
            "An armed 502 of a gateway strikes after the work.",
            works("gateway_error", before=False, status=502),
        ),
        (
            "lost_response_arrives",
            "An armed lost_response ends with an empty response.",
            struck("lost_response", whole),
        ),
        (
            "truncated_says_its_length",
            "An armed truncated says how many bytes come.",
            struck("truncated", whole),
        ),
        (
            "late_response_is_early",
            "An armed late_response does not wait.",
            arms(lambda v: v["fault"].update(seconds=0.001) if "seconds" in v["fault"] else None),
        ),
        (
            "gateway_returns_a_problem",
            "An armed gateway_error is a problem document.",
            struck("gateway_error", lambda r: r.put("content-type", b"application/problem+json")),
        ),
        (
            "wrong_type_is_right",
            "An armed wrong_type says application/json.",
            struck("wrong_type", lambda r: r.put("content-type", b"application/json")),
        ),
        (
            "empty_has_a_body",
            "An armed empty sends a body.",
            struck("empty", lambda r: r.put_json({})),
        ),
        (
            "struck_exchange_is_not_marked",
            "The journal does not say which fault struck.",
            shown(_JOURNAL, lambda v: [one.update(fault=None) for one in v["exchanges"]] and None),
        ),
        (
            "struck_exchange_says_no_call",
            "The journal does not say that the call exists.",
            lambda injector: injector.replace(
                http_faults, "_why", lambda fault, outcome: "An armed fault struck."
            ),
        ),
        (
            "struck_faults_count_nothing",
            "The list says of each fault that it has not struck.",
            shown(_ARMED, lambda v: [one.update(struck=0) for one in v["faults"]] and None),
        ),
    )
]
ROWS += [
    as_fault("on request", caught_by, name, sentence, alter)
    for caught_by, name, sentence, alter in (
        (
            "armed_faults_strike_every_operation_they_name",
            "any_leaves_reads_alone",
            "A fault of any operation strikes no getCall.",
            not_for("getCall"),
        ),
        (
            "armed_faults_strike_every_operation_they_name",
            "any_leaves_completions_alone",
            "A fault of any operation strikes no callCompleted.",
            not_for("callCompleted"),
        ),
        (
            "armed_faults_strike_every_operation_they_name",
            "any_leaves_the_list_alone",
            "A fault of any operation strikes no listAgents.",
            not_for("listAgents"),
        ),
        (
            "armed_faults_strike_every_operation_they_name",
            "name_of_an_operation_is_any",
            "A fault of one operation strikes them all.",
            arms(lambda v: v.update(operation="any") if v["operation"] == "listAgents" else None),
        ),
        (
            "armed_faults_strike_the_number_they_name",
            "number_of_a_fault_is_forgotten",
            "A fault of one number strikes calls to every number.",
            strikes(_for_any_number),
        ),
        (
            "armed_faults_strike_the_number_they_name",
            "skip_is_forgotten_with_a_number",
            "A fault of one number skips nothing.",
            arms(lambda v: v.update(skip=0) if "phone" in v else None),
        ),
        (
            "armed_faults_strike_in_their_order",
            "newest_fault_strikes_first",
            "Of several faults the one that was armed last strikes first.",
            arms(
                lambda v: (
                    v.update(skip=2)
                    if v["fault"].get("code") == "storage_unavailable"
                    else v.update(skip=0)
                )
            ),
        ),
        (
            "armed_faults_strike_in_their_order",
            "list_of_faults_is_turned_round",
            "The list begins with the fault that was armed last.",
            shown(_ARMED, lambda v: v["faults"].reverse()),
        ),
        (
            "rejected_requests_use_up_no_fault",
            "rejected_request_uses_up_a_fault",
            "A fault that meets a rejected request does not strike the next one.",
            _strike_wrong_requests,
        ),
        (
            "rejected_requests_use_up_no_fault",
            "fault_skips_once_more",
            "A fault passes one request more than it was told.",
            arms(lambda v: v.update(skip=v["skip"] + 1) if v.get("skip") == 1 else None),
        ),
    )
]
