"""The pytest plugin of the sandbox: a call simulator for your own tests.

``voice_sandbox`` is a key of its own on a sandbox that runs in this process. Place a call to a
scenario, let the virtual clock run, and look at what became of it; nothing sleeps.
``--voice-coverage`` and ``--voice-fail-under`` say what all of the tests together have covered.
Nothing is imported until a test asks for a fixture.
"""

from __future__ import annotations

from collections.abc import (
    AsyncIterator,
    Callable,
    Generator,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from voice_sandbox.journal.coverage import Item
    from voice_sandbox.testing.async_client import AsyncSandboxClient
    from voice_sandbox.testing.client import SandboxClient

_COVERED: pytest.StashKey[dict[tuple[str, str], int]] = pytest.StashKey()
"""How often the keys of this process have covered each item: kind and name → exchanges."""

_HAPPENED: pytest.StashKey[list[str]] = pytest.StashKey()
"""What happened under the keys of an async test that failed, as lines."""
_REPORTED_EXCHANGES = 100


# Fixtures


@pytest.fixture(scope="session")
def voice_sandbox_url() -> Iterator[str]:
    """The origin of one sandbox for the whole run; with xdist, one for each worker."""
    from voice_sandbox.testing.local_server import local_sandbox

    with local_sandbox() as url:
        yield url


@pytest.fixture(scope="session")
def _voice_catalogue(voice_sandbox_url: str) -> Mapping[str, Any]:
    with _client(voice_sandbox_url) as client:
        return client.catalogue()


@pytest.fixture
def voice_sandbox(
    voice_sandbox_url: str, _voice_catalogue: Mapping[str, Any], pytestconfig: pytest.Config
) -> Iterator[SandboxClient]:
    """A fresh key: its own calls, its own clock, its own journal.

    Beside `SandboxClient`'s methods it has ``.url``, ``.key`` and ``.client``, an httpx2 client
    that is signed with the key.
    """
    with _client(voice_sandbox_url, catalogue=_voice_catalogue) as client:
        yield client
        if _is_measured(pytestconfig):
            _add(pytestconfig, client.coverage(**_measured(pytestconfig))["items"])


@pytest.fixture
def voice_sandbox_asgi(
    pytestconfig: pytest.Config, request: pytest.FixtureRequest
) -> Callable[[], AbstractAsyncContextManager[AsyncSandboxClient]]:
    """The same without any socket: ``async with voice_sandbox_asgi() as sandbox``.

    It has what ``voice_sandbox`` has, to be awaited, and runs in the test's own event loop.
    pytest runs no async test by itself: install ``pytest-asyncio``, or mark the test with
    ``@pytest.mark.anyio``, whose plugin the sandbox brings along.
    """
    import httpx2

    from voice_sandbox.app import create_app
    from voice_sandbox.testing.async_client import AsyncSandboxClient

    @asynccontextmanager
    async def running() -> AsyncIterator[AsyncSandboxClient]:
        app = create_app()
        async with (
            app.router.lifespan_context(app),
            AsyncSandboxClient(
                "http://voice-sandbox.test", _fresh_key(), transport=httpx2.ASGITransport(app)
            ) as client,
        ):
            try:
                yield client
            except (Exception, pytest.fail.Exception):
                exchanges = await client.journal(limit=str(_REPORTED_EXCHANGES))
                calls = [await client.inspect(call_id) for call_id in _call_ids(exchanges)]
                lines = request.node.stash.setdefault(_HAPPENED, [])
                lines += _described(exchanges, calls)
                raise
            if _is_measured(pytestconfig):
                _add(pytestconfig, (await client.coverage(**_measured(pytestconfig)))["items"])

    return running


def _client(url: str, **options: Any) -> SandboxClient:
    from voice_sandbox.testing.client import local_client

    return local_client(url, _fresh_key(), **options)


def _fresh_key() -> str:
    import secrets

    return f"sandbox_{secrets.token_hex(12)}"


# The report of a test that failed


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "call" and report.failed:
        lines = item.stash.get(_HAPPENED, [])
        client = getattr(item, "funcargs", {}).get("voice_sandbox")
        if client is not None:
            lines = [*lines, *_happened(client)]
        if lines:
            report.sections.append(("voice_sandbox: calls and exchanges", "\n".join(lines)))
    return report


def _happened(client: SandboxClient) -> list[str]:
    from voice_sandbox.testing.client import SandboxError

    try:
        exchanges = client.journal(limit=str(_REPORTED_EXCHANGES))
        return _described(exchanges, [client.inspect(one) for one in _call_ids(exchanges)])
    except (SandboxError, RuntimeError) as error:  # RuntimeError: the test has closed its client
        return [f"The journal could not be read: {error}"]


def _call_ids(exchanges: Sequence[Mapping[str, Any]]) -> list[str]:
    """The calls that were created, in order."""
    created = (e for e in reversed(exchanges) if e["operation_id"] == "createCall")
    return list(dict.fromkeys(e["call_id"] for e in created if e["status"] < 400))


def _described(
    exchanges: Sequence[Mapping[str, Any]], calls: Sequence[Mapping[str, Any]]
) -> list[str]:
    from voice_sandbox.testing.description import report

    return list(report(exchanges[::-1], calls))


# Coverage of the whole run


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("voice-sandbox", "sandbox of the voice API")
    group.addoption(
        "--voice-coverage",
        action="store_true",
        help="Say at the end what the tests with a voice_sandbox have covered of the voice API.",
    )
    group.addoption(
        "--voice-fail-under",
        type=_percentage,
        metavar="PERCENT",
        help="The same, and fail where they have covered less than this percentage.",
    )
    group.addoption(
        "--voice-operation",
        metavar="OPERATION",
        help="Measure the coverage of this operationId alone, such as createCall.",
    )
    group.addoption(
        "--voice-provider",
        action="store_true",
        help="Count the provider's webhook in the coverage as well.",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_COVERED] = {}


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    config = session.config
    if not _is_measured(config):
        return
    if hasattr(config, "workeroutput"):  # a worker of xdist tells the process that sums up
        config.workeroutput["voice_covered"] = [
            {"kind": kind, "name": name, "exchanges": exchanges}
            for (kind, name), exchanges in config.stash[_COVERED].items()
        ]
        return
    goal = config.getoption("voice_fail_under")
    if goal is not None and exitstatus == 0 and _percent(config) < goal:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    _add(node.config, getattr(node, "workeroutput", {}).get("voice_covered", ()))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if not _is_measured(config):
        return
    terminalreporter.section("what the tests have covered of the voice API")
    if items := _items(config):
        from voice_sandbox.journal.coverage import table

        for line in table(items, only_missing=True):
            terminalreporter.line(line)
    else:
        terminalreporter.line("Nothing: no test asked for a voice_sandbox.")
    goal = config.getoption("voice_fail_under")
    if goal is not None and (reached := _percent(config)) < goal:
        terminalreporter.line(f"{reached:g} % is under the goal of {goal:g} %.", red=True)


def _is_measured(config: pytest.Config) -> bool:
    return bool(
        config.getoption("voice_coverage") or config.getoption("voice_fail_under") is not None
    )


def _measured(config: pytest.Config) -> dict[str, Any]:
    """The arguments of a client's ``coverage``."""
    return {
        "operation": config.getoption("voice_operation"),
        "provider": config.getoption("voice_provider"),
    }


def _add(config: pytest.Config, items: Iterable[Mapping[str, Any]]) -> None:
    covered = config.stash[_COVERED]
    for item in items:
        key = item["kind"], item["name"]
        covered[key] = covered.get(key, 0) + item["exchanges"]


def _items(config: pytest.Config) -> list[Item]:
    if not config.stash[_COVERED]:
        return []
    from voice_sandbox.journal.coverage import Item

    return [Item(*key, exchanges) for key, exchanges in config.stash[_COVERED].items()]


def _percent(config: pytest.Config) -> float:
    items = _items(config)
    if not items:
        return 0.0
    from voice_sandbox.journal.coverage import percent

    return percent(items)


def _percentage(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 100:
        raise ValueError
    return value
