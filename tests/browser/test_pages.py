"""What the pages around the cards do: search, copying, menus, print and wrong addresses."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from cards import open_part
from sandbox_process import SandboxServer
from voice_portal.fields import fields_of
from voice_sandbox.contract.problems import PROBLEMS
from voice_sandbox.contract.reader import find_contract, load_contract

PHONE = {"width": 360, "height": 740}


def test_unknown_address_offers_the_pages(page: Page, expected_console_errors: list[str]) -> None:
    """A wrong address below any folder shows the site's own page with a way out."""
    expected_console_errors.append("status of 404")
    page.goto("/no/such/page/")
    expect(page.get_by_role("heading", level=1)).to_have_text("There is no such page")
    page.locator("article").get_by_role("link", name="Quickstart").click()
    expect(page).to_have_url(re.compile(r"/quickstart/$"))


def test_api_base_says_whether_it_is_up(page: Page, sandbox_server: SandboxServer) -> None:
    """The button on the Overview leads to address, status and versions; JSON is one click away."""
    page.goto("/")
    page.get_by_role("link", name="Open API base").click()
    expect(page.locator(".api-base-status")).to_contain_text("Up")
    expect(page.locator(".api-base pre").first).to_have_text(sandbox_server.url)
    said = page.request.get("/sandbox").json()
    expect(page.locator(".api-base-version")).to_have_text(said["version"])
    expect(page.locator(".api-base-contract")).to_have_text(said["contract"]["version"])
    page.get_by_role("link", name="/sandbox", exact=True).click()
    expect(page.locator("body")).to_contain_text('"sandbox"')
    # What is no page names no icon, so a browser asks for this one.
    assert page.request.get("/favicon.ico").ok


@pytest.mark.parametrize(
    ("path", "response", "words"),
    [
        ("/sandbox", {"abort": "connectionrefused"}, "The sandbox is not running"),
        ("/sandbox", {"json": {"live": True}}, "This address is not a sandbox"),
        ("/sandbox", {"status": 502, "body": "<html>"}, "This address is not a sandbox"),
        ("/readyz", {"status": 503, "json": {"detail": "The disk is full."}}, "The disk is full."),
        ("/readyz", {"status": 502, "body": "<html>"}, "It responds, but is not ready."),
    ],
)
def test_api_base_says_what_is_wrong(
    page: Page,
    expected_console_errors: list[str],
    path: str,
    response: dict[str, Any],
    words: str,
) -> None:
    """A server that is away, is another service, or cannot write, is named as that."""
    expected_console_errors += ["ERR_CONNECTION_REFUSED", "status of 50"]
    aborts = "abort" in response
    page.route(
        f"**{path}",
        lambda route: route.abort(response["abort"]) if aborts else route.fulfill(**response),
    )
    page.goto("/api-base/")
    expect(page.locator(".api-base-status")).to_contain_text(words)


def test_search_finds_problem_codes_and_fields(page: Page) -> None:
    """Search works from the site alone and finds an error code on the Errors page."""
    page.goto("/")
    page.get_by_placeholder("Search").press_sequentially("impossible_outcome")
    expect(page.locator(".md-search-result__item").first).to_contain_text("Impossible outcome")


def searched(page: Page, words: str) -> list[str]:
    """Where the first results of a search lead."""
    links = page.locator("a.md-search-result__link")
    page.get_by_placeholder("Search").fill("")
    expect(links).to_have_count(0)
    # In one piece, so that no result is that of the first letters alone. Material waits for a key.
    page.get_by_placeholder("Search").fill(words)
    page.get_by_placeholder("Search").press("End")
    expect(page.locator(".md-search-result__meta")).to_have_text(re.compile(r"^\d+ matching"))
    expect(links.first).to_be_attached()
    found: list[str] = links.evaluate_all("links => links.map((link) => link.href)")
    return found


def test_search_finds_every_operation_field_and_code(page: Page) -> None:
    """Each operation, field and problem code is found on a page of its own words."""
    contract = load_contract(find_contract())
    fields = {
        field.name.rpartition(".")[2]
        for schema in ("NewCall", "Call", "Completion", "AgentList", "ValidationProblem")
        for field in fields_of(contract, contract.schema(schema))
    }
    page.goto("/")
    for word in [*contract.operations, *sorted(fields), *PROBLEMS]:
        assert searched(page, word), word


def test_search_knows_other_forms_of_a_word(page: Page) -> None:
    """English and Russian words are found in another form than the one on the page."""
    page.goto("/")
    assert "/follow-a-call/" in searched(page, "polls")[0]
    assert "/how-results-arrive/" in searched(page, "вебхуки")[0]
    assert "/sandbox-guide/" in searched(page, "+1 202 555 0111")[0]


def test_page_copies_itself_as_markdown(new_page: Callable[..., Page]) -> None:
    """Copy page puts the page on the clipboard as Markdown, answers included."""
    page = new_page(permissions=["clipboard-read", "clipboard-write"])
    page.goto("/quickstart/")
    page.get_by_role("button", name="Copy page").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("# Quickstart")
    assert "curl -X POST" in copied


@pytest.mark.parametrize(
    ("source", "is_read"),
    [
        ("https://docs.example.com/calls/index.md", True),
        ("http://docs.example.com/calls/index.md", False),
        ("http://127.0.0.1:8010/calls/index.md", False),
        ("https://192.168.0.7/calls/index.md", False),
        ("https://intranet/calls/index.md", False),
        ("https://docs.internal/calls/index.md", False),
    ],
)
def test_agents_are_asked_only_about_pages_that_they_can_read(
    page: Page, source: str, is_read: bool
) -> None:
    """Open in … stands in the menu of a public portal, and not where no agent could read it."""
    page.goto("/calls/")
    question = page.evaluate(
        """source => import('/assets/javascripts/portal.js').then(({ modules }) =>
          modules['assets/javascripts/copy-page.js'].questionAbout(source))""",
        source,
    )
    assert question == (f"Read {source} and answer my questions about it." if is_read else "")


def test_menu_of_a_page_leads_to_its_markdown(page: Page) -> None:
    """The menu beside Copy page opens by keyboard, and leads to the page as Markdown."""
    page.goto("/calls/")
    menu = page.locator(".page-menu")
    menu.get_by_text("More").focus()
    page.keyboard.press("Enter")
    # Of an agent nothing: none could read an address of this machine.
    expect(menu.get_by_role("link")).to_have_text(["View as Markdown"])
    menu.get_by_role("link").click()
    expect(page).to_have_url(re.compile(r"/calls/index\.md$"))


def test_drawer_of_a_phone_shows_all_pages_at_once(new_page: Callable[..., Page]) -> None:
    """On a phone the menu lists every section with its pages, not one behind another."""
    page = new_page(viewport=PHONE)
    page.goto("/quickstart/")
    page.locator('.md-header label[for="__drawer"]').click()
    menu = page.locator(".md-nav--primary")
    for section in ("Get started", "Guides", "Testing", "Reference"):
        expect(menu.get_by_text(section, exact=True).locator("visible=true")).to_have_count(1)
    menu.get_by_role("link", name="Inspector").click()
    expect(page).to_have_url(re.compile(r"/inspector/$"))


def test_paper_has_text_and_nothing_to_press(page: Page) -> None:
    """In print, cards show request and answer; buttons, navigation and search are left out."""
    page.goto("/quickstart/")
    page.emulate_media(media="print")
    expect(page.locator(".card-run").first).to_be_hidden()
    expect(page.locator(".md-header")).to_be_hidden()
    expect(page.locator(".card-json").first).to_be_visible()


def opened_palette(page: Page, words: str = "") -> Locator:
    """The actions that the search offers for what was typed."""
    page.keyboard.press("Control+k")
    search = page.locator(".md-search__input")
    expect(search).to_be_focused()
    search.fill(words)
    search.press("End")  # Material looks when a key is let go
    return page.get_by_role("list", name="Actions").locator(".palette-action")


def test_keys_open_the_palette_everywhere(page: Page) -> None:
    """Ctrl or ⌘ with K, and /, open the search, which says so and offers what can be done."""
    page.goto("/calls/")
    expect(page.locator(".md-search__input")).to_have_attribute("placeholder", "Search (Ctrl K)")
    for keys in ("Control+k", "Meta+k", "/"):
        page.keyboard.press(keys)
        expect(page.locator(".md-search__input")).to_be_focused()
        actions = page.get_by_role("list", name="Actions")
        expect(actions.get_by_text("Copy the base URL")).to_be_visible()
        page.keyboard.press("Escape")
        expect(actions).to_be_hidden()


def test_palette_runs_actions_by_keyboard(new_page: Callable[..., Page]) -> None:
    """Enter does what was typed by name; arrows reach the others, and what was done is said."""
    page = new_page(permissions=["clipboard-read", "clipboard-write"])
    page.goto("/quickstart/")
    origin = page.url.removesuffix("/quickstart/")
    action = opened_palette(page, "copy base")
    expect(action).to_have_count(1)
    expect(action).to_have_text("Copy the base URL")
    page.keyboard.press("Enter")
    expect(action.get_by_role("status")).to_have_text(f"Copied: {origin}/v1")
    assert page.evaluate("navigator.clipboard.readText()") == f"{origin}/v1"
    before = page.locator("button.card-key code").first.inner_text()
    action = opened_palette(page, "new key")
    expect(action).to_have_count(1)
    page.keyboard.press("ArrowDown")
    expect(action).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("button.card-key code").first).not_to_have_text(before)
    expect(opened_palette(page, "show python")).to_have_count(1)
    page.keyboard.press("Enter")
    expect(page.locator(".palette-actions")).to_be_hidden()
    expect(page.locator('try-api [data-language="python"]').first).to_be_visible()
    expect(opened_palette(page, "choose a sandbox key")).to_have_count(1)
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="Your sandbox key")).to_be_visible()


@pytest.mark.parametrize("words", ["busy", "+12025550111", "place call bus", "declines"])
def test_palette_leads_to_the_card_with_an_outcome(page: Page, words: str) -> None:
    """A scenario is found by its name, its number and its words, and the card plays it."""
    page.goto("/errors/")
    action = opened_palette(page, words).first
    expect(action).to_contain_text("Place a call: ")
    name = action.inner_text().removeprefix("Place a call: ").strip()
    assert name == ("rejected" if words == "declines" else "busy")
    action.click()
    expect(page).to_have_url(re.compile(rf"/quickstart/\?outcome={name}#try-createcall$"))
    card = page.locator("#try-createcall")
    card.get_by_role("button", name="Try API").click()
    open_part(card, "call")
    card.get_by_role("button", name="Skip to the end").click()
    expect(card.locator(".life-end")).to_contain_text("busy")


def test_palette_offers_nothing_for_words_that_name_no_action(page: Page) -> None:
    """Pages are found as before, and Enter opens the best of them."""
    page.goto("/calls/")
    expect(opened_palette(page, "busy").first).to_have_text("Place a call: busy")
    expect(page.locator(".md-search-result__item").first).to_be_visible()
    page.keyboard.press("Enter")
    expect(page).not_to_have_url(re.compile("outcome=busy|/calls/$"))
    expect(page.locator(".md-content h1")).not_to_have_text("Calls")
    expect(opened_palette(page, "impossible_outcome")).to_have_count(0)
    expect(page.locator(".md-search-result__item").first).to_contain_text("Impossible outcome")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/errors/.*#impossible_outcome$"))


def test_header_has_the_key_on_every_page(
    new_page: Callable[..., Page], expected_console_errors: list[str]
) -> None:
    """The pill names the key, opens its dialog, and says whether the sandbox responds."""
    page = new_page(viewport={"width": 1366, "height": 768})
    page.goto("/authentication/")
    pill = page.locator(".md-header").get_by_role("button", name="Key …")
    key = str(pill.get_attribute("title")).partition(".")[0]
    expect(pill).to_have_accessible_name(
        f"Key …{key[-4:]} No request was sent yet. Choose another key."
    )
    pill.click()
    dialog = page.get_by_role("dialog", name="Your sandbox key")
    expect(dialog.get_by_label("Key in use")).to_have_value(key)
    dialog.get_by_role("button", name="Shared demo key").click()
    dialog.get_by_role("button", name="Use this key").click()
    pill = page.locator(".header-key")
    expect(pill.locator("code")).to_have_text("sandbox_demo")
    page.locator(".md-nav--primary").get_by_role("link", name="Agents", exact=True).click()
    card = page.locator("try-api").first
    card.get_by_role("button", name="Try API").click()
    expect(pill).to_have_attribute("data-sandbox", "up")
    expected_console_errors.append("ERR_FAILED|ERR_INTERNET_DISCONNECTED")
    page.route("**/v1/agents", lambda route: route.abort())
    page.route("**/sandbox", lambda route: route.abort())
    card.get_by_role("button", name="Try API").click()
    expect(pill).to_have_accessible_name(re.compile("The sandbox does not respond"))


def test_header_leads_to_the_sections(new_page: Callable[..., Page]) -> None:
    """Guides, Testing, Reference and Changelog are one press away, on every page."""
    page = new_page(viewport={"width": 1024, "height": 768})
    page.goto("/reference/create-call/")
    for name, title in (
        ("Guides", "Place a call"),
        ("Testing", "Sandbox and scenarios"),
        ("Reference", "API reference"),
        ("Changelog", "Changelog"),
    ):
        page.locator(".header-sections").get_by_role("link", name=name, exact=True).click()
        expect(page.get_by_role("heading", level=1)).to_contain_text(title)


def test_name_of_the_product_stays_in_the_header(new_page: Callable[..., Page]) -> None:
    """A page that is scrolled does not put its own title there."""
    page = new_page(viewport=PHONE)
    page.goto("/errors/")
    page.mouse.wheel(0, 900)
    expect(page.locator(".md-header__title--active")).to_be_visible()
    expect(page.locator(".md-header__title")).to_have_text(re.compile("Voice API Docs"))
    expect(page.locator('.md-header__topic[data-md-component="header-topic"]')).to_be_hidden()


def test_header_of_a_phone_has_no_room_for_the_key(new_page: Callable[..., Page]) -> None:
    """On a phone the title keeps its place; cards and the palette change the key there."""
    page = new_page(viewport=PHONE)
    page.goto("/quickstart/")
    expect(page.locator(".header-key")).to_be_hidden()
    expect(page.locator("button.card-key").first).to_be_visible()
