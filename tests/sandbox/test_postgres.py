"""What only PostgreSQL can do or suffer: replicas, restarts, a server that hangs, a secret URL."""

import asyncio
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-untyped]
import pytest
from msgspec.structs import replace

from postgres_server import PASSWORD, PostgresServer
from voice_sandbox.calls.call import Call, Result
from voice_sandbox.clock import Sequence, VirtualClock, new_call_id
from voice_sandbox.journal.search import Search
from voice_sandbox.store import open_store, postgres, postgres_database
from voice_sandbox.store.call_columns import FRAGMENTS
from voice_sandbox.store.postgres import PostgresStore
from voice_sandbox.store.protocol import (
    Covered,
    DatabaseAway,
    IdempotencyKey,
    JournalSegment,
    StorageUnavailable,
    Store,
    StoreError,
)
from voice_sandbox.store.sql_files import migrations, statements

from .conftest import (
    CATALOGUE,
    KEY,
    START,
    FakeWall,
    Sandbox,
    client_of,
    running_sandbox,
)
from .stored_calls import DONE, OLD_CALL, SAMPLE, new_call

NEXT_SEQ = Sequence(lambda: START)

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).resolve().parent.parent.parent
NAMES = [bytes([number]) * 16 for number in range(1, 5)]
ONE = NAMES[0]
CLOCK = VirtualClock(START, START)
LEASE = 5.0
EVERYTHING = Search()


@pytest.fixture
def url(postgres: PostgresServer) -> str:
    """An empty database."""
    return postgres.new_schema()


@contextlib.asynccontextmanager
async def opened(*urls: str) -> AsyncIterator[list[Store]]:
    """A store for each URL, as so many replicas have them."""
    stores = [open_store(url) for url in urls]
    try:
        for store in stores:
            await store.open()
        yield stores
    finally:
        for store in stores:
            await store.close()


async def create(store: Store, namespace: bytes = ONE, *, due_at: float | None = START + 8) -> Call:
    call = new_call()
    assert await store.create_call(namespace, call, due_at=due_at, idempotency_key=None) is None
    return call


async def open_namespace(store: Store, namespace: bytes = ONE) -> VirtualClock:
    return await store.open_namespace(namespace, fresh=CLOCK, sample=SAMPLE)


# The schema


async def test_replicas_may_start_at_once(postgres: PostgresServer, url: str) -> None:
    """Whoever comes second waits for the schema instead of making it again."""
    stores = [open_store(url) for _ in range(6)]
    await asyncio.gather(*(store.open() for store in stores))
    await asyncio.gather(*(store.close() for store in stores))
    versions = postgres.execute("SELECT version FROM voice_sandbox_schema", url=url)
    assert [int(version) for [version] in versions] == [
        number for number, _ in enumerate(migrations("postgres"), 1)
    ]


async def test_every_statement_is_understood(url: str) -> None:
    """PostgreSQL prepares each statement of the file on the newest schema."""
    async with opened(url) as [store]:
        assert isinstance(store, PostgresStore)
        assert store._db._pool is not None
        async with store._db._pool.acquire() as connection:
            for sql, _ in store._db.statements.values():
                await connection.prepare(sql)


async def _rejected(url: str) -> str:
    with pytest.raises(StoreError) as rejected:
        await open_store(url).open()
    message = str(rejected.value)
    assert "--database" in message
    assert PASSWORD not in message
    return message


async def test_schema_of_a_newer_version_is_rejected(postgres: PostgresServer, url: str) -> None:
    """An older sandbox does not touch the tables of a newer one."""
    async with opened(url):
        pass
    postgres.execute("INSERT INTO voice_sandbox_schema VALUES (999)", url=url)
    assert "newer version of the sandbox (schema 999)" in await _rejected(url)


async def test_table_of_another_program_is_left_alone(postgres: PostgresServer, url: str) -> None:
    """Where a table of a needed name stands already nothing is made, and the name is said."""
    postgres.execute("CREATE TABLE journal (line text)", url=url)
    assert 'relation "journal" already exists' in await _rejected(url)
    tables = postgres.execute(
        "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()", url=url
    )
    assert tables == [["journal"]]


async def test_user_who_may_create_nothing_is_rejected(postgres: PostgresServer) -> None:
    """Whoever may not make tables hears that from PostgreSQL, with the way out."""
    assert "permission denied" in await _rejected(postgres.url("pg_catalog"))


async def test_schema_of_another_build_is_rejected(postgres: PostgresServer, url: str) -> None:
    """A version number does not stand for two schemas: the scripts that were run are known."""
    async with opened(url):
        pass
    postgres.execute("UPDATE voice_sandbox_schema SET digest = 'x' WHERE version = 1", url=url)
    assert "schema 1 was made by another build" in await _rejected(url)


async def test_database_of_the_first_release_opens(postgres: PostgresServer, url: str) -> None:
    """Calls, clock, plans and kept keys of the first released schema are all there."""
    namespace = f"'\\x{ONE.hex()}'"
    postgres.execute(migrations("postgres")[0].sql, url=url)
    postgres.execute(
        f"""
        CREATE TABLE voice_sandbox_schema (version integer PRIMARY KEY);
        INSERT INTO voice_sandbox_schema VALUES (1);
        INSERT INTO namespaces VALUES ({namespace}, {START}, {START + 5}, 1, {START});
        INSERT INTO calls VALUES (
            {namespace}, '{SAMPLE.call_id}', '{SAMPLE.phone}', 'a', 'answered', {START - 9},
            'completed', 'agent: Hello', 5, {START}
        );
        INSERT INTO calls VALUES (
            {namespace}, '{OLD_CALL.call_id}', '{OLD_CALL.phone}', 'a', 'answered', {START},
            'completed', 'agent: Hello', 5, {START + 8}, 'req_1', '{{422,200}}', {START + 9},
            {START + 4}
        );
        INSERT INTO idempotency_keys
        VALUES ({namespace}, 'order-1', 'body', '{OLD_CALL.call_id}', {START}, {START + 100});
        """,
        url=url,
    )
    async with opened(url) as [store]:
        assert await store.clock(ONE) == VirtualClock(START, START + 5)
        assert await store.call(ONE, SAMPLE.call_id) == SAMPLE
        assert await store.call(ONE, OLD_CALL.call_id) == OLD_CALL
        assert await store.newest_call_id(ONE) == OLD_CALL.call_id
        assert await store.count_calls(ONE) == 1
        assert (await store.next_due_at(ONE), await store.next_wake_at()) == (START + 9, START + 4)
        kept = await store.kept_call(ONE, "order-1", now=START)
        assert kept is not None
        assert kept.call_id == OLD_CALL.call_id
        assert await store.newest_call_id(ONE) == OLD_CALL.call_id
        newer = await create(store)
        assert await store.newest_call_id(ONE) == newer.call_id
        await store.delete_namespace(ONE)
    assert postgres.execute("SELECT count(*) FROM calls", url=url) == [["0"]]


# The URL


async def test_wrong_password_is_rejected(postgres: PostgresServer) -> None:
    """PostgreSQL's own word is passed on, without the password."""
    message = await _rejected(postgres.url().replace(PASSWORD, "wrong-fish"))
    assert "password authentication failed" in message
    assert "wrong-fish" not in message


async def test_unknown_database_is_rejected(postgres: PostgresServer) -> None:
    """A name that PostgreSQL does not know is named."""
    message = await _rejected(postgres.url().replace("/postgres?", "/nowhere?"))
    assert 'database "nowhere" does not exist' in message


async def test_absent_server_is_rejected(unused_port: int) -> None:
    """Where nobody listens the message names host and port, and no more of the URL."""
    message = await _rejected(f"postgresql://me:{PASSWORD}@127.0.0.1:{unused_port}/calls?x=y")
    assert f"postgresql://127.0.0.1:{unused_port}/calls cannot be used" in message


@pytest.fixture
def unused_port() -> int:
    import socket

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:tuna@fish@host/name",
        "postgresql://me:tuna/fish@host/name",
        "postgresql://me:tuna#fish@host/name",
        "postgresql://me:tuna?fish@host/name",
        "postgresql://me:tuna",
        "mysql://me:tuna/fish@host/name",
        "postgresql+asyncpg://me:tuna@fish@host/name",
    ],
)
def test_url_that_cannot_be_read_is_rejected_without_its_password(url: str) -> None:
    """A password that is not escaped is asked for in no DNS and shown in no message."""
    with pytest.raises(ValueError, match="postgresql://USER:PASSWORD@HOST:PORT/NAME") as rejected:
        open_store(url)
    assert "tuna" not in str(rejected.value)
    assert "fish" not in str(rejected.value)


def test_command_says_what_is_wrong_without_the_password(unused_port: int) -> None:
    """A server that is not there ends the command with one sentence."""
    said = _command("serve", "--port", "0", VOICE_SANDBOX_DATABASE=_url_of_nobody(unused_port))
    assert said.returncode == 1
    assert said.stderr.startswith("Error: The database postgresql://127.0.0.1:")
    assert said.stderr.count("\n") == 1
    assert PASSWORD not in said.stdout + said.stderr


def test_help_shows_no_password(unused_port: int) -> None:
    """What the environment says of the database is in no help text."""
    said = _command("serve", "--help", VOICE_SANDBOX_DATABASE=_url_of_nobody(unused_port))
    assert said.returncode == 0
    assert PASSWORD not in said.stdout + said.stderr


def _url_of_nobody(port: int) -> str:
    return f"postgresql://me:{PASSWORD}@127.0.0.1:{port}/calls"


def _command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "voice_sandbox", *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_missing_driver_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever lacks the extra reads how to install it."""
    monkeypatch.setitem(sys.modules, "asyncpg", None)
    for module in ("voice_sandbox.store.postgres", "voice_sandbox.store.postgres_database"):
        monkeypatch.delitem(sys.modules, module)
    with pytest.raises(ValueError, match=r"pip install 'FILE\.whl\[postgres\]'"):
        open_store("postgresql://host/name")


def test_driver_is_loaded_for_postgresql_alone() -> None:
    """Whoever keeps calls in SQLite needs no driver, and starts without it."""
    code = (
        "import sys; from voice_sandbox import create_app; create_app(); "
        "sys.exit('asyncpg' in sys.modules or 'voice_sandbox.store.postgres' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


# Values


@pytest.mark.parametrize(
    ("status", "transcript"), [("unheard_of", "sensitive words"), ("completed", "sensitive\0words")]
)
async def test_value_that_the_schema_rejects_is_no_outage(
    url: str, status: str, transcript: str
) -> None:
    """What no wait puts right is a fault of ours, and its message quotes nobody's words."""
    async with opened(url) as [store]:
        await open_namespace(store)
        call = await create(store)
        with pytest.raises(RuntimeError, match="PostgreSQL rejected a value") as rejected:
            await store.complete_call(
                ONE,
                call.call_id,
                Result(status, transcript, 5),
                ended_at=START,
                completed_by="req_1",
                drop_plan=False,
            )
        assert "sensitive" not in str(rejected.value)
        assert rejected.value.__suppress_context__
        assert await store.call(ONE, call.call_id) == call


# Several replicas


async def test_first_uses_at_once_make_one_namespace(url: str) -> None:
    """Whoever opens a namespace, on whichever replica, sees one clock and one sample call."""
    async with opened(url, url) as stores:
        clocks = await asyncio.gather(
            *(
                store.open_namespace(
                    namespace,
                    fresh=VirtualClock(START + number, START + number),
                    sample=SAMPLE,
                )
                for number in range(10)
                for store in stores
                for namespace in NAMES
            )
        )
        assert len(set(map(repr, clocks))) <= len(NAMES)
        for namespace in NAMES:
            assert await stores[0].count_calls(namespace) == 0


async def test_one_key_on_two_replicas_creates_one_call(url: str, wall: FakeWall) -> None:
    """Thirty requests at once with one Idempotency-Key, half on each replica, place one call."""
    async with running_sandbox(url, wall) as one, running_sandbox(url, wall) as other:
        call_ids = await asyncio.gather(
            *(
                sandbox.create("+12025550100", **{"Idempotency-Key": "once"})
                for _ in range(15)
                for sandbox in (one, other)
            )
        )
        assert len(set(call_ids)) == 1
        assert await one.runtime.store.count_calls(_namespace()) == 1


def _namespace() -> bytes:
    from voice_sandbox.http.authentication import namespace_of

    return namespace_of(KEY)


async def test_completions_are_shared(url: str) -> None:
    """Of claims on two replicas at once each completion goes to one."""
    async with opened(url, url) as stores:
        await open_namespace(stores[0])
        for _ in range(40):
            await create(stores[0])
        claims = await asyncio.gather(
            *(
                store.claim_due(wall_now=START + 9, lease_seconds=LEASE, limit=4)
                for _ in range(10)
                for store in stores
            )
        )
        claimed = [due.call_id for batch in claims for due in batch]
        assert len(claimed) == len(set(claimed)) == 40


async def test_advances_on_two_replicas_deliver_once(url: str, wall: FakeWall) -> None:
    """Both return after everything due has happened, and each completion was posted once."""
    async with running_sandbox(url, wall) as one, running_sandbox(url, wall) as other:
        call_ids = [await one.create("+12025550131") for _ in range(10)]
        clocks = await asyncio.gather(one.advance(9), other.advance(9))
        assert [clock["next_due_at"] for clock in clocks] == [None, None]
        for call_id in call_ids:
            deliveries = (await other.inspect(call_id))["deliveries"]
            assert [delivery["answered"] for delivery in deliveries] == [200, 200]
        posted = [seen for seen in one.exchanges + other.exchanges if seen.by_provider]
        assert len(posted) == 20


async def test_call_created_beside_an_advance_wakes_in_time(
    postgres: PostgresServer, url: str
) -> None:
    """However creations and advances meet, each completion wakes when its clock says."""
    async with opened(url, url) as [one, other]:
        await open_namespace(one)
        await asyncio.gather(
            *(create(one) for _ in range(30)),
            *(other.move_clock(ONE, START + second, wall_now=START) for second in range(30)),
            *(create(other) for _ in range(30)),
        )
    [[late]] = postgres.execute(
        "SELECT count(*) FROM calls JOIN namespaces USING (generation) "
        "WHERE abs(wake_at - (anchor_wall + (due_at - anchor) / rate)) > 0.001",
        url=url,
    )
    assert int(late) == 0


async def test_namespace_is_emptied_while_its_calls_complete(url: str, wall: FakeWall) -> None:
    """Emptying on one replica while the other delivers ends in a fresh namespace, and no error."""
    async with running_sandbox(url, wall) as one, running_sandbox(url, wall) as other:
        for _ in range(3):
            for _ in range(8):
                await one.create("+12025550131")
            responses = await asyncio.gather(
                other.client.post("/sandbox/clock", json={"advance_seconds": 60}),
                one.client.delete("/sandbox/state"),
                one.client.delete("/sandbox/state"),
                other.client.post("/v1/calls", json=_body()),
            )
            assert [response.status_code for response in responses] == [200, 204, 204, 201]
        assert (await one.client.delete("/sandbox/state")).status_code == 204
        sample = await other.read(str(CATALOGUE.sample.call_id))
        assert sample["status"] == "completed"
        assert await one.runtime.store.count_calls(_namespace()) == 0


def _body() -> dict[str, str]:
    return {"phone": "+12025550100", "agent": CATALOGUE.agents[0].key}


async def test_replicas_count_the_same_responses_at_once(
    postgres: PostgresServer, url: str
) -> None:
    """Whatever order two replicas met answers in, neither waits for the other, and none is lost."""
    before = postgres.log().count("deadlock detected")
    met = [(ONE, Covered(f"operation{number}", 200, "", "", 1)) for number in range(3000)]
    async with opened(url, url) as [one, other]:
        for _ in range(3):
            await asyncio.gather(
                one.append_journal([], met), other.append_journal([], list(reversed(met)))
            )
        assert {counted.exchanges for counted in await one.coverage(ONE)} == {6}
    assert postgres.log().count("deadlock detected") == before


async def _claim_due(store: Store, namespace: bytes, dice: random.Random) -> None:
    for due in await store.claim_due(wall_now=START + 60, lease_seconds=0, limit=9):
        await store.finish_delivery(due, made=0, response=422, next_due_at=START + 9)


async def _complete(store: Store, namespace: bytes, dice: random.Random) -> None:
    for due in await store.claim_until(
        namespace, until=START + 60, wall_now=START + 60, lease_seconds=0, limit=1
    ):
        await store.complete_call(
            namespace,
            due.call_id,
            DONE,
            ended_at=START,
            completed_by="req_1",
            drop_plan=dice.random() < 0.5,
        )


async def _journal(store: Store, namespace: bytes, dice: random.Random) -> None:
    await store.append_journal(
        [JournalSegment(name, NEXT_SEQ(), START, 1, b"packed") for name in dice.sample(NAMES, 3)],
        [
            (name, Covered("getCall", status, "", "", 1))
            for name in dice.sample(NAMES, 3)
            for status in dice.sample([200, 401, 404], 2)
        ],
    )


async def _create(store: Store, namespace: bytes, dice: random.Random) -> None:
    await open_namespace(store, namespace)
    key = IdempotencyKey(dice.choice("abc"), b"body", START + 99)
    await store.create_call(
        namespace, new_call(), due_at=START + dice.randrange(60), idempotency_key=key
    )


# What a replica does at random; two of nine are creations, as something must be there.
RANDOM_WORK: tuple[Callable[[Store, bytes, random.Random], Awaitable[object]], ...] = (
    lambda store, namespace, dice: store.delete_namespace(namespace),
    lambda store, namespace, dice: store.move_clock(
        namespace, START + dice.randrange(60), wall_now=START
    ),
    lambda store, namespace, dice: store.use_namespaces(dice.sample(NAMES, 3), at=START),
    lambda store, namespace, dice: store.trim_journal(namespace, oldest=START - 1, limit=3),
    _claim_due,
    _complete,
    _journal,
    *(_create, _create),
)


async def test_replicas_never_wait_for_each_other_in_a_circle(
    postgres: PostgresServer, url: str
) -> None:
    """Everything at once on two replicas, at random: no deadlock, no error, no orphan."""
    dice = random.Random(7)
    before = postgres.log().count("deadlock detected")

    async def worker(store: Store) -> None:
        for _ in range(40):
            await dice.choice(RANDOM_WORK)(store, dice.choice(NAMES), dice)

    async with opened(url, url) as stores:
        await asyncio.gather(*(worker(store) for store in stores for _ in range(5)))
    assert postgres.log().count("deadlock detected") == before
    [[orphans]] = postgres.execute(
        "SELECT count(*) FROM calls LEFT JOIN namespaces USING (generation) WHERE anchor IS NULL",
        url=url,
    )
    assert int(orphans) == 0


@contextlib.asynccontextmanager
async def locked(store: Store, namespace: bytes) -> AsyncIterator[None]:
    """Until the block ends another transaction moves or empties the namespace."""
    assert isinstance(store, PostgresStore)
    assert store._db._pool is not None
    async with store._db._pool.acquire() as connection, connection.transaction():
        await connection.execute(
            "SELECT FROM namespaces WHERE namespace = $1 FOR UPDATE", namespace
        )
        yield


async def test_key_that_is_moved_holds_up_no_other(url: str) -> None:
    """Whoever shares a statement with a key that is being emptied does not wait for it."""
    async with opened(url, url) as [one, other]:
        await open_namespace(one, NAMES[0])
        await open_namespace(one, NAMES[1])
        async with locked(other, NAMES[0]):
            waits = asyncio.create_task(create(one, NAMES[0]))
            await asyncio.gather(*(create(one, NAMES[1]) for _ in range(10)))
            assert not waits.done()
        await waits
        assert await one.count_calls(NAMES[0]) == 1


async def test_wait_for_a_locked_key_is_bounded(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A namespace that is locked for too long is unavailable, and nothing was created in it."""
    monkeypatch.setattr(postgres, "_BUSY_LIMIT", 3)
    async with opened(url, url) as [one, other]:
        await open_namespace(one)
        async with locked(other, ONE):
            with pytest.raises(StorageUnavailable, match="for too long"):
                await create(one)
        assert await one.count_calls(ONE) == 0


async def test_waiting_for_a_key_takes_no_connection(url: str) -> None:
    """However many wait to advance or to empty one key, the other keys are served at once."""
    async with opened(url, url) as [one, other]:
        await open_namespace(one, NAMES[0])
        await open_namespace(one, NAMES[1])
        async with locked(other, NAMES[0]):
            waiting = [
                asyncio.create_task(one.move_clock(NAMES[0], START + step, wall_now=START))
                for step in range(20)
            ] + [asyncio.create_task(one.delete_namespace(NAMES[0])) for _ in range(20)]
            await asyncio.sleep(0)
            async with asyncio.timeout(1):
                await asyncio.gather(*(create(one, NAMES[1]) for _ in range(5)))
                await one.move_clock(NAMES[1], START + 1, wall_now=START)
            assert not any(task.done() for task in waiting)
        await asyncio.gather(*waiting)


async def test_one_bad_row_fails_alone(postgres: PostgresServer, url: str) -> None:
    """Who shares a statement with a row that the database rejects is served all the same."""
    postgres.execute(
        "CREATE FUNCTION forbid() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE 'the disk is full'; END $$",
        url=url,
    )
    async with opened(url) as [store]:
        await open_namespace(store)
        postgres.execute(
            "CREATE TRIGGER forbid BEFORE INSERT ON calls FOR EACH ROW "
            "WHEN (NEW.phone = '+12025550199') EXECUTE FUNCTION forbid()",
            url=url,
        )
        calls = [new_call() for _ in range(20)]
        bad = replace(calls[7], phone="+12025550199")
        calls[7] = bad
        outcomes = await asyncio.gather(
            *(store.create_call(ONE, call, due_at=None, idempotency_key=None) for call in calls),
            return_exceptions=True,
        )
        assert [type(outcome) for outcome in outcomes].count(type(None)) == 19
        assert type(outcomes[7]) is StorageUnavailable
        del calls[7]
        completed = await asyncio.gather(
            *(
                store.complete_call(
                    ONE,
                    call.call_id,
                    Result("unheard_of" if number == 3 else "completed", "agent: Hello", 5),
                    ended_at=START,
                    completed_by="req_1",
                    drop_plan=False,
                )
                for number, call in enumerate(calls)
            ),
            return_exceptions=True,
        )
        assert completed.count(True) == 18
        assert type(completed[3]) is RuntimeError


async def test_replicas_share_the_clock_of_the_database(url: str) -> None:
    """Replicas whose own clocks differ can go by one that they have in common."""
    async with opened(url, url) as [one, other]:
        first, second = await one.database_time(), await other.database_time()
    assert first is not None
    assert second is not None
    assert 0 <= second - first < 60


async def test_hanging_replica_holds_up_nobody_for_long(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A replica that stops in the middle of a transaction loses its locks after seconds."""
    monkeypatch.setitem(postgres_database._SETTINGS, "idle_in_transaction_session_timeout", "200ms")
    async with opened(url, url) as [one, other]:
        await open_namespace(one)
        assert isinstance(one, PostgresStore)
        assert one._db._pool is not None
        hanging = await one._db._pool.acquire()
        await hanging.execute("BEGIN; SELECT FROM namespaces FOR UPDATE")
        await create(other)


# The server goes away


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["restart", "crash"])
async def test_store_outlives_the_server(shaky: PostgresServer, how: signal.Signals) -> None:
    """While the server is away the store says so at once, and then it goes on by itself."""
    async with opened(shaky.new_schema()) as [store]:
        await open_namespace(store)
        calls = await asyncio.gather(*(create(store) for _ in range(20)))
        shaky.stop(how)
        for _ in range(20):
            with pytest.raises(StorageUnavailable):
                await store.ping()
        shaky.start()
        await store.ping()
        for call in calls:
            assert await store.call(ONE, call.call_id) == call


async def test_server_that_hangs_is_away(
    shaky: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for a server that keeps its connections and answers nothing."""
    monkeypatch.setattr(postgres_database, "_CONNECT_SECONDS", 0.3)
    monkeypatch.setattr(postgres_database, "_STATEMENT_SECONDS", 0.3)
    # So long would somebody wait for a hanging connection to confirm that it has stopped.
    monkeypatch.setattr(postgres_database, "_ACQUIRE_SECONDS", 60)
    async with opened(shaky.new_schema()) as [store]:
        await open_namespace(store)
        with shaky.hanging():
            async with asyncio.timeout(30):
                responses = await asyncio.gather(
                    *(store.ping() for _ in range(40)), return_exceptions=True
                )
            assert {type(response) for response in responses} == {DatabaseAway}
        await _until_up(store)
        await create(store)


async def _until_up(store: Store) -> None:
    async with asyncio.timeout(10):
        while True:
            with contextlib.suppress(StorageUnavailable):
                return await store.ping()
            await asyncio.sleep(0.02)


async def test_app_answers_while_the_server_is_away(shaky: PostgresServer, wall: FakeWall) -> None:
    """Away means 503 with Retry-After; what needs no state is answered; then all goes on."""
    async with running_sandbox(shaky.new_schema(), wall) as sandbox:
        call_id = await sandbox.create("+12025550100")
        shaky.stop()
        rejected = await sandbox.client.get(f"/v1/calls/{call_id}")
        agents = await sandbox.client.get("/v1/agents")
        stream = await sandbox.client.get("/sandbox/journal/stream")
        shaky.start()
        again = await sandbox.client.get(f"/v1/calls/{call_id}")
        journal = (await sandbox.client.get("/sandbox/journal")).json()["exchanges"]
    for response in (rejected, stream):
        assert (response.status_code, response.json()["code"]) == (503, "storage_unavailable")
        assert response.headers["retry-after"] == "1"
    assert (agents.status_code, again.status_code) == (200, 200)
    assert [entry["status"] for entry in journal] == [200, 200, 503, 201]


async def test_completions_wait_for_the_server(shaky: PostgresServer, wall: FakeWall) -> None:
    """What became due while the server was away is delivered when it is back."""
    async with running_sandbox(shaky.new_schema(), wall) as sandbox:
        call_id = await sandbox.create("+12025550100")
        shaky.stop()
        wall.advance(8)
        sandbox.runtime.deliverer.wake()
        await sandbox.client.get(f"/v1/calls/{call_id}")
        shaky.start()
        async with asyncio.timeout(10):
            while (await sandbox.read(call_id))["status"] != "completed":
                await asyncio.sleep(0.02)


async def test_stream_goes_on_after_the_server_was_away(
    shaky: PostgresServer, wall: FakeWall
) -> None:
    """A follower of the journal hears, after a restart, what happened meanwhile."""
    async with running_sandbox(shaky.new_schema(), wall) as sandbox:
        events = sandbox.runtime.journal.follow(_namespace(), EVERYTHING, after=None)
        assert b"event: ready" in await anext(events)
        shaky.stop()
        waiting = asyncio.ensure_future(anext(events))
        rejected = await sandbox.client.get(f"/v1/calls/{new_call_id()}")
        shaky.start()
        async with asyncio.timeout(15):
            event = await waiting
        assert rejected.headers["x-request-id"].encode() in event
        await events.aclose()


async def test_stream_hears_of_another_replica(url: str, wall: FakeWall) -> None:
    """What one replica answers, a follower on the other sees."""
    async with running_sandbox(url, wall) as one, running_sandbox(url, wall) as other:
        events = one.runtime.journal.follow(_namespace(), EVERYTHING, after=None)
        await anext(events)
        response = await other.client.get("/v1/agents")
        async with asyncio.timeout(10):
            event = await anext(events)
        assert response.headers["x-request-id"].encode() in event
        await events.aclose()


async def test_keys_of_two_replicas_meet_nowhere(url: str, wall: FakeWall) -> None:
    """What one key does on one replica another key does not see on the other."""
    async with running_sandbox(url, wall) as one, running_sandbox(url, wall) as other:
        call_id = await one.create("+12025550100")
        async with client_of(other.app, "sandbox_other") as client:
            stranger = Sandbox(other.app, wall, client)
            assert (await stranger.client.get(f"/v1/calls/{call_id}")).status_code == 404
        assert (await other.read(call_id))["status"] == "queued"


FOUND_BY_ID: dict[str, dict[str, object]] = {
    "read_calls": {},
    "complete_calls": {
        "status": "busy",
        "transcript": None,
        "duration_seconds": 0,
        "ended_at": START,
        "completed_by": "by_hand",
        "drop_plan": False,
    },
    "finish_deliveries": {"made": 0, "response": 200, "due_at": None},
}


def scans_of_calls(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The nodes of a plan that read rows of calls."""
    if plan.get("Relation Name") == "calls" and "Scan" in plan["Node Type"]:
        yield plan
    for child in plan.get("Plans", ()):
        yield from scans_of_calls(child)


@pytest.mark.parametrize("name", FOUND_BY_ID)
async def test_a_call_is_found_by_its_id_alone(url: str, name: str) -> None:
    """However many calls a key has, a statement that names some of them reads these only."""
    async with opened(url) as [store]:
        await store.open_namespace(ONE, fresh=CLOCK, sample=SAMPLE)
        made = [new_call() for _ in range(2000)]
        await asyncio.gather(
            *(store.create_call(ONE, call, due_at=None, idempotency_key=None) for call in made)
        )
    wanted = made[-20:]
    values = {
        "namespace": [ONE] * len(wanted),
        "call_id": [call.call_id for call in wanted],
        **{key: [value] * len(wanted) for key, value in FOUND_BY_ID[name].items()},
    }
    statement = statements("postgres", FRAGMENTS, numbered=True)[name]
    connection = await asyncpg.connect(url, server_settings=postgres_database._SETTINGS)
    try:
        explained = await connection.fetchval(
            "EXPLAIN (ANALYZE, FORMAT JSON) " + statement.sql, *statement.ordered(values)
        )
    finally:
        await connection.close()
    scans = list(scans_of_calls(json.loads(explained)[0]["Plan"]))
    assert scans
    for scan in scans:
        removed = scan.get("Rows Removed by Filter", 0)
        assert (scan["Actual Rows"] + removed) * scan["Actual Loops"] <= len(wanted), scan
