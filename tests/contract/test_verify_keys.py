"""`voice-sandbox verify` against a sandbox that accepts the keys on its list alone."""

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from click.testing import Result

from fake_live_service import JSON, FakeLiveService, as_sandbox, problem
from fault_injection import FaultInjector, FaultyRequest, faulty_sandbox
from faults import FAULTS
from read_once import contracts
from sandbox_process import SandboxServer, start_sandbox
from verify_command import LISTED, SERVICE_KEY, verify
from voice_sandbox import clock
from voice_sandbox.contract.catalogue import read_catalogue
from voice_sandbox.verification import command, listed_keys
from voice_sandbox.verification.check import Needs
from voice_sandbox.verification.http1 import USER_AGENT
from voice_sandbox.verification.listed_keys import ListedKeys
from voice_sandbox.verification.registry import CHECKS

pytestmark = pytest.mark.usefixtures("one_process")


@pytest.fixture(scope="module")
def listing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxServer]:
    """A sandbox that accepts four keys and no other."""
    folder = tmp_path_factory.mktemp("listing")
    keys = folder / "keys"
    keys.write_text("\n".join([*LISTED, "sandbox_in_use", "sandbox_left_alone"]))
    with start_sandbox(folder, "--keys-file", str(keys)) as server:
        yield server


def with_keys(url: str, *keys: str, more: tuple[str, ...] = ()) -> Result:
    return verify(url, *itertools.chain(*(("--key", key) for key in keys)), *more, key=None)


@pytest.mark.parametrize("keys", [(), (SERVICE_KEY,), LISTED[:1], LISTED[:1] * 2])
def test_listed_keys_are_asked_for(keys: tuple[str, ...], listing: SandboxServer) -> None:
    """It says that the deployment accepts listed keys alone, and how many it needs: exit 2."""
    result = with_keys(listing.url, *keys)
    assert result.exit_code == 2, result.output
    assert "accepts the keys on its list alone" in result.output
    assert f"{'one was' if LISTED[0] in keys else 'none was'} given" in result.output
    assert "--key sandbox_… --key sandbox_…" in result.output
    assert "two machines" not in result.output


def test_key_that_is_not_listed_is_named(listing: SandboxServer) -> None:
    """Which of the keys is rejected is said, and the key itself is not."""
    result = with_keys(listing.url, LISTED[0], "sandbox_of_nobody")
    assert result.exit_code == 2
    assert "second key that was given is not on the list" in result.output
    assert "sandbox_of_nobody" not in result.output


def test_namespace_that_is_in_use_is_kept(listing: SandboxServer) -> None:
    """A verification empties the namespaces of its keys, so it takes none that holds anything."""
    signed = {"Authorization": "Bearer sandbox_in_use"}
    call = {"phone": "+12025550100", "agent": read_catalogue(contracts()[0]).agents[0].key}
    created = httpx2.post(f"{listing.url}/v1/calls", json=call, headers=signed)
    result = with_keys(listing.url, "sandbox_in_use", LISTED[0])
    assert result.exit_code == 2
    assert "first key that was given is in use" in result.output
    path = created.headers["Location"]
    assert httpx2.get(f"{listing.url}{path}", headers=signed).status_code == 200


@pytest.mark.parametrize("used_since", [False, True])
def test_key_of_a_verification_that_was_killed_is_taken(
    used_since: bool, listing: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a killed verification left is emptied, unless somebody used the key since."""
    only(monkeypatch, "calls_of_other_keys_do_not_exist")
    monkeypatch.setattr(listed_keys, "UNCHANGED_SECONDS", 0.0)
    monkeypatch.setattr(ListedKeys, "empty", lambda _: "")  # as it is where nobody lives to do it
    with_keys(listing.url, *LISTED)
    monkeypatch.undo()
    only(monkeypatch, "calls_of_other_keys_do_not_exist")
    monkeypatch.setattr(listed_keys, "UNCHANGED_SECONDS", 0.0)
    assert journals(listing.url) != []
    signed = {"Authorization": f"Bearer {LISTED[1]}"}
    if used_since:
        httpx2.get(f"{listing.url}/v1/agents", headers=signed)
    result = with_keys(listing.url, *LISTED)
    for key in LISTED:
        httpx2.delete(f"{listing.url}/sandbox/state", headers={"Authorization": f"Bearer {key}"})
    assert result.exit_code == (2 if used_since else 0), result.output
    assert ("second key that was given is in use" in result.output) == used_since


def test_key_of_a_verification_that_runs_is_left_to_it(
    listing: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A journal that grows while it is watched belongs to a verification that still runs."""
    signed = {"Authorization": f"Bearer {LISTED[0]}", "User-Agent": USER_AGENT}

    def send(seconds: float) -> None:
        httpx2.get(f"{listing.url}/v1/agents", headers=signed)

    send(0)
    monkeypatch.setattr(clock, "sleep", send)
    result = with_keys(listing.url, *LISTED)
    httpx2.delete(f"{listing.url}/sandbox/state", headers=signed)
    assert result.exit_code == 2
    assert "Another verification uses the keys that were given" in result.output


def test_sandbox_with_listed_keys_conforms(listing: SandboxServer, tmp_path: Path) -> None:
    """Two listed keys are enough for every check and for generated requests, and are left empty."""
    report = tmp_path / "report.json"
    more = ("--json", str(report), "--generate", "1")
    result = with_keys(listing.url, *LISTED, "sandbox_left_alone", more=more)
    assert result.exit_code == 0, result.output
    assert "It conforms" in result.output
    assert [key for key in LISTED if key in result.output] == []
    said = json.loads(report.read_text())
    assert said["deployment"]["kind"] == "sandbox"
    assert {check["result"] for check in said["checks"]} == {"passed"}
    checks = [one for one in CHECKS.values() if one.needs is not Needs.CALL]
    assert len(said["checks"]) == 1 + len(checks)  # and requests in any order
    assert journals(listing.url) == []


def journals(url: str) -> list[Any]:
    """What the listed keys have in their journals, as any worker may tell it."""
    return [
        exchange
        for key in LISTED * 5
        for exchange in httpx2.get(
            f"{url}/sandbox/journal", headers={"Authorization": f"Bearer {key}"}
        ).json()["exchanges"]
    ]


def test_workers_are_one_sandbox(tmp_path: Path) -> None:
    """What one worker journals another shows a moment later, and that is no other machine."""
    keys = tmp_path / "keys"
    keys.write_text("\n".join(LISTED))
    with start_sandbox(tmp_path, "--workers", "2", "--keys-file", str(keys)) as server:
        ran = subprocess.run(
            [sys.executable, "-m", "voice_sandbox", "verify", server.url],
            env={**os.environ, "VOICE_API_KEY": " ".join(LISTED)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        assert journals(server.url) == []


def only(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Let a verification make these checks alone."""
    monkeypatch.setattr(command, "CHECKS", {name: CHECKS[name] for name in names})


def test_both_listed_keys_are_taken_from_the_environment(
    listing: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`VOICE_API_KEY` holds both, with a space between."""
    only(monkeypatch, "calls_of_other_keys_do_not_exist", "keys_that_differ_in_case_are_two")
    result = verify(listing.url, key=" ".join(LISTED))
    assert result.exit_code == 0, result.output
    assert "It conforms: 2 of 2" in result.output


def test_listed_keys_are_never_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is found under keys that a person gave is shown without them."""

    def alter(injector: FaultInjector) -> None:
        """Calls of other keys are read, and keys that are not listed are rejected."""

        def reject(request: FaultyRequest) -> None:
            tokens = [
                value.removeprefix(b"Bearer ").decode() for value in request.values("authorization")
            ]
            if not {*tokens} <= {*LISTED}:
                request.put("authorization", b"Bearer of-nobody")

        FAULTS["calls_of_other_keys_are_shown"].alter(injector)
        injector.on_request(reject)

    only(monkeypatch, "calls_of_other_keys_do_not_exist", "keys_that_differ_in_case_are_two")
    junit, as_json = tmp_path / "report.xml", tmp_path / "report.json"
    with faulty_sandbox(alter) as url:
        files = ("--junit", str(junit), "--json", str(as_json))
        result = with_keys(url, *LISTED, more=files)
    assert result.exit_code == 1, result.output
    assert "when a call of another key is read" in result.output.lower()
    for text in (result.output, junit.read_text(), as_json.read_text()):
        assert "OTHER_VOICE_API_KEY" in text
        assert [key for key in LISTED if key in text] == []


@pytest.mark.parametrize("keys", [(), LISTED])
def test_impostor_with_a_list_is_no_sandbox(keys: tuple[str, ...], live: FakeLiveService) -> None:
    """Whoever only speaks like a sandbox with a list is asked for no call, whatever is given."""
    live.responses["/sandbox"] = as_sandbox()
    rejection = problem(401, "invalid_token", "The token is not accepted")
    live.responses["/sandbox/clock"] = (401, JSON, rejection)
    live.responses["/sandbox/journal"] = (200, JSON, b'{"exchanges": []}')
    result = with_keys(live.url, *keys)
    assert result.exit_code == 2, result.output
    assert live.dials == []


def test_service_takes_one_key(live: FakeLiveService) -> None:
    """Two keys are for a sandbox with a list, and no service is asked with either."""
    result = with_keys(live.url, *LISTED)
    assert result.exit_code == 2
    assert "Give the one key of the service" in result.output
    assert live.dials == []
