"""What a client orders of a sandbox: preferred responses, armed faults, a count of rings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from voice_sandbox import clock
from voice_sandbox.contract.model import DocumentedResponse
from voice_sandbox.verification.api import Api
from voice_sandbox.verification.check import Needs, check
from voice_sandbox.verification.finding import must, must_be, problem_code
from voice_sandbox.verification.guard import CALLS_PATH
from voice_sandbox.verification.http1 import ReceivedResponse, SentRequest
from voice_sandbox.verification.requests import operations, request_of

FAULTS: Final = "/sandbox/faults"
DELAY_MILLISECONDS: Final = 60
NAMED_RINGS: Final = 100
"""Calls that are named for each number, as the contract says of `countRings`."""
IGNORED: Final = (
    *(
        "code=418",
        "code=999",
        "code=",
        "code",
        "code=abc",
        "code=-1",
        "example=nothing",
        "code=0429",
    ),
    *("delay=abc", "delay=-1", "delay=", "delay=1.5", "delay=1e2", "wait=1", "code:503", "foo=503"),
)


@check(Needs.SANDBOX)
def every_documented_response_can_be_preferred(api: Api) -> None:
    """`Prefer` gives each documented problem and example of each operation, whole."""
    for _, operation in operations(api):
        for documented in operation.responses.values():
            if documented.media_type == "text/event-stream" or not operation.authenticated:
                continue
            for prefer, expected in api.some(_preferences(documented)):
                sent = request_of(api, operation, ("Prefer", prefer))
                response = api.send(sent)
                _must_be_preferred(operation.operation_id, documented, prefer, expected, response)


@check(Needs.SANDBOX)
def preferences_are_read_as_rfc_7240_says(api: Api) -> None:
    """Case, blanks, quotes and several headers change no preference; the first of two counts."""
    for headers, status in (
        ((("Prefer", "CODE=503"),), 503),
        ((("Prefer", " code = 503 "),), 503),
        ((("Prefer", 'code="503"'),), 503),
        ((("Prefer", "foo, code=503, bar=1"),), 503),
        ((("Prefer", "code=503; x=1"),), 503),
        ((("Prefer", "foo"), ("Prefer", "code=503")), 503),
        ((("Prefer", "code=503, code=429"),), 503),
        ((("Prefer", "code=503"), ("Prefer", "code=429")), 503),
        ((("prefer", "code=503"),), 503),
    ):
        response = api.get("/v1/agents", *headers)
        must_be(response, status, when=f"{headers} asks for {status}")
    examples = api.target.contract.operations["listAgents"].success.examples
    for ignored in (*IGNORED, *(f"code={name}" for name in examples)):
        response = api.get("/v1/agents", ("Prefer", ignored))
        must_be(response, 200, when=f"Prefer: {ignored} says nothing that is known")
        must(
            not response.values("preference-applied"),
            f"Prefer: {ignored} cannot be applied, but the response says that it was.",
            response,
        )


@check(Needs.SANDBOX)
def preferred_delay_is_kept(api: Api) -> None:
    """`Prefer: delay=…` takes as many milliseconds, says so, and changes nothing else."""
    for headers in (
        (("Prefer", f"delay={DELAY_MILLISECONDS}"),),
        (("Prefer", f"delay={DELAY_MILLISECONDS}, code=503"),),
    ):
        began = clock.monotonic()
        response = api.get("/v1/agents", *headers)
        took = clock.monotonic() - began
        must_be(response, 503 if "code" in headers[0][1] else 200, when=f"{headers} is sent")
        must(
            took >= DELAY_MILLISECONDS / 1000,
            f"A response under {headers[0][1]} came after {took * 1000:.0f} milliseconds.",
            response,
        )
        must(
            f"delay={DELAY_MILLISECONDS}" in (response.header("preference-applied") or ""),
            "A delay that was kept must stand in Preference-Applied.",
            response,
        )


@check(Needs.SANDBOX)
def rings_count_the_calls_that_were_created(api: Api) -> None:
    """Each call rings once; a replay, a conflict and a rejection ring nobody."""
    expected: dict[str, list[tuple[str, str]]] = {}
    key = ("Idempotency-Key", "rings-once")

    def creates(scenario: str, *headers: tuple[str, str]) -> None:
        response = api.post(CALLS_PATH, api.new_call(scenario), *headers)
        must_be(response, 201, when="a call is created")
        if not response.values("idempotent-replayed"):
            ring = response.json()["call_id"], response.values("x-request-id")[0]
            expected.setdefault(api.number(scenario), []).append(ring)

    creates("busy", key)
    creates("busy", key)
    for scenario in ("answered", "busy", "answered", "no_answer"):
        creates(scenario)
    api.post(CALLS_PATH, api.new_call("answered"), key)
    api.post(CALLS_PATH, {**api.new_call(), "agent": 1})
    api.post(CALLS_PATH, api.new_call("rate_limited"))
    api.post(CALLS_PATH, api.new_call(), ("Prefer", "code=503"))
    response = api.get("/sandbox/rings")
    must_be(response, 200, when="the rings are counted")
    found = {one["phone"]: _pairs(one) for one in response.json()["rings"]}
    must(
        found == expected,
        f"{sum(map(len, expected.values()))} calls rang, but {sum(map(len, found.values()))} are "
        "listed, or under other numbers, calls or requests.",
        response,
    )
    for one in response.json()["rings"]:
        must(one["count"] == len(one["call_ids"]), "A count differs from its calls.", response)
        only = api.get(f"/sandbox/rings?phone=%2B{one['phone'][1:]}")
        must(only.json()["rings"] == [one], "The rings of one number differ from the whole.", only)
    never = api.get(f"/sandbox/rings?phone=%2B{api.number('canceled')[1:]}")
    must_be(never, 200, when="the rings of a number that was never dialled are counted")
    must(
        [one["count"] for one in never.json()["rings"]] == [0],
        "A number that was never dialled must be listed with no ring.",
        never,
    )


@check(Needs.SANDBOX)
def rings_are_counted_beyond_those_that_are_named(api: Api) -> None:
    """Every call of a number is counted, and the newest of them are named, the newest last."""
    calls = [api.create("never_completes") for _ in range(NAMED_RINGS + 2)]
    response = api.get("/sandbox/rings")
    must_be(response, 200, when="the rings are counted")
    [ring] = response.json()["rings"]
    must(
        ring["count"] == len(calls) and ring["call_ids"] == calls[-NAMED_RINGS:],
        f"{len(calls)} calls rang one number: it must count them all and name the last "
        f"{NAMED_RINGS}, but it counts {ring['count']} and names {len(ring['call_ids'])}.",
        response,
    )


@check(Needs.SANDBOX)
def armed_problems_strike_as_often_as_armed(api: Api) -> None:
    """An armed problem passes as many requests, strikes as often, and is listed as it is."""
    for times, skip in ((1, 0), (2, 0), (1, 2), (3, 1), ("always", 0)):
        own = api.empty()
        fault = {"kind": "problem", "code": "provider_unavailable", "retry_after": 7}
        armed = own.post(
            FAULTS, {"operation": "createCall", "fault": fault, "times": times, "skip": skip}
        )
        must_be(armed, 201, when="a fault is armed")
        must(
            (armed.json()["times"], armed.json()["skip"]) == (times, skip),
            f"A fault was armed with times {times} and skip {skip}, but the response has others.",
            armed,
        )
        number = 3 if times == "always" else int(str(times))
        expected = [201] * skip + [503] * number + [201] * (times != "always")
        found = []
        for _ in expected:
            response = own.post(CALLS_PATH, own.new_call())
            found.append(response.status)
            if response.status == 503:
                must(
                    response.values("retry-after") == ["7"]
                    and problem_code(response) == "provider_unavailable",
                    "An armed problem must be the one that was armed, with its Retry-After.",
                    response,
                )
        must(
            found == expected,
            f"A fault with times {times} and skip {skip} must give {expected}, but gave {found}.",
            response,
        )
        must_be(own.get("/v1/agents"), 200, when="a fault of another operation is armed")
        listed = own.get(FAULTS)
        must(
            listed.json()["faults"] == [{**armed.json(), "struck": number}],
            f"A fault that struck {number} times must be listed as it was armed.",
            listed,
        )


@check(Needs.SANDBOX)
def armed_faults_are_disarmed(api: Api) -> None:
    """A fault that is disarmed strikes no more, alone or with all others, and others stay."""
    api.waits = False
    path = "/v1/agents"
    fault = {"operation": "listAgents", "fault": {"kind": "problem", "code": "rate_limited"}}
    ids = []
    for _ in range(3):
        armed = api.post(FAULTS, {**fault, "times": "always"})
        must_be(armed, 201, when="a fault is armed")
        ids.append(armed.json()["id"])
    must_be(_delete(api, f"{FAULTS}/{ids[1]}"), 204, when="a fault is disarmed")
    listed = [one["id"] for one in api.get(FAULTS).json()["faults"]]
    must(listed == [ids[0], ids[2]], "Disarming a fault must leave the others.", api.last())
    again = _delete(api, f"{FAULTS}/{ids[1]}")
    must_be(again, 404, "fault_not_found", when="a fault is disarmed twice")
    other = api.another_key()
    must_be(_delete(other, f"{FAULTS}/{ids[0]}"), 404, when="a fault of another key is disarmed")
    must_be(api.get(path), 429, "rate_limited", when="a fault is armed")
    must_be(_delete(api, FAULTS), 204, when="all faults are disarmed")
    must_be(api.get(path), 200, when="all faults were disarmed")
    must(api.get(FAULTS).json()["faults"] == [], "A disarmed fault is still listed.", api.last())


def _delete(api: Api, path: str) -> ReceivedResponse:
    return api.send(SentRequest("DELETE", path, (("Authorization", f"Bearer {api.key}"),)))


def _pairs(ring: Any) -> list[tuple[str, str]]:
    return list(zip(ring["call_ids"], ring["request_ids"], strict=True))


def _preferences(documented: DocumentedResponse) -> Iterator[tuple[str, Any]]:
    """What asks for a documented response, and the body that it must have."""
    first = next(iter(documented.examples.values()), None)
    if documented.status >= 300 or first is not None:
        yield f"code={documented.status}", None if first is None else first.value
    for name, example in documented.examples.items():
        yield f"code={documented.status}, example={name}", example.value
        if documented.status >= 400:
            yield f"code={name}", example.value


def _must_be_preferred(
    name: str,
    documented: DocumentedResponse,
    prefer: str,
    expected: Any,
    response: ReceivedResponse,
) -> None:
    when = f"{name} is sent with Prefer: {prefer}"
    must_be(response, documented.status, when=when)
    must(
        response.values("preference-applied") == [prefer],
        f"When {when}, Preference-Applied must be {prefer}, "
        f"but it is {response.values('preference-applied')}.",
        response,
    )
    if expected is None:
        return
    found = response.json()
    if isinstance(expected, dict) and "request_id" in expected:
        expected = {**expected, "request_id": found["request_id"]}
    must(found == expected, f"When {when}, the body must be the documented example.", response)
