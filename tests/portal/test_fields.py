"""Lists made from the contract: fields, states, outcomes, responses."""

from typing import Any

from voice_portal import tables
from voice_portal.fields import fields_of, parameters_of
from voice_portal.sources import Sources
from voice_sandbox.calls.call import ANSWERED_ENDS, UNANSWERED_ENDS, possible_ends


def test_every_property_of_every_schema_has_a_meaning(sources: Sources) -> None:
    """No field of the contract is listed without a sentence on what it means."""
    contract = sources.contract
    silent = [
        f"{name}.{field.name}"
        for name, schema in contract.components["schemas"].items()
        for field in fields_of(contract, schema)
        if not field.meaning
    ]
    assert silent == []


def test_nested_fields_follow_their_parent(sources: Sources) -> None:
    """Fields of objects inside an array are named by their path."""
    fields = fields_of(sources.contract, sources.contract.schema("AgentList"))
    assert [field.name for field in fields] == [
        "agents",
        "agents[].key",
        "agents[].name",
        "agents[].description",
        "agents[].languages",
    ]


def test_what_you_send_is_required_and_what_you_read_is_present(sources: Sources) -> None:
    """A request is told what it needs, a response what it always has, nested fields included."""

    def presences(name: str, general: Any = None) -> Any:
        contract = sources.contract
        general = contract.schema(general) if general else None
        return {
            f.name: f.presence for f in fields_of(contract, contract.schema(name), general=general)
        }

    for name in ("NewCall", "Completion"):
        required = sources.contract.schema(name)["required"]
        assert presences(name) == {
            field: "required" if field in required else "optional" for field in presences(name)
        }
    assert set(presences("AgentList").values()) == {"always present"}
    problem = presences("ValidationProblem", general="Problem")
    assert [name for name, word in problem.items() if word == "may be absent"] == ["errors"]
    assert problem["errors[].pointer"] == "always present"


def test_limits_are_words(sources: Sources) -> None:
    """Limits of a field are told in words, with the pattern as it stands in the contract."""
    [field] = parameters_of(sources.contract, sources.contract.operations["createCall"])
    assert (field.name, field.type, field.presence) == (
        "Idempotency-Key",
        "string in the header",
        "optional",
    )
    assert field.limits == ("1 to 255 characters", "pattern `^[!-~]+$`")


def test_outcomes_hold_every_word_of_the_provider_once(sources: Sources) -> None:
    """The normalization table lists all the provider's words, each with the one it becomes."""
    rows = tables.outcomes(sources.contract)
    table = {word: row["name"] for row in rows for word in row["words"]}
    assert table == sources.contract.schema("ProviderStatus")["x-normalized-status"]


def test_picture_of_the_states_is_what_the_sandbox_does(sources: Sources) -> None:
    """The ends that the picture draws are the ends that the sandbox's calls can take."""
    life = tables.life(sources.contract)
    *unfinished, completed = life["path"]
    assert {completed, *life["before"]} == ANSWERED_ENDS | UNANSWERED_ENDS
    for state in unfinished[:-1]:
        assert sorted({completed, *life["before"]}) == possible_ends(state)
    assert sorted({completed, *life["after"]}) == possible_ends(unfinished[-1])
