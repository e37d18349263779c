"""Faults of the headers of answers."""

from fault_injection import FaultInjector, FaultyResponse
from faults.altering import CALLS, change_answers, change_json, is_service, of_created, of_problems
from faults.fault import fault


@fault("headers", "agents_are_those_of_the_contract")
def request_id_is_missing(shop: FaultInjector) -> None:
    """Answers carry no X-Request-Id."""
    change_answers(shop, lambda ask, _: is_service(ask), lambda r: r.put("x-request-id", None))


@fault("headers", "ids_of_a_wrong_shape_are_404")
def request_id_is_constant(shop: FaultInjector) -> None:
    """Every exchange has the same X-Request-Id."""
    request_id = "req_00000000000000000000000000000000"

    def alter(reply: FaultyResponse) -> None:
        reply.put("x-request-id", request_id.encode())
        if reply.status >= 400 and reply.body:
            reply.put_json(reply.json | {"request_id": request_id})

    change_answers(shop, lambda ask, _: is_service(ask), alter)


@fault("headers", "agents_are_those_of_the_contract")
def request_id_has_spaces(shop: FaultInjector) -> None:
    """X-Request-Id is not what the contract describes."""
    change_answers(
        shop, lambda ask, _: is_service(ask), lambda r: r.put("x-request-id", b"request 1 of 2")
    )


@fault("headers", "unknown_call_is_404")
def request_id_differs_from_the_body(shop: FaultInjector) -> None:
    """A problem's request_id is another than X-Request-Id."""
    change_json(shop, of_problems, lambda p: p | {"request_id": "req_of_another_exchange"})


@fault("headers", "new_call_is_found_at_its_location")
def location_is_missing(shop: FaultInjector) -> None:
    """A creation has no Location."""
    change_answers(shop, of_created, lambda r: r.put("location", None))


@fault("headers", "new_call_is_found_at_its_location")
def location_leads_elsewhere(shop: FaultInjector) -> None:
    """Location names another call."""
    change_answers(
        shop,
        of_created,
        lambda r: r.put("location", f"{CALLS}/00000000-0000-4000-8000-000000000000".encode()),
    )


@fault("headers", "new_call_is_found_at_its_location")
def location_has_a_trailing_slash(shop: FaultInjector) -> None:
    """Location ends with a slash and leads to a 404."""
    change_answers(shop, of_created, lambda r: r.put("location", r.values("location")[0] + b"/"))


@fault("headers", "refused_creations_say_when_to_retry")
def retry_after_is_missing(shop: FaultInjector) -> None:
    """A 429 does not say when to retry."""
    change_answers(shop, lambda _, r: r.status in (429, 503), lambda r: r.put("retry-after", None))


@fault("headers", "refused_creations_say_when_to_retry")
def retry_after_is_a_date(shop: FaultInjector) -> None:
    """Retry-After is a date."""
    change_answers(
        shop,
        lambda _, r: r.status in (429, 503),
        lambda r: r.put("retry-after", b"Tue, 24 Nov 2026 09:30:00 GMT"),
    )


@fault("headers", "new_call_is_found_at_its_location")
def location_names_a_host_inside(shop: FaultInjector) -> None:
    """Location is the address of a machine that no client can reach."""
    change_answers(
        shop,
        of_created,
        lambda r: r.put("location", b"http://voice.internal" + r.values("location")[0]),
    )


@fault("headers", "refused_creations_say_when_to_retry")
def retry_after_is_zero(shop: FaultInjector) -> None:
    """Retry-After asks for the next attempt at once."""
    change_answers(shop, lambda _, r: r.status in (429, 503), lambda r: r.put("retry-after", b"0"))


@fault("headers", "preferred_problems_are_given")
def preference_is_not_confirmed(shop: FaultInjector) -> None:
    """An answer that was asked for does not say so."""
    change_answers(shop, lambda *_: True, lambda r: r.put("preference-applied", None))
