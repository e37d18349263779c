#!/usr/bin/env python3
"""Builds sdist and wheel into `dist/`, the same bytes each time, with SHA256SUMS beside them.

The wheel is built from the unpacked sdist, so that whoever has the sdist alone gets the same wheel.
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
    files = sorted(folder.iterdir())
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files]
    (folder / "SHA256SUMS").write_text("".join(sums), "utf-8")
    for path in files:
        sys.stdout.write(f"{path.stat().st_size / 1e6:6.2f} MB  {path}\n")


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
