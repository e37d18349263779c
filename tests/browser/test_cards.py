"""The cards in a real browser: run, followed, chained, rejected, offline."""

import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from cards import move_clock, open_part
from sandbox_process import SandboxServer

SEARCH = "/workers/search."
"""What the worker of the search loads last without which it cannot start."""
CALL_SECONDS = 15_000
"""Longer than the default call takes on the wall clock, in milliseconds."""


def card(page: Page, title: str) -> Any:
    """The card with that title."""
    return page.get_by_role("group", name=title, exact=True)


def run(page: Page, title: str) -> Any:
    """Presses Try API on a card and returns it."""
    found = card(page, title)
    found.get_by_role("button", name="Try API").click()
    return found


def create_call(page: Page) -> str:
    """Creates a call with the first card and returns its call_id, not the example's."""
    created = run(page, "Try create call")
    expect(created).to_have_attribute("data-state", "succeeded")
    call_id: str = json.loads(created.locator(".card-json code").inner_text())["call_id"]
    return call_id


@pytest.fixture
def quickstart(page: Page) -> Page:
    """The Quickstart, opened by its address, with what its search loads in the background."""
    with page.expect_event("requestfinished", lambda request: SEARCH in request.url):
        page.goto("/quickstart/")
    return page


def test_call_goes_from_queued_to_completed(quickstart: Page) -> None:
    """The main path: one press creates a call, and the card shows its life and its transcript."""
    created = run(quickstart, "Try create call")
    expect(created.locator(".card-status")).to_contain_text("201 Created")
    expect(created.locator(".card-status")).to_contain_text(re.compile(r"\d+ ms"))
    expect(created.locator(".card-request-id")).to_have_text(re.compile(r"^req_\w+$"))
    open_part(created, "call")
    expect(created.locator(".life-end")).to_contain_text("completed", timeout=CALL_SECONDS)
    expect(created.locator(".life-stage")).to_have_count(4)
    expect(created.locator(".life-transcript")).to_contain_text("Hello, this is a test call.")
    expect(created.locator(".life-summary")).to_contain_text("after 5 s of talk")


def test_landing_page_plays_a_call_at_one_press(page: Page) -> None:
    """The card of the Overview opens the call that it has placed, and shows what was said."""
    page.goto("/")
    landing = page.locator("try-api").first
    expect(landing.locator(".card-json")).to_be_visible()
    landing.get_by_role("button", name="Try API").click()
    expect(landing.locator(".life-now")).to_be_visible()
    expect(landing.locator(".card-state")).to_have_text("completed", timeout=CALL_SECONDS)
    expect(landing.locator(".life-transcript")).to_contain_text("Hello, this is a test call.")


def test_rejection_is_read_whatever_part_was_open(
    page: Page, expected_console_errors: list[str]
) -> None:
    """A creation that fails after one that did not shows its response, and no call any more."""
    expected_console_errors.append("status of 429")
    page.goto("/")
    landing = page.locator("try-api").first
    landing.get_by_role("button", name="Try API").click()
    expect(landing.locator(".life-now")).to_be_visible()
    landing.get_by_label("Outcome").select_option("+12025550121")
    landing.get_by_role("button", name="Try API").click()
    expect(landing).to_have_attribute("data-state", "rejected")
    expect(landing.locator(".card-json")).to_contain_text('"code": "rate_limited"')
    expect(landing.locator(".card-json")).to_be_visible()
    expect(landing.locator(".card-state")).to_be_empty()
    open_part(landing, "call")
    expect(landing.locator(".card-life")).to_contain_text("Press Try API")


def test_skip_ahead_ends_the_call_at_once(quickstart: Page) -> None:
    """Skip ahead turns the clock of the sandbox, so nobody has to wait for the end."""
    created = run(quickstart, "Try create call")
    open_part(created, "call")
    created.get_by_role("button", name="Skip to the end").click()
    expect(created.locator(".life-end")).to_contain_text("completed", timeout=4_000)


def test_busy_line_was_never_in_progress(quickstart: Page) -> None:
    """A call that ends as busy shows the states it went through, and that nobody spoke."""
    created = card(quickstart, "Try create call")
    created.get_by_text("Edit the body").click()
    body = created.locator("textarea")
    request = {**json.loads(body.input_value()), "phone": "+12025550111"}
    body.fill(json.dumps(request))
    body.press("Control+Enter")
    open_part(created, "call")
    expect(created.locator(".life-end")).to_contain_text("busy", timeout=CALL_SECONDS)
    expect(created.locator(".life")).not_to_contain_text("in progress")
    expect(created.locator(".life-summary")).to_contain_text("Nobody spoke")


def test_response_fills_the_next_card(quickstart: Page) -> None:
    """The call_id of a created call fills the status card, its snippets, and can be reset."""
    call_id = create_call(quickstart)
    status = card(quickstart, "Try call status")
    expect(status.get_by_label("call_id")).to_have_value(call_id)
    expect(status.locator(".card-chain")).to_contain_text("from “Try create call”")
    expect(status.locator(".card-panel").first).to_contain_text(f"/v1/calls/{call_id}")
    run(quickstart, "Try call status")
    expect(status.locator(".card-json")).to_contain_text(call_id)
    status.get_by_role("button", name="Reset").click()
    expect(status.get_by_label("call_id")).not_to_have_value(call_id)
    expect(status.locator(".card-chain")).to_be_hidden()


def test_agent_of_a_list_leaves_the_chosen_one_alone(quickstart: Page) -> None:
    """Listing agents never turns a card that is about one agent into another one's."""
    body = quickstart.locator("#try-createcall-2").locator("textarea")
    before = body.input_value()
    agents = run(quickstart, "Try list agents")
    expect(agents).to_have_attribute("data-state", "succeeded")
    assert body.input_value() == before


def test_webhook_card_succeeds_however_often_it_is_pressed(quickstart: Page) -> None:
    """The webhook card first creates a call, shows both steps, and works twice in a row."""
    for _ in range(2):
        webhook = run(quickstart, "Try webhook completion")
        steps = webhook.locator(".card-requests p")
        expect(steps).to_have_text(
            [
                "1. POST /v1/calls → 201 Created",
                "2. POST /v1/webhooks/call-completed → 200 OK",
            ]
        )
        expect(webhook.locator(".card-json")).to_contain_text('"received": true')


def test_step_that_was_not_reached_is_left_open(
    quickstart: Page, expected_console_errors: list[str]
) -> None:
    """Where the first request of a card is rejected, the second is not sent, and it shows."""
    expected_console_errors.append("status of 401")
    quickstart.route("**/v1/calls", lambda route: route.continue_(headers={}))
    webhook = run(quickstart, "Try webhook completion")
    expect(webhook).to_have_attribute("data-state", "rejected")
    expect(webhook.locator(".card-requests p")).to_have_text(
        [
            "1. POST /v1/calls → 401 Unauthorized",
            "2. POST /v1/webhooks/call-completed → no response",
        ]
    )
    expect(webhook.locator(".card-problem")).to_contain_text("Missing token")


def test_rejected_request_is_explained(
    quickstart: Page, expected_console_errors: list[str]
) -> None:
    """A rejected request shows title, detail, each wrong field and the way to its entry."""
    expected_console_errors.append("status of 422")
    created = card(quickstart, "Try create call")
    created.get_by_text("Edit the body").click()
    created.locator("textarea").fill('{"phone": "12", "agent": "nobody"}')
    created.locator("textarea").press("Control+Enter")
    problem = created.locator(".card-problem")
    expect(problem).to_contain_text("Validation failed")
    expect(problem.locator("li")).to_have_count(2)
    expect(created).to_have_attribute("data-state", "rejected")
    problem.get_by_role("link").click()
    expect(quickstart).to_have_url(re.compile(r"/errors/#validation_failed$"))


def test_invalid_json_is_marked_before_anything_is_sent(quickstart: Page) -> None:
    """Broken JSON is marked with line and column, and no request leaves the page."""
    sent = []
    quickstart.on("request", lambda request: sent.append(request.url))
    created = card(quickstart, "Try create call")
    created.get_by_text("Edit the body").click()
    body = created.locator("textarea")
    body.fill('{\n  "phone": "+12025550100"\n  "agent": "x"\n}')
    body.press("Control+Enter")
    expect(body).to_have_attribute("aria-invalid", "true")
    expect(created.locator(".card-body-error")).to_contain_text(
        "line 3, column 3: a comma or } is missing"
    )
    expect(body).to_be_focused()
    assert not any("/v1/" in url for url in sent)
    body.fill("{}")
    expect(body).not_to_have_attribute("aria-invalid", "true")


def test_snippets_follow_the_edited_body(quickstart: Page) -> None:
    """What a reader edits is what the snippets send."""
    created = card(quickstart, "Try create call")
    created.get_by_text("Edit the body").click()
    created.locator("textarea").fill('{"phone": "+12025550111", "agent": "it\'s"}')
    expect(created.locator('[data-language="bash"]')).to_contain_text('"agent": "it\'\\\'\'s"')
    expect(created.locator('[data-language="python"] code')).to_contain_text(
        '"phone": "+12025550111"'
    )


def test_stopped_sandbox_is_told_apart(
    quickstart: Page, expected_console_errors: list[str]
) -> None:
    """When nothing answers, the card names the command that starts the sandbox, and Retry works."""
    expected_console_errors.append("ERR_CONNECTION_REFUSED")
    quickstart.route("**/*", lambda route: route.abort("connectionrefused"))
    agents = run(quickstart, "Try list agents")
    expect(agents.locator(".card-problem")).to_contain_text("The sandbox is not running")
    expect(agents.locator(".card-status")).to_contain_text("Recorded response")
    expect(agents.locator(".card-json")).to_contain_text('"agents"')
    port = urlsplit(quickstart.url).port
    expect(agents.locator(".card-command code")).to_have_text(f"make serve PORT={port}")
    expect(agents).not_to_contain_text("Failed to fetch")
    quickstart.unroute("**/*")
    agents.get_by_role("button", name="Retry").click()
    expect(agents.locator(".card-status")).to_contain_text("200 OK")
    expect(agents.locator(".card-problem")).to_be_hidden()


def test_browser_without_network_is_told_apart(
    quickstart: Page, expected_console_errors: list[str]
) -> None:
    """When the browser itself is offline the card says so, and does not blame the sandbox."""
    expected_console_errors.append("ERR_INTERNET_DISCONNECTED")
    quickstart.context.set_offline(True)
    agents = run(quickstart, "Try list agents")
    expect(agents.locator(".card-problem")).to_contain_text("Your browser is offline")


def test_server_that_is_no_sandbox_gets_nothing(quickstart: Page) -> None:
    """Before it sends anything a card makes sure that a sandbox answers; elsewhere it stops."""
    sent = []
    quickstart.on("request", lambda request: sent.append(request.url))
    quickstart.route("**/sandbox", lambda route: route.fulfill(json={"live": True}))
    created = run(quickstart, "Try create call")
    expect(created.locator(".card-problem")).to_contain_text("This address is not a sandbox")
    assert not any("/v1/" in url for url in sent)


def test_escape_cancels(quickstart: Page) -> None:
    """Esc stops a request that is under way and leaves the focus on the button."""
    quickstart.route("**/v1/agents", lambda route: None)
    agents = run(quickstart, "Try list agents")
    button = agents.locator(".card-run")
    expect(button).to_have_text("Running…")
    quickstart.keyboard.press("Escape")
    expect(agents.locator(".card-problem")).to_contain_text("Canceled")
    expect(button).to_have_text("Try API")
    expect(button).to_be_focused()


def test_cancel_works_without_a_keyboard_too(quickstart: Page) -> None:
    """While a request is under way a button cancels it, and the focus goes back to Try API."""
    quickstart.route("**/v1/agents", lambda route: None)
    agents = run(quickstart, "Try list agents")
    cancel = agents.get_by_role("button", name="Cancel")
    cancel.focus()
    cancel.click()
    expect(agents.locator(".card-problem")).to_contain_text("Canceled")
    expect(cancel).to_be_hidden()
    expect(agents.locator(".card-run")).to_be_focused()


def test_escape_cancels_though_the_focus_is_nowhere(quickstart: Page) -> None:
    """Where a click focuses no button, Esc on the page itself cancels all the same."""
    quickstart.route("**/v1/agents", lambda route: None)
    agents = run(quickstart, "Try list agents")
    quickstart.evaluate("document.activeElement.blur()")
    quickstart.keyboard.press("Escape")
    expect(agents.locator(".card-problem")).to_contain_text("Canceled")


def test_response_that_never_comes_ends_the_wait(quickstart: Page) -> None:
    """After 15 seconds without a response the card says so, and offers another try."""
    quickstart.evaluate(
        """() => {
          const wait = setTimeout;
          window.setTimeout = (call, ms, ...more) => wait(call, ms === 15_000 ? 0 : ms, ...more);
        }"""
    )
    quickstart.route("**/v1/calls", lambda route: None)
    created = run(quickstart, "Try create call")
    expect(created.locator(".card-problem")).to_contain_text("No response in 15 seconds")
    expect(created.locator(".card-problem")).to_contain_text("may have done what it asks for")
    expect(created.get_by_role("button", name="Retry")).to_be_visible()
    expect(created.locator(".card-status")).to_contain_text("Recorded response")


def test_response_is_announced_once(quickstart: Page) -> None:
    """A screen reader hears status and time from one live region, and the focus stays."""
    agents = run(quickstart, "Try list agents")
    expect(agents.get_by_role("status")).to_have_text(re.compile(r"^200 OK, \d+ ms$"))
    expect(agents.locator(".card-run")).to_be_focused()


def test_each_state_of_a_call_is_announced_after_its_creation(quickstart: Page) -> None:
    """A screen reader hears the response, then each new state, and none cuts another off."""
    quickstart.evaluate(
        """() => {
          const region = document.querySelector("try-api [role=status]");
          window.said = [];
          const heard = () => said.push(region.textContent);
          new MutationObserver(heard).observe(region, { childList: true });
        }"""
    )
    move_clock(quickstart, mode="manual")
    created = run(quickstart, "Try create call")
    for seconds, state in ((0, "queued"), (1, "ringing"), (2, "in progress"), (5, "completed")):
        move_clock(quickstart, advance_seconds=seconds)
        expect(created.locator(".card-state")).to_have_text(state)
    said = quickstart.evaluate("said")
    assert said[0] == "Running"
    assert re.fullmatch(r"201 Created, \d+ ms", said[1])
    assert said[2:] == [
        "The call is ringing",
        "The call is in progress",
        "The call has ended: completed, 5 seconds",
    ]


def test_every_creation_has_an_idempotency_key_of_its_own(quickstart: Page) -> None:
    """Two presses are two calls: each request carries a fresh Idempotency-Key."""
    keys = []
    for _ in range(2):
        with quickstart.expect_request(lambda r: r.method == "POST") as sent:
            run(quickstart, "Try create call")
        keys.append(sent.value.headers["idempotency-key"])
        expect(card(quickstart, "Try create call").locator(".card-state")).to_have_text("queued")
    assert len(set(keys)) == 2


def test_response_is_text_and_never_markup(quickstart: Page) -> None:
    """An agent whose name is markup is shown letter by letter."""
    markup = "<img src=x onerror=alert(1)>"
    quickstart.route(
        "**/v1/agents", lambda route: route.fulfill(json={"agents": [{"name": markup}]})
    )
    agents = run(quickstart, "Try list agents")
    expect(agents.locator(".card-json")).to_contain_text(markup)
    assert agents.locator("img").count() == 0


def test_instant_navigation_keeps_cards_and_their_values(quickstart: Page) -> None:
    """Pages follow each other without a reload, cards go on working, values are kept."""
    loads = []
    quickstart.on("domcontentloaded", lambda _: loads.append(quickstart.url))
    call_id = create_call(quickstart)
    quickstart.locator(".md-nav--primary").get_by_role(
        "link", name="Follow a call", exact=True
    ).click()
    # The address comes first: until the heading does, the cards are those of the old page.
    expect(quickstart.locator("h1")).to_contain_text("Follow a call")
    expect(quickstart).to_have_url(re.compile(r"/follow-a-call/$"))
    status = card(quickstart, "Try call status")
    expect(status.get_by_label("call_id")).to_have_value(call_id)
    run(quickstart, "Try call status")
    expect(status.locator(".card-json")).to_contain_text(call_id)
    assert loads == []


CARDS = """() => [...document.querySelectorAll("try-api")].map((card) => card.outerHTML)"""
OPEN_ENTRIES = """() => {
  for (const entry of document.querySelectorAll("details.problem-card")) entry.open = true;
}"""


PAGES_WITH_CARDS = ["Quickstart", "Place a call", "Agents", "How results arrive", "Errors"]


@pytest.mark.parametrize("name", PAGES_WITH_CARDS)
def test_cards_are_the_same_by_instant_navigation(page: Page, name: str) -> None:
    """A page that was reached without a reload has the very cards that its address has."""
    page.goto("/contract-changes/")
    page.locator(".md-nav--primary").get_by_role("link", name=name, exact=True).click()
    expect(page.locator("h1")).to_contain_text(name)
    page.evaluate(OPEN_ENTRIES)
    expect(page.locator("try-api .copy").last).to_be_attached()
    expect(page.locator("details > noscript")).to_have_count(0)
    reached = page.evaluate(CARDS)
    page.reload()
    page.evaluate(OPEN_ENTRIES)
    expect(page.locator("details > noscript")).to_have_count(0)
    expect(page.locator("try-api .copy").last).to_be_attached()
    assert page.evaluate(CARDS) == reached


def test_keyboard_alone_runs_a_call_to_its_end(quickstart: Page) -> None:
    """From the head of the page, Tab, arrows and Enter choose an outcome, run it, skip and read."""

    def tab_to(selector: str) -> Any:
        for _ in range(60):
            quickstart.keyboard.press("Tab")
            if quickstart.evaluate("(s) => document.activeElement.matches(s)", selector):
                return
        pytest.fail(f"Tab never reaches {selector}")

    created = card(quickstart, "Try create call")
    tab_to(".card-tab")
    quickstart.keyboard.press("ArrowRight")
    expect(created.locator('[data-language="python"]')).to_be_visible()
    tab_to(".card-outcome select")
    quickstart.keyboard.type("busy")
    expect(created.get_by_label("Outcome")).to_have_value("+12025550111")
    tab_to(".card-run")
    quickstart.keyboard.press("Enter")
    expect(created.locator(".card-state")).not_to_be_empty()
    expect(created.locator(".card-run")).to_be_focused()
    tab_to(".card-views input")
    quickstart.keyboard.press("ArrowRight")
    expect(created.locator(".life-now")).to_be_visible()
    tab_to(".life-skip")
    quickstart.keyboard.press("Enter")
    expect(created.locator(".life-end")).to_contain_text("busy")
    expect(created.locator(".life-said")).to_be_focused()
    outline = created.locator(".life-said").evaluate("e => getComputedStyle(e).outlineStyle")
    assert outline == "solid"


def test_commands_name_the_server_of_the_page(page: Page, sandbox_server: SandboxServer) -> None:
    """On whatever port the sandbox runs, commands in and outside cards go there."""
    page.goto("/sandbox-guide/")
    command = page.locator(".language-sh code", has_text="/sandbox/clock").first
    expect(command).to_contain_text(f"curl {sandbox_server.url}/sandbox/clock")
    page.goto("/quickstart/")
    expect(page.locator("try-api").first).to_contain_text(f"{sandbox_server.url}/v1/calls")


def test_language_is_chosen_once(quickstart: Page) -> None:
    """Choosing Python on one card chooses it on all."""
    card(quickstart, "Try create call").get_by_text("Python", exact=True).click()
    for found in quickstart.locator("try-api").all():
        expect(found.locator('[data-language="python"]')).to_be_visible()
        expect(found.locator('[data-language="bash"]')).to_be_hidden()


def test_card_without_javascript_is_complete(new_page: Callable[..., Page]) -> None:
    """Without JavaScript a card shows its request and the contract's answer, and no dead button."""
    page = new_page(java_script_enabled=False)
    page.goto("/quickstart/")
    created = page.locator("try-api").first
    expect(created.locator('[data-language="bash"]')).to_contain_text("curl -X POST")
    expect(created.locator(".card-status")).to_contain_text("Recorded response")
    expect(created.locator(".card-json")).to_contain_text("call_id")
    expect(created.locator(".card-run")).to_be_hidden()
    created.get_by_text("Python", exact=True).click()
    expect(created.locator('[data-language="python"]')).to_contain_text("import httpx2")


def test_copied_snippet_is_the_shown_one(new_page: Callable[..., Page]) -> None:
    """The copy button puts the whole snippet on the clipboard, without the button's own text."""
    page = new_page(permissions=["clipboard-read", "clipboard-write"])
    page.goto("/quickstart/")
    panel = page.locator("try-api").first.locator('[data-language="bash"]')
    panel.get_by_role("button", name="Copy to the clipboard").click()
    expect(panel.get_by_role("button", name="Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == panel.locator("code").text_content()
