"""The strict policy in a real browser: every page does all it does, and nothing was forbidden."""

import re
from collections.abc import Callable

import httpx2
import pytest
from playwright.sync_api import Page, expect

from built_pages import OPERATIONS, PAGES, address
from cards import open_part
from sandbox_process import SandboxServer
from swagger import try_out

# One page of each template that the build adds.
GENERATED = [OPERATIONS["createCall"], OPERATIONS["armFault"], "reference/schemas"]
ADDRESSES = [*map(address, [*PAGES, *GENERATED]), "/no-such-page/"]
WATCH = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => {
  window.violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
});
"""


def open_watched(new_page: Callable[..., Page], path: str) -> Page:
    """The page with everything that its policy forbids noted, from its first byte on.

    A forbidden thing is an error in the console as well, so every other browser test fails by it.
    """
    page = new_page()
    page.add_init_script(WATCH)
    page.goto(path)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    return page


def violations(page: Page) -> list[str]:
    """What was forbidden in any frame of the page."""
    return [found for frame in page.frames for found in frame.evaluate("window.violations ?? []")]


def scrolled(page: Page) -> None:
    """Reads the page to its end: code blocks are set up when they come into view."""
    page.evaluate(
        """async () => {
          for (let y = 0; y < document.body.scrollHeight; y += innerHeight) {
            scrollTo(0, y);
            // A browser that has nothing new to draw may leave out a frame for good.
            await new Promise((next) => {
              requestAnimationFrame(next);
              setTimeout(next, 100);
            });
          }
        }"""
    )


@pytest.mark.parametrize("path", ADDRESSES)
def test_page_asks_for_nothing_forbidden(
    new_page: Callable[..., Page], expected_console_errors: list[str], path: str
) -> None:
    """Each page runs to its end without one violation."""
    expected_console_errors.append("status of 404")
    page = open_watched(new_page, path)
    if path == "/swagger-ui/":
        expect(page.frame_locator("iframe").locator(".opblock").first).to_be_visible()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        scrolled(page)
        page.wait_for_load_state("load")
        assert violations(page) == []


def test_whole_visit_asks_for_nothing_forbidden(new_page: Callable[..., Page]) -> None:
    """Pages by instant navigation, colors, search, a card and the reference: all is allowed."""
    page = open_watched(new_page, "/")
    page.get_by_placeholder("Search").press_sequentially("idempotency")
    expect(page.locator(".md-search-result__item").first).to_be_visible()
    page.keyboard.press("Escape")
    for name in ("Place a call", "Errors", "Inspector", "Explore in Swagger UI", "Quickstart"):
        page.locator(".md-nav--primary").get_by_role("link", name=name, exact=True).first.click()
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        scrolled(page)
    page.get_by_title("Switch to light mode").click()
    page.get_by_title("Switch to dark mode").click()
    card = page.locator("try-api").first
    card.locator(".card-run").click()
    open_part(card, "call")
    card.get_by_role("button", name="Skip to the end").click()
    expect(card.locator(".life-end")).to_be_visible()
    assert violations(page) == []


def test_reference_runs_under_the_policy(new_page: Callable[..., Page]) -> None:
    """Swagger UI evaluates no text: its operations open, and Try it out gets a response."""
    page = open_watched(new_page, "/swagger-ui/")
    expect(try_out(page, "Calls-createCall")).to_contain_text("201")
    assert violations(page) == []


def test_what_is_not_of_the_site_does_not_run(
    page: Page, expected_console_errors: list[str]
) -> None:
    """A script, a handler and a request that the pages do not hold are stopped."""
    expected_console_errors.append("Content Security Policy")
    page.add_init_script(WATCH)
    page.goto("/")
    outcome = page.evaluate(
        """async () => {
          const script = document.createElement("script");
          script.textContent = "window.ran = 'script'";
          document.body.append(script);
          const button = document.createElement("button");
          button.setAttribute("onclick", "window.ran = 'handler'");
          document.body.append(button);
          button.click();
          // Not eval itself: what a debugger runs may use it under any policy.
          setTimeout("window.ran = 'text'");
          let asked = true;
          try { await fetch("http://192.0.2.1/"); } catch { asked = false; }
          await new Promise((resolve) => setTimeout(resolve, 50));
          return { ran: window.ran ?? null, asked };
        }"""
    )
    assert outcome == {"ran": None, "asked": False}
    kinds = {found.split()[0] for found in violations(page)}
    assert kinds == {"script-src-elem", "script-src-attr", "script-src", "connect-src"}


def test_policy_has_no_way_around(sandbox_server: SandboxServer) -> None:
    """Neither inline code at large nor evaluated text nor another host is allowed anywhere."""
    policy = httpx2.get(f"{sandbox_server.url}/").headers["content-security-policy"]
    for loophole in ("'unsafe-", "http:", "https:", "*", "blob:"):
        assert loophole not in policy
    directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert directives["default-src"] == directives["base-uri"] == directives["object-src"]
    assert directives["default-src"] == "'none'"
    assert directives["frame-ancestors"] == "'self'"
    assert re.fullmatch(r"'self'( 'sha256-[\w+/=]+')+", directives["script-src"])
