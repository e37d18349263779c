"""Faults of media types: what is taken though it is not JSON, or rejected though it is."""

import re
from collections.abc import Callable

from fault_injection import FaultInjector, FaultyRequest
from faults.altering import (
    become,
    change_responses,
    is_service,
    of_problems,
)
from faults.fault import fault


def content_types(injector: FaultInjector, pattern: bytes) -> None:
    """Let another pattern say which Content-Type is JSON."""
    is_json = re.compile(pattern, re.IGNORECASE)

    def change(values: list[bytes]) -> bytes | None:
        if len(values) != 1:
            return None
        return b"application/json" if is_json.fullmatch(values[0]) else b"text/plain"

    rewrite_type(injector, change)


def rewrite_type(injector: FaultInjector, change: Callable[[list[bytes]], bytes | None]) -> None:
    def alter(request: FaultyRequest) -> None:
        if is_service(request) and request.method == "POST":
            value = change(request.values("content-type"))
            if value is not None:
                request.put("content-type", value)

    injector.on_request(alter)


@fault("media type", "media_types_are_told_apart")
def any_type_is_taken(injector: FaultInjector) -> None:
    """A body of any media type is read as JSON."""
    content_types(injector, b".*")


@fault("media type", "missing_media_type_is_415")
def missing_type_is_json(injector: FaultInjector) -> None:
    """A body without Content-Type is read as JSON."""
    rewrite_type(injector, lambda values: None if values else b"application/json")


@fault("media type", "missing_media_type_is_415")
def first_of_two_types_counts(injector: FaultInjector) -> None:
    """Of two Content-Type headers the first counts."""
    rewrite_type(injector, lambda values: values[0] if len(values) > 1 else None)


@fault("media type", "media_types_are_told_apart")
def every_kind_of_json_is_taken(injector: FaultInjector) -> None:
    """JSON Patch and everything else that starts like JSON is taken."""
    content_types(injector, rb"application/json.*")


@fault("media type", "media_types_are_told_apart")
def charset_is_ignored(injector: FaultInjector) -> None:
    """A body in another charset is read as UTF-8."""
    content_types(injector, rb"application/json\s*(;.*)?")


@fault("media type", "media_types_are_told_apart")
def suffix_json_is_taken(injector: FaultInjector) -> None:
    """A media type with the suffix +json is taken."""
    content_types(injector, rb"application/(json|[a-z.-]+\+json)")


@fault("media type", "media_types_are_told_apart")
def forms_are_taken(injector: FaultInjector) -> None:
    """A form's media type is taken."""
    content_types(injector, rb"application/(json|x-www-form-urlencoded)(; *charset=utf-8)?")


@fault("media type", "json_is_recognised_however_it_is_written")
def charset_utf8_is_rejected(injector: FaultInjector) -> None:
    """`application/json; charset=utf-8` is rejected."""
    content_types(injector, rb"application/json")


@fault("media type", "json_is_recognised_however_it_is_written")
def type_is_compared_in_lower_case(injector: FaultInjector) -> None:
    """`Application/JSON` is rejected."""
    rewrite_type(
        injector,
        lambda values: b"text/plain" if values and not values[0].startswith(b"app") else None,
    )


@fault("media type", "compressed_body_is_415")
def content_encoding_is_ignored(injector: FaultInjector) -> None:
    """A body under Content-Encoding is read as if it were not compressed."""

    def alter(request: FaultyRequest) -> None:
        request.put("content-encoding", None)

    injector.on_request(alter)


@fault("media type", "success_is_plain_json")
def success_is_text(injector: FaultInjector) -> None:
    """A success says that it is text/plain."""
    change_responses(
        injector,
        lambda request, r: is_service(request) and r.status < 300,
        lambda r: r.put("content-type", b"text/plain"),
    )


@fault("media type", "unknown_call_is_404")
def problem_is_plain_json(injector: FaultInjector) -> None:
    """A problem says that it is application/json."""
    change_responses(injector, of_problems, lambda r: r.put("content-type", b"application/json"))


@fault("media type", "media_types_are_told_apart")
def wrong_type_is_400(injector: FaultInjector) -> None:
    """A wrong media type is answered 400."""
    become(injector, 415, "malformed_json")
