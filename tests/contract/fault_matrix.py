"""Runs every check against every faulty sandbox: which check catches which fault.

`make faults` prints the matrix and writes `fault-matrix.json` beside this file, from which the
portal draws its table, and `reports/fault-matrix.md`. With `--schemathesis` it also measures what
Schemathesis alone would catch; that takes long, so the last measurement is kept otherwise.
"""

import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from fault_injection import faulty_sandbox
from faults import FAULTS, Fault
from read_once import contracts
from schemathesis_runs import with_two_keys
from verify_command import new_key, run_check, sandbox_target
from voice_sandbox.contract.catalogue import read_catalogue
from voice_sandbox.verification.check import Needs
from voice_sandbox.verification.generated_values import schemathesis_values
from voice_sandbox.verification.registry import CHECKS

ROOT = Path(__file__).resolve().parent.parent.parent
MATRIX = Path(__file__).with_name("fault-matrix.json")
EXAMPLES = 25  # an operation: a run against each of two hundred faults takes long enough
PAGE_TABLE = ROOT / "docs" / "examples" / "fault-matrix.txt"
REPORT = ROOT / "reports" / "fault-matrix.md"
# Fault codes of the Web Fuzzing Commons, as the report of Schemathesis gives them, by category.
# 906 is its own: the Commons have no code yet for an object that another key reads.
WFC_CODES = {
    "transport": (100, 121),
    "json": (206,),
    "media type": (206,),
    "auth": (308, 311),
    "schema": (206, 207),
    "storage": (122, 200),
    "webhook": (206, 207),
    "isolation": (906,),
    "headers": (200, 201),
    "problems": (100, 200),
}
IN_SANDBOXES = [name for name, check in CHECKS.items() if check.needs is not Needs.CALL]


def read_matrix() -> dict[str, Any]:
    """The matrix as it was measured last."""
    matrix: dict[str, Any] = json.loads(MATRIX.read_text("utf-8"))
    return matrix


def measure(
    fault: Fault, *, with_schemathesis: bool, known: dict[str, Any], checks: Sequence[str]
) -> dict[str, Any]:
    """One row: every check that catches the fault, and what the designated one says of it."""
    findings: dict[str, str] = {}
    schemathesis: bool | None = known.get("schemathesis_alone")
    with faulty_sandbox(fault.alter) as url:
        target = sandbox_target(url)
        for name in checks:
            outcome = run_check(name, url, target)
            if outcome.finding:
                findings[name] = outcome.finding
        if with_schemathesis:
            schemathesis = caught_by_schemathesis(url)
    return {
        "name": fault.name,
        "category": fault.category,
        "sentence": fault.sentence,
        "caught_by": fault.caught_by,
        "finding": _without_agents(findings.get(fault.caught_by, "")),
        "checks": sorted({*findings, *(set(known.get("checks", ())) - set(checks))}),
        "schemathesis_alone": schemathesis,
    }


def _without_agents(finding: str) -> str:
    """A finding without the names of agents: those stand in the contract alone."""
    agents = read_catalogue(contracts()[0]).agents
    return re.sub("|".join(agent.key for agent in agents), "AGENT", finding, flags=re.IGNORECASE)


def caught_by_schemathesis(url: str) -> bool:
    """Whether a strict run of Schemathesis, without any check of ours, finds a failure."""
    key = new_key()
    ran = subprocess.run(
        [
            str(Path(sys.executable).with_name("schemathesis")),
            "--no-color",
            f"--config-file={strict_configuration(key)}",
            "run",
            str(ROOT / "openapi.yaml"),
            f"--url={url}",
            "--max-failures=1",
        ],
        env={**os.environ, "VOICE_API_KEY": key},
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    return ran.returncode != 0


def strict_configuration(key: str) -> Path:
    """The project's own configuration without the project's own checks."""
    path = ROOT / "reports" / "schemathesis-alone.toml"
    path.parent.mkdir(exist_ok=True)
    text = (ROOT / "schemathesis.toml").read_text("utf-8")
    text = re.sub("^hooks = .*$", "", text, flags=re.MULTILINE)
    text = re.sub("^max-examples = .*$", f"max-examples = {EXAMPLES}", text, flags=re.MULTILINE)
    text += schemathesis_values(contracts()[0])
    path.write_text(with_two_keys(text, key, folder=path.parent), "utf-8")
    return path


def as_markdown(matrix: dict[str, Any]) -> str:
    """The matrix as a table for people."""
    rows = matrix["faults"]
    lines = [
        f"Measured on {matrix['date']}: {matrix['caught']} of {len(rows)} faults are caught, "
        f"{matrix['caught_by_schemathesis_alone']} by Schemathesis alone.",
        "",
        "| Category | Fault | What catches it | Schemathesis alone |",
        "|---|---|---|---|",
    ]
    signs = {True: "yes", False: "no", None: "not measured"}
    for row in rows:
        alone = signs[row["schemathesis_alone"]]
        lines.append(f"| {row['category']} | {row['sentence']} | `{row['caught_by']}` | {alone} |")
    return "\n".join(lines) + "\n"


def as_summary(matrix: dict[str, Any]) -> str:
    """The matrix by category, as the Contract testing page shows it."""
    rows = matrix["faults"]
    alone = sum(row["schemathesis_alone"] is not None for row in rows)
    of_them = "" if alone == len(rows) else f", Schemathesis alone against {alone} of them"
    lines = [
        f"Measured on {matrix['date']} against {len(rows)} faulty sandboxes{of_them}.",
        "The faults are our own choice: the table does not say how many of all faults are caught.",
        "",
        "| Category | WFC codes | Faults | Caught | By Schemathesis alone |",
        "|---|---|---:|---:|---:|",
    ]
    names = dict.fromkeys(row["category"] for row in rows)
    groups = [("JSON" if name == "json" else name.capitalize(), name) for name in names]
    for title, category in [*groups, ("**All**", None)]:
        chosen = [row for row in rows if category in (None, row["category"])]
        caught = sum(bool(row["checks"]) for row in chosen)
        alone = sum(row["schemathesis_alone"] is True for row in chosen)
        codes = ", ".join(map(str, WFC_CODES.get(category or "", ())))
        lines.append(f"| {title} | {codes} | {len(chosen)} | {caught} | {alone} |")
    return "\n".join(lines) + "\n"


@click.command()
@click.option("--schemathesis", is_flag=True, help="Measure what Schemathesis alone catches too.")
@click.option("--only-schemathesis-missing", is_flag=True, help="Only rows not measured yet.")
@click.option("--designated", is_flag=True, help="Only the check that should catch each fault.")
@click.argument("names", nargs=-1)
def main(
    schemathesis: bool, only_schemathesis_missing: bool, designated: bool, names: tuple[str, ...]
) -> None:
    """Run all checks against all faults, or against those named."""
    logging.disable(logging.CRITICAL)
    known = {row["name"]: row for row in read_matrix()["faults"]} if MATRIX.is_file() else {}
    rows = []
    for name, fault in FAULTS.items():
        row = known.get(name, {})
        skip = names and name not in names
        if only_schemathesis_missing:
            skip = row.get("schemathesis_alone") is not None
        if skip:
            if row:
                rows.append(row)
            continue
        row = measure(
            fault,
            with_schemathesis=schemathesis or only_schemathesis_missing,
            known=row,
            checks=[fault.caught_by] if designated else IN_SANDBOXES,
        )
        rows.append(row)
        by = ", ".join(row["checks"]) or "NOTHING"
        alone = {True: "  [Schemathesis too]", False: "  [not Schemathesis]"}
        click.echo(f"{name}: {by}{alone.get(row['schemathesis_alone'], '')}")
        write(rows + [known[other] for other in list(FAULTS)[len(rows) :] if other in known])
    matrix = write(rows)
    click.echo(
        f"\n{matrix['caught']} of {len(rows)} faults are caught, "
        f"{matrix['caught_by_schemathesis_alone']} by Schemathesis alone."
    )
    idle = matrix["checks_that_caught_nothing"]
    click.echo(f"Checks that caught nothing: {', '.join(idle) or 'none'}")
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(as_markdown(matrix), "utf-8")
    PAGE_TABLE.write_text(as_summary(matrix), "utf-8")
    missed = [row["name"] for row in rows if not row["finding"]]
    if missed:
        raise click.ClickException(f"Not caught by the check that should: {', '.join(missed)}")


def write(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Save what is measured so far."""
    working = {name for row in rows for name in row["checks"]}
    matrix = {
        "date": datetime.now(UTC).date().isoformat(),
        "caught": sum(bool(row["checks"]) for row in rows),
        "caught_by_schemathesis_alone": sum(row["schemathesis_alone"] is True for row in rows),
        "checks_that_caught_nothing": [name for name in IN_SANDBOXES if name not in working],
        "faults": rows,
    }
    MATRIX.write_text(json.dumps(matrix, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return matrix


if __name__ == "__main__":
    main()
