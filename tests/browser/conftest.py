"""A real Chromium that talks to the sandbox alone, and pages that fail a test by complaining."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit
from warnings import WarningMessage

import pytest
from _pytest.runner import runtestprotocol
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    WebError,
    expect,
    sync_playwright,
)

from chromium import Chromium, watched
from sandbox_process import SandboxServer
from voice_sandbox.contract.reader import load_contract

HERE = Path(__file__).parent
PATIENCE_MS = 30_000
"""How long a busy machine may take for what comes in a moment."""
NewPage = Callable[..., Page]
ColorScheme = Literal["light", "dark"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the browser tests last: while Playwright is up, its event loop would stop async tests."""
    items.sort(key=lambda item: HERE in item.path.parents)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool:
    """Runs a test once more where the browser hung, which says nothing about the test."""
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for _ in range(2):
        with watched() as watch:
            reports = runtestprotocol(item, log=False, nextitem=nextitem)
        if not watch.has_hung or watch.was_busy:
            break
        # It is in the summary of the run, so that nobody overlooks how often it happens.
        said = UserWarning("The browser hung, and the test was run again in another one.")
        item.ihook.pytest_warning_recorded.call_historic(
            kwargs={
                "warning_message": WarningMessage(said, UserWarning, str(item.path), 0),
                "when": "runtest",
                "nodeid": item.nodeid,
                "location": None,
            }
        )
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chromium]:
    """The Chromium of this process. It starts again if it hung."""
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        found = Chromium(playwright)
        yield found
        found.close()


@pytest.fixture
def browser(chromium: Chromium) -> Browser:
    """A Chromium that asks this machine alone."""
    return chromium.browser()


@pytest.fixture(scope="session")
def sandbox_server(portal_server: SandboxServer) -> SandboxServer:
    """The sandbox that serves the portal: pages and API have one origin."""
    return portal_server


@pytest.fixture
def shared_context(chromium: Chromium, sandbox_server: SandboxServer) -> BrowserContext:
    """What the pages of most tests have in common."""
    return chromium.shared_context(sandbox_server, new_context)


def new_context(browser: Browser, server: SandboxServer, **options: Any) -> BrowserContext:
    """Cookies, storage and cache that nobody has used."""
    context = browser.new_context(base_url=server.url, service_workers="block", **options)
    context.set_default_timeout(PATIENCE_MS)
    return context


def forget(context: BrowserContext) -> None:
    """Empties all that outlives a page, but for what the server lets a browser keep."""
    context.clear_cookies()
    context.set_offline(False)
    context.pages[0].evaluate("localStorage.clear()")


@pytest.fixture
def expected_console_errors() -> list[str]:
    """Patterns of the console errors that a test causes on purpose.

    Chromium logs every HTTP error response, so a test that makes the server reject appends
    `"status of 401"`. Any other console error still fails it.
    """
    return []


@dataclass
class Complaints:
    """What the pages of a test did that no page may do."""

    server: str
    foreign_requests: list[str] = field(default_factory=list)
    console_errors: list[str] = field(default_factory=list)
    page_errors: list[str] = field(default_factory=list)

    def note_request(self, request: Request) -> None:
        if urlsplit(request.url).netloc not in ("", self.server):
            self.foreign_requests.append(request.url)

    def note_console(self, message: ConsoleMessage) -> None:
        if message.type == "error" or "Invalid query" in message.text:
            self.console_errors.append(f"{message.text} ({message.location['url']})")

    def note_page_error(self, error: WebError) -> None:
        self.page_errors.append(str(error.error))

    def listen(self, context: BrowserContext) -> None:
        context.on("request", self.note_request)
        context.on("console", self.note_console)
        context.on("weberror", self.note_page_error)

    def stop_listening(self, context: BrowserContext) -> None:
        context.remove_listener("request", self.note_request)
        context.remove_listener("console", self.note_console)
        context.remove_listener("weberror", self.note_page_error)

    def assert_none(self, expected_console_errors: list[str]) -> None:
        unexpected = [
            error
            for error in self.console_errors
            if not any(re.search(pattern, error) for pattern in expected_console_errors)
        ]
        assert self.foreign_requests == [], "a page asked another host"
        assert unexpected == [], "a page logged errors"
        assert self.page_errors == [], "an exception escaped in a page"


@pytest.fixture
def new_page(
    browser: Browser,
    shared_context: BrowserContext,
    sandbox_server: SandboxServer,
    expected_console_errors: list[str],
) -> Iterator[NewPage]:
    """Opens an empty page that no test has used: `new_page(color_scheme="dark", viewport={…})`.

    What else is asked for, such as permissions, gives it a browser context of its own.

    The test fails when one of its pages asks another host than the sandbox for anything, logs an
    error that the test did not expect, or lets an exception escape.
    """
    complaints = Complaints(urlsplit(sandbox_server.url).netloc)
    contexts: list[BrowserContext] = []
    pages: list[Page] = []

    def open_page(
        *, viewport: Any = None, color_scheme: ColorScheme | None = None, **options: Any
    ) -> Page:
        context = shared_context
        if options:
            context = new_context(browser, sandbox_server, **options)
            contexts.append(context)
            complaints.listen(context)
        page = context.new_page()
        pages.append(page)
        if viewport is not None:
            page.set_viewport_size(viewport)
        if color_scheme is not None:
            page.emulate_media(color_scheme=color_scheme)
        return page

    complaints.listen(shared_context)
    yield open_page

    for page in pages:
        page.close()
    for context in contexts:
        context.close()
    forget(shared_context)
    complaints.stop_listening(shared_context)
    complaints.assert_none(expected_console_errors)


@pytest.fixture
def page(new_page: NewPage) -> Page:
    """An empty page in Chromium's own size and colours."""
    return new_page()


@pytest.fixture(scope="session")
def live_url(contract_path: Path) -> str:
    """Base URL of the live service, which stands in the contract alone."""
    return load_contract(contract_path).servers[1].url
