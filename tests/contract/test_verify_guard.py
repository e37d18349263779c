"""The guard of `voice-sandbox verify`, tested as if lives depended on it.

A server that stands in for the live service counts every request that would ring a phone.
"""

import itertools
import json
import os
import re
import socket
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from fake_live_service import IDENTITY, JSON, FakeLiveService, as_sandbox, fake_live_service
from read_once import contracts
from sandbox_process import SandboxServer
from verify_command import SERVICE_KEY, new_key, verify
from voice_sandbox.verification import command
from voice_sandbox.verification.api import Api
from voice_sandbox.verification.check import Check, Needs
from voice_sandbox.verification.guard import Guard, NotAllowed
from voice_sandbox.verification.http1 import Http1Client, SentRequest
from voice_sandbox.verification.identity import Kind, identify
from voice_sandbox.verification.registry import CHECKS
from voice_sandbox.verification.runner import make_target, run_one

pytestmark = pytest.mark.usefixtures("one_process")

NUMBERS = ("+99900000001", "+99900000002")

# Everything that is not word for word a sandbox's answer to GET /sandbox.
AMBIGUOUS = {
    "not found": (404, JSON, b"{}"),
    "unauthorized": (401, JSON, b"{}"),
    "server error": (500, JSON, json.dumps(IDENTITY).encode()),
    "redirect": (302, {"Location": "/sandbox/"}, json.dumps(IDENTITY).encode()),
    "created": (201, JSON, json.dumps(IDENTITY).encode()),
    "page": (200, {"Content-Type": "text/html"}, b"<!doctype html><p>sandbox: true</p>"),
    "page that is json": (200, {"Content-Type": "text/html"}, json.dumps(IDENTITY).encode()),
    "the word true": as_sandbox(sandbox="true"),
    "one": as_sandbox(sandbox=1),
    "false": as_sandbox(sandbox=False),
    "null": as_sandbox(sandbox=None),
    "no contract": (200, JSON, b'{"sandbox": true}'),
    "more fields": as_sandbox(live=True),
    "twice": (200, JSON, json.dumps(IDENTITY).replace("{", '{"sandbox":false,', 1).encode()),
    "list": (200, JSON, json.dumps([IDENTITY]).encode()),
    "empty": (200, JSON, b""),
    "broken": (200, JSON, b'{"sandbox": true'),
    "deep": (200, JSON, b"[" * 100_000),
    "long": (200, JSON, b" " * 5_000_000 + json.dumps(IDENTITY).encode()),
    # It says all the right words, but nothing proves that /v1 is the same machine.
    "an impostor": as_sandbox(),
}


def combinations() -> list[tuple[str, ...]]:
    """Every combination of options that verify has, without --call-number."""
    switches = [
        ("--key", "another-key"),
        ("--timeout", "0.3"),
        ("--generate", "5"),
        ("--quick",),
        ("--junit", "report.xml"),
        ("--json", "report.json"),
    ]
    return [
        tuple(itertools.chain.from_iterable(chosen))
        for count in range(len(switches) + 1)
        for chosen in itertools.combinations(switches, count)
    ]


def test_every_option_is_among_the_combinations() -> None:
    """A new option of verify is tried against the fake live service too."""
    tried = {word for words in combinations() for word in words if word.startswith("--")}
    options = {option.opts[0] for option in command.verify.params if option.opts[0][0] == "-"}
    assert options - tried == {"--call-number", "--contract"}


@pytest.mark.parametrize("arguments", combinations(), ids=" ".join)
def test_no_combination_of_options_dials(
    arguments: tuple[str, ...],
    live: FakeLiveService,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without --call-number a live service is never asked for a call."""
    monkeypatch.chdir(tmp_path)
    result = verify(live.url, *arguments)
    assert live.dials == []
    assert live.requests
    assert result.exit_code == (2 if "--generate" in arguments else 1), result.output


@pytest.mark.parametrize("said", AMBIGUOUS)
def test_ambiguous_identity_is_no_sandbox(said: str, live: FakeLiveService) -> None:
    """Whatever is not exactly a sandbox's answer rings nobody."""
    live.responses["/sandbox"] = AMBIGUOUS[said]
    result = verify(live.url)
    assert live.dials == []
    assert "no call is placed" in result.output
    assert verify(live.url, "--generate", "5").exit_code == 2
    assert live.dials == []


@pytest.mark.parametrize("key", [None, SERVICE_KEY])
def test_sandbox_that_breaks_the_contract_where_it_names_itself_is_told(
    live: FakeLiveService, key: str | None
) -> None:
    """What spoils the proof is a finding with its place, and nobody is phoned."""
    live.responses["/sandbox"] = as_sandbox(version=1)
    result = verify(live.url, key=key)
    assert result.exit_code == 1
    assert "says that it is a sandbox, and breaks the contract at /version" in result.output
    assert live.dials == []


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("path", ["/sandbox", "/v1/agents"])
def test_slow_server_is_no_sandbox(path: str, live: FakeLiveService) -> None:
    """A server that takes longer than it may is taken for the live service, or left alone."""
    live.responses["/sandbox"] = as_sandbox()
    live.hang_seconds[path] = 30
    result = verify(live.url, "--timeout", "0.3")
    assert result.exit_code in (1, 2), result.output
    assert live.dials == []


def test_impostor_that_forges_a_journal_under_another_id_is_no_sandbox(
    live: FakeLiveService,
) -> None:
    """The proof asks for the very exchange that was made."""
    live.responses["/sandbox"] = as_sandbox()
    contract, control = contracts()
    client = Http1Client(live.url, timeout_seconds=1)
    assert identify(client, contract, control, new_key=new_key).kind is Kind.OTHER


def test_host_that_the_contract_names_is_live(live: FakeLiveService) -> None:
    """A host of the contract's own is never a sandbox, and nothing is asked to decide that."""
    contract, control = contracts()
    hosts = [server.url for server in contract.servers if "127.0.0.1" not in server.url]
    assert hosts
    for url in hosts:
        client = Http1Client(url, timeout_seconds=0.1)
        found = identify(client, contract, control, new_key=new_key)
        assert found.kind is Kind.OTHER


def dialable(body: bytes) -> list[str]:
    """What in a body is long enough to be dialed, without zeros in front."""
    return [number.lstrip("0") for number in re.findall("[0-9]{7,}", body.decode())]


def nobody_owns(number: str) -> bool:
    """Whether it lies in the range reserved for fiction, or in a country that does not exist."""
    return number.startswith(("120255501", "999"))


def creates(number: int, method: str, path: str, body: bytes) -> bool:
    return method == "POST" and path == "/v1/calls"


def test_gateway_that_sends_calls_elsewhere_is_no_sandbox(
    live: FakeLiveService, sandbox_server: SandboxServer
) -> None:
    """Reads and journal are those of a sandbox, calls would be real: no number is ever named."""
    live.sandbox, live.is_live = sandbox_server.url, creates
    result = verify(live.url)
    assert "its journal has not seen POST /v1/calls" in result.output
    assert live.dials == [b"{}"]  # what tells it, under a key of nobody, and without a number
    assert verify(live.url, "--generate", "5").exit_code == 2
    assert {*live.dials} == {b"{}"}


@pytest.mark.parametrize("requests", [8, 30, 100, 333])
def test_sandbox_that_is_replaced_meanwhile_is_left(
    requests: int, live: FakeLiveService, sandbox_server: SandboxServer
) -> None:
    """A run stops as soon as its deployment is no sandbox any more, and calls nobody till then."""
    live.sandbox = sandbox_server.url
    live.is_live = lambda number, *_: number > requests
    result = verify(live.url, "--generate", "5")
    assert result.exit_code in (1, 2), result.output
    assert "no sandbox" in result.output
    assert "Schemathesis" not in result.output
    made = [body for body in live.dials if body.startswith(b'{"phone"')]
    assert all(nobody_owns(number) for body in made for number in dialable(body))
    assert len(live.requests) < requests + 60


def test_address_that_was_proved_is_kept(
    live: FakeLiveService, sandbox_server: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that leads somewhere else a moment later leads nobody there."""
    elsewhere = int(live.url.rpartition(":")[2])
    port = int(sandbox_server.url.rpartition(":")[2])
    look_up, looked_up = socket.getaddrinfo, 0

    def changing(host: str, *arguments: Any, **named: Any) -> Any:
        nonlocal looked_up
        looked_up += 1
        found = look_up("127.0.0.1", *arguments, **named)
        to = port if looked_up <= 2 else elsewhere  # the first is for the contract's own hosts
        return [(*one[:4], (one[4][0], to)) for one in found]

    monkeypatch.setattr(socket, "getaddrinfo", changing)
    result = verify("http://localhost:8010")
    assert result.exit_code == 0, result.output
    assert live.requests == []


def test_redirects_are_not_followed(
    live: FakeLiveService, agents: Any, sandbox_server: SandboxServer
) -> None:
    """A sandbox that sends creations on to another machine reaches nobody there."""
    with fake_live_service(agents) as elsewhere:
        live.sandbox = sandbox_server.url
        live.is_live = lambda _, method, path, body: creates(0, method, path, b"") and body != b"{}"
        live.responses["/v1/calls"] = (307, {"Location": f"{elsewhere.url}/v1/calls"}, b"")
        result = verify(live.url)
    assert result.exit_code == 1, result.output
    assert "createCall returns 307" in result.output
    assert elsewhere.requests == []


def guarded(program: str, url: str, address: str = "127.0.0.1") -> subprocess.CompletedProcess[str]:
    """Runs Python in a process that is guarded as the one is that makes requests up."""
    return subprocess.run(
        [
            sys.executable,
            "-c",
            f"import voice_sandbox.verification.generation_guard as g\n{program}",
        ],
        env={
            **os.environ,
            "VOICE_PROVED_URL": url,
            "VOICE_PROVED_ADDRESS": address,
            "VOICE_API_KEY": new_key(),
        },
        capture_output=True,
        text=True,
        check=False,
    )


def test_generated_requests_reach_one_address_alone(
    live: FakeLiveService, sandbox_server: SandboxServer
) -> None:
    """No name, no redirect and no other port leads Schemathesis away from the proved sandbox."""
    ran = guarded(
        "import requests, socket\n"
        f"print(requests.get('{sandbox_server.url}/sandbox').status_code)\n"
        "print(requests.get('http://any.name.example/sandbox').status_code)\n"
        "try:\n"
        f"    socket.create_connection(('127.0.0.1', {live.url.rpartition(':')[2]}))\n"
        f"    connection = socket.socket()\n"
        f"    connection.connect(('127.0.0.1', {live.url.rpartition(':')[2]}))\n"
        "except PermissionError as error:\n"
        "    print(error)\n",
        sandbox_server.url,
    )
    assert ran.stdout.splitlines()[:2] == ["200", "200"], ran.stderr
    assert "not the sandbox that was proved" in ran.stdout
    assert live.requests == []


def test_generated_requests_end_with_the_sandbox(
    live: FakeLiveService, sandbox_server: SandboxServer
) -> None:
    """Before a creation is sent the sandbox is proved again, and without proof nothing is sent."""
    assert guarded("g.address_guard.prove()\nprint('on')", sandbox_server.url).stdout == "on\n"
    ran = guarded("g.address_guard.prove()\nprint('on')", live.url)
    assert (ran.returncode, ran.stdout) == (70, "")
    assert "no sandbox any more" in ran.stderr
    assert live.dials == []


def test_generated_requests_ask_no_proxy(
    live: FakeLiveService, sandbox_server: SandboxServer
) -> None:
    """--generate lets Schemathesis make requests up, in a namespace of its own and directly."""
    proxies = dict.fromkeys(("http_proxy", "HTTP_PROXY", "ALL_PROXY", "HTTPS_PROXY"), live.url)
    ran = subprocess.run(
        [
            sys.executable,
            "-m",
            "voice_sandbox",
            "verify",
            sandbox_server.url,
            "--quick",
            "--generate",
            "1",
        ],
        env={**os.environ, **proxies, "no_proxy": "", "NO_PROXY": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "It conforms" in ran.stdout
    assert "No issues found" in ran.stdout
    assert live.requests == []


def test_generated_requests_are_judged_alike(root: Path) -> None:
    """--generate takes for rejected and accepted what the project's own tests do."""
    own = tomllib.loads((root / "schemathesis.toml").read_text("utf-8"))
    ours = tomllib.loads(command._CONFIGURATION.format(hooks='""', key="KEY", agent="", examples=1))
    for name in ("checks", "suppress-health-check", "request-timeout"):
        assert ours[name] == own[name]


@pytest.mark.parametrize("host", ["LIVE.example", "live.example.", "192.0.2.7", "::ffff:192.0.2.7"])
def test_other_names_of_a_live_host_are_live(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Capitals, a final dot and another notation of its address make no other host of it."""
    contract, control = contracts()
    server = contract.servers[0]
    named = [replace(server, url=f"http://{name}") for name in ("live.example", "192.0.2.7")]
    monkeypatch.setattr(Http1Client, "exchange", lambda *_, **__: pytest.fail("it is asked"))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(0, 0, 0, "", (host, 80))])
    client = Http1Client(f"http://[{host}]" if ":" in host else f"http://{host}", timeout_seconds=1)
    found = identify(client, replace(contract, servers=tuple(named)), control, new_key=new_key)
    assert found.kind is Kind.OTHER
    assert "server of its own" in found.why


def test_check_that_tries_too_much_blames_nobody(live: FakeLiveService) -> None:
    """A bug of a check is neither a finding nor a pass."""

    def dial(api: Api) -> None:
        api.post("/v1/calls", {"phone": "+4930123456", "agent": "x"})

    contract, control = contracts()
    client = Http1Client(live.url, timeout_seconds=1)
    target = make_target(client, contract, control, is_sandbox=False, new_key=new_key)
    outcome = run_one(
        Check("dial", "It dials.", Needs.READ, dial), target, key=SERVICE_KEY, base_url=""
    )
    assert (outcome.finding, live.requests) == ("", [])
    assert "held back" in outcome.doubt


def test_named_numbers_are_called_once_each(live: FakeLiveService) -> None:
    """Each --call-number is called exactly once, after it was said, however often it is given."""
    words = [word for number in (*NUMBERS, NUMBERS[0]) for word in ("--call-number", number)]
    result = verify(live.url, *words)
    assert [json.loads(body)["phone"] for body in live.dials] == list(NUMBERS)
    for number in NUMBERS:
        assert f"One call will be placed to {number}." in result.output


def test_numbers_do_not_open_the_way_for_generated_calls(live: FakeLiveService) -> None:
    """--generate is rejected beside --call-number too, before anything is dialed."""
    result = verify(live.url, "--call-number", NUMBERS[0], "--generate", "5")
    assert result.exit_code == 2
    assert live.dials == []


@pytest.mark.parametrize(
    "number", ["", "0700", "+1 202", "+999000x", "+99900000001\n", "+٩٩٩٠٠٠٠٠٠١"]
)
def test_numbers_of_a_wrong_form_are_rejected(number: str, live: FakeLiveService) -> None:
    """A number that is no number is never sent."""
    assert verify(live.url, "--call-number", number).exit_code == 2
    assert live.requests == []


def test_named_number_is_not_called_in_a_sandbox(sandbox_server: SandboxServer) -> None:
    """In a sandbox the scenarios' numbers suffice."""
    result = verify(sandbox_server.url, "--call-number", NUMBERS[0])
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    "sent",
    [
        SentRequest("POST", "/v1/calls", (), b"{}"),
        SentRequest("POST", "/v1/calls/", (), b"{}"),
        SentRequest("POST", "/V1/CALLS", (), b"{}"),
        SentRequest("POST", "/v1/calls", (), b'{"phone":"+99900000009"}'),
        SentRequest("POST", "/v1/calls", (), b'{"phone":"+99900000001"}', chunked=True),
        SentRequest("PUT", "/v1/calls"),
        SentRequest("GET", "/v1/calls", (), b"{}"),
        SentRequest(
            "GET", "/v1/calls", (("X-HTTP-Method-Override", "POST\r\n\r\nPOST /v1/calls"),)
        ),
        SentRequest("GET", "/v1/agents HTTP/1.1\r\n\r\nPOST /v1/calls"),
        SentRequest("POST", "/v1/webhooks/call-completed", (), b'{"provider_call_id":"x"}'),
        SentRequest("POST", "/v1/webhooks/call-completed", (), b"x POST /v1/calls HTTP/1.1"),
        SentRequest("POST", "/v1/webhooks/call-completed", (), b"{}", declared_length=0),
        SentRequest("DELETE", "/v1/agents"),
        SentRequest("GET", "/v1/calls", (("X-HTTP-Method-Override", "POST"),)),
        SentRequest("POST", "/v1/calls", (), b'{"phone":"+99900000001","phone":"+4930123456"}'),
        SentRequest("POST", "/v1/calls", (), b'{"phone":"+99900000001","to":"+49 30 123-45-67"}'),
        SentRequest(
            "POST", "/v1/webhooks/call-completed", (), b'{"provider_call_id":"real-1","x":'
        ),
        SentRequest(
            "POST",
            "/v1/webhooks/call-completed",
            (),
            b'{"provider_call_id":"verification-of-no-call","provider_call_id":"real-1"}',
        ),
    ],
)
def test_guard_lets_nothing_else_through(sent: SentRequest, live: FakeLiveService) -> None:
    """Whatever a check may try, the guard stands between it and a phone."""
    guard = Guard(Http1Client(live.url, timeout_seconds=1), is_sandbox=False, numbers=[NUMBERS[0]])
    with pytest.raises(NotAllowed):
        guard.exchange(sent)
    with pytest.raises(NotAllowed):
        guard.exchange_at_once([sent])
    assert live.requests == []


def test_guard_spends_each_number_once(live: FakeLiveService) -> None:
    """A number that was called is not called again."""
    guard = Guard(Http1Client(live.url, timeout_seconds=1), is_sandbox=False, numbers=[NUMBERS[0]])
    call = SentRequest("POST", "/v1/calls", (), json.dumps({"phone": NUMBERS[0]}).encode())
    guard.exchange(call)
    with pytest.raises(NotAllowed):
        guard.exchange(call)
    assert len(live.dials) == 1


def test_sandbox_is_called_at_numbers_that_nobody_owns(live: FakeLiveService) -> None:
    """Even a sandbox that is none would ring nobody."""
    guard = Guard(Http1Client(live.url, timeout_seconds=1), is_sandbox=True)
    for phone in (
        "+12125551234",
        "+4930123456",
        "+12025550200",
        "2125551234",
        "+1 (212) 555-12.34",
        "+\u0661\u0662\u0661\u0662\u0665\u0665\u0665\u0661\u0662\u0663\u0664",
        ["+493", "0123456"],
    ):
        for path in ("/v1/calls", "/v1/calls/", "/V1/calls", "//v1/calls", "/v1/x/../calls"):
            for method in ("POST", "PUT"):
                sent = SentRequest(method, path, (), json.dumps({"phone": phone}).encode())
                with pytest.raises(NotAllowed):
                    guard.exchange(sent)
    assert live.requests == []


def test_one_check_alone_places_named_calls() -> None:
    """Two such checks would ring each phone twice."""
    assert [one.name for one in CHECKS.values() if one.needs is Needs.CALL] == [
        "named_number_is_called"
    ]
