"""Schemathesis at its strictest, over the contract of the service."""

import secrets
from pathlib import Path
from typing import Any

import pytest

from sandbox_process import SandboxServer
from schemathesis_runs import Gates, schemathesis


@pytest.fixture(scope="module")
def report(sandbox_server: SandboxServer, root: Path) -> Any:
    """Every phase and every check, in a namespace that nothing else has touched."""
    return schemathesis(
        root / "openapi.yaml",
        config=root / "schemathesis.toml",
        url=sandbox_server.url,
        key=f"sandbox_schemathesis_{secrets.token_hex(8)}",
        root=root,
        reports=root / "reports",
    )


class TestService(Gates):
    """The run reached all that it must."""
