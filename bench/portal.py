"""What a first visit to each page costs: bytes over the wire, requests, milliseconds, layout shift.

    .venv/bin/python bench/portal.py

It builds the site, starts a sandbox of its own and opens each page in a fresh Chromium.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import click
from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))

from built_pages import PAGES, address  # noqa: E402  (it lies beside the tests)
from sandbox_process import start_sandbox  # noqa: E402

SETTLED_MS = 1500
"""The inspector keeps a stream open, so no page is waited for until its network is idle."""
SHIFT = """() => new Promise((done) => {
  let shift = 0;
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) shift += entry.value;
  }).observe({ type: "layout-shift", buffered: true });
  setTimeout(() => done(shift), 300);
})"""


class Visit(NamedTuple):
    """The figures of one first visit, everything that the page loads included."""

    kilobytes: float
    requests: int
    loaded_ms: float
    shift: float


def main() -> None:
    program = shutil.which(os.environ.get("CHROMIUM") or "chromium")
    if program is None:
        sys.exit("Chromium is missing: run `make chromium`, or name one in $CHROMIUM.")
    with tempfile.TemporaryDirectory() as folder:
        site = Path(folder) / "site"
        started = time.perf_counter()
        subprocess.run(  # noqa: S603  (our own program)
            [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", site],
            cwd=ROOT,
            env={**os.environ, "NO_MKDOCS_2_WARNING": "true"},
            check=True,
        )
        click.echo(f"build {time.perf_counter() - started:.2f} s\n")
        with (
            start_sandbox(Path(folder), "--site", str(site)) as server,
            sync_playwright() as playwright,
        ):
            browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
            click.echo(f"{'page':18} {'kB':>7} {'requests':>9} {'loaded ms':>10} {'shift':>7}")
            for name in PAGES:
                kilobytes, requests, loaded_ms, shift = visit(browser, server.url + address(name))
                click.echo(
                    f"{name:18} {kilobytes:7.1f} {requests:9} {loaded_ms:10.0f} {shift:7.3f}"
                )
            browser.close()


def visit(browser: Browser, url: str) -> Visit:
    """Opens a page as somebody who was never here."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    network = context.new_cdp_session(page)
    network.send("Network.enable")
    sizes: list[float] = []
    network.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    page.goto(url, wait_until="load")
    page.wait_for_timeout(SETTLED_MS)
    loaded_ms = page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")
    shift = page.evaluate(SHIFT)
    context.close()
    return Visit(sum(sizes) / 1000, len(sizes), loaded_ms, shift)


if __name__ == "__main__":
    main()
