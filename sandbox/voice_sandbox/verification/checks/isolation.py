"""Keys see their own calls alone, and each has a clock of its own."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from voice_sandbox.clock import DAY_SECONDS
from voice_sandbox.verification.api import Api
from voice_sandbox.verification.check import Needs, check
from voice_sandbox.verification.finding import must, must_be, must_be_unknown_call
from voice_sandbox.verification.guard import CALLS_PATH, WEBHOOK_PATH
from voice_sandbox.verification.http1 import ReceivedResponse, SentRequest

BOTH: Final = ["integrator", "provider"]


@check(Needs.SANDBOX)
def calls_of_other_keys_do_not_exist(api: Api) -> None:
    """Another key's call is 404 `call_not_found`, as if it had never been."""
    call_id = api.create()
    other = api.another_key()
    must_be_unknown_call(
        other.get(f"{CALLS_PATH}/{call_id}"),
        when="a call of another key is read",
    )
    must_be_unknown_call(
        other.get(f"/sandbox/calls/{call_id}"),
        when="a call of another key is inspected",
    )


@check(Needs.SANDBOX)
def completions_stay_in_their_key(api: Api) -> None:
    """A key cannot complete another key's call, by alias or by the provider's id."""
    call_id = api.create("never_completes")
    reference = api.inspect(call_id)["provider_call_id"]
    other = api.another_key()
    must_be_unknown_call(
        other.post(WEBHOOK_PATH, api.completion(provider_call_id=reference)),
        when="another key's call is completed by its provider's id",
    )
    other.create()
    must_be(other.complete(), 200, when="a key completes its own newest call")
    must(
        api.is_open(call_id),
        "A completion under one key ended a call of another.",
        api.last(),
    )


@check(Needs.SANDBOX)
def keys_that_differ_in_case_are_two(api: Api) -> None:
    """Keys are compared letter by letter: capitals and the last character count."""
    call_id = api.create()
    for key in (api.key[:8] + api.key[8:].swapcase(), api.key + "x"):
        other = Api(api.target, key, api.exchanges)
        status, code = (401, "invalid_token") if api.target.listed_keys else (404, "call_not_found")
        must_be(
            other.get(f"{CALLS_PATH}/{call_id}"),
            status,
            code,
            when="a key that differs in one letter reads a call",
        )


@check(Needs.SANDBOX)
def idempotency_keys_belong_to_a_key(api: Api) -> None:
    """The same `Idempotency-Key` under two keys creates two calls."""
    key = ("Idempotency-Key", "shared")
    other = api.another_key()
    ids = api.create("answered", key), other.create("answered", key)
    must(ids[0] != ids[1], "Two keys share an Idempotency-Key.", api.last())


@check(Needs.SANDBOX)
def clocks_belong_to_a_key(api: Api) -> None:
    """Advancing one key's clock moves neither clock nor calls of another."""
    before, call_id = _now(api), api.create()
    api.another_key().advance(3600)
    must(
        _now(api) - before < 1800 and api.is_open(call_id),
        "Advancing the clock of one key moved another's.",
        api.last(),
    )


@check(Needs.SANDBOX)
def reset_empties_one_key(api: Api) -> None:
    """`DELETE /sandbox/state` empties its own key: calls, Idempotency-Keys, clock, no other key."""
    key = ("Idempotency-Key", "before-reset")
    mine, other = api.create("answered", key), api.another_key()
    theirs = other.create()
    api.advance(DAY_SECONDS)
    before = _now(api)
    journaled = api.get_until("/sandbox/journal", lambda found: _senders(found, mine) == BOTH)
    must_be(journaled, 200, when="the journal is searched")
    response = api.send(
        SentRequest("DELETE", "/sandbox/state", (("Authorization", f"Bearer {api.key}"),))
    )
    must_be(response, 204, when="a namespace is emptied")
    must(
        _of_this_check(api, api.get("/sandbox/journal")) == [],
        "The journal outlived the emptying of its namespace.",
        api.last(),
    )
    must(
        _now(api) < before - DAY_SECONDS / 2,
        "The clock outlived the emptying of its namespace.",
        api.last(),
    )
    must_be_unknown_call(api.get(f"{CALLS_PATH}/{mine}"), when="a namespace was emptied")
    must(
        api.create("answered", key) != mine,
        "An Idempotency-Key outlived the emptying of its namespace.",
        api.last(),
    )
    other.read(theirs)


@check(Needs.SANDBOX)
def first_request_of_a_key_may_be_a_completion(api: Api) -> None:
    """A key's own sample call is there from the start, for a completion by hand too."""
    sample = api.target.catalogue.sample
    result = {"transcript": sample.transcript, "duration": sample.duration_seconds}
    must_be(api.complete(**result), 200, when="a new key repeats its sample call's completion")
    response = api.another_key().complete(**result | {"duration": 1})
    must_be(response, 409, "call_already_ended", when="a new key contradicts its sample call")


@check(Needs.SANDBOX)
def journals_belong_to_a_key(api: Api) -> None:
    """What one key did is in no other key's journal, nor is it read there by its id."""
    api.create()
    request_id = api.last().header("x-request-id")
    own = api.get_until(f"/sandbox/exchanges/{request_id}", lambda found: found.status == 200)
    must_be(own, 200, when="a key reads its own exchange")
    other = api.another_key()
    must_be(
        other.get(f"/sandbox/exchanges/{request_id}"),
        404,
        "exchange_not_found",
        when="an exchange of another key is read",
    )
    response = other.get("/sandbox/journal")
    must(
        _of_this_check(api, response) == [],
        "The journal of a key holds what another key did.",
        response,
    )


@check(Needs.SANDBOX)
def new_key_finds_the_sample_call(api: Api) -> None:
    """Every key starts with the finished sample call that the pages show."""
    sample = api.target.catalogue.sample
    call = api.read(str(sample.call_id))
    must(
        (call["status"], call["transcript"], call["duration"])
        == (sample.status, sample.transcript, sample.duration_seconds),
        "The sample call is not the one of the contract's example.",
        api.last(),
    )
    began, *_, ended = api.inspect(str(sample.call_id))["timeline"]
    lasted = datetime.fromisoformat(ended["at"]) - datetime.fromisoformat(began["at"])
    must(
        abs(lasted.total_seconds() - sample.duration_seconds) < 0.01,
        f"The sample call must have lasted {sample.duration_seconds} seconds on its time line.",
        api.last(),
    )


@check(Needs.SANDBOX)
def clock_advances_and_never_goes_back(api: Api) -> None:
    """The clock moves as far as it is told, at least, and never backward."""
    before = _now(api)
    api.advance(3600)
    after = _now(api)
    must(
        3600 <= after - before < 3660,
        f"The clock was advanced 3600 seconds, and moved {after - before:.0f}.",
        api.last(),
    )
    api.advance(0)
    must(_now(api) >= after, "The clock went back.", api.last())


@check(Needs.SANDBOX)
def advancing_delivers_what_was_due(api: Api) -> None:
    """When `advance` returns, everything that was due by then has happened."""
    call_id = api.create("delivered_late")
    api.advance(67)
    must(
        api.read(call_id)["status"] == "in_progress",
        "A completion was delivered before it was due.",
        api.last(),
    )
    api.advance(2)
    must(
        api.read(call_id)["status"] == "completed",
        "A completion that was due was not delivered when the advance returned.",
        api.last(),
    )


@check(Needs.SANDBOX)
def time_passes_by_itself_alone(api: Api) -> None:
    """Reading a call does not move it."""
    before = _now(api)
    call_id = api.create("never_completes")
    for _ in range(40):
        status = api.read(call_id)["status"]
    read = api.last()
    must(
        status in ("queued", "ringing") or _now(api) - before > 2.5,
        "Reading a call moved it on.",
        read,
    )


@check(Needs.SANDBOX)
def preferred_problems_are_given(api: Api) -> None:
    """`Prefer: code=…` gives the documented problem, with its headers, and does nothing else."""
    for status, code in ((429, "rate_limited"), (503, None)):
        call_id = api.create()
        prefer = ("Prefer", f"code={status}")
        response = api.post(CALLS_PATH, api.new_call(), prefer)
        must_be(response, status, code, when=f"Prefer asks for {status}")
        must(
            response.values("preference-applied") == [f"code={status}"],
            f"Preference-Applied must say code={status} (RFC 7240).",
            response,
        )
        api.complete()
        must(
            api.read(call_id)["status"] == "completed",
            "A preferred problem created a call all the same.",
            api.last(),
        )
    response = api.get(f"{CALLS_PATH}/{call_id}", ("Prefer", "code=418"))
    must_be(response, 200, when="Prefer asks for what the contract does not document")
    must(
        not response.values("preference-applied"),
        "Preference-Applied must be missing where no preference was applied (RFC 7240).",
        response,
    )


@check(Needs.SANDBOX)
def journal_tells_what_was_sent(api: Api) -> None:
    """The journal keeps what a key did, the provider's completions included, without any token."""
    api.create("never_completes")
    call_id = api.create()
    api.get("/v1/no-such-path")
    api.advance(60)
    lost = ["/v1/no-such-path"]

    def paths(response: ReceivedResponse) -> list[str]:
        return [one["path"] for one in _of_this_check(api, response)]

    response = api.get_until("/sandbox/journal?status=404", lambda found: paths(found) == lost)
    must(
        paths(response) == lost,
        "The journal must hold a request to a wrong path, and find it by its status.",
        response,
    )
    response = api.get_until(
        f"/sandbox/journal?call_id={call_id}", lambda found: _senders(found, call_id) == BOTH
    )
    must_be(response, 200, when="the journal is searched")
    senders = _senders(response)
    must(
        senders == BOTH,
        "The journal must hold the creation and the provider's completion of a call, "
        f"but it holds {senders}.",
        response,
    )
    must(api.key.encode() not in response.body, "The journal shows a token.", response)


def _senders(journal: ReceivedResponse, call_id: str | None = None) -> list[str]:
    """Who sent what the journal holds, of one call or of all."""
    return sorted(
        one["sender"] for one in journal.json()["exchanges"] if call_id in (None, one["call_id"])
    )


def _of_this_check(api: Api, journal: ReceivedResponse) -> list[Any]:
    """What a journal holds.

    Under listed keys another worker may still write down what an earlier check did.
    """
    exchanges: list[Any] = journal.json()["exchanges"]
    if not api.target.listed_keys:
        return exchanges
    own = {value for response in api.exchanges for value in response.values("x-request-id")}
    return [one for one in exchanges if one["request_id"] in own]


def _now(api: Api) -> float:
    response = api.get("/sandbox/clock")
    must_be(response, 200, when="the clock is read")
    return datetime.fromisoformat(response.json()["now"]).timestamp()
