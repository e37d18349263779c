"""Integration coverage: what a test run has met of contract and catalogue."""

from voice_sandbox.testing.client import SandboxClient


def met(voice_sandbox: SandboxClient) -> dict[str, int]:
    """The items that were met at least once, with how often."""
    items = voice_sandbox.coverage()["items"]
    return {item["name"]: item["exchanges"] for item in items if item["exchanges"]}


def test_a_fresh_key_has_met_nothing(voice_sandbox: SandboxClient) -> None:
    """Coverage starts at zero percent."""
    assert voice_sandbox.coverage()["percent"] == 0


def test_one_call_meets_what_it_touches(voice_sandbox: SandboxClient) -> None:
    """Operations, statuses and scenario of one call are counted, the provider's side too."""
    number = voice_sandbox.scenarios()["busy"]
    call_id = voice_sandbox.call(number)
    voice_sandbox.until_idle()
    voice_sandbox.status(call_id)
    assert met(voice_sandbox) == {
        "createCall": 1,
        "createCall 201": 1,
        "getCall": 1,
        "getCall 200": 1,
        "callCompleted": 1,
        "callCompleted 200": 1,
        "busy": 3,
    }


def test_problems_are_counted_by_code(voice_sandbox: SandboxClient) -> None:
    """A problem counts under its operation, status and code."""
    voice_sandbox.client.get("/v1/agents", headers={"Prefer": "code=429"})
    assert met(voice_sandbox)["listAgents 429 rate_limited"] == 1


def test_counting_goes_on_after_the_journal_forgot(voice_sandbox: SandboxClient) -> None:
    """Coverage counts more exchanges than the journal keeps."""
    for _ in range(1010):
        voice_sandbox.client.get("/v1/agents")
    assert met(voice_sandbox)["listAgents"] == 1010


def test_everything_can_be_met(voice_sandbox: SandboxClient) -> None:
    """One hundred percent is within reach of every key."""
    client = voice_sandbox.client
    agent = client.get("/v1/agents").json()["agents"][0]["key"]
    for number in voice_sandbox.scenarios().values():
        client.post("/v1/calls", json={"phone": number, "agent": agent})
    voice_sandbox.until_idle()
    client.get("/v1/calls/00000000-0000-0000-0000-000000000000", headers={"Prefer": "code=200"})
    paths = {
        "createCall": ("POST", "/v1/calls"),
        "getCall": ("GET", "/v1/calls/00000000-0000-0000-0000-000000000000"),
        "listAgents": ("GET", "/v1/agents"),
        "callCompleted": ("POST", "/v1/webhooks/call-completed"),
    }
    for item in voice_sandbox.coverage()["items"]:
        if item["kind"] == "problem":
            operation, status, code = item["name"].split()
            method, path = paths[operation]
            prefer = f"code={status}, example={code}"
            client.request(method, path, headers={"Prefer": prefer})
    missing = [i["name"] for i in voice_sandbox.coverage()["items"] if not i["exchanges"]]
    assert missing == []
