"""Faults that the checks overlooked: each was a change of the sandbox's code that none noticed."""

import json
import re
from typing import Any

from msgspec.structs import replace

from fault_injection import FaultInjector, FaultyRequest, FaultyResponse
from faults.altering import WEBHOOK, lenient
from faults.control import searched
from faults.rows import as_fault, read_body, shown
from read_once import contracts
from voice_sandbox.contract.faults import documented_problems
from voice_sandbox.http import pipeline
from voice_sandbox.http.armed_faults import StruckBeforeWork
from voice_sandbox.http.rate_limits import StreamSlots
from voice_sandbox.journal import journal
from voice_sandbox.simulation.delivery import Deliverer
from voice_sandbox.simulation.simulation import Simulation

_JOURNAL, _EXCHANGE = "/sandbox/journal", "/sandbox/exchanges/[^/]+"
_ARCHIVE, _EXPORTS = "archive_equals_the_journal", "exports_hold_what_came_before"
_SAME = "exports_send_the_same_request"
_ENDED = "ends_by_hand_and_by_order_are_told_apart"


def _archived(change: Any) -> Any:
    """The archive says something else of each exchange."""
    return shown(f"{_JOURNAL}/har", lambda v: [change(one) for one in v["log"]["entries"]] and None)


def _count_conflicts(injector: FaultInjector) -> None:
    asked = 0

    async def kept_call(original: Any, namespace: bytes, key: str, **more: Any) -> Any:
        nonlocal asked
        asked += 1
        # A creation looks a second time, after the number has counted a rejection.
        return None if asked % 2 else await original(namespace, key, **more)

    injector.store("kept_call", kept_call)


def _keep_the_plan_of_ends_by_hand(injector: FaultInjector) -> None:
    async def complete(original: Any, *of: Any, **more: Any) -> Any:
        return await original(*of, **{**more, "drop_plan": False})

    injector.store("complete_call", complete)


def _keep_the_plan_of_ends_on_demand(injector: FaultInjector) -> None:
    async def drop(original: Any, *of: Any) -> None:
        return None

    injector.store("drop_plan", drop)


def _promise_a_page(value: Any) -> None:
    if value["exchanges"] and value["next_before"] is None:
        value["next_before"] = value["exchanges"][-1]["seq"]


def _name_itself(value: Any) -> None:
    if value["next_before"] is not None:
        value["next_before"] = f"{int(value['exchanges'][0]['seq'], 16) + 1:032x}"


async def _strike_everybody(decision: Any, known: Any, phone: str | None) -> None:
    strike = decision._pipeline.strike
    known.fault = strike and await strike(known.principal.namespace, decision.operation, phone)
    if known.fault is not None and known.fault.is_before_work:
        raise StruckBeforeWork


def _arm_where_it_is_documented(request: FaultyRequest) -> None:
    body = lenient(request.body)
    if request.path == "/sandbox/faults" and isinstance(body, dict):
        for name, operation in contracts()[0].operations.items():
            if body.get("fault", {}).get("code") in documented_problems(operation):
                request.body = json.dumps({**body, "operation": name}).encode()


def _end_at_once(injector: FaultInjector) -> None:
    def make(original: Any) -> Any:
        def sample(simulation: Any, now: float) -> Any:
            return replace(original(simulation, now), created_at=now)

        return sample

    injector.wrap(Simulation, "_sample_call", make)


def _show_what_came_later(injector: FaultInjector) -> None:
    said: list[str] = []

    def hear(request: FaultyRequest) -> None:
        body = lenient(request.body)
        if request.path == WEBHOOK and isinstance(body, dict):
            said.append(str(body.get("transcript")))

    def tell(_: FaultyRequest, response: FaultyResponse) -> None:
        value = response.json
        if isinstance(value, dict) and "pytest" in value:
            value["pytest"] += "\n".join(f"# {one!r}" for one in said)
            response.put_json(value)

    injector.on_request(hear)
    injector.on_response(
        lambda request, response: (
            tell(request, response) if request.path.startswith("/sandbox/exchanges/") else None
        )
    )


def _export(form: str, before: str, after: str) -> Any:
    """An exchange that is exported in one form has lost something."""
    return shown(_EXCHANGE, lambda v: v.update({form: re.sub(before, after, v[form])}))


def _name_no_scenario(value: Any) -> None:
    if value["status"] == 409:
        value["scenario"] = None


def _remove_numbers(value: Any) -> None:
    body = value["request"]["body"]
    value["request"]["body"] = re.sub(r'"phone":"[^"]*\*[^"]*",?', "", body)


def _deliver_only_when_advanced(injector: FaultInjector) -> None:
    async def nothing(deliverer: Any) -> None:
        return None

    injector.replace(Deliverer, "deliver_due", nothing)


def _skip_the_test(value: Any) -> None:
    if value["status"] == 429:
        value["pytest"] = value["pytest"].replace(
            "response =", "pytest.skip('It was busy.')\n    response ="
        )


def _shorten_the_talk(value: dict[str, Any]) -> None:
    for completion in value.get("completions") or ():
        if completion.get("lasted"):
            completion["lasted"] -= 1


def _without_completions(original: Any) -> Any:
    async def meet(decision: Any, known: Any, phone: str | None) -> None:
        is_completion = decision.operation.operation_id == "callCompleted"
        await original(decision, known, None if is_completion else phone)

    return meet


ROWS = [
    as_fault(
        "journal",
        "journal_holds_each_exchange_as_it_was",
        "exchanges_took_long",
        "The journal says that an exchange took seconds longer than it did.",
        shown(
            _JOURNAL,
            lambda v: (
                [one.update(duration_ms=one["duration_ms"] + 60_000) for one in v["exchanges"]]
                and None
            ),
        ),
    ),
    as_fault(
        "journal",
        _SAME,
        "exported_test_is_skipped",
        "The test that a rejection by a number is exported as is skipped.",
        shown(_EXCHANGE, _skip_the_test),
    ),
    as_fault(
        "on request",
        "bound_numbers_play_an_outcome",
        "outcome_lasts_a_second_less",
        "The talk of an outcome lasts a second less than it says.",
        read_body(_shorten_the_talk),
    ),
    as_fault(
        "journal",
        _SAME,
        "exported_program_forgets_its_headers",
        "The program in JavaScript that an exchange is exported as sends no Prefer.",
        _export("javascript", r'.*"prefer".*\n', ""),
    ),
    as_fault(
        "journal",
        _SAME,
        "exported_test_sends_the_first_of_two_headers",
        "Of a header that was sent twice an exported test sends the first.",
        _export("pytest", r"\('prefer', 'delay=3'\)", ""),
    ),
    as_fault(
        "journal",
        _SAME,
        "exported_command_has_no_body",
        "The curl command that an exchange is exported as has no body.",
        _export("curl", r"--data-raw .*", ""),
    ),
    as_fault(
        "journal",
        "journal_names_calls_and_scenarios",
        "rejected_completion_has_no_scenario",
        "The journal names no scenario where a completion of a call is rejected.",
        shown(_EXCHANGE, _name_no_scenario),
    ),
    as_fault(
        "journal",
        "numbers_are_shortened_and_not_removed",
        "number_is_left_out_of_the_journal",
        "The journal leaves a member out that holds a phone number.",
        shown(_EXCHANGE, _remove_numbers),
    ),
    as_fault(
        "journal",
        "closed_streams_make_room",
        "closed_stream_still_counts",
        "A stream that was closed still counts as followed.",
        lambda injector: injector.replace(StreamSlots, "_give_back", lambda slots, key: None),
    ),
    as_fault(
        "time",
        "provider_delivers_unasked",
        "provider_waits_to_be_asked",
        "The provider delivers only when a clock is advanced past the time.",
        _deliver_only_when_advanced,
    ),
    as_fault(
        "on request",
        "armed_faults_strike_the_calls_of_their_number",
        "fault_of_a_number_strikes_no_completion",
        "A fault with a number never strikes a completion of a call to it.",
        lambda injector: injector.wrap(pipeline._Decision, "_meet_faults", _without_completions),
    ),
    as_fault(
        "idempotency",
        "conflicts_use_up_no_rejection",
        "conflicts_count_as_rejections",
        "A conflict uses up a rejection of a number that works after some.",
        _count_conflicts,
    ),
    as_fault(
        "webhook",
        _ENDED,
        "plan_is_kept_after_an_end_by_hand",
        "The provider still delivers to a call that was completed by hand.",
        _keep_the_plan_of_ends_by_hand,
    ),
    as_fault(
        "webhook",
        _ENDED,
        "plan_is_kept_after_an_end_on_demand",
        "The provider still delivers to a call that it has ended on demand.",
        _keep_the_plan_of_ends_on_demand,
    ),
    as_fault(
        "journal",
        "pages_joined_equal_the_whole",
        "last_page_promises_another",
        "The last page of the journal says that more follows.",
        shown(_JOURNAL, _promise_a_page),
    ),
    as_fault(
        "journal",
        "filter_equals_filtering_the_whole",
        "text_is_not_found_in_a_decoded_path",
        "A search for a text finds no path in which its spaces are escaped.",
        searched(
            "text=Zebra%20in%20a%20query",
            lambda entries: [one for one in entries if "query" not in one["path"]],
        ),
    ),
    as_fault(
        "journal",
        "pages_joined_equal_the_whole",
        "pages_go_round_in_circles",
        "Each page of the journal names itself as the one that follows.",
        shown(_JOURNAL, _name_itself),
    ),
    as_fault(
        "journal",
        _ARCHIVE,
        "archive_names_another_host",
        "The archive names another host than the one that was asked.",
        _archived(
            lambda one: one["request"].update(
                url="http://sandbox.invalid/" + one["request"]["url"].split("/", 3)[3]
            )
        ),
    ),
    as_fault(
        "journal",
        _ARCHIVE,
        "archive_drops_empty_parameters",
        "The archive leaves parameters without a value out.",
        _archived(
            lambda one: one["request"].update(
                queryString=[pair for pair in one["request"]["queryString"] if pair["value"]]
            )
        ),
    ),
    as_fault(
        "journal",
        _ARCHIVE,
        "archive_measures_what_is_shown",
        "The archive gives the size of the beginning that it shows.",
        _archived(
            lambda one: one["response"]["content"].update(
                size=len(one["response"]["content"]["text"])
            )
        ),
    ),
    as_fault(
        "journal",
        _ARCHIVE,
        "archive_names_statuses_by_code",
        "The archive has a number for the text of a status.",
        _archived(lambda one: one["response"].update(statusText=str(one["response"]["status"]))),
    ),
    as_fault(
        "journal",
        _EXPORTS,
        "exported_test_holds_what_came_later",
        "The test that an exchange is exported as holds what came after it.",
        _show_what_came_later,
    ),
    as_fault(
        "on request",
        "rings_are_counted_beyond_those_that_are_named",
        "rings_are_counted_as_far_as_named",
        "Of each number no more rings are counted than are named.",
        shown(
            "/sandbox/rings",
            lambda v: [one.update(count=len(one["call_ids"])) for one in v["rings"]] and None,
        ),
    ),
    as_fault(
        "on request",
        "rings_count_the_calls_that_were_created",
        "number_that_never_rang_is_left_out",
        "A number that was never dialled is not listed, though it was asked for.",
        shown("/sandbox/rings", lambda v: {"rings": [one for one in v["rings"] if one["count"]]}),
    ),
    as_fault(
        "on request",
        "armed_faults_leave_the_provider_alone",
        "faults_strike_the_provider",
        "An armed fault of the webhook strikes the provider's deliveries too.",
        lambda injector: injector.replace(pipeline._Decision, "_meet_faults", _strike_everybody),
    ),
    as_fault(
        "on request",
        "problems_of_one_operation_are_not_armed_for_all",
        "problem_of_one_operation_is_armed",
        "A problem that one operation documents is armed where all were asked for.",
        lambda injector: injector.on_request(_arm_where_it_is_documented),
    ),
    as_fault(
        "journal",
        "broken_responses_cover_nothing",
        "broken_responses_are_covered",
        "A response that an armed fault broke counts as covered.",
        lambda injector: injector.replace(journal, "was_received", lambda exchange: True),
    ),
    as_fault(
        "storage",
        "new_key_finds_the_sample_call",
        "sample_call_took_no_time",
        "The sample call began when it ended.",
        _end_at_once,
    ),
]
