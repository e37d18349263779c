"""The journal's HTTP Archive, read by a program that others wrote."""

import json
from pathlib import Path

import httpx2
from playwright.sync_api import Browser

from sandbox_process import SandboxServer


def test_chromium_replays_the_archive(
    browser: Browser,
    client: httpx2.Client,
    sandbox_server: SandboxServer,
    tmp_path: Path,
) -> None:
    """A browser that has only the archive answers as the sandbox did."""
    answered = client.get("/v1/agents").json()
    archive = tmp_path / "journal.har"
    archive.write_text(client.get("/sandbox/journal/har").text, encoding="utf-8")
    context = browser.new_context()
    context.route_from_har(archive, not_found="abort")
    page = context.new_page()
    page.goto(f"{sandbox_server.url}/v1/agents")
    assert json.loads(page.inner_text("body")) == answered
    context.close()
