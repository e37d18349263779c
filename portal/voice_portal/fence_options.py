"""The options of a fence: read as YAML, and each name checked against those that exist.

Rejects what is not a mapping, a key that is given twice, and a name that nothing has; the message
says which name was probably meant.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from voice_sandbox.contract.pointers import YAMLError, read_yaml

_BODY: Final = Path("options")
"""What messages call the body of a fence; the page adds file and line."""


class FenceError(Exception):
    """A page asks for what does not exist; the message names the fix."""


def read_options(body: str) -> Mapping[str, Any]:
    """The options in the body of a fence. Raises: `FenceError`."""
    try:
        options = read_yaml(body.encode(), _BODY) or {}
    except YAMLError as error:
        raise FenceError(
            f"The fence is not YAML: {error} Write one option: value a line."
        ) from None
    if not isinstance(options, dict):
        raise FenceError("The fence is not a list of options. Write one option: value a line.")
    return options


def choose(name: str, known: Iterable[str], kind: str) -> str:
    """The name, if it is known. Raises: `FenceError` with the nearest one that is."""
    names = list(known)
    if name in names:
        return name
    nearest = difflib.get_close_matches(name, names, n=1)
    fix = (
        f"Did you mean {nearest[0]}?"
        if nearest
        else f"Choose one of: {', '.join(names)}."
        if names
        else "There are none to choose from: leave it out."
    )
    raise FenceError(f"There is no {kind} {name}. {fix}")
