"""The Postman collection, run and imported by the tools that its readers have."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from node_tools import NodeTools
from sandbox_process import SandboxServer
from voice_portal.sources import Sources


@pytest.fixture
def collection(site: Path) -> Path:
    return site / "postman.json"


def requests_of(collection: Path) -> list[dict[str, Any]]:
    """Every request of every folder."""
    folders = json.loads(collection.read_text("utf-8"))["item"]
    return [item for folder in folders for item in folder["item"]]


def test_the_collection_runs_as_a_sequence(
    collection: Path,
    node_tools: NodeTools,
    sandbox_server: SandboxServer,
    sources: Sources,
    key: str,
    tmp_path: Path,
) -> None:
    """Newman sends every request from top to bottom, and every test in it passes."""
    report = tmp_path / "report.json"
    ran = subprocess.run(
        node_tools.command(
            *("newman", "run", collection),
            *("--env-var", f"baseUrl={sandbox_server.url}", "--env-var", f"apiKey={key}"),
            *("--reporters", "cli,json", "--reporter-json-export", report),
        ),
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    told = json.loads(report.read_text("utf-8"))["run"]
    statistics = told["stats"]
    items = requests_of(collection)
    assert statistics["items"] == {"total": len(items), "pending": 0, "failed": 0}
    assert statistics["assertions"]["total"] >= len(items)
    assert told["failures"] == []
    sent = {one["item"]["name"]: one["request"]["url"]["path"] for one in told["executions"]}
    [read] = [path for path in sent.values() if len(path) == 3 and path[1] == "calls"]
    assert read[-1] not in (
        sources.contract.operations["getCall"].parameters[0].example,
        ":call_id",
    )


def test_bruno_imports_the_collection(collection: Path, node_tools: NodeTools) -> None:
    """Bruno's own converter takes every request, its variables and its tests."""
    program = """
        const { postmanToBruno } = require("@usebruno/converters");
        const collection = JSON.parse(require("fs").readFileSync(process.argv[1], "utf-8"));
        Promise.resolve(postmanToBruno(collection)).then((it) => console.log(JSON.stringify(it)));
    """
    ran = subprocess.run(
        [node_tools.node, "-e", program, collection],
        env={**os.environ, "NODE_PATH": str(node_tools.packages)},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    imported = json.loads(ran.stdout.splitlines()[-1])["collection"]
    found = [item for folder in imported["items"] for item in folder["items"]]
    assert [item["name"] for item in found] == [i["name"] for i in requests_of(collection)]
    assert all("responds with" in item["request"]["script"]["res"] for item in found)
    assert {"baseUrl", "apiKey", "call_id"} <= {
        variable["name"] for variable in imported["root"]["request"]["vars"]["req"]
    }
