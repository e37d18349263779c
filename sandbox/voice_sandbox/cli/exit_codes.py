"""The exit codes of every command, in one table.

Help texts and the page on the command line are made from it, so a code has one meaning everywhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from voice_sandbox.testing.command_start import CannotStart

DONE: Final = 0
FAILED: Final = 1
USAGE: Final = 2
UNREACHABLE: Final = 3
NOT_EXECUTABLE: Final = 126
NOT_FOUND: Final = 127
SIGNAL: Final = 128
"""Added to the number of the signal, as shells do."""
INTERRUPTED: Final = SIGNAL + 2
"""By Ctrl+C, which is signal 2 on every system."""

MEANINGS: Final = {
    "0": "Done. `verify`: the deployment conforms to the contract.",
    "1": "The sandbox rejected the request, the coverage is too low, or the command failed: "
    "a port is taken, a file cannot be written. `verify`: the deployment does not conform.",
    "2": "An option or argument is wrong. `verify`: the result is inconclusive.",
    "3": "No sandbox responds at the address.",
    "126": "`exec` and `rehearse`: the command cannot be executed.",
    "127": "`exec` and `rehearse`: the command was not found.",
    "130": "The command was interrupted by Ctrl+C.",
    "143": "The command received SIGTERM. `serve` stops cleanly and exits with 0.",
}
"""Exit code → what it means. `exec` exits with the status of its command wherever it has one."""


def of_start(error: CannotStart) -> int:
    """The one that shells use for a command that could not be started."""
    return NOT_EXECUTABLE if error.was_found else NOT_FOUND


def rows() -> list[tuple[str, str]]:
    """The table for a help text, without marks of code."""
    return [(code, meaning.replace("`", "")) for code, meaning in MEANINGS.items()]
