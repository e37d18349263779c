"""Faults of texts, written after the checks that generate their requests."""

import html
import re
import unicodedata
from urllib.parse import unquote

from faults.rows import (
    as_fault,
    code_of,
    read_body,
    read_text,
    received,
    respond,
)

_TEMPT, _TWO = "tempting_texts_survive", "texts_that_look_alike_are_two"
TEXTS = [
    (
        _TEMPT,
        "texts_are_stripped_right",
        "Blanks at the end of a transcript are dropped.",
        read_text(lambda t: t.rstrip() or t),
    ),
    (
        _TEMPT,
        "texts_are_normalized",
        "A transcript is normalized to NFC.",
        read_text(lambda t: unicodedata.normalize("NFC", t)),
    ),
    (
        _TEMPT,
        "texts_are_made_compatible",
        "Compatibility characters of a transcript are replaced.",
        read_text(lambda t: unicodedata.normalize("NFKC", t)),
    ),
    (
        _TEMPT,
        "carriage_returns_are_dropped",
        "Carriage returns in a transcript are dropped.",
        read_text(lambda t: t.replace("\r", "") or t),
    ),
    (
        _TEMPT,
        "entities_are_decoded",
        "Entities in a transcript are decoded.",
        read_text(html.unescape),
    ),
    (
        _TEMPT,
        "entities_are_made",
        "Markup in a transcript is escaped.",
        read_text(lambda t: html.escape(t)[:65_536]),
    ),
    (
        _TEMPT,
        "percents_are_decoded",
        "Percent escapes in a transcript are decoded.",
        read_text(lambda t: unquote(t) if "%4" in t else t),
    ),
    (
        _TEMPT,
        "pluses_become_blanks",
        "A plus in a transcript becomes a blank.",
        read_text(lambda t: t.replace("+", " ")),
    ),
    (
        _TEMPT,
        "byte_order_marks_are_dropped",
        "A byte order mark in a transcript is dropped.",
        read_text(lambda t: t.replace("\ufeff", "") or t),
    ),
    (
        _TEMPT,
        "invisible_characters_are_dropped",
        "Characters without width are dropped.",
        read_text(lambda t: re.sub("[\u200b-\u200d\u00ad]", "", t) or t),
    ),
    (
        _TEMPT,
        "variation_is_dropped",
        "Variation selectors are dropped.",
        read_text(lambda t: t.replace("\ufe0f", "") or t),
    ),
    (
        _TEMPT,
        "blanks_are_folded",
        "Several blanks become one.",
        read_text(lambda t: re.sub("  +", " ", t)),
    ),
    (
        _TEMPT,
        "empty_lines_are_dropped",
        "Empty lines of a transcript are dropped.",
        read_text(lambda t: re.sub("\n\n+", "\n", t)),
    ),
    (
        _TEMPT,
        "long_numbers_are_masked",
        "Long numbers in a transcript are masked.",
        read_text(lambda t: re.sub("[0-9]{4} [0-9]{4}", "**** ****", t)),
    ),
    (
        _TEMPT,
        "phone_numbers_are_masked",
        "Phone numbers in a transcript are masked.",
        read_text(lambda t: re.sub(r"\+[0-9]{8,}", "+***", t)),
    ),
    (
        _TEMPT,
        "controls_are_dropped",
        "Control characters are dropped.",
        read_text(lambda t: re.sub("[\x01-\x08\x0b\x0c\x0e-\x1f\x7f]", "", t) or t),
    ),
    (
        _TEMPT,
        "word_null_is_null",
        "A transcript that says null is none.",
        read_body(lambda v: v.update(transcript=None) if v.get("transcript") == "null" else None),
    ),
    (
        _TEMPT,
        "backslashes_are_read_again",
        "A backslash and an n in a transcript become a line break.",
        read_text(lambda t: t.replace("\\n", "\n")),
    ),
    (
        _TEMPT,
        "private_characters_are_replaced",
        "Characters for private use are replaced.",
        read_text(lambda t: re.sub("[\ue000-\uf8ff]", "\ufffd", t)),
    ),
    (
        _TEMPT,
        "lines_are_split_as_python_does",
        "Other line ends of Unicode become line breaks.",
        read_text(lambda t: re.sub("[\x85\u2028\u2029]", "\n", t)),
    ),
    (
        "every_code_point_survives",
        "one_plane_is_lost",
        "Characters of one plane are replaced.",
        read_text(lambda t: re.sub("[\U000e0000-\U000effff]", "?", t)),
    ),
    (
        "every_code_point_survives",
        "one_character_is_lost",
        "One rare character is replaced.",
        read_text(lambda t: t.replace("\u06dd", "?")),
    ),
    (
        _TWO,
        "results_are_compared_without_case",
        "A result that differs in case alone counts as the same.",
        respond(
            lambda q, r: code_of(r) == "call_already_ended" and b'"A"' in q.body,
            received,
        ),
    ),
]

ROWS = [
    *(as_fault("text", *row) for row in TEXTS),
]
