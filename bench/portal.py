"""What the portal costs and whether everybody can use it, page by page, in a real Chromium.

    .venv/bin/python bench/portal.py
    .venv/bin/python bench/portal.py --lighthouse 3

It builds the site, starts a sandbox of its own, and prints for each page what a first visit costs
(kB over the wire, requests, milliseconds, layout shift), how wide it is on a phone of 360 px, and
what axe finds in light and dark, frames included. With --lighthouse it also takes the four scores
of Lighthouse for mobile, the median of so many runs; that needs the npm package `lighthouse`,
whose program is looked for on PATH or in $LIGHTHOUSE. On a machine that is busy with other work
its first score is too low: it measures time.

It leaves with 1 when a page misses its mark: the constants below, and no axe violation.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final, NamedTuple

import axe_playwright_python
import click
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

ROOT: Final = Path(__file__).resolve().parent.parent
# What lies beside the tests can be imported only after this, hence the imports below it.
sys.path.insert(0, str(ROOT / "tests" / "support"))

from built_pages import PAGES, address  # noqa: E402  (it lies beside the tests)
from sandbox_process import start_sandbox  # noqa: E402

BUILD_SECONDS: Final = 5
QUICKSTART_KILOBYTES: Final = 350
PHONE_PIXELS: Final = 360
SHIFT: Final = 0.1
LIGHTHOUSE: Final = 95
LIGHTHOUSE_REFERENCE: Final = 85
CATEGORIES: Final = ("performance", "accessibility", "best-practices", "seo")

AXE: Final = Path(axe_playwright_python.__file__).with_name("axe.min.js")
SETTLED_MS: Final = 1500
"""The inspector keeps a stream open, so no page is waited for until its network is idle."""
SHIFTED: Final = """() => new Promise((done) => {
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


@click.command(help=__doc__)
@click.option("--lighthouse", type=int, default=0, metavar="RUNS", help="Score each page too.")
@click.option("--page", "names", multiple=True, type=click.Choice(PAGES), help="Only these pages.")
def main(lighthouse: int, names: tuple[str, ...]) -> None:
    chromium = _program("CHROMIUM", "chromium", "run `make chromium`")
    lighthouse_program = (
        _program("LIGHTHOUSE", "lighthouse", "install it by npm") if lighthouse else ""
    )
    programs = [lighthouse_program] * lighthouse
    missed: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        site = Path(folder) / "site"
        seconds = build(site)
        click.echo(f"build {seconds:.2f} s\n")
        if seconds > BUILD_SECONDS:
            missed.append(f"the build took more than {BUILD_SECONDS} s")
        with (
            start_sandbox(Path(folder), "--site", str(site)) as server,
            sync_playwright() as playwright,
        ):
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            head = f"{'page':18} {'kB':>7} {'requests':>9} {'loaded ms':>10} {'shift':>7}"
            click.echo(f"{head} {'360 px':>7} {'axe':>4} {'lighthouse':>16}")
            for name in names or PAGES:
                missed += measure(browser, name, server.url + address(name), chromium, programs)
            browser.close()
    if missed:
        sys.exit("\nMissed:\n  " + "\n  ".join(missed))


def build(site: Path) -> float:
    """Builds the site, and tells how long that took."""
    started = time.perf_counter()
    subprocess.run(  # noqa: S603  (our own program)
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", site],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "true"},
        check=True,
    )
    return time.perf_counter() - started


def measure(
    browser: Browser, name: str, url: str, chromium: str, lighthouse: list[str]
) -> list[str]:
    """Prints the line of one page. Returns the marks that it missed."""
    cost = visit(browser, url)
    width = phone_width(browser, url)
    found = [what for scheme in ("light", "dark") for what in violations(browser, url, scheme)]
    runs = [lighthouse_scores(program, chromium, url) for program in lighthouse]
    scores = [round(statistics.median(score)) for score in zip(*runs, strict=True)]
    click.echo(
        f"{name:18} {cost.kilobytes:7.1f} {cost.requests:9} {cost.loaded_ms:10.0f} "
        f"{cost.shift:7.3f} {width:7} {len(found):4} {' '.join(map(str, scores)) or '-':>16}"
    )
    least = LIGHTHOUSE_REFERENCE if name == "reference" else LIGHTHOUSE
    checks = {
        f"more than {QUICKSTART_KILOBYTES} kB": name == "quickstart"
        and cost.kilobytes > QUICKSTART_KILOBYTES,
        f"a layout shift over {SHIFT}": cost.shift > SHIFT,
        f"wider than {PHONE_PIXELS} px on a phone": width > PHONE_PIXELS,
        f"axe: {', '.join(found)}": bool(found),
        f"a score of Lighthouse under {least}": any(score < least for score in scores),
    }
    return [f"{name}: {what}" for what, is_missed in checks.items() if is_missed]


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
    shift = page.evaluate(SHIFTED)
    context.close()
    return Visit(sum(sizes) / 1000, len(sizes), loaded_ms, shift)


def phone_width(browser: Browser, url: str) -> int:
    """How wide the page is on a phone: more than its screen means that it scrolls sideways."""
    page = browser.new_page(viewport={"width": PHONE_PIXELS, "height": 740})
    page.goto(url, wait_until="load")
    width = int(page.evaluate("document.documentElement.scrollWidth"))
    page.close()
    return width


def violations(browser: Browser, url: str, scheme: str) -> list[str]:
    """What axe finds on the page and in its frames, such as ``color-contrast (dark)``."""
    context = browser.new_context(color_scheme="dark" if scheme == "dark" else "light")
    page = context.new_page()
    page.goto(url, wait_until="load")
    _wait_for_frames(page)
    found = Axe().run(page).response["violations"]
    context.close()
    return [f"{each['id']} ({scheme})" for each in found for _ in each["nodes"]]


def lighthouse_scores(program: str, chromium: str, url: str) -> list[int]:
    """The four scores for mobile, in the order of CATEGORIES.

    Chromium sometimes gives Lighthouse no trace, and it asks for another run: it gets two.
    """
    flags = "--headless=new --no-sandbox --disable-quic --disable-background-networking"
    for _ in range(3):
        ran = subprocess.run(  # noqa: S603  (a program that the caller named)
            [program, url, "--quiet", "--output=json", f"--chrome-flags={flags}"],
            env={**os.environ, "CHROME_PATH": chromium},
            check=False,
            capture_output=True,
            text=True,
        )
        if ran.returncode == 0:
            categories = json.loads(ran.stdout)["categories"]
            return [round(categories[name]["score"] * 100) for name in CATEGORIES]
    sys.exit(f"Lighthouse gave no scores of {url}:\n{ran.stderr}")


def _wait_for_frames(page: Page) -> None:
    page.wait_for_timeout(SETTLED_MS)
    for frame in page.frames[1:]:
        frame.evaluate(AXE.read_text("utf-8"))


def _program(variable: str, name: str, fix: str) -> str:
    found = shutil.which(os.environ.get(variable) or name)
    if found is None:
        sys.exit(f"{name} is missing: {fix}, or name one in ${variable}.")
    return found


if __name__ == "__main__":
    main()
