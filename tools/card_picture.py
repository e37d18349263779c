"""Takes the picture of a Try API card in README.md: `.venv/bin/python tools/card_picture.py`.

It builds nothing: run `make site` first, and have a Chromium on PATH or in $CHROMIUM.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))

from sandbox_process import start_sandbox  # noqa: E402  (it lies beside the tests)

PICTURE = ROOT / "docs" / "assets" / "images" / "card.png"
CARD_WIDTH = 640
"""The card's width in CSS pixels; the picture has two pixels for each."""
WRITTEN_ORIGIN = "http://127.0.0.1:8010"


def main() -> None:
    program = shutil.which(os.environ.get("CHROMIUM") or "chromium")
    if program is None:
        sys.exit("Chromium is missing: run `make chromium`, or name one in $CHROMIUM.")
    with (
        tempfile.TemporaryDirectory() as folder,
        start_sandbox(Path(folder), "--site", str(ROOT / "site")) as server,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = browser.new_page(
            viewport={"width": 900, "height": 1400}, device_scale_factor=2, color_scheme="light"
        )
        page.goto(f"{server.url}/quickstart/")
        card = page.locator("try-api").first
        card.get_by_role("button", name="Try API").click()
        card.locator(".life-response").wait_for(timeout=20_000)
        # The free port of this run is nobody's business: show the one that readers will see.
        page.evaluate(
            """([card, width, here, written]) => {
              const texts = document.createTreeWalker(card, NodeFilter.SHOW_TEXT);
              while (texts.nextNode()) {
                texts.currentNode.data = texts.currentNode.data.replaceAll(here, written);
              }
              card.style.width = `${width}px`;
              card.style.margin = "0";
              card.style.boxShadow = "none";
              document.querySelector(".md-header").style.display = "none";
              document.activeElement.blur();
            }""",
            [card.element_handle(), CARD_WIDTH, server.url, WRITTEN_ORIGIN],
        )
        card.screenshot(path=PICTURE, animations="disabled", omit_background=True)
        browser.close()
    sys.stdout.write(f"{PICTURE.relative_to(ROOT)}: {PICTURE.stat().st_size // 1024} kB\n")


if __name__ == "__main__":
    main()
