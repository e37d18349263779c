"""Faults of the schema: what is taken, what is rejected, and what a 422 says of it."""

import re
import unicodedata
from collections.abc import Callable
from typing import Any

from fault_injection import FaultInjector
from faults.altering import (
    become,
    change_body,
    change_json,
    first_agent,
    schemas,
)
from faults.fault import fault


@fault("schema", "fields_are_neither_guessed_nor_ignored")
def unknown_fields_are_ignored(injector: FaultInjector) -> None:
    """A creation with an unknown field is taken."""
    injector.contract(schemas(lambda s: s["NewCall"].update(additionalProperties=True)))


@fault("schema", "completion_needs_every_field")
def unknown_fields_of_completions_are_ignored(injector: FaultInjector) -> None:
    """A completion with an unknown field is taken."""
    injector.contract(schemas(lambda s: s["Completion"].update(additionalProperties=True)))


@fault("schema", "fields_are_neither_guessed_nor_ignored")
def agent_has_a_default(injector: FaultInjector) -> None:
    """A creation without agent takes the first one."""
    agent = first_agent()

    def change(value: dict[str, Any]) -> None:
        if set(value) == {"phone"}:
            value["agent"] = agent

    change_body(injector, change)


def phone_pattern(injector: FaultInjector, pattern: str) -> None:
    injector.contract(schemas(lambda s: s["PhoneNumber"].update(pattern=pattern)))


@fault("schema", "wrong_numbers_are_422")
def phone_pattern_has_no_end(injector: FaultInjector) -> None:
    """Anything may follow the number."""
    phone_pattern(injector, r"^\+[1-9][0-9]{7,14}")


@fault("schema", "wrong_numbers_are_422")
def phone_pattern_has_no_start(injector: FaultInjector) -> None:
    """Anything may stand before the number."""
    phone_pattern(injector, r"\+[1-9][0-9]{7,14}$")


def strip_phone(injector: FaultInjector, change: Callable[[str], str]) -> None:
    def alter(value: dict[str, Any]) -> None:
        if isinstance(value.get("phone"), str):
            value["phone"] = change(value["phone"])

    change_body(injector, alter)


@fault("schema", "wrong_numbers_are_422")
def line_break_after_the_number_is_taken(injector: FaultInjector) -> None:
    """A line break at the end of the number is overlooked, as Python's $ does."""
    strip_phone(injector, lambda phone: phone.removesuffix("\n"))


@fault("schema", "wrong_numbers_are_422")
def spaces_in_the_number_are_taken(injector: FaultInjector) -> None:
    """Spaces and dashes in the number are dropped."""
    strip_phone(injector, lambda phone: re.sub("[ -]", "", phone))


@fault("schema", "wrong_numbers_are_422")
def digits_of_every_alphabet_are_taken(injector: FaultInjector) -> None:
    """Digits of other alphabets count as digits."""
    phone_pattern(injector, r"^\+[1-9]\d{7,14}$")
    strip_phone(
        injector,
        lambda phone: "".join(str(unicodedata.digit(c)) if c.isdigit() else c for c in phone),
    )


@fault("schema", "wrong_numbers_are_422")
def long_numbers_are_taken(injector: FaultInjector) -> None:
    """Numbers of 16 digits are taken."""
    phone_pattern(injector, r"^\+[1-9][0-9]{7,}$")


@fault("schema", "numbers_of_every_length_are_taken")
def short_numbers_are_rejected(injector: FaultInjector) -> None:
    """Numbers of 8 digits are rejected."""
    phone_pattern(injector, r"^\+[1-9][0-9]{8,14}$")


@fault("schema", "wrong_numbers_are_422")
def numbers_may_start_with_zero(injector: FaultInjector) -> None:
    """A country code may start with 0."""
    phone_pattern(injector, r"^\+[0-9]{8,15}$")


@fault("schema", "wrong_agents_are_422")
def any_agent_is_taken(injector: FaultInjector) -> None:
    """An agent that does not exist is called."""

    def alter(document: dict[str, Any]) -> None:
        new_call = document["components"]["schemas"]["NewCall"]["properties"]
        new_call["agent"] = {"type": "string", "description": "Any.", "examples": ["x"]}

    injector.contract(alter)


@fault("schema", "wrong_agents_are_422")
def agent_ignores_case(injector: FaultInjector) -> None:
    """An agent's key in capitals is taken."""

    def change(value: dict[str, Any]) -> None:
        if isinstance(value.get("agent"), str):
            value["agent"] = value["agent"].lower()

    change_body(injector, change)


def completion_field(injector: FaultInjector, name: str, **changes: Any) -> None:
    def alter(found: dict[str, Any]) -> None:
        schema = found["Completion"]["properties"][name]
        for keyword, value in changes.items():
            if value is None:
                schema.pop(keyword)
            else:
                schema[keyword] = value

    injector.contract(schemas(alter))


@fault("schema", "completions_of_a_wrong_form_are_422")
def negative_durations_are_taken(injector: FaultInjector) -> None:
    """A call may last less than no time."""
    completion_field(injector, "duration", minimum=None)


@fault("schema", "completions_of_a_wrong_form_are_422")
def endless_durations_are_taken(injector: FaultInjector) -> None:
    """A call may last longer than a day."""
    completion_field(injector, "duration", maximum=None)


@fault("schema", "durations_are_kept")
def longest_duration_is_rejected(injector: FaultInjector) -> None:
    """A call that lasted a whole day is rejected."""
    completion_field(injector, "duration", maximum=86399)


@fault("schema", "completions_of_a_wrong_form_are_422")
def endless_transcripts_are_taken(injector: FaultInjector) -> None:
    """A transcript may be longer than allowed."""
    completion_field(injector, "transcript", maxLength=None)


@fault("schema", "longest_completion_is_accepted")
def transcript_is_measured_in_utf16(injector: FaultInjector) -> None:
    """The length of a transcript counts an emoji twice."""

    def change(value: dict[str, Any]) -> None:
        text = value.get("transcript")
        if isinstance(text, str) and len(text.encode("utf-16-le", "surrogatepass")) > 2 * 65536:
            value["transcript"] = "x" * 65537

    change_body(injector, change)


@fault("schema", "completions_of_a_wrong_form_are_422")
def nul_is_taken(injector: FaultInjector) -> None:
    """A transcript may hold NUL."""
    completion_field(injector, "transcript", pattern=None)


@fault("schema", "completions_of_a_wrong_form_are_422")
def every_event_is_a_completion(injector: FaultInjector) -> None:
    """An event of another type ends the call too."""
    completion_field(injector, "event_type", enum=None)


@fault("schema", "references_of_a_wrong_form_are_422")
def references_are_not_looked_at(injector: FaultInjector) -> None:
    """A provider's reference of any form is taken."""
    completion_field(injector, "provider_call_id", pattern=None, maxLength=None)


@fault("schema", "missing_fields_are_named")
def pointers_have_no_slash(injector: FaultInjector) -> None:
    """The pointers of a 422 are names of fields."""

    def change(problem: dict[str, Any]) -> None:
        for error in problem.get("errors", ()):
            error["pointer"] = error["pointer"].lstrip("/")

    change_json(injector, lambda _, r: r.status == 422, change)


@fault("schema", "missing_fields_are_named")
def first_error_alone_is_named(injector: FaultInjector) -> None:
    """A 422 names the first thing to fix and keeps silent about the rest."""
    change_json(
        injector, lambda _, r: r.status == 422, lambda p: p | {"errors": p.get("errors", [])[:1]}
    )


@fault("schema", "errors_are_bounded")
def errors_have_no_end(injector: FaultInjector) -> None:
    """A 422 lists every error of a body with hundreds."""

    def change(problem: dict[str, Any]) -> None:
        if len(problem.get("errors", ())) == 20:
            problem["errors"] *= 10

    change_json(injector, lambda _, r: r.status == 422, change)


@fault("schema", "completions_of_a_wrong_form_are_422")
def wrong_field_is_400(injector: FaultInjector) -> None:
    """A body that does not fit the schema is 400."""
    become(injector, 422, "malformed_json")


@fault("schema", "pointers_are_escaped")
def pointers_are_not_escaped(injector: FaultInjector) -> None:
    """The pointer of a field with a slash in its name points elsewhere."""

    def change(problem: dict[str, Any]) -> None:
        for error in problem.get("errors", ()):
            error["pointer"] = error["pointer"].replace("~1", "/")

    change_json(injector, lambda _, r: r.status == 422, change)
