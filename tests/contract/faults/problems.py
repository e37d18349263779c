"""Faults of problems: status, code, title, type, detail, and which problem is given at all."""

import re

from fault_injection import FaultInjector, FaultyRequest, FaultyResponse
from faults.altering import (
    change_json,
    change_responses,
    is_call,
    of_problems,
    plain,
    put_problem,
)
from faults.fault import fault


@fault("problems", "unknown_call_is_404")
def status_differs_from_http(injector: FaultInjector) -> None:
    """A problem's status is another than the HTTP status."""
    change_json(injector, of_problems, lambda p: p | {"status": 400 if p["status"] != 400 else 422})


@fault("problems", "unknown_call_is_404")
def code_is_not_in_the_catalogue(injector: FaultInjector) -> None:
    """A problem has a code that no page explains."""
    change_json(injector, of_problems, lambda p: p | {"code": f"{p['code']}_error"})


@fault("problems", "unknown_path_is_404")
def unknown_path_has_another_code(injector: FaultInjector) -> None:
    """An unknown path has the code of an unknown call."""

    def alter(response: FaultyResponse) -> None:
        if response.body and response.json["code"] == "not_found":
            put_problem(response, "call_not_found")

    change_responses(injector, of_problems, alter)


@fault("problems", "unknown_call_is_404")
def type_leads_nowhere(injector: FaultInjector) -> None:
    """A problem's type is about:blank."""
    change_json(injector, of_problems, lambda p: p | {"type": "about:blank"})


@fault("problems", "unknown_call_is_404")
def type_leads_to_another_problem(injector: FaultInjector) -> None:
    """A problem's type points at another problem's entry."""
    change_json(injector, of_problems, lambda p: p | {"type": "/errors/#rate_limited"})


@fault("problems", "unknown_call_is_404")
def title_varies(injector: FaultInjector) -> None:
    """A problem's title is generated for the occurrence."""
    change_json(injector, of_problems, lambda p: p | {"title": p["detail"][:80]})


@fault("problems", "unknown_call_is_404")
def request_id_of_problem_is_missing(injector: FaultInjector) -> None:
    """A problem has no request_id."""
    change_json(injector, of_problems, lambda p: {k: v for k, v in p.items() if k != "request_id"})


@fault("problems", "unknown_call_is_404")
def problem_shows_the_exception(injector: FaultInjector) -> None:
    """A problem carries the name of an exception."""
    change_json(injector, of_problems, lambda p: p | {"exception": "KeyError"})


@fault("problems", "unknown_call_is_404")
def detail_is_empty(injector: FaultInjector) -> None:
    """A problem does not say what is wrong."""
    change_json(injector, of_problems, lambda p: p | {"detail": ""})


@fault("problems", "details_help")
def detail_is_a_traceback(injector: FaultInjector) -> None:
    """A problem's detail is what the exception said."""
    change_json(
        injector,
        of_problems,
        lambda p: p | {"detail": "Traceback (most recent call last): KeyError."},
    )


@fault("problems", "ids_of_a_wrong_shape_are_404", crashes=True)
def wrong_id_crashes(injector: FaultInjector) -> None:
    """An id that is no UUID ends in a 500."""

    def alter(request: FaultyRequest) -> FaultyResponse | None:
        if is_call(request) and not re.fullmatch(
            "[0-9a-fA-F-]{36}", request.path.rsplit("/", 1)[-1]
        ):
            return plain(500, "Internal Server Error")
        return None

    injector.on_request(alter)


@fault("problems", "ids_of_a_wrong_shape_are_404")
def wrong_id_is_422(injector: FaultInjector) -> None:
    """An id of a wrong shape is told apart from an unknown one by another problem."""

    def alter(request: FaultyRequest, response: FaultyResponse) -> None:
        if is_call(request) and response.status == 404 and not re.search("-.*-.*-", request.path):
            response.status = 422

    injector.on_response(alter)


@fault("problems", "unknown_call_is_404")
def unknown_call_is_200(injector: FaultInjector) -> None:
    """An unknown call is answered 200 with an example, as a mock does."""

    def alter(request: FaultyRequest, response: FaultyResponse) -> None:
        if is_call(request) and response.status == 404:
            response.status = 200
            response.put("content-type", b"application/json")
            response.put_json(
                {
                    "call_id": request.path.rsplit("/", 1)[-1],
                    "status": "queued",
                    "transcript": None,
                    "duration": None,
                }
            )

    injector.on_response(alter)
