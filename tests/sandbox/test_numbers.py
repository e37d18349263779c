"""Numbers of one's own: what calls to them do, for programs whose numbers nobody may change."""

import itertools
from typing import Any
from urllib.parse import quote

import httpx2
import pytest

from .conftest import (
    CONTROL,
    SCENARIOS,
    Sandbox,
    assert_conforms,
    client_of,
    new_call,
)

pytestmark = pytest.mark.anyio

ON_ENGINES = ["sqlite-memory", "postgresql"]

MINE = "+996700000001"
OTHER = "+996700000002"
BUSY = SCENARIOS.by_name["busy"].number
TALK = "agent: Is it 10:30?\nuser: Yes."
OWN = {
    "ringing": 1,
    "in_progress": 2,
    "completions": [{"after": 5, "status": "completed", "transcript": TALK}],
}


async def bind(sandbox: Sandbox, phone: str, body: Any) -> dict[str, Any]:
    response = await sandbox.client.put(f"/sandbox/numbers/{quote(phone)}", json=body)
    assert_conforms(CONTROL, response)
    assert response.status_code == 200, response.text
    return dict(response.json())


async def end_of(sandbox: Sandbox, phone: str) -> dict[str, Any]:
    """How a new call to a number ends."""
    call_id = await sandbox.create(phone)
    await sandbox.client.post("/sandbox/clock", json={"until": "idle"})
    return await sandbox.read(call_id)


async def listed(sandbox: Sandbox) -> list[dict[str, Any]]:
    response = await sandbox.client.get("/sandbox/numbers")
    assert_conforms(CONTROL, response)
    return list(response.json()["numbers"])


async def test_number_plays_the_scenario_that_it_is_bound_to(sandbox: Sandbox) -> None:
    """A number of the program's own fixtures is busy, and every other one is as before."""
    await bind(sandbox, MINE, {"scenario": "busy"})
    assert (await end_of(sandbox, MINE))["status"] == "busy"
    assert (await end_of(sandbox, OTHER))["status"] == "completed"


async def test_number_plays_an_outcome_of_its_own(sandbox: Sandbox) -> None:
    """A parser gets exactly the transcript that it needs."""
    await bind(sandbox, MINE, OWN)
    end = await end_of(sandbox, MINE)
    assert (end["transcript"], end["duration"]) == (TALK, 3)
    inspected = await sandbox.inspect(end["call_id"])
    assert inspected["scenario"] == "own"


async def test_number_can_reject_creations(sandbox: Sandbox) -> None:
    """A refusal with `times` works afterwards, and rings for nobody before."""
    rejection = {"code": "rate_limited", "retry_after": 2, "times": 1}
    await bind(sandbox, MINE, {"refusal": rejection, "completions": []})
    body = {**new_call(), "phone": MINE}
    first = await sandbox.client.post("/v1/calls", json=body)
    assert (first.status_code, first.headers["retry-after"]) == (429, "2")
    assert (await sandbox.client.post("/v1/calls", json=body)).status_code == 201


async def test_default_is_every_number_that_has_no_scenario(sandbox: Sandbox) -> None:
    """Numbers of the catalogue and bound ones keep theirs."""
    await bind(sandbox, "default", {"scenario": "no_answer"})
    await bind(sandbox, MINE, {"scenario": "invalid_number"})
    ends = [(await end_of(sandbox, phone))["status"] for phone in (OTHER, MINE, BUSY)]
    assert ends == ["no_answer", "failed", "busy"]


async def test_number_of_the_catalogue_can_be_bound(sandbox: Sandbox) -> None:
    """What a key binds counts before the catalogue."""
    await bind(sandbox, BUSY, {"scenario": "answered"})
    assert (await end_of(sandbox, BUSY))["status"] == "completed"


async def test_call_keeps_the_outcome_that_it_was_created_with(sandbox: Sandbox) -> None:
    """Binding a number anew or unbinding it changes no call that exists."""
    await bind(sandbox, MINE, OWN)
    call_id = await sandbox.create(MINE)
    await bind(sandbox, MINE, {"scenario": "busy"})
    await sandbox.client.delete(f"/sandbox/numbers/{quote(MINE)}")
    await sandbox.advance(60)
    assert (await sandbox.read(call_id))["transcript"] == TALK


async def test_unbound_number_plays_the_catalogue(sandbox: Sandbox) -> None:
    """After DELETE it is as it was, and a second one changes nothing."""
    await bind(sandbox, MINE, {"scenario": "busy"})
    for _ in range(2):
        response = await sandbox.client.delete(f"/sandbox/numbers/{quote(MINE)}")
        assert_conforms(CONTROL, response)
        assert response.status_code == 204
    assert await listed(sandbox) == []
    assert (await end_of(sandbox, MINE))["status"] == "completed"


async def test_list_is_what_was_bound(sandbox: Sandbox) -> None:
    """What is listed can be sent again as it is."""
    bound = [await bind(sandbox, "default", {"scenario": "busy"}), await bind(sandbox, MINE, OWN)]
    shown = await listed(sandbox)
    assert sorted(shown, key=str) == sorted(bound, key=str)
    [own] = [number["outcome"] for number in shown if number["outcome"]]
    assert (await bind(sandbox, MINE, own))["outcome"] == own


async def test_numbers_belong_to_a_key(sandbox: Sandbox) -> None:
    """Another key has none, and neither has an emptied one."""
    await bind(sandbox, MINE, {"scenario": "busy"})
    async with client_of(sandbox.app, "sandbox_other") as other:
        assert (await other.get("/sandbox/numbers")).json() == {"numbers": []}
    await sandbox.client.delete("/sandbox/state")
    assert await listed(sandbox) == []
    assert (await end_of(sandbox, MINE))["status"] == "completed"


WRONG: list[tuple[str, Any]] = [
    ("/scenario", {"scenario": "explosion"}),
    ("/ringing", {"scenario": "busy", "ringing": 1}),
    ("", {}),
    ("", {"ringing": 3, "in_progress": 2, "completions": []}),
    ("/ringing", {"ringing": -1, "completions": []}),
    ("/completions/0/after", {"completions": [{"after": 0, "status": "busy", "transcript": None}]}),
    ("/completions/0", {"completions": [{"after": 1, "transcript": None}]}),
    ("/completions/0/transcript", {"completions": [{"after": 1}]}),
    (
        "/completions/0",
        {"completions": [{"after": 1, "status": "a", "unknown_status": "b", "transcript": None}]},
    ),
    ("", {"scenario": "busy", "completions": []}),
    ("", {"completions": [], "refusal": {"code": "x", "retry_after": 1}}),
    ("", {"refusal": {"code": "rate_limited", "retry_after": 1, "times": 1}}),
    (
        "/completions/0/status",
        {"completions": [{"after": 1, "status": "exploded", "transcript": None}]},
    ),
    ("/completions/0/transcript", {"completions": [{"after": 1, "status": "busy"}]}),
    ("/refusal/code", {"refusal": {"code": "call_not_found", "retry_after": 1}}),
    ("/refusal/times", {"refusal": {"code": "rate_limited", "retry_after": 1, "times": 0}}),
    ("/explosion", {"explosion": 1}),
]


@pytest.mark.parametrize(("pointer", "body"), WRONG)
async def test_outcome_that_cannot_be_played_is_rejected(
    sandbox: Sandbox, pointer: str, body: Any
) -> None:
    """422 names the place and says what fits there."""
    response = await sandbox.client.put(f"/sandbox/numbers/{quote(MINE)}", json=body)
    assert_conforms(CONTROL, response)
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == pointer
    assert await listed(sandbox) == []


@pytest.mark.parametrize("phone", ["555", "Default", "+0123456789", "++996700000001"])
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_number_that_is_none_is_rejected(sandbox: Sandbox, phone: str, method: str) -> None:
    """422 says how a number looks."""
    body = {"scenario": "busy"} if method == "PUT" else None
    response = await sandbox.client.request(method, f"/sandbox/numbers/{quote(phone)}", json=body)
    assert_conforms(CONTROL, response)
    assert response.status_code == 422
    assert "E.164" in response.text


# Scenarios that need a memory


async def test_unstable_number_works_after_two_rejections(sandbox: Sandbox) -> None:
    """503 twice, then 201 for good: a program that retries succeeds."""
    body = {**new_call(), "phone": SCENARIOS.by_name["unstable"].number}
    seen = [await sandbox.client.post("/v1/calls", json=body) for _ in range(4)]
    assert [response.status_code for response in seen] == [503, 503, 201, 201]
    assert_says_that_waiting(seen[0], helps=True)


@pytest.mark.parametrize("same_body", [True, False], ids=["replay", "conflict"])
async def test_repeated_key_uses_up_no_rejection(sandbox: Sandbox, same_body: bool) -> None:
    """A replay and a conflict of an `Idempotency-Key` leave the count of an unstable number."""
    used = {"Idempotency-Key": "order-1842"}
    unstable = {**new_call(), "phone": MINE}
    first = unstable if same_body else {**new_call(), "phone": OTHER}
    created = await sandbox.client.post("/v1/calls", json=first, headers=used)
    assert created.status_code == 201
    await bind(sandbox, MINE, {"scenario": "unstable"})
    for _ in range(3):
        repeated = await sandbox.client.post("/v1/calls", json=unstable, headers=used)
        assert repeated.status_code == (201 if same_body else 409)
    seen = [await sandbox.client.post("/v1/calls", json=unstable) for _ in range(3)]
    assert [response.status_code for response in seen] == [503, 503, 201]


async def test_emptied_key_is_rejected_anew(sandbox: Sandbox) -> None:
    """An unstable number counts in one namespace."""
    body = {**new_call(), "phone": SCENARIOS.by_name["unstable"].number}
    for _ in range(3):
        await sandbox.client.post("/v1/calls", json=body)
    await sandbox.client.delete("/sandbox/state")
    assert (await sandbox.client.post("/v1/calls", json=body)).status_code == 503


@pytest.mark.parametrize("scenario", ["rate_limited", "provider_unavailable"])
async def test_number_that_is_always_rejected_says_so(sandbox: Sandbox, scenario: str) -> None:
    """Nobody is told to wait where waiting does not help."""
    body = {**new_call(), "phone": SCENARIOS.by_name[scenario].number}
    assert_says_that_waiting(await sandbox.client.post("/v1/calls", json=body), helps=False)


def assert_says_that_waiting(response: httpx2.Response, *, helps: bool) -> None:
    detail = response.json()["detail"]
    assert ("waiting does not help" in detail) is not helps
    assert ("then it works" in detail) is helps


@pytest.mark.parametrize(
    ("scenario", "status"), [("stuck_queued", "queued"), ("stuck_ringing", "ringing")]
)
async def test_stuck_call_stays_where_it_is(sandbox: Sandbox, scenario: str, status: str) -> None:
    """A day later it is still there: whoever polls without a deadline hangs."""
    call_id = await sandbox.create(SCENARIOS.by_name[scenario].number)
    await sandbox.advance(86_400)
    assert (await sandbox.read(call_id))["status"] == status


async def test_transcripts_that_break_parsers(sandbox: Sandbox) -> None:
    """Each is what its line says."""

    async def turns(scenario: str) -> list[str]:
        end = await end_of(sandbox, SCENARIOS.by_name[scenario].number)
        return str(end["transcript"]).split("\n")

    assert any(turn.count(":") > 2 for turn in await turns("colon_in_turn"))
    assert any("\u0600" <= letter <= "\u06ff" for letter in "".join(await turns("right_to_left")))
    speakers = [turn.partition(":")[0] for turn in await turns("same_speaker")]
    assert any(a == b for a, b in itertools.pairwise(speakers))
    assert ":" not in (await turns("interrupted_line"))[-1]
    assert [len(turn) for turn in await turns("long_line")] == [10_000]
