"""The reminders against every way a call can end. Nothing sleeps, and no phone rings."""

import pytest
from reminders import Reminders, TryLater


@pytest.fixture
def reminders(voice_sandbox):
    agent = voice_sandbox.client.get("/v1/agents").json()["agents"][0]["key"]
    return Reminders(voice_sandbox.client, agent)


@pytest.mark.parametrize(
    ("scenario", "outcome"),
    [
        ("answered", "reached"),
        ("voicemail", "reached"),
        ("silence", "try_again"),
        ("busy", "try_again"),
        ("no_answer", "try_again"),
        ("invalid_number", "check_number"),
        ("dropped", "check_number"),
    ],
)
def test_each_end_of_a_call_has_an_outcome(voice_sandbox, reminders, scenario, outcome):
    call_id = reminders.remind("dentist", voice_sandbox.scenarios()[scenario])
    assert reminders.outcome(call_id) == "pending"
    voice_sandbox.until_idle()
    assert reminders.outcome(call_id) == outcome


def test_a_reminder_is_placed_once(voice_sandbox, reminders):
    phone = voice_sandbox.scenarios()["answered"]
    first, again = (reminders.remind("dentist", phone) for _ in range(2))
    assert first == again
    assert [made["replayed"] for made in voice_sandbox.journal(operation="createCall")] == [
        True,
        False,
    ]


@pytest.mark.parametrize("scenario", ["provider_unavailable", "rate_limited"])
def test_a_refusal_says_when_to_try_again(voice_sandbox, reminders, scenario):
    with pytest.raises(TryLater) as refused:
        reminders.remind("dentist", voice_sandbox.scenarios()[scenario])
    assert refused.value.seconds > 0
