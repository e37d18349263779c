"""Faults of the forms of JSON, written after the checks that generate their requests."""

import re

from faults.altering import lenient
from faults.rows import (
    as_fault,
    code_of,
    read_body,
    read_bytes,
    respond,
)

_FORMS, _ONE = "json_forms_are_told_apart", "body_is_one_json_text"
FORMS = [
    (
        _FORMS,
        "comments_are_skipped",
        "Comments in JSON are skipped.",
        read_bytes(lambda b: re.sub(rb"/\*.*?\*/", b"", b)),
    ),
    (
        _FORMS,
        "line_comments_are_skipped",
        "Line comments in JSON are skipped.",
        read_bytes(lambda b: re.sub(rb"(?m)//c$", b"", b)),
    ),
    (
        _FORMS,
        "commas_may_trail_in_lists",
        "A comma at the end of a list is overlooked.",
        read_bytes(lambda b: b.replace(b",]", b"]")),
    ),
    (
        _FORMS,
        "zeros_may_lead",
        "Zeros before a number are overlooked.",
        read_bytes(lambda b: re.sub(rb":0+([0-9])", rb":\1", b)),
    ),
    (
        _FORMS,
        "plus_may_lead",
        "A plus before a number is overlooked.",
        read_bytes(lambda b: re.sub(rb":\+([0-9])", rb":\1", b)),
    ),
    (
        _FORMS,
        "point_may_lead",
        "A number may begin with its point.",
        read_bytes(lambda b: b.replace(b":.5", b":0.5")),
    ),
    (
        _FORMS,
        "tabs_may_stand_in_texts",
        "A tab in a text needs no escape.",
        read_bytes(lambda b: b.replace(b'"\t"', b'"\\t"')),
    ),
    (
        _FORMS,
        "words_of_python_are_taken",
        "True and None are taken for true and null.",
        read_bytes(lambda b: b.replace(b":True", b":true").replace(b":None", b":null")),
    ),
    (
        _FORMS,
        "names_need_no_quotes",
        "The name of a field needs no quotes.",
        read_bytes(lambda b: b.replace(b"{a:1}", b'{"a":1}')),
    ),
    (
        _FORMS,
        "hex_escapes_are_taken",
        "An escape of JavaScript is read.",
        read_bytes(lambda b: b.replace(rb"\x41", b"A")),
    ),
    (
        _FORMS,
        "form_feed_is_white_space",
        "A form feed counts as white space.",
        read_bytes(lambda b: b.replace(b"\f", b" ")),
    ),
    (
        _FORMS,
        "no_break_space_is_white_space",
        "A no-break space counts as white space.",
        read_bytes(lambda b: b.replace(b"\xc2\xa0", b" ")),
    ),
    (
        _FORMS,
        "double_is_dropped_in_depth",
        "A key given twice in a nested object is overlooked.",
        read_bytes(lambda b: b.replace(b'{"a":1,"a":1}', b'{"a":1}')),
    ),
    (
        _FORMS,
        "empty_lists_are_rejected",
        "An empty list is taken for broken JSON.",
        read_bytes(lambda b: b.replace(b":[]", b":[,]")),
    ),
    (
        _FORMS,
        "capital_exponent_is_rejected",
        "A capital E in a number is rejected.",
        read_bytes(lambda b: re.sub(rb":([0-9.]+)E", rb":\1X", b)),
    ),
    (
        _ONE,
        "what_follows_is_ignored",
        "Whatever follows the object is ignored.",
        read_bytes(lambda b: b[: b.rfind(b"}") + 1] if b.endswith(b"x") else b),
    ),
    (
        _ONE,
        "nul_after_the_body_is_dropped",
        "A NUL after the body is dropped.",
        read_bytes(lambda b: b.rstrip(b"\x00")),
    ),
    (
        _ONE,
        "protection_against_scripts_is_skipped",
        "A prefix against scripts is skipped.",
        read_bytes(lambda b: b.removeprefix(b")]}',\n")),
    ),
    (
        _ONE,
        "wide_utf_is_recognized",
        "A body in UTF-16 is read.",
        read_bytes(
            lambda b: (
                b.decode("utf-16-le").encode()
                if b[1:2] == b"\x00" and b[3:4] == b"\x00" and len(b) % 2 == 0 and b[2:3] != b"\x00"
                else b
            )
        ),
    ),
    (
        _ONE,
        "unfinished_body_is_completed",
        "A missing brace at the end is added.",
        read_bytes(
            lambda b: (
                b + b"}"
                if b.startswith(b"{")
                and not b.rstrip().endswith(b"}")
                and lenient(b) is None
                and lenient(b + b"}") is not None
                else b
            )
        ),
    ),
    (
        "every_name_has_a_pointer",
        "tildes_are_not_escaped",
        "A tilde in a pointer is not escaped.",
        respond(
            lambda q, r: code_of(r) == "validation_failed",
            lambda r: setattr(r, "body", r.body.replace(b"~0", b"~")),
        ),
    ),
    (
        "every_name_has_a_pointer",
        "unknown_null_is_overlooked",
        "An unknown field that is null is overlooked.",
        read_body(
            lambda v: [v.pop(name) for name in [n for n in v if v[n] is None and n != "transcript"]]
        ),
    ),
    (
        "every_name_has_a_pointer",
        "private_names_are_overlooked",
        "An unknown field whose name begins with a mark is overlooked.",
        read_body(lambda v: [v.pop(name) for name in [n for n in v if n[:1] in ("_", "$", "#")]]),
    ),
    (
        "written_forms_are_read",
        "solidus_keeps_its_escape",
        "An escaped solidus keeps its backslash.",
        read_bytes(lambda b: b.replace(rb"\/", rb"\\/")),
    ),
    (
        "written_forms_are_read",
        "capital_escapes_are_kept",
        "An escape with capital digits is read as text.",
        read_bytes(lambda b: re.sub(rb"(?<!\\)\\u([0-9]*[A-F][0-9A-F]*)", rb"\\\\u\1", b)),
    ),
]

ROWS = [
    *(as_fault("json", *row) for row in FORMS),
]
