"""What a program finds in its environment that runs beside a sandbox."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Final

VARIABLES: Final = {
    "VOICE_SANDBOX_URL": "url",
    "VOICE_API_URL": "url",
    "VOICE_API_KEY": "key",
}
"""Names that are always set, and what each holds."""
Chosen = Iterable[tuple[str, str]]
"""More names, and what each holds: ``url`` or ``key``."""

_LOOPBACK: Final = "127.0.0.1,localhost"


def environment_of(url: str, key: str, chosen: Chosen = ()) -> Mapping[str, str]:
    """The variables of this process and those of the sandbox."""
    values = {"url": url, "key": key}
    environment = dict(os.environ)
    for name, holds in (*VARIABLES.items(), *chosen):
        environment[name] = values[holds]
    # A proxy elsewhere cannot reach the loopback address of this machine.
    if any(name.lower().endswith("_proxy") for name in environment):
        for name in ("NO_PROXY", "no_proxy"):
            before = environment.get(name)
            environment[name] = f"{before},{_LOOPBACK}" if before else _LOOPBACK
    return environment
