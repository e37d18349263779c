"""`Idempotency-Key` as a relation: what is one request, what are two, and for how long."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from voice_sandbox.clock import DAY_SECONDS
from voice_sandbox.contract.problems import PROBLEMS
from voice_sandbox.contract.validation import Validator
from voice_sandbox.verification.api import JSON, Api
from voice_sandbox.verification.boundary_values import variants
from voice_sandbox.verification.check import Needs, check
from voice_sandbox.verification.finding import must, must_be
from voice_sandbox.verification.guard import CALLS_PATH
from voice_sandbox.verification.http1 import ReceivedResponse, SentRequest
from voice_sandbox.verification.requests import as_json

_PRINTABLE: Final = tuple(chr(point) for point in range(ord("!"), ord("~") + 1))
KEYS: Final = (
    *_PRINTABLE,
    *(f"a{one}b" for one in _PRINTABLE if not one.isalnum()),
    *(
        "ab",
        "aB",
        "Ab",
        "AB",
        "a-b-",
        "-a-b",
        "a--b",
        "ab=",
        "ab==",
        "YWI=",
        "YWJ",
        "%61b",
        "a%2Bb",
    ),
    *(
        "01",
        "1.0",
        "+1",
        "1e0",
        "0x1",
        "001",
        "-0",
        "00",
        "0.0",
        "null",
        "None",
        "true",
        "NaN",
        '"ab"',
    ),
    *(
        "'ab'",
        "ab,ab",
        "ab;q=1",
        "ab;",
        "ab,",
        ",ab",
        "\\ab",
        "ab\\n",
        "../ab",
        "ab/",
        "/ab",
        "ab?",
        "ab#",
    ),
    *("a" * 31, "a" * 32, "a" * 33, "a" * 63, "a" * 64, "a" * 65, "a" * 127, "a" * 128, "a" * 129),
    *("a" * 254, "a" * 255, "b" + "a" * 254, "a" * 254 + "b", "a" * 127 + "b" + "a" * 127),
    *("8e03978e-40d5-43e8-bc93-6894a57f9324", "8E03978E-40D5-43E8-BC93-6894A57F9324"),
    "8e03978e40d543e8bc936894a57f9324",
)
"""Keys that are told apart by a program that compares them letter by letter, to the end."""


@check(Needs.SANDBOX)
def any_two_idempotency_keys_are_two(api: Api) -> None:
    """Different keys create different calls, and each replays its own, whatever they look like."""
    made: dict[str, str] = {}
    for key in api.some(KEYS):
        call_id = api.create("never_completes", ("Idempotency-Key", key))
        if call_id in made.values():
            other = next(name for name, one in made.items() if one == call_id)
            must(False, f"The keys {key[:40]} and {other[:40]} were taken for one.", api.last())
        made[key] = call_id
    for key, call_id in made.items():
        again = api.create("never_completes", ("Idempotency-Key", key))
        must(again == call_id, f"A retry with the key {key[:40]} made another call.", api.last())


@check(Needs.SANDBOX)
def any_writing_of_a_body_is_replayed(api: Api) -> None:
    """A retry writes its JSON as it likes: status, headers and body are those of the first."""
    call = api.new_call("never_completes")
    for number, body in enumerate(_writings(call)):
        key = ("Idempotency-Key", f"writing-{number}")
        first = api.post(CALLS_PATH, call, key)
        must_be(first, 201, when="a call is created with an Idempotency-Key")
        again = api.post_bytes(CALLS_PATH, body, JSON, key)
        _must_replay(first, again, when=f"a retry writes its body {body[:60].decode()!a}")


@check(Needs.SANDBOX)
def any_other_value_is_a_conflict(api: Api) -> None:
    """The same key with another valid value in any field is 409, and the first call stands."""
    contract = api.target.contract
    body = contract.operations["createCall"].body
    assert body is not None
    call = api.new_call("never_completes")
    key = ("Idempotency-Key", "in-every-field")
    first = api.post(CALLS_PATH, call, key)
    must_be(first, 201, when="a call is created with an Idempotency-Key")
    validator = Validator(contract, body.schema)
    agents = [agent.key for agent in api.target.catalogue.agents]
    others = [{**call, "agent": agent} for agent in agents]
    others += [{**call, "phone": api.number(name)} for name in ("busy", "rate_limited")]
    others += [
        {**call, "phone": call["phone"][:at] + digit + call["phone"][at + 1 :]}
        for at in range(len(call["phone"]))
        for digit in "0159"
    ]
    others += [value for _, value in variants(contract, body.schema, call)]
    for other in api.some(others):
        headers = (("Authorization", f"Bearer {api.key}"), JSON, key)
        sent = SentRequest("POST", CALLS_PATH, headers, as_json(other))
        if other == call or not validator.is_valid(other) or other["agent"] not in agents:
            continue
        if api.target.guard.allows(sent):
            when = f"a retry says {json.dumps(other)[:80]}"
            must_be(api.send(sent), 409, "idempotency_conflict", when=when)
    _must_replay(first, api.post(CALLS_PATH, call, key), when="a retry comes after conflicts")


@check(Needs.SANDBOX)
def key_outlives_the_call_and_not_the_day(api: Api) -> None:
    """A key replays after its call has ended and until a day has passed, to the second."""
    key, call = ("Idempotency-Key", "to-the-second"), api.new_call("answered")
    before = api.now()
    first = api.post(CALLS_PATH, call, key)
    must_be(first, 201, when="a call is created with an Idempotency-Key")
    after = api.now()
    for left in (DAY_SECONDS - 30, 3600, 60, 2, 1, -1):
        now = api.now()
        api.advance(max(0, round(before + DAY_SECONDS - left - now)))
        began = api.now()
        again = api.post(CALLS_PATH, call, key)
        ended = api.now()
        if ended < before + DAY_SECONDS:
            _must_replay(first, again, when=f"a retry comes {left} seconds before a day has passed")
        elif began >= after + DAY_SECONDS:
            must_be(again, 201, when="an Idempotency-Key is sent after a day")
            must(
                again.body != first.body and not again.values("idempotent-replayed"),
                "After a day an Idempotency-Key must be free, but the first response is replayed.",
                again,
            )


@check(Needs.SANDBOX)
def kept_key_comes_before_the_number(api: Api) -> None:
    """A retry is replayed and a conflict is 409, also where a new call would be rejected."""
    for scenario in ("rate_limited", "provider_unavailable"):
        key = ("Idempotency-Key", f"before-{scenario}")
        rejected = api.post(CALLS_PATH, api.new_call(scenario), key)
        must(rejected.status in (429, 503), "The number must reject a call.", rejected)
        first = api.post(CALLS_PATH, api.new_call(), key)
        must_be(first, 201, when="a key was used only by a creation that was rejected")
        must(
            not first.values("idempotent-replayed"),
            "A creation that was rejected was kept under its Idempotency-Key.",
            first,
        )
        conflict = api.post(CALLS_PATH, api.new_call(scenario), key)
        when = "a kept key comes with a number that rejects"
        must_be(conflict, 409, "idempotency_conflict", when=when)


@check(Needs.SANDBOX)
def conflicts_use_up_no_rejection(api: Api) -> None:
    """A number that works after some rejections counts new calls alone, and no conflict."""
    for scenario in api.target.rejecting:
        if scenario.rejection is None or scenario.rejection.times is None:
            continue
        key = ("Idempotency-Key", f"of-another-call-than-{scenario.name}")
        api.create("answered", key)
        call = api.new_call(scenario.name)
        for left in reversed(range(scenario.rejection.times + 1)):
            conflict = api.post(CALLS_PATH, call, key)
            when = "the key of another call comes with a number that rejects for a while"
            must_be(conflict, 409, "idempotency_conflict", when=when)
            created = api.post(CALLS_PATH, call)
            if left:
                when = f"{left} rejections of {scenario.name} are left"
                code = scenario.rejection.code
                must_be(created, PROBLEMS[code].status, code, when=when)
            else:
                must_be(created, 201, when=f"no rejection of {scenario.name} is left")


@check(Needs.SANDBOX)
def different_bodies_at_once_leave_one_call(api: Api) -> None:
    """Of different bodies under one key at the same moment one creates, the others are 409."""
    numbers = [api.number(name) for name in ("answered", "busy", "no_answer", "long_talk")]
    headers = (
        ("Authorization", f"Bearer {api.key}"),
        JSON,
        ("Idempotency-Key", "different-at-once"),
    )
    bodies = [as_json({**api.new_call(), "phone": number}) for number in numbers] * 3
    responses = api.send_at_once(
        [SentRequest("POST", CALLS_PATH, headers, body) for body in bodies]
    )
    created = {response.body for response in responses if response.status == 201}
    winners = {response.sent.body for response in responses if response.status == 201}
    must(
        len(created) == 1 and len(winners) == 1,
        f"Different bodies under one key created {len(created)} calls at once, not one.",
        responses[0],
    )
    for response in responses:
        if response.status != 201:
            must_be(response, 409, "idempotency_conflict", when="another body came first")
    firsts = [
        one for one in responses if one.status == 201 and not one.values("idempotent-replayed")
    ]
    must(len(firsts) == 1, "One response of those at once must be no replay.", responses[0])


def _must_replay(first: ReceivedResponse, again: ReceivedResponse, *, when: str) -> None:
    must_be(again, 201, when=when)
    for name in ("location", "content-type", "cache-control"):
        must(
            again.values(name) == first.values(name),
            f"When {when}, the {name} must be that of the first response, "
            f"but it is {again.values(name)}.",
            again,
        )
    must(again.body == first.body, f"When {when}, the first response must be replayed.", again)
    must(
        again.values("idempotent-replayed") == ["true"],
        f"When {when}, the response must say Idempotent-Replayed: true.",
        again,
    )


def _writings(call: dict[str, Any]) -> Iterator[bytes]:
    """One body in all the ways in which JSON can write it."""
    turned = dict(reversed(call.items()))
    yield json.dumps(turned).encode()
    yield json.dumps(call, indent=2).encode()
    yield json.dumps(call, indent="\t").replace("\n", "\r\n").encode()
    yield json.dumps(call, separators=(",", ":")).encode()
    yield b" \n" + json.dumps(call).encode() + b"\r\n\t "
    yield (json.dumps(call) + " " * 5000).encode()
    for value in (call, turned):
        yield json.dumps(value).replace("+", "\\u002b").encode()
        yield json.dumps(value).replace("+", "\\u002B").encode()
    for name, text in call.items():
        escaped = "".join(f"\\u{ord(one):04x}" for one in text)
        yield json.dumps(call).replace(json.dumps(text), f'"{escaped}"').encode()
        member = "".join(f"\\u{ord(one):04X}" for one in name)
        yield json.dumps(call).replace(json.dumps(name), f'"{member}"').encode()
