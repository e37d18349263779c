"""Faults of the headers of answers."""

from fault_injection import FaultInjector, FaultyResponse
from faults.altering import (
    CALLS,
    change_json,
    change_responses,
    is_service,
    of_created,
    of_problems,
)
from faults.fault import fault


@fault("headers", "agents_are_those_of_the_contract")
def request_id_is_missing(injector: FaultInjector) -> None:
    """Answers carry no X-Request-Id."""
    change_responses(
        injector, lambda request, _: is_service(request), lambda r: r.put("x-request-id", None)
    )


@fault("headers", "ids_of_a_wrong_shape_are_404")
def request_id_is_constant(injector: FaultInjector) -> None:
    """Every exchange has the same X-Request-Id."""
    request_id = "req_00000000000000000000000000000000"

    def alter(response: FaultyResponse) -> None:
        response.put("x-request-id", request_id.encode())
        if response.status >= 400 and response.body:
            response.put_json(response.json | {"request_id": request_id})

    change_responses(injector, lambda request, _: is_service(request), alter)


@fault("headers", "agents_are_those_of_the_contract")
def request_id_has_spaces(injector: FaultInjector) -> None:
    """X-Request-Id is not what the contract describes."""
    change_responses(
        injector,
        lambda request, _: is_service(request),
        lambda r: r.put("x-request-id", b"request 1 of 2"),
    )


@fault("headers", "unknown_call_is_404")
def request_id_differs_from_the_body(injector: FaultInjector) -> None:
    """A problem's request_id is another than X-Request-Id."""
    change_json(injector, of_problems, lambda p: p | {"request_id": "req_of_another_exchange"})


@fault("headers", "new_call_is_found_at_its_location")
def location_is_missing(injector: FaultInjector) -> None:
    """A creation has no Location."""
    change_responses(injector, of_created, lambda r: r.put("location", None))


@fault("headers", "new_call_is_found_at_its_location")
def location_leads_elsewhere(injector: FaultInjector) -> None:
    """Location names another call."""
    change_responses(
        injector,
        of_created,
        lambda r: r.put("location", f"{CALLS}/00000000-0000-4000-8000-000000000000".encode()),
    )


@fault("headers", "new_call_is_found_at_its_location")
def location_has_a_trailing_slash(injector: FaultInjector) -> None:
    """Location ends with a slash and leads to a 404."""
    change_responses(
        injector, of_created, lambda r: r.put("location", r.values("location")[0] + b"/")
    )


@fault("headers", "rejected_creations_say_when_to_retry")
def retry_after_is_missing(injector: FaultInjector) -> None:
    """A 429 does not say when to retry."""
    change_responses(
        injector, lambda _, r: r.status in (429, 503), lambda r: r.put("retry-after", None)
    )


@fault("headers", "rejected_creations_say_when_to_retry")
def retry_after_is_a_date(injector: FaultInjector) -> None:
    """Retry-After is a date."""
    change_responses(
        injector,
        lambda _, r: r.status in (429, 503),
        lambda r: r.put("retry-after", b"Tue, 24 Nov 2026 09:30:00 GMT"),
    )


@fault("headers", "new_call_is_found_at_its_location")
def location_names_a_host_inside(injector: FaultInjector) -> None:
    """Location is the address of a machine that no client can reach."""
    change_responses(
        injector,
        of_created,
        lambda r: r.put("location", b"http://voice.internal" + r.values("location")[0]),
    )


@fault("headers", "rejected_creations_say_when_to_retry")
def retry_after_is_zero(injector: FaultInjector) -> None:
    """Retry-After asks for the next attempt at once."""
    change_responses(
        injector, lambda _, r: r.status in (429, 503), lambda r: r.put("retry-after", b"0")
    )


@fault("headers", "preferred_problems_are_given")
def preference_is_not_confirmed(injector: FaultInjector) -> None:
    """A response that was asked for does not say so."""
    change_responses(injector, lambda *_: True, lambda r: r.put("preference-applied", None))
