"""A sandbox of the voice API: it behaves like the service and rings nobody.

`create_app` gives it as a Starlette application.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from voice_sandbox.installation import __version__ as __version__

if TYPE_CHECKING:
    from voice_sandbox.app import create_app as create_app


def __getattr__(name: str) -> Any:
    # The application imports the whole sandbox, and most who import this package need little of
    # it: a test run with the plugin loaded would start a tenth of a second later.
    if name == "create_app":
        from voice_sandbox.app import create_app

        return create_app
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
