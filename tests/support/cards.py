"""What the browser tests do with a card."""

from typing import Literal

from playwright.sync_api import Locator, expect


def open_part(card: Locator, part: Literal["response", "call", "headers"]) -> None:
    """Opens a part of the response by its tab."""
    card.locator(f'label[for$="-view-{part}"]').click()
    expect(card.locator(f'[data-view="{part}"]')).to_be_visible()
