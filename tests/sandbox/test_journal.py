"""The journal: every exchange of a key, in order, explained, redacted and bounded."""

import asyncio
import io
import json
import secrets
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from math import floor
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest

from voice_sandbox import clock, create_app
from voice_sandbox.clock import DAY_SECONDS, seq_before
from voice_sandbox.http.exchange import Exchange
from voice_sandbox.journal.entry import BODY_LIMIT, HEADERS_LIMIT, PATH_LIMIT
from voice_sandbox.journal.exports import as_har
from voice_sandbox.journal.journal import RETENTION_SECONDS, Journal
from voice_sandbox.journal.search import EXCHANGES_LIMIT, Search
from voice_sandbox.server.access_log import Log
from voice_sandbox.store import open_store
from voice_sandbox.store.protocol import LATEST_SEQ, JournalSegment, StorageUnavailable, Store
from voice_sandbox.store.sqlite import SQLiteStore
from voice_sandbox.testing.client import SandboxClient

from .conftest import KEY, FakeWall, Sandbox, client_of


@pytest.fixture
def agent(voice_sandbox: SandboxClient) -> str:
    """The key of the first agent."""
    key: str = voice_sandbox.client.get("/v1/agents").json()["agents"][0]["key"]
    return key


@pytest.fixture
def numbers(voice_sandbox: SandboxClient) -> dict[str, str]:
    """The number of each scenario."""
    return voice_sandbox.scenarios()


def test_both_sides_of_a_call_stand_in_order(
    voice_sandbox: SandboxClient, numbers: dict[str, str]
) -> None:
    """The integrator's creation comes first, then the provider's completion of the same call."""
    call_id = voice_sandbox.call(numbers["busy"])
    voice_sandbox.until_idle()
    told = [
        (entry["sender"], entry["operation_id"], entry["status"], entry["scenario"])
        for entry in reversed(voice_sandbox.journal(call_id=call_id))
    ]
    assert told == [
        ("integrator", "createCall", 201, "busy"),
        ("provider", "callCompleted", 200, "busy"),
    ]


def test_a_conflict_says_what_ended_the_call(
    voice_sandbox: SandboxClient, numbers: dict[str, str]
) -> None:
    """Why a completion was rejected names the instant, the result and the delivery that stands."""
    call_id = voice_sandbox.call(numbers["conflicting"])
    voice_sandbox.until_idle()
    [rejected] = voice_sandbox.journal(call_id=call_id, status="409")
    completed_by = voice_sandbox.inspect(call_id)["completed_by"]
    assert "as completed" in rejected["why"]
    assert completed_by in rejected["why"]


def test_a_rejected_delivery_belongs_to_its_call(
    voice_sandbox: SandboxClient, numbers: dict[str, str]
) -> None:
    """A completion that fits no schema is found with the call that the provider meant."""
    call_id = voice_sandbox.call(numbers["unknown_word"])
    voice_sandbox.until_idle()
    told = [
        (entry["status"], entry["scenario"])
        for entry in voice_sandbox.journal(call_id=call_id, operation="callCompleted")
    ]
    assert told == [(200, "unknown_word"), (422, "unknown_word")]


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [("GET", "/v1/call", "not_found"), ("DELETE", "/v1/calls", "method_not_allowed")],
)
def test_a_wrong_path_is_kept(
    voice_sandbox: SandboxClient, method: str, path: str, code: str
) -> None:
    """Whoever mistypes a path or a method finds the request in the journal, and why it failed."""
    voice_sandbox.client.request(method, path)
    [kept] = voice_sandbox.journal()
    assert (kept["path"], kept["operation_id"], kept["code"]) == (path, None, code)
    assert kept["why"]


def test_a_replay_is_marked(voice_sandbox: SandboxClient, agent: str) -> None:
    """The second response to one Idempotency-Key says that it was stored."""
    body = {"phone": voice_sandbox.scenarios()["busy"], "agent": agent}
    for _ in range(2):
        voice_sandbox.client.post("/v1/calls", json=body, headers={"Idempotency-Key": "once"})
    second, first = voice_sandbox.journal(operation="createCall")
    assert (first["replayed"], second["replayed"]) == (False, True)
    assert "Idempotency-Key" in second["why"]


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ({"status": "4xx"}, 1),
        ({"status": "201"}, 1),
        ({"operation": "getCall"}, 1),
        ({"text": "CALL_NOT_FOUND"}, 1),
        ({"text": '"code":"call_not_found"'}, 1),
        ({"text": "no such words"}, 0),
        ({"text": '"AGENT":'}, 1),
        ({"text": "Чалуу"}, 1),
        ({"text": "truncated"}, 0),
        ({"until": "2020-01-01T00:00:00Z"}, 0),
        ({"until": "2999-01-01T00:00:00Z"}, 2),
        ({"since": "2020-01-01T00:00:00Z"}, 2),
        ({"since": "2999-01-01T00:00:00Z"}, 0),
    ],
)
def test_exchanges_are_found(
    voice_sandbox: SandboxClient, numbers: dict[str, str], search: dict[str, str], found: int
) -> None:
    """Each way to search leaves what it names, whatever the case of the letters."""
    voice_sandbox.call(numbers["busy"])
    voice_sandbox.client.get(
        "/v1/calls/00000000-0000-0000-0000-000000000000", params={"note": "ЧАЛУУ"}
    )
    assert len(voice_sandbox.journal(**search)) == found


def test_pages_meet_without_gap_or_overlap(voice_sandbox: SandboxClient) -> None:
    """Following next_before shows each exchange once."""
    for _ in range(5):
        voice_sandbox.client.get("/v1/agents")
    seen: list[str] = []
    before: dict[str, str] = {}
    while True:
        page = voice_sandbox.client.get("/sandbox/journal", params={"limit": "2", **before}).json()
        seen += [entry["seq"] for entry in page["exchanges"]]
        if page["next_before"] is None:
            break
        before = {"before": page["next_before"]}
    assert len(seen) == len(set(seen)) == 5
    assert seen == sorted(seen, reverse=True)


@pytest.mark.parametrize(
    "instant",
    [
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00Z",
        "2016-12-31T23:59:60Z",
        "2016-12-31T23:59:59.5Z",
    ],
)
def test_every_instant_of_rfc_3339_can_be_searched(
    voice_sandbox: SandboxClient, instant: str
) -> None:
    """The year 0 and a leap second are instants too."""
    voice_sandbox.client.get("/v1/agents")
    assert len(voice_sandbox.journal(since=instant)) == 1
    assert voice_sandbox.journal(until=instant) == []


@pytest.mark.parametrize(
    ("search", "example"),
    [
        ("limit=0", "20"),
        ("since=2026-02-30T00:00:00Z", "2026-11-24T09:30:00Z"),
        ("status=9xx", "4xx"),
        ("before=x", "01890a5dac96774bbcceb302099a8058"),
        ("text=", "call_already_ended"),
    ],
)
def test_a_rejected_search_says_what_would_do(
    voice_sandbox: SandboxClient, search: str, example: str
) -> None:
    """The rejection of a parameter names a value that would be taken."""
    assert example in voice_sandbox.client.get(f"/sandbox/journal?{search}").json()["detail"]


def test_a_search_by_text_goes_through_all_pages(voice_sandbox: SandboxClient) -> None:
    """What is found may lie far behind the newest exchanges, and pages of it meet."""
    voice_sandbox.client.get("/v1/agents?first")
    voice_sandbox.client.get("/v1/agents?second")
    for _ in range(250):
        voice_sandbox.client.get("/v1/agents")
    search = {"text": "agents?", "limit": "1"}
    newest = voice_sandbox.client.get("/sandbox/journal", params=search).json()
    assert newest["exchanges"][0]["path"] == "/v1/agents?second"
    [oldest] = voice_sandbox.journal(**search, before=newest["next_before"])
    assert oldest["path"] == "/v1/agents?first"


@pytest.mark.parametrize("search", ["limit=0", "status=9xx", "call_id=x", "limit=1&limit=2"])
def test_a_wrong_search_is_rejected(voice_sandbox: SandboxClient, search: str) -> None:
    """A parameter of a wrong form, or one given twice, is a 400 that says what it takes."""
    rejected = voice_sandbox.client.get(f"/sandbox/journal?{search}")
    assert rejected.status_code == 400
    assert rejected.json()["code"] == "invalid_parameter"


def test_no_token_enters_the_journal(voice_sandbox: SandboxClient) -> None:
    """Neither the key of the request nor one in a path or a body can be read again."""
    other = f"sandbox_{secrets.token_hex(8)}"
    voice_sandbox.client.get(f"/v1/calls/{other}", params={"key": other})
    voice_sandbox.client.post("/v1/calls", json={"phone": other, "Authorization": other})
    kept = [voice_sandbox.exchange(e["request_id"]) for e in voice_sandbox.journal()]
    assert len(kept) == 2
    assert other not in json.dumps(kept)
    assert voice_sandbox.key not in json.dumps(kept)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ('{"phone": "+447911123456"}', '{"phone": "+447*******56"}'),
        ('{"phone":"\\u002b447911123456"}', '{"phone":"+447*******56"}'),
        ('{"phone":"447911123456"}', '{"phone":"4479******56"}'),
        ('{"phone":"+44 7911 12-34-56"}', '{"phone":"+44 **** **-**-56"}'),
        ('{"phone":"112"}', '{"phone":"112"}'),
        ('{"phone":"+12025550111"}', '{"phone":"+12025550111"}'),
        ('{"token":"live_abc", "agent": 1}', '{"token":"[redacted]", "agent": 1}'),
        ('{"api_key" : "a\\"b"}', '{"api_key" : "[redacted]"}'),
        ('{"a":"sandbox\\u005fother"}', '{"a":"[redacted]"}'),
        ('{"a":"\\\\u005f"}', '{"a":"\\\\u005f"}'),
        ('{"key":"first"}', '{"key":"first"}'),
    ],
)
def test_however_a_secret_is_written_it_is_not_kept(
    voice_sandbox: SandboxClient, sent: str, kept: str
) -> None:
    """Escapes and wrong forms hide nothing, and what is no secret stays as it was sent."""
    headers = {"Content-Type": "application/json"}
    voice_sandbox.client.post("/v1/calls", content=sent.encode(), headers=headers)
    [made] = voice_sandbox.journal()
    assert voice_sandbox.exchange(made["request_id"])["request"]["body"] == kept


def test_a_number_in_an_address_is_shortened(voice_sandbox: SandboxClient) -> None:
    """The plus sign of a number is escaped there, and a query may carry a token."""
    voice_sandbox.client.get("/v1/agents?phone=%2B447911123456&token=abc&page=2")
    [made] = voice_sandbox.journal()
    assert made["path"] == "/v1/agents?phone=%2B447*******56&token=[redacted]&page=2"


LIVE = f"sk_live_{secrets.token_hex(12)}"
HIDDEN_IN: dict[str, dict[str, Any]] = {
    "path": {"url": f"/v1/calls/{LIVE}"},
    "query": {"url": f"/v1/agents?q={LIVE}"},
    "user agent": {"headers": {"User-Agent": f"shop/{LIVE}"}},
    "referer": {"headers": {"Referer": f"https://shop.test/?s={LIVE}"}},
    "origin": {"headers": {"Origin": f"https://{LIVE}"}},
    "other header": {"headers": {"X-Note": LIVE}},
    "header name": {"headers": {LIVE: "x"}},
    "idempotency key": {"headers": {"Idempotency-Key": LIVE}},
    "authorization": {"headers": {"Authorization": f"Bearer {LIVE}"}},
    "member": {"json": {"phone": LIVE, "agent": LIVE}},
    "nested member": {"json": {"a": [{"b": LIVE}]}},
    "member name": {"json": {LIVE: 1, "phone": {LIVE: {}}}},
    "form": {"data": {"a": LIVE}},
    "preference": {"headers": {"Prefer": f"code={LIVE}"}},
    "method": {"method": LIVE.upper()},
}
"""Where a live token may be sent by mistake: place → request."""


@pytest.mark.anyio
@pytest.mark.parametrize("sent", HIDDEN_IN.values(), ids=HIDDEN_IN)
async def test_a_live_token_is_never_seen_again(
    sent: dict[str, Any], tmp_path: Path, wall: FakeWall
) -> None:
    """Neither response, log, journal nor database holds it, wherever the client put it."""
    log = io.StringIO()
    database = tmp_path / "calls.db"
    access_log = Log(log)
    app = create_app(database=f"sqlite:///{database}", observe=access_log, wall=wall)
    async with app.router.lifespan_context(app), client_of(app, KEY) as client:
        request = {"method": "POST", "url": "/v1/calls", **sent}
        response = await client.request(**request)
        exchanges = (await client.get("/sandbox/journal")).json()["exchanges"]
        kept = [
            (await client.get(f"/sandbox/exchanges/{entry['request_id']}")).text
            for entry in exchanges
        ]
        har = (await client.get("/sandbox/journal/har")).text
        files = [path.read_bytes() for path in tmp_path.iterdir()]
        access_log.flush()
    shown = [response.text, str(response.headers), log.getvalue(), har, *kept, *map(str, files)]
    for text in shown:
        assert LIVE.casefold() not in text.casefold()


@pytest.mark.parametrize("key", ["once", "order-17", "a" * 300, "with space", "clé-17"])
def test_an_idempotency_key_is_recognised_and_not_read(
    voice_sandbox: SandboxClient, agent: str, key: str
) -> None:
    """The journal shows the same stand-in for the same key, and what is wrong with a wrong one."""
    body = {"phone": voice_sandbox.scenarios()["busy"], "agent": agent}
    for sent in (key, key, f"{key}-other"):
        headers = {b"Idempotency-Key": sent.encode("latin-1")}
        voice_sandbox.client.post("/v1/calls", json=body, headers=headers)
    shown = []
    for entry in reversed(voice_sandbox.journal(operation="createCall")):
        request = voice_sandbox.exchange(entry["request_id"])["request"]
        shown.append(dict(request["headers"])["idempotency-key"])
    assert shown[0] == shown[1] != shown[2]
    assert key not in shown
    assert len(shown[0]) == len(key)


def test_an_explanation_keeps_the_examples_of_the_contract(voice_sandbox: SandboxClient) -> None:
    """Why a request was rejected is told in the journal in the words of the response."""
    client = voice_sandbox.client
    responses = [
        client.post("/v1/calls", json={"phone": "x"}),
        client.post("/v1/calls", json={"phone": "+1", "agent": "x"}),
        client.post("/v1/webhooks/call-completed", json={}),
        client.get("/v1/calls/x"),
        client.get("/v1/nothing"),
    ]
    for response in responses:
        why = voice_sandbox.exchange(response.headers["x-request-id"])["why"]
        problem = response.json()
        for text in (problem["detail"], *(error["detail"] for error in problem.get("errors", ()))):
            assert text in why
        assert "[redacted]" not in response.text


@pytest.mark.parametrize("name", ["Cookie", "X-Api-Key", "X-Auth-Token", "Proxy-Authorization"])
def test_headers_of_secrets_are_left_out(voice_sandbox: SandboxClient, name: str) -> None:
    """Whatever a header that sounds like a secret holds is not kept."""
    voice_sandbox.client.get("/v1/agents", headers={name: "abc123"})
    [made] = voice_sandbox.journal()
    assert "abc123" not in json.dumps(voice_sandbox.exchange(made["request_id"]))


def test_an_exchange_is_bounded_in_size(voice_sandbox: SandboxClient) -> None:
    """Neither a long path nor long headers make the journal grow without end."""
    voice_sandbox.client.get("/v1/" + "x" * PATH_LIMIT, headers={"X-Note": "y" * HEADERS_LIMIT})
    [made] = voice_sandbox.journal()
    kept = voice_sandbox.exchange(made["request_id"])
    assert len(kept["path"]) == PATH_LIMIT
    assert sum(len(name + value) for name, value in kept["request"]["headers"]) <= HEADERS_LIMIT


def test_a_rejected_body_is_explained_place_by_place(voice_sandbox: SandboxClient) -> None:
    """Why a body was rejected names each place, so nobody has to open the response."""
    voice_sandbox.client.post("/v1/calls", json={"phone": "x"})
    [made] = voice_sandbox.journal()
    assert "/phone: " in made["why"]
    assert "/agent: " in made["why"]


def test_phone_numbers_are_shortened(voice_sandbox: SandboxClient, agent: str) -> None:
    """Of a number that may belong to somebody only country and end are kept."""
    voice_sandbox.client.post("/v1/calls", json={"phone": "+447911123456", "agent": agent})
    [made] = voice_sandbox.journal(operation="createCall")
    body = voice_sandbox.exchange(made["request_id"])["request"]["body"]
    assert json.loads(body)["phone"] == "+447*******56"


def test_scenario_numbers_stay(voice_sandbox: SandboxClient, numbers: dict[str, str]) -> None:
    """Numbers that are reserved for fiction are no secret, and a replay needs them."""
    voice_sandbox.call(numbers["busy"])
    [made] = voice_sandbox.journal(operation="createCall")
    assert numbers["busy"] in voice_sandbox.exchange(made["request_id"])["curl"]


def test_a_long_body_is_cut(voice_sandbox: SandboxClient, agent: str) -> None:
    """The journal keeps the beginning of a long body and says how long it was."""
    body = json.dumps({"phone": "x" * 10_000, "agent": agent}).encode()
    headers = {"Content-Type": "application/json"}
    voice_sandbox.client.post("/v1/calls", content=body, headers=headers)
    [made] = voice_sandbox.journal(operation="createCall")
    request = voice_sandbox.exchange(made["request_id"])["request"]
    assert (len(request["body"]), request["truncated"]) == (BODY_LIMIT, True)
    assert request["body_bytes"] == len(body)


def test_the_oldest_exchanges_make_room(voice_sandbox: SandboxClient) -> None:
    """A key keeps its last exchanges, and no more of them."""
    for _ in range(EXCHANGES_LIMIT + 20):
        voice_sandbox.client.get("/v1/agents")
    har = voice_sandbox.client.get("/sandbox/journal/har").json()
    assert len(har["log"]["entries"]) == EXCHANGES_LIMIT


def test_a_stream_tells_of_each_exchange(
    voice_sandbox: SandboxClient, numbers: dict[str, str]
) -> None:
    """A follower sees what happens after it began to follow, the provider's side too."""
    with voice_sandbox.client.stream("GET", "/sandbox/journal/stream") as stream:
        lines = stream.iter_lines()
        assert next(line for line in lines if line.startswith("event:")) == "event: ready"
        with SandboxClient(voice_sandbox.url, voice_sandbox.key) as other:
            other.call(numbers["busy"])
            other.until_idle()
        told = [
            json.loads(line.removeprefix("data: "))["operation_id"]
            for line in islice((x for x in lines if x.startswith('data: {"')), 2)
        ]
    assert told == ["createCall", "callCompleted"]


def test_a_broken_stream_goes_on_where_it_ended(voice_sandbox: SandboxClient) -> None:
    """With Last-Event-ID nothing that happened in between is missed."""
    voice_sandbox.client.get("/v1/agents")
    [seen] = voice_sandbox.journal()
    voice_sandbox.client.get("/v1/agents")
    headers = {"Last-Event-ID": seen["seq"]}
    with voice_sandbox.client.stream("GET", "/sandbox/journal/stream", headers=headers) as stream:
        event = next(line for line in stream.iter_lines() if line.startswith('data: {"'))
    assert json.loads(event.removeprefix("data: "))["seq"] > seen["seq"]


def test_one_key_never_sees_another(voice_sandbox: SandboxClient) -> None:
    """Neither list nor single exchange nor archive shows what another key did."""
    voice_sandbox.client.get("/v1/agents")
    [mine] = voice_sandbox.journal()
    stranger = {"Authorization": f"Bearer sandbox_{secrets.token_hex(8)}"}
    with httpx2.Client(base_url=voice_sandbox.url, headers=stranger) as other:
        assert other.get("/sandbox/journal").json()["exchanges"] == []
        assert other.get(f"/sandbox/exchanges/{mine['request_id']}").status_code == 404
        assert other.get("/sandbox/journal/har").json()["log"]["entries"] == []


# Several processes on one store, each with a journal of its own


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = open_store(f"sqlite:///{tmp_path}/calls.db")
    await store.open()
    yield store
    await store.close()


def journal_on(store: Store, *, limit: int = EXCHANGES_LIMIT) -> Journal:
    return Journal(store, frozenset(), wall=clock.wall, limit=limit)


def an_exchange(number: int) -> Exchange:
    """Exchanges that can be told apart by their request_id."""
    return Exchange(
        request_id=f"req_{number:032}",
        namespace=b"n" * 16,
        started_at=clock.wall(),
        method="GET",
        path="/v1/agents",
        query=b"",
        operation_id="listAgents",
        by_provider=False,
        status=200,
        code=None,
        why="",
        call_id=None,
        scenario=None,
        replayed=False,
        duration_seconds=0.001,
        request_headers=[],
        request_body=b"",
        response_headers=[],
        response_body=b"{}",
    )


async def numbers_kept(journal: Journal) -> list[int]:
    found = await journal.search(b"n" * 16, Search(before=LATEST_SEQ, limit=10_000))
    return [int(entry["request_id"][4:]) for entry in found]


@pytest.mark.anyio
@pytest.mark.parametrize("microseconds", [0, -0.2, -0.4, 0.2, 0.4, 0.6, 1, 499, 999])
async def test_instant_that_is_shown_finds_its_exchange(store: Store, microseconds: float) -> None:
    """The instant of an exchange, copied from it, bounds a search where that exchange stands."""
    journal = journal_on(store)
    started_at = floor(clock.wall()) + 0.627 + microseconds / 1_000_000
    journal.record(msgspec.structs.replace(an_exchange(0), started_at=started_at))
    [shown] = await journal.search(b"n" * 16, Search())
    instant = clock.from_rfc3339(shown["at"])
    assert await journal.search(b"n" * 16, Search(since=instant)) == [shown]
    assert await journal.search(b"n" * 16, Search(until=instant)) == []
    assert await journal.search(b"n" * 16, Search(until=instant + 0.001)) == [shown]


@pytest.mark.anyio
async def test_exchanges_of_two_processes_are_in_order(store: Store) -> None:
    """What two processes wrote down at different times is told in the order in which it ended."""
    one, other = journal_on(store), journal_on(store)
    for number in range(6):
        (one if number % 2 else other).record(an_exchange(number))
    await one.write()
    await other.write()
    assert await numbers_kept(one) == [5, 4, 3, 2, 1, 0]


@pytest.mark.anyio
async def test_a_follower_misses_no_exchange_of_a_slower_process(store: Store) -> None:
    """An exchange that another process writes down late is told, and no exchange twice."""
    one, other = journal_on(store), journal_on(store)
    events = one.follow(b"n" * 16, Search(), after=None)
    assert b"event: ready" in await anext(events)
    other.record(an_exchange(0))
    one.record(an_exchange(1))
    await one.write()
    told = [await anext(events)]
    await other.write()
    one.record(an_exchange(2))
    await one.write()
    told += [await anext(events), await anext(events)]
    assert [int(f"{number:032}".encode() in event) for event in told for number in (0, 1, 2)] == [
        *(0, 1, 0),
        *(1, 0, 0),
        *(0, 0, 1),
    ]
    await events.aclose()


class CountingStore:
    """A store that counts how often the journal is read, and how many segments it gave."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.reads = 0
        self.segments = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def journal(self, namespace: bytes, **search: Any) -> Sequence[bytes]:
        self.reads += 1
        segments = await self._store.journal(namespace, **search)
        self.segments += len(segments)
        return segments


@pytest.mark.anyio
@pytest.mark.parametrize("read", ["search", "all", "exchange"])
async def test_a_journal_is_never_read_whole(store: Store, read: str) -> None:
    """A reader holds some segments of 50 exchanges in memory, however many there are."""
    largest = 0

    class WatchedStore(CountingStore):
        async def journal(self, namespace: bytes, **search: Any) -> Sequence[bytes]:
            nonlocal largest
            segments = await super().journal(namespace, **search)
            largest = max(largest, len(segments))
            return segments

    journal = Journal(WatchedStore(store), frozenset(), wall=clock.wall)
    for number in range(1000):
        journal.record(an_exchange(number))
    await journal.write()
    if read == "search":
        assert len(await journal.search(b"n" * 16, Search(text="nothing has this"))) == 0
        assert len(await journal.search(b"n" * 16, Search())) == 1000
    elif read == "all":
        assert len([entry async for entry in await journal.all(b"n" * 16)]) == 1000
    else:
        assert await journal.exchange(b"n" * 16, f"req_{7:032}") is not None
    assert 1 <= largest <= 2


@pytest.mark.anyio
async def test_exchanges_of_two_processes_are_read_in_their_order(store: Store) -> None:
    """Where two processes wrote in turn their segments overlap, and the journal does not."""
    turn = [Journal(store, frozenset(), wall=clock.wall) for _ in range(2)]
    for number in range(300):
        turn[number % 2].record(an_exchange(number))
    for journal in turn:
        await journal.write()
    wanted = [f"req_{number:032}" for number in range(300)]
    shown = [entry["request_id"] async for entry in await turn[0].all(b"n" * 16)]
    assert shown == wanted
    found = await turn[1].search(b"n" * 16, Search())
    assert [entry["request_id"] for entry in found] == wanted[::-1]


@pytest.mark.anyio
async def test_followers_of_a_key_share_one_reading(store: Store) -> None:
    """However many follow, a new exchange is read once, and each of them is told."""
    counting = CountingStore(store)
    journal = Journal(counting, frozenset(), wall=clock.wall)
    followers = [journal.follow(b"n" * 16, Search(), after=None) for _ in range(50)]
    for events in followers:
        assert b"event: ready" in await anext(events)
    opened = counting.reads
    journal.record(an_exchange(7))
    await journal.write()
    told = await asyncio.gather(*(anext(events) for events in followers))
    assert len(set(told)) == 1
    assert f"{7:032}".encode() in told[0]
    assert counting.reads - opened <= 3
    for events in followers:
        await events.aclose()


@pytest.mark.anyio
async def test_the_live_journal_reads_each_exchange_once(store: Store) -> None:
    """What was read while exchanges came is not read again with those that come after it."""
    counting = CountingStore(store)
    journal = Journal(counting, frozenset(), wall=clock.wall)
    events = journal.follow(b"n" * 16, Search(), after=None)
    assert b"event: ready" in await anext(events)
    for number in range(20):
        journal.record(an_exchange(number))
        await journal.write()
        await anext(events)
    await events.aclose()
    assert counting.segments == 20


@pytest.mark.anyio
async def test_a_slow_follower_misses_nothing(store: Store) -> None:
    """Who takes no event while hundreds come reads them all afterwards, in order and once."""
    journal = journal_on(store)
    events = journal.follow(b"n" * 16, Search(), after=None)
    quick = journal.follow(b"n" * 16, Search(), after=None)
    assert b"event: ready" in await anext(events)
    assert b"event: ready" in await anext(quick)
    for number in range(300):
        journal.record(an_exchange(number))
        if number % 50 == 49:
            await journal.write()
            for _ in range(50):
                await anext(quick)
    told = [await anext(events) for _ in range(300)]
    assert [f"{number:032}".encode() in event for number, event in enumerate(told)] == [True] * 300
    await events.aclose()
    await quick.aclose()


@contextmanager
def counted_turns() -> Iterator[list[None]]:
    """One item for each turn of the loop that others had."""
    turns: list[None] = []

    async def count() -> None:
        while True:
            turns.append(None)
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    yield turns
    counting.cancel()


@pytest.mark.anyio
async def test_a_slow_follower_is_told_nothing_after_its_key_was_taken_away(store: Store) -> None:
    """What was read for a stream before its key left the list is not sent afterwards."""
    accepted = {b"n" * 16}
    journal = Journal(store, frozenset(), wall=clock.wall, accepts=accepted.__contains__)
    events = journal.follow(b"n" * 16, Search(), after=None)
    assert b"event: ready" in await anext(events)
    for number in range(3):
        journal.record(an_exchange(number))
    await journal.write()
    assert b"event: exchange" in await anext(events)
    accepted.clear()
    assert [event async for event in events] == []


@pytest.mark.anyio
async def test_a_long_search_lets_others_have_their_turn(store: Store) -> None:
    """While a thousand exchanges are searched by text, the loop goes round hundreds of times."""
    journal = journal_on(store)
    for number in range(1000):
        journal.record(an_exchange(number))
    await journal.write()
    with counted_turns() as turns:
        assert await journal.search(b"n" * 16, Search(text="not there")) == []
    assert len(turns) >= 200


@pytest.mark.anyio
async def test_a_long_export_lets_others_have_their_turn(store: Store) -> None:
    """A HAR of a thousand exchanges comes in pieces, and the loop goes round for each exchange."""
    journal = journal_on(store)
    for number in range(1000):
        journal.record(an_exchange(number))
    await journal.write()
    with counted_turns() as turns:
        exchanges = await journal.all(b"n" * 16)
        pieces = [piece async for piece in as_har(exchanges, origin="http://x")]
    assert len(turns) >= 1000
    assert max(map(len, pieces)) < 100_000
    assert len(json.loads(b"".join(pieces))["log"]["entries"]) == 1000


@pytest.mark.anyio
async def test_only_so_many_exchanges_are_stored(store: Store) -> None:
    """The database holds little more than what a key may keep, however many come."""
    journal = journal_on(store, limit=20)
    for number in range(100):
        journal.record(an_exchange(number))
        await journal.write()
    assert await numbers_kept(journal) == list(range(99, 79, -1))
    assert len(await store.journal(b"n" * 16, after="")) <= 22


@pytest.mark.anyio
async def test_what_is_remembered_is_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A burst of large bodies is written down at once, before the time for it comes."""
    monkeypatch.setattr("voice_sandbox.journal.journal._WRITE_SECONDS", 3600)
    journal = journal_on(store)
    writing = asyncio.create_task(journal.run())
    large = msgspec.structs.replace(an_exchange(0), request_body=b"\xff" * 1_000_000)
    for _ in range(600):  # of each no more than the beginning is remembered
        journal.record(large)
    async with asyncio.timeout(10):
        while not await store.journal(b"n" * 16, after=""):
            await asyncio.sleep(0)
    writing.cancel()


@pytest.mark.anyio
async def test_an_emptied_journal_has_only_what_came_later(store: Store) -> None:
    """Of what waits when another process empties a key, what came after that is kept alone."""
    journal, other = journal_on(store), journal_on(store)
    for number in range(3):
        journal.record(an_exchange(number))
    await store.delete_namespace(b"n" * 16, reset_at=other.now())
    assert await numbers_kept(other) == []
    journal.record(an_exchange(3))
    await journal.write()
    assert await numbers_kept(other) == [3]
    [counted] = await other.coverage(b"n" * 16)
    assert counted.exchanges == 1


@pytest.mark.anyio
async def test_a_segment_that_comes_late_is_not_shown(store: Store) -> None:
    """What a process is writing in the moment of a reset is left out when it is read."""
    journal = journal_on(store)
    journal.record(an_exchange(0))
    await journal.write()
    [late] = await store.journal(b"n" * 16, after="")
    reset_at = journal.now()
    await store.delete_namespace(b"n" * 16, reset_at=reset_at)
    seq = seq_before(reset_at, 1)
    await store.append_journal([JournalSegment(b"n" * 16, seq, 0.0, 1, late)], [])
    assert await numbers_kept(journal) == []


@pytest.mark.anyio
async def test_a_reset_is_remembered_for_a_day(store: Store) -> None:
    """One that is older has nothing left to keep out."""
    journal = journal_on(store)
    now = journal.now()
    for namespace, reset_at in ((b"o" * 16, seq_before(now, DAY_SECONDS + 1)), (b"n" * 16, now)):
        await store.delete_namespace(namespace, reset_at=reset_at)
    assert await store.resets([b"o" * 16, b"n" * 16]) == {b"n" * 16: now}


@pytest.mark.anyio
async def test_a_writing_that_is_broken_off_loses_nothing(store: Store) -> None:
    """Whoever stops in the middle of packing leaves the rest to be written down later, in order."""
    journal = journal_on(store)
    for number in range(200):
        journal.record(an_exchange(number))
    writing = asyncio.create_task(journal.write())
    for _ in range(3):
        await asyncio.sleep(0)
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    journal.record(an_exchange(200))
    assert await numbers_kept(journal) == list(range(200, -1, -1))


# With a wall that the test moves


@pytest.mark.anyio
async def test_what_is_older_than_a_day_is_gone(sandbox: Sandbox, wall: FakeWall) -> None:
    """Even where nothing new came, yesterday's exchanges are not shown any more."""
    request_id = (await sandbox.client.get("/v1/agents")).headers["x-request-id"]
    wall.advance(RETENTION_SECONDS + 1)
    assert (await sandbox.client.get("/sandbox/journal")).json()["exchanges"] == []
    assert (await sandbox.client.get(f"/sandbox/exchanges/{request_id}")).status_code == 404
    assert (await sandbox.client.get("/sandbox/journal/har")).json()["log"]["entries"] == []


@pytest.mark.anyio
async def test_an_outage_of_the_database_loses_nothing(
    sandbox: Sandbox, wall: FakeWall, tmp_path: Path
) -> None:
    """What cannot be written just now is written later, once and in order."""
    await sandbox.client.get("/v1/agents?1")
    await sandbox.client.get("/v1/agents?2")
    store = SQLiteStore(str(tmp_path / "later.db"))
    journal = Journal(store, frozenset(), wall=wall)
    for exchange in sandbox.exchanges:
        journal.record(exchange)
        with pytest.raises(StorageUnavailable):
            await journal.write()
    await store.open()
    found = await journal.search(
        sandbox.exchanges[0].namespace, Search(before=LATEST_SEQ, limit=10)
    )
    [counted] = await journal.coverage(sandbox.exchanges[0].namespace)
    await store.close()
    assert [entry["path"] for entry in found] == ["/v1/agents?2", "/v1/agents?1"]
    assert counted.exchanges == 2
