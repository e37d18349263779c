"""The journal by relations: what was sent is in it, and every view of it agrees with the whole."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from http import HTTPStatus
from math import floor
from typing import Any, Final
from urllib.parse import parse_qsl, quote, unquote_plus

import orjson

from voice_sandbox import clock
from voice_sandbox.contract.model import Operation
from voice_sandbox.contract.validation import Validator
from voice_sandbox.verification.api import JSON, Api, retry_after
from voice_sandbox.verification.check import Needs, check
from voice_sandbox.verification.finding import must, must_be, problem_code
from voice_sandbox.verification.guard import CALLS_PATH, WEBHOOK_PATH
from voice_sandbox.verification.http1 import JOURNAL_SECONDS, ReceivedResponse, SentRequest

JOURNAL: Final = "/sandbox/journal"
WHOLE: Final = f"{JOURNAL}?limit=999"
KEPT_CHARACTERS: Final = 4096
"""How much of a body the journal keeps, as the contract says of `Message`."""
LEFT_SECONDS: Final = 0.2
DELIVERY_SECONDS: Final = 2.0
"""By which a busy sandbox may deliver late."""
STREAMS: Final = 40
"""More than any deployment should let one key follow at a time."""
STREAM_ATTEMPTS: Final = 2
_FIRST: Final = "0" * 32
_ONLY_IN_DETAIL: Final = ("request", "response", "curl", "javascript", "pytest")
_BY_HAND: Final = "This was said by hand."
_PHONES: Final = ("+99912345678", "+999 44 5566778", "+999-600-123-123")


@check(Needs.SANDBOX)
def journal_holds_each_exchange_as_it_was(api: Api) -> None:
    """Each exchange is in the journal once, with what was sent and what was received."""
    started = clock.monotonic()
    sent = _exercise(api)
    took_ms = 1000 * (clock.monotonic() - started)
    whole = _whole(api, sent)
    ids = [entry["request_id"] for entry in whole]
    must(len(set(ids)) == len(ids), "The journal holds an exchange twice.", api.last())
    by_id = {entry["request_id"]: entry for entry in whole}
    # Of two workers one may note an exchange after the other has noted the next.
    must(
        [entry["seq"] for entry in whole] == sorted((e["seq"] for e in whole), reverse=True),
        "The journal must list the newest exchange first.",
        api.last(),
    )
    longest = max(entry["duration_ms"] for entry in whole)
    must(
        longest <= took_ms,
        f"The journal says that an exchange took {longest} milliseconds, but all of them together "
        f"took {took_ms:.0f}.",
        api.last(),
    )
    began = [by_id[request_id]["at"] for request_id in sent]
    must(began == sorted(began), "The journal must say when each exchange began.", api.last())
    for request_id, response in sent.items():
        _must_tell(api, by_id[request_id], response)
        detail = _detail(api, request_id)
        summary = {name: value for name, value in detail.items() if name not in _ONLY_IN_DETAIL}
        must(
            summary == by_id[request_id],
            "An exchange that is read must say what its line in the journal says.",
            api.last(),
        )
        _must_hold(api, detail, response)


@check(Needs.SANDBOX)
def journal_names_the_provider(api: Api) -> None:
    """Each completion of the provider is an exchange of its own, and the call names the last."""
    api.stop_clock()
    calls = {name: api.create(name) for name in ("delivered_twice", "conflicting", "busy")}
    api.post("/sandbox/clock", {"until": "idle"})
    for call_id in calls.values():
        inspected = api.inspect(call_id)
        answered = [one["answered"] for one in inspected["deliveries"]]

        def is_whole(found: ReceivedResponse, expected: int = len(answered)) -> bool:
            return len(_by_provider(found)) == expected

        response = api.get_until(f"{JOURNAL}?call_id={call_id}", is_whole)
        entries = _by_provider(response)
        must(
            [entry["status"] for entry in reversed(entries)] == answered,
            f"The journal must hold the provider's deliveries, answered {answered}.",
            response,
        )
        must(
            inspected["completed_by"] in [entry["request_id"] for entry in entries],
            "A call must name the exchange that completed it.",
            response,
        )
        must(
            {entry["path"] for entry in entries} == {WEBHOOK_PATH},
            "The provider must send its completions to the webhook.",
            response,
        )


@check(Needs.SANDBOX)
def filter_equals_filtering_the_whole(api: Api) -> None:
    """Each filter of the journal, alone and with another, returns what fits of the whole."""
    whole = _whole(api, _exercise(api))
    details = {entry["request_id"]: _detail(api, entry["request_id"]) for entry in whole}
    filters = list(_filters(whole, details))
    for query, fits in api.some(filters):
        _must_list(api, query, [entry for entry in whole if fits(entry)])
    for (one, fits_one), (other, fits_other) in api.some(zip(filters, filters[3:], strict=False)):
        if one.partition("=")[0] != other.partition("=")[0]:
            both = [entry for entry in whole if fits_one(entry) and fits_other(entry)]
            _must_list(api, f"{one}&{other}", both)


@check(Needs.SANDBOX)
def pages_joined_equal_the_whole(api: Api) -> None:
    """Pages of any size, one after another, hold the whole, and the last says that it is last."""
    whole = _whole(api, _exercise(api))
    for limit in (1, 2, 7, len(whole) - 1, len(whole), len(whole) + 1):
        for narrowed in ("", "&operation=createCall", "&status=4xx"):
            expected = api.get(f"{WHOLE}{narrowed}").json()["exchanges"]
            found: list[Any] = []
            before = ""
            while True:
                page = api.get(f"{JOURNAL}?limit={limit}{narrowed}{before}")
                must_be(page, 200, when="a page of the journal is read")
                exchanges = page.json()["exchanges"]
                must(len(exchanges) <= limit, f"A page of {limit} holds more.", page)
                found += exchanges
                must(
                    len(found) <= len(expected),
                    f"The pages of {limit} hold more than the whole, and go on.",
                    page,
                )
                if page.json()["next_before"] is None:
                    break
                must(len(exchanges) == limit, "A page that is not the last must be full.", page)
                before = f"&before={page.json()['next_before']}"
            must(
                bool(exchanges) or not expected,
                "A page says that more follows it, but the next page is empty.",
                page,
            )
            must(
                found == expected,
                f"The pages of {limit} hold {len(found)} exchanges, the whole {len(expected)}.",
                page,
            )


@check(Needs.SANDBOX)
def archive_equals_the_journal(api: Api) -> None:
    """The HAR export holds each exchange of the journal once, the oldest first, as it was."""
    whole = _whole(api, _exercise(api))
    response = api.get(f"{JOURNAL}/har")
    must_be(response, 200, when="the journal is exported")
    entries = response.json()["log"]["entries"]
    must(
        len(entries) == len(whole),
        f"The archive holds {len(entries)} exchanges, the journal {len(whole)}.",
        response,
    )
    for summary, entry in zip(reversed(whole), entries, strict=True):
        detail = _detail(api, summary["request_id"])
        must(
            _archived(detail) == _of_archive(entry),
            f"The archive must say of {summary['method']} {summary['path'][:60]} what the journal "
            "says.",
            response,
        )
        url = entry["request"]["url"]
        must(
            url in detail["curl"] or not url.isascii() or "%" in url,
            "The archive must name the address that the curl command of an exchange names.",
            response,
        )


@check(Needs.SANDBOX)
def exports_hold_what_came_before(api: Api) -> None:
    """The test that an exchange is exported as prepares what its call needs, and nothing later."""
    api.stop_clock()
    call_id = api.create("never_completes")
    created = api.last()
    api.read(call_id)
    before = api.last()
    completed = api.complete(transcript=f"agent: {_BY_HAND}")
    api.read(call_id)
    after = api.last()
    sent = {one.values("x-request-id")[0]: one for one in (created, before, completed, after)}
    _whole(api, sent)
    for response, is_later in ((created, False), (before, False), (completed, True), (after, True)):
        request_id = response.values("x-request-id")[0]
        exported = _detail(api, request_id, partial(_is_told, is_later))["pytest"]
        must(CALLS_PATH in exported, "An exported test must create the call.", api.last())
        must(
            (_BY_HAND in exported) == is_later,
            "An exported test must hold what came before its exchange, and nothing that came "
            "after it.",
            api.last(),
        )


def _is_told(is_later: bool, detail: dict[str, Any]) -> bool:
    exported = detail["pytest"]
    return CALLS_PATH in exported and (_BY_HAND in exported) == is_later


@check(Needs.SANDBOX)
def exports_send_the_same_request(api: Api) -> None:
    """Each export of an exchange has its method, its headers and its body, or the body's length."""
    words = orjson.dumps({**api.new_call(), "zebra": "a striped word"})
    long = b" " * 20_000 + words
    preferred = (("Prefer", "code=503"), ("Prefer", "delay=3"))
    expected = {
        api.get("/v1/agents"): ("GET", "/v1/agents"),
        api.get("/v1/agents", preferred[0]): ("prefer", "code=503"),
        api.get("/v1/agents", *preferred): ("prefer", "code=503", "delay=3"),
        api.post_bytes(CALLS_PATH, words, JSON): ("POST", "application/json", "a striped word"),
        api.post_bytes(CALLS_PATH, b"{", JSON): ("POST", "application/json", "{"),
        api.post_bytes(CALLS_PATH, long, JSON): ("POST", "application/json", str(len(long))),
        api.send(SentRequest("PUT", CALLS_PATH, _signed(api))): ("PUT", CALLS_PATH),
        api.post(CALLS_PATH, api.new_call("rate_limited")): ("POST", api.number("rate_limited")),
    }
    _whole(api, {response.values("x-request-id")[0]: response for response in expected})
    for response, words_of_it in expected.items():
        detail = _detail(api, response.values("x-request-id")[0])
        for form in ("curl", "javascript", "pytest"):
            for word in words_of_it:
                # A GET is what each of them sends where nothing else is said.
                must(
                    word in detail[form] or word == "GET",
                    f"The export of an exchange as {form} lacks {word}, which was sent.",
                    api.last(),
                )
        # Of a test that is skipped nothing can be learned; only a body was too long to be kept.
        must(
            "pytest.skip" not in detail["pytest"] or response.sent.body == long,
            "A test that an exchange is exported as skips what the same request gets again.",
            api.last(),
        )


@check(Needs.SANDBOX)
def journal_names_calls_and_scenarios(api: Api) -> None:
    """Each exchange names the call that it was about and its scenario, whatever came of it."""
    api.stop_clock()
    scenario = "never_completes"
    key = ("Idempotency-Key", "of-the-scenario")
    call_id = api.create(scenario, key)
    created = api.last()
    rejected = api.post(CALLS_PATH, api.new_call("provider_unavailable"))
    must_be(rejected, 503, when="a number rejects calls")
    expected = [
        (created, call_id, scenario),
        (rejected, None, "provider_unavailable"),
        (api.post(CALLS_PATH, api.new_call(scenario), key), call_id, scenario),
        (api.get(f"{CALLS_PATH}/{call_id}"), call_id, scenario),
        (api.complete(status="completed"), call_id, scenario),
        (api.complete(status="completed"), call_id, scenario),
        (api.complete(status="busy"), call_id, scenario),
        (api.get("/v1/agents"), None, None),
        (api.post(CALLS_PATH, {}), None, None),
    ]
    _whole(api, {one.values("x-request-id")[0]: one for one, *_ in expected})
    for response, *about in expected:
        detail = _detail(api, response.values("x-request-id")[0])
        found = [detail["call_id"], detail["scenario"]]
        sent = f"{response.sent.method} {response.sent.target[:60]}"
        must(
            found == about,
            f"The journal must say of {sent}, answered {response.status}, that it was about "
            f"{about}, but it says {found}.",
            api.last(),
        )


@check(Needs.SANDBOX)
def provider_delivers_unasked(api: Api) -> None:
    """After a jump of the clock the provider delivers at the new time, though nobody reads."""
    must_be(api.post("/sandbox/clock", {"mode": "wall"}), 200, when="the wall moves the clock")
    call_id = api.create("long_talk")
    due = datetime.fromisoformat(api.inspect(call_id)["deliveries"][0]["due_at"])
    api.advance(max(0, due.timestamp() - api.now() - LEFT_SECONDS))
    found = api.get_until(
        f"{JOURNAL}?call_id={call_id}",
        lambda read: bool(_by_provider(read)),
        seconds=LEFT_SECONDS + DELIVERY_SECONDS,
    )
    must(
        bool(_by_provider(found)),
        f"A completion was due {LEFT_SECONDS:g} seconds after a jump of the clock, but some "
        "seconds later the provider has not sent it.",
        found,
    )


@check(Needs.SANDBOX)
def stream_equals_the_journal(api: Api) -> None:
    """A stream from any exchange on tells each later one once, in order, as it can be read."""
    whole = list(reversed(_whole(api, _exercise(api))))
    for start in (0, 1, len(whole) // 2, len(whole) - 2):
        for narrowed, fits in (
            ("", lambda entry: True),
            ("?operation=createCall", lambda entry: entry["operation_id"] == "createCall"),
            ("?status=4xx", lambda entry: 400 <= entry["status"] < 500),
        ):
            expected = [entry for entry in whole[start + 1 :] if fits(entry)]
            if expected:
                _must_stream(api, narrowed, whole[start]["seq"], expected)


@check(Needs.SANDBOX)
def coverage_equals_the_journal(api: Api) -> None:
    """What the coverage counts is what the journal holds of each operation, status and problem."""
    whole = _whole(api, _exercise(api))
    counts: Counter[tuple[str, str]] = Counter()
    for entry in whole:
        name = entry["operation_id"]
        if name is None:
            continue
        counts["operation", name] += 1
        counts["status", f"{name} {entry['status']}"] += 1
        if entry["code"]:
            counts["problem", f"{name} {entry['status']} {entry['code']}"] += 1

    def agrees(response: ReceivedResponse) -> bool:
        return not list(_differences(response, counts))

    for query in ("?provider=true", "", *(f"?operation={name}" for name in _service(api))):
        response = api.get_until(f"/sandbox/coverage{query}", agrees)
        must_be(response, 200, when="the coverage is read")
        for name, counted, expected in _differences(response, counts):
            must(
                False,
                f"The coverage counts {counted} of {name}, but the journal holds {expected}.",
                response,
            )
        items = response.json()["items"]
        covered = sum(item["exchanges"] > 0 for item in items)
        share = floor(1000 * covered / len(items)) / 10
        must(
            response.json()["percent"] == share,
            f"{covered} of {len(items)} items are {share} %, "
            f"but the coverage says {response.json()['percent']}.",
            response,
        )
        _must_offer(api, query, {(item["kind"], item["name"]) for item in items}, response)


@check(Needs.SANDBOX)
def closed_streams_make_room(api: Api) -> None:
    """However few streams a key may follow at once, one that was closed counts no more."""
    api.waits = False
    for number in range(STREAMS):
        for _ in range(STREAM_ATTEMPTS):
            opened = api.follow(f"{JOURNAL}/stream", lambda body: b"event: ready" in body)
            if opened.status != 429:
                break
            # It may not have noticed yet that a client has gone, or it limits all requests.
            clock.sleep(retry_after(opened))
        must_be(opened, 200, when=f"{number} streams of a key were opened and closed before")


@check(Needs.SANDBOX)
def stream_tells_what_happens_meanwhile(api: Api) -> None:
    """A stream that is open tells each exchange when it has ended, once and in order."""
    # The provider of a call would be told of too.
    api.stop_clock()
    requests = iter(
        (api.new_call("busy"), {}, api.new_call("answered"), {**api.new_call(), "a": 1})
    )
    sent: list[str] = []

    def holds(body: bytes) -> bool:
        if b"event: ready" not in body or not all(one.encode() in body for one in sent):
            return False
        request = next(requests, None)
        if request is not None:
            sent.append(api.post(CALLS_PATH, request).values("x-request-id")[0])
        return request is None

    response = api.follow(f"{JOURNAL}/stream", holds)
    events = [_event(block) for block in response.body.decode().split("\n\n") if "data:" in block]
    told = [json.loads(one["data"]) for one in events if one["event"] == "exchange"]
    found = [one["request_id"] for one in told]
    must(
        found == sent,
        f"A stream must tell the {len(sent)} exchanges that ended while it was open, in order, "
        f"but it tells {len(found)}.",
        response,
    )
    _must_stream(api, "", events[0]["id"], told)
    for one in told:
        detail = _detail(api, one["request_id"])
        must(
            all(detail[name] == value for name, value in one.items()),
            "An event of the stream must say what the exchange says when it is read.",
            response,
        )


@check(Needs.SANDBOX)
def secrets_and_numbers_appear_nowhere(api: Api) -> None:
    """No view of the journal shows a key or a whole phone number, wherever it was sent."""
    secret = api.key
    planted = [
        SentRequest("GET", f"/v1/agents?access_token={secret}", _signed(api)),
        SentRequest("GET", f"/v1/agents?x={quote(_PHONES[0])}", _signed(api)),
        SentRequest("GET", f"/v1/{secret}", _signed(api)),
        SentRequest("GET", "/v1/agents", (*_signed(api), ("Cookie", f"session={secret}"))),
        SentRequest("GET", "/v1/agents", (*_signed(api), ("X-Api-Key", secret))),
        SentRequest("GET", "/v1/agents", (*_signed(api), ("X-Note", f"a {secret} b"))),
        SentRequest("GET", "/v1/agents", (*_signed(api), ("X-Caller", _PHONES[0]))),
    ]
    bodies: list[Any] = [{**api.new_call(), "phone": phone} for phone in _PHONES]
    bodies += [{**api.new_call(), secret: 1}, {**api.new_call(), "agent": secret}]
    for sent in planted:
        api.send(sent)
    for body in bodies:
        sent = SentRequest("POST", CALLS_PATH, (*_signed(api), JSON), json.dumps(body).encode())
        # The digits of a random key may look like a number to call.
        if api.target.guard.allows(sent):
            api.send(sent)
    api.create("never_completes")
    for text in (f"my key is {secret}", f"call {_PHONES[0]} again"):
        api.complete(transcript=text)
    sent_by_id = {
        response.values("x-request-id")[0]: response
        for response in api.exchanges
        if _is_kept(response)
    }
    whole = _whole(api, sent_by_id)
    views = [api.get(WHOLE), api.get(f"{JOURNAL}/har")]
    views += [api.get(f"/sandbox/exchanges/{entry['request_id']}") for entry in whole]
    for view in views:
        shown = view.body.decode()
        must(secret not in shown, "A view of the journal shows a key.", view)
        digits = "".join(one for one in shown if one not in " -()+")
        for phone in _PHONES:
            number = phone.replace(" ", "").replace("-", "").removeprefix("+")
            must(number not in digits, f"A view of the journal shows the number {phone}.", view)
    for response in sent_by_id.values():
        if response.status >= 400:
            must(secret not in response.body.decode(), "A problem repeats a key.", response)


# Exchanges of every kind


def _exercise(api: Api) -> dict[str, ReceivedResponse]:
    """Exchanges that differ in everything by which they can be found: request id → response."""
    first = len(api.exchanges)
    note = ("X-Note", "zebra in a header")
    key = ("Idempotency-Key", "of-the-journal")
    api.stop_clock()
    api.get("/v1/agents", note)
    call_id = api.create("never_completes", key)
    api.post(CALLS_PATH, api.new_call("never_completes"), key)
    api.post(CALLS_PATH, api.new_call("busy"), key)
    api.post(CALLS_PATH, {}, note)
    api.post_bytes(CALLS_PATH, b'{"agent": zebra', JSON)
    api.post_bytes(CALLS_PATH, b"{}", ("Content-Type", "text/plain"))
    api.get(f"{CALLS_PATH}/{call_id}?note=zebra%20in%20a%20query&blank=&note=2")
    api.get(f"{CALLS_PATH}/{call_id.upper()}")
    api.get("/v1/no-such-zebra")
    api.send(SentRequest("DELETE", f"{CALLS_PATH}/{call_id}", _signed(api)))
    api.head("/v1/agents")
    api.complete(transcript="agent: Zebra, é 🙂 Сүйлөшүү\nuser: ok", duration=3)
    api.complete(transcript="agent: other", duration=3)
    api.post(WEBHOOK_PATH, api.completion_of_nothing())
    api.complete(status="no-such-word")
    api.create("no_answer")
    api.create("answered")
    api.get("/v1/agents", ("Prefer", "code=503"))
    api.create("long_talk")
    api.complete(transcript="x" * KEPT_CHARACTERS, duration=1)
    long = api.create("long_talk")
    api.complete(transcript="é" * (2 * KEPT_CHARACTERS), duration=1)
    api.read(long)
    api.post("/sandbox/clock", {"until": "idle"})
    return {
        response.values("x-request-id")[0]: response
        for response in api.exchanges[first:]
        if _is_kept(response)
    }


def _is_kept(response: ReceivedResponse) -> bool:
    """Whether the journal keeps an exchange: not what a limit of requests holds back."""
    return response.sent.target.startswith("/v1") and response.status != 429


def _whole(api: Api, sent: dict[str, ReceivedResponse]) -> list[Any]:
    """All that the journal holds, the newest first, once it holds everything that was sent."""

    def is_there(response: ReceivedResponse) -> bool:
        found = {entry["request_id"] for entry in response.json()["exchanges"]}
        return set(sent) <= found

    if api.target.listed_keys or not is_there(api.get(WHOLE)):
        # Another worker writes its part a little later, that of an earlier check too.
        clock.sleep(JOURNAL_SECONDS / 2)
    response = api.get_until(WHOLE, is_there)
    must(is_there(response), "The journal must hold every exchange of its key.", response)
    exchanges: list[Any] = response.json()["exchanges"]
    return exchanges


def _detail(
    api: Api, request_id: str, holds: Callable[[dict[str, Any]], bool] = lambda detail: True
) -> dict[str, Any]:
    """One exchange as it is read, once something holds of it.

    A worker knows at once what it has answered, and a little later what another one has.
    """
    response = api.get_until(
        f"/sandbox/exchanges/{request_id}",
        lambda read: read.status == 200 and holds(read.json()),
    )
    must_be(response, 200, when="an exchange that the journal lists is read")
    detail: dict[str, Any] = response.json()
    return detail


def _signed(api: Api) -> tuple[tuple[str, str], ...]:
    return (("Authorization", f"Bearer {api.key}"),)


def _service(api: Api) -> Iterator[str]:
    yield from api.target.contract.operations


# Comparing


def _must_tell(api: Api, entry: Any, response: ReceivedResponse) -> None:
    """A line of the journal says of an exchange what both sides know of it."""
    operation = api.target.service.operation_of(response)
    expected = {
        "method": response.sent.method,
        "path": response.sent.target,
        "operation_id": None if operation is None else operation.operation_id,
        "status": response.status,
        "code": problem_code(response) or None if response.status >= 400 else None,
        "sender": "integrator",
        "replayed": bool(response.values("idempotent-replayed")),
    }
    for name, value in expected.items():
        must(
            entry[name] == value,
            f"The journal says of {response.sent.method} {response.sent.target[:60]} that its "
            f"{name} is {str(entry[name])[:60]}, but it is {str(value)[:60]}.",
            api.last(),
        )
    if response.status == 201:
        must(
            entry["call_id"] == response.json()["call_id"],
            "The journal must name the call that an exchange created.",
            api.last(),
        )


def _must_hold(api: Api, detail: Any, response: ReceivedResponse) -> None:
    """An exchange holds the headers and the beginnings of the bodies, redacted."""
    for side, sent_body, headers in (
        ("request", response.sent.body or b"", response.sent.headers),
        ("response", response.body, response.headers),
    ):
        found = detail[side]
        text = sent_body.decode("utf-8", "replace")
        if side == "request" and not _is_read(response):
            continue
        if side == "response" and response.sent.method == "HEAD":
            continue  # the journal keeps what a GET would have returned
        must(
            found["body_bytes"] == len(sent_body),
            f"The {side} had {len(sent_body)} bytes, but the journal says {found['body_bytes']}.",
            api.last(),
        )
        must(
            found["truncated"] == (len(text) > KEPT_CHARACTERS),
            f"A {side} of {len(text)} characters is shown with truncated: {found['truncated']}.",
            api.last(),
        )
        must(
            found["body"] == text[:KEPT_CHARACTERS],
            f"The journal shows another body of the {side} than there was.",
            api.last(),
        )
        shown = dict(found["headers"])
        for name, value in headers:
            if name.lower() in ("content-type", "x-note", "prefer", "location", "allow"):
                must(
                    shown.get(name.lower()) == value,
                    f"The journal must show {name}: {value} of the {side}.",
                    api.last(),
                )


def _is_read(response: ReceivedResponse) -> bool:
    """Whether a body was read before the response was decided."""
    preferred = any(name == "Prefer" for name, _ in response.sent.headers)
    return response.status not in (401, 405, 413, 415) and not preferred


def _filters(
    whole: list[Any], details: dict[str, Any]
) -> Iterator[tuple[str, Callable[[Any], bool]]]:
    """Each filter with each value that occurs, and one that does not."""

    def by(name: str, value: Any) -> Callable[[Any], bool]:
        return lambda entry: bool(entry[name] == value)

    for name in dict.fromkeys(entry["operation_id"] or "nothing" for entry in whole):
        yield f"operation={name}", by("operation_id", name)
    for status in sorted({entry["status"] for entry in whole} | {418}):
        yield f"status={status}", by("status", status)
    for digit in range(1, 6):
        yield f"status={digit}xx", partial(_has_class, digit)
    for call_id in dict.fromkeys(entry["call_id"] for entry in whole if entry["call_id"]):
        yield f"call_id={call_id}", by("call_id", call_id)
        yield f"call_id={call_id.upper()}", by("call_id", call_id)
    for instant in sorted({entry["at"] for entry in whole})[::4]:
        yield f"since={instant}", partial(_is_since, instant)
        yield f"until={instant}", partial(_is_before, instant)
    for text in (
        "zebra",
        "ZEBRA",
        "Zebra in a query",
        "zebra%20in",
        "Сүйлөшүү",
        "сүйлөшүү",
        "🙂",
        "call_already_ended",
        "no such",
        "503",
    ):
        yield f"text={quote(text)}", partial(_reads, details, text)


def _has_class(digit: int, entry: Any) -> bool:
    return bool(entry["status"] // 100 == digit)


def _is_since(instant: str, entry: Any) -> bool:
    return bool(entry["at"] >= instant)


def _is_before(instant: str, entry: Any) -> bool:
    return bool(entry["at"] < instant)


def _reads(details: dict[str, Any], text: str, entry: Any) -> bool:
    """Whether a text stands in path, headers, bodies or explanation, in any case of letters."""
    detail = details[entry["request_id"]]
    words = [str(value) for value in entry.values() if isinstance(value, str | int)]
    words.append(unquote_plus(entry["path"]))
    for side in ("request", "response"):
        words.append(detail[side]["body"])
        words += [f"{name}: {value}" for name, value in detail[side]["headers"]]
    return text.casefold() in "\n".join(words).casefold()


def _must_list(api: Api, query: str, expected: list[Any]) -> None:
    response = api.get(f"{WHOLE}&{query}")
    must_be(response, 200, when=f"the journal is searched by {query[:60]}")
    found = response.json()["exchanges"]
    missing = [entry for entry in expected if entry not in found]
    surplus = [entry for entry in found if entry not in expected]
    must(
        found == expected,
        f"The journal by {query[:80]} must hold {len(expected)} exchanges, but it holds "
        f"{len(found)}: {len(missing)} are missing, {len(surplus)} do not fit.",
        response,
    )


def _by_provider(response: ReceivedResponse) -> list[Any]:
    return [one for one in response.json()["exchanges"] if one["sender"] == "provider"]


def _archived(detail: Any) -> tuple[Any, ...]:
    return (
        detail["at"],
        detail["method"],
        detail["path"],
        detail["status"],
        detail["duration_ms"],
        detail["request"]["body"],
        detail["request"]["body_bytes"],
        detail["response"]["body"],
        detail["response"]["body_bytes"],
        detail["request"]["headers"],
        detail["response"]["headers"],
        detail["why"] or "",
        parse_qsl(detail["path"].partition("?")[2], keep_blank_values=True),
        HTTPStatus(detail["status"]).phrase,
        detail["response"]["body_bytes"],
        *(
            next((value for name, value in detail[side]["headers"] if name == "content-type"), "")
            for side in ("request", "response")
        ),
    )


def _of_archive(entry: Any) -> tuple[Any, ...]:
    request, response = entry["request"], entry["response"]
    return (
        entry["startedDateTime"],
        request["method"],
        "/" + request["url"].split("/", 3)[3],
        response["status"],
        entry["time"],
        request["postData"]["text"],
        request["bodySize"],
        response["content"]["text"],
        response["bodySize"],
        [[pair["name"], pair["value"]] for pair in request["headers"]],
        [[pair["name"], pair["value"]] for pair in response["headers"]],
        entry["comment"],
        [(pair["name"], pair["value"]) for pair in request["queryString"]],
        response["statusText"],
        response["content"]["size"],
        request["postData"]["mimeType"],
        response["content"]["mimeType"],
    )


def _must_stream(api: Api, narrowed: str, after: str, expected: list[Any]) -> None:
    last = expected[-1]["seq"].encode()
    response = api.follow(
        f"{JOURNAL}/stream{narrowed}",
        lambda body: body.endswith(b"\n\n") and b"id: " + last in body,
        ("Last-Event-ID", after),
    )
    must_be(response, 200, when="the journal is followed")
    events = [_event(block) for block in response.body.decode().split("\n\n") if "data:" in block]
    schema = api.target.control_contract.operations["streamJournal"].success.schema
    assert schema is not None
    validator = Validator(api.target.control_contract, schema)
    for event in events:
        must(validator.is_valid(event), "An event of the stream breaks the contract.", response)
    must(events[0]["event"] == "ready", "A stream must begin with the event ready.", response)
    told = [event for event in events if event["event"] == "exchange"]
    must(
        [event["id"] for event in told] == [entry["seq"] for entry in expected],
        f"A stream that goes on after an exchange must tell {len(expected)} later ones in order, "
        f"but it tells {len(told)}.",
        response,
    )
    for event, entry in zip(told, expected, strict=True):
        detail = _detail(api, entry["request_id"])
        plain = {
            name: value
            for name, value in detail.items()
            if name not in ("curl", "javascript", "pytest")
        }
        must(
            json.loads(event["data"]) == plain,
            "An event of the stream must say what the exchange says when it is read.",
            response,
        )


def _event(block: str) -> dict[str, str]:
    lines = (line.partition(": ") for line in block.split("\n") if not line.startswith(":"))
    return {name: value for name, _, value in lines if name}


def _differences(
    response: ReceivedResponse, counts: Counter[tuple[str, str]]
) -> Iterator[tuple[str, int, int]]:
    for item in response.json()["items"]:
        expected = counts[item["kind"], item["name"]]
        if item["kind"] != "scenario" and item["exchanges"] != expected:
            yield item["name"], item["exchanges"], expected


def _must_offer(
    api: Api, query: str, found: set[tuple[str, str]], response: ReceivedResponse
) -> None:
    """The items are those of the contract: nothing is left out, so nothing is covered by that."""
    expected: set[tuple[str, str]] = set()
    for operation in api.target.contract.operations.values():
        if f"={operation.operation_id}" in query or query == "?provider=true":
            expected |= _items(operation)
    missing = expected - found
    must(not missing, f"The coverage leaves out {sorted(missing)[:3]}.", response)


def _items(operation: Operation) -> set[tuple[str, str]]:
    name = operation.operation_id
    items = {("operation", name)}
    for status, documented in operation.responses.items():
        items.add(("status", f"{name} {status}"))
        if status >= 400:
            items |= {("problem", f"{name} {status} {code}") for code in documented.examples}
    return items
