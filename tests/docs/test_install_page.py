"""The page Install: each command installs a sandbox in a folder outside the repository."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import voice_sandbox
import wheelhouse as wheelhouse_of
from built_pages import PAGES, blocks

LIMIT_SECONDS = 300


@pytest.fixture(scope="module")
def page(articles: Mapping[str, Any]) -> str:
    """All commands of the page, in their order."""
    return "\n".join(blocks(articles["install"], "sh")).replace("\\\n", " ")


@pytest.fixture
def folder(wheel: Path, tmp_path: Path) -> Path:
    """A reader's folder, with the files that `make dist` writes."""
    return Path(shutil.copytree(wheel.parent, tmp_path / "downloads"))


def run(folder: Path, wheels: Path, *lines: str, **environment: str) -> str:
    """What a shell prints that runs the lines and stops at the first that fails."""
    programs = folder.parent / "programs"
    programs.mkdir()
    (programs / "python3").symlink_to(Path(sys.executable).resolve())
    for name in ("pipx", "uv", "uvx"):
        (programs / name).symlink_to(Path(sys.executable).with_name(name))
    home = folder.parent / "home"
    home.mkdir()
    path = [str(programs), str(home / ".local/bin"), "/usr/bin", "/bin"]
    ran = subprocess.run(
        ["bash", "-e", "-c", "\n".join(lines)],
        cwd=folder,
        env=wheelhouse_of.offline(
            wheels, HOME=str(home), PATH=os.pathsep.join(path), **environment
        ),
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )
    assert ran.returncode == 0, f"{ran.stdout}{ran.stderr}"
    return ran.stdout


def lines_of(page: str, *beginnings: str) -> list[str]:
    """The lines of the page that begin so."""
    found = [line for line in page.splitlines() if line.startswith(beginnings)]
    assert found
    return found


VERSION = f"version {voice_sandbox.__version__}"


def test_wheel_is_checked_installed_upgraded_and_removed(
    page: str, folder: Path, wheelhouse: Path
) -> None:
    """The commands for pip run from top to bottom, and leave nothing behind."""
    lines = lines_of(page, "sha256sum", "python3", ". ", "pip install", "pip uninstall", "voice-")
    of_other_sections = ("git+", "--requirement")
    chosen = [
        line
        for line in lines
        if not any(word in line for word in of_other_sections) and line != "voice-sandbox serve"
    ]
    said = run(folder, wheelhouse, *chosen)
    assert "py3-none-any.whl: OK" in said
    assert VERSION in said
    assert not (folder / ".venv/bin/voice-sandbox").exists()


def test_pipx_installs_the_command(page: str, folder: Path, wheelhouse: Path) -> None:
    """pipx puts `voice-sandbox` on the path, and takes it away again."""
    install, upgrade, remove = lines_of(page, "pipx ")
    said = run(folder, wheelhouse, install, upgrade, "voice-sandbox --version", remove)
    assert VERSION in said


def test_uv_installs_and_runs_the_command(page: str, folder: Path, wheelhouse: Path) -> None:
    """uv installs `voice-sandbox`, and uvx runs it without an installation."""
    install, upgrade, remove = lines_of(page, "uv ")
    [once] = lines_of(page, "uvx ")
    said = run(folder, wheelhouse, once, install, upgrade, "voice-sandbox --version", remove)
    assert said.count(VERSION) == 2


def test_requirements_install_by_hash(page: str, folder: Path, wheelhouse: Path) -> None:
    """The requirements name the wheel and every package by hash, and fit together."""
    [install] = lines_of(page, "pip install --require-hashes")
    wheelhouse_of.pin(folder / "requirements.txt", wheelhouse)
    create = lines_of(page, "python3", ". ")
    said = run(folder, wheelhouse, *create, install, "voice-sandbox --version")
    assert VERSION in said


def test_tag_of_git_is_installed_with_the_portal(
    page: str,
    root: Path,
    folder: Path,
    wheelhouse: Path,
    build_wheelhouse: Path,
    tmp_path: Path,
) -> None:
    """pip builds the portal from a tag, with the versions that the tests have seen."""
    clone = tmp_path / "clone"
    git = ["git", "-c", "user.name=Test", "-c", "user.email=test@example.com"]
    subprocess.run([*git, "clone", "--quiet", root, clone], check=True)
    tag = [*git, "tag", "--force", f"v{voice_sandbox.__version__}"]
    subprocess.run(tag, cwd=clone, check=True, stdout=subprocess.DEVNULL)
    [install] = lines_of(page, 'pip install "git+')
    said = run(
        folder,
        wheelhouse,
        *lines_of(page, "python3", ". "),
        install,
        "voice-sandbox --version",
        "ls .venv/lib/python*/site-packages/voice_sandbox/portal/index.html",
        REPOSITORY=clone.as_uri(),
        PIP_FIND_LINKS=f"{wheelhouse} {build_wheelhouse}",
    )
    assert VERSION in said
    assert "portal/index.html" in said


@pytest.mark.parametrize("name", PAGES)
def test_page_with_commands_says_how_to_install(articles: Mapping[str, Any], name: str) -> None:
    """Whoever comes to a page that needs the command finds the way to get it."""
    needs = [
        text
        for text in blocks(articles[name], "sh")
        if any(line.startswith(("voice-sandbox ", "pytest")) for line in text.splitlines())
    ]
    links = [link["href"] for link in articles[name].find_all("a", href=True)]
    assert not needs or name == "install" or any("install/" in link for link in links)
