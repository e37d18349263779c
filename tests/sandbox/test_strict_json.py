"""The one JSON decoder: what it takes, it can send back, and it breaks on nothing."""

import json
import math
from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice_sandbox.http.strict_json import (
    MAX_DEPTH,
    MAX_NUMERAL_LENGTH,
    MAX_VALUES,
    MalformedJSON,
    decode,
)

REJECTED = {
    "empty body": b"",
    "white space alone": b" \n\t ",
    "byte order mark": b"\xef\xbb\xbf{}",
    "UTF-16": '{"a": 1}'.encode("utf-16-le"),
    "Latin-1": '{"a": "é"}'.encode("latin-1"),
    "encoded surrogate": b'"\xed\xa0\xbd"',
    "overlong UTF-8": b'"\xc0\xaf"',
    "key given twice": b'{"a": 1, "a": 1}',
    "key given twice, once escaped": rb'{"a": 1, "\u0061": 2}',
    "key given twice, deep down": b'[{"b": {"a": 1, "a": 2}}]',
    "NaN": b"NaN",
    "Infinity": b'{"a": Infinity}',
    "minus Infinity": b"[-Infinity]",
    "number out of range": b"1e400",
    "fraction that a double loses": b"0." + b"0" * 2 + b"1e-400",
    "integer that a double loses": b"9007199254740992.5",
    "exponent beyond any number": b"1e-99999999999999999999",
    "zero with an exponent beyond any number": b"0e99999999999999999999",
    "5,000 digits": b"1" * 5000,
    "5,000 digits with a fraction": b"0." + b"1" * 5000,
    "half of a surrogate pair": rb'"\ud83d"',
    "other half of a surrogate pair": rb'{"\ude42": 1}',
    "surrogates in the wrong order": rb'"\ude42\ud83d"',
    "30,000 nested arrays": b"[" * 30_000 + b"]" * 30_000,
    "30,000 nested objects": b'{"a":' * 30_000 + b"1" + b"}" * 30_000,
    "30,000 open brackets": b"[" * 30_000,
    "closing brackets before opening ones": b"]" * 100 + b"[" * 30_000,
    "nesting behind a string that never ends": b'"' + b"[" * 30_000,
    "trailing comma": b"[1,]",
    "comment": b"{} // x",
    "two values": b"{} {}",
    "single quotes": b"{'a': 1}",
    "leading zero": b"01",
    "plus sign": b"+1",
    "hexadecimal": b"0x10",
    "digits of another script": "[\u0661]".encode(),
    "bare fraction": b".5",
    "raw control character": b'"\x01"',
    "raw line break": b'"a\nb"',
    "unknown escape": rb'"\x41"',
    "NUL beside JSON": b"{}\x00",
    "no-break space": "\u00a0{}".encode(),
}


@pytest.mark.parametrize("body", REJECTED.values(), ids=REJECTED.keys())
def test_rejects(body: bytes) -> None:
    """What is not strict JSON, or could not be sent back, is rejected with a sentence."""
    with pytest.raises(MalformedJSON, match=r"\w+ \w+"):
        decode(body)


TAKEN = {
    "object": (b'{"a": [1, 2.5, true, false, null, "x"]}', {"a": [1, 2.5, True, False, None, "x"]}),
    "bare string": (b'"x"', "x"),
    "white space around": (b" \r\n\t{} \n", {}),
    "pair of surrogates": (rb'"\ud83d\ude42"', "\U0001f642"),
    "astral character": ('"\U0001f642"'.encode(), "\U0001f642"),
    "escaped backslash before u": (rb'"\\ud83d"', r"\ud83d"),
    "escaped NUL": (rb'"\u0000"', "\0"),
    "empty key": (b'{"": 1}', {"": 1}),
    "keys that differ in case": (b'{"a": 1, "A": 2}', {"a": 1, "A": 2}),
    "same key in two objects": (b'[{"a": 1}, {"a": 2}]', [{"a": 1}, {"a": 2}]),
    "minus zero": (b"-0", 0),
}


@pytest.mark.parametrize(("body", "value"), TAKEN.values(), ids=TAKEN.keys())
def test_takes(body: bytes, value: Any) -> None:
    """Strict JSON gives the value that it says."""
    assert decode(body) == value


@pytest.mark.parametrize(
    ("numeral", "value"), [("12.0", 12), ("1.2e1", 12), ("120e-1", 12), ("-0.0", 0), ("1e3", 1000)]
)
def test_number_without_fraction_is_an_integer(numeral: str, value: int) -> None:
    """`12.0` is an integer to JSON Schema, so it is stored and sent back as `12`."""
    decoded = decode(numeral.encode())
    assert (decoded, type(decoded)) == (value, int)


def test_number_with_fraction_stays_one() -> None:
    """A number with a fraction is kept as it is."""
    assert decode(b"12.5") == 12.5


def test_numeral_of_the_longest_length_is_taken() -> None:
    """The bound on digits rejects nothing below it."""
    numeral = "9" * MAX_NUMERAL_LENGTH
    assert decode(numeral.encode()) == int(numeral)


def test_numeral_one_longer_is_rejected() -> None:
    """The bound on digits begins where it says."""
    with pytest.raises(MalformedJSON, match=str(MAX_NUMERAL_LENGTH)):
        decode(b"9" * (MAX_NUMERAL_LENGTH + 1))


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_deepest_nesting_is_taken(opening: str, closing: str) -> None:
    """The bound on depth rejects nothing below it."""
    inner = "1" if opening != "[" else ""
    assert decode((opening * MAX_DEPTH + inner + closing * MAX_DEPTH).encode())


def test_one_level_deeper_is_rejected() -> None:
    """The bound on depth begins where it says."""
    with pytest.raises(MalformedJSON, match=str(MAX_DEPTH)):
        decode(b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1))


@pytest.mark.parametrize("text", ["[" * 30_000, '\\"' + "{" * 30_000, "\\\\" + "[" * 100])
def test_brackets_inside_strings_are_no_nesting(text: str) -> None:
    """A transcript may hold any number of brackets."""
    assert decode(f'{{"transcript": "{text}"}}'.encode())["transcript"].endswith(text[-50:])


def test_brackets_side_by_side_are_no_nesting() -> None:
    """A thousand small objects in a row are not deep."""
    assert len(decode(b"[" + b",".join([b"{}"] * 1000) + b"]")) == 1000


SMALL_VALUES = st.recursive(
    st.sampled_from(["null", "true", "0", "1e300", "1.5e-9", '""', r'"\\"', r'"\""', r'"\u0041"']),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{','.join(items)}]")
        | st.lists(inner, max_size=3).map(
            lambda items: "{" + ",".join(f'"{n}":{item}' for n, item in enumerate(items)) + "}"
        )
    ),
    max_leaves=4,
)


@given(SMALL_VALUES, st.booleans())
def test_many_values_are_rejected(value: str, are_members: bool) -> None:
    """However small the values are, a body with too many of them costs no time to decode."""
    values = [value] * (MAX_VALUES + 2)
    if are_members:
        body = "{" + ",".join(f'"{n}":{value}' for n, value in enumerate(values)) + "}"
    else:
        body = f"[{','.join(values)}]"
    with pytest.raises(MalformedJSON, match=f"more than {MAX_VALUES} values"):
        decode(body.encode())


@given(SMALL_VALUES)
def test_as_many_values_as_the_limit_are_accepted(value: str) -> None:
    """The limit on values rejects nothing below it."""
    count = MAX_VALUES // (1 + sum(map(value.count, ",[{")))
    assert len(decode(f"[{','.join([value] * count)}]".encode())) == count


@given(st.lists(st.sampled_from([",", "[", "{", '\\"', "\\\\", "\\n", "é"]), max_size=5))
def test_what_stands_in_a_string_is_no_value(pieces: list[str]) -> None:
    """A transcript may hold any number of commas, quotes and backslashes."""
    text = "".join(pieces) * 20_000
    assert decode(f'{{"transcript": "{text}"}}'.encode()) == {"transcript": json.loads(f'"{text}"')}


def test_quotes_keys_but_never_values() -> None:
    """A value may be a secret, so the sentence repeats none."""
    with pytest.raises(MalformedJSON) as rejected:
        decode(b'{"phone": "secret-value", "phone": "secret-value"}')
    assert "phone" in str(rejected.value)
    assert "secret" not in str(rejected.value)


def test_long_key_is_not_repeated_whole() -> None:
    """A huge key does not make a huge problem."""
    with pytest.raises(MalformedJSON) as rejected:
        decode(b'{"%b": 1, "%b": 2}' % (b"k" * 9000, b"k" * 9000))
    assert len(str(rejected.value)) < 200


def test_says_where_syntax_breaks() -> None:
    """The sentence names line and column, so that a person finds the place."""
    with pytest.raises(MalformedJSON, match="line 2, column 8"):
        decode(b'{\n  "a": }')


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(VALUES, st.booleans(), st.sampled_from([None, 1]))
def test_agrees_with_python(value: Any, ascii_only: bool, indent: int | None) -> None:
    """What Python writes as JSON comes back as the same value."""
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    assert _as_doubles(decode(text.encode())) == _as_doubles(value)


@given(st.text('[]{}",:\\ue1-+.0tfn \ud83d', max_size=40) | st.text(max_size=40))
def test_takes_only_what_python_takes(text: str) -> None:
    """It is stricter than Python's own decoder, never looser, and breaks on nothing."""
    body = text.encode("utf-8", "surrogatepass")
    try:
        value = decode(body)
    except MalformedJSON:
        return
    assert _as_doubles(value) == _as_doubles(json.loads(body))


@given(st.binary(max_size=60))
def test_breaks_on_no_bytes(body: bytes) -> None:
    """Whatever arrives, there is a value or a rejection."""
    with suppress(MalformedJSON):
        decode(body)


@given(
    st.from_regex(r"-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,22})?", fullmatch=True)
)
def test_breaks_on_no_numeral(numeral: str) -> None:
    """Every numeral of JSON's grammar is taken at its value or rejected."""
    try:
        value = decode(numeral.encode())
    except MalformedJSON:
        return
    assert float(value) == float(numeral)
    assert math.isfinite(value)


@given(VALUES)
def test_what_is_taken_can_be_sent_back(value: Any) -> None:
    """No text and no key is accepted that the response's encoder would reject."""
    decoded = decode(json.dumps(value).encode())
    assert orjson.loads(orjson.dumps(_without_big_integers(decoded))) is not ...


def _as_doubles(value: Any) -> Any:
    """`1e23` is an exact integer here and the nearest double in Python's decoder."""
    if isinstance(value, dict):
        return {key: _as_doubles(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_as_doubles(item) for item in value]
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number else value


def _without_big_integers(value: Any) -> Any:
    """Big integers never reach a response: every integer of the contract has a maximum."""
    if isinstance(value, dict):
        return {key: _without_big_integers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_big_integers(item) for item in value]
    return 0 if isinstance(value, int) and abs(value) >= 2**63 else value
