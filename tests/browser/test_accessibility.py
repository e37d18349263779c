"""Every page is usable by everyone: no rule of axe is broken, and no phone scrolls sideways."""

import pytest
from playwright.sync_api import Page, ViewportSize, expect

from accessibility import violations
from built_pages import ALL_PAGES, address
from cards import open_part
from read_once import contracts

PHONE: ViewportSize = {"width": 360, "height": 740}
ADDRESSES = [address(name) for name in ALL_PAGES]


@pytest.mark.parametrize("path", [*ADDRESSES, "/no-such-page/"])
def test_page_is_usable_by_everyone(
    page: Page, expected_console_errors: list[str], path: str
) -> None:
    """No page violates a rule of axe, the theme's own parts included, and each fits a phone.

    At 360 px only code and tables scroll sideways, inside their own frame.
    """
    expected_console_errors.append("status of 404")
    page.goto(path)
    if path == "/swagger-ui/":
        expect(page.frame_locator("iframe").locator(".opblock").first).to_be_visible()
    assert violations(page) == []
    page.set_viewport_size(PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]


def test_axe_finds_nothing_in_swagger_ui(page: Page) -> None:
    """Every operation of the reference is as usable opened as closed, and after it ran."""
    page.goto("/swagger-ui/")
    frame = page.frame_locator("iframe")
    expect(frame.locator(".opblock")).to_have_count(len(contracts()[0].operations))
    for control in frame.locator(".opblock-summary-control").all():
        control.click()
    expect(frame.get_by_role("button", name="Try it out")).to_have_count(
        len(contracts()[0].operations)
    )
    agents = frame.locator("#operations-Agents-listAgents")
    agents.get_by_role("button", name="Try it out").click()
    agents.get_by_role("button", name="Execute").click()
    expect(agents.locator(".live-responses-table .response-col_status").last).to_contain_text("200")
    assert violations(page) == []


def test_axe_finds_nothing_in_a_card_that_ran(
    page: Page, expected_console_errors: list[str]
) -> None:
    """A card that succeeded and one that was rejected are as usable as before."""
    expected_console_errors.append("status of 422")
    page.goto("/quickstart/")
    cards = page.locator("try-api")
    cards.first.locator(".card-run").click()
    open_part(cards.first, "call")
    cards.first.get_by_role("button", name="Skip to the end").click()
    expect(cards.first.locator(".life-end")).to_be_visible()
    rejected = cards.nth(3)
    rejected.get_by_text("Edit the body").click()
    rejected.locator("textarea").fill("{}")
    rejected.locator(".card-run").click()
    expect(rejected.locator(".card-problem")).to_be_visible()
    assert violations(page) == []
