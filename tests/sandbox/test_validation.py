"""Validators: each finding names its place and says what to put right."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice_sandbox.contract.model import Contract
from voice_sandbox.contract.problems import ProblemError
from voice_sandbox.contract.validation import MAX_ERRORS, Validator, Validators

from .conftest import CONTRACT, completion, new_call

NEW_CALL = Validator(CONTRACT, CONTRACT.schema("NewCall"))
COMPLETION = Validator(CONTRACT, CONTRACT.schema("Completion"))
FIELD_ERROR = Validator(CONTRACT, CONTRACT.schema("FieldError"))


def pointers(validator: Validator, value: Any) -> list[str]:
    return sorted(error.pointer for error in validator.errors(value))


def detail(validator: Validator, value: Any) -> str:
    [error] = validator.errors(value)
    return error.detail


def test_right_value_has_no_errors() -> None:
    """What the contract shows is accepted."""
    assert (pointers(NEW_CALL, new_call()), pointers(COMPLETION, completion())) == ([], [])


def test_every_wrong_place_is_named_once() -> None:
    """One request learns of everything that is wrong with it."""
    wrong = completion(event_type="x", status="x", transcript=1, duration=-1, extra=1)
    assert pointers(COMPLETION, wrong) == [
        "/duration",
        "/event_type",
        "/extra",
        "/status",
        "/transcript",
    ]


def test_missing_field_is_named_and_explained() -> None:
    """A missing field is named as if it were there, with what the contract says of it."""
    [error] = NEW_CALL.errors({"agent": new_call()["agent"]})
    assert error.pointer == "/phone"
    assert "missing" in error.detail
    assert "E.164" in error.detail


def test_unknown_field_comes_with_the_known_ones() -> None:
    """Whoever misspells a field sees how it is spelled."""
    assert "phone, agent" in detail(NEW_CALL, {**new_call(), "telephone": 1})


def test_wrong_type_says_both_types() -> None:
    """The sentence says what came and what was expected."""
    assert "This is an array, but must be a string." in detail(
        NEW_CALL, {**new_call(), "phone": []}
    )


def test_fraction_is_no_integer() -> None:
    """Whole seconds are whole."""
    assert "must be an integer" in detail(COMPLETION, completion(duration=1.5))


def test_unknown_word_comes_with_the_known_ones(contract: Contract) -> None:
    """Whoever sends a word that is not in the table sees the table."""
    said = detail(COMPLETION, completion(status="hung-up"))
    assert all(word in said for word in contract.schema("ProviderStatus")["enum"])


@pytest.mark.parametrize("value", [None, [], "x", 1, 1.5, True])
def test_what_is_no_object_is_rejected_as_a_whole(value: Any) -> None:
    """A body that is no object has one error, at the body itself."""
    [error] = NEW_CALL.errors(value)
    assert error.pointer == ""
    assert "must be an object" in error.detail


@pytest.mark.parametrize(
    "phone",
    [
        "",
        "+",
        "996",
        "+0123456789",
        "+1234567",
        "+1234567890123456",
        "+1 2025550100",
        "+1202555010\u0660",
        "+12025550100\n",
        "\n+12025550100",
        " +12025550100",
        "tel:+12025550100",
        "\uff0b12025550100",
    ],
)
def test_wrong_phone_is_rejected(phone: str) -> None:
    """Only E.164 with ASCII digits is a phone number."""
    assert pointers(NEW_CALL, {**new_call(), "phone": phone}) == ["/phone"]


@pytest.mark.parametrize("phone", ["+12345678", "+123456789012345"])
def test_phone_of_every_allowed_length_is_taken(phone: str) -> None:
    """The shortest and the longest number are numbers."""
    assert pointers(NEW_CALL, {**new_call(), "phone": phone}) == []


@pytest.mark.parametrize("agent", ["", None, 1, " ", "AGENT", ["x"]])
def test_wrong_agent_is_rejected(agent: Any) -> None:
    """Only a key of the catalogue is an agent."""
    assert pointers(NEW_CALL, {**new_call(), "agent": agent}) == ["/agent"]


@pytest.mark.parametrize(
    "change",
    [
        {"duration": -1},
        {"duration": 86_401},
        {"duration": None},
        {"duration": "1"},
        {"duration": True},
        {"duration": 10**300},
        {"transcript": "a\0b"},
        {"transcript": "x" * 65_537},
        {"transcript": ["x"]},
        {"event_type": "call.started"},
        {"provider_call_id": ""},
        {"provider_call_id": "x" * 129},
        {"provider_call_id": "a b"},
        {"provider_call_id": "_a"},
        {"provider_call_id": "a\n"},
        {"status": "COMPLETED"},
        {"status": "in_progress"},
    ],
    ids=repr,
)
def test_wrong_completion_is_rejected(change: dict[str, Any]) -> None:
    """Each rule of a completion is enforced at its place."""
    assert pointers(COMPLETION, completion(**change)) == [f"/{name}" for name in change]


@pytest.mark.parametrize(
    "change",
    [
        {"duration": 0},
        {"duration": 86_400},
        {"transcript": None},
        {"transcript": ""},
        {"transcript": "\U0001f642" * 65_536},
        {"provider_call_id": "x" * 128},
    ],
    ids=lambda change: str(change)[:40],
)
def test_completion_at_its_bounds_is_taken(change: dict[str, Any]) -> None:
    """A bound rejects nothing on its inner side; characters count, not bytes."""
    assert pointers(COMPLETION, completion(**change)) == []


def test_errors_are_bounded() -> None:
    """A thousand unknown fields make no endless problem."""
    assert len(NEW_CALL.errors({f"field_{i}": i for i in range(1000)})) == MAX_ERRORS


@pytest.mark.parametrize(
    ("name", "pointer"), [("a/b", "/a~1b"), ("a~b", "/a~0b"), ("", "/"), ("~1", "/~01")]
)
def test_pointers_are_escaped(name: str, pointer: str) -> None:
    """A name with slash or tilde is one token (RFC 6901, section 3)."""
    assert pointers(NEW_CALL, {**new_call(), name: 1}) == [pointer]


@pytest.mark.parametrize("start", ["", "a"])
@pytest.mark.parametrize("letter", ["k", "~", "/", "é"])
def test_error_about_a_huge_key_fits_the_contract(start: str, letter: str) -> None:
    """A key of any length makes an entry that the contract allows."""
    [error] = NEW_CALL.errors({**new_call(), start + letter * 9000: 1})
    assert FIELD_ERROR.errors({"pointer": error.pointer, "detail": error.detail}) == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(
    JSON
    | st.fixed_dictionaries({}, optional=dict.fromkeys(completion(), JSON))
    | st.dictionaries(st.text("~/ab", max_size=600), JSON)
)
def test_every_finding_fits_the_contract(value: Any) -> None:
    """Whatever JSON arrives, its errors are entries that the contract allows."""
    for error in COMPLETION.errors(value):
        assert FIELD_ERROR.errors({"pointer": error.pointer, "detail": error.detail}) == []


@given(JSON)
def test_check_and_errors_agree(value: Any) -> None:
    """A value is rejected exactly when there is something to put right."""
    try:
        COMPLETION.check(value)
    except ProblemError as error:
        found = list(error.errors)
    else:
        found = []
    assert (found == []) == COMPLETION.is_valid(value)


def test_rejection_counts_the_places() -> None:
    """The detail says in how many places the body is wrong."""
    with pytest.raises(ProblemError, match="in 2 places"):
        NEW_CALL.check({})


def test_every_body_and_parameter_is_compiled(contract: Contract) -> None:
    """Nothing that an operation takes goes unchecked."""
    validators = Validators(contract)
    for name, operation in contract.operations.items():
        assert (name in validators.body) == (operation.body is not None)
        assert set(validators.parameters[name]) == {p.name for p in operation.parameters}
