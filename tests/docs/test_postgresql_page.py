"""The page PostgreSQL: its statements and its command bring up a sandbox on a real server."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx2
import pytest

import postgres_server
from built_pages import blocks

PASSWORD = "choose-a-long-one"
LINE = re.compile(r"http://127\.0\.0\.1:\d+")


@pytest.mark.skipif(postgres_server.programs() is None, reason=postgres_server.HOW_TO_GET_IT)
def test_page_brings_up_a_sandbox(articles: Mapping[str, Any], tmp_path: Path) -> None:
    """User and database are created, and the sandbox makes its tables and is ready."""
    [statements] = blocks(articles["postgresql"], "sql")
    [command] = blocks(articles["postgresql"], "sh")
    assert PASSWORD in statements
    with postgres_server.postgres_server() as server:
        for statement in filter(str.strip, statements.split(";")):
            server.execute(statement)
        words = command.replace(":5432/", f":{server.port}/").split()
        assert words[0] == "voice-sandbox"
        process = subprocess.Popen(
            [sys.executable, "-u", "-m", "voice_sandbox", *words[1:], "--port", "0"],
            env={**os.environ, "PGPASSWORD": PASSWORD},
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            assert process.stdout is not None
            url = next(found[0] for line in process.stdout if (found := LINE.search(line)))
            assert httpx2.get(f"{url}/readyz").status_code == 200
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=30)
