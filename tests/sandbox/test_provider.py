"""The simulated provider: the same call always goes the same way, and its ids stay its own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from uuid_utils import UUID

from voice_sandbox.calls.call import Call, judge, normalized
from voice_sandbox.calls.provider import (
    EVENT_TYPE,
    ID_PREFIX,
    Plan,
    call_id_of,
    first_due_at,
    plan,
    provider_call_id,
    status_at,
)
from voice_sandbox.calls.scenarios import Scenario, Scenarios
from voice_sandbox.contract.catalogue import Catalogue
from voice_sandbox.contract.model import Contract
from voice_sandbox.contract.validation import Validator

from .conftest import SCENARIOS, START

CALL_ID = UUID("01890a5d-ac96-774b-bcce-b302099a8058")
HEX = CALL_ID.hex
UUIDS = st.binary(min_size=16, max_size=16).map(lambda octets: UUID(bytes=octets))
EVERY = pytest.mark.parametrize("scenario", list(SCENARIOS), ids=lambda scenario: scenario.name)
COMPLETING = pytest.mark.parametrize(
    "scenario", [s for s in SCENARIOS if s.completions], ids=lambda scenario: scenario.name
)


def call_of(scenario: Scenario) -> Call:
    return Call(
        call_id=CALL_ID,
        phone=scenario.number,
        agent="agent",
        scenario=scenario.name,
        created_at=START,
    )


def plan_of(scenario: Scenario, catalogue: Catalogue) -> Plan:
    return plan(call_of(scenario), scenario)


@given(UUIDS)
def test_ids_lead_back_to_their_call(call_id: UUID) -> None:
    """The provider's id of a call names that call and no other."""
    assert call_id_of(provider_call_id(call_id)) == call_id


@given(UUIDS, UUIDS)
def test_two_calls_have_two_ids(one: UUID, other: UUID) -> None:
    """The provider's ids are as different as the calls."""
    assert (provider_call_id(one) == provider_call_id(other)) == (one == other)


@given(UUIDS)
def test_id_tells_nobody_the_call(call_id: UUID) -> None:
    """An id of the provider starts with its prefix and fits the contract's pattern."""
    made = provider_call_id(call_id)
    assert made.startswith(ID_PREFIX)
    assert len(made) == len(ID_PREFIX) + 32


@pytest.mark.parametrize(
    "foreign",
    [
        "",
        ID_PREFIX,
        HEX,
        str(CALL_ID),
        f"{ID_PREFIX}{CALL_ID}",
        f"{ID_PREFIX}{HEX.upper()}",
        f"{ID_PREFIX}{HEX[:-1]}",
        f"{ID_PREFIX}{HEX}0",
        f"{ID_PREFIX}{HEX}\n",
        f" {ID_PREFIX}{HEX}",
        f"{ID_PREFIX}{HEX[:8]}_{HEX[9:]}",
        f"{ID_PREFIX}urn:uuid:{HEX}",
        f"{ID_PREFIX}{{{HEX[:30]}}}",
        f"{ID_PREFIX.upper()}{HEX}",
        f"proc_{HEX}",
        f"{ID_PREFIX}{'g' * 32}",
        f"{ID_PREFIX}{chr(0x661) * 32}",
    ],
)
def test_foreign_id_names_no_call(foreign: str) -> None:
    """Only the exact form that this provider writes is an id of this provider."""
    assert call_id_of(foreign) is None


@given(st.text())
def test_no_text_breaks_the_reading_of_ids(text: str) -> None:
    """Whatever stands in a completion, reading it as an id raises nothing."""
    assert call_id_of(text) is None


@EVERY
def test_same_call_goes_the_same_way(scenario: Scenario, catalogue: Catalogue) -> None:
    """A plan depends on call and scenario alone."""
    assert plan_of(scenario, catalogue) == plan_of(scenario, catalogue)


@EVERY
def test_first_due_is_the_plan_s_first(scenario: Scenario, catalogue: Catalogue) -> None:
    """What is planned at creation is what the whole plan begins with."""
    dues = [delivery.due_at for delivery in plan_of(scenario, catalogue).deliveries]
    assert first_due_at(call_of(scenario), scenario) == (dues[0] if dues else None)


@EVERY
def test_states_come_in_order(scenario: Scenario) -> None:
    """A call that nobody ends goes from queued over ringing to in_progress, never back."""
    order = ["queued", "ringing", "in_progress"]
    call = call_of(scenario)
    seen = [order.index(status_at(call, scenario, START + step / 4)) for step in range(600)]
    assert seen == sorted(seen)
    assert seen[0] == 0


@COMPLETING
def test_talk_fits_between_answer_and_end(scenario: Scenario, catalogue: Catalogue) -> None:
    """No completion claims a longer talk than there was time for."""
    planned = plan_of(scenario, catalogue)
    for delivery in planned.deliveries:
        assert delivery.payload["duration"] <= delivery.due_at - START


@COMPLETING
def test_deliveries_come_in_order(scenario: Scenario, catalogue: Catalogue) -> None:
    """Completions are planned in the order in which they are due, all after the creation."""
    dues = [delivery.due_at for delivery in plan_of(scenario, catalogue).deliveries]
    assert dues == sorted(dues)
    assert dues[0] > START


@COMPLETING
def test_some_completion_is_possible(scenario: Scenario, catalogue: Catalogue) -> None:
    """Every plan with completions ends its call by one that the states allow."""
    planned = plan_of(scenario, catalogue)
    verdicts = [
        judge(
            normalized(
                catalogue.normalized_status[delivery.payload["status"]],
                delivery.payload["transcript"],
                delivery.payload["duration"],
            ),
            live_status=status_at(call_of(scenario), scenario, delivery.due_at),
            ended=None,
        )
        for delivery in planned.deliveries
        if delivery.payload["status"] in catalogue.normalized_status
    ]
    assert verdicts[0].value == "accepted"


@COMPLETING
def test_payloads_fit_the_contract(
    scenario: Scenario, catalogue: Catalogue, contract: Contract
) -> None:
    """What the provider posts is what the webhook takes, but for words it invents on purpose."""
    completion = Validator(contract, contract.schema("Completion"))
    for delivery in plan_of(scenario, catalogue).deliveries:
        wrong = [error.pointer for error in completion.errors(delivery.payload)]
        known = delivery.payload["status"] in catalogue.normalized_status
        assert wrong == ([] if known else ["/status"])


def test_longest_transcript_is_as_long_as_allowed(
    scenarios: Scenarios, catalogue: Catalogue
) -> None:
    """One scenario delivers as many characters as the contract allows, not one less."""
    [delivery] = plan_of(scenarios.by_name["longest_transcript"], catalogue).deliveries
    assert len(delivery.payload["transcript"]) == catalogue.longest_transcript


def test_event_type_is_the_contract_s(contract: Contract) -> None:
    """The provider's one kind of event is the one that the contract lists."""
    assert contract.schema("Completion")["properties"]["event_type"]["enum"] == [EVENT_TYPE]
