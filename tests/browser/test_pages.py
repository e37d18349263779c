"""Every page in a real browser: legible on a phone, usable by everyone, in both color schemes."""

import re

import pytest
from playwright.sync_api import Page, expect

from accessibility import violations
from built_pages import PAGES, address
from portal.fields import fields_of
from sandbox.contract import find_contract, load_contract
from sandbox.problems import PROBLEMS

PHONE = {"width": 360, "height": 740}
ADDRESSES = [address(name) for name in PAGES]


@pytest.mark.parametrize("path", ADDRESSES)
def test_phone_never_scrolls_sideways(new_page, path):
    """At 360 px each page fits; only code and tables scroll, inside their own frame."""
    page = new_page(viewport=PHONE)
    page.goto(path)
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]


@pytest.mark.parametrize("path", [*ADDRESSES, "/no-such-page/"])
def test_axe_finds_nothing(page, expected_console_errors, path):
    """No page violates a rule of axe, the theme's own parts included."""
    expected_console_errors.append("status of 404")
    page.goto(path)
    if path == "/reference/":
        expect(page.frame_locator("iframe").locator(".opblock").first).to_be_visible()
    assert violations(page) == []


def test_axe_finds_nothing_in_swagger_ui(page):
    """Every operation of the reference is as usable opened as closed, and after it ran."""
    page.goto("/reference/")
    frame = page.frame_locator("iframe")
    expect(frame.locator(".opblock")).to_have_count(4)
    for control in frame.locator(".opblock-summary-control").all():
        control.click()
    expect(frame.get_by_role("button", name="Try it out")).to_have_count(4)
    agents = frame.locator("#operations-Agents-listAgents")
    agents.get_by_role("button", name="Try it out").click()
    agents.get_by_role("button", name="Execute").click()
    expect(agents.locator(".live-responses-table .response-col_status").last).to_contain_text("200")
    assert violations(page) == []


def test_axe_finds_nothing_in_a_card_that_ran(page, expected_console_errors):
    """A card that answered and one that was refused are as usable as before."""
    expected_console_errors.append("status of 422")
    page.goto("/quickstart/")
    cards = page.locator("try-api")
    cards.first.locator(".card-run").click()
    cards.first.get_by_role("button", name="Skip to the end").click()
    expect(cards.first.locator(".life-end")).to_be_visible()
    refused = cards.nth(3)
    refused.get_by_text("Edit the body").click()
    refused.locator("textarea").fill("{}")
    refused.locator(".card-run").click()
    expect(refused.locator(".card-problem")).to_be_visible()
    assert violations(page) == []


def test_unknown_address_offers_the_pages(page, expected_console_errors):
    """A wrong address below any folder shows the site's own page with a way out."""
    expected_console_errors.append("status of 404")
    page.goto("/no/such/page/")
    expect(page.get_by_role("heading", level=1)).to_have_text("There is no such page")
    page.locator("article").get_by_role("link", name="Quickstart").click()
    expect(page).to_have_url(re.compile(r"/quickstart/$"))


def test_open_api_base_answers_what_it_is(page):
    """The button on the Overview leads to the sandbox, which says that it is one."""
    page.goto("/")
    page.get_by_role("link", name="Open API base").click()
    expect(page.locator("body")).to_contain_text('"sandbox"')


def test_reference_works_by_instant_navigation(new_page):
    """Swagger UI shows its operations in the page's colors, also when no page was reloaded."""
    page = new_page(color_scheme="dark")
    page.goto("/quickstart/")
    page.locator(".md-nav--primary").get_by_role("link", name="API reference").click()
    frame = page.frame_locator("iframe[title]")
    expect(frame.locator(".opblock")).to_have_count(4)
    expect(frame.locator("html")).to_have_class(re.compile("dark-mode"))
    assert page.locator("iframe").bounding_box()["height"] > 500


def test_reference_sends_to_the_sandbox(page):
    """Try it out on the reference has the key of the portal, and gets a real answer."""
    page.goto("/reference/")
    frame = page.frame_locator("iframe[title]")
    frame.locator("#operations-Agents-listAgents").click()
    frame.get_by_role("button", name="Try it out").click()
    frame.get_by_role("button", name="Execute").click()
    expect(frame.locator(".live-responses-table .response-col_status").last).to_contain_text("200")


def test_search_finds_problem_codes_and_fields(page):
    """Search works from the site alone and finds an error code on the Errors page."""
    page.goto("/")
    page.get_by_placeholder("Search").press_sequentially("impossible_outcome")
    expect(page.locator(".md-search-result__item").first).to_contain_text("Impossible outcome")


def searched(page: Page, words: str) -> list[str]:
    """Where the first results of a search lead; none where nothing was found in time."""
    links = page.locator("a.md-search-result__link")
    page.get_by_placeholder("Search").fill("")
    expect(links).to_have_count(0)
    page.get_by_placeholder("Search").press_sequentially(words)
    expect(page.locator(".md-search-result__meta")).to_contain_text("matching")
    expect(links.first).to_be_attached()
    found: list[str] = links.evaluate_all("links => links.map((link) => link.href)")
    return found


def test_search_finds_every_operation_field_and_code(page):
    """Each operation, field and problem code is found on a page of its own words."""
    contract = load_contract(find_contract())
    fields = {
        field.name.rpartition(".")[2]
        for schema in ("NewCall", "Call", "Completion", "AgentList", "ValidationProblem")
        for field in fields_of(contract, contract.schema(schema))
    }
    page.goto("/")
    missing = [
        word
        for word in [*contract.operations, *sorted(fields), *PROBLEMS]
        if not searched(page, word)
    ]
    assert missing == []


def test_page_copies_itself_as_markdown(new_page):
    """Copy page puts the page on the clipboard as Markdown, answers included."""
    page = new_page(permissions=["clipboard-read", "clipboard-write"])
    page.goto("/quickstart/")
    page.get_by_role("button", name="Copy page").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("# Quickstart")
    assert "curl -X POST" in copied


def test_address_of_an_operation_opens_it_in_the_reference(page):
    """A link such as /reference/#getCall opens that operation."""
    page.goto("/reference/#getCall")
    frame = page.frame_locator("iframe[title]")
    expect(frame.locator("#operations-Calls-getCall")).to_have_class(re.compile("is-open"))


def test_card_leads_to_its_operation_in_the_reference(page):
    """From a card one press opens the operation in Swagger UI, by instant navigation too."""
    page.goto("/agents/")
    page.locator("try-api").first.get_by_role("link", name="Reference").click()
    expect(page).to_have_url(re.compile(r"/reference/#listAgents$"))
    frame = page.frame_locator("iframe[title]")
    expect(frame.locator("#operations-Agents-listAgents")).to_have_class(re.compile("is-open"))


def test_reference_takes_no_key_but_that_of_the_portal(page):
    """Swagger UI's own form for keys is not offered: the portal's refuses live ones."""
    page.goto("/reference/")
    frame = page.frame_locator("iframe[title]")
    expect(frame.locator(".opblock")).to_have_count(4)
    expect(frame.get_by_role("button", name=re.compile("authoriz", re.IGNORECASE))).to_have_count(0)
    page.get_by_role("button", name="Key in use sandbox_demo").click()
    dialog = page.get_by_role("dialog", name="Your sandbox key")
    dialog.get_by_label("Key in use").fill("sandbox_chosen_here")
    dialog.get_by_role("button", name="Use this key").click()
    expect(page.get_by_role("button", name="Key in use sandbox_chosen_here")).to_be_focused()
    frame.locator("#operations-Agents-listAgents").click()
    frame.get_by_role("button", name="Try it out").click()
    with page.expect_request("**/v1/agents") as sent:
        frame.get_by_role("button", name="Execute").click()
    assert sent.value.headers["authorization"] == "Bearer sandbox_chosen_here"


def test_reference_creates_a_new_call_each_time(page):
    """Nobody's `Idempotency-Key` is filled in, so a second request is no replay of the first."""
    page.goto("/reference/#createCall")
    frame = page.frame_locator("iframe[title]")
    frame.get_by_role("button", name="Try it out").click()
    with page.expect_request("**/v1/calls") as sent:
        frame.get_by_role("button", name="Execute").click()
    assert "idempotency-key" not in sent.value.headers


def test_reference_without_javascript_leads_to_the_static_pages(new_page):
    """Without JavaScript every operation is one link away, and no empty frame is shown."""
    page = new_page(java_script_enabled=False)
    page.goto("/reference/#getCall")
    expect(page.locator("iframe")).to_be_hidden()
    expect(page.locator(".operations li")).to_have_count(4)
    expect(page.locator("#getCall")).to_be_in_viewport()
    page.locator("#getCall").get_by_role("link").click()
    expect(page.get_by_role("heading", name="Get the status")).to_be_attached()


def test_drawer_of_a_phone_shows_all_pages_at_once(new_page):
    """On a phone the menu lists every section with its pages, not one behind another."""
    page = new_page(viewport=PHONE)
    page.goto("/quickstart/")
    page.locator('.md-header label[for="__drawer"]').click()
    menu = page.locator(".md-nav--primary")
    for section in ("Start here", "Guides", "Testing", "Reference"):
        expect(menu.get_by_text(section, exact=True).locator("visible=true")).to_have_count(1)
    menu.get_by_role("link", name="Inspector").click()
    expect(page).to_have_url(re.compile(r"/inspector/$"))


def test_paper_has_text_and_nothing_to_press(page):
    """In print, cards show request and answer; buttons, navigation and search are left out."""
    page.goto("/quickstart/")
    page.emulate_media(media="print")
    expect(page.locator(".card-run").first).to_be_hidden()
    expect(page.locator(".md-header")).to_be_hidden()
    expect(page.locator(".card-json").first).to_be_visible()
