"""The exit codes of every command, in one table.

Help texts and the page on the command line are made from it, so a code has one meaning everywhere.
"""

from __future__ import annotations

from typing import Final

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
    "1": "The sandbox rejected the request, a goal was missed, or the command could not do its "
    "work: a port is taken, a file cannot be written. `verify`: the deployment does not conform.",
    "2": "The command was used wrongly. `verify`: that cannot be told.",
    "3": "No sandbox responds at the address.",
    "126": "`exec`: the command was found and cannot be executed.",
    "127": "`exec`: the command was not found.",
    "130": "The command was interrupted by Ctrl+C.",
    "143": "The command was told to stop by SIGTERM. `serve` stops cleanly and exits with 0.",
}
"""Exit code → what it means. `exec` exits with the status of its command wherever it has one."""


def rows() -> list[tuple[str, str]]:
    """The table for a help text, without marks of code."""
    return [(code, meaning.replace("`", "")) for code, meaning in MEANINGS.items()]
