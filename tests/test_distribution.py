"""The wheel is all that an integrator needs: portal, contract, data, fixture and commands."""

import hashlib
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

import wheelhouse as wheelhouse_of
from built_pages import PAGES, address
from sandbox_process import read_banner

ROOT = Path(__file__).resolve().parent.parent
LIMIT_SECONDS = 30
LARGEST_WHEEL_BYTES = 3_000_000


@pytest.fixture(scope="module")
def content(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the wheel's content."""
    folder = tmp_path_factory.mktemp("content")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture(scope="module")
def commands(wheel: Path, wheelhouse: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The commands of a virtual environment that holds the wheel, what it requires, and pytest."""
    folder = tmp_path_factory.mktemp("installed")
    return wheelhouse_of.new_environment(folder, str(wheel), "pytest", wheels=wheelhouse)


@contextmanager
def serving(command: Path, folder: Path, *arguments: str) -> Iterator[str]:
    """The origin of an installed sandbox that runs in the folder."""
    process = subprocess.Popen(
        [command, "serve", "--port", "0", "--database", ":memory:", *arguments],
        cwd=folder,
        env=wheelhouse_of.offline(folder, PYTHONUNBUFFERED="1"),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        said = read_banner(process)
        [portal] = re.findall(r"Portal +(\S+)/\s", said)
        yield portal
    finally:
        process.kill()
        process.communicate(timeout=LIMIT_SECONDS)


# What is built


def test_two_builds_are_the_same_bytes(wheel: Path, tmp_path: Path) -> None:
    """Whoever builds the same commit again gets the same wheel and the same sdist."""
    subprocess.run(
        [sys.executable, "tools/dist.py", str(tmp_path / "again")],
        cwd=ROOT,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    again = (tmp_path / "again" / "SHA256SUMS").read_text("utf-8")
    assert (wheel.parent / "SHA256SUMS").read_text("utf-8") == again


def test_sums_are_those_of_the_files(wheel: Path) -> None:
    """`SHA256SUMS` names wheel, sdist and requirements, each with its hash."""
    sums = (wheel.parent / "SHA256SUMS").read_text("utf-8")
    named = {name: digest for digest, name in map(str.split, sums.splitlines())}
    files = [path for path in wheel.parent.iterdir() if path.name != "SHA256SUMS"]
    assert named == {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_wheel_is_small(wheel: Path) -> None:
    """Whoever installs the sandbox in each run of CI waits for less than 3 MB."""
    assert wheel.stat().st_size < LARGEST_WHEEL_BYTES


def test_wheel_ships_all_of_the_sandbox(content: Path) -> None:
    """Whoever installs the distribution gets every module and the contract, and no tests."""
    sources = {path.relative_to(ROOT / "sandbox") for path in (ROOT / "sandbox").rglob("*.py")}
    shipped = {path.relative_to(content) for path in content.rglob("*.py")}
    portal = {path for path in shipped if path.parts[1] == "portal"}
    assert shipped - portal == sources
    assert (content / "voice_sandbox/openapi.yaml").read_bytes() == (
        ROOT / "openapi.yaml"
    ).read_bytes()


def test_wheel_installs_one_importable_name(content: Path) -> None:
    """An integrator's own package meets no namesake but `voice_sandbox`."""
    installed = {path.name for path in content.iterdir() if path.suffix != ".dist-info"}
    assert installed == {"voice_sandbox"}


def test_wheel_ships_the_portal_as_it_is_built(content: Path, site: Path) -> None:
    """Every page and every file that a page loads is in the wheel, byte for byte."""
    shipped = content / "voice_sandbox" / "portal"
    left_out = {
        path for path in site.rglob("*") if is_left_out(path) or path.name.startswith("sitemap")
    }
    expected = {path for path in site.rglob("*") if path.is_file()} - left_out
    differing = [
        str(path.relative_to(site))
        for path in sorted(expected)
        if not (shipped / path.relative_to(site)).is_file()
        or (shipped / path.relative_to(site)).read_bytes() != path.read_bytes()
    ]
    assert differing == []


def is_left_out(path: Path) -> bool:
    """Whether the wheel has no need of a file of the site."""
    return path.suffix == ".map" or ("lunr" in path.parts and path.name not in LOADED_BY_SEARCH)


LOADED_BY_SEARCH = [f"lunr.{name}.min.js" for name in ("multi", "ru", "stemmer.support")]


def test_no_page_needs_what_the_wheel_leaves_out(root: Path, content: Path) -> None:
    """Of the languages of the search the wheel has what its worker loads; no page loads more."""
    portal = content / "voice_sandbox" / "portal"
    pages = portal.rglob("*.html")
    assert [page.name for page in pages if "lunr" in page.read_text("utf-8")] == []
    worker = (root / "docs/assets/javascripts/workers/search.js").read_text("utf-8")
    loaded = re.search(r"LANGUAGES = \[(.+?)\]", worker)
    assert loaded is not None
    names = [f"lunr.{name}.min.js" for name in re.findall(r'"([^"]+)"', loaded[1])]
    assert sorted(names) == LOADED_BY_SEARCH
    shipped = (portal / "assets/javascripts/lunr").rglob("*")
    assert sorted(path.name for path in shipped if path.is_file()) == LOADED_BY_SEARCH


def test_wheel_is_built_from_the_sdist_alone(wheel: Path, tmp_path: Path) -> None:
    """The sdist has the built portal in it, so building a wheel needs neither git nor MkDocs."""
    [sdist] = wheel.parent.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = archive.getnames()
        archive.extractall(tmp_path, filter="data")
    [source] = tmp_path.iterdir()
    assert not any("/docs/" in name or name.endswith("mkdocs.yml") for name in names)
    probe = (
        "import sys, hatchling.build as b; sys.modules['mkdocs'] = None; "
        "assert b.get_requires_for_build_wheel() == []; b.build_wheel('out')"
    )
    subprocess.run(
        [sys.executable, "-c", probe],
        cwd=source,
        env={**os.environ, "PATH": "", "SOURCE_DATE_EPOCH": _epoch()},
        check=True,
    )
    assert (source / "out" / wheel.name).read_bytes() == wheel.read_bytes()


def _epoch() -> str:
    command = ["git", "log", "-1", "--format=%ct"]
    return subprocess.run(
        command, cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.strip()


# What is installed


def test_installed_sandbox_serves_the_whole_portal(
    commands: Path, site: Path, tmp_path: Path
) -> None:
    """Every file of the built site is served by an installation that has no repository."""
    with (
        serving(commands / "voice-sandbox", tmp_path) as url,
        httpx2.Client(base_url=url) as client,
    ):
        addresses = [
            f"/{path.relative_to(site).as_posix()}".removesuffix("index.html")
            for path in site.rglob("*")
            if path.is_file() and not is_left_out(path)
        ]
        statuses = {path: client.get(path).status_code for path in addresses}
    assert {address(name) for name in PAGES} <= statuses.keys()
    assert {path: status for path, status in statuses.items() if status != 200} == {}


def test_installed_sandbox_leads_from_a_problem_to_its_entry(
    commands: Path, tmp_path: Path
) -> None:
    """The `type` of a problem is a page that explains it."""
    with serving(commands / "voice-sandbox", tmp_path) as url:
        problem = httpx2.get(f"{url}/v1/calls/none").json()
        page, _, anchor = problem["type"].partition("#")
        response = httpx2.get(httpx2.URL(url).join(page))
    assert response.status_code == 200
    assert f'id="{anchor}"' in response.text


def test_installed_fixture_runs_a_test(commands: Path, tmp_path: Path) -> None:
    """An integrator's test gets `voice_sandbox` from the wheel alone."""
    (tmp_path / "test_reminder.py").write_text(
        "def test_busy(voice_sandbox):\n"
        "    call_id = voice_sandbox.call('busy')\n"
        "    voice_sandbox.until_idle()\n"
        "    assert voice_sandbox.status(call_id)['status'] == 'busy'\n"
    )
    ran = subprocess.run(
        [commands / "pytest", "-q"],
        cwd=tmp_path,
        env=wheelhouse_of.offline(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 passed" in ran.stdout, ran.stdout + ran.stderr


def test_every_installed_command_starts(commands: Path, tmp_path: Path) -> None:
    """No command needs a package that the wheel does not require."""
    command, environment = commands / "voice-sandbox", wheelhouse_of.offline(tmp_path)
    helped = subprocess.run(
        [command, "--help"], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    names = re.findall(r"^  ([a-z]+) ", helped.stdout.partition("Commands:")[2], re.M)
    assert {"serve", "verify", "call"} <= set(names)
    ended = {
        name: subprocess.run(
            [command, name, "--help"], cwd=tmp_path, env=environment, capture_output=True
        ).returncode
        for name in names
    }
    assert set(ended.values()) == {0}, ended
