"""The built portal as static files, with its content security policy.

Owns paths, links and caching of files, and rejects every path that leads out of the folder.
Knows nothing of the contract; imports the clock, and from ``http`` what a host is.
``app`` imports it, and ``cli`` to learn where the installed portal lies.
"""

from pathlib import Path
from typing import Final

INSTALLED_PORTAL: Final = Path(__file__).parent.parent / "portal"
"""The portal of this installation. A checkout has none: it is built for each wheel."""
