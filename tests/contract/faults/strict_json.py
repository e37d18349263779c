"""Faults of reading JSON: what strict readers reject, and what careless ones alter."""

import json
import re
from typing import Any

from fault_injection import FaultInjector
from faults.altering import (
    change_body,
    change_json,
    crash_on,
    decode_first,
    lenient,
    of_calls,
)
from faults.fault import fault


@fault("json", "keys_given_twice_are_400")
def duplicate_keys_are_taken(injector: FaultInjector) -> None:
    """Of a key that is given twice the last value counts."""

    def change(body: bytes) -> bytes:
        is_given_twice = False

        def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
            nonlocal is_given_twice
            is_given_twice |= len(dict(pairs)) < len(pairs)
            return dict(pairs)

        try:
            value = json.loads(body, object_pairs_hook=members)
        except (ValueError, RecursionError):
            return body
        return json.dumps(value).encode() if is_given_twice else body

    decode_first(injector, change)


@fault("json", "numbers_out_of_range_are_rejected")
def constants_are_taken(injector: FaultInjector) -> None:
    """NaN and Infinity are read as numbers."""
    decode_first(injector, lambda body: re.sub(rb":-?(NaN|Infinity)", b":1e9", body))


@fault("json", "numbers_out_of_range_are_rejected", crashes=True)
def endless_numerals_crash(injector: FaultInjector) -> None:
    """A numeral of thousands of digits ends in a 500."""
    crash_on(injector, lambda body: re.search(rb"[0-9]{4301}", body) is not None)


@fault("json", "body_that_is_not_utf8_is_400", crashes=True)
def invalid_utf8_crashes(injector: FaultInjector) -> None:
    """A body that is not UTF-8 ends in a 500."""

    def is_broken(body: bytes) -> bool:
        try:
            body.decode()
        except UnicodeDecodeError:
            return True
        return False

    crash_on(injector, is_broken)


@fault("json", "completion_that_is_not_strict_json_ends_no_call")
def invalid_utf8_is_repaired(injector: FaultInjector) -> None:
    """Bytes that are not UTF-8 are replaced and the body is taken."""
    decode_first(injector, lambda body: body.decode("utf-8", "replace").encode())


@fault("json", "body_that_is_not_utf8_is_400")
def byte_order_mark_is_taken(injector: FaultInjector) -> None:
    """A byte order mark is skipped."""
    decode_first(injector, lambda body: body.removeprefix(b"\xef\xbb\xbf"))


@fault("json", "body_that_is_not_utf8_is_400")
def utf16_is_taken(injector: FaultInjector) -> None:
    """The encoding of the body is guessed, as Python's own decoder does."""

    def change(body: bytes) -> bytes:
        try:
            return body.decode(json.detect_encoding(body)).encode()
        except UnicodeDecodeError:
            return body

    decode_first(injector, change)


@fault("json", "half_a_surrogate_pair_is_400")
def lone_surrogates_are_taken(injector: FaultInjector) -> None:
    """Half of a surrogate pair is taken for a character that cannot be shown."""
    decode_first(
        injector,
        lambda body: re.sub(rb"\\ud[89a-f][0-9a-f]{2}(?!\\ud[c-f])", rb"\\ufffd", body),
    )


@fault("json", "half_a_surrogate_pair_is_400", crashes=True)
def lone_surrogates_crash(injector: FaultInjector) -> None:
    """Half of a surrogate pair ends in a 500, because the text cannot be saved."""

    def cannot_be_saved(body: bytes) -> bool:
        text = json.dumps(lenient(body), ensure_ascii=False)
        return re.search("[\ud800-\udfff]", text) is not None

    crash_on(injector, cannot_be_saved)


@fault("json", "nesting_without_end_is_400", crashes=True)
def deep_nesting_crashes(injector: FaultInjector) -> None:
    """A body nested without end ends in a 500."""
    crash_on(injector, lambda body: body.count(b"[") + body.count(b"{") > 1000)


@fault("json", "malformed_completion_is_400")
def rest_of_the_body_is_ignored(injector: FaultInjector) -> None:
    """What follows the first JSON value is ignored."""

    def change(body: bytes) -> bytes:
        try:
            text = body.decode().lstrip()
            return text[: json.JSONDecoder().raw_decode(text)[1]].encode()
        except (ValueError, RecursionError):
            return body

    decode_first(injector, change)


@fault("json", "malformed_completion_is_400")
def empty_body_is_an_object(injector: FaultInjector) -> None:
    """No body at all is taken for an empty object."""
    decode_first(injector, lambda body: body or b"{}")


@fault("json", "completion_that_is_not_strict_json_ends_no_call")
def trailing_commas_are_taken(injector: FaultInjector) -> None:
    """A comma before a closing brace is skipped."""
    decode_first(injector, lambda body: re.sub(rb",\s*}", b"}", body))


@fault("json", "creation_is_held_to_json")
def comments_are_taken(injector: FaultInjector) -> None:
    """Comments in JSON are skipped."""
    decode_first(injector, lambda body: re.sub(rb"//[^\n\"]*$", b"", body))


@fault("json", "whole_numbers_are_integers")
def durations_are_floats(injector: FaultInjector) -> None:
    """A duration of 12 is returned as 12.0."""

    def change(call: dict[str, Any]) -> dict[str, Any]:
        seconds = call["duration"]
        return call | {"duration": None if seconds is None else float(seconds)}

    change_json(injector, of_calls, change)


@fault("json", "whole_numbers_are_integers")
def whole_floats_are_rejected(injector: FaultInjector) -> None:
    """12.0 is rejected as no integer."""
    decode_first(
        injector, lambda body: re.sub(rb'("duration":)([0-9]+[.e][0-9e-]+)', rb'\1"\2"', body)
    )


@fault("json", "completions_of_a_wrong_form_are_422")
def fractions_are_cut(injector: FaultInjector) -> None:
    """A duration of 1.5 is taken as 1."""
    decode_first(injector, lambda body: re.sub(rb'("duration":[0-9]+)\.[0-9]+', rb"\1", body))


@fault("json", "completions_of_a_wrong_form_are_422")
def numbers_in_quotes_are_taken(injector: FaultInjector) -> None:
    """A duration of "120" is taken as 120."""
    decode_first(injector, lambda body: re.sub(rb'("duration":\s*)"(\d+)"', rb"\1\2", body))


@fault("json", "completions_of_a_wrong_form_are_422")
def true_is_a_number(injector: FaultInjector) -> None:
    """A duration of true is taken as 1."""
    decode_first(injector, lambda body: re.sub(rb'("duration":\s*)true', rb"\g<1>1", body))


@fault("json", "body_of_another_kind_is_422", crashes=True)
def body_that_is_no_object_crashes(injector: FaultInjector) -> None:
    """A body that is JSON but no object ends in a 500."""
    crash_on(injector, lambda body: not isinstance(lenient(body), dict | None))


@fault("json", "escapes_are_read")
def escapes_are_kept(injector: FaultInjector) -> None:
    """An escaped slash keeps its backslash."""
    decode_first(injector, lambda body: body.replace(rb"\/", rb"\\/"))


@fault("json", "text_survives_the_round_trip")
def brackets_in_text_count_as_nesting(injector: FaultInjector) -> None:
    """A transcript with many brackets is rejected as nested too deep."""
    decode_first(injector, lambda body: b"{" if 50 < body.count(b"[") < 200 else body)


@fault("json", "numbers_are_not_rounded")
def whole_by_rounding_is_taken(injector: FaultInjector) -> None:
    """A duration of 12.00000000000000000001 is taken as 12."""

    def change(value: dict[str, Any]) -> None:
        seconds = value.get("duration")
        if isinstance(seconds, float) and seconds.is_integer():
            value["duration"] = int(seconds)

    change_body(injector, change)


@fault("json", "numbers_are_not_rounded", crashes=True)
def huge_exponents_crash(injector: FaultInjector) -> None:
    """An exponent of twenty digits ends in a 500."""
    crash_on(injector, lambda body: re.search(rb"[0-9]e[0-9]{20}", body) is not None)


@fault("json", "numbers_out_of_range_are_rejected")
def endless_fractions_are_read(injector: FaultInjector) -> None:
    """A fraction of thousands of digits is read to its end."""
    decode_first(injector, lambda body: re.sub(rb"\.0{1000,}", b".0", body))
