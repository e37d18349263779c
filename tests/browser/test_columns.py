"""Text and card stand side by side where the window is wide enough, and a card fits the window."""

from collections.abc import Callable

import pytest
from playwright.sync_api import FloatRect, Locator, Page, expect

from built_pages import DOCS, OPERATIONS, PAGES, address
from read_once import contracts

NewPage = Callable[..., Page]

WITH_CARDS = [
    name
    for name in PAGES
    if any(line == "```try-api" for line in (DOCS / f"{name}.md").read_text("utf-8").splitlines())
]
WITH_CARDS += [OPERATIONS[name] for name in contracts()[0].operations]
FIRST_LINES = 60
"""Pixels of a response in which its status stands."""


def box(locator: Locator) -> FloatRect:
    """Where an element is drawn in the window."""
    found = locator.bounding_box()
    assert found is not None
    return found


def test_there_are_pages_with_cards() -> None:
    """The pages below are found by the fence of a card."""
    assert {"index", "quickstart", "calls", "agents", "how-results-arrive"} <= set(WITH_CARDS)


@pytest.mark.parametrize("size", [(1366, 768), (1440, 900)], ids=lambda size: f"{size[0]}")
@pytest.mark.parametrize("name", WITH_CARDS)
def test_button_and_response_are_visible_at_once(
    new_page: NewPage, name: str, size: tuple[int, int]
) -> None:
    """On a laptop, pressing the button shows its result beside the text, without scrolling."""
    page = new_page(viewport={"width": size[0], "height": size[1]})
    page.goto(address(name))
    cards = page.locator(".columns > try-api")
    assert cards.count() > 0
    for number in range(cards.count()):
        card = cards.nth(number)
        card.evaluate("card => card.parentElement.scrollIntoView({ block: 'start' })")
        button = box(card.locator(".card-run"))
        response = box(card.locator(".card-response"))
        text = box(card.locator("xpath=../div[contains(@class, 'columns-text')]").first)
        whole = box(card)
        assert button["y"] >= 0
        assert button["y"] + button["height"] <= size[1]
        assert response["y"] + FIRST_LINES <= size[1]
        assert whole["y"] + whole["height"] <= size[1] + 1
        assert text["x"] + text["width"] <= whole["x"]


@pytest.mark.parametrize(
    "name",
    ["index", "quickstart", "calls", "agents", *(OPERATIONS[n] for n in contracts()[0].operations)],
)
def test_first_card_is_visible_when_the_page_opens(new_page: NewPage, name: str) -> None:
    """Nobody has to look for the first card: it stands beside the title."""
    page = new_page(viewport={"width": 1366, "height": 768})
    page.goto(address(name))
    button = box(page.locator(".columns .card-run").first)
    response = box(page.locator(".columns .card-response").first)
    assert button["y"] + button["height"] <= 768
    assert response["y"] + FIRST_LINES <= 768


def test_menu_of_contents_leads_to_a_heading(new_page: NewPage) -> None:
    """The headings of a page are a menu at its title, and a plain list without a script."""
    page = new_page(viewport={"width": 1366, "height": 768})
    page.goto(address("follow-a-call"))
    page.locator(".page-contents > summary").click()
    page.locator('.page-contents a[href$="#polling"]').click()
    assert page.url.endswith("#polling")
    expect(page.locator("#polling")).to_be_in_viewport()


@pytest.mark.parametrize("name", ["quickstart", "faq"])
@pytest.mark.parametrize("width", [960, 1219])
def test_navigation_stays_beside_the_text(new_page: NewPage, name: str, width: int) -> None:
    """On a tablet the pages stay in sight, and the headings of this one are a menu."""
    page = new_page(viewport={"width": width, "height": 800})
    page.goto(address(name))
    pages, text = box(page.locator(".md-sidebar--primary")), box(page.locator(".md-content"))
    assert pages["x"] == 0
    assert text["x"] >= pages["width"]
    expect(page.locator('.md-header label[for="__drawer"]')).to_be_hidden()
    expect(page.locator(".md-sidebar--secondary")).to_be_hidden()
    page.locator(".page-contents > summary").click()
    page.locator(".page-contents a").last.click()
    expect(page.locator("#where-to-go-next")).to_be_in_viewport()


@pytest.mark.parametrize("name", ["faq", "inspector", "errors", "quickstart", "reference/schemas"])
@pytest.mark.parametrize("width", [1024, 1366])
def test_text_stands_where_it_is_painted_first(new_page: NewPage, name: str, width: int) -> None:
    """What comes after the text in the document has its room before it is there."""
    page = new_page(viewport={"width": width, "height": 800})
    page.goto(address("glossary"))  # of the first visit the fonts are kept, and come no more later
    page.add_init_script(
        """window.shifts = [];
        new PerformanceObserver((list) => window.shifts.push(...list.getEntries()
          .map((entry) => entry.value))).observe({ type: "layout-shift", buffered: true });"""
    )
    page.goto(address(name))
    expect(page.locator(".header-key")).to_be_visible()
    assert sum(page.evaluate("window.shifts")) < 0.01


def test_narrow_window_has_one_column(new_page: NewPage) -> None:
    """On a phone the card follows its text, and the menu is in the drawer."""
    page = new_page(viewport={"width": 360, "height": 740})
    page.goto(address("quickstart"))
    text = box(page.locator(".columns-text").first)
    card = box(page.locator(".columns > try-api").first)
    assert card["y"] >= text["y"] + text["height"] - 1
    expect(page.locator(".page-contents")).to_be_hidden()


def test_response_is_brought_into_view_on_a_phone(new_page: NewPage) -> None:
    """Below a button at the bottom of the window the response is not left out of sight."""
    page = new_page(viewport={"width": 360, "height": 740})
    page.goto(address("quickstart"))
    card = page.locator("try-api").first
    card.locator(".card-run").evaluate("button => button.scrollIntoView({ block: 'end' })")
    card.locator(".card-run").click()
    expect(card).to_have_attribute("data-state", "succeeded")
    response = box(card.locator(".card-response"))
    assert response["y"] + 80 <= 740


def test_button_and_chosen_tab_are_seen_in_forced_colors(new_page: NewPage) -> None:
    """Where the system chooses all colors, a border shows what a background did."""
    page = new_page(viewport={"width": 1366, "height": 768}, forced_colors="active")
    page.goto(address("quickstart"))
    card = page.locator("try-api").first
    border = "element => getComputedStyle(element).borderBottomWidth"
    assert card.locator(".card-run").evaluate(border) == "1px"
    chosen, other = card.locator(".card-tabs label").all()[:2]
    color = "element => getComputedStyle(element).borderBottomColor"
    assert chosen.evaluate(border) == "3px"
    assert chosen.evaluate(color) != other.evaluate(color)
