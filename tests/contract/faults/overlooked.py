"""Faults that the checks overlooked: each was a change of the sandbox's code that none noticed."""

from typing import Any

from fault_injection import FaultInjector, FaultyRequest, FaultyResponse
from faults.altering import WEBHOOK, lenient
from faults.control import searched
from faults.rows import as_fault, shown

_JOURNAL, _EXCHANGE = "/sandbox/journal", "/sandbox/exchanges/[^/]+"
_ARCHIVE, _EXPORTS = "archive_equals_the_journal", "exports_hold_what_came_before"
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


ROWS = [
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
]
