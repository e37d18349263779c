"""How programs in languages are run whose tools not every machine has."""

import shutil
from pathlib import Path

import pytest

TOOLS = {
    "php": ("main.php", ["php", "main.php"]),
    "go": ("main.go", ["go", "run", "main.go"]),
    "java": ("Main.java", ["java", "Main.java"]),
}
"""File and command of each language. C# is not run."""


def written(language: str, program: str, *, folder: Path) -> list[str]:
    """Writes a program into a folder; returns the command that runs it there.

    A machine that lacks the tool skips the test.
    """
    file, command = TOOLS[language]
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    (folder / file).write_text(program, "utf-8")
    return command
