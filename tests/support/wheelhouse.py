"""Wheels of what is installed here, so that pip and uv can install it elsewhere without a network.

`pip install` then runs in a test exactly as a page has it, and gets the versions of the lock.
"""

import csv
import hashlib
import io
import os
import re
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path
from typing import Any

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.tags import Tag, parse_tag, sys_tags
from packaging.utils import canonicalize_name

SUPPORT = Path(__file__).parent
_OF_THIS_INSTALLATION = {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"}


def fill(folder: Path, requirements: Iterable[str]) -> None:
    """Puts a wheel of each requirement into the folder, and of all that it requires."""
    for found in _closure(requirements):
        _pack(found, folder)


def offline(folder: Path, **environment: str) -> dict[str, str]:
    """The environment of a process that may install from the folder, and from nowhere else."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PIP_", "UV_", "VIRTUAL_ENV", "VOICE_")) and name != "PYTHONPATH"
    }
    return {
        **inherited,
        "PYTHONPATH": str(SUPPORT),  # guards the network
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_FIND_LINKS": str(folder),
        "PIP_NO_CACHE_DIR": "1",
        "PIP_NO_INDEX": "1",
        "UV_FIND_LINKS": str(folder),
        "UV_NO_CONFIG": "1",
        "UV_NO_INDEX": "1",
        "UV_OFFLINE": "1",
        "UV_PYTHON_DOWNLOADS": "never",
        **environment,
    }


def new_environment(folder: Path, *packages: str, wheels: Path) -> Path:
    """An empty virtual environment with these packages alone; returns the folder of commands."""
    venv.create(folder, with_pip=True)
    commands = folder / ("Scripts" if sys.platform == "win32" else "bin")
    install = [str(commands / "python"), "-m", "pip", "install", "--quiet", *packages]
    subprocess.run(install, env=offline(wheels), check=True)
    return commands


def pin(requirements: Path, wheels: Path) -> None:
    """Puts the hashes of these wheels into the requirements, for they are packed anew."""
    pinned = []
    for line in requirements.read_text("utf-8").splitlines():
        if line.startswith("./"):
            pinned.append(line)
        elif match := re.match(r"([a-z0-9._-]+)==(\S+)", line):
            for wheel in wheels.glob(f"{_file_name(match[1])}-{match[2]}-*.whl"):
                digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
                pinned.append(f"{match[0]} --hash=sha256:{digest}")
    requirements.write_text("\n".join(pinned), "utf-8")


def _closure(requirements: Iterable[str]) -> Iterator[Distribution]:
    seen: set[tuple[str, str]] = set()
    packed: set[str] = set()
    waiting = [Requirement(text) for text in requirements]
    while waiting:
        wanted = waiting.pop()
        found = distribution(wanted.name)
        name = canonicalize_name(wanted.name)
        if name not in packed:
            packed.add(name)
            yield found
        for extra in ("", *wanted.extras):
            if (name, extra) not in seen:
                seen.add((name, extra))
                environment: Any = {**default_environment(), "extra": extra}
                waiting += [
                    needed
                    for needed in map(Requirement, found.requires or ())
                    if needed.marker is None or needed.marker.evaluate(environment)
                ]


def _pack(found: Distribution, folder: Path) -> None:
    name = _file_name(found.metadata["Name"])
    target = folder / f"{name}-{found.version}-{_tag(found)}.whl"
    if target.exists():
        return
    rows = []
    with zipfile.ZipFile(target, "w") as archive:
        for file in found.files or ():
            if ".." in file.parts or file.suffix == ".pyc" or file.name in _OF_THIS_INSTALLATION:
                continue
            archive.write(str(file.locate()), str(file))
            rows.append([str(file), f"{file.hash.mode}={file.hash.value}" if file.hash else "", ""])
        [record] = [str(file) for file in found.files or () if file.name == "RECORD"]
        written = io.StringIO()
        csv.writer(written).writerows([*rows, [record, "", ""]])
        archive.writestr(record, written.getvalue())


def _file_name(name: str) -> str:
    return canonicalize_name(name).replace("-", "_")


def _tag(found: Distribution) -> Tag:
    """Of the tags that a wheel was made for, one that this interpreter takes."""
    described = found.read_text("WHEEL") or ""
    made_for = {
        tag for line in re.findall(r"^Tag: (.+)$", described, re.M) for tag in parse_tag(line)
    }
    return next(tag for tag in sys_tags() if tag in made_for)
