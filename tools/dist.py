#!/usr/bin/env python3
"""Builds sdist and wheel into `dist/`, the same bytes each time.

Beside them lie `requirements.txt`, which installs the wheel and all that it needs by hash, and
`SHA256SUMS`. The wheel is built from the unpacked sdist, so that the sdist alone gives the same.
Every date in them is that of the last commit.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "dist").resolve()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    environment = {**os.environ, "SOURCE_DATE_EPOCH": _time_of_last_commit()}
    _build("sdist", folder, ROOT, environment)
    [sdist] = folder.glob("*.tar.gz")
    with TemporaryDirectory() as unpacked:
        with tarfile.open(sdist) as archive:
            archive.extractall(unpacked, filter="data")
        [source] = Path(unpacked).iterdir()
        _build("wheel", folder, source, environment)
    [wheel] = folder.glob("*.whl")
    (folder / "requirements.txt").write_text(_requirements(wheel), "utf-8")
    files = sorted(folder.iterdir())
    sums = [f"{_sha256(path)}  {path.name}\n" for path in files]
    (folder / "SHA256SUMS").write_text("".join(sums), "utf-8")
    for path in files:
        sys.stdout.write(f"{path.stat().st_size / 1e6:6.2f} MB  {path}\n")


def _requirements(wheel: Path) -> str:
    """The wheel with its extras, and the versions of all that they need, each with its hash."""
    pins = (ROOT / "requirements" / "run.txt").read_text("utf-8")
    return (
        "# pip install --require-hashes --requirement requirements.txt\n"
        f"./{wheel.name}[metrics,postgres] --hash=sha256:{_sha256(wheel)}\n"
        + "\n".join(line for line in pins.splitlines() if not line.lstrip().startswith("#"))
        + "\n"
    )


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _time_of_last_commit() -> str:
    command = ["git", "log", "-1", "--format=%ct"]
    said = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return said.stdout.strip()


def _build(target: str, folder: Path, source: Path, environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "--target", target]
    built = subprocess.run(
        [*command, "--directory", str(folder)],
        cwd=source,
        env=environment,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if built.returncode != 0:
        sys.exit(built.stdout)


if __name__ == "__main__":
    main()
