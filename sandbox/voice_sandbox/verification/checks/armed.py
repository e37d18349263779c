"""Armed faults by kind: what each does to a response, to the call, and to which requests."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

import orjson

from voice_sandbox import clock
from voice_sandbox.contract.faults import (
    AFTER_WORK,
    ANY_OPERATION,
    BEFORE_WORK,
    FAULTS,
    documented_problems,
)
from voice_sandbox.verification.api import JSON, UNKNOWN_CALL_ID, Api
from voice_sandbox.verification.check import Needs, check
from voice_sandbox.verification.finding import (
    CannotTell,
    must,
    must_be,
    must_be_invalid,
    must_be_unknown_call,
    problem_code,
)
from voice_sandbox.verification.guard import CALLS_PATH, WEBHOOK_PATH
from voice_sandbox.verification.http1 import NoResponse, ReceivedResponse, SentRequest

ARMED: Final = "/sandbox/faults"
HELD_SECONDS: Final = 0.2
_PROBLEM: Final = {"kind": "problem", "code": "provider_unavailable"}

Seen = ReceivedResponse | NoResponse


class _Struck(NamedTuple):
    """What a client saw of a request that a fault struck, and how long that took."""

    seen: Seen
    seconds: float


class _Kind(NamedTuple):
    """A fault as it is armed, when it strikes, and what must hold of what a client sees."""

    fault: Mapping[str, Any]
    strikes: str
    holds: Callable[[_Struck], bool]


def _is_internal_error(struck: _Struck) -> bool:
    seen = struck.seen
    return (
        isinstance(seen, ReceivedResponse)
        and (seen.status, problem_code(seen)) == (500, "internal_error")
        and seen.header("content-type") == "application/problem+json"
    )


def _has_no_response(struck: _Struck) -> bool:
    # A gateway in front of the sandbox shows a lost connection as its own 502.
    return isinstance(struck.seen, NoResponse) or (
        struck.seen.status == 502 and problem_code(struck.seen) == ""
    )


def _is_held(struck: _Struck) -> bool:
    return _is_created(struck, "application/json") and struck.seconds >= HELD_SECONDS


def _is_created(struck: _Struck, media_type: str) -> bool:
    seen = struck.seen
    if not isinstance(seen, ReceivedResponse) or seen.status != 201:
        return False
    return seen.header("content-type") == media_type and "call_id" in seen.json()


def _is_empty(struck: _Struck) -> bool:
    seen = struck.seen
    return isinstance(seen, ReceivedResponse) and (seen.status, seen.body) == (200, b"")


def _is_page_of(status: int) -> Callable[[_Struck], bool]:
    def holds(struck: _Struck) -> bool:
        seen = struck.seen
        return (
            isinstance(seen, ReceivedResponse)
            and seen.status == status
            and (seen.header("content-type") or "").startswith("text/html")
            and b"<html>" in seen.body
        )

    return holds


_KINDS: Final = (
    _Kind({"kind": "internal_error"}, BEFORE_WORK, _is_internal_error),
    _Kind({"kind": "internal_error_after_work"}, AFTER_WORK, _is_internal_error),
    _Kind({"kind": "reset"}, BEFORE_WORK, _has_no_response),
    _Kind({"kind": "lost_response"}, AFTER_WORK, _has_no_response),
    _Kind({"kind": "late_response", "seconds": HELD_SECONDS}, AFTER_WORK, _is_held),
    _Kind({"kind": "slow_body", "seconds": HELD_SECONDS}, AFTER_WORK, _is_held),
    _Kind({"kind": "truncated"}, AFTER_WORK, lambda struck: isinstance(struck.seen, NoResponse)),
    _Kind({"kind": "gateway_error", "status": 502}, BEFORE_WORK, _is_page_of(502)),
    _Kind({"kind": "gateway_error", "status": 504}, AFTER_WORK, _is_page_of(504)),
    _Kind(
        {"kind": "wrong_type"},
        AFTER_WORK,
        lambda struck: _is_created(struck, "text/html; charset=utf-8"),
    ),
    _Kind({"kind": "empty"}, AFTER_WORK, _is_empty),
)


@check(Needs.SANDBOX)
def armed_faults_do_what_their_kind_says(api: Api) -> None:
    """Each kind shows the client what its row says, and strikes before the work or after it."""
    untried = set(FAULTS) - {one.fault["kind"] for one in _KINDS} - {"problem"}
    if untried:
        raise CannotTell(f"This check knows no {', '.join(sorted(untried))}.")
    for kind in _KINDS:
        own = api.empty()
        name = " ".join(map(str, kind.fault.values()))
        armed = _arm(own, kind.fault)
        key = ("Idempotency-Key", "armed-fault")
        struck = _send(own, _creation(own, key))
        must(
            kind.holds(struck),
            f"A client that receives {name} must see: {FAULTS[kind.fault['kind']].seen} "
            f"It sees: {_words(struck)}.",
            _response(struck),
        )
        is_done = kind.strikes == AFTER_WORK
        _must_have_rung(own, int(is_done), f"{name} struck {kind.strikes}")
        if not _has_no_response(struck):
            _must_be_marked(own, kind, is_done=is_done, struck=struck)
        _must_have_struck(own, armed["id"], 1, name)
        again = own.send(_creation(own, key))
        must_be(again, 201, when=f"a creation is sent again after {name}")
        must(
            bool(again.values("idempotent-replayed")) == is_done,
            f"A retry after {name} must {'replay the call' if is_done else 'create the call'}.",
            again,
        )
        _must_have_rung(own, 1, f"a retry followed {name}")


@check(Needs.SANDBOX)
def armed_faults_strike_every_operation_they_name(api: Api) -> None:
    """`any` is each operation of the service and none of the sandbox; a name is that one alone."""
    call_id = api.create("never_completes")
    requests = {
        "createCall": _creation(api),
        "getCall": _read(api, f"{CALLS_PATH}/{call_id}"),
        "listAgents": _read(api, "/v1/agents"),
        "callCompleted": _completion(api),
    }
    usual = {name: api.send(sent).status for name, sent in requests.items()}
    fault = {"kind": "internal_error"}
    for operation in (*requests, ANY_OPERATION):
        _arm(api, fault, operation=operation, times="always")
        for name, sent in requests.items():
            expected = 500 if operation in (name, ANY_OPERATION) else usual[name]
            found = _status_of(api, sent)
            must(
                found == expected,
                f"A fault of {operation} is armed, and {name} must return {expected}, "
                f"but it returns {found}.",
                api.last(),
            )
        for path in (ARMED, "/sandbox/clock", "/sandbox/scenarios", "/sandbox/journal"):
            must_be(api.get(path), 200, when=f"a fault of {operation} is armed and {path} is read")
        _disarm(api)


@check(Needs.SANDBOX)
def armed_faults_strike_the_number_they_name(api: Api) -> None:
    """A fault with a number strikes the creations to that number, and no others."""
    for skip in (0, 1):
        own = api.empty()
        armed = _arm(own, _PROBLEM, phone=own.number("busy"), times=2, skip=skip)
        found = [
            (scenario, own.post(CALLS_PATH, own.new_call(scenario)).status)
            for scenario in ("answered", "busy", "no_answer", "busy", "busy", "busy")
        ]
        busy = [status for scenario, status in found if scenario == "busy"]
        others = {status for scenario, status in found if scenario != "busy"}
        expected = [*[201] * skip, 503, 503, *[201] * (2 - skip)][:4]
        must(
            others == {201} and busy == expected,
            f"A fault of one number with skip {skip} must give its calls {expected} and others "
            f"201, but gives {busy} and {sorted(others)}.",
            own.last(),
        )
        _must_have_struck(own, armed["id"], 2, "a fault of one number")


@check(Needs.SANDBOX)
def armed_faults_strike_the_calls_of_their_number(api: Api) -> None:
    """A fault with a number strikes reads and completions of the calls to it, and no others."""
    calls = {scenario: api.create(scenario) for scenario in ("never_completes", "long_talk")}
    references = {name: api.inspect(call_id)["provider_call_id"] for name, call_id in calls.items()}
    nobody = api.completion_of_nothing()
    for operation in ("getCall", "callCompleted"):
        _arm(
            api,
            {"kind": "internal_error"},
            operation=operation,
            times="always",
            phone=api.number("long_talk"),
        )
        for name, usual in (("never_completes", 200), ("long_talk", 500)):
            if operation == "getCall":
                sent = _read(api, f"{CALLS_PATH}/{calls[name]}")
            else:
                body = orjson.dumps(api.completion(provider_call_id=references[name]))
                sent = SentRequest("POST", WEBHOOK_PATH, (_signature(api), JSON), body)
            found = _status_of(api, sent)
            must(
                found == usual,
                f"A fault of {operation} is armed for one number, and {operation} of a call of "
                f"{name} must return {usual}, but it returns {found}.",
                api.last(),
            )
        for unknown in (
            api.get(f"{CALLS_PATH}/{UNKNOWN_CALL_ID}"),
            api.post(WEBHOOK_PATH, nobody),
        ):
            must_be_unknown_call(unknown, when="a fault of one number is armed")
        _disarm(api)


@check(Needs.SANDBOX)
def armed_faults_strike_in_their_order(api: Api) -> None:
    """Of several faults the first that was armed strikes until it is spent, then the next."""
    own = api.empty()
    # None of them is one that a rate limit may give at any time.
    codes = ("storage_unavailable", "provider_unavailable", "storage_unavailable")
    ids = [_arm(own, {"kind": "problem", "code": code}, times=2)["id"] for code in codes]
    expected = [code for code in codes for _ in range(2)]
    found = [problem_code(own.post(CALLS_PATH, own.new_call())) for _ in expected]
    must(found == expected, f"Faults must strike as {expected}, but strike as {found}.", own.last())
    must_be(own.post(CALLS_PATH, own.new_call()), 201, when="every fault is spent")
    listed = [one["id"] for one in own.get(ARMED).json()["faults"]]
    must(listed == ids, "Faults must be listed in the order in which they were armed.", own.last())


@check(Needs.SANDBOX)
def armed_faults_leave_the_provider_alone(api: Api) -> None:
    """A fault of the webhook strikes a completion by hand, and no delivery of the provider."""
    api.stop_clock()
    armed = _arm(api, {"kind": "internal_error"}, operation="callCompleted", times="always")
    call_id = api.create("delivered_twice")
    must_be(api.post("/sandbox/clock", {"until": "idle"}), 200, when="the clock is advanced")
    answered = [one["answered"] for one in api.inspect(call_id)["deliveries"]]
    must(
        answered == [200, 200],
        f"The provider's deliveries must get 200 twice while a fault is armed, but got {answered}.",
        api.last(),
    )
    _must_have_struck(api, armed["id"], 0, "a fault of the webhook that only the provider used")
    _send(api, _completion(api))
    _must_have_struck(api, armed["id"], 1, "a fault of the webhook and a completion by hand")


@check(Needs.SANDBOX)
def problems_of_one_operation_are_not_armed_for_all(api: Api) -> None:
    """A problem can be armed for `any` operation only where every operation documents it."""
    documented = {
        name: set(documented_problems(operation))
        for name, operation in api.target.contract.operations.items()
    }
    everywhere = set.intersection(*documented.values())
    for code in sorted(set.union(*documented.values())):
        fault = {"operation": ANY_OPERATION, "fault": {"kind": "problem", "code": code}}
        response = api.post(ARMED, fault)
        if code in everywhere:
            must_be(response, 201, when=f"{code}, which every operation has, is armed for all")
        else:
            when = f"{code}, which some operation does not have, is armed for all"
            must_be_invalid(response, "/fault/code", when=when)
        _disarm(api)


@check(Needs.SANDBOX)
def broken_responses_cover_nothing(api: Api) -> None:
    """The coverage counts responses that keep the contract, and not those that a fault broke."""
    api.get("/v1/agents")
    broken = ({"kind": "empty"}, {"kind": "wrong_type"}, {"kind": "gateway_error", "status": 502})
    for fault in broken:
        _arm(api, fault, operation="listAgents")
        _send(api, _read(api, "/v1/agents"))

    def counts_one(response: ReceivedResponse) -> bool:
        return [one["exchanges"] for one in response.json()["items"][:1]] == [1]

    covered = api.get_until("/sandbox/coverage?operation=listAgents", counts_one)
    must(
        counts_one(covered),
        "Of one response of listAgents that keeps the contract and three that a fault broke the "
        "coverage must count one.",
        covered,
    )


@check(Needs.SANDBOX)
def rejected_requests_use_up_no_fault(api: Api) -> None:
    """A fault strikes only requests that the contract accepts: others leave it as it was."""
    armed = _arm(api, _PROBLEM, skip=1)
    valid = _creation(api)
    wrong = {
        401: SentRequest("POST", CALLS_PATH, (JSON,), valid.body),
        415: SentRequest("POST", CALLS_PATH, (_signature(api), ("Content-Type", "a/b")), b"{}"),
        400: SentRequest("POST", CALLS_PATH, (_signature(api), JSON), b"{"),
        422: SentRequest("POST", CALLS_PATH, (_signature(api), JSON), b"{}"),
        405: SentRequest("PUT", CALLS_PATH, (_signature(api), JSON), b"{}"),
    }
    for expected in (201, 503, 201):
        for status, sent in wrong.items():
            must_be(api.send(sent), status, when="a request is wrong and a fault is armed")
        response = api.send(valid)
        must(
            response.status == expected,
            f"Between rejected requests a fault with skip 1 must give {expected}, "
            f"but the response is {response.status}.",
            response,
        )
    _must_have_struck(api, armed["id"], 1, "a fault between rejected requests")


def _arm(api: Api, fault: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    response = api.post(ARMED, {"operation": "createCall", "fault": fault, **more})
    must_be(response, 201, when=f"{fault['kind']} is armed")
    armed: dict[str, Any] = response.json()
    given = {name: value for name, value in armed["fault"].items() if value is not None}
    must(given == fault, f"{fault} was armed, but the response says {given}.", response)
    said = {name: armed[name] for name in more}
    must(said == more, f"A fault was armed with {more}, but the response says {said}.", response)
    return armed


def _disarm(api: Api) -> None:
    response = api.send(SentRequest("DELETE", ARMED, (_signature(api),)))
    must_be(response, 204, when="all faults are disarmed")


def _send(api: Api, sent: SentRequest) -> _Struck:
    began = clock.monotonic()
    seen = api.send_unchecked(sent)
    return _Struck(seen, clock.monotonic() - began)


def _status_of(api: Api, sent: SentRequest) -> int:
    """The status of a response, 0 where none came."""
    response = _response(_send(api, sent))
    return 0 if response is None else response.status


def _signature(api: Api) -> tuple[str, str]:
    return ("Authorization", f"Bearer {api.key}")


def _creation(api: Api, *headers: tuple[str, str]) -> SentRequest:
    body = orjson.dumps(api.new_call())
    return SentRequest("POST", CALLS_PATH, (_signature(api), JSON, *headers), body)


def _read(api: Api, path: str) -> SentRequest:
    return SentRequest("GET", path, (_signature(api),))


def _completion(api: Api) -> SentRequest:
    body = orjson.dumps(api.completion())
    return SentRequest("POST", WEBHOOK_PATH, (_signature(api), JSON), body)


def _must_have_rung(api: Api, times: int, when: str) -> None:
    response = api.get("/sandbox/rings")
    found = sum(one["count"] for one in response.json()["rings"])
    must(
        found == times,
        f"After {when}, {times} calls must have rung, but {found} have.",
        response,
    )


def _must_have_struck(api: Api, fault_id: str, times: int, name: str) -> None:
    response = api.get(ARMED)
    struck = {one["id"]: one["struck"] for one in response.json()["faults"]}
    must(
        struck.get(fault_id) == times,
        f"The list must say that {name} has struck {times} times, but says {struck.get(fault_id)}.",
        response,
    )


def _must_be_marked(api: Api, kind: _Kind, *, is_done: bool, struck: _Struck) -> None:
    """The journal says which fault struck, whether the work was done, and what was returned."""
    seen = _response(struck)
    assert seen is not None
    found: list[Any] = []

    def holds(response: ReceivedResponse) -> bool:
        found[:] = [one for one in response.json()["exchanges"] if one["fault"]]
        return bool(found)

    journal = api.get_until("/sandbox/journal?limit=999", holds)
    must(
        [(one["fault"], one["status"]) for one in found] == [(kind.fault["kind"], seen.status)],
        f"The journal must mark one exchange with {kind.fault['kind']} and {seen.status}, "
        f"but marks {[(one['fault'], one['status']) for one in found]}.",
        journal,
    )
    must(
        ("call exists" in (found[0]["why"] or "")) == is_done,
        f"The journal must say of {kind.fault['kind']} whether the call exists, "
        f"but says {found[0]['why']!r}.",
        journal,
    )


def _response(struck: _Struck) -> ReceivedResponse | None:
    return struck.seen if isinstance(struck.seen, ReceivedResponse) else None


def _words(struck: _Struck) -> str:
    return ", ".join(_facts(struck))


def _facts(struck: _Struck) -> Iterator[str]:
    seen = struck.seen
    if isinstance(seen, NoResponse):
        yield str(seen)
    else:
        yield f"{seen.status} {problem_code(seen)}".strip()
        yield f"{len(seen.body)} bytes of {seen.header('content-type')}"
    yield f"{struck.seconds:.2f} seconds"
