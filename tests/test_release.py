"""`make release-check` lets a release pass, and names each thing that does not agree."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import voice_sandbox

ROOT = Path(__file__).resolve().parent.parent
VERSION = voice_sandbox.__version__
GIT = ["git", "-c", "user.name=Test", "-c", "user.email=test@example.com"]


def git(root: Path, *words: str) -> None:
    subprocess.run([*GIT, *words], cwd=root, check=True, stdout=subprocess.DEVNULL)


@pytest.fixture
def release(wheel: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A checkout that is ready to be released, and what `make dist` wrote for it."""
    root, dist = tmp_path / "checkout", tmp_path / "dist"
    git(tmp_path, "clone", "--quiet", str(ROOT), str(root))
    for name in ("sandbox/voice_sandbox/installation.py", "docs/examples/container"):
        source, target = ROOT / name, root / name
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        else:
            shutil.copy(source, target)
    (root / "CHANGELOG.md").write_text(f"# Changelog\n\n## [{VERSION}] - 2026-11-26\n")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--allow-empty", "--message", "Release")
    git(root, "tag", "--force", "--annotate", f"v{VERSION}", "--message", VERSION)
    shutil.copytree(wheel.parent, dist)
    return root, dist


def check(root: Path, dist: Path) -> tuple[int, str]:
    """Exit code and output of the check."""
    command = [sys.executable, str(ROOT / "tools/release_check.py")]
    ran = subprocess.run(
        [*command, "--root", str(root), "--dist", str(dist)],
        capture_output=True,
        text=True,
        check=False,
    )
    return ran.returncode, ran.stdout + ran.stderr


def test_release_passes(release: tuple[Path, Path]) -> None:
    """Where everything agrees, the version can be released."""
    assert check(*release) == (0, f"Version {VERSION} can be released.\n")


def _undated(root: Path, dist: Path) -> None:
    (root / "CHANGELOG.md").write_text("# Changelog\n\n## [Unreleased]\n")
    git(root, "commit", "--quiet", "--all", "--message", "x")
    git(root, "tag", "--force", f"v{VERSION}")


def _untagged(root: Path, dist: Path) -> None:
    git(root, "tag", "--delete", f"v{VERSION}")


def _committed_after_the_tag(root: Path, dist: Path) -> None:
    git(root, "commit", "--quiet", "--allow-empty", "--message", "x")


def _uncommitted(root: Path, dist: Path) -> None:
    (root / "README.md").write_text("changed")


def _with_another_image(root: Path, dist: Path) -> None:
    file = root / "docs/examples/container/compose.yaml"
    file.write_text(file.read_text("utf-8").replace(f":{VERSION}", ":9.9.9"))
    git(root, "commit", "--quiet", "--all", "--message", "x")
    git(root, "tag", "--force", f"v{VERSION}")


def _without_the_wheel(root: Path, dist: Path) -> None:
    next(dist.glob("*.whl")).unlink()


def _with_an_older_wheel(root: Path, dist: Path) -> None:
    shutil.copy(next(dist.glob("*.whl")), dist / "voice_sandbox-0.0.1-py3-none-any.whl")


def _with_a_changed_wheel(root: Path, dist: Path) -> None:
    wheel = next(dist.glob("*.whl"))
    with wheel.open("ab") as file:
        file.write(b"x")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_undated, "CHANGELOG.md begins with '[Unreleased]'"),
        (_untagged, f"There is no tag v{VERSION}"),
        (_committed_after_the_tag, f"The tag v{VERSION} is on "),
        (_uncommitted, "Files are not committed: README.md"),
        (_with_another_image, "compose.yaml names the image of 9.9.9"),
        (_without_the_wheel, "Run make dist"),
        (_with_an_older_wheel, "voice_sandbox-0.0.1-py3-none-any.whl"),
        (_with_a_changed_wheel, "has another hash than SHA256SUMS says"),
    ],
)
def test_each_disagreement_is_named(
    release: tuple[Path, Path], change: Callable[[Path, Path], None], said: str
) -> None:
    """One line says what does not agree and what to do, and it is the only one."""
    change(*release)
    code, output = check(*release)
    assert (code, said in output, output.count("\n")) == (1, True, 1), output
