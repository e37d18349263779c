"""The reference: a page for each operation, and Swagger UI with the whole contract."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from built_pages import OPERATIONS, address
from read_once import contracts
from swagger import try_out

NewPage = Callable[..., Page]
LAPTOP = {"width": 1366, "height": 768}


@pytest.mark.parametrize("name", list(contracts()[0].operations))
def test_card_of_an_operation_runs_beside_its_fields(new_page: NewPage, name: str) -> None:
    """One press on the page of an operation gets a response that fits the contract."""
    page = new_page(viewport=LAPTOP)
    page.goto(address(OPERATIONS[name]))
    card = page.locator(".columns > try-api")
    card.locator(".card-run").click()
    expect(card).to_have_attribute("data-state", "succeeded")
    expect(card.locator(".card-fit")).to_have_text("Fits the contract")
    # It is still there at the end of the page.
    page.get_by_role("heading", name="Where to go next").scroll_into_view_if_needed()
    expect(card.locator(".card-run")).to_be_in_viewport()


@pytest.mark.parametrize("javascript", [True, False], ids=["script", "no-script"])
def test_tab_shows_the_response_of_a_status(new_page: NewPage, javascript: bool) -> None:
    """Statuses are tabs that the keyboard reaches and that need no script."""
    page = new_page(viewport=LAPTOP, java_script_enabled=javascript)
    page.goto(address(OPERATIONS["createCall"]))
    tabs = page.get_by_role("group", name="Responses by status")
    expect(page.locator("#status-201")).to_be_visible()
    expect(page.locator("#status-422")).to_be_hidden()
    tabs.get_by_role("radio", name="201").press("ArrowRight")
    expect(page.locator("#status-400")).to_be_visible()
    tabs.locator("label", has_text="422").click()
    expect(page.locator("#status-422")).to_be_visible()
    expect(page.locator("#status-201")).to_be_hidden()
    page.locator("#status-422").get_by_role("link", name="validation_failed").click()
    expect(page).to_have_url(re.compile(r"/errors/#validation_failed$"))


def test_every_status_is_printed(page: Page) -> None:
    """On paper nothing can be chosen, so all responses are there."""
    page.goto(address(OPERATIONS["createCall"]))
    page.emulate_media(media="print")
    for status in contracts()[0].operations["createCall"].responses:
        expect(page.locator(f"#status-{status}")).to_be_visible()


def test_old_address_leads_to_the_page_of_the_operation(page: Page) -> None:
    """/reference/#getCall was Swagger UI: it is the row of the operation, and leads on."""
    page.goto("/reference/#getCall")
    row = page.locator("#getCall")
    expect(row).to_be_in_viewport()
    row.get_by_role("link").click()
    expect(page).to_have_url(re.compile(r"/reference/get-call/$"))
    expect(page.get_by_role("heading", level=1)).to_contain_text("Get call status")


def test_card_leads_to_the_page_of_its_operation(page: Page) -> None:
    """From a card one press opens the operation's own page."""
    page.goto("/agents/")
    page.locator("try-api").first.get_by_role("link", name="Reference").click()
    expect(page).to_have_url(re.compile(r"/reference/list-agents/$"))
    expect(page.locator(".card-reference")).to_have_count(0)


def test_search_opens_the_page_of_an_operation(page: Page) -> None:
    """Method and path, as they are typed, find the operation."""
    page.goto("/")
    page.get_by_placeholder("Search").press_sequentially("GET /v1/calls/{call_id}")
    result = page.locator(".md-search-result__item a").first
    expect(result).to_have_attribute("href", re.compile(r"/reference/get-call/"))


def test_swagger_ui_works_by_instant_navigation(new_page: NewPage) -> None:
    """Swagger UI shows its operations in the page's colors, also when no page was reloaded."""
    page = new_page(color_scheme="dark")
    page.goto("/quickstart/")
    page.locator(".md-nav--primary").get_by_role("link", name="Explore in Swagger UI").click()
    frame = page.frame_locator("iframe[title]")
    expect(frame.locator(".opblock")).to_have_count(len(contracts()[0].operations))
    expect(frame.locator("html")).to_have_class(re.compile("dark-mode"))
    box = page.locator("iframe").bounding_box()
    assert box is not None
    assert box["height"] > 500


def test_swagger_ui_sends_to_the_sandbox(page: Page) -> None:
    """Try it out has the key of the portal, and gets a real response."""
    page.goto("/swagger-ui/")
    expect(try_out(page, "Agents-listAgents")).to_contain_text("200")


def test_address_of_an_operation_opens_it_in_swagger_ui(page: Page) -> None:
    """A link such as /swagger-ui/#getCall opens that operation."""
    page.goto("/swagger-ui/#getCall")
    frame = page.frame_locator("iframe[title]")
    expect(frame.locator("#operations-Calls-getCall")).to_have_class(re.compile("is-open"))


def test_swagger_ui_shows_what_is_needed(page: Page) -> None:
    """No list of models and no column of links; problems are folded until they are asked for."""
    page.goto("/swagger-ui/#createCall")
    frame = page.frame_locator("iframe[title]")
    table = frame.locator(".responses-table[id]")
    expect(table.locator('[data-code="201"]')).to_be_visible()
    expect(table.locator('[data-code="422"]')).to_be_hidden()
    expect(frame.locator(".models")).to_have_count(0)
    expect(frame.locator(".response-col_links:visible")).to_have_count(0)
    problems = len(contracts()[0].operations["createCall"].responses) - 1
    button = frame.get_by_role("button", name=f"Show {problems} problems")
    expect(button).to_have_attribute("aria-expanded", "false")
    button.click()
    expect(table.locator('[data-code="422"]')).to_be_visible()
    frame.get_by_role("button", name=f"Hide {problems} problems").click()
    expect(table.locator('[data-code="422"]')).to_be_hidden()


def test_swagger_ui_says_that_the_sandbox_is_away(
    page: Page, expected_console_errors: list[str]
) -> None:
    """In the place of a list of guesses stands what is wrong and what to do."""
    expected_console_errors.append("ERR_FAILED")
    page.goto("/swagger-ui/#listAgents")
    frame = page.frame_locator("iframe[title]")
    frame.get_by_role("button", name="Try it out").click()
    page.route(re.compile(r"/v1/agents$|/sandbox$"), lambda route: route.abort())
    frame.get_by_role("button", name="Execute").click()
    message = frame.locator(".no-response")
    expect(message).to_contain_text("The sandbox is not running")
    expect(message).to_contain_text("make serve")
    expect(frame.get_by_text("Possible Reasons")).to_be_hidden()
    page.unroute_all()
    frame.get_by_role("button", name="Execute").click()
    expect(frame.locator(".live-responses-table .response-col_status").last).to_contain_text("200")
    expect(message).to_have_count(0)


def test_swagger_ui_takes_no_key_but_that_of_the_portal(page: Page) -> None:
    """Swagger UI's own form for keys is not offered: the portal's rejects live ones."""
    page.goto("/swagger-ui/")
    frame = page.frame_locator("iframe[title]")
    expect(frame.locator(".opblock")).to_have_count(len(contracts()[0].operations))
    expect(frame.get_by_role("button", name=re.compile("authoriz", re.IGNORECASE))).to_have_count(0)
    page.get_by_role("button", name=re.compile("Key in use sandbox_")).click()
    dialog = page.get_by_role("dialog", name="Your sandbox key")
    dialog.get_by_label("Key in use").fill("sandbox_chosen_here")
    dialog.get_by_role("button", name="Use this key").click()
    expect(page.get_by_role("button", name="Key in use sandbox_chosen_here")).to_be_focused()
    frame.locator("#operations-Agents-listAgents").click()
    frame.get_by_role("button", name="Try it out").click()
    with page.expect_request("**/v1/agents") as sent:
        frame.get_by_role("button", name="Execute").click()
    assert sent.value.headers["authorization"] == "Bearer sandbox_chosen_here"


def test_swagger_ui_creates_a_new_call_each_time(page: Page) -> None:
    """Nobody's `Idempotency-Key` is filled in, so a second request is no replay of the first."""
    page.goto("/swagger-ui/#createCall")
    frame = page.frame_locator("iframe[title]")
    frame.get_by_role("button", name="Try it out").click()
    with page.expect_request("**/v1/calls") as sent:
        frame.get_by_role("button", name="Execute").click()
    assert "idempotency-key" not in sent.value.headers


def test_swagger_ui_without_javascript_leads_to_the_reference(new_page: NewPage) -> None:
    """Without JavaScript no empty frame is shown, and the page names the one that has it all."""
    page = new_page(java_script_enabled=False)
    page.goto("/swagger-ui/")
    expect(page.locator("iframe")).to_be_hidden()
    page.locator(".without-script").get_by_role("link", name="API reference").click()
    expect(page.locator(".operations li[id]")).to_have_count(len(OPERATIONS))
