"""The guard of released contracts: what breaks clients does not pass without a higher version."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from node_tools import NodeTools

Change = Callable[[Any], Any]
Guard = Callable[..., str]


@pytest.fixture
def guard(root: Path, node_tools: NodeTools) -> Guard:
    """What the guard says of a checkout, empty where it finds nothing."""

    def run(checkout: Path, *options: str) -> str:
        programs = [str(root / "node_modules" / ".bin"), str(node_tools.node.parent)]
        ran = subprocess.run(
            [sys.executable, "tools/contract_guard.py", "--root", str(checkout), *options],
            cwd=root,
            env={**os.environ, "PATH": os.pathsep.join([*programs, os.environ["PATH"]])},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (ran.returncode != 0) == bool(ran.stderr), ran.stdout + ran.stderr
        return ran.stderr

    return run


@pytest.fixture
def checkout(root: Path, tmp_path: Path, guard: Guard) -> Path:
    """A checkout in which the contract of today was released as version 7.3.1."""
    shutil.copytree(root / "contract", tmp_path / "contract")
    (tmp_path / "docs" / "examples").mkdir(parents=True)
    contract = yaml.safe_load((root / "openapi.yaml").read_text("utf-8"))
    released = tmp_path / "contract" / "released"
    for copy in released.iterdir():
        copy.unlink()
    contract["info"]["version"] = "7.3.1"
    text = json.dumps(contract)
    (released / "7.3.1.yaml").write_text(text)
    digest = hashlib.sha256(text.encode()).hexdigest()
    (released / "SHA256SUMS").write_text(f"{digest}  7.3.1.yaml\n")
    (tmp_path / "openapi.yaml").write_text(text)
    notes = [{"version": "7.3.1", "date": "2026-11-26", "about": "What clients have."}]
    (tmp_path / "contract" / "changes.yaml").write_text(yaml.safe_dump(notes))
    assert guard(tmp_path, "--write") == ""
    return tmp_path


def changed(checkout: Path, change: Change, *, version: str) -> None:
    """The contract of the checkout after a change, with an entry for its version."""
    document = json.loads((checkout / "openapi.yaml").read_text())
    change(document)
    document["info"]["version"] = version
    (checkout / "openapi.yaml").write_text(json.dumps(document))
    notes = checkout / "contract" / "changes.yaml"
    entry = {"version": version, "date": "2026-11-27", "about": "Something else."}
    if version != "7.3.1":
        notes.write_text(yaml.safe_dump([entry, *yaml.safe_load(notes.read_text())]))


def schema(document: Any, name: str) -> Any:
    return document["components"]["schemas"][name]


def responses(document: Any) -> Any:
    return document["paths"]["/v1/calls"]["post"]["responses"]


def close_an_enum(document: Any) -> None:
    schema(document, "AgentKey")["enum"] = ["one", "two"]


def remove_a_field(document: Any) -> None:
    del schema(document, "Call")["properties"]["duration"]


def add_a_required_request_field(document: Any) -> None:
    schema(document, "NewCall")["properties"]["priority"] = {"type": "integer"}
    schema(document, "NewCall")["required"].append("priority")


def add_a_status_of_a_call(document: Any) -> None:
    schema(document, "CallStatus")["enum"].append("paused")


def add_a_status_of_http(document: Any) -> None:
    responses(document)["403"] = responses(document)["401"]


def shorten_a_key(document: Any) -> None:
    document["components"]["parameters"]["IdempotencyKey"]["schema"]["maxLength"] = 64


def add_a_response_field(document: Any) -> None:
    schema(document, "Call")["properties"]["price"] = {"type": "integer"}
    schema(document, "Call")["required"].append("price")


def lower_the_limit_of_a_body(document: Any) -> None:
    document["paths"]["/v1/calls"]["post"]["requestBody"]["x-max-body-bytes"] = 100


def normalize_to_another_status(document: Any) -> None:
    schema(document, "ProviderStatus")["x-normalized-status"]["busy"] = "failed"


BREAKING = {
    close_an_enum: ("createCall, request, agent", "Enum of `agent` was set to 'one', 'two'."),
    remove_a_field: ("getCall, response 200, duration", "Property `duration`"),
    add_a_required_request_field: ("createCall, request", "became required: `priority`."),
    add_a_status_of_a_call: ("getCall, response 200, status", "gained values: 'paused'."),
    add_a_status_of_http: ("createCall, response 403", "The status 403 is new."),
    shorten_a_key: ("parameter Idempotency-Key", "`maxLength` changed from '255' to '64'."),
    add_a_response_field: ("getCall, response 200, price", "The field `price` is new."),
    lower_the_limit_of_a_body: ("createCall, request", "A body may have 100 bytes at most."),
    normalize_to_another_status: ("callCompleted, request, status", "`busy` means `failed`."),
}


@pytest.mark.parametrize(
    ("change", "said"), BREAKING.items(), ids=lambda v: getattr(v, "__name__", "")
)
def test_change_that_breaks_clients_is_stopped(
    checkout: Path, guard: Guard, change: Change, said: tuple[str, str]
) -> None:
    """The message says which operation and field, what happened to it, and the fix."""
    changed(checkout, change, version="7.4.0")
    found = guard(checkout)
    assert "breaks clients that were generated from version 7.3.1" in found
    assert all(words in found for words in said), found
    assert "Take it back, or raise info.version to 8.0.0." in found


def test_breaking_change_passes_with_a_major_version(checkout: Path, guard: Guard) -> None:
    """Clients that pin a major version never meet it."""
    changed(checkout, remove_a_field, version="8.0.0")
    assert guard(checkout, "--write") == ""
    page = (checkout / "docs" / "examples" / "contract-changes.txt").read_text()
    assert "Breaks clients: Property `duration`" in page


def test_breaking_change_passes_with_a_reason_for_all_its_places(
    checkout: Path, guard: Guard
) -> None:
    """A change that no client notices is explained by hand, and the changelog shows why."""
    changed(checkout, lower_the_limit_of_a_body, version="7.4.0")
    notes = checkout / "contract" / "changes.yaml"
    entries = yaml.safe_load(notes.read_text())
    reason = {"what": "A body may have 100 bytes at most.", "why": "Nobody sent more."}
    for where, stops in (("callCompleted, .*", True), ("createCall, request", False)):
        entries[0]["safe"] = [reason | {"where": where}]
        notes.write_text(yaml.safe_dump(entries))
        assert bool(guard(checkout, "--write")) == stops, where
    page = (checkout / "docs" / "examples" / "contract-changes.txt").read_text()
    assert "Existing clients keep working: Nobody sent more." in page


def test_reason_for_nothing_is_stopped(checkout: Path, guard: Guard) -> None:
    """A reason whose change is gone would let the next one like it pass."""
    changed(checkout, lambda document: None, version="7.4.0")
    notes = checkout / "contract" / "changes.yaml"
    entries = yaml.safe_load(notes.read_text())
    entries[0]["safe"] = [{"what": "Gone.", "where": ".*", "why": "It was."}]
    notes.write_text(yaml.safe_dump(entries))
    assert "there is no breaking change 'Gone.' any more" in guard(checkout)


def add_an_optional_request_field(document: Any) -> None:
    schema(document, "NewCall")["properties"]["note"] = {"type": "string"}


def add_a_problem(document: Any) -> None:
    media = responses(document)["401"]
    problem = document["components"]["responses"][media["$ref"].rpartition("/")[2]]
    examples = problem["content"]["application/problem+json"]["examples"]
    examples["expired_token"] = {"summary": "The token has expired", "value": {}}


def take_another_word(document: Any) -> None:
    schema(document, "ProviderStatus")["enum"].append("hung-up")
    schema(document, "ProviderStatus")["x-normalized-status"]["hung-up"] = "completed"


@pytest.mark.parametrize(
    "change", [add_an_optional_request_field, add_a_problem, take_another_word]
)
def test_addition_needs_a_minor_version(checkout: Path, guard: Guard, change: Change) -> None:
    """What is new is told by the version, and the message says which one it must be."""
    changed(checkout, change, version="7.3.2")
    assert "Raise info.version to 7.4.0." in guard(checkout)
    changed(checkout, lambda document: None, version="7.4.0")
    assert guard(checkout, "--write") == ""


def test_released_version_stands_as_it_is(checkout: Path, guard: Guard) -> None:
    """Not even words of a version change after its release."""

    def reword(document: Any) -> None:
        schema(document, "Call")["description"] = "Other words."

    changed(checkout, reword, version="7.3.1")
    assert "version 7.3.1 was released as it stands there. Raise info.version" in guard(checkout)


def add_an_agent(document: Any) -> None:
    media = document["paths"]["/v1/agents"]["get"]["responses"]["200"]["content"]
    agents = media["application/json"]["examples"]["catalogue"]["value"]["agents"]
    agents.append(agents[0] | {"key": "new_one"})


def move_the_live_service(document: Any) -> None:
    document["servers"][1]["url"] = "https://voice.example.test"


@pytest.mark.parametrize("change", [add_an_agent, move_the_live_service])
def test_what_is_no_rule_needs_no_version(checkout: Path, guard: Guard, change: Change) -> None:
    """Agents come and go, and a deployment moves, without a new version of the contract."""
    changed(checkout, change, version="7.3.1")
    assert guard(checkout) == ""


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda copy: copy.write_text(copy.read_text() + "\n"), "was edited"),
        (lambda copy: copy.unlink(), "is gone"),
        (lambda copy: shutil.copy(copy, copy.with_name("7.3.0.yaml")), "has no line in"),
    ],
)
def test_edited_release_stops_the_build(
    checkout: Path, guard: Guard, damage: Callable[[Path], Any], said: str
) -> None:
    """Clients were generated from a released copy, so it stays byte for byte what it was."""
    damage(checkout / "contract" / "released" / "7.3.1.yaml")
    assert said in guard(checkout)


def test_old_pages_are_stopped(checkout: Path, guard: Guard) -> None:
    """A changelog that says less than the comparison names the command that writes it."""
    changed(checkout, add_an_optional_request_field, version="7.4.0")
    assert "Run make changes." in guard(checkout)


def test_contract_of_today_passes(root: Path, guard: Guard) -> None:
    """The contract breaks no client of a released version, and its changelog is up to date."""
    assert guard(root) == ""
