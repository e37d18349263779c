"""The API reference: Swagger UI inside the portal, and the way to it from other pages."""

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

from read_once import contracts
from swagger import try_out


def test_reference_works_by_instant_navigation(new_page: Callable[..., Page]) -> None:
    """Swagger UI shows its operations in the page's colors, also when no page was reloaded."""
    page = new_page(color_scheme="dark")
    page.goto("/quickstart/")
    page.locator(".md-nav--primary").get_by_role("link", name="API reference").click()
    frame = page.frame_locator("iframe[title]")
    expect(frame.locator(".opblock")).to_have_count(len(contracts()[0].operations))
    expect(frame.locator("html")).to_have_class(re.compile("dark-mode"))
    box = page.locator("iframe").bounding_box()
    assert box is not None
    assert box["height"] > 500


def test_reference_sends_to_the_sandbox(page: Page) -> None:
    """Try it out on the reference has the key of the portal, and gets a real answer."""
    page.goto("/reference/")
    expect(try_out(page, "Agents-listAgents")).to_contain_text("200")


def test_address_of_an_operation_opens_it_in_the_reference(page: Page) -> None:
    """A link such as /reference/#getCall opens that operation."""
    page.goto("/reference/#getCall")
    frame = page.frame_locator("iframe[title]")
    expect(frame.locator("#operations-Calls-getCall")).to_have_class(re.compile("is-open"))


def test_card_leads_to_its_operation_in_the_reference(page: Page) -> None:
    """From a card one press opens the operation in Swagger UI, by instant navigation too."""
    page.goto("/agents/")
    page.locator("try-api").first.get_by_role("link", name="Reference").click()
    expect(page).to_have_url(re.compile(r"/reference/#listAgents$"))
    frame = page.frame_locator("iframe[title]")
    expect(frame.locator("#operations-Agents-listAgents")).to_have_class(re.compile("is-open"))


def test_reference_takes_no_key_but_that_of_the_portal(page: Page) -> None:
    """Swagger UI's own form for keys is not offered: the portal's rejects live ones."""
    page.goto("/reference/")
    frame = page.frame_locator("iframe[title]")
    expect(frame.locator(".opblock")).to_have_count(len(contracts()[0].operations))
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


def test_reference_creates_a_new_call_each_time(page: Page) -> None:
    """Nobody's `Idempotency-Key` is filled in, so a second request is no replay of the first."""
    page.goto("/reference/#createCall")
    frame = page.frame_locator("iframe[title]")
    frame.get_by_role("button", name="Try it out").click()
    with page.expect_request("**/v1/calls") as sent:
        frame.get_by_role("button", name="Execute").click()
    assert "idempotency-key" not in sent.value.headers


def test_reference_without_javascript_leads_to_the_static_pages(
    new_page: Callable[..., Page],
) -> None:
    """Without JavaScript every operation is one link away, and no empty frame is shown."""
    page = new_page(java_script_enabled=False)
    page.goto("/reference/#getCall")
    expect(page.locator("iframe")).to_be_hidden()
    expect(page.locator(".operations li")).to_have_count(len(contracts()[0].operations))
    expect(page.locator("#getCall")).to_be_in_viewport()
    page.locator("#getCall").get_by_role("link").click()
    expect(page.get_by_role("heading", name="Get the status")).to_be_attached()
