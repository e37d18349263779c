"""Runs Schemathesis at its strictest, and says what such a run must have reached."""

import json
import os
import re
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any

from read_once import contracts
from voice_sandbox.verification.generated_values import schemathesis_values

PHASES = ("examples", "coverage", "fuzzing", "stateful")
ONE_KEY = 'headers = { Authorization = "Bearer ${VOICE_API_KEY}" }\n'


def with_two_keys(configuration: str, key: str, *, folder: Path) -> str:
    """The configuration with a second key, to which every object of the first is unknown.

    `object_level_authorization` reads each object of the owner as the other one, too. Both keys
    stand in a document of the Web Fuzzing Commons.
    """
    assert ONE_KEY in configuration
    users = [
        {"name": name, "fixedHeaders": [{"name": "Authorization", "value": f"Bearer {key}{end}"}]}
        for name, end in (("owner", ""), ("other", "_other"))
    ]
    path = folder / "schemathesis-keys.json"
    path.write_text(json.dumps({"auth": users}), "utf-8")
    auth = f"""
[auth.wfc]
path = {json.dumps(str(path))}
user = "owner"
peers = ["owner", "other"]
"""
    return configuration.replace(ONE_KEY, "") + auth


def schemathesis(
    contract: Path, *, config: Path, url: str, key: str, root: Path, reports: Path
) -> Any:
    """Run every phase with every check as the configuration says; return its JSON report."""
    reports.mkdir(parents=True, exist_ok=True)
    seed = os.environ.get("CONTRACT_SEED")
    if seed == "random":
        seed = str(secrets.randbelow(2**32))
    examples = os.environ.get("CONTRACT_EXAMPLES")
    report = reports / f"schemathesis-{contract.stem}.json"
    text = config.read_text("utf-8")
    if contract.stem == "openapi":
        text = with_two_keys(text + schemathesis_values(contracts()[0]), key, folder=reports)
    configuration = reports / f"schemathesis-{contract.stem}.toml"
    configuration.write_text(text, "utf-8")
    ran = subprocess.run(
        [
            str(Path(sys.executable).with_name("schemathesis")),
            "--no-color",
            f"--config-file={configuration}",
            "run",
            str(contract),
            f"--url={url}",
            "--report=json,junit",
            f"--report-json-path={report}",
            f"--report-junit-path={report.with_suffix('.xml')}",
            *([f"--seed={seed}"] if seed else []),
            *([f"--max-examples={examples}"] if examples else []),
        ],
        cwd=root,
        env={**os.environ, "VOICE_API_KEY": key},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    links = re.search(r"API Links: +(\d+) covered / (\d+) selected / (\d+) total", ran.stdout)
    return json.loads(report.read_text()) | {
        "links": [int(n) for n in links.groups()] if links else []
    }


class Gates:
    """What a run over any contract must have reached; a module gives the `report`."""

    def test_no_check_finds_a_failure(self, report: dict[str, Any]) -> None:
        """Every generated request is answered as the contract says."""
        assert report["complete"]
        assert report["failures"] == report["errors"] == []
        assert report["test_cases"]["with_failures"] == 0
        assert report["filtered"] == 0

    def test_every_phase_runs_on_every_operation(self, report: dict[str, Any]) -> None:
        """No phase is switched off, and no operation is left out."""
        operations = report["operations"]
        assert operations["tested"] == operations["selected"] == operations["total"]
        statuses = {phase: report["phases"][phase]["status"] for phase in PHASES}
        assert set(statuses.values()) == {"success"}, statuses

    def test_every_operation_accepts_valid_data(self, report: dict[str, Any]) -> None:
        """A suite in which an operation never succeeds would prove nothing about it."""
        accepted = {
            operation: sum(phase["accepted"] for phase in phases.values())
            for operation, phases in report["valid_rates"].items()
        }
        assert [operation for operation, count in accepted.items() if count == 0] == []
        assert len(accepted) == report["operations"]["total"]

    def test_every_link_is_followed(self, report: dict[str, Any]) -> None:
        """The stateful phase walks along each link that the contract describes."""
        covered, selected, total = report["links"]
        assert covered == selected == total > 0

    def test_nothing_is_only_a_warning(self, report: dict[str, Any]) -> None:
        """Whatever Schemathesis would merely warn of is a finding here."""
        assert {name: found for name, found in report["warnings"].items() if found} == {}
