"""Creating calls: what is taken, what is rejected, and that a retry rings no second phone."""

from __future__ import annotations

from typing import Any

from voice_sandbox import clock
from voice_sandbox.clock import DAY_SECONDS
from voice_sandbox.verification.api import JSON, Api, is_uuid
from voice_sandbox.verification.check import Needs, check
from voice_sandbox.verification.finding import (
    must,
    must_be,
    must_be_invalid,
    must_be_malformed,
    must_be_unknown_call,
)
from voice_sandbox.verification.guard import CALLS_PATH
from voice_sandbox.verification.http1 import SentRequest


@check(Needs.SANDBOX)
def new_call_is_found_at_its_location(api: Api) -> None:
    """A creation answers a fresh UUID, and `Location` leads to the queued call."""
    seen = set()
    for _ in range(3):
        started = clock.monotonic()
        response = api.post(CALLS_PATH, api.new_call())
        must_be(response, 201, when="a valid call is created")
        call_id = response.json()["call_id"]
        must(is_uuid(call_id), "A call_id must be a UUID in lower case.", response)
        must(call_id not in seen, "Two calls were given the same call_id.", response)
        seen.add(call_id)
        must(
            response.values("location") == [f"{CALLS_PATH}/{call_id}"],
            "Location must be the path of the new call.",
            response,
        )
        must(
            not response.values("idempotent-replayed"),
            "A response that is no replay must not say Idempotent-Replayed.",
            response,
        )
        call = api.read(call_id)
        is_late = clock.monotonic() - started > 0.9  # by then the phone may ring
        status = call["status"] if is_late and api.is_open(call_id) else "queued"
        must(
            call == {"call_id": call_id, "status": status, "transcript": None, "duration": None},
            f"A call that was just created must be queued, but it is {call['status']}.",
            api.last(),
        )


@check(Needs.SANDBOX)
def every_agent_can_be_called(api: Api) -> None:
    """Every key that `listAgents` returns is taken by `createCall`."""
    for agent in api.get("/v1/agents").json()["agents"]:
        response = api.post(CALLS_PATH, {**api.new_call(), "agent": agent["key"]})
        must_be(response, 201, when=f"the agent is {agent['key']}")


@check(Needs.SANDBOX)
def numbers_of_every_length_are_taken(api: Api) -> None:
    """E.164 numbers of 8 to 15 digits are taken; +999 is no country, so they ring nobody."""
    for phone in ("+99900000", "+999000000000000"):
        response = api.post(CALLS_PATH, {**api.new_call(), "phone": phone})
        must_be(response, 201, when=f"the number has {len(phone) - 1} digits")


@check(Needs.SANDBOX)
def wrong_numbers_are_422(api: Api) -> None:
    """What is no E.164 number from its first character to its last is 422 at `/phone`."""
    good = api.number("answered")
    for phone in (
        "",
        "+",
        good[1:],
        f"{good}\n",
        f" {good}",
        f"{good} ",
        f"x{good}",
        f"{good}x",
        f"{good} ext. 5",
        f"+{good}",
        f"00{good[1:]}",
        "+0" + good[1:],
        "+9990000",
        "+9990000000000000",
        "+999٠٠٠٠٠",
        "+999０００００",
        f"{good[:2]} {good[2:]}",
        f"{good[:5]}-{good[5:]}",
        f"tel:{good}",
        int(good[1:]),
        None,
        [good],
        {"number": good},
    ):
        response = api.post(CALLS_PATH, {**api.new_call(), "phone": phone})
        must_be_invalid(response, "/phone", when=f"phone is {str(phone)[:30]!r}")


@check(Needs.SANDBOX)
def wrong_agents_are_422(api: Api) -> None:
    """What is not a key of the catalogue, letter by letter, is 422 at `/agent`."""
    wrong: list[Any] = ["", "nobody", api.agent.upper(), f"{api.agent} ", api.agent[:-1], None, 1]
    for agent in wrong:
        response = api.post(CALLS_PATH, {**api.new_call(), "agent": agent})
        must_be_invalid(response, "/agent", when=f"agent is {str(agent)[:30]!r}")


@check(Needs.SANDBOX)
def fields_are_neither_guessed_nor_ignored(api: Api) -> None:
    """A missing field has no default, and an unknown one is rejected."""
    call = api.new_call()
    for body, pointer in (
        ({"phone": call["phone"]}, "/agent"),
        ({"agent": call["agent"]}, "/phone"),
        ({**call, "Phone": call["phone"]}, "/Phone"),
        ({**call, "webhook_url": "x"}, "/webhook_url"),
        ({**call, "": 1}, "/"),
    ):
        response = api.post(CALLS_PATH, body)
        must_be_invalid(response, pointer, when=f"{pointer} is missing or unknown")


@check(Needs.SANDBOX)
def creation_is_held_to_json(api: Api) -> None:
    """A creation whose body is not strict JSON is 400 and creates nothing."""
    call = f'{{"phone":"{api.number("answered")}","agent":"{api.agent}"'
    for body in (
        f"{call},}}".encode(),
        f'{call},"agent":"{api.agent}"}}'.encode(),
        f"{call}}} x".encode(),
        f"\ufeff{call}}}".encode(),
        f"{call}}} // comment".encode(),
    ):
        must_be_malformed(
            api.post_bytes(CALLS_PATH, body, JSON),
            when="the body of a creation is not strict JSON",
        )


@check(Needs.SANDBOX)
def creation_is_rejected_in_order(api: Api) -> None:
    """A creation without token, or of a wrong type, is rejected before its body is looked at."""
    body = b"{"
    signed = ("Authorization", f"Bearer {api.key}")
    for headers, status in (((JSON,), 401), ((signed,), 415), ((signed, JSON), 400)):
        must_be(
            api.send(SentRequest("POST", CALLS_PATH, headers, body)),
            status,
            when="several things are wrong with a creation",
        )


@check(Needs.SANDBOX)
def other_methods_are_405(api: Api) -> None:
    """PUT, PATCH, DELETE, OPTIONS and generated methods are 405 with what the path takes."""
    call_id = api.create()
    for path, allowed in (
        ("/v1/agents", "GET, HEAD"),
        (CALLS_PATH, "POST"),
        (f"{CALLS_PATH}/{call_id}", "GET, HEAD"),
    ):
        for method in ("PUT", "PATCH", "DELETE", "OPTIONS"):
            response = api.send(
                SentRequest(method, path, (("Authorization", f"Bearer {api.key}"),))
            )
            must_be(response, 405, "method_not_allowed", when=f"{method} {path[:11]} is asked for")
            found = ", ".join(sorted((response.header("allow") or "").replace(" ", "").split(",")))
            must(
                found == allowed,
                f"A 405 of {path[:11]} must say Allow: {allowed}, but it says {found}.",
                response,
            )
    must_be(
        api.post(f"{CALLS_PATH}/{call_id}", {}), 405, "method_not_allowed", when="a call is posted"
    )


@check(Needs.SANDBOX)
def creation_with_trailing_slash_is_404(api: Api) -> None:
    """`POST /v1/calls/` is 404, not a redirect that a client would follow without its body."""
    response = api.post(f"{CALLS_PATH}/", api.new_call())
    must_be(response, 404, "not_found", when="a creation is posted to a path with a trailing slash")


@check(Needs.SANDBOX)
def rejected_creations_say_when_to_retry(api: Api) -> None:
    """429 and 503 carry `Retry-After` in whole seconds, and no call was created."""
    for scenario, status, code in (
        ("rate_limited", 429, "rate_limited"),
        ("provider_unavailable", 503, "provider_unavailable"),
    ):
        before = api.create()
        response = api.post(CALLS_PATH, api.new_call(scenario))
        must_be(response, status, code, when=f"the number plays {scenario}")
        must(
            (response.header("retry-after") or "").isdigit(),
            f"A {status} must carry Retry-After in whole seconds.",
            response,
        )
        api.complete()
        must(
            api.read(before)["status"] == "completed",
            "A creation that was rejected created a call all the same.",
            api.last(),
        )


@check(Needs.SANDBOX)
def call_id_has_one_form(api: Api) -> None:
    """The id of a call that exists, written in any other way than a UUID with dashes, is 404."""
    call_id = api.create()
    for written in (
        call_id.replace("-", ""),
        f"%7B{call_id}%7D",
        f"urn:uuid:{call_id}",
        f"{call_id}%20",
        f"%20{call_id}",
        f"{call_id}%0A",
        f"{call_id}%00",
        f"{call_id};v=1",
        f"{call_id}.json",
        call_id.replace("-", "", 1),
    ):
        must_be_unknown_call(
            api.get(f"{CALLS_PATH}/{written}"),
            when=f"the call_id is written {written.replace(call_id, 'ID')[:40]}",
        )


@check(Needs.SANDBOX)
def token_is_taken_from_nowhere_else(api: Api) -> None:
    """A token in the query or in another header is no token: 401 `missing_token`."""
    for target, headers in (
        (f"/v1/agents?access_token={api.key}", ()),
        (f"/v1/agents?token={api.key}&api_key={api.key}", ()),
        ("/v1/agents", (("X-Api-Key", api.key),)),
        ("/v1/agents", (("X-Authorization", f"Bearer {api.key}"),)),
        ("/v1/agents", (("Proxy-Authorization", f"Bearer {api.key}"),)),
    ):
        response = api.send(SentRequest("GET", target, headers))
        must_be(response, 401, "missing_token", when="the token is sent outside Authorization")


@check(Needs.SANDBOX)
def method_is_that_of_the_request(api: Api) -> None:
    """No header and no parameter makes another method of a request."""
    name = "X-HTTP-Method-Override"
    for target, headers in (
        ("/v1/agents", ((name, "DELETE"),)),
        ("/v1/agents", (("X-HTTP-Method", "POST"),)),
        ("/v1/agents?_method=DELETE", ()),
    ):
        must_be(api.get(target, *headers), 200, when="the agents are listed as another method")
    response = api.post(CALLS_PATH, api.new_call(), (name, "GET"))
    must_be(response, 201, when=f"a call is created with {name}: GET")


@check(Needs.SANDBOX)
def size_is_rejected_before_it_is_sent(api: Api) -> None:
    """A body whose Content-Length is over the limit is 413 while it is still on its way."""
    body = api.target.contract.operations["createCall"].body
    assert body is not None
    headers = (("Authorization", f"Bearer {api.key}"), JSON)
    sent = SentRequest("POST", CALLS_PATH, headers, b"{", declared_length=body.max_bytes + 1)
    must_be(api.send(sent), 413, "body_too_large", when="a body is declared too long")


# Idempotency


@check(Needs.SANDBOX)
def retry_returns_the_first_response(api: Api) -> None:
    """The same `Idempotency-Key` with the same body returns the first response and says so."""
    key = ("Idempotency-Key", "order-1842")
    first = api.post(CALLS_PATH, api.new_call(), key)
    must_be(first, 201, when="a call is created with an Idempotency-Key")
    must(
        not first.values("idempotent-replayed"),
        "The first response under an Idempotency-Key must not say Idempotent-Replayed.",
        first,
    )
    for _ in range(2):
        again = api.post(CALLS_PATH, api.new_call(), key)
        must_be(again, 201, when="a creation is retried with its Idempotency-Key")
        must(
            again.body == first.body and again.values("location") == first.values("location"),
            "A retry with the same Idempotency-Key must return the first response.",
            again,
        )
        must(
            again.values("idempotent-replayed") == ["true"],
            "A replayed response must say Idempotent-Replayed: true.",
            again,
        )


@check(Needs.SANDBOX)
def retry_is_the_same_in_any_order_of_fields(api: Api) -> None:
    """The same JSON in another order or with other spaces is the same body."""
    key = ("Idempotency-Key", "same-body")
    call = api.new_call()
    first = api.post(CALLS_PATH, call, key)
    turned = f'{{ "agent": "{call["agent"]}",\n "phone": "{call["phone"]}" }}'.encode()
    again = api.post_bytes(CALLS_PATH, turned, JSON, key)
    must_be(again, 201, when="a retry writes the same JSON differently")
    must(again.body == first.body, "A retry must return the first response.", again)


@check(Needs.SANDBOX)
def other_body_under_the_same_key_is_409(api: Api) -> None:
    """The same `Idempotency-Key` with another body is 409 `idempotency_conflict`."""
    key = ("Idempotency-Key", "order-1843")
    call_id = api.create("answered", key)
    for body in (api.new_call("busy"), {**api.new_call(), "agent": _other_agent(api)}):
        response = api.post(CALLS_PATH, body, key)
        must_be(
            response,
            409,
            "idempotency_conflict",
            when="an Idempotency-Key is sent with another body",
        )
    again = api.create("answered", key)
    must(
        again == call_id, "After a conflict the first response must still be returned.", api.last()
    )


@check(Needs.SANDBOX)
def thirty_at_once_create_one_call(api: Api) -> None:
    """Thirty requests at the same moment with one `Idempotency-Key` create one call."""
    api.create()
    body = api.exchanges[-1].sent.body
    headers = (
        ("Authorization", f"Bearer {api.key}"),
        JSON,
        ("Idempotency-Key", "thirty-at-once"),
    )
    responses = api.send_at_once([SentRequest("POST", CALLS_PATH, headers, body)] * 30)
    for response in responses:
        must_be(response, 201, when="thirty requests share an Idempotency-Key")
    must(
        len({response.body for response in responses}) == 1,
        "Thirty requests at once with one Idempotency-Key created more than one call.",
        responses[0],
    )
    firsts = [response for response in responses if not response.values("idempotent-replayed")]
    must(
        len(firsts) == 1,
        f"Of thirty responses to one Idempotency-Key one is no replay, but here {len(firsts)} are.",
        responses[0],
    )


@check(Needs.SANDBOX)
def rejected_requests_are_not_kept(api: Api) -> None:
    """A request that was rejected leaves its `Idempotency-Key` free for the next."""
    key = ("Idempotency-Key", "fixed")
    for body in ({**api.new_call(), "phone": "wrong"}, {}, api.new_call("provider_unavailable")):
        response = api.post(CALLS_PATH, body, key)
        must(response.status in (422, 503), "A creation that must be rejected was not.", response)
    response = api.post(CALLS_PATH, api.new_call(), key)
    must_be(response, 201, when="an Idempotency-Key was only used by rejected requests")
    must(
        not response.values("idempotent-replayed"),
        "The first creation that succeeds must not say Idempotent-Replayed.",
        response,
    )


@check(Needs.SANDBOX)
def idempotency_keys_are_compared_whole(api: Api) -> None:
    """Keys that differ in case or at their very end are different keys."""
    long = "k" * 254
    ids = [
        api.create("answered", ("Idempotency-Key", value))
        for value in ("case", "CASE", long + "a", long + "b", long)
    ]
    must(len(set(ids)) == len(ids), "Different Idempotency-Keys were taken for one.", api.last())


@check(Needs.SANDBOX)
def idempotency_keys_of_a_wrong_form_are_400(api: Api) -> None:
    """An `Idempotency-Key` that is empty, too long, not visible ASCII or sent twice is 400."""
    for values in (("",), ("k" * 256,), ("two words",), ("caf\u00e9",), ("tab\there",), ("a", "a")):
        headers = [("Idempotency-Key", value) for value in values]
        must_be(
            api.post(CALLS_PATH, api.new_call(), *headers),
            400,
            "invalid_idempotency_key",
            when=f"the Idempotency-Key is {', '.join(values)[:20]!r}",
        )


@check(Needs.SANDBOX)
def idempotency_keys_are_kept_a_day(api: Api) -> None:
    """An `Idempotency-Key` is kept for 24 hours, and then it is free."""
    key = ("Idempotency-Key", "a-day")
    first = api.create("answered", key)
    api.advance(DAY_SECONDS - 60)
    must(
        api.create("answered", key) == first,
        "An Idempotency-Key must be kept for 24 hours, but it was forgotten earlier.",
        api.last(),
    )
    api.advance(120)
    must(
        api.create("answered", key) != first,
        "An Idempotency-Key must be free after 24 hours, but it was still kept.",
        api.last(),
    )


@check(Needs.SANDBOX)
def replay_does_not_follow_the_call(api: Api) -> None:
    """A retry after the call ended returns the first response and starts nothing new."""
    key = ("Idempotency-Key", "late-retry")
    first = api.create("answered", key)
    api.advance(60)
    must(
        api.create("answered", key) == first,
        "A retry after the end of the call must return the same call.",
        api.last(),
    )
    must(
        api.read(first)["status"] == "completed",
        "A retry must not change the call.",
        api.last(),
    )


def _other_agent(api: Api) -> str:
    agents = [agent.key for agent in api.target.catalogue.agents]
    return agents[-1] if len(agents) > 1 else agents[0]
