"""A failure that Schemathesis found is sent again by `st replay`, as the page says."""

import os
import subprocess
import sys
from pathlib import Path

from fault_injection import faulty_sandbox
from fault_matrix import strict_configuration
from faults import FAULTS
from sandbox_process import SandboxServer

KEY = "sandbox_replayed_failure"
# Its value is masked where the failure is kept.
IDEMPOTENCY_KEY = ("-H", "Idempotency-Key: replayed")


def schemathesis(folder: Path, url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            str(Path(sys.executable).with_name("schemathesis")),
            "--no-color",
            f"--config-file={strict_configuration(KEY)}",
            *arguments,
            f"--url={url}",
        ],
        cwd=folder,
        env={**os.environ, "VOICE_API_KEY": KEY},
        capture_output=True,
        text=True,
    )


def test_failure_is_replayed_until_it_is_fixed(
    sandbox_server: SandboxServer, root: Path, tmp_path: Path
) -> None:
    """A kept failure fails again where the fault is, and is gone where it is fixed."""
    with faulty_sandbox(FAULTS["unknown_fields_are_ignored"].alter) as url:
        ran = schemathesis(tmp_path, url, "run", str(root / "openapi.yaml"), "--max-failures=1")
        assert ran.returncode == 1, ran.stdout + ran.stderr
        again = schemathesis(tmp_path, url, "replay", *IDEMPOTENCY_KEY)
        assert again.returncode == 1, again.stdout + again.stderr
        assert "FAILED POST /v1/calls" in again.stdout
    fixed = schemathesis(tmp_path, sandbox_server.url, "replay", *IDEMPOTENCY_KEY)
    assert fixed.returncode == 0, fixed.stdout + fixed.stderr
    none = schemathesis(tmp_path, sandbox_server.url, "replay", *IDEMPOTENCY_KEY)
    assert "FAILED" not in none.stdout
