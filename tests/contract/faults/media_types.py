"""Faults of media types: what is taken though it is not JSON, or refused though it is."""

import re
from collections.abc import Callable

from fault_injection import FaultInjector, FaultyRequest
from faults.altering import (
    become,
    change_answers,
    is_service,
    of_problems,
)
from faults.fault import fault


def content_types(shop: FaultInjector, pattern: bytes) -> None:
    """Let another pattern say which Content-Type is JSON."""
    is_json = re.compile(pattern, re.IGNORECASE)

    def change(values: list[bytes]) -> bytes | None:
        if len(values) != 1:
            return None
        return b"application/json" if is_json.fullmatch(values[0]) else b"text/plain"

    rewrite_type(shop, change)


def rewrite_type(shop: FaultInjector, change: Callable[[list[bytes]], bytes | None]) -> None:
    def alter(ask: FaultyRequest) -> None:
        if is_service(ask) and ask.method == "POST":
            value = change(ask.values("content-type"))
            if value is not None:
                ask.put("content-type", value)

    shop.on_request(alter)


@fault("media type", "media_types_are_told_apart")
def any_type_is_taken(shop: FaultInjector) -> None:
    """A body of any media type is read as JSON."""
    content_types(shop, b".*")


@fault("media type", "missing_media_type_is_415")
def missing_type_is_json(shop: FaultInjector) -> None:
    """A body without Content-Type is read as JSON."""
    rewrite_type(shop, lambda values: None if values else b"application/json")


@fault("media type", "missing_media_type_is_415")
def first_of_two_types_counts(shop: FaultInjector) -> None:
    """Of two Content-Type headers the first counts."""
    rewrite_type(shop, lambda values: values[0] if len(values) > 1 else None)


@fault("media type", "media_types_are_told_apart")
def every_kind_of_json_is_taken(shop: FaultInjector) -> None:
    """JSON Patch and everything else that starts like JSON is taken."""
    content_types(shop, rb"application/json.*")


@fault("media type", "media_types_are_told_apart")
def charset_is_ignored(shop: FaultInjector) -> None:
    """A body in another charset is read as UTF-8."""
    content_types(shop, rb"application/json\s*(;.*)?")


@fault("media type", "media_types_are_told_apart")
def suffix_json_is_taken(shop: FaultInjector) -> None:
    """A media type with the suffix +json is taken."""
    content_types(shop, rb"application/(json|[a-z.-]+\+json)")


@fault("media type", "media_types_are_told_apart")
def forms_are_taken(shop: FaultInjector) -> None:
    """A form's media type is taken."""
    content_types(shop, rb"application/(json|x-www-form-urlencoded)(; *charset=utf-8)?")


@fault("media type", "json_is_recognised_however_it_is_written")
def charset_utf8_is_refused(shop: FaultInjector) -> None:
    """`application/json; charset=utf-8` is refused."""
    content_types(shop, rb"application/json")


@fault("media type", "json_is_recognised_however_it_is_written")
def type_is_compared_in_lower_case(shop: FaultInjector) -> None:
    """`Application/JSON` is refused."""
    rewrite_type(
        shop,
        lambda values: b"text/plain" if values and not values[0].startswith(b"app") else None,
    )


@fault("media type", "compressed_body_is_415")
def content_encoding_is_ignored(shop: FaultInjector) -> None:
    """A body under Content-Encoding is read as if it were not compressed."""

    def alter(ask: FaultyRequest) -> None:
        ask.put("content-encoding", None)

    shop.on_request(alter)


@fault("media type", "success_is_plain_json")
def success_is_text(shop: FaultInjector) -> None:
    """A success says that it is text/plain."""
    change_answers(
        shop,
        lambda ask, r: is_service(ask) and r.status < 300,
        lambda r: r.put("content-type", b"text/plain"),
    )


@fault("media type", "unknown_call_is_404")
def problem_is_plain_json(shop: FaultInjector) -> None:
    """A problem says that it is application/json."""
    change_answers(shop, of_problems, lambda r: r.put("content-type", b"application/json"))


@fault("media type", "media_types_are_told_apart")
def wrong_type_is_400(shop: FaultInjector) -> None:
    """A wrong media type is answered 400."""
    become(shop, 415, "malformed_json")
