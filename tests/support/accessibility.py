"""What axe finds on a page: https://github.com/dequelabs/axe-core."""

from pathlib import Path
from typing import Any, Final, Literal

import axe_playwright_python
from playwright.sync_api import Page, expect

AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js").read_text("utf-8")
RUN = "options => axe.run(document, options).then(({ violations }) => violations)"
# What a visitor's system prefers, and what Material calls the colors that follow from it.
SCHEMES: Final[dict[Literal["light", "dark"], str]] = {"light": "default", "dark": "slate"}
# In dark nothing but the colors is another: other rules would find the same a second time.
RULES: Final[dict[Literal["light", "dark"], dict[str, Any]]] = {
    "light": {"resultTypes": ["violations"]},
    "dark": {"resultTypes": ["violations"], "runOnly": ["color-contrast", "link-in-text-block"]},
}
# In the middle of a fade every contrast is wrong, so each one is taken to its end. To wait for
# `finished` would be to wait for ever where a page hides or pauses what moves.
NOTHING_MOVES = """() => {
  const moving = document.getAnimations()
    .filter((it) => it.effect.getComputedTiming().endTime !== Infinity)
    .filter((it) => it.playState !== "finished");
  moving.forEach((it) => it.finish());
  return moving.length === 0;
}"""


def violations(page: Page) -> list[str]:
    """Every violation on the page and in its frames, in light and in dark."""
    return [found for scheme in SCHEMES for found in _violations(page, scheme)]


def _violations(page: Page, scheme: Literal["light", "dark"]) -> list[str]:
    page.emulate_media(color_scheme=scheme)
    expect(page.locator("body")).to_have_attribute("data-md-color-scheme", SCHEMES[scheme])
    for frame in page.frames:
        frame.wait_for_function(NOTHING_MOVES, polling=20)
        if not frame.evaluate("'axe' in window"):
            frame.evaluate(AXE)
    return [
        f"{scheme}: {violation['id']}: {node['html'][:200]}"
        for violation in page.evaluate(RUN, RULES[scheme])
        for node in violation["nodes"]
    ]
