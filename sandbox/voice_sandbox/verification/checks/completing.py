"""How calls go on and end: states, completions by the provider and by hand, and what is kept."""

from __future__ import annotations

import re
from typing import Final

import orjson

from voice_sandbox import clock
from voice_sandbox.verification.api import JSON, Api
from voice_sandbox.verification.check import Needs, check
from voice_sandbox.verification.finding import (
    difference,
    must,
    must_be,
    must_be_invalid,
    must_be_malformed,
)
from voice_sandbox.verification.guard import CALLS_PATH, WEBHOOK_PATH
from voice_sandbox.verification.http1 import SentRequest

UNANSWERED: Final = ("no_answer", "busy", "canceled")
FINAL_STATUSES: Final = (*UNANSWERED, "completed", "failed")
TEXTS: Final = (
    "agent: Hello\nuser: Hi",
    "user: 🙂👩‍👩‍👧‍👦🇰🇬 é e\u0301",
    "agent: Саламатсызбы! Ңң Өө Үү",
    "user: مرحبا \u202eשלום\u202c",
    "user: \"quoted\" 'single' \\ back / slash",
    "user: </script><img src=x onerror=alert(1)> &amp; &lt;",
    "user: \u2028 \u2029 \u0085 \u00a0 \ufeff \ufffd",
    "user: tab\t cr\r\n lf\n\x01\x1f\x7f",
    "  spaces around  \n",
    "'; DROP TABLE calls; --",
    "%s %n {0} ${HOME} $(id) `id`",
    "null",
    "0",
    'user: "' + "[{" * 60 + '\\"]',
)


@check(Needs.SANDBOX)
def call_goes_through_its_states(api: Api) -> None:
    """An answered call is queued, ringing, in_progress and completed, in this order."""
    started, call_id = clock.monotonic(), api.create()
    seen: list[str] = []
    for seconds in (0, 1, 1, 1, 2, 2, 2, 2):
        api.advance(seconds)
        call = api.read(call_id)
        if not seen or seen[-1] != call["status"]:
            seen.append(call["status"])
        if call["status"] not in FINAL_STATUSES:
            must(
                call["transcript"] is None and call["duration"] is None,
                "Transcript and duration must be null until the call has ended.",
                api.last(),
            )
    whole = ["queued", "ringing", "in_progress", "completed"]
    if clock.monotonic() - started > 0.9:  # a state may pass between two slow responses
        whole = [status for status in whole if status in seen or status == "completed"]
    must(
        seen == whole,
        "An answered call must go from queued over ringing and in_progress to completed, "
        f"but it went {' → '.join(seen)}.",
        api.last(),
    )


@check(Needs.SANDBOX)
def end_arrives_whole(api: Api) -> None:
    """Status, transcript and duration of a finished call are there together, as they were."""
    call_id = api.create()
    api.advance(60)
    call = api.read(call_id)
    delivered = api.inspect(call_id)["deliveries"][0]["payload"]
    must(
        call["status"] == "completed",
        f"A minute after it was created the call must be completed, but it is {call['status']}.",
        api.exchanges[-2],
    )
    must(
        call["transcript"] == delivered["transcript"],
        "The transcript is not the one that the provider delivered.",
        api.exchanges[-2],
    )
    must(
        call["duration"] == delivered["duration"] == 5,
        "The duration must be the whole seconds from answer to hang-up, "
        f"5 here, but it is {call['duration']}.",
        api.exchanges[-2],
    )


@check(Needs.SANDBOX)
def every_outcome_can_be_triggered(api: Api) -> None:
    """Each scenario ends the call as its number says."""
    expected = {
        "answered": "completed",
        "long_talk": "completed",
        "voicemail": "completed",
        "silence": "completed",
        "empty_transcript": "completed",
        "longest_transcript": "completed",
        "no_answer": "no_answer",
        "busy": "busy",
        "rejected": "busy",
        "invalid_number": "failed",
        "canceled": "canceled",
        "dropped": "failed",
        "never_completes": "in_progress",
        "delivered_twice": "completed",
        "delivered_late": "completed",
        "conflicting": "completed",
        "before_ringing": "completed",
        "unknown_word": "completed",
    }
    calls = {scenario: api.create(scenario) for scenario in expected}
    api.advance(300)
    for scenario, status in expected.items():
        call = api.read(calls[scenario])
        must(
            call["status"] == status,
            f"A call to the number of {scenario} must end as {status}, but it is {call['status']}.",
            api.last(),
        )
        if status in UNANSWERED:
            must(
                call["transcript"] is None and call["duration"] == 0,
                f"A call that ends as {status} must have no transcript and last no time.",
                api.last(),
            )


@check(Needs.SANDBOX)
def completion_by_hand_ends_the_newest_call(api: Api) -> None:
    """In the sandbox the reference page's payload completes the newest call, and no other."""
    older, newer = api.create("never_completes"), api.create()
    response = api.complete(transcript="agent: By hand\nuser: Yes", duration=77)
    must_be(response, 200, when="the newest call is completed by hand")
    must(response.json() == {"received": True}, "A completion must be received.", response)
    must(
        api.read(newer)
        == {
            "call_id": newer,
            "status": "completed",
            "transcript": "agent: By hand\nuser: Yes",
            "duration": 77,
        },
        "A completion got 200, but the call does not show its result.",
        api.last(),
    )
    must(
        api.is_open(older),
        "A completion of the newest call changed an older one.",
        api.last(),
    )


@check(Needs.SANDBOX)
def every_call_keeps_its_own_result(api: Api) -> None:
    """Ten calls that end differently are each read back as they ended."""
    results: dict[str, tuple[str, int]] = {}
    for number in range(10):
        results[api.create()] = (f"agent: {number}", 10 + number)
        text, seconds = f"agent: {number}", 10 + number
        must_be(api.complete(transcript=text, duration=seconds), 200, when="a call is completed")
    for call_id, (text, seconds) in results.items():
        call = api.read(call_id)
        must(
            (call["call_id"], call["transcript"], call["duration"]) == (call_id, text, seconds),
            "Another call's result was returned than was asked for.",
            api.last(),
        )


@check(Needs.SANDBOX)
def call_id_is_read_in_any_case(api: Api) -> None:
    """A `call_id` in capitals names the same call, and is written in lower case."""
    call_id = api.create()
    must(
        api.read(call_id.upper())["call_id"] == call_id,
        "The service must write a call_id in lower case.",
        api.last(),
    )


@check(Needs.SANDBOX)
def repeated_completion_changes_nothing(api: Api) -> None:
    """The same completion again is 200 and changes nothing, another word for it included."""
    call_id = api.create()
    must_be(api.complete(), 200, when="a call is completed")
    before = api.read(call_id)
    for changes in ({}, {"status": "ended"}, {"duration": 120.0}):
        must_be(api.complete(**changes), 200, when="the same completion arrives again")
    must(api.read(call_id) == before, "A repeated completion changed the call.", api.last())


@check(Needs.SANDBOX)
def first_result_stands(api: Api) -> None:
    """A different completion of a finished call is 409 `call_already_ended` and changes nothing."""
    call_id = api.create()
    must_be(api.complete(), 200, when="a call is completed")
    before = api.read(call_id)
    for changes in (
        {"duration": 121},
        {"transcript": "agent: Other"},
        {"transcript": None},
        {"status": "failed"},
        {"status": "busy"},
    ):
        response = api.complete(**changes)
        must_be(response, 409, "call_already_ended", when="a finished call gets another result")
        must(
            api.read(call_id) == before,
            "A completion that was rejected changed the call.",
            api.last(),
        )


@check(Needs.SANDBOX)
def one_of_many_completions_wins(api: Api) -> None:
    """Of ten different completions at the same moment one is saved, and nine are 409."""
    call_id = api.create()
    headers = (("Authorization", f"Bearer {api.key}"), JSON)
    bodies = [orjson.dumps(api.completion(duration=100 + number)) for number in range(10)]
    responses = api.send_at_once(
        [SentRequest("POST", WEBHOOK_PATH, headers, body) for body in bodies]
    )
    winners = [number for number, response in enumerate(responses) if response.status == 200]
    must(
        len(winners) == 1,
        f"Of ten different completions at once one must be received, but {len(winners)} were.",
        responses[0],
    )
    for response in responses:
        if response.status != 200:
            must_be(response, 409, "call_already_ended", when="a completion comes second")
    must(
        api.read(call_id)["duration"] == 100 + winners[0],
        "The completion that was received is not the one that was saved.",
        api.last(),
    )


@check(Needs.SANDBOX)
def calls_are_not_cached(api: Api) -> None:
    """No response about a call may be kept by a cache: the call goes on."""
    response = api.get(f"{CALLS_PATH}/{api.create()}")
    said = (response.header("cache-control") or "").lower()
    must(
        not re.search(r"public|immutable|(max-age|s-maxage)=[1-9]", said)
        and not response.values("expires"),
        f"A call that goes on must not be cached, but Cache-Control is {said!r}.",
        response,
    )


@check(Needs.SANDBOX)
def transcript_with_a_provider_id_is_rejected(api: Api) -> None:
    """A transcript that names the provider's id could never be shown: 422 at `/transcript`."""
    call_id = api.create("never_completes")
    reference = api.inspect(call_id)["provider_call_id"]
    response = api.complete(transcript=f"agent: Your call is {reference}")
    must_be_invalid(response, "/transcript", when="a transcript names the provider's id")
    must(api.is_open(call_id), "A rejected body ended the call.", api.last())


@check(Needs.SANDBOX)
def provider_ends_a_call_on_demand(api: Api) -> None:
    """`POST /sandbox/calls/{call_id}/end` ends that call as it says, and drops what was planned."""
    older, newer = api.create("conflicting"), api.create("never_completes")
    ending = {"status": "dropped", "transcript": "agent: Hel", "duration": 3}
    response = api.post(f"/sandbox/calls/{older}/end", ending)
    must_be(response, 200, when="the provider ends a call on demand")
    expected = {"call_id": older, "status": "failed", "transcript": "agent: Hel", "duration": 3}
    must(api.read(older) == expected, "A call did not end as was demanded.", api.last())
    must(api.is_open(newer), "Another call ended as well.", api.last())
    api.advance(120)
    must(api.read(older) == expected, "A finished call changed when time went on.", api.last())
    response = api.post(f"/sandbox/calls/{older}/end", {**ending, "duration": 4})
    must_be(
        response, 409, "call_already_ended", when="a call that has ended is ended in another way"
    )


@check(Needs.SANDBOX)
def finished_calls_stay_finished(api: Api) -> None:
    """Nothing that the provider still planned changes a call that was completed by hand."""
    for status in ("completed", "busy", "failed"):
        call_id = api.create("conflicting")
        must_be(api.complete(status=status), 200, when=f"a queued call is completed as {status}")
        before = api.read(call_id)
        api.advance(120)
        must(
            api.read(call_id) == before,
            "A finished call changed when time went on.",
            api.last(),
        )


@check(Needs.SANDBOX)
def answered_calls_cannot_go_unanswered(api: Api) -> None:
    """A call that is in_progress ends as completed or failed: anything else is 409."""
    call_id = api.create("never_completes")
    api.advance(10)
    must(
        api.read(call_id)["status"] == "in_progress",
        "Ten seconds after it was created a call that is answered must be in_progress.",
        api.last(),
    )
    for status in ("busy", "no-answer", "rejected", "timeout", "canceled", "cancelled"):
        response = api.complete(status=status, transcript=None, duration=0)
        must_be(
            response, 409, "impossible_outcome", when=f"a call in_progress is completed as {status}"
        )
    must_be(
        api.complete(status="dropped", transcript="agent: Hel", duration=4),
        200,
        when="a call in_progress breaks off",
    )
    must(
        api.read(call_id)
        == {"call_id": call_id, "status": "failed", "transcript": "agent: Hel", "duration": 4},
        "A call that broke off must be failed, with what was said until then.",
        api.last(),
    )


@check(Needs.SANDBOX)
def completion_skips_forward(api: Api) -> None:
    """A completion may arrive while the call is still queued or ringing."""
    for seconds, status in ((0, "queued"), (1.5, "ringing")):
        call_id = api.create("never_completes")
        api.advance(seconds)
        must(api.is_open(call_id), f"The call must be {status}.", api.last())
        must_be(api.complete(), 200, when=f"a call that is {status} is completed")
        must(
            api.read(call_id)["status"] == "completed",
            "A completion got 200, but the call does not show its result.",
            api.last(),
        )


@check(Needs.SANDBOX)
def words_of_the_provider_are_normalized(api: Api) -> None:
    """Every word of the provider is saved as the status that the contract's table gives it."""
    for word, status in api.target.catalogue.normalized_status.items():
        call_id = api.create()
        must_be(
            api.complete(status=word, transcript="agent: Hello", duration=7),
            200,
            when=f"a queued call is completed as {word}",
        )
        unanswered = status in UNANSWERED
        must(
            api.read(call_id)
            == {
                "call_id": call_id,
                "status": status,
                "transcript": None if unanswered else "agent: Hello",
                "duration": 0 if unanswered else 7,
            },
            f"The provider's status {word} must be saved as {status}"
            + (", without transcript and duration." if unanswered else ", with what was said."),
            api.last(),
        )


@check(Needs.SANDBOX)
def unknown_word_ends_no_call(api: Api) -> None:
    """A word of the provider that the contract does not list is 422 and ends no call."""
    call_id = api.create("never_completes")
    for word in ("hung-up-somehow", "Completed", "in_progress", ""):
        response = api.complete(status=word)
        must_be(response, 422, "validation_failed", when=f"the provider says {word!r}")
    must(api.is_open(call_id), "A rejected word ended the call.", api.last())


@check(Needs.SANDBOX)
def completion_needs_every_field(api: Api) -> None:
    """A completion without one of its fields is 422, points at the field and ends no call."""
    call_id = api.create("never_completes")
    whole = api.completion()
    for field in whole:
        response = api.post(WEBHOOK_PATH, {k: v for k, v in whole.items() if k != field})
        must_be(response, 422, "validation_failed", when=f"a completion has no {field}")
    response = api.post(WEBHOOK_PATH, {**whole, "surplus": 1})
    must_be(response, 422, "validation_failed", when="a completion has an unknown field")
    must(api.is_open(call_id), "A rejected body ended the call.", api.last())


@check(Needs.SANDBOX)
def text_survives_the_round_trip(api: Api) -> None:
    """A transcript is returned character by character as it arrived."""
    for text in TEXTS:
        call_id = api.create()
        must_be(api.complete(transcript=text), 200, when="a transcript holds unusual characters")
        found = api.read(call_id)["transcript"]
        must(
            found == text,
            f"A transcript must survive the round trip: {difference(text, str(found))}.",
            api.last(),
        )


@check(Needs.SANDBOX)
def longest_transcript_survives(api: Api) -> None:
    """The longest transcript is returned whole, in every alphabet."""
    longest = api.target.catalogue.longest_transcript
    for character in ("x", "ң", "🙂"):
        call_id = api.create()
        response = api.complete(transcript=character * longest)
        must_be(response, 200, when=f"the transcript is {longest} times {character!a}")
        must(
            api.read(call_id)["transcript"] == character * longest,
            "The longest transcript was not returned whole.",
            api.last(),
        )


@check(Needs.SANDBOX)
def escapes_are_read(api: Api) -> None:
    """A text in escapes is the same text, surrogate pairs included."""
    call_id = api.create()
    body = orjson.dumps(api.completion(transcript="@@")).replace(
        b"@@", b"\\u0441\\ud83d\\ude42\\/\\n"
    )
    must_be(api.post_bytes(WEBHOOK_PATH, body, JSON), 200, when="a transcript is escaped")
    must(
        api.read(call_id)["transcript"] == "с🙂/\n",
        "A transcript in escapes was read as another text.",
        api.last(),
    )


@check(Needs.SANDBOX)
def empty_transcript_is_null(api: Api) -> None:
    """An empty transcript is saved as null."""
    call_id = api.create()
    must_be(api.complete(transcript=""), 200, when="the transcript is empty")
    must(
        api.read(call_id)["transcript"] is None,
        "An empty transcript must be saved as null.",
        api.last(),
    )


@check(Needs.SANDBOX)
def durations_are_kept(api: Api) -> None:
    """Every duration from 0 to a day is returned as the integer that arrived."""
    for seconds in (0, 1, 59, 60, 3600, 86400):
        call_id = api.create()
        must_be(api.complete(duration=seconds), 200, when=f"the duration is {seconds}")
        must(
            api.read(call_id)["duration"] == seconds,
            f"The duration {seconds} was stored as {api.last().json()['duration']}.",
            api.last(),
        )


@check(Needs.SANDBOX)
def whole_numbers_are_integers(api: Api) -> None:
    """`12.0` and `1.2e1` are the integer 12 (JSON Schema 2020-12) and are returned as `12`."""
    for numeral in (b"12.0", b"1.2e1", b"12e0", b"1200e-2"):
        call_id = api.create()
        body = orjson.dumps(api.completion(duration=1)).replace(
            b'"duration":1', b'"duration":' + numeral
        )
        when = f"the duration is {numeral.decode()}"
        must_be(api.post_bytes(WEBHOOK_PATH, body, JSON), 200, when=when)
        response = api.get(f"{CALLS_PATH}/{call_id}")
        must(
            b'"duration":12}' in response.body.replace(b" ", b"").replace(b"\n", b"")
            or b'"duration":12,' in response.body.replace(b" ", b""),
            f"When {when}, it must be returned as 12.",
            response,
        )


@check(Needs.SANDBOX)
def completion_that_is_not_strict_json_ends_no_call(api: Api) -> None:
    """A completion that is not strict JSON is 400 and ends no call."""
    call_id = api.create("never_completes")
    good = orjson.dumps(api.completion())
    for body in (
        good.replace(b"{", b'{"status":"busy",', 1),
        good.replace(b'"duration":120', b'"duration":NaN'),
        good.replace(b"Hello", b"Hello \xff"),
        good.replace(b"Hello", b"Hello \\ud800"),
        b"\xef\xbb\xbf" + good,
        good + b"{}",
        good.replace(b'"completed",', b'"completed",,'),
        good[:-1] + b",}",
        good.replace(b'"', b"'"),
        good.decode().encode("utf-16"),
    ):
        must_be_malformed(
            api.post_bytes(WEBHOOK_PATH, body, JSON),
            when="a completion is not strict JSON",
        )
    must(api.is_open(call_id), "A rejected body ended the call.", api.last())


@check(Needs.SANDBOX)
def provider_is_never_named(api: Api) -> None:
    """Neither the provider's id nor its words for an outcome are in a response of the service."""
    call_id = api.create("no_answer")
    reference = api.inspect(call_id)["provider_call_id"]
    responses = [
        api.get(f"{CALLS_PATH}/{call_id}"),
        api.post(WEBHOOK_PATH, api.completion(provider_call_id=reference, status="timeout")),
        api.get(f"{CALLS_PATH}/{call_id}"),
        api.post(WEBHOOK_PATH, api.completion(provider_call_id=reference)),
        api.post(WEBHOOK_PATH, api.completion(provider_call_id=reference[:-1])),
        api.get(f"{CALLS_PATH}/{reference}"),
    ]
    for response in responses:
        everything = response.body + str(response.headers).encode()
        must(
            reference.encode() not in everything and b"timeout" not in everything,
            "A response of the service names the provider's id or word.",
            response,
        )


@check(Needs.SANDBOX)
def completion_by_the_provider_id_ends_that_call(api: Api) -> None:
    """A completion with the provider's id of a call ends that call, not the newest."""
    older, newer = api.create(), api.create("never_completes")
    reference = api.inspect(older)["provider_call_id"]
    must_be(api.complete(provider_call_id=reference), 200, when="an older call is completed")
    must(
        api.read(older)["status"] == "completed" and api.is_open(newer),
        "A completion ended another call than its provider_call_id names.",
        api.last(),
    )


@check(Needs.SANDBOX)
def every_delivery_gets_a_documented_response(api: Api) -> None:
    """The provider's own deliveries meet the same rules: 200, 200 again, 409, 422."""
    expected = {
        "delivered_twice": [200, 200],
        "conflicting": [200, 409],
        "unknown_word": [422, 200],
    }
    calls = {scenario: api.create(scenario) for scenario in expected}
    api.advance(60)
    for scenario, statuses in expected.items():
        found = [one["answered"] for one in api.inspect(calls[scenario])["deliveries"]]
        must(
            found == statuses,
            f"The deliveries of {scenario} must be answered {statuses}, but were {found}.",
            api.last(),
        )
