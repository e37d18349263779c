"""A real Chromium that talks to the sandbox alone, and pages that fail a test by complaining."""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Route,
    WebError,
    sync_playwright,
)

from sandbox.contract import load_contract
from sandbox_process import SandboxServer

HERE = Path(__file__).parent
NewPage = Callable[..., Page]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the browser tests last: while Playwright is up, its event loop would stop async tests."""
    items.sort(key=lambda item: HERE in item.path.parents)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The Chromium of this machine. Playwright's own browsers are never downloaded."""
    program = shutil.which(os.environ.get("CHROMIUM") or "chromium")
    assert program, "Chromium is missing: run `make chromium`, or name one in $CHROMIUM."
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program,
            # Drawing by a GPU that is not there takes a fifth of the time.
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
            ],
        )
        yield browser
        browser.close()


@pytest.fixture
def expected_console_errors() -> list[str]:
    """Patterns of the console errors that a test provokes on purpose.

    Chromium logs every HTTP error answer, so a test that makes the server refuse appends
    `"status of 401"`. Any other console error still fails it.
    """
    return []


@pytest.fixture
def new_page(
    browser: Browser, sandbox_server: SandboxServer, expected_console_errors: list[str]
) -> Iterator[NewPage]:
    """Opens a page in a browser of its own: `new_page(color_scheme="dark", viewport={…})`.

    The test fails when one of its pages asks another host than the sandbox for anything, logs an
    error that the test did not expect, or lets an exception escape.
    """
    server = urlsplit(sandbox_server.url).netloc
    contexts: list[BrowserContext] = []
    foreign_requests: list[str] = []
    console_errors: list[str] = []
    page_errors: list[str] = []

    def is_foreign(url: str) -> bool:
        return urlsplit(url).netloc != server

    def refuse(route: Route) -> None:
        foreign_requests.append(route.request.url)
        route.abort()

    def note_console(message: ConsoleMessage) -> None:
        if message.type == "error":
            console_errors.append(f"{message.text} ({message.location['url']})")

    def note_page_error(error: WebError) -> None:
        page_errors.append(str(error.error))

    def open_page(**options: Any) -> Page:
        context = browser.new_context(
            **{"base_url": sandbox_server.url, "service_workers": "block", **options}
        )
        contexts.append(context)
        context.set_default_timeout(10_000)
        context.route(is_foreign, refuse)
        context.on("console", note_console)
        context.on("weberror", note_page_error)
        return context.new_page()

    yield open_page

    for context in contexts:
        context.close()
    unexpected = [
        error
        for error in console_errors
        if not any(re.search(pattern, error) for pattern in expected_console_errors)
    ]
    assert foreign_requests == [], "a page asked another host"
    assert unexpected == [], "a page logged errors"
    assert page_errors == [], "an exception escaped in a page"


@pytest.fixture
def page(new_page: NewPage) -> Page:
    """A fresh browser with one empty page, in Chromium's own size and colours."""
    return new_page()


@pytest.fixture(scope="session")
def live_url(contract_path: Path) -> str:
    """Base URL of the live service, which stands in the contract alone."""
    return load_contract(contract_path).servers[1].url
