"""The operations of the service: what they save, what they replay, and what they reject."""

import asyncio
from inspect import getsource
from typing import Any

import anyio
import httpx2
import pytest
from uuid_utils import UUID

from voice_sandbox.api import service
from voice_sandbox.api.service import IDEMPOTENCY_SECONDS
from voice_sandbox.calls.provider import provider_call_id
from voice_sandbox.contract.model import Contract
from voice_sandbox.limits import Limits

from .conftest import (
    CATALOGUE,
    CONTRACT,
    SCENARIOS,
    FakeWall,
    Sandbox,
    assert_conforms,
    client_of,
    completion,
    new_call,
    running_sandbox,
)

pytestmark = pytest.mark.anyio

ON_ENGINES = ["sqlite-memory", "postgresql"]


PHONE = CATALOGUE.sample.phone
SAMPLE = str(CATALOGUE.sample.call_id)
NEVER = "+12025550130"
OTHER_KEY = "sandbox_other"
NOBODYS = "00000000-0000-4000-8000-000000000000"
"""The id of no call. Names of tests hold it, so it is the same in every process."""


async def post_call(sandbox: Sandbox, key: str | None = None, **changes: Any) -> httpx2.Response:
    """Posts the contract's own call, with changes."""
    headers = {} if key is None else {"Idempotency-Key": key}
    body = {**new_call(), **changes}
    return await sandbox.client.post("/v1/calls", json=body, headers=headers)


# createCall


async def test_new_call_is_queued(sandbox: Sandbox, contract: Contract) -> None:
    """A call exists at once, and nothing of its result is known."""
    response = await post_call(sandbox)
    assert_conforms(contract, response)
    call_id = response.json()["call_id"]
    assert await sandbox.read(call_id) == {
        "call_id": call_id,
        "status": "queued",
        "transcript": None,
        "duration": None,
    }


async def test_location_leads_to_the_call(sandbox: Sandbox) -> None:
    """What `Location` names can be read."""
    response = await post_call(sandbox)
    read = await sandbox.client.get(response.headers["location"])
    assert read.json()["call_id"] == response.json()["call_id"]


@pytest.mark.parametrize("agent", [agent.key for agent in CATALOGUE.agents])
async def test_every_agent_can_call(sandbox: Sandbox, agent: str) -> None:
    """Each agent of the catalogue places a call."""
    assert (await post_call(sandbox, agent=agent)).status_code == 201


@pytest.mark.parametrize("name", ["provider_unavailable", "rate_limited"])
async def test_rejecting_number_creates_nothing(
    sandbox: Sandbox, contract: Contract, scenarios: Any, name: str
) -> None:
    """A number whose scenario is a rejection is rejected as documented, with a wait."""
    scenario = scenarios.by_name[name]
    response = await post_call(sandbox, phone=scenario.number)
    assert_conforms(contract, response)
    assert response.headers["retry-after"] == str(scenario.rejection.retry_after_seconds)
    assert (await sandbox.complete(duration=120)).json() == {"received": True}  # of the sample


# Idempotency-Key


async def test_same_key_replays_the_response(sandbox: Sandbox, contract: Contract) -> None:
    """A retry gets the first response, says so, and places no second call."""
    first, second = [await post_call(sandbox, "order-1") for _ in range(2)]
    assert_conforms(contract, second)
    assert (second.status_code, second.json()) == (201, first.json())
    assert second.headers["location"] == first.headers["location"]
    assert ("idempotent-replayed" in first.headers, second.headers["idempotent-replayed"]) == (
        False,
        "true",
    )


async def test_order_of_fields_is_no_difference(sandbox: Sandbox) -> None:
    """The same body written in another order is the same body."""
    first = await post_call(sandbox, "order-1")
    turned = dict(reversed(new_call().items()))
    second = await sandbox.client.post(
        "/v1/calls", json=turned, headers={"Idempotency-Key": "order-1"}
    )
    assert second.json() == first.json()


async def test_same_key_with_another_body_is_rejected(sandbox: Sandbox, contract: Contract) -> None:
    """A key that stands for one body does not stand for another."""
    await post_call(sandbox, "order-1")
    rejected = await post_call(sandbox, "order-1", phone=NEVER)
    assert_conforms(contract, rejected)
    assert (rejected.status_code, rejected.json()["code"]) == (409, "idempotency_conflict")


async def test_no_key_means_a_call_each(sandbox: Sandbox) -> None:
    """Without a key the same body twice is two calls."""
    first, second = [await post_call(sandbox) for _ in range(2)]
    assert first.json() != second.json()


async def test_thirty_at_once_create_one_call(tmp_path: Any, wall: FakeWall) -> None:
    """Thirty parallel requests with one key create one call and answer alike."""
    async with running_sandbox(f"sqlite:///{tmp_path}/calls.db", wall) as sandbox:
        responses = await asyncio.gather(*(post_call(sandbox, "order-1") for _ in range(30)))
    assert {response.status_code for response in responses} == {201}
    assert len({response.json()["call_id"] for response in responses}) == 1
    assert sum("idempotent-replayed" in response.headers for response in responses) == 29


@pytest.mark.parametrize(
    "rejected", [{"agent": "nobody"}, {"phone": "1"}, {"phone": "+12025550121"}, {"extra": 1}]
)
async def test_rejected_request_is_not_kept(sandbox: Sandbox, rejected: dict[str, Any]) -> None:
    """A key of a request that was rejected is still free."""
    assert (await post_call(sandbox, "order-1", **rejected)).status_code >= 400
    created = await post_call(sandbox, "order-1")
    assert (created.status_code, "idempotent-replayed" in created.headers) == (201, False)


@pytest.mark.parametrize(
    "wrong", [{"agent": "nobody"}, {"agent": CATALOGUE.agents[0].key.upper()}, {"agent": ""}]
)
async def test_unknown_agent_is_told_the_known_ones(
    sandbox: Sandbox, wrong: dict[str, Any]
) -> None:
    """An agent that is not in the catalogue is 422 at /agent, which names every one that is."""
    response = await post_call(sandbox, **wrong, phone="1")
    assert response.status_code == 422
    phone, agent = sorted(response.json()["errors"], key=lambda e: e["pointer"], reverse=True)
    assert (agent["pointer"], phone["pointer"]) == ("/agent", "/phone")
    assert all(known.key in agent["detail"] for known in CATALOGUE.agents)


async def test_unknown_field_that_looks_like_a_token_is_pointed_at(sandbox: Sandbox) -> None:
    """Its name is redacted, and the pointer is still one."""
    unknown: dict[str, Any] = {"sk_live_4eC39HqLyjWDarjtT1zdp7dc": 1}
    response = await post_call(sandbox, **unknown)
    assert [error["pointer"] for error in response.json()["errors"]] == ["/[redacted]"]


async def test_key_is_kept_for_24_hours(sandbox: Sandbox) -> None:
    """Just before a day of the virtual clock is over a key is kept."""
    first = await post_call(sandbox, "order-1")
    await sandbox.advance(IDEMPOTENCY_SECONDS - 1)
    assert (await post_call(sandbox, "order-1")).json() == first.json()


async def test_key_is_free_after_24_hours(sandbox: Sandbox) -> None:
    """After a day of the virtual clock the key begins anew, with any body."""
    first = await post_call(sandbox, "order-1")
    await sandbox.advance(IDEMPOTENCY_SECONDS)
    second = await post_call(sandbox, "order-1", phone=NEVER)
    assert (second.status_code, second.json() == first.json()) == (201, False)


async def test_keys_of_two_namespaces_are_two(sandbox: Sandbox) -> None:
    """Two sandbox keys may use the same Idempotency-Key."""
    first = await post_call(sandbox, "order-1")
    async with client_of(sandbox.app, OTHER_KEY) as other:
        second = await other.post(
            "/v1/calls", json=new_call(), headers={"Idempotency-Key": "order-1"}
        )
    assert (second.status_code, second.json() == first.json()) == (201, False)


@pytest.mark.parametrize("key", ["", "x" * 256, "two words", "tab\tkey", "schlüssel", "a, b"])
async def test_wrong_key_is_rejected(sandbox: Sandbox, contract: Contract, key: str) -> None:
    """A key is 1 to 255 visible ASCII characters."""
    headers = [(b"Idempotency-Key", key.encode())]
    rejected = await sandbox.client.post("/v1/calls", json=new_call(), headers=headers)
    assert_conforms(contract, rejected)
    assert (rejected.status_code, rejected.json()["code"]) == (400, "invalid_idempotency_key")


@pytest.mark.parametrize("key", ["x", "x" * 255, "!~", '"quoted"'])
async def test_key_at_its_bounds_is_taken(sandbox: Sandbox, key: str) -> None:
    """The shortest, the longest and the oddest key are keys."""
    await post_call(sandbox, key)
    assert "idempotent-replayed" in (await post_call(sandbox, key)).headers


async def test_two_keys_are_rejected(sandbox: Sandbox) -> None:
    """Nobody guesses which of two keys was meant."""
    headers = [("Idempotency-Key", "one"), ("Idempotency-Key", "one")]
    rejected = await sandbox.client.post("/v1/calls", json=new_call(), headers=headers)
    assert rejected.status_code == 400


# getCall


async def test_sample_call_is_there_from_the_start(sandbox: Sandbox, contract: Contract) -> None:
    """The first example of the contract can be read with any key, as it stands."""
    response = await sandbox.client.get(f"/v1/calls/{SAMPLE}")
    assert_conforms(contract, response)
    shown = next(iter(contract.operations["getCall"].success.examples.values()))
    assert response.json() == shown.value


async def test_id_in_upper_case_is_the_same_call(sandbox: Sandbox) -> None:
    """A UUID may be written in any case, and comes back in lower case."""
    assert (await sandbox.read(SAMPLE.upper()))["call_id"] == SAMPLE


@pytest.mark.parametrize(
    "call_id",
    [
        NOBODYS,
        "x",
        "0",
        SAMPLE[:-1],
        SAMPLE + "0",
        SAMPLE.replace("-", ""),
        f"{{{SAMPLE}}}",
        f"urn:uuid:{SAMPLE}",
        f"{SAMPLE}%0A",
        "%00",
        "a" * 3000,
        "%D9%A0" * 8,
        "..%2f..%2fetc",
        provider_call_id(UUID(SAMPLE)),
        "null",
        "{call_id}",
    ],
)
async def test_unknown_id_is_not_found(sandbox: Sandbox, contract: Contract, call_id: str) -> None:
    """An id of any other form, or of no call, is 404."""
    response = await sandbox.client.get(f"/v1/calls/{call_id}")
    assert response.status_code == 404
    assert response.json()["code"] in ("call_not_found", "not_found")


async def test_call_of_another_key_is_not_found(sandbox: Sandbox, contract: Contract) -> None:
    """A call of another key looks the same as one that never existed."""
    call_id = await sandbox.create(PHONE)
    async with client_of(sandbox.app, OTHER_KEY) as other:
        foreign = await other.get(f"/v1/calls/{call_id}")
        missing = await other.get(f"/v1/calls/{NOBODYS}")
    assert_conforms(contract, foreign)
    same = [{**response.json(), "request_id": ""} for response in (foreign, missing)]
    assert same[0] == same[1]


async def test_status_follows_the_clock(sandbox: Sandbox, contract: Contract) -> None:
    """A call is queued, rings, is answered and ends, and its result appears with its end alone."""
    call_id = await sandbox.create(PHONE)
    seen = []
    for _ in range(9):
        response = await sandbox.client.get(f"/v1/calls/{call_id}")
        assert_conforms(contract, response)
        call = response.json()
        seen.append(call["status"])
        assert (call["transcript"] is None) == (call["duration"] is None)
        assert (call["duration"] is None) == (call["status"] != "completed")
        await sandbox.advance(1)
    assert seen == ["queued"] + ["ringing"] * 2 + ["in_progress"] * 5 + ["completed"]


# listAgents


async def test_agents_are_the_example(sandbox: Sandbox, contract: Contract) -> None:
    """The list is the contract's own example."""
    response = await sandbox.client.get("/v1/agents")
    assert_conforms(contract, response)
    assert response.json() == CATALOGUE.agent_list


# callCompleted


async def test_alias_ends_the_newest_call(sandbox: Sandbox, contract: Contract) -> None:
    """The payload of the docs completes what was just created, without a provider's id."""
    first, newest = [await sandbox.create(NEVER) for _ in range(2)]
    response = await sandbox.complete()
    assert_conforms(contract, response)
    assert (await sandbox.read(first))["status"] == "queued"
    shown = completion()
    assert await sandbox.read(newest) == {
        "call_id": newest,
        "status": "completed",
        "transcript": shown["transcript"],
        "duration": shown["duration"],
    }


async def test_alias_means_the_sample_call_at_first(sandbox: Sandbox) -> None:
    """In an empty namespace the docs' payload repeats the sample call's own result."""
    assert (await sandbox.complete()).status_code == 200


async def test_provider_id_ends_its_call(sandbox: Sandbox) -> None:
    """The provider's own id names exactly one call."""
    call_id = await sandbox.create(NEVER)
    await sandbox.create(NEVER)
    posted = await sandbox.complete(
        provider_call_id=provider_call_id(UUID(call_id)), status="no-answer"
    )
    assert posted.status_code == 200
    assert (await sandbox.read(call_id))["status"] == "no_answer"


@pytest.mark.parametrize(
    "reference",
    ["prov_x", provider_call_id(UUID(NOBODYS)), SAMPLE, "CA123", "Internal-Provider-Reference"],
)
async def test_unknown_reference_is_not_found(
    sandbox: Sandbox, contract: Contract, reference: str
) -> None:
    """A reference that is not of this provider names no call."""
    response = await sandbox.complete(provider_call_id=reference)
    assert_conforms(contract, response)
    assert response.json()["code"] == "call_not_found"


async def test_reference_of_another_key_is_not_found(sandbox: Sandbox) -> None:
    """Nobody ends the call of somebody else."""
    call_id = await sandbox.create(NEVER)
    async with client_of(sandbox.app, OTHER_KEY) as other:
        body = completion(provider_call_id=provider_call_id(UUID(call_id)))
        assert (await other.post("/v1/webhooks/call-completed", json=body)).status_code == 404
    assert (await sandbox.read(call_id))["status"] == "queued"


WORDS = CATALOGUE.normalized_status


@pytest.mark.parametrize(("word", "status"), WORDS.items())
async def test_every_word_is_normalized(
    sandbox: Sandbox, contract: Contract, word: str, status: str
) -> None:
    """Each word of the provider ends a call as the contract's table says, in a valid state."""
    call_id = await sandbox.create(NEVER)
    await sandbox.complete(status=word)
    response = await sandbox.client.get(f"/v1/calls/{call_id}")
    assert_conforms(contract, response)
    assert response.json()["status"] == status


async def test_unknown_word_ends_no_call(sandbox: Sandbox, contract: Contract) -> None:
    """A word that is not in the table is 422 and changes nothing."""
    call_id = await sandbox.create(NEVER)
    response = await sandbox.complete(status="vanished")
    assert_conforms(contract, response)
    assert response.status_code == 422
    assert (await sandbox.read(call_id))["status"] == "queued"


async def test_same_completion_again_changes_nothing(sandbox: Sandbox) -> None:
    """A completion that arrives twice is received twice and saved once."""
    call_id = await sandbox.create(NEVER)
    await sandbox.complete()
    before = await sandbox.inspect(call_id)
    assert (await sandbox.complete()).json() == {"received": True}
    assert await sandbox.inspect(call_id) == before


@pytest.mark.parametrize(
    "change", [{"duration": 121}, {"transcript": None}, {"status": "failed"}, {"status": "busy"}]
)
async def test_other_completion_for_a_finished_call_is_rejected(
    sandbox: Sandbox, contract: Contract, change: dict[str, Any]
) -> None:
    """A call that is over keeps its first result."""
    call_id = await sandbox.create(NEVER)
    await sandbox.complete()
    before = await sandbox.read(call_id)
    response = await sandbox.complete(**change)
    assert_conforms(contract, response)
    assert (response.status_code, response.json()["code"]) == (409, "call_already_ended")
    assert await sandbox.read(call_id) == before


async def test_another_word_for_the_same_result_is_the_same(sandbox: Sandbox) -> None:
    """Two words that normalize alike, with the rest the same, are one completion."""
    await sandbox.create(NEVER)
    await sandbox.complete(status="completed")
    assert (await sandbox.complete(status="ended")).status_code == 200


@pytest.mark.parametrize("word", ["no-answer", "timeout", "busy", "rejected", "canceled"])
async def test_answered_call_cannot_end_unanswered(
    sandbox: Sandbox, contract: Contract, word: str
) -> None:
    """What was answered can be neither busy nor unanswered nor canceled any more."""
    call_id = await sandbox.create(NEVER)
    await sandbox.advance(3)
    response = await sandbox.complete(status=word)
    assert_conforms(contract, response)
    assert (response.status_code, response.json()["code"]) == (409, "impossible_outcome")
    assert (await sandbox.read(call_id))["status"] == "in_progress"


async def test_thirty_different_completions_at_once_save_one(sandbox: Sandbox) -> None:
    """Of completions that arrive together one is saved, and the others are told so."""
    call_id = await sandbox.create(NEVER)
    responses = await asyncio.gather(*(sandbox.complete(duration=i) for i in range(30)))
    codes = [response.status_code for response in responses]
    assert sorted(codes) == [200] + [409] * 29
    assert (await sandbox.read(call_id))["duration"] == codes.index(200)


@pytest.mark.parametrize("word", ["busy", "no-answer", "canceled"])
async def test_nobody_speaks_on_an_unanswered_call(sandbox: Sandbox, word: str) -> None:
    """Transcript and duration of a call that nobody answered are null and 0."""
    call_id = await sandbox.create(NEVER)
    await sandbox.complete(status=word, transcript="agent: Hello", duration=9)
    call = await sandbox.read(call_id)
    assert (call["transcript"], call["duration"]) == (None, 0)


@pytest.mark.parametrize("transcript", ["", None])
async def test_empty_transcript_is_null(sandbox: Sandbox, transcript: str | None) -> None:
    """There is one way to say that nobody spoke."""
    call_id = await sandbox.create(NEVER)
    await sandbox.complete(transcript=transcript)
    assert (await sandbox.read(call_id))["transcript"] is None


TRANSCRIPTS = {
    "emoji": "agent: \U0001f642\U0001f1f0\U0001f1ec \U0001f468\u200d\U0001f469\u200d\U0001f467",
    "right to left": "agent: مرحبا\nuser: שלום \u202eabc\u202c",
    "kyrgyz": "agent: Саламатсызбы, ңөү ҢӨҮ",
    "quotes": "agent: \"Hello\" 'there' \\ \\n \\u0041 `x` {{y}} %s",
    "markup": "agent: </script><script>alert(1)</script><!-- & &amp; ]]>",
    "separators": "a\u2028b\u2029c\r\nd\te\x0bf\u0085g\ufeff",
    "controls": "a\x01\x1b[2J\x7f\x9b",
    "combining": "e\u0301 \u00e9 \ufb01 \u1100\u1161",
    "spaces": "  \n ",
    "noncharacters": "\ufffe\uffff\U0010ffff",
    "longest": "\U0001f642" * CATALOGUE.longest_transcript,
}


@pytest.mark.parametrize("transcript", TRANSCRIPTS.values(), ids=TRANSCRIPTS.keys())
async def test_transcript_survives(sandbox: Sandbox, transcript: str) -> None:
    """What was said comes back letter by letter."""
    call_id = await sandbox.create(NEVER)
    assert (await sandbox.complete(transcript=transcript)).status_code == 200
    assert (await sandbox.read(call_id))["transcript"] == transcript


@pytest.mark.parametrize(
    "transcript",
    ["agent: prov_0123", "prov_", "a\0b", "\0", "x" * (CATALOGUE.longest_transcript + 1)],
    ids=lambda transcript: ascii(transcript)[:20],
)
async def test_transcript_that_cannot_be_sent_back_is_rejected(
    sandbox: Sandbox, contract: Contract, transcript: str
) -> None:
    """Only what can be read again is accepted, and nothing of the rest is applied."""
    call_id = await sandbox.create(NEVER)
    response = await sandbox.complete(transcript=transcript)
    assert_conforms(contract, response)
    assert [error["pointer"] for error in response.json()["errors"]] == ["/transcript"]
    assert (await sandbox.read(call_id))["status"] == "queued"


async def test_whole_duration_written_as_a_fraction_is_an_integer(sandbox: Sandbox) -> None:
    """`12.0` is an integer to JSON Schema and comes back as `12`."""
    call_id = await sandbox.create(NEVER)
    body = b'{"event_type":"call.completed","provider_call_id":"%b","status":"completed",'
    body = body % CATALOGUE.newest_call_alias.encode() + b'"transcript":null,"duration":12.0}'
    await sandbox.client.post(
        "/v1/webhooks/call-completed", content=body, headers={"Content-Type": "application/json"}
    )
    response = await sandbox.client.get(f"/v1/calls/{call_id}")
    assert b'"duration":12}' in response.content


async def test_whole_life_holds_no_provider_id(sandbox: Sandbox) -> None:
    """From creation to end no byte of a response under /v1 names the provider."""
    bodies = []
    call_id = await sandbox.create(PHONE)
    for path in [f"/v1/calls/{call_id}", f"/v1/calls/{SAMPLE}", "/v1/agents", "/v1/calls/x"]:
        response = await sandbox.client.get(path)
        bodies.append(response.content + repr(response.headers).encode())
    await sandbox.advance(60)
    bodies.append((await sandbox.client.get(f"/v1/calls/{call_id}")).content)
    bodies.append((await sandbox.complete(duration=1)).content)
    assert [body for body in bodies if b"prov_" in body] == []


@pytest.mark.parametrize("at", [0, 1, 3])
async def test_creating_and_ending_at_once_breaks_nothing(sandbox: Sandbox, at: int) -> None:
    """Requests that come together each get a response that the contract documents."""
    await sandbox.create(PHONE)
    await sandbox.advance(at)
    responses: list[httpx2.Response] = []

    async def send(request: Any) -> None:
        responses.append(await request)

    async with anyio.create_task_group() as group:
        for i in range(10):
            group.start_soon(send, post_call(sandbox, f"order-{i % 3}"))
            group.start_soon(send, sandbox.complete(duration=i))
            group.start_soon(send, sandbox.client.get(f"/v1/calls/{SAMPLE}"))
    for response in responses:
        assert_conforms(CONTRACT, response)


# A key that was used is a retry or a conflict


@pytest.mark.parametrize("database", ["sqlite-memory", "postgresql"], indirect=True)
async def test_retry_replays_at_a_full_quota(database: str, wall: FakeWall) -> None:
    """A creation that succeeded is replayed though no further call would be created."""
    async with running_sandbox(database, wall, limits=Limits(max_calls=2)) as sandbox:
        first = await sandbox.create(NEVER, **{"Idempotency-Key": "one"})
        await sandbox.create(NEVER, **{"Idempotency-Key": "two"})
        new = await sandbox.client.post(
            "/v1/calls", json=new_call(), headers={"Idempotency-Key": "three"}
        )
        assert new.status_code == 429
        assert await sandbox.create(NEVER, **{"Idempotency-Key": "one"}) == first
        other = await sandbox.client.post(
            "/v1/calls", json=new_call(), headers={"Idempotency-Key": "one"}
        )
        assert (other.status_code, other.json()["code"]) == (409, "idempotency_conflict")


REJECTED = [scenario.number for scenario in SCENARIOS if scenario.rejection]


@pytest.mark.parametrize("number", REJECTED)
async def test_used_key_conflicts_before_the_number_is_looked_at(
    sandbox: Sandbox, number: str
) -> None:
    """The same key with a number that would be rejected is a conflict; a fresh key is rejected."""
    await sandbox.create(NEVER, **{"Idempotency-Key": "one"})
    body = new_call() | {"phone": number}
    codes = []
    for key in ("one", "two"):
        sent = await sandbox.client.post("/v1/calls", json=body, headers={"Idempotency-Key": key})
        codes.append(sent.json()["code"])
    scenario = SCENARIOS.by_number[number]
    assert scenario.rejection is not None
    assert codes == ["idempotency_conflict", scenario.rejection.code]


async def test_rejected_creation_leaves_its_key_free(sandbox: Sandbox) -> None:
    """A key that only met rejections is as good as new."""
    for number in REJECTED:
        body = new_call() | {"phone": number}
        await sandbox.client.post("/v1/calls", json=body, headers={"Idempotency-Key": "one"})
    await sandbox.create(NEVER, **{"Idempotency-Key": "one"})


def test_each_field_of_a_request_is_read() -> None:
    """A field that the contract takes is not dropped, but for one that has a single value."""
    code = getsource(service)
    unread = [
        f"{operation.operation_id}: {name}"
        for operation in CONTRACT.operations.values()
        if operation.body is not None
        for name, schema in CONTRACT.resolve(operation.body.schema)["properties"].items()
        if f'"{name}"' not in code and len(CONTRACT.resolve(schema).get("enum", "any")) > 1
    ]
    assert unread == [], "read each in the handler of its operation in api/service.py"
