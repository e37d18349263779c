"""The portal below a path, as a proxy serves it that knows of nothing else on that host."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from cards import open_part
from sandbox_process import start_sandbox
from swagger import try_out

MOUNT = "/voice"


@pytest.fixture(scope="module")
def mounted(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a sandbox below a path."""
    folder = tmp_path_factory.mktemp("mounted")
    with start_sandbox(folder, "--root-path", MOUNT, "--site", str(site)) as server:
        yield server.url


@pytest.fixture
def page(browser: Browser, mounted: Any) -> Any:
    """A page that asks for nothing outside the path; the test fails where it does."""
    context = browser.new_context(base_url=mounted, service_workers="block")
    strayed: list[str] = []

    def watch(route: Route) -> None:
        path = urlsplit(route.request.url).path
        if path.startswith(f"{MOUNT}/"):
            route.continue_()
        else:
            strayed.append(path)
            route.abort()

    context.route("**/*", watch)
    yield context.new_page()
    context.close()
    assert strayed == []


def test_cards_run_below_a_path(page: Page) -> None:
    """A card sends its request to the sandbox that served it, and its call ends."""
    page.goto(f"{MOUNT}/quickstart/")
    card = page.locator("try-api").first
    card.locator(".card-run").click()
    open_part(card, "call")
    card.get_by_role("button", name="Skip to the end").click()
    expect(card.locator(".life-end")).to_be_visible()


def test_reference_runs_below_a_path(page: Page) -> None:
    """Try it out in Swagger UI stays below the path."""
    page.goto(f"{MOUNT}/swagger-ui/")
    expect(try_out(page, "Agents-listAgents")).to_contain_text("200")


def test_inspector_and_navigation_stay_below_a_path(page: Page) -> None:
    """From page to page, to the inspector with its live stream, nothing leaves the path."""
    page.goto(f"{MOUNT}/")
    page.get_by_placeholder("Search").press_sequentially("idempotency")
    expect(page.locator(".md-search-result__item").first).to_be_visible()
    page.keyboard.press("Escape")
    for name in ("Place a call", "Errors", "Inspector"):
        page.locator(".md-nav--primary").get_by_role("link", name=name, exact=True).first.click()
        expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.locator("sandbox-inspector")).to_be_visible()
