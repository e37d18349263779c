"""The pytest plugin, as an integrator's test suite meets it."""

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from inner_pytest import run_pytest
from read_once import contracts
from voice_sandbox.testing.async_client import AsyncSandboxClient
from voice_sandbox.testing.client import SandboxClient

from .conftest import SCENARIOS

THREE_LINES = """
def test_what_we_do_when_the_line_is_busy(voice_sandbox):
    call_id = voice_sandbox.call("busy")
    voice_sandbox.until_idle()
    assert voice_sandbox.status(call_id)["status"] == "busy"
"""
OPERATIONS = len(contracts()[0].operations) - 1
"""Without the provider's webhook."""


def test_a_busy_line_takes_three_lines(tmp_path: Path) -> None:
    """A test of an outcome needs no set-up, no server and no sleep: pytest finds the plugin."""
    (tmp_path / "test_busy.py").write_text(THREE_LINES)
    ran = run_pytest(tmp_path, plugins=None)
    assert "1 passed" in ran.stdout, ran.stdout + ran.stderr


def test_each_test_has_a_key_of_its_own(tmp_path: Path) -> None:
    """What one test did is not there for the next."""
    (tmp_path / "test_keys.py").write_text(
        "import pytest\n"
        "@pytest.mark.parametrize('turn', [1, 2])\n"
        "def test_empty(voice_sandbox, turn):\n"
        "    assert voice_sandbox.journal() == []\n"
        "    voice_sandbox.call('+12025550100')\n"
        "    assert len(voice_sandbox.journal(operation='createCall')) == 1\n"
    )
    ran = run_pytest(tmp_path)
    assert "2 passed" in ran.stdout, ran.stdout + ran.stderr


def test_the_asgi_variant_needs_no_socket(tmp_path: Path) -> None:
    """An async test talks to a sandbox in its own event loop, by the same words."""
    (tmp_path / "test_asgi.py").write_text(
        "import asyncio, socket\n"
        "def test_busy(voice_sandbox_asgi, monkeypatch):\n"
        "    async def main():\n"
        "        monkeypatch.setattr(socket.socket, 'connect', None)\n"
        "        monkeypatch.setattr(socket.socket, 'bind', None)\n"
        "        async with voice_sandbox_asgi() as sandbox:\n"
        "            call_id = await sandbox.call('busy')\n"
        "            await sandbox.until_idle()\n"
        "            answer = await sandbox.client.get('/v1/agents')\n"
        "            assert answer.status_code == 200\n"
        "            return await sandbox.status(call_id)\n"
        "    assert asyncio.run(main())['status'] == 'busy'\n"
    )
    ran = run_pytest(tmp_path)
    assert "1 passed" in ran.stdout, ran.stdout + ran.stderr


def test_both_clients_have_the_same_methods() -> None:
    """Whoever knows one client knows the other; only a stream of exchanges has no async twin."""
    methods = {
        kind: {name for name in vars(kind) if not name.startswith("_")}
        for kind in (SandboxClient, AsyncSandboxClient)
    }
    assert methods[SandboxClient] - {"close", "follow"} == methods[AsyncSandboxClient]
    for name in methods[AsyncSandboxClient]:
        plain, awaited = getattr(SandboxClient, name), getattr(AsyncSandboxClient, name)
        assert str(inspect.signature(plain)) == str(inspect.signature(awaited))


# Beside a package of the integrator's own that is called sandbox

OWN_SANDBOX = {
    "package": {"sandbox/__init__.py": "", "sandbox/orders.py": "NAME = 'ours'\n"},
    "module": {"sandbox.py": "class orders:\n    NAME = 'ours'\n"},
    "namespace": {"sandbox/orders.py": "NAME = 'ours'\n"},
}
"""A folder's files: path → text. In each of them `from sandbox import orders` works."""

WAYS_TO_FIND = {
    "current folder": (".", (), ""),
    "pythonpath": ("source", ("-o", "pythonpath={}/source"), ""),
    "sys.path": ("source", (), "import sys\nsys.path.insert(0, 'source')\n"),
}
"""Folder of the files, arguments of pytest (`{}` is the project), and text of conftest.py."""


@pytest.mark.parametrize("files", OWN_SANDBOX.values(), ids=OWN_SANDBOX)
@pytest.mark.parametrize("way", WAYS_TO_FIND.values(), ids=WAYS_TO_FIND)
def test_a_project_may_have_a_sandbox_of_its_own(
    tmp_path: Path, files: dict[str, str], way: tuple[str, tuple[str, ...], str]
) -> None:
    """Both the project's import and the plugin work, however the project's `sandbox` is found."""
    folder, arguments, conftest = way
    for name, text in files.items():
        path = tmp_path / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "conftest.py").write_text(conftest)
    (tmp_path / "test_orders.py").write_text(
        "from sandbox import orders\n"
        "def test_both(voice_sandbox):\n"
        "    assert orders.NAME == 'ours'\n"
        "    assert voice_sandbox.call('busy')\n"
    )
    # The plugin is found as an integrator's pytest finds it; the heavy ones are left out.
    others = [
        part for name in ("schemathesis", "hypothesispytest") for part in ("-p", f"no:{name}")
    ]
    options = (argument.format(tmp_path) for argument in arguments)
    ran = run_pytest(tmp_path, *others, *options, plugins=None)
    assert "1 passed" in ran.stdout, ran.stdout + ran.stderr


def test_no_installed_module_is_called_sandbox(tmp_path: Path) -> None:
    """Outside the repository `import sandbox` finds nothing, although the sandbox is installed."""
    search = "import importlib.util, voice_sandbox; print(importlib.util.find_spec('sandbox'))"
    found = subprocess.run(
        [sys.executable, "-I", "-c", search], cwd=tmp_path, capture_output=True, text=True
    )
    assert found.stdout == "None\n", found.stderr


# The report of a test that failed


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_a_failed_test_shows_what_happened(tmp_path: Path, workers: tuple[str, ...]) -> None:
    """Its report has the timeline of its calls and every exchange; a passed test has none."""
    (tmp_path / "test_calls.py").write_text(
        "def test_fails(voice_sandbox):\n"
        "    voice_sandbox.call('busy')\n"
        "    voice_sandbox.until_idle()\n"
        "    voice_sandbox.client.post('/v1/calls', json={'phone': 1})\n"
        "    assert False\n"
        "def test_passes(voice_sandbox):\n"
        "    voice_sandbox.call('dropped')\n"
    )
    shown = run_pytest(tmp_path, *workers).stdout
    section = shown.partition("voice_sandbox: calls and exchanges")[2]
    for word in ("scenario busy", "ringing", "delivers busy: 200", "POST   /v1/calls", "phone"):
        assert word in section, shown
    assert "dropped" not in shown


def test_a_failed_async_test_shows_what_happened(tmp_path: Path) -> None:
    """The variant without a socket has the same section."""
    (tmp_path / "test_asgi.py").write_text(
        "import pytest\n"
        "@pytest.mark.anyio\n"
        "async def test_fails(voice_sandbox_asgi):\n"
        "    async with voice_sandbox_asgi() as sandbox:\n"
        "        await sandbox.call('busy')\n"
        "        await sandbox.until_idle()\n"
        "        assert False\n"
    )
    (tmp_path / "conftest.py").write_text(
        "import pytest\n@pytest.fixture\ndef anyio_backend(): return 'asyncio'\n"
    )
    shown = run_pytest(tmp_path).stdout
    assert "delivers busy: 200" in shown.partition("voice_sandbox: calls and exchanges")[2], shown


def test_a_test_may_fail_with_its_client_closed(tmp_path: Path) -> None:
    """What cannot be read any more is said, and hides no failure."""
    (tmp_path / "test_closed.py").write_text(
        "def test_fails(voice_sandbox):\n    voice_sandbox.close()\n    assert 'this' == 'that'\n"
    )
    shown = run_pytest(tmp_path).stdout
    assert "'this' == 'that'" in shown
    assert "The journal could not be read" in shown


# Coverage of a whole run

THREE_SCENARIOS = """
import pytest

@pytest.mark.parametrize("scenario", ["answered", "busy", "dropped"])
def test_call(voice_sandbox, scenario):
    voice_sandbox.call(scenario)
    voice_sandbox.until_idle()
"""


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_a_run_says_what_its_tests_have_covered(tmp_path: Path, workers: tuple[str, ...]) -> None:
    """What each key has covered is summed up for the whole run, and what is missing is listed."""
    (tmp_path / "test_calls.py").write_text(THREE_SCENARIOS)
    ran = run_pytest(tmp_path, "--voice-coverage", *workers)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert f"      3  of {len(list(SCENARIOS))} scenarios" in ran.stdout
    assert f"      1  of {OPERATIONS} operations" in ran.stdout
    assert "      0  scenario   no_answer\n" in ran.stdout
    assert "scenario   busy" not in ran.stdout


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_a_run_under_its_goal_fails(tmp_path: Path, workers: tuple[str, ...]) -> None:
    """`--voice-fail-under` fails a run whose tests pass, and not one that reaches the goal."""
    (tmp_path / "test_calls.py").write_text(THREE_SCENARIOS)
    missed = run_pytest(tmp_path, "--voice-fail-under", "90", *workers)
    assert missed.returncode == 1
    assert "under the goal of 90 %" in missed.stdout
    assert "3 passed" in missed.stdout
    assert run_pytest(tmp_path, "--voice-fail-under", "1", *workers).returncode == 0


def test_a_run_can_be_measured_by_one_operation(tmp_path: Path) -> None:
    """`--voice-operation` leaves the items of one operation, the provider's where it is named."""
    (tmp_path / "test_calls.py").write_text(THREE_SCENARIOS)
    ran = run_pytest(tmp_path, "--voice-coverage", "--voice-operation", "callCompleted")
    assert "      1  of 1 operations" in ran.stdout, ran.stdout + ran.stderr
    assert "createCall" not in ran.stdout


def test_a_run_can_be_measured_with_the_provider(tmp_path: Path) -> None:
    """`--voice-provider` counts the webhook too."""
    (tmp_path / "test_calls.py").write_text(THREE_SCENARIOS)
    ran = run_pytest(tmp_path, "--voice-coverage", "--voice-provider")
    assert f"      2  of {OPERATIONS + 1} operations" in ran.stdout, ran.stdout + ran.stderr


def test_a_run_without_a_sandbox_reaches_no_goal(tmp_path: Path) -> None:
    """A goal that nothing was measured against is missed, and said to be."""
    (tmp_path / "test_nothing.py").write_text("def test_nothing(): pass\n")
    ran = run_pytest(tmp_path, "--voice-fail-under", "1")
    assert ran.returncode == 1
    assert "no test asked for a voice_sandbox" in ran.stdout


@pytest.mark.parametrize("goal", ["101", "-1", "x", "nan"])
def test_a_goal_is_a_percentage(tmp_path: Path, goal: str) -> None:
    """Any other goal is wrong usage."""
    assert run_pytest(tmp_path, f"--voice-fail-under={goal}").returncode == 4


def test_the_asgi_variant_is_measured_too(tmp_path: Path) -> None:
    """What async tests have covered counts for the run."""
    (tmp_path / "test_asgi.py").write_text(
        "import asyncio\n"
        "def test_busy(voice_sandbox_asgi):\n"
        "    async def main():\n"
        "        async with voice_sandbox_asgi() as sandbox:\n"
        "            await sandbox.call('busy')\n"
        "    asyncio.run(main())\n"
    )
    assert f"      1  of {OPERATIONS} operations" in run_pytest(tmp_path, "--voice-coverage").stdout


# What it costs


def test_the_plugin_imports_nothing_until_it_is_used(tmp_path: Path) -> None:
    """A suite that does not use the sandbox does not pay for it."""
    (tmp_path / "test_light.py").write_text(
        "import sys\n"
        "def test_light():\n"
        "    heavy = {'uvicorn', 'starlette', 'httpx2', 'jsonschema_rs', 'yaml', 'orjson'}\n"
        "    assert heavy & set(sys.modules) == set()\n"
    )
    ran = run_pytest(tmp_path, plugins="voice_sandbox.testing.pytest_plugin")
    assert "1 passed" in ran.stdout, ran.stdout + ran.stderr


def test_a_recorded_exchange_is_a_test_that_passes(tmp_path: Path) -> None:
    """The pytest export of the journal runs as it stands."""
    (tmp_path / "test_record.py").write_text(
        "def test_record(voice_sandbox):\n"
        "    voice_sandbox.call('+12025550111')\n"
        "    [made] = voice_sandbox.journal(operation='createCall')\n"
        "    open('test_replay.py', 'w').write("
        "voice_sandbox.exchange(made['request_id'])['pytest'])\n"
    )
    assert "1 passed" in run_pytest(tmp_path, "test_record.py").stdout
    ran = run_pytest(tmp_path, "test_replay.py")
    assert "1 passed" in ran.stdout, ran.stdout + ran.stderr


@pytest.mark.parametrize("workers", [(), ("-n", "4")], ids=["alone", "xdist"])
def test_hundreds_of_tests_share_one_sandbox(tmp_path: Path, workers: tuple[str, ...]) -> None:
    """Two hundred calls are seen to their end, in one process and in four."""
    count = 200
    (tmp_path / "test_many.py").write_text(
        "import pytest\n"
        f"@pytest.mark.parametrize('turn', range({count}))\n"
        "def test_call(voice_sandbox, turn):\n"
        "    call_id = voice_sandbox.call('+12025550100')\n"
        "    voice_sandbox.until_idle()\n"
        "    assert voice_sandbox.status(call_id)['status'] == 'completed'\n"
    )
    ran = run_pytest(tmp_path, *workers)
    assert f"{count} passed" in ran.stdout, ran.stdout + ran.stderr
