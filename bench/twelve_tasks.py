"""Twelve tasks of an integrator with this sandbox and with others: lines of test code, and seconds.

    .venv/bin/python bench/twelve_tasks.py            prints the table
    .venv/bin/python bench/twelve_tasks.py --write    and puts it on the page

The tests of each tool lie in bench/tasks; all of them test the same program, which none changes. A
task that a file has no test for cannot be done with that tool. Lines are those of the test itself;
what the tests of a file share is counted once, as its set-up. Servers start before the seconds do.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple
from xml.etree import ElementTree as ET

import click
from report import ROOT, table
from subjects import NODE, OTHERS, PEERS, Subject, running

sys.path.append(str(Path(__file__).with_name("tasks")))
import mockoon

TASKS: Final = Path(__file__).with_name("tasks")
PAGE_TABLE: Final = ROOT / "docs" / "examples" / "twelve-tasks.txt"
NAMES: Final = {
    "busy": "The line is busy",
    "no_answer": "Nobody answers",
    "retry_after_503": "Retry after two rejections",
    "retry_after_429": "Retry when `Retry-After` says so",
    "lost_response": "A lost response calls nobody twice",
    "stuck_call": "A call that never ends",
    "late_result": "A result that comes late",
    "conflicting_results": "Two results that disagree",
    "own_transcript": "A transcript of your own",
    "fifty_at_once": "Fifty programs at once",
    "without_sleeping": "A call of two minutes without sleeping",
    "what_was_sent": "See what was sent",
}
SECONDS: Final = 120


class Tool(NamedTuple):
    title: str
    file: str
    access: Callable[[], AbstractContextManager[Mapping[str, str]]]
    """Starts what it needs, and gives the variables that name it. Raises: `Missing`."""


class Measured(NamedTuple):
    lines: int
    seconds: float


@contextmanager
def _started(name: str, variable: str) -> Iterator[Mapping[str, str]]:
    """One of the servers of the benchmark. Raises: `Missing`."""
    [subject] = [other for other in (*OTHERS, MOCKOON) if other.name == name]
    with tempfile.TemporaryDirectory() as folder, running(subject, Path(folder)) as server:
        yield {variable: f"http://127.0.0.1:{server.port}"}


def _mockoon(port: int, folder: Path) -> list[str]:
    data = folder / "tasks.json"
    data.write_text(json.dumps(mockoon.environment()), "utf-8")
    start = [NODE, str(PEERS / "node_modules/@mockoon/cli/bin/run.js"), "start"]
    where = ["--data", str(data), "--port", str(port), "--hostname", "127.0.0.1"]
    return [*start, *where, "--disable-log-to-file", "--admin-api-token", "sandbox_tasks"]


MOCKOON: Final = Subject("Mockoon, tasks", "plays what mockoon.py writes", _mockoon)
TOOLS: Final = (
    Tool("this sandbox", "tasks_here.py", lambda: nullcontext({})),
    Tool("Prism", "tasks_prism.py", lambda: _started("Prism", "PRISM_URL")),
    Tool("WireMock", "tasks_wiremock.py", lambda: _started("WireMock, journal", "WIREMOCK_URL")),
    Tool("Mockoon", "tasks_mockoon.py", lambda: _started("Mockoon, tasks", "MOCKOON_URL")),
    Tool("a mock transport of httpx2", "tasks_mock_transport.py", lambda: nullcontext({})),
)


@click.command()
@click.option("--write", is_flag=True, help="Put the table on the page.")
def main(write: bool) -> None:
    """Run the tasks of each tool and print lines and seconds."""
    found = {tool.title: measure(tool) for tool in TOOLS}
    text = as_table(found)
    click.echo(text)
    if write:
        PAGE_TABLE.write_text(text, "utf-8")


def measure(tool: Tool) -> dict[str, Measured]:
    """Lines and seconds by task, with the lines that are shared under an empty name."""
    source = TASKS / tool.file
    lines = lines_of_tests(source)
    with tempfile.TemporaryDirectory() as folder, tool.access() as variables:
        report = Path(folder) / "report.xml"
        ran = subprocess.run(  # noqa: S603  (our own tests)
            [
                *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull),
                *("--rootdir", str(TASKS), f"--junit-xml={report}", str(source)),
            ],
            env={**os.environ, **variables, "PYTHONPATH": str(TASKS)},
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        if ran.returncode:
            raise click.ClickException(f"{tool.title}:\n{ran.stdout}{ran.stderr}")
        cases = ET.parse(report).iter("testcase")  # noqa: S314  (pytest's own)
        seconds = {case.attrib["name"]: float(case.attrib["time"]) for case in cases}
    return {
        "": Measured(lines.pop(""), 0.0),
        **{
            name.removeprefix("test_"): Measured(count, seconds[name])
            for name, count in lines.items()
        },
    }


def lines_of_tests(source: Path) -> dict[str, int]:
    """Lines of code by test, and under an empty name those of everything else."""
    text = source.read_text("utf-8")
    module = ast.parse(text)
    docstring = module.body[0]
    tests = [
        node
        for node in module.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]
    found = {node.name: (node.end_lineno or 0) - node.lineno + 1 for node in tests}
    code = sum(bool(line.strip()) for line in text.splitlines())
    described = (docstring.end_lineno or 0) - docstring.lineno + 1
    blank = sum(not line for line in text.splitlines()[: docstring.end_lineno])
    shared = code - (described - blank) - sum(found.values())
    if source.name == "tasks_mockoon.py":  # what it plays lies in a file of its own
        played = source.with_name("mockoon.py").read_text("utf-8")
        shared += sum(bool(line.strip()) for line in played.splitlines()[1:])
    return {"": shared, **found}


def as_table(found: Mapping[str, Mapping[str, Measured]]) -> str:
    """Lines and seconds of each task beside each other, for the page."""
    rows = [
        (title, *(_cell(measured.get(name)) for measured in found.values()))
        for name, title in NAMES.items()
    ]
    done = ("**can be done**", *(f"{len(each) - 1} of {len(NAMES)}" for each in found.values()))
    shared = ("shared set-up", *(f"{each[''].lines} lines" for each in found.values()))
    today = datetime.now(UTC).date().isoformat()
    head = f"Measured on {today}: lines of the test, and seconds that it runs.\n\n"
    return head + table(("task", *found), [*rows, shared, done]) + "\n"


def _cell(measured: Measured | None) -> str:
    return "—" if measured is None else f"{measured.lines} lines, {measured.seconds:.1f} s"


if __name__ == "__main__":
    main()
