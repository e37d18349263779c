"""Faults of the control API, written after the checks that generate their requests."""

import re
from collections.abc import Callable
from typing import Any

from fault_injection import FaultInjector, FaultyRequest, FaultyResponse
from faults.altering import CALLS, token_of
from faults.rows import (
    Alter,
    as_fault,
    read_body,
    read_header,
    respond,
    shown,
)

_JOURNAL, _EXCHANGE, _CLOCK = "/sandbox/journal", "/sandbox/exchanges/[^/]+", "/sandbox/clock"
_INSPECTED, _COVERAGE = "/sandbox/calls/[^/]+", "/sandbox/coverage"


def listed(change: Callable[[list[Any]], Any]) -> Alter:
    """A search of the journal returns other exchanges."""

    def alter(value: Any) -> None:
        changed = change(value["exchanges"])
        if isinstance(changed, list):
            value["exchanges"] = changed

    return shown(_JOURNAL, alter)


def searched(part: str, change: Callable[[list[Any]], Any]) -> Alter:
    def alter(request: FaultyRequest, response: FaultyResponse) -> None:
        if request.path == _JOURNAL and part.encode() in request.query and response.status == 200:
            value = response.json
            value["exchanges"] = change(value["exchanges"])
            response.put_json(value)

    return lambda injector: injector.on_response(alter)


def each(change: Callable[[Any], Any]) -> Callable[[list[Any]], None]:
    def alter(entries: list[Any]) -> None:
        for entry in entries:
            change(entry)

    return alter


_FILTER, _PAGES = "filter_equals_filtering_the_whole", "pages_joined_equal_the_whole"
_HELD, _ARCHIVE = "journal_holds_each_exchange_as_it_was", "archive_equals_the_journal"
_COUNTED = "coverage_equals_the_journal"
JOURNAL = [
    (
        _FILTER,
        "class_of_statuses_misses_the_last",
        "A search for 4xx misses 422.",
        searched("4xx", lambda e: [one for one in e if one["status"] != 422]),
    ),
    (
        _FILTER,
        "text_is_found_in_its_case_alone",
        "A search for a text in capitals finds nothing.",
        searched("text=ZEBRA", lambda e: []),
    ),
    (
        _FILTER,
        "since_leaves_out_its_instant",
        "A search since an instant leaves out what began then.",
        searched("since=", lambda e: e[:-1]),
    ),
    (
        _FILTER,
        "call_in_capitals_is_not_found",
        "A search for a call_id in capitals finds nothing.",
        lambda i: i.on_response(
            lambda q, r: (
                r.put_json({"exchanges": [], "next_before": None})
                if q.path == _JOURNAL and re.search(rb"call_id=[0-9A-F-]*[A-F]", q.query)
                else None
            )
        ),
    ),
    (
        _FILTER,
        "operation_finds_the_provider_no_more",
        "A search by operation leaves out the provider.",
        searched(
            "operation=callCompleted", lambda e: [one for one in e if one["sender"] == "integrator"]
        ),
    ),
    (
        _PAGES,
        "pages_end_too_early",
        "A full page says that it is the last.",
        shown(_JOURNAL, lambda v: v.update(next_before=None)),
    ),
    (
        _PAGES,
        "pages_skip_one",
        "A page leaves out its last exchange.",
        searched("before=", lambda e: e[:-1]),
    ),
    (
        _HELD,
        "method_is_guessed",
        "HEAD stands in the journal as GET.",
        listed(each(lambda e: e.update(method="GET") if e["method"] == "HEAD" else None)),
    ),
    (
        _HELD,
        "query_is_left_out",
        "The journal leaves out the query of a path.",
        listed(each(lambda e: e.update(path=e["path"].partition("?")[0]))),
    ),
    (
        _HELD,
        "replays_are_not_marked",
        "The journal marks no replay.",
        listed(each(lambda e: e.update(replayed=False))),
    ),
    (
        _HELD,
        "body_is_cut_one_too_early",
        "Of a body one character less is kept.",
        shown(_EXCHANGE, lambda v: v["request"].update(body=v["request"]["body"][:4095])),
    ),
    (
        _HELD,
        "cut_is_not_told",
        "A body that was cut is shown as whole.",
        shown(_EXCHANGE, lambda v: v["request"].update(truncated=False)),
    ),
    (
        _HELD,
        "bytes_are_characters",
        "The length of a body is counted in characters.",
        shown(_EXCHANGE, lambda v: v["request"].update(body_bytes=len(v["request"]["body"]))),
    ),
    (
        _HELD,
        "an_exchange_is_left_out",
        "The journal leaves out what was no operation.",
        listed(lambda e: [one for one in e if one["operation_id"]]),
    ),
    (_HELD, "order_is_turned", "The journal lists the oldest first.", listed(lambda e: e[::-1])),
    (
        _ARCHIVE,
        "archive_is_turned",
        "The archive lists the newest first.",
        shown(f"{_JOURNAL}/har", lambda v: v["log"]["entries"].reverse()),
    ),
    (
        _ARCHIVE,
        "archive_has_no_bodies",
        "The archive holds no response bodies.",
        shown(
            f"{_JOURNAL}/har",
            lambda v: [one["response"]["content"].update(text="") for one in v["log"]["entries"]],
        ),
    ),
    (
        _ARCHIVE,
        "archive_loses_headers",
        "The archive leaves out a header.",
        shown(
            f"{_JOURNAL}/har",
            lambda v: [
                one["request"]["headers"].pop()
                for one in v["log"]["entries"]
                if one["request"]["headers"]
            ],
        ),
    ),
    (
        "journal_names_the_provider",
        "provider_is_an_integrator",
        "The provider's requests stand in the journal as the integrator's.",
        listed(each(lambda e: e.update(sender="integrator"))),
    ),
    (
        _COUNTED,
        "coverage_counts_twice",
        "The coverage counts each exchange twice.",
        shown(
            _COVERAGE, lambda v: [one.update(exchanges=2 * one["exchanges"]) for one in v["items"]]
        ),
    ),
    (
        _COUNTED,
        "coverage_is_rounded_up",
        "The share of covered items is rounded up.",
        shown(_COVERAGE, lambda v: v.update(percent=float(int(v["percent"]) + 1))),
    ),
    (
        _COUNTED,
        "coverage_leaves_problems_out",
        "The coverage leaves out what was rejected.",
        shown(
            _COVERAGE,
            lambda v: [one.update(exchanges=0) for one in v["items"] if one["kind"] == "problem"],
        ),
    ),
    (
        _COUNTED,
        "coverage_leaves_an_item_out",
        "The coverage leaves out what was never covered.",
        shown(_COVERAGE, lambda v: v.update(items=[one for one in v["items"] if one["exchanges"]])),
    ),
    (
        "secrets_and_numbers_appear_nowhere",
        "cookies_are_shown",
        "The journal shows cookies.",
        lambda i: _show_cookies(i),
    ),
]


def _show_cookies(injector: FaultInjector) -> None:
    cookies: list[bytes] = []

    def remember(request: FaultyRequest) -> None:
        cookies.extend(request.values("cookie"))

    def alter(request: FaultyRequest, response: FaultyResponse) -> None:
        if re.fullmatch(_EXCHANGE, request.path) and response.status == 200 and cookies:
            value = response.json
            value["request"]["headers"].append(["cookie", cookies[0].decode()])
            response.put_json(value)

    injector.on_request(remember)
    injector.on_response(alter)


def later(text: str, seconds: int) -> str:
    """An instant as the control API writes it, moved by so many seconds within its minute."""
    shifted = min(59, max(0, int(text[17:19]) + seconds))
    return f"{text[:17]}{shifted:02}{text[19:]}"


def advanced(change: Callable[[float], float]) -> Alter:
    def alter(value: dict[str, Any]) -> None:
        if isinstance(value.get("advance_seconds"), int | float):
            value["advance_seconds"] = change(value["advance_seconds"])

    return read_body(alter)


_MOVES, _PLAN = "clock_moves_by_what_was_asked", "provider_side_equals_the_catalogue"
CLOCK = [
    (
        _MOVES,
        "fractions_are_dropped",
        "An advance drops fractions of a second.",
        advanced(lambda s: float(int(s))),
    ),
    (
        _MOVES,
        "advance_is_at_most_a_day",
        "An advance is cut to a day.",
        advanced(lambda s: min(s, 86_400)),
    ),
    (
        _MOVES,
        "advance_is_a_second_short",
        "A long advance is a second short.",
        advanced(lambda s: s - 1 if s > 3000 else s),
    ),
    (
        _MOVES,
        "advance_of_nothing_is_a_second",
        "An advance of nothing moves a second.",
        advanced(lambda s: s or 1),
    ),
    (
        "next_due_is_the_earliest_planned",
        "nothing_is_due",
        "The clock says that nothing is due.",
        shown(_CLOCK, lambda v: v.update(next_due_at=None)),
    ),
    (
        "next_due_is_the_earliest_planned",
        "due_is_rounded",
        "The next due time is shown in whole seconds.",
        shown(
            _CLOCK,
            lambda v: v.update(next_due_at=v["next_due_at"] and v["next_due_at"][:-4] + "999Z"),
        ),
    ),
    (
        "idle_leaves_nothing_due",
        "idle_is_an_advance_of_a_minute",
        "Until idle moves the clock a minute.",
        read_body(
            lambda v: (v.pop("until"), v.update(advance_seconds=60)) if "until" in v else None
        ),
    ),
    (
        "clock_runs_at_its_rate",
        "standing_clock_runs",
        "A clock that must stand runs on.",
        read_body(lambda v: v.update(mode="wall") if v.get("mode") == "manual" else None),
    ),
    (
        "reads_move_a_clock_of_polls",
        "polls_move_nothing",
        "Reads do not move a clock of polls.",
        read_body(lambda v: v.update(mode="manual") if v.get("mode") == "polls" else None),
    ),
    (
        _PLAN,
        "plan_is_shown_late",
        "The plan of a call is shown a second late.",
        shown(
            _INSPECTED,
            lambda v: [one.update(due_at=later(one["due_at"], 1)) for one in v["deliveries"]],
        ),
    ),
    (
        _PLAN,
        "time_line_leaves_ringing_out",
        "The time line leaves out the ringing.",
        shown(
            _INSPECTED,
            lambda v: v.update(
                timeline=[one for one in v["timeline"] if one["status"] != "ringing"]
            ),
        ),
    ),
    (
        _PLAN,
        "responses_are_not_shown",
        "How a delivery was answered is not shown.",
        shown(_INSPECTED, lambda v: [one.update(answered=None) for one in v["deliveries"]]),
    ),
    (
        _PLAN,
        "planned_words_are_normalized",
        "The plan shows no word of the provider.",
        shown(
            _INSPECTED,
            lambda v: [one["payload"].update(status="completed") for one in v["deliveries"]],
        ),
    ),
    (
        _PLAN,
        "completion_is_not_named",
        "A call does not name what completed it.",
        shown(_INSPECTED, lambda v: v.update(completed_by=None)),
    ),
    (
        "ends_by_hand_and_by_order_are_told_apart",
        "plan_outlives_the_end",
        "What was planned is shown after an end by hand.",
        lambda i: _keep_plans(i),
    ),
    (
        "reset_makes_a_key_as_new",
        "mode_outlives_the_reset",
        "The mode of a clock outlives a reset.",
        lambda i: _keep(i, _CLOCK, "mode"),
    ),
    (
        "reset_makes_a_key_as_new",
        "rings_outlive_the_reset",
        "The rings of a key outlive its reset.",
        lambda i: _keep(i, "/sandbox/rings", "rings"),
    ),
    (
        "reset_makes_a_key_as_new",
        "coverage_outlives_the_reset",
        "The coverage of a key outlives its reset.",
        lambda i: _keep(i, _COVERAGE, "items"),
    ),
    (
        "reset_makes_a_key_as_new",
        "faults_outlive_the_reset",
        "The armed faults of a key outlive its reset.",
        lambda i: _keep(i, "/sandbox/faults", "faults"),
    ),
]


def _keep_plans(injector: FaultInjector) -> None:
    plans: dict[str, Any] = {}

    def alter(request: FaultyRequest, response: FaultyResponse) -> None:
        if re.fullmatch(_INSPECTED, request.path) and response.status == 200:
            value = response.json
            value["deliveries"] = plans.setdefault(request.path, value["deliveries"])
            response.put_json(value)

    injector.on_response(alter)


def _keep(injector: FaultInjector, path: str, member: str) -> None:
    """After a reset a key finds what stood in one place before."""
    before: dict[bytes, Any] = {}
    reset: set[bytes] = set()

    def alter(request: FaultyRequest, response: FaultyResponse) -> None:
        token = token_of(request)
        if request.path == "/sandbox/state":
            reset.add(token)
        if request.path == path and response.status in (200, 201) and token not in reset:
            value = response.json
            if member in value:
                before[token] = value[member]
            elif member == "faults":
                before[token] = [value]
        if request.path == path and response.status == 200 and token in reset and token in before:
            response.put_json({**response.json, member: before[token]})
        if request.path == CALLS and member == "rings" and response.status == 201:
            ring = {"phone": "+12025550100", "count": 1, "call_ids": [], "request_ids": []}
            before[token] = [ring]
        if request.path == CALLS and member == "items" and response.status == 201:
            item = {"kind": "operation", "name": "createCall", "exchanges": 1}
            before[token] = [item]

    injector.on_response(alter)


_PREFERRED = "every_documented_response_can_be_preferred"
_READ_AS = "preferences_are_read_as_rfc_7240_says"
_RINGS = "rings_count_the_calls_that_were_created"
ON_REQUEST = [
    (
        _PREFERRED,
        "named_example_is_ignored",
        "A preferred example is not looked for.",
        read_header("prefer", lambda v: re.sub(rb", example=.*", b"", v)),
    ),
    (
        _PREFERRED,
        "preferred_code_by_name_is_ignored",
        "A problem cannot be preferred by its code.",
        read_header("prefer", lambda v: v if re.search(rb"code=[0-9]", v) else b"x"),
    ),
    (
        _PREFERRED,
        "preferred_success_is_ignored",
        "A success cannot be preferred.",
        read_header("prefer", lambda v: re.sub(rb"code=2.*", b"x", v)),
    ),
    (
        _PREFERRED,
        "preferred_problem_lost_its_detail",
        "A preferred problem has another detail.",
        respond(
            lambda q, r: r.values("preference-applied") and r.status >= 400 and r.body,
            lambda r: r.put_json({**r.json, "detail": "Preferred by the request."}),
        ),
    ),
    (
        _READ_AS,
        "last_preference_counts",
        "Of two preferences the last one counts.",
        lambda i: i.on_request(
            lambda q: setattr(
                q,
                "headers",
                [
                    (
                        k,
                        b"code=429"
                        if k == b"prefer" and b"code=429" in b"".join(q.values("prefer"))
                        else v,
                    )
                    for k, v in q.headers
                ],
            )
        ),
    ),
    (
        _READ_AS,
        "quotes_hide_a_preference",
        "A preference in quotes is ignored.",
        read_header("prefer", lambda v: b"x" if b'"' in v else v),
    ),
    (
        _READ_AS,
        "capitals_hide_a_preference",
        "A preference in capitals is ignored.",
        read_header("prefer", lambda v: b"x" if b"CODE" in v else v),
    ),
    (
        _READ_AS,
        "leading_zero_is_a_code",
        "A code with a zero before it is applied.",
        read_header("prefer", lambda v: v.replace(b"=0429", b"=429")),
    ),
    (
        "preferred_delay_is_kept",
        "delay_is_ignored",
        "A preferred delay is not kept, but said to be.",
        lambda i: _ignore_delay(i),
    ),
    (
        _RINGS,
        "replays_ring",
        "A replay counts as a ring.",
        shown(
            "/sandbox/rings", lambda v: [one.update(count=one["count"] + 1) for one in v["rings"]]
        ),
    ),
    (
        _RINGS,
        "rings_name_no_call",
        "A ring names another call.",
        shown(
            "/sandbox/rings",
            lambda v: [one.update(call_ids=one["call_ids"][::-1]) for one in v["rings"]],
        ),
    ),
    (
        "armed_problems_strike_as_often_as_armed",
        "fault_strikes_too_early",
        "A fault strikes without passing a request.",
        read_body(lambda v: v.update(skip=0) if "skip" in v else None),
    ),
    (
        "armed_problems_strike_as_often_as_armed",
        "strikes_are_not_counted",
        "A fault that has struck is listed as if it had not.",
        shown("/sandbox/faults", lambda v: [one.update(struck=0) for one in v["faults"]]),
    ),
    (
        "armed_problems_strike_as_often_as_armed",
        "fault_has_its_own_wait",
        "An armed problem says to wait a second, whatever was armed.",
        respond(
            lambda q, r: r.status == 503 and q.path == CALLS, lambda r: r.put("retry-after", b"1")
        ),
    ),
]


def _ignore_delay(injector: FaultInjector) -> None:
    delayed: set[int] = set()

    def alter(request: FaultyRequest) -> None:
        for value in request.values("prefer"):
            if b"delay=" in value:
                delayed.add(id(request))
                request.put("prefer", re.sub(rb"delay=[0-9]+(, )?", b"", value) or b"x")

    def say(request: FaultyRequest, response: FaultyResponse) -> None:
        if id(request) in delayed:
            applied = b"".join(response.values("preference-applied"))
            response.put("preference-applied", applied + b", delay=60" if applied else b"delay=60")

    injector.on_request(alter)
    injector.on_response(say)


ROWS = [
    *(as_fault("journal", *row) for row in JOURNAL),
    *(as_fault("time", *row) for row in CLOCK),
    *(as_fault("on request", *row) for row in ON_REQUEST),
]
