"""What a card does beyond running: trigger and fix a problem, choose outcome, key and base URL."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from cards import key_in_use, move_clock, open_part
from sandbox_process import SandboxServer
from voice_sandbox.contract.problems import PROBLEMS

TRIGGERED = [code for code in PROBLEMS if code != "internal_error"]
UNFIXED = ("invalid_parameter", "exchange_not_found", "fault_not_found")
FIXED = [code for code in TRIGGERED if code not in UNFIXED]


@pytest.fixture
def quickstart(page: Page) -> Page:
    """The Quickstart, opened by its address."""
    page.goto("/quickstart/")
    return page


def created(page: Page) -> Any:
    """The first card, which creates a call."""
    return page.get_by_role("group", name="Try create call", exact=True)


def test_every_problem_is_triggered_and_fixed_on_its_entry(
    page: Page, expected_console_errors: list[str]
) -> None:
    """Each card of the Errors page gets its problem, as the contract says, and its fix works."""
    expected_console_errors.append("status of [45]")
    page.goto("/errors/")
    for code in TRIGGERED:
        card = page.locator(f"#trigger-{code}")
        page.locator(f"#{code} + .problem summary").first.click()
        card.get_by_role("button", name="Try API").click()
        expect(card.locator(".card-problem"), code).to_contain_text(PROBLEMS[code].title)
        expect(card.locator(".card-json"), code).to_contain_text(f'"code": "{code}"')
        expect(card.locator(".card-fit"), code).to_have_text("Fits the contract")
        if code in FIXED:
            card.locator(".card-fix").click()
            expect(card, code).to_have_attribute("data-state", "succeeded")
            expect(card.locator(".card-run"), code).to_be_focused()


def test_card_of_a_problem_is_made_when_somebody_opens_it(page: Page) -> None:
    """Cards nobody looks at cost the Errors page nothing, reached by its address or not."""
    page.goto("/errors/")
    expect(page.locator("details try-api")).to_have_count(0)
    page.goto("/")
    page.locator(".md-nav--primary").get_by_role("link", name="Errors", exact=True).click()
    expect(page.locator("#malformed_json + .problem")).to_be_attached()
    expect(page.locator("details try-api")).to_have_count(0)
    page.locator("#malformed_json + .problem summary").first.click()
    card = page.locator("#trigger-malformed_json")
    expect(card).to_have_attribute("data-state", "idle")
    expect(card.locator(".card-panel .copy").first).to_be_visible()
    expect(card.locator(".card-panel").first).to_contain_text(page.url.split("/errors/")[0])


def test_cards_of_all_problems_are_there_without_javascript(new_page: Callable[..., Page]) -> None:
    """Without scripts each entry of the Errors page opens to its request and recorded answer."""
    page = new_page(java_script_enabled=False)
    page.goto("/errors/")
    expect(page.locator("details try-api")).to_have_count(len(TRIGGERED))
    page.locator("#malformed_json + .problem summary").first.click()
    card = page.locator("#trigger-malformed_json")
    expect(card).to_contain_text("Recorded response")
    expect(card.locator(".card-panel").first).to_be_visible()


def test_response_that_breaks_the_contract_is_marked(quickstart: Page) -> None:
    """The tick is earned: a response with a field too much is told apart."""
    quickstart.route(
        "**/v1/calls",
        lambda route: route.fulfill(
            status=201,
            headers={
                "Location": "/v1/calls/01890a5d-ac96-774b-bcce-b302099a8057",
                "X-Request-Id": "req_00000000",
            },
            json={"call_id": "01890a5d-ac96-774b-bcce-b302099a8057", "sip": "x"},
        ),
    )
    created(quickstart).get_by_role("button", name="Try API").click()
    expect(created(quickstart).locator(".card-fit")).to_have_text(
        "Does not fit the contract: /sip is not a field of the contract"
    )


def test_outcome_is_chosen_from_the_catalogue(quickstart: Page) -> None:
    """Choosing busy calls the number of that scenario, in the body and in every snippet."""
    card = created(quickstart)
    card.get_by_label("Outcome").select_option("+12025550111")
    expect(card.locator('[data-language="bash"]')).to_contain_text('"phone": "+12025550111"')
    assert json.loads(card.locator("textarea").input_value())["phone"] == "+12025550111"
    card.get_by_role("button", name="Try API").click()
    open_part(card, "call")
    card.get_by_role("button", name="Skip to the end").click()
    expect(card.locator(".life-end")).to_contain_text("busy")


def test_end_of_a_call_shows_what_was_posted_and_saved(quickstart: Page) -> None:
    """After the end the card shows the provider's completion beside the call that is read."""
    card = created(quickstart)
    card.get_by_role("button", name="Try API").click()
    open_part(card, "call")
    card.get_by_role("button", name="Skip to the end").click()
    posted, read = card.locator(".life-side").first, card.locator(".life-side").last
    expect(posted).to_contain_text('"event_type": "call.completed"')
    expect(posted).to_contain_text("and got 200")
    expect(read).to_contain_text('"status": "completed"')
    assert "prov_" not in card.inner_text()


def test_second_delivery_is_shown_though_the_call_is_over(quickstart: Page) -> None:
    """A provider that contradicts itself is followed until its rejected completion is shown too."""
    card = created(quickstart)
    card.get_by_label("Outcome").select_option("+12025550133")
    card.get_by_role("button", name="Try API").click()
    open_part(card, "call")
    expect(card.locator(".life-end")).to_contain_text("completed", timeout=15_000)
    answered = card.locator(".life-response")
    expect(answered).to_have_text(["and got 200", "and got 409"])


def test_state_is_read_as_it_changes_and_no_oftener(quickstart: Page) -> None:
    """While the call goes on the card shows what a reader gets, in one request a state."""
    reads = []
    quickstart.on(
        "request", lambda r: reads.append(r.url) if re.search("/v1/calls/.", r.url) else None
    )
    move_clock(quickstart, mode="manual")
    card = created(quickstart)
    card.get_by_role("button", name="Try API").click()
    open_part(card, "call")
    read = card.locator(".life-side").last
    for seconds, state in ((0, "queued"), (1, "ringing"), (2, "in_progress"), (5, "completed")):
        move_clock(quickstart, advance_seconds=seconds)
        expect(read).to_contain_text(f'"status": "{state}"')
        expect(read).to_contain_text(f'"duration": {5 if state == "completed" else "null"}')
    expect(card.locator(".life-stage").last).to_contain_text("8.0 s")
    assert len(reads) == 4


def test_emptied_namespace_ends_the_time_line(
    quickstart: Page, expected_console_errors: list[str], sandbox_server: SandboxServer
) -> None:
    """When somebody empties the namespace, the card says that the call is gone."""
    expected_console_errors.append("status of 404")
    card = created(quickstart)
    card.locator(".card-key").click()
    dialog = quickstart.get_by_role("dialog", name="Your sandbox key")
    dialog.get_by_label("Key in use").fill("sandbox_emptied")
    dialog.get_by_role("button", name="Use this key").click()
    card.get_by_role("button", name="Try API").click()
    open_part(card, "call")
    expect(card.locator(".life-now")).to_be_visible()
    headers = {"authorization": "Bearer sandbox_emptied"}
    quickstart.request.delete(f"{sandbox_server.url}/sandbox/state", headers=headers)
    expect(card.locator(".life-note")).to_contain_text("The call is gone")
    expect(card.locator(".life-skip")).to_be_hidden()


def test_call_that_never_ends_says_so(quickstart: Page) -> None:
    """Skipping to the end of a call without end tells how to end it."""
    card = created(quickstart)
    card.get_by_label("Outcome").select_option("+12025550130")
    card.get_by_role("button", name="Try API").click()
    open_part(card, "call")
    card.get_by_role("button", name="Skip to the end").click()
    expect(card.locator(".life-note")).to_contain_text("never end this call")


def test_each_browser_has_a_key_of_its_own(new_page: Callable[..., Page]) -> None:
    """Two readers of one portal have different keys, and each browser remembers its own."""
    keys = []
    for _ in range(2):
        page = new_page(locale="en-GB")
        page.goto("/quickstart/")
        keys.append(key_in_use(page))
        with page.expect_request("**/v1/calls") as sent:
            created(page).get_by_role("button", name="Try API").click()
        assert sent.value.headers["authorization"] == f"Bearer {keys[-1]}"
        page.reload()
        assert key_in_use(page) == keys[-1]
        assert keys[-1] not in page.url
    assert all(re.fullmatch("sandbox_[0-9a-f]{24}", key) for key in keys)
    assert keys[0] != keys[1]


def test_commands_of_the_page_name_the_key_in_use(quickstart: Page) -> None:
    """What a reader types in a terminal shows up under the key of this browser, also a new one."""
    command = quickstart.locator("pre > code", has_text="export VOICE_API_KEY=").first
    expect(command).to_contain_text(f"export VOICE_API_KEY={key_in_use(quickstart)}")
    choose_key(quickstart, "sandbox_another_one")
    expect(command).to_contain_text("export VOICE_API_KEY=sandbox_another_one")
    choose_key(quickstart, "sandbox_demo")
    expect(command).to_contain_text("export VOICE_API_KEY=sandbox_demo")
    quickstart.locator(".md-nav--primary").get_by_role(
        "link", name="Place a call", exact=True
    ).click()
    choose_key(quickstart, "sandbox_one_more")
    quickstart.go_back()
    expect(command).to_contain_text("export VOICE_API_KEY=sandbox_one_more")


def choose_key(page: Page, key: str, *, remember: bool = True) -> None:
    """Chooses a key in the dialog that the first card opens."""
    page.locator("button.card-key").first.click()
    dialog = page.get_by_role("dialog", name="Your sandbox key")
    dialog.get_by_label("Key in use").fill(key)
    dialog.get_by_label("Remember it in this browser").set_checked(remember)
    dialog.get_by_role("button", name="Use this key").click()


def test_fresh_key_is_used_by_every_card(quickstart: Page) -> None:
    """Another private key is one press away, and a reload finds it again."""
    before = key_in_use(quickstart)
    created(quickstart).locator(".card-key").click()
    dialog = quickstart.get_by_role("dialog", name="Your sandbox key")
    dialog.get_by_role("button", name="Fresh private key").click()
    key = dialog.get_by_label("Key in use").input_value()
    assert re.fullmatch("sandbox_[0-9a-f]{24}", key)
    assert key != before
    dialog.get_by_role("button", name="Use this key").click()
    expect(created(quickstart).locator(".card-key")).to_be_focused()
    with quickstart.expect_request("**/v1/calls") as sent:
        created(quickstart).get_by_role("button", name="Try API").click()
    assert sent.value.headers["authorization"] == f"Bearer {key}"
    quickstart.reload()
    assert key_in_use(quickstart) == key


def test_key_is_remembered_only_when_asked(quickstart: Page) -> None:
    """Without the tick no storage holds the key, and a reload brings back the one before."""
    before = key_in_use(quickstart)
    choose_key(quickstart, "sandbox_not_kept", remember=False)
    assert key_in_use(quickstart) == "sandbox_not_kept"
    storages = "JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])"
    assert "sandbox_not_kept" not in quickstart.evaluate(storages)
    quickstart.reload()
    assert key_in_use(quickstart) == before


def test_language_and_base_url_are_remembered(quickstart: Page) -> None:
    """What a reader has chosen once is chosen on the next page and after a reload."""
    card = created(quickstart)
    card.get_by_text("Python", exact=True).click()
    card.get_by_label("Base URL in the text").select_option("live")
    quickstart.goto("/calls/")
    other = quickstart.locator("try-api").first
    expect(other.locator('[data-language="python"]')).to_be_visible()
    expect(other.get_by_label("Base URL in the text")).to_have_value("live")


def test_address_names_what_was_chosen(quickstart: Page, new_page: Callable[..., Page]) -> None:
    """Outcome and language stand in the address; another browser that opens it shows the same."""
    card = created(quickstart)
    card.get_by_text("JavaScript", exact=True).click()
    card.get_by_label("Outcome").select_option("+12025550111")
    address = quickstart.url
    assert "outcome=busy" in address
    assert "lang=javascript" in address
    page = new_page(locale="en-GB")
    page.goto(address)
    shown = created(page).locator('[data-language="javascript"]')
    expect(shown).to_be_visible()
    expect(shown).to_contain_text("+12025550111")
    expect(created(page).get_by_label("Outcome")).to_have_value("+12025550111")
    card.get_by_label("Outcome").select_option("")
    card.get_by_text("curl", exact=True).click()
    assert "outcome" not in quickstart.url
    assert "lang=curl" in quickstart.url


@pytest.mark.parametrize("address", ["?lang=cobol", "?outcome=gold", "#%"])
def test_address_of_something_unknown_changes_nothing(page: Page, address: str) -> None:
    """A language or an outcome that nobody knows leaves the card as it is."""
    page.goto(f"/quickstart/{address}")
    expect(created(page)).to_have_attribute("data-state", "idle")
    expect(created(page).locator('[data-language="bash"]')).to_be_visible()


def test_outcomes_stand_in_groups(quickstart: Page) -> None:
    """Each outcome of the catalogue is in the group of what a program sees of it."""
    groups = created(quickstart).locator(".card-outcome optgroup")
    found = {
        group.get_attribute("label"): [
            option.get_attribute("data-name") for option in group.locator("option").all()
        ]
        for group in groups.all()
    }
    assert [*found] == [
        "Ends well",
        "Not reached or failed",
        "Creation is rejected",
        "Odd deliveries",
        "Never ends",
    ]
    assert {"answered", "voicemail", "silence"} <= set(found["Ends well"])
    assert {"busy", "no_answer", "dropped"} <= set(found["Not reached or failed"])
    assert found["Creation is rejected"] == ["provider_unavailable", "rate_limited", "unstable"]
    assert {"delivered_late", "conflicting", "before_ringing"} <= set(found["Odd deliveries"])
    assert found["Never ends"] == ["stuck_queued", "stuck_ringing", "never_completes"]


def test_card_of_a_scenario_shows_its_outcome(page: Page) -> None:
    """A card that calls a number of the catalogue has that outcome chosen, with scripts or not."""
    page.goto("/transcripts/")
    card = page.locator("try-api").first
    expect(card.get_by_label("Outcome")).to_have_value("+12025550140")
    expect(card.locator('[data-language="bash"]')).to_contain_text("+12025550140")


def test_talk_of_five_turns_is_shown_whole(new_page: Callable[..., Page]) -> None:
    """In two columns nothing of the Kyrgyz talk is below the edge of its place."""
    page = new_page(viewport={"width": 1366, "height": 768})
    page.goto("/quickstart/?outcome=kyrgyz#try-createcall")
    card = created(page)
    card.get_by_role("button", name="Try API").click()
    open_part(card, "call")
    card.get_by_role("button", name="Skip to the end").click()
    talk = card.locator(".life-said")
    expect(talk.locator("dd")).to_have_count(5)
    assert talk.evaluate("place => place.scrollHeight - place.clientHeight") <= 0


def test_last_runs_are_shown_again(quickstart: Page, expected_console_errors: list[str]) -> None:
    """Each response stays one press away, at most five of them."""
    expected_console_errors.append("status of 422")
    card = created(quickstart)
    run = card.get_by_role("button", name="Try API")
    run.click()
    expect(card).to_have_attribute("data-state", "succeeded")
    expect(card.locator(".card-status .status")).to_have_text("201 Created")
    first = card.locator(".card-json").inner_text()
    card.get_by_text("Edit the body").click()
    card.locator("textarea").fill("{}")
    run.click()
    expect(card).to_have_attribute("data-state", "rejected")
    expect(card.locator(".card-status .status")).to_contain_text("422")
    runs = card.get_by_role("group", name="Last runs").get_by_role("button")
    expect(runs).to_have_count(2)
    expect(runs.first).to_have_attribute("aria-pressed", "true")
    runs.last.click()
    expect(card.locator(".card-status .status")).to_have_text("201 Created")
    assert card.locator(".card-json").inner_text() == first
    expect(card.locator(".card-problem")).to_be_hidden()
    expect(runs.last).to_have_attribute("aria-pressed", "true")
    for _ in range(5):
        with quickstart.expect_response("**/v1/calls"):
            run.click()
        expect(run).to_have_text("Try API")
    expect(runs).to_have_count(5)


def test_live_looking_key_is_rejected_before_it_is_sent(quickstart: Page) -> None:
    """A key that is not a sandbox key is neither used nor sent nor kept."""
    sent = []
    quickstart.on("request", lambda request: sent.append(request.all_headers()))
    created(quickstart).locator(".card-key").click()
    dialog = quickstart.get_by_role("dialog", name="Your sandbox key")
    dialog.get_by_label("Key in use").fill("vk_live_0123456789")
    dialog.get_by_label("Key in use").press("Enter")
    expect(dialog.get_by_role("alert")).to_contain_text("does not look like a sandbox key")
    expect(dialog.get_by_label("Key in use")).to_be_focused()
    quickstart.keyboard.press("Escape")
    assert "vk_live" not in key_in_use(quickstart)
    assert not any("vk_live" in str(headers) for headers in sent)


def test_text_names_the_live_service_and_the_button_calls_the_sandbox(
    quickstart: Page, live_url: str
) -> None:
    """The base URL is switched for all cards as text; a request still goes to the sandbox."""
    card = created(quickstart)
    card.get_by_label("Base URL in the text").select_option("live")
    for found in quickstart.locator("try-api").all():
        panel = found.locator('[data-language="bash"]')
        expect(panel).to_contain_text(f"{live_url}/v1/")
        expect(panel).to_contain_text("$VOICE_API_KEY")
    # The page's fixture fails the test if anything goes to another host.
    card.get_by_role("button", name="Try API").click()
    expect(card).to_have_attribute("data-state", "succeeded")


def test_blocked_request_is_told_apart(
    quickstart: Page, expected_console_errors: list[str]
) -> None:
    """When the sandbox is there but the browser blocks the request, the card says that."""
    expected_console_errors.append("ERR_BLOCKED_BY_CLIENT")
    quickstart.route("**/v1/agents", lambda route: route.abort("blockedbyclient"))
    card = quickstart.get_by_role("group", name="Try list agents")
    card.get_by_role("button", name="Try API").click()
    expect(card.locator(".card-problem")).to_contain_text("The browser blocked the request")


def test_headers_can_be_opened(quickstart: Page) -> None:
    """The headers of the response are one press away."""
    card = created(quickstart)
    card.get_by_role("button", name="Try API").click()
    expect(card).to_have_attribute("data-state", "succeeded")
    open_part(card, "headers")
    expect(card.locator(".card-headers")).to_contain_text("Location")


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_moves_when_a_card_answers(new_page: Callable[..., Page], width: int) -> None:
    """Answers and the end of a call shift nothing the reader looks at, however late they come.

    A browser counts no shift within half a second of a press, so each response comes later.
    """
    quickstart = new_page(viewport={"width": width, "height": 900})
    quickstart.goto("/quickstart/")
    quickstart.evaluate(
        """() => {
          const { fetch } = window;
          window.fetch = async (...request) => {
            await new Promise((late) => { setTimeout(late, 700); });
            return fetch(...request);
          };
          window.shift = 0;
          new PerformanceObserver((list) => {
            for (const entry of list.getEntries()) if (!entry.hadRecentInput) shift += entry.value;
          }).observe({ type: "layout-shift", buffered: false });
        }"""
    )
    completion = quickstart.get_by_role("group", name="Try webhook completion")
    completion.get_by_role("button", name="Try API").click()
    expect(completion).to_have_attribute("data-state", "succeeded")
    card = created(quickstart)
    card.get_by_role("button", name="Try API").click()
    open_part(card, "call")
    expect(card.locator(".life-now")).to_be_visible()
    move_clock(quickstart, until="idle")
    expect(card.locator(".life-end")).to_be_visible()
    expect(card.locator(".life-response")).to_be_visible()
    assert quickstart.evaluate("shift") < 0.01


def test_reference_takes_the_key_over(quickstart: Page) -> None:
    """Swagger UI sends the key that was chosen on a card, without Authorize."""
    created(quickstart).locator(".card-key").click()
    dialog = quickstart.get_by_role("dialog", name="Your sandbox key")
    dialog.get_by_label("Key in use").fill("sandbox_taken_over")
    dialog.get_by_role("button", name="Use this key").click()
    quickstart.locator(".md-nav--primary").get_by_role("link", name="Explore in Swagger UI").click()
    frame = quickstart.frame_locator("iframe[title]")
    frame.locator("#operations-Agents-listAgents").click()
    frame.get_by_role("button", name="Try it out").click()
    with quickstart.expect_request("**/v1/agents") as sent:
        frame.get_by_role("button", name="Execute").click()
    assert sent.value.headers["authorization"] == "Bearer sandbox_taken_over"
