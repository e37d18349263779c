"""What a fault is: a name, a sentence, and the check that should catch it."""

from collections.abc import Callable
from dataclasses import dataclass

from fault_injection import FaultInjector


@dataclass(frozen=True)
class Fault:
    """One deliberate fault; `sentence` says what such a deployment does."""

    name: str
    category: str
    sentence: str
    caught_by: str
    alter: Callable[[FaultInjector], None]
    crashes: bool
    """Whether it shows itself as a 500. Any other fault that does is a bug of its own."""


def fault(
    category: str, caught_by: str, *, crashes: bool = False
) -> Callable[[Callable[[FaultInjector], None]], Fault]:
    """Makes a function a fault: its name is the fault's, its docstring the sentence."""

    def made(alter: Callable[[FaultInjector], None]) -> Fault:
        assert alter.__doc__, alter.__name__
        sentence = " ".join(alter.__doc__.split())
        return Fault(alter.__name__, category, sentence, caught_by, alter, crashes)

    return made
