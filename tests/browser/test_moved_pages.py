"""Old addresses in a browser: with scripts they keep the anchor, without them they lead on too."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from sandbox_process import SandboxServer
from voice_portal.moved_pages import MOVED


@pytest.mark.parametrize(("old", "new"), MOVED.items())
def test_old_address_keeps_its_anchor(page: Page, old: str, new: str) -> None:
    """A saved link to a section shows that section, and Back leaves the old address behind."""
    page.goto("/faq/")
    page.goto(f"/{old}#deliveries")
    expect(page).to_have_url(re.compile(rf"/{new}#deliveries$"))
    expect(page.locator("#deliveries")).to_be_in_viewport()
    page.go_back()
    expect(page).to_have_url(re.compile(r"/faq/$"))


@pytest.mark.parametrize(("old", "new"), MOVED.items())
def test_old_address_needs_no_script(
    browser: Browser, sandbox_server: SandboxServer, old: str, new: str
) -> None:
    """A reader without JavaScript arrives at the new page."""
    context = browser.new_context(java_script_enabled=False, base_url=sandbox_server.url)
    page = context.new_page()
    page.goto(f"/{old}")
    expect(page).to_have_url(re.compile(rf"/{new}$"))
    expect(page.get_by_role("heading", level=1)).to_contain_text("How results arrive")
    context.close()


def test_old_anchor_of_a_page_that_stayed_shows_the_new_place(page: Page) -> None:
    """A section that moved left a link where it was."""
    page.goto("/calls/#polling")
    expect(page.locator("#polling")).to_be_in_viewport()
    page.locator("#polling").click()
    expect(page).to_have_url(re.compile(r"/follow-a-call/#polling$"))
