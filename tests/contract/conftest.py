"""What several modules of contract tests stand on."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fake_live_service import FakeLiveService, fake_live_service
from node_tools import NodeTools
from prism_process import prism_before
from read_once import contracts, load_once
from sandbox_process import SandboxServer
from voice_sandbox.contract.catalogue import read_catalogue
from voice_sandbox.verification import api, command, identity
from voice_sandbox.verification.http1 import Http1Client

LONGEST = ["test_schemathesis_control.py", "test_schemathesis.py", "test_verify_keys.py"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, so that no process is left alone with it at the end."""

    def place(item: pytest.Item) -> int:
        return LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST)

    items.sort(key=place)


@pytest.fixture(autouse=True, scope="session")
def contracts_read_once() -> Iterator[None]:
    """Contracts are frozen, so the hundred verifications of a run share one reading of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command, "load_contract", load_once)
        yield


@pytest.fixture(scope="module")
def prism(
    node_tools: NodeTools, contract_path: Path, sandbox_server: SandboxServer
) -> Iterator[str]:
    """The sandbox behind Prism, which reads the same contract."""
    with prism_before(sandbox_server.url, contract=contract_path, node_tools=node_tools) as url:
        yield url


@pytest.fixture
def agents() -> Any:
    """What the operation that lists agents answers."""
    contract, _ = contracts()
    return read_catalogue(contract).agent_list


@pytest.fixture
def live(agents: Any) -> Iterator[FakeLiveService]:
    """A server that stands in for the live service."""
    with fake_live_service(agents) as server:
        yield server


@pytest.fixture
def one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sandbox of one process has journaled what it answered: what is not there never comes."""
    for module in (api, command, identity):
        monkeypatch.setattr(module, "JOURNAL_SECONDS", 0.1)


@pytest.fixture
def quiet() -> Iterator[None]:
    """A faulty sandbox that breaks says so in the log; here that is the point."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a server never responds nobody waits ten seconds; elsewhere a busy machine may."""
    monkeypatch.setattr(
        command, "Http1Client", lambda url, **_: Http1Client(url, timeout_seconds=0.5)
    )
