"""The programs of the guides in JavaScript, and what their programs in Python print."""

import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import pytest

from built_pages import blocks
from node_tools import NodeTools
from voice_portal import tables
from voice_portal.sources import Sources
from voice_sandbox.testing.client import SandboxClient

PRINTED = {
    "poll": "5 agent: Hello",
    "retry": "The response is lost. The call may exist.\nReplayed: true",
    "timeout": "No response in time. The call may exist.\nReplayed: true",
    "turns": "",
}
"""What is in the output of each program."""
PAGE_OF = {
    "poll": "follow-a-call",
    "retry": "retries",
    "timeout": "rate-limits-and-timeouts",
    "turns": "transcripts",
}


def program(articles: Mapping[str, Any], file: str) -> str:
    """The program with that title on its page."""
    name, _, suffix = file.partition(".")
    article = articles[PAGE_OF[name]]
    language = {"py": "python", "mjs": "js"}[suffix]
    titles = [str(title.get_text()) for title in article.select(f".language-{language} .filename")]
    [number] = [number for number, title in enumerate(titles) if title == file]
    return list(blocks(article, language))[number]


@pytest.mark.parametrize("suffix", ["py", "mjs"])
@pytest.mark.parametrize("name", PRINTED)
def test_program_of_a_guide_does_what_its_page_says(
    voice_sandbox: SandboxClient,
    articles: Mapping[str, Any],
    node_tools: NodeTools,
    name: str,
    suffix: str,
) -> None:
    """It runs as the page shows it, with shorter pauses, and no number rings twice."""
    voice_sandbox.clock_mode("polls")
    text = program(articles, f"{name}.{suffix}")
    for long, short in {
        "PAUSE_SECONDS = 2": "PAUSE_SECONDS = 0.01",
        "PAUSE_MS = 2_000": "PAUSE_MS = 10",
        "(2, 4, 8, 16, 30)": "(0.01, 4, 8, 16, 30)",
        "[2, 4, 8, 16, 30]": "[0.01, 4, 8, 16, 30]",
    }.items():
        text = text.replace(long, short)
    commands = {
        "py": [sys.executable, "-c", text],
        "mjs": [str(node_tools.node), "--input-type=module", "-e", text],
    }
    environment = {
        **os.environ,
        "VOICE_API_URL": voice_sandbox.url,
        "VOICE_API_KEY": voice_sandbox.key,
    }
    ran = subprocess.run(
        commands[suffix], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert PRINTED[name] in ran.stdout
    rings = voice_sandbox.client.get("/sandbox/rings").json()["rings"]
    assert [ring["count"] for ring in rings] == ([] if name == "turns" else [1])


@pytest.mark.parametrize("suffix", ["py", "mjs"])
def test_polling_loop_gives_up(
    voice_sandbox: SandboxClient,
    articles: Mapping[str, Any],
    node_tools: NodeTools,
    sources: Sources,
    suffix: str,
) -> None:
    """A call that never ends stops the loop at its limit, with an exit code that is not 0."""
    phone = next(
        example.value["phone"]
        for example in sources.contract.operations["createCall"].body.examples.values()  # type: ignore[union-attr]
    )
    voice_sandbox.number(phone, "stuck_ringing")
    text = program(articles, f"poll.{suffix}")
    for long, short in {
        "PAUSE_SECONDS = 2\nLIMIT_SECONDS = 300": "PAUSE_SECONDS = 0.01\nLIMIT_SECONDS = 0.2",
        "PAUSE_MS = 2_000;\nconst LIMIT_MS = 300_000": "PAUSE_MS = 10;\nconst LIMIT_MS = 200",
    }.items():
        text = text.replace(long, short)
    command = {
        "py": [sys.executable, "-c", text],
        "mjs": [str(node_tools.node), "--input-type=module", "-e", text],
    }[suffix]
    environment = {
        **os.environ,
        "VOICE_API_URL": voice_sandbox.url,
        "VOICE_API_KEY": voice_sandbox.key,
    }
    ran = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == 1
    assert "has not ended yet" in ran.stderr


def test_transcripts_are_empty_where_the_contract_says_so(sources: Sources) -> None:
    """The table has a row for each status, with text only where somebody can have spoken."""
    rows = {row["status"]: row for row in tables.results(sources.contract)}
    assert list(rows) == sources.contract.schema("CallStatus")["enum"]
    spoken = [name for name, row in rows.items() if row["transcript"] != "`null`"]
    assert spoken == ["completed", "failed"]
    assert {rows[name]["duration"] for name in ("busy", "canceled", "no_answer")} == {"`0`"}


def test_limits_are_those_of_the_contract(articles: Mapping[str, Any], sources: Sources) -> None:
    """Each limit of the table stands in the contract, and a problem is named where one is sent."""
    limits = {row["what"]: row for row in tables.limits(sources.contract)}
    body = sources.contract.operations["createCall"].body
    assert body is not None
    assert limits["Body of `createCall`"]["greatest"] == f"{body.max_bytes:,} bytes"
    assert limits["`Idempotency-Key`"]["code"] == "invalid_idempotency_key"
    assert limits["`errors` of a problem"]["greatest"] == "20"
    shown = articles["rate-limits-and-timeouts"].get_text()
    assert all(row["greatest"] in shown for row in limits.values())


def test_first_line_says_that_the_reader_gets_no_webhook(articles: Mapping[str, Any]) -> None:
    """Who looks for a webhook reads first that there is none for them."""
    first = articles["how-results-arrive"].find("h1").find_next("p")
    assert first.get_text().startswith("You do not receive this webhook. Poll getCall.")
