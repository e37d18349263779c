"""`voice-sandbox verify`: what it says, and how it ends."""

import json
import logging
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from fake_live_service import JSON, FakeLiveService
from fault_injection import faulty_sandbox
from faults import FAULTS
from node_tools import NodeTools
from prism_process import free_port, prism_proxy
from read_once import contracts
from sandbox_process import SandboxServer
from verify_command import LISTED, SERVICE_KEY, verify
from voice_sandbox.verification import command
from voice_sandbox.verification.curl import as_curl
from voice_sandbox.verification.http1 import Http1Client, NoResponse, SentRequest

pytestmark = pytest.mark.usefixtures("one_process")


def test_sandbox_conforms(sandbox_server: SandboxServer, tmp_path: Path) -> None:
    """Exit 0, a JUnit file and a JSON file that say so."""
    junit, as_json = tmp_path / "deep" / "report.xml", tmp_path / "report.json"
    reports = ("--junit", str(junit), "--json", str(as_json))
    result = verify(sandbox_server.url, *reports, key=None, is_quick=False)
    assert result.exit_code == 0, result.output
    assert "It conforms" in result.output
    suite = ET.parse(junit).getroot()[0]
    assert (suite.get("failures"), suite.get("errors")) == ("0", "0")
    report = json.loads(as_json.read_text())
    assert report["verdict"] == "conforms"
    assert {check["result"] for check in report["checks"]} == {"passed"}


def test_progress_is_shown_off_a_terminal(
    sandbox_server: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that is watched through its output sees which check runs; the report is elsewhere."""
    monkeypatch.setattr(command, "_PROGRESS_SECONDS", 0.0)
    result = verify(sandbox_server.url, key=None)
    assert "[1/" in result.stderr
    assert "[1/" not in result.stdout
    assert "\x1b" not in result.stderr


def test_generating_needs_its_tool_before_anything_is_sent(
    sandbox_server: SandboxServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where Schemathesis is missing the command says so first, and verifies nothing."""
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    result = verify(sandbox_server.url, "--generate", "1", key=None)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "needs Schemathesis" in result.stderr


def test_an_api_address_is_told_what_to_drop(sandbox_server: SandboxServer) -> None:
    """A URL that ends in /v1 is not the deployment's, and the message has the one that is."""
    result = verify(f"{sandbox_server.url}/v1")
    assert result.exit_code == 2
    assert f"Leave /v1 out of the URL: {sandbox_server.url}." in result.output


@pytest.mark.parametrize("seconds", ["0.3", "0.6"])
def test_the_timeout_governs_identification_too(seconds: str) -> None:
    """A server that takes connections and says nothing is given up after --timeout."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        result = verify(url, "--timeout", seconds)
    assert result.exit_code == 2
    assert f"within {seconds} seconds" in result.output


NAMED = (
    "invalid_utf8_crashes",
    "duplicate_keys_are_taken",
    "start_of_the_token_decides",
    "transcripts_are_shared",
    "completion_is_ignored",
    "duration_is_one_too_long",
    "status_differs_from_http",
    "any_type_is_taken",
    "retries_race",
    "transcript_is_escaped",
)


@pytest.mark.parametrize("name", NAMED)
def test_fault_is_named(name: str, tmp_path: Path) -> None:
    """Against a faulty sandbox it exits 1 and says in one sentence, with a curl, what is wrong."""
    report = tmp_path / "report.json"
    junit = tmp_path / "report.xml"
    logging.disable(logging.CRITICAL)
    try:
        with faulty_sandbox(FAULTS[name].alter) as url:
            result = verify(url, "--json", str(report), "--junit", str(junit))
    finally:
        logging.disable(logging.NOTSET)
    assert result.exit_code == 1, result.output
    found = {check["name"]: check for check in json.loads(report.read_text())["checks"]}
    caught = found[FAULTS[name].caught_by]
    assert caught["result"] == "failed"
    # Checks with the same symptom are named together, under the sentence of the first.
    assert caught["finding"] in result.output or caught["name"] in result.output
    assert caught["curl"].startswith(("curl -i", "python3 -c"))
    assert "VOICE_API_KEY" in caught["curl"] or "Authorization" not in caught["curl"]
    assert int(ET.parse(junit).getroot()[0].get("failures") or 0) >= 1


def test_findings_are_grouped_by_their_symptom(tmp_path: Path) -> None:
    """One cause that many checks meet is told once, with the names of the others."""
    report = tmp_path / "report.json"
    with faulty_sandbox(FAULTS["completion_is_ignored"].alter) as url:
        result = verify(url, "--json", str(report))
    failed = [one for one in json.loads(report.read_text())["checks"] if one["result"] == "failed"]
    symptoms = {one["symptom"] for one in failed}
    assert result.output.count("✗ ") == len(symptoms) < len(failed)
    assert re.search(r"[0-9]+ more checks found the same: \w+, \w+", result.output)


def test_curl_shows_the_fault_again() -> None:
    """The command that stands beside a finding gets the same response from a shell."""
    with faulty_sandbox(FAULTS["duplicate_keys_are_taken"].alter) as url:
        result = verify(url)
        lines = [line.strip() for line in result.output.splitlines()]
        command = next(line for line in lines if "--data-raw" in line and "duration" in line)
        ran = subprocess.run(
            ["bash", "-c", command],
            env={"VOICE_API_KEY": "sandbox_anybody", "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=True,
        )
    assert "HTTP/1.1 404" in ran.stdout  # must be 400: the key stands twice


@pytest.mark.parametrize(
    "body",
    [
        b" " * 1_048_576 + b"{}",
        b"[" * 30_000 + b"]" * 30_000,
        b'{"phone":"' + "\u0436\u0443\u0440\u0442".encode() * 333 + b'"}',
        bytes(range(256)) * 40,
        b"\xff" + b"ab" * 50 + b"a",
        b"\xff" + b"ab" * 49 + b"a",
        b"\x00",
    ],
    ids=["spaces", "brackets", "words", "bytes", "fifty times", "less than fifty", "nothing"],
)
def test_curl_sends_what_was_sent(body: bytes) -> None:
    """A body that is long or no text is written as a program that writes it."""
    shown = as_curl(
        SentRequest("POST", "/v1/calls", (), body), base_url="http://127.0.0.1", keys={}
    )
    ran = subprocess.run(["sh", "-c", f"curl() {{ cat; }}; {shown}"], stdout=subprocess.PIPE)
    assert ran.stdout == body


def test_curl_counts_what_repeats() -> None:
    """A body of a megabyte that says little is one line that a person can read."""
    body = b"{}" + b" " * 1_048_576
    shown = as_curl(
        SentRequest("POST", "/v1/calls", (), body), base_url="http://127.0.0.1", keys={}
    )
    assert "1048576" in shown
    assert len(shown) < 200


def test_key_of_a_service_is_never_shown(live: FakeLiveService, tmp_path: Path) -> None:
    """Neither output nor reports repeat the service key."""
    junit, as_json = tmp_path / "report.xml", tmp_path / "report.json"
    result = verify(live.url, "--junit", str(junit), "--json", str(as_json))
    assert result.exit_code == 1
    for text in (result.output, junit.read_text(), as_json.read_text()):
        assert SERVICE_KEY not in text
        assert "VOICE_API_KEY" in text


def turned_around(key: str) -> str:
    """A sandbox key with capitals for small letters and the other way round."""
    start, rest = key[:8], key[8:]
    return start + rest.swapcase() if start == "sandbox_" else key


@pytest.mark.parametrize("key", [LISTED[0], SERVICE_KEY, "s3cret+/=", "sandbox_0000"])
@pytest.mark.parametrize("spelled", [str, str.upper, turned_around])
def test_key_is_shown_in_no_spelling(key: str, spelled: Callable[[str], str]) -> None:
    """A key that a check turned into capitals is no secret any more: its variable is turned."""
    sent = SentRequest("GET", "/v1/agents", (("Authorization", f"Bearer {spelled(key)}"),))
    shown = as_curl(sent, base_url="http://127.0.0.1", keys={key: "VOICE_API_KEY"})
    ran = subprocess.run(
        ["sh", "-c", f'curl() {{ printf "%s\\n" "$@"; }}; {shown}'],
        env={"VOICE_API_KEY": key, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.splitlines()[-1] == f"Authorization: Bearer {spelled(key)}"
    assert spelled(key) not in shown


@pytest.mark.parametrize(
    ("url", "arguments"),
    [
        ("http://127.0.0.1:9", ()),
        ("ftp://127.0.0.1", ()),
        ("127.0.0.1:8010", ()),
        ("http://user@127.0.0.1:8010", ()),
        ("http://127.0.0.1:9", ("--contract", "missing.yaml")),
    ],
)
def test_what_cannot_be_told_is_2(url: str, arguments: tuple[str, ...]) -> None:
    """Nothing listens there, or it is no URL: that is neither yes nor no."""
    result = verify(url, *arguments)
    assert result.exit_code == 2
    assert result.output.startswith("Error: ")


def test_service_without_a_key_is_2(live: FakeLiveService) -> None:
    """A service is not judged by how it rejects everything."""
    result = verify(live.url, key=None)
    assert result.exit_code == 2
    assert "--key" in result.output
    live.responses["/v1/agents"] = (401, JSON, b"{}")
    assert verify(live.url).exit_code == 2


def test_deployment_that_stops_responding_is_2(live: FakeLiveService) -> None:
    """A run that breaks off proves nothing, and does not go on for hours."""
    contract, control = contracts()
    path = "/v1/calls/00000000-0000-4000-8000-000000000000"
    live.hang_seconds[path] = 30
    result = verify(live.url, "--timeout", "0.2")
    assert result.exit_code == 1  # only that path hangs, so that is a finding
    assert "gave no response" in result.output
    assert contract is not control


def test_prism_mock_is_told_apart(node_tools: NodeTools, contract_path: Path) -> None:
    """A mock keeps no state and completes nothing; verify says so instead of judging it."""
    port = free_port()
    command = node_tools.command(
        "prism", "mock", contract_path, "--host", "127.0.0.1", "--port", str(port)
    )
    with prism_proxy(command, port=port) as url:
        result = verify(url)
    assert result.exit_code == 2
    assert "keeps no state" in result.output
    assert "completes no call" in result.output


def test_client_gives_up_in_time(live: FakeLiveService) -> None:
    """No exchange outlives its deadline, however slowly a response drips."""
    live.hang_seconds["/slow"] = 30
    with pytest.raises(NoResponse, match=r"0\.2 seconds"):
        Http1Client(live.url, timeout_seconds=0.2).exchange(SentRequest("GET", "/slow"))
