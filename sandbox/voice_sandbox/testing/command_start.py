"""How somebody's command is found and started, and what is said where it cannot be."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager


class CannotStart(Exception):
    """The command could not be started. ``was_found`` says whether it is there at all."""

    def __init__(self, message: str, *, was_found: bool) -> None:
        super().__init__(message)
        self.was_found = was_found


@contextmanager
def starting(name: str, environment: Mapping[str, str]) -> Iterator[str]:
    """The program of a command, to be started within the block. Raises: `CannotStart`."""
    try:
        # Windows looks for programs by name and `.exe` alone; npm is a `.cmd`.
        program = shutil.which(name, path=environment.get("PATH")) or name
        if not program:
            raise FileNotFoundError
        yield program
    except FileNotFoundError as error:
        raise CannotStart(
            f"The command {name} was not found. Check its name and PATH.", was_found=False
        ) from error
    except (OSError, ValueError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or str(error)
        raise CannotStart(
            f"The command {name} cannot be executed: {reason}.", was_found=True
        ) from error
