"""The main path of the portal in Firefox and WebKit: a card, a call, the search, the inspector."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from other_browsers import BROWSERS, Window, missing
from sandbox_process import SandboxServer

CARD = "#try-createcall"


@pytest.fixture(params=BROWSERS)
def window(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Window]:
    """A window of each browser that this machine has."""
    if why_not := missing(request.param):
        pytest.skip(why_not)
    with BROWSERS[request.param](tmp_path) as window:
        yield window


def test_main_path(window: Window, sandbox_server: SandboxServer) -> None:
    """A reader opens a page, runs a card, sees the call end, searches, and finds the request."""
    window.open(f"{sandbox_server.url}/quickstart/")
    listen(window)
    window.click(f"{CARD} .card-run")
    response = f"document.querySelector('{CARD} .card-response')"
    window.wait(f"{response}.dataset.state === 'succeeded'")
    assert "201" in str(window.run(f"return {response}.textContent"))
    window.click(f'{CARD} label[for$="-view-call"]')
    window.wait(f"/completed/.test(document.querySelector('{CARD} .card-life').textContent)")
    assert no_side_scroll(window)

    window.click(f'{CARD} label[for$="-go"]')
    assert "net/http" in str(
        window.run("return document.querySelector('[data-language=go]').innerText")
    )

    window.run("document.querySelector('.md-search__input').focus()")
    window.type(".md-search__input", "idempotency")
    window.wait("document.querySelector('a.md-search-result__link')?.href.includes('/retries/')")
    assert complaints(window) == []

    window.open(f"{sandbox_server.url}/inspector/")
    listen(window)
    window.wait("document.querySelector('#inspector-requests')?.textContent.includes('/v1/calls')")
    window.click("#inspector-requests [data-seq]")
    title = "document.querySelector('.inspector-exchange-title')?.innerText"
    window.wait(f"/(POST|GET).+v1.calls/s.test({title})")
    assert no_side_scroll(window)
    assert complaints(window) == []


def listen(window: Window) -> None:
    """Notes what the page complains of from now on."""
    window.run(
        "window.complaints = [];"
        "addEventListener('error', (event) => complaints.push(String(event.message)));"
        "addEventListener('unhandledrejection', (event) => complaints.push(String(event.reason)));"
    )


def complaints(window: Window) -> list[str]:
    found: list[str] = window.run("return window.complaints")
    return found


def no_side_scroll(window: Window) -> bool:
    """Whether the page fits the window."""
    return bool(window.run("return document.documentElement.scrollWidth <= innerWidth"))
