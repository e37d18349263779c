#!/usr/bin/env python3
"""Installs a lock into the environment that runs it, and shows how far pip has come.

Alone, pip either says nothing for a minute or writes three lines for each package.
"""

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

_EVERY: Final = 10
"""Off a terminal, one line for so many packages."""

_PACKAGE: Final = re.compile(r"(?:Collecting|Requirement already satisfied:|Ignoring) (\S+)")


def main() -> None:
    lock = Path(sys.argv[1])
    total = len(re.findall(r"^[a-z0-9._-]+==", lock.read_text("utf-8"), re.MULTILINE))
    command = [sys.executable, "-m", "pip", "install", "--require-hashes"]
    options = ["--disable-pip-version-check", "--progress-bar", "off", "--requirement", str(lock)]
    said: list[str] = []
    done = 0
    with subprocess.Popen(
        [*command, *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as pip:
        assert pip.stdout is not None
        for line in pip.stdout:
            said.append(line)
            if match := re.match(
                r"(?:Collecting|Requirement already satisfied:|Ignoring) (\S+)", line
            ):
                done = min(done + 1, total)
                _show(done, total, re.split(r"[=<>!;:\[]", match[1])[0])
            elif line.startswith("Installing collected packages"):
                _show(total, total, "unpacking")
    if sys.stdout.isatty():
        sys.stdout.write("\r\033[K")
    if pip.returncode != 0:
        sys.stderr.writelines(said[-30:])
        sys.exit(pip.returncode)


def _show(done: int, total: int, what: str) -> None:
    if sys.stdout.isatty():
        sys.stdout.write(f"\r\033[K  {done} of {total} packages: {what}")
    elif done % _EVERY == 0 or what == "unpacking":
        sys.stdout.write(f"  {done} of {total} packages: {what}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
