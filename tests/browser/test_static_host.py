"""The pages on a host of their own, and the sandbox on another origin."""

import functools
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from cards import open_part
from sandbox_process import SandboxServer, start_sandbox
from voice_portal.sources import load_sources

SITE_URL = "https://docs.example.test/voice/"


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Says nothing of the requests it answers."""


@pytest.fixture
def static_host(tmp_path: Path) -> Iterator[str]:
    """A plain file server; its pages lie in the folder docs/ below it."""
    folder = tmp_path / "host"
    folder.mkdir()
    server = ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=os.fspath(folder))
    )
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def build(root: Path, folder: Path, sandbox: str) -> None:
    """Builds the pages for a sandbox at that origin."""
    subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", folder],
        cwd=root,
        env={**os.environ, "VOICE_SANDBOX_ORIGIN": sandbox, "SITE_URL": SITE_URL},
        check=True,
        capture_output=True,
    )


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A fresh browser that may ask both origins."""
    context = browser.new_context()
    context.set_default_timeout(10_000)
    yield context.new_page()
    context.close()


def test_cards_of_a_static_host_call_the_sandbox_that_lets_them(
    root: Path, tmp_path: Path, static_host: Any, page: Page
) -> None:
    """With the page's origin allowed, cards, reference and links reach the sandbox."""
    with start_sandbox(tmp_path, "--cors-origin", static_host) as sandbox:
        build(root, tmp_path / "host" / "docs", sandbox.url)
        page.goto(f"{static_host}/docs/quickstart/")
        card = page.locator("try-api").first
        card.get_by_role("button", name="Try API").click()
        expect(card.locator(".card-status")).to_contain_text("201 Created")
        expect(card.locator(".card-fit")).to_have_text("Fits the contract")
        open_part(card, "call")
        card.get_by_role("button", name="Skip to the end").click()
        expect(card.locator(".life-end")).to_contain_text("completed")
        expect(card.locator(".card-panel").first).to_contain_text(f"{sandbox.url}/v1/calls")
        page.goto(f"{static_host}/docs/")
        page.get_by_role("link", name="Open API base").click()
        expect(page.locator(".api-base-status")).to_contain_text("Up")
        expect(page.locator(".api-base pre").first).to_have_text(sandbox.url)
        page.goto(f"{static_host}/docs/swagger-ui/#listAgents")
        frame = page.frame_locator("iframe[title]")
        frame.get_by_role("button", name="Try it out").click()
        frame.get_by_role("button", name="Execute").click()
        answered = frame.locator(".live-responses-table .response-col_status")
        expect(answered.last).to_contain_text("200")


def test_texts_of_a_published_site_link_to_it(root: Path, tmp_path: Path) -> None:
    """With its address known, llms.txt and the pages as Markdown lead there, below any path."""
    build(root, tmp_path, "http://127.0.0.1:9")
    index = (tmp_path / "llms.txt").read_text("utf-8")
    assert f"- [Quickstart]({SITE_URL}quickstart/index.md): " in index
    assert "](/" not in index
    overview = (tmp_path / "index.md").read_text("utf-8")
    assert f"({SITE_URL}quickstart/index.md)" in overview
    base = (tmp_path / "api-base" / "index.md").read_text("utf-8")
    assert "(http://127.0.0.1:9/sandbox)" in base


@pytest.mark.parametrize(
    "name",
    "llms-full.txt quickstart/index.md openapi.yaml openapi.json postman.json".split(),
)
def test_texts_of_a_static_host_name_its_sandbox(root: Path, tmp_path: Path, name: str) -> None:
    """No program that reads the texts is sent to a sandbox on its own machine."""
    build(root, tmp_path, "https://voice.example.com")
    text = (tmp_path / name).read_text("utf-8")
    assert "https://voice.example.com" in text
    assert load_sources().sandbox_url not in text


def test_sandbox_that_does_not_let_a_page_call_it_is_told_apart(
    root: Path, tmp_path: Path, static_host: Any, page: Page, sandbox_server: SandboxServer
) -> None:
    """Where the sandbox allows no other origin, the card names the option that allows this one."""
    build(root, tmp_path / "host" / "docs", sandbox_server.url)
    page.goto(f"{static_host}/docs/quickstart/")
    card = page.locator("try-api").first
    card.get_by_role("button", name="Try API").click()
    expect(card.locator(".problem-title")).to_have_text("The browser blocked the request")
    port = sandbox_server.url.rpartition(":")[2]
    expect(card.locator(".card-command code")).to_have_text(
        f"voice-sandbox serve --port {port} --cors-origin {static_host}"
    )
    expect(card.locator(".card-label")).to_have_text("Recorded response")
