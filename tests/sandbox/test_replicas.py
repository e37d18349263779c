"""Several processes on one database under load, while one after another is killed."""

from pathlib import Path

import httpx2

from killing import load_on, replicas_on, take_stock
from postgres_server import PASSWORD, PostgresServer

from .conftest import CATALOGUE

# Both engines let several processes share a database.
ON_ENGINES = ["sqlite-file", "postgresql"]
AGENT = CATALOGUE.agents[0].key
DEMO = {"Authorization": "Bearer sandbox_demo"}
KILLS = 3
CALLS_BETWEEN = 40


def test_killed_replicas_lose_nothing(database: str, tmp_path: Path) -> None:
    """`kill -9` for one of two replicas, again and again: no acknowledged call is lost or doubled,
    and each completion is delivered once."""
    with replicas_on(tmp_path, database, 2) as replicas:
        with load_on(replicas, clients=3, agent=AGENT) as outcome:
            for kill in range(KILLS):
                outcome.wait_for(CALLS_BETWEEN)
                replicas.kill(kill % 2)
                replicas.start_again(kill % 2)
        take_stock(replicas, database, outcome)
    assert outcome.faults == []
    assert outcome.cut_off > 0, "no client noticed a kill"
    assert PASSWORD not in replicas.logs()


def test_restart_of_the_database_loses_nothing(shaky: PostgresServer, tmp_path: Path) -> None:
    """While PostgreSQL restarts each request is a 503 with Retry-After, and no process dies."""
    database = shaky.new_schema()
    with replicas_on(tmp_path, database, 2) as replicas:
        with load_on(replicas, clients=3, agent=AGENT) as outcome:
            outcome.wait_for(CALLS_BETWEEN)
            shaky.stop()
            rejected = httpx2.get(f"{replicas.origins[0]}/sandbox/clock", headers=DEMO)
            agents = httpx2.get(f"{replicas.origins[0]}/v1/agents", headers=DEMO)
            shaky.start()
            outcome.wait_for(CALLS_BETWEEN)
        take_stock(replicas, database, outcome)
        assert [server.process.poll() for server in replicas.servers] == [None, None]
    assert (rejected.status_code, rejected.headers["retry-after"]) == (503, "1")
    assert agents.status_code == 200
    assert outcome.faults == []
    assert outcome.rejected > 0, "no client noticed the restart"
    assert PASSWORD not in replicas.logs()
    assert "Traceback" not in replicas.logs()
