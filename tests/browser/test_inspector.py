"""The live page in a real browser: the journal as it happens, and every instrument beside it."""

import http.client
import json
import re
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from playwright.sync_api import Locator, Page, expect

from accessibility import violations
from sandbox_process import SandboxServer
from voice_portal.sources import load_sources
from voice_portal.tables import scenarios
from voice_sandbox.contract.faults import FAULTS
from voice_sandbox.http.authentication import DEMO_KEY

PHONE = {"width": 360, "height": 740}
STREAM = "**/sandbox/journal/stream"
SANDBOX = re.compile(r"//[^/]+/(sandbox(/.*)?)?$")
"""The sandbox without the pages: routes of Playwright abort these to play a stopped one."""
# Without a space, so that a path can be sent as it stands.
MARKUP = "<img/src=x/onerror=alert(1)>"

Inspect = Callable[..., Page]


@pytest.fixture
def inspect(new_page: Callable[..., Page], key: str) -> Inspect:
    """Opens the inspector on the key of the test: `inspect(viewport=PHONE)`."""

    def open_inspector(**options: Any) -> Page:
        page = new_page(**options)
        page.goto("/inspector/")
        use_key(page, key)
        return page

    return open_inspector


@pytest.fixture
def inspector(inspect: Inspect) -> Page:
    """The inspector on the key of the test."""
    return inspect()


def use_key(page: Page, key: str) -> None:
    """Types the key and waits until the journal of that key is followed."""
    field = page.locator("#inspector-key")
    expect(field).to_be_enabled()
    with page.expect_response(STREAM):
        field.fill(key)
        field.press("Enter")
    expect(page.locator(".inspector-state")).to_have_text("Live")


def create_call(client: httpx2.Client, scenario: str = "answered") -> str:
    """Creates a call that plays the scenario and returns its call_id."""
    sources = load_sources()
    body = {
        "phone": sources.scenarios.by_name[scenario].number,
        "agent": sources.agents[0]["key"],
    }
    call_id: str = client.post("/v1/calls", json=body).raise_for_status().json()["call_id"]
    return call_id


def until_idle(client: httpx2.Client) -> None:
    client.post("/sandbox/clock", json={"until": "idle"}).raise_for_status()


def rows(page: Page) -> Locator:
    return page.get_by_role("listbox", name="Requests").get_by_role("option")


def opened(page: Page) -> Locator:
    return page.get_by_role("region", name="Opened request")


def show(page: Page, tab: str) -> None:
    page.get_by_role("tab", name=tab).click()


# The journal


def test_request_appears_as_it_happens(inspector: Page, client: httpx2.Client) -> None:
    """What any program sends with the key is on the page at once, and is opened if it is alone."""
    expect(inspector.locator(".inspector-empty")).to_contain_text("Waiting for the first request")
    client.get("/v1/agents")
    expect(rows(inspector)).to_have_count(1)
    expect(rows(inspector)).to_contain_text("GET /v1/agents")
    expect(opened(inspector)).to_contain_text("200 OK")


def test_earlier_requests_are_there_when_the_page_opens(
    inspect: Callable[..., Page], client: httpx2.Client
) -> None:
    """The journal of the key is shown from its beginning, the newest on top."""
    create_call(client, "busy")
    until_idle(client)
    page = inspect()
    expect(rows(page)).to_have_count(2)
    expect(rows(page).first).to_contain_text("provider")
    expect(rows(page).last).to_contain_text("201 POST /v1/calls")


def test_requests_of_other_keys_stay_out(
    inspector: Page, client: httpx2.Client, sandbox_server: SandboxServer
) -> None:
    """The page follows one key and no other."""
    other = {"Authorization": "Bearer sandbox_somebody_else"}
    httpx2.get(f"{sandbox_server.url}/v1/agents", headers=other).raise_for_status()
    create_call(client)
    expect(rows(inspector)).to_have_count(1)
    expect(rows(inspector)).to_contain_text("/v1/calls")


def test_filter_narrows_the_list(inspector: Page, client: httpx2.Client) -> None:
    """Text, operation, status and sender narrow the list, together, also for what arrives later."""
    call_id = create_call(client, "busy")
    until_idle(client)
    client.get("/v1/agents")
    client.get("/v1/nowhere")
    expect(rows(inspector)).to_have_count(4)
    inspector.get_by_label("Status", exact=True).select_option("4xx rejected")
    expect(rows(inspector)).to_have_count(1)
    expect(inspector.get_by_role("tab", name="Requests")).to_contain_text("1 of 4")
    clear = inspector.get_by_role("search").get_by_text("Clear", exact=True)
    clear.click()
    inspector.get_by_label("Sender").select_option("The provider")
    expect(rows(inspector)).to_have_count(1)
    clear.click()
    inspector.get_by_label("Operation").select_option("createCall")
    client.get("/v1/agents")
    create_call(client)
    expect(rows(inspector)).to_have_count(2)
    inspector.get_by_label("Text").fill(call_id.upper())
    expect(rows(inspector)).to_have_count(1)
    inspector.get_by_label("Text").fill("no such text")
    expect(inspector.locator(".inspector-empty")).to_contain_text("No request matches")


def test_opened_request_tells_all(inspector: Page, client: httpx2.Client) -> None:
    """Why, code, both bodies, headers, scenario and call of an exchange can be seen."""
    call_id = create_call(client, "unknown_word")
    until_idle(client)
    rows(inspector).filter(has_text="422").click()
    expect(opened(inspector)).to_contain_text("The body does not fit the contract")
    expect(opened(inspector).get_by_role("link", name="validation_failed")).to_have_attribute(
        "href", re.compile(r"/errors/#validation_failed$")
    )
    expect(opened(inspector).locator(".nt").first).to_have_text('"event_type"')
    rows(inspector).last.click()
    expect(opened(inspector)).to_contain_text("unknown word")
    opened(inspector).locator("summary").first.click()
    expect(opened(inspector)).to_contain_text("[redacted]")
    opened(inspector).get_by_role("button", name=call_id).click()
    expect(inspector.get_by_role("tab", name="Calls")).to_have_attribute("aria-selected", "true")
    expect(inspector.locator(".inspector-call")).to_be_focused()


@pytest.mark.parametrize("form", ["curl", "javascript", "pytest"])
def test_request_is_copied_for_other_tools(
    inspect: Callable[..., Page], client: httpx2.Client, form: str
) -> None:
    """One press puts the request on the clipboard as a command, a module or a test."""
    request_id = client.get("/v1/agents").headers["x-request-id"]
    page = inspect(permissions=["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name=re.compile(f"Copy as {form}", re.IGNORECASE)).click()
    expect(opened(page).get_by_role("button", name="Copied")).to_be_visible()
    expected = client.get(f"/sandbox/exchanges/{request_id}").json()[form]
    assert page.evaluate("navigator.clipboard.readText()") == expected


def test_opened_request_stands_in_the_address(inspector: Page, client: httpx2.Client) -> None:
    """Back closes the request that was opened, Forward opens it again, and a reload keeps it."""
    requests = [client.get(f"/v1/agents?n={n}").headers["x-request-id"] for n in range(3)]
    expect(rows(inspector)).to_have_count(3)
    assert "request=" not in inspector.url  # nobody has chosen one
    rows(inspector).last.click()
    expect(inspector).to_have_url(re.compile(f"request={requests[0]}"))
    rows(inspector).nth(1).click()
    expect(inspector).to_have_url(re.compile(f"request={requests[1]}"))
    inspector.go_back()
    expect(opened(inspector)).to_be_hidden()
    assert inspector.url.endswith("/inspector/")
    inspector.go_forward()
    expect(opened(inspector)).to_contain_text(requests[1])
    inspector.reload()
    expect(opened(inspector)).to_contain_text(requests[1])
    client.get("/v1/agents?later")
    expect(rows(inspector)).to_have_count(4)
    expect(opened(inspector)).to_contain_text(requests[1])
    expect(rows(inspector).nth(2)).to_have_attribute("aria-selected", "true")


def test_address_of_a_request_tells_the_end_of_the_key_alone(
    inspector: Page, client: httpx2.Client, key: str, expected_console_errors: list[str]
) -> None:
    """A link can be passed on: it has no key. Who has another one is told what to enter."""
    expected_console_errors.append("status of 404")
    request_id = client.get("/v1/agents").headers["x-request-id"]
    rows(inspector).first.click()
    expect(inspector).to_have_url(re.compile(f"request={request_id}&key={key[-4:]}$"))
    assert key not in inspector.url
    address = inspector.url
    inspector.locator("#inspector-key").fill("sandbox_another_one")
    inspector.locator("#inspector-key").press("Enter")
    expect(inspector).to_have_url(re.compile(r"/inspector/$"))
    inspector.goto(address)
    said = inspector.locator(".inspector-error")
    expect(said).to_contain_text(f"This key has no request {request_id}")
    expect(said).to_contain_text(f"a key that ends in {key[-4:]}")
    use_key(inspector, key)
    expect(opened(inspector)).to_contain_text(request_id)


def test_address_of_a_request_that_is_gone_says_so(
    inspector: Page, client: httpx2.Client, expected_console_errors: list[str]
) -> None:
    """After a reset the key has no such request; the page says why, and goes on."""
    expected_console_errors.append("status of 404")
    client.get("/v1/agents")
    rows(inspector).first.click()
    expect(inspector).to_have_url(re.compile("request="))
    client.delete("/sandbox/state")
    inspector.reload()
    expect(inspector.locator(".inspector-error")).to_contain_text("a reset empties it")
    client.get("/v1/agents")
    expect(rows(inspector).first).to_contain_text("/v1/agents")


def test_way_back_on_a_phone_is_the_back_button_of_the_browser(
    inspect: Inspect, client: httpx2.Client
) -> None:
    """In one column the button above the request and Back do the same, and leave no step behind."""
    client.get("/v1/agents")
    page = inspect(viewport=PHONE)
    for leave in (page.go_back, lambda: opened(page).get_by_text("← All requests").click()):
        rows(page).first.click()
        expect(opened(page)).to_be_visible()
        expect(page).to_have_url(re.compile("request="))
        leave()
        expect(opened(page)).to_be_hidden()
        expect(page).to_have_url(re.compile(r"/inspector/$"))
        expect(rows(page).first).to_be_focused()


@pytest.mark.parametrize("height", [600, 768, 1080])
def test_panel_is_as_high_as_the_window(inspect: Inspect, height: int) -> None:
    """List and request scroll inside; between header and lower edge there is room for them."""
    page = inspect(viewport={"width": 1366, "height": height})
    panel = page.locator("#inspector-requests").bounding_box()
    assert panel is not None
    assert height - 140 <= panel["height"] <= max(height, 540)


def test_journal_is_downloaded_as_har(inspector: Page, client: httpx2.Client) -> None:
    """The whole journal is saved as an HTTP Archive."""
    create_call(client)
    with inspector.expect_download() as download:
        inspector.get_by_role("button", name="Download HAR").click()
    archive = json.loads(download.value.path().read_text("utf-8"))
    assert download.value.suggested_filename.endswith(".har")
    assert [entry["response"]["status"] for entry in archive["log"]["entries"]] == [201]


def test_text_of_the_sandbox_is_never_markup(inspector: Page, client: httpx2.Client) -> None:
    """A path, a header and a body that are markup are shown letter by letter."""
    client.post("/v1/calls", json={"phone": MARKUP, "agent": MARKUP})
    # httpx2 would encode the path.
    connection = http.client.HTTPConnection(client.base_url.netloc.decode())
    headers = {"Authorization": client.headers["Authorization"], "X-Note": MARKUP}
    connection.request("GET", f"/v1/{MARKUP}", headers=headers)
    connection.getresponse().read()
    connection.close()
    expect(rows(inspector)).to_have_count(2)
    expect(rows(inspector).first).to_contain_text(MARKUP)
    for row in rows(inspector).all():
        row.click()
        expect(opened(inspector)).to_contain_text(MARKUP)
    assert inspector.locator("sandbox-inspector img").count() == 0


def test_page_remembers_the_newest_500(inspector: Page, client: httpx2.Client) -> None:
    """However long the page is open, it holds 500 exchanges, and the newest are among them."""
    for _ in range(510):
        client.get("/v1/agents")
    client.get("/v1/the-last-one")
    expect(rows(inspector).first).to_contain_text("/v1/the-last-one")
    expect(rows(inspector)).to_have_count(500)


def test_pause_holds_what_arrives(inspector: Page, client: httpx2.Client) -> None:
    """A paused list stands still and says how many wait; nothing is lost."""
    pause = inspector.get_by_role("button", name="Pause")
    pause.click()
    client.get("/v1/agents")
    client.get("/v1/agents")
    resume = inspector.get_by_role("button", name="Resume (2 new)")
    expect(resume).to_have_attribute("aria-pressed", "true")
    expect(rows(inspector)).to_have_count(0)
    resume.click()
    expect(rows(inspector)).to_have_count(2)


# The connection


def test_broken_stream_goes_on_where_it_was(
    inspector: Page, client: httpx2.Client, expected_console_errors: list[str]
) -> None:
    """A sandbox that stops is named with the command that starts it; afterwards none is missed."""
    expected_console_errors.append("ERR_CONNECTION_REFUSED")
    client.get("/v1/agents")
    expect(rows(inspector)).to_have_count(1)
    inspector.route(SANDBOX, lambda route: route.abort("connectionrefused"))
    # A page that nobody sees holds no connection: hide it and show it again.
    hide(inspector, True)
    hide(inspector, False)
    state = inspector.locator(".inspector-state")
    expect(state).to_contain_text("The sandbox is not running: make serve")
    client.get("/v1/while-it-was-away")
    inspector.unroute(SANDBOX)
    expect(state).to_have_text("Live")
    expect(rows(inspector)).to_have_count(2)
    expect(rows(inspector).first).to_contain_text("/v1/while-it-was-away")


def test_stopped_sandbox_is_explained(
    new_page: Callable[..., Page], expected_console_errors: list[str]
) -> None:
    """Where nothing answers, the page says how to start a sandbox, and Try now connects."""
    expected_console_errors.append("ERR_CONNECTION_REFUSED")
    page = new_page()
    page.goto("/quickstart/")
    page.route(SANDBOX, lambda route: route.abort("connectionrefused"))
    page.locator(".md-nav--primary").get_by_role("link", name="Inspector").click()
    expect(page.locator(".inspector-empty")).to_contain_text("make serve")
    button = page.get_by_role("button", name="Try now")
    expect(button).to_be_enabled()
    page.unroute(SANDBOX)
    # At once: the page tries again by itself too, and then there is nothing left to press.
    button.evaluate("button => button.click()")
    expect(page.locator(".inspector-state")).to_have_text("Live")


def test_hidden_page_holds_no_connection(inspector: Page, client: httpx2.Client) -> None:
    """In the background the stream is closed, and coming back shows what happened meanwhile."""
    with inspector.expect_event("requestfailed", lambda r: r.url.endswith("/stream")):
        hide(inspector, True)
    client.get("/v1/agents")
    hide(inspector, False)
    expect(rows(inspector)).to_have_count(1)


def test_leaving_the_page_ends_the_stream(inspector: Page, client: httpx2.Client) -> None:
    """Instant navigation closes the stream, and the way back opens it for the same key."""
    create_call(client)
    expect(rows(inspector)).to_have_count(1)
    menu = inspector.locator(".md-nav--primary")
    with inspector.expect_event("requestfailed", lambda r: r.url.endswith("/stream")):
        menu.get_by_role("link", name="Place a call", exact=True).click()
    menu.get_by_role("link", name="Inspector").click()
    expect(rows(inspector)).to_have_count(1)


def test_wrong_key_is_marked_and_not_sent(inspector: Page) -> None:
    """A text that is no sandbox key is marked with how one looks, and nothing is sent."""
    sent = []
    field = inspector.locator("#inspector-key")
    field.fill("live_key")
    inspector.on("request", lambda request: sent.append(request.headers.get("authorization")))
    field.press("Enter")
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(inspector.locator(".inspector-key-error")).to_contain_text("sandbox_ and 4 to 64")
    assert "Bearer live_key" not in sent


def hide(page: Page, hidden: bool) -> None:
    """Lets the page believe that its tab is in the background, or in front again."""
    page.evaluate(
        """hidden => {
            Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
            document.dispatchEvent(new Event("visibilitychange"));
        }""",
        hidden,
    )


# The instruments


def test_placed_call_is_watched_to_its_end(inspector: Page) -> None:
    """A scenario is picked, its call placed, watched on its time line, and brought to its end."""
    inspector.get_by_label("Scenario", exact=True).select_option("busy")
    expect(inspector.locator(".inspector-scenario-form .inspector-note")).to_contain_text("busy")
    inspector.get_by_role("button", name="Place call").click()
    expect(rows(inspector)).to_have_count(1)
    show(inspector, "Calls")
    call = inspector.locator(".inspector-call")
    expect(call.locator(".life-now")).to_be_visible()
    expect(call).to_contain_text("The provider will report busy")
    inspector.get_by_role("button", name="Until idle").click()
    expect(call.locator(".life-end")).to_contain_text("busy")
    expect(call).to_contain_text("The provider reported busy and got 200")
    expect(inspector.locator(".inspector-clock")).to_contain_text("Nothing is pending")


def test_every_scenario_is_seen(inspector: Page, expected_console_errors: list[str]) -> None:
    """Each scenario of the catalogue can be picked, and ends on the page as the catalogue says."""
    expected_console_errors += ["status of 429", "status of 503"]
    catalogue = scenarios(load_sources())
    for scenario in catalogue:
        inspector.get_by_label("Scenario", exact=True).select_option(scenario["number"])
        with inspector.expect_response("**/v1/calls"):
            inspector.get_by_role("button", name="Place call").click()
    inspector.get_by_role("button", name="Until idle").click()
    inspector.get_by_label("Operation").select_option("createCall")
    expect(rows(inspector)).to_have_count(len(catalogue))
    rejected = [scenario["end"] for scenario in catalogue if scenario["end"].isdigit()]
    badges = inspector.locator(".inspector-list").locator(".status-4, .status-5")
    expect(badges).to_have_text(rejected[::-1])
    show(inspector, "Calls")
    inspector.get_by_role("button", name="Show older calls").click()
    unfinished = {
        "stuck_queued": "queued",
        "stuck_ringing": "ringing",
        "never_completes": "in progress",
    }
    for scenario in catalogue:
        if scenario["end"].isdigit():
            continue
        name = inspector.locator(
            ".inspector-call-scenario",
            has_text=re.compile(f"^{scenario['name'].replace('_', ' ')}$"),
        )
        call = inspector.locator(".inspector-call", has=name)
        status = call.locator(".inspector-call-head .status")
        end = scenario["end"].replace("_", " ") or unfinished[scenario["name"]]
        expect(status).to_have_text(end)


def test_older_calls_are_shown_on_demand(inspector: Page, client: httpx2.Client) -> None:
    """The newest twenty calls are shown, and the rest when the reader wants them."""
    for _ in range(25):
        create_call(client, "busy")
    show(inspector, "Calls")
    expect(inspector.locator(".inspector-call")).to_have_count(20)
    inspector.get_by_role("button", name="Show older calls").click()
    expect(inspector.locator(".inspector-call")).to_have_count(25)


@pytest.mark.parametrize("outcome", ["completed", "no answer", "busy", "failed", "canceled"])
def test_call_is_ended_with_an_outcome(
    inspector: Page, client: httpx2.Client, outcome: str
) -> None:
    """A call that would go on for ever ends at once as the reader chooses."""
    call_id = create_call(client, "never_completes")
    show(inspector, "Calls")
    call = inspector.locator(".inspector-call")
    call.get_by_label("How the call ends").select_option(outcome)
    call.get_by_role("button", name="End now").click()
    expect(call.locator(".life-end")).to_contain_text(outcome)
    expect(call.get_by_role("button", name="End now")).to_be_hidden()
    status = client.get(f"/v1/calls/{call_id}").json()["status"]
    assert status == outcome.replace(" ", "_")


def test_call_that_was_ended_by_hand_waits_for_nothing(
    inspector: Page, client: httpx2.Client
) -> None:
    """Nothing is announced any more of what the provider had planned for such a call."""
    create_call(client)
    show(inspector, "Calls")
    call = inspector.locator(".inspector-call")
    call.get_by_role("button", name="End now").click()
    expect(call.locator(".life-end")).to_be_visible()
    expect(call).not_to_contain_text("will report")


def test_requests_of_a_call_are_one_press_away(inspector: Page, client: httpx2.Client) -> None:
    """From a call the reader gets to its requests, and to no others."""
    client.get("/v1/agents")
    create_call(client, "busy")
    until_idle(client)
    show(inspector, "Calls")
    inspector.get_by_role("button", name="Its requests").click()
    expect(rows(inspector)).to_have_count(2)


def test_clock_moves_forward(inspector: Page, client: httpx2.Client) -> None:
    """+30 s moves the clock of the key, and the page says how far it is ahead."""
    before = client.get("/sandbox/clock").json()["now"]
    inspector.get_by_role("button", name="+30 s").click()
    expect(inspector.locator(".inspector-clock")).to_contain_text("30 s ahead of the wall clock")
    assert client.get("/sandbox/clock").json()["now"] > before


def test_coverage_follows_the_requests(inspector: Page, client: httpx2.Client) -> None:
    """The table counts what was met, and shows only what is missing on demand."""
    show(inspector, "Coverage")
    met = inspector.locator(".inspector-covered")
    expect(inspector.locator(".inspector-coverage-table")).to_contain_text("listAgents")
    expect(met).to_have_count(0)
    client.get("/v1/agents")
    expect(met).to_have_text(["✓ 1", "✓ 1"])
    inspector.get_by_label("Only what is missing").check()
    expect(met).to_have_count(0)
    expect(inspector.locator(".inspector-percent")).not_to_have_text("0 %")


def test_fault_is_armed_strikes_and_is_disarmed(inspector: Page, client: httpx2.Client) -> None:
    """The page arms a fault with what it needs, says how often it struck, and disarms it."""
    show(inspector, "Failures")
    panel = inspector.get_by_role("tabpanel", name="Failures")
    expect(panel).to_contain_text("No fault is armed.")
    panel.get_by_label("Requests that fail").select_option("createCall")
    panel.get_by_label("What strikes").select_option("problem")
    panel.get_by_label("Code of the problem").select_option("provider_unavailable")
    panel.get_by_label("Times").fill("2")
    panel.get_by_role("button", name="Arm", exact=True).click()
    armed = panel.get_by_role("region", name="Armed faults")
    expect(armed).to_contain_text("provider_unavailable")
    expect(armed).to_contain_text("0 of 2")
    [fault] = client.get("/sandbox/faults").json()["faults"]
    assert (fault["operation"], fault["times"]) == ("createCall", 2)
    assert fault["fault"]["code"] == "provider_unavailable"
    with pytest.raises(httpx2.HTTPStatusError, match="503"):
        create_call(client)
    expect(armed).to_contain_text("1 of 2")
    armed.get_by_role("button", name="Disarm").click()
    expect(armed).to_contain_text("No fault is armed.")
    assert client.get("/sandbox/faults").json() == {"faults": []}


@pytest.mark.parametrize("kind", FAULTS)
def test_every_fault_can_be_armed_from_the_page(
    inspector: Page, client: httpx2.Client, kind: str
) -> None:
    """Whatever is chosen, the form asks for what the fault needs, and no more."""
    show(inspector, "Failures")
    panel = inspector.get_by_role("tabpanel", name="Failures")
    panel.get_by_label("What strikes").select_option(kind)
    panel.get_by_role("button", name="Arm", exact=True).click()
    expect(panel.get_by_role("button", name="Disarm", exact=False).nth(1)).to_be_visible()
    [fault] = client.get("/sandbox/faults").json()["faults"]
    assert fault["fault"]["kind"] == kind
    client.delete("/sandbox/faults")


def test_rings_of_each_number_are_counted(inspector: Page, client: httpx2.Client) -> None:
    """A number that was dialled twice says so."""
    show(inspector, "Failures")
    for _ in range(2):
        create_call(client, "busy")
    rings = inspector.get_by_role("region", name="Rings")
    expect(rings).to_contain_text(load_sources().scenarios.by_name["busy"].number)
    expect(rings).to_contain_text("2 times")


def test_reset_asks_first(inspector: Page, client: httpx2.Client) -> None:
    """Nothing is removed before the reader has confirmed; then all is."""
    create_call(client)
    expect(rows(inspector)).to_have_count(1)
    reset = inspector.get_by_role("button", name="Reset…")
    reset.click()
    expect(inspector.get_by_role("button", name="Keep everything")).to_be_focused()
    inspector.keyboard.press("Escape")
    expect(reset).to_be_focused()
    assert len(client.get("/sandbox/journal").json()["exchanges"]) == 1
    reset.click()
    inspector.get_by_role("button", name="Empty it").click()
    expect(rows(inspector)).to_have_count(0)
    expect(inspector.get_by_role("tab", name="Calls")).to_contain_text("0")
    assert client.get("/sandbox/journal").json()["exchanges"] == []


def test_rejected_request_of_a_control_is_seen(
    inspector: Page, client: httpx2.Client, expected_console_errors: list[str]
) -> None:
    """When the sandbox rejects the request of a button, its reason is there for everybody."""
    expected_console_errors.append("status of 422")
    problem = {"title": "Validation failed", "detail": "That is too far.", "status": 422}
    inspector.route(
        "**/sandbox/clock",
        lambda route: (
            route.fulfill(status=422, json=problem)
            if route.request.method == "POST"
            else route.fallback()
        ),
    )
    inspector.get_by_role("button", name="+30 s").click()
    expect(inspector.get_by_text("Validation failed. That is too far.")).to_be_visible()


# Everyone


def test_list_is_read_by_keyboard(inspector: Page, client: httpx2.Client) -> None:
    """The list is one stop for the Tab key; arrows go through it and open what they reach."""
    for number in range(3):
        client.get(f"/v1/number-{number}")
    expect(rows(inspector)).to_have_count(3)
    inspector.get_by_label("Sender").focus()
    inspector.keyboard.press("Tab")
    expect(rows(inspector).and_(inspector.locator(":focus"))).to_have_count(1)
    inspector.keyboard.press("Home")
    inspector.keyboard.press("ArrowDown")
    expect(rows(inspector).nth(1)).to_be_focused()
    expect(opened(inspector)).to_contain_text("/v1/number-1")
    inspector.keyboard.press("Tab")
    expect(opened(inspector)).to_be_focused()
    inspector.keyboard.press("Escape")
    expect(rows(inspector).nth(1)).to_be_focused()


def test_tabs_are_chosen_by_arrows(inspector: Page) -> None:
    """The tabs follow the ARIA pattern."""
    inspector.get_by_role("tab", name="Requests").focus()
    inspector.keyboard.press("ArrowLeft")
    expect(inspector.get_by_role("tab", name="Coverage")).to_be_focused()
    expect(inspector.get_by_role("tabpanel", name="Coverage")).to_be_visible()
    inspector.keyboard.press("ArrowRight")
    expect(inspector.get_by_role("tabpanel", name="Requests")).to_be_visible()


def test_arrivals_do_not_take_what_is_read(inspector: Page, client: httpx2.Client) -> None:
    """New requests neither move the focus nor change the opened one."""
    client.get("/v1/the-one-that-is-read")
    rows(inspector).first.click()
    for _ in range(5):
        client.get("/v1/agents")
    expect(rows(inspector)).to_have_count(6)
    expect(rows(inspector).last).to_be_focused()
    expect(opened(inspector)).to_contain_text("/v1/the-one-that-is-read")


def test_screen_reader_is_not_flooded(inspect: Callable[..., Page], client: httpx2.Client) -> None:
    """Thirty requests in a row are announced by one sentence."""
    page = inspect()
    page.clock.install()
    page.evaluate(
        """() => {
            window.said = [];
            const place = document.querySelector('[data-part="announcement"]');
            new MutationObserver(() => window.said.push(place.textContent))
              .observe(place, { childList: true });
        }"""
    )
    for _ in range(30):
        client.get("/v1/agents")
    page.clock.run_for(500)
    expect(rows(page)).to_have_count(30)
    page.clock.run_for(11_000)
    assert page.evaluate("window.said") == ["30 new requests"]


def test_phone_shows_one_thing_at_a_time(
    inspect: Callable[..., Page], client: httpx2.Client
) -> None:
    """At 360 px an opened request replaces the list, and Back returns to the same row."""
    create_call(client)
    client.get("/v1/agents")
    page = inspect(viewport=PHONE)
    expect(rows(page)).to_have_count(2)
    expect(opened(page)).to_be_hidden()
    rows(page).last.click()
    expect(opened(page)).to_be_focused()
    expect(rows(page).first).to_be_hidden()
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    page.get_by_role("button", name="All requests").click()
    expect(rows(page).last).to_be_focused()
    for tab in ("Calls", "Coverage"):
        show(page, tab)
        assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]


def test_counts_of_the_tabs_fit_on_a_phone(inspect: Callable[..., Page]) -> None:
    """At 360 px no tab is cut off, however many requests there are and whatever is filtered."""
    page = inspect(viewport=PHONE)
    expect(page.get_by_role("tab")).to_have_count(4)
    for name in ("requests", "calls", "failures", "coverage"):
        count = page.locator(f"[data-part=count-{name}]")
        count.evaluate("count => { count.textContent = '120 of 500' }")
    hidden = "tabs => tabs.scrollWidth - tabs.clientWidth"
    assert page.get_by_role("tablist").evaluate(hidden) == 0


@pytest.mark.parametrize("viewport", [PHONE, {"width": 1280, "height": 900}], ids=["phone", "wide"])
def test_axe_finds_nothing_in_a_busy_inspector(
    inspect: Callable[..., Page], client: httpx2.Client, viewport: Any
) -> None:
    """Lists, an opened request, calls, coverage and the dialog violate no rule of axe."""
    create_call(client, "unknown_word")
    until_idle(client)
    create_call(client, "never_completes")
    client.get("/v1/nowhere")
    page = inspect(viewport=viewport)
    expect(rows(page)).to_have_count(5)
    assert violations(page) == []
    rows(page).filter(has_text="422").click()
    expect(opened(page)).to_be_visible()
    assert violations(page) == []
    show(page, "Calls")
    expect(page.locator(".life-end")).to_be_visible()
    assert violations(page) == []
    show(page, "Failures")
    client.post("/sandbox/faults", json={"operation": "any", "fault": {"kind": "reset"}})
    page.get_by_role("button", name="Arm", exact=True).click()
    expect(page.get_by_role("button", name="Disarm reset of any").first).to_be_visible()
    assert violations(page) == []
    client.delete("/sandbox/faults")
    show(page, "Coverage")
    expect(page.locator(".inspector-covered").first).to_be_visible()
    assert violations(page) == []
    page.get_by_role("button", name="Reset…").click()
    assert violations(page) == []


def test_nothing_jumps_when_the_page_comes_alive(
    new_page: Callable[..., Page], sandbox_server: SandboxServer
) -> None:
    """The script fills what the page has reserved: no part of it moves."""
    # The page opens on the demo key. A call of another test that ends just now would be a new row.
    demo = {"Authorization": f"Bearer {DEMO_KEY}"}
    httpx2.delete(f"{sandbox_server.url}/sandbox/state", headers=demo).raise_for_status()
    page = new_page()
    page.add_init_script(
        """window.shifts = [];
        new PerformanceObserver((list) => window.shifts.push(...list.getEntries()
          .filter((entry) => !entry.hadRecentInput).map((entry) => entry.value)))
          .observe({ type: "layout-shift", buffered: true });"""
    )
    page.goto("/inspector/")
    expect(page.locator(".inspector-state")).to_have_text("Live")
    page.evaluate("() => new Promise((seen) => setTimeout(seen, 600))")
    assert sum(page.evaluate("window.shifts")) < 0.01


def test_page_without_javascript_is_complete(new_page: Callable[..., Page]) -> None:
    """Without JavaScript the page says what it would show, and how to get it from a terminal."""
    page = new_page(java_script_enabled=False)
    page.goto("/inspector/")
    expect(page.get_by_text("This page is live, so it needs JavaScript")).to_be_visible()
    expect(page.get_by_role("button", name="Place call")).to_be_hidden()
    expect(page.get_by_role("tab")).to_have_count(0)
    expect(page.locator("article")).to_contain_text("/sandbox/journal/stream")
