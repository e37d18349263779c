"""What the browser tests do with a card."""

from typing import Any, Literal
from urllib.parse import urljoin

from playwright.sync_api import Locator, Page, expect


def open_part(card: Locator, part: Literal["response", "call", "headers"]) -> None:
    """Opens a part of the response by its tab."""
    card.locator(f'label[for$="-view-{part}"]').click()
    expect(card.locator(f'[data-view="{part}"]')).to_be_visible()


def key_in_use(page: Page) -> str:
    """The key that the first card names."""
    return str(page.locator("button.card-key").first.get_attribute("title"))


def move_clock(page: Page, **changes: Any) -> None:
    """Moves the clock of the key in use: on a busy machine the wall does not wait for a page."""
    moved = page.request.post(
        urljoin(page.url, "/sandbox/clock"),
        headers={"authorization": f"Bearer {key_in_use(page)}"},
        data=changes,
    )
    assert moved.ok, moved.text()
