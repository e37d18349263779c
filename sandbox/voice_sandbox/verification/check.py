"""What a check is: a name, a sentence that holds of every good deployment, and what it needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from voice_sandbox.verification.api import Api


class Needs(Enum):
    """What a check asks of a deployment, the least first."""

    READ = "read"
    """Places no call, whatever the deployment does with its requests."""
    CALL = "call"
    """Places one call to a number that was named."""
    SANDBOX = "sandbox"
    """Creates calls at will and moves the virtual clock."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that no schema can say. ``run`` returns, or raises a `Finding`."""

    name: str
    sentence: str
    needs: Needs
    run: Callable[[Api], None]


def check(needs: Needs) -> Callable[[Callable[[Api], None]], Check]:
    """Makes a function a check: its name is the check's, its docstring the sentence."""

    def made(function: Callable[[Api], None]) -> Check:
        # Python's option -OO takes docstrings away.
        sentence = function.__doc__ or function.__name__.replace("_", " ")
        return Check(function.__name__, " ".join(sentence.split()), needs, function)

    return made
