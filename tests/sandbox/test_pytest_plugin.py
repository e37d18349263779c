"""The pytest plugin, as an integrator's test suite meets it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

THREE_LINES = """
def test_what_we_do_when_the_line_is_busy(voice_sandbox):
    call_id = voice_sandbox.call(voice_sandbox.scenarios()["busy"])
    voice_sandbox.until_idle()
    assert voice_sandbox.status(call_id)["status"] == "busy"
"""


def run_pytest(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Another pytest, in a folder that knows nothing of this repository but the plugin."""
    (folder / "pytest.ini").write_text("[pytest]\n")
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        capture_output=True,
        text=True,
    )


def test_a_busy_line_takes_three_lines(tmp_path: Path) -> None:
    """A test of an outcome needs no set-up, no server and no sleep."""
    (tmp_path / "test_busy.py").write_text(THREE_LINES)
    ran = run_pytest(tmp_path)
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
    """An async test talks to a sandbox in its own event loop."""
    (tmp_path / "test_asgi.py").write_text(
        "import asyncio\n"
        "def test_agents(voice_sandbox_asgi):\n"
        "    async def main():\n"
        "        async with voice_sandbox_asgi() as client:\n"
        "            return await client.get('/v1/agents')\n"
        "    assert asyncio.run(main()).status_code == 200\n"
    )
    ran = run_pytest(tmp_path)
    assert "1 passed" in ran.stdout, ran.stdout + ran.stderr


def test_the_plugin_imports_nothing_until_it_is_used(tmp_path: Path) -> None:
    """A suite that does not use the sandbox does not pay for it."""
    (tmp_path / "test_light.py").write_text(
        "import sys\n"
        "def test_light():\n"
        "    heavy = {'uvicorn', 'starlette', 'httpx', 'jsonschema_rs', 'yaml', 'orjson'}\n"
        "    assert heavy & set(sys.modules) == set()\n"
    )
    # Of the plugins installed here only the one under test is loaded.
    ran = run_pytest(tmp_path, "-p", "sandbox.pytest_plugin", "--disable-plugin-autoload")
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
