"""The tasks with Prism, which answers with the contract's examples. PRISM_URL names a running one.

A program that sends no `Prefer` header gets the first example of each success, always. So only the
end that this example shows can be met.
"""

from __future__ import annotations

import os

import program
import pytest

PHONE = "+996700000001"
URL = os.environ.get("PRISM_URL", "http://127.0.0.1:4010")


@pytest.fixture(autouse=True)
def access(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOICE_API_URL", URL)
    monkeypatch.setenv("VOICE_API_KEY", "sandbox_tasks")
    monkeypatch.setenv("VOICE_AGENT", "anybody")


def test_without_sleeping() -> None:
    assert program.call_and_wait(PHONE)["status"] == "completed"
