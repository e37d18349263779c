"""Measures how many changes of the sandbox's own code `verify` notices.

    .venv/bin/python bench/mutation.py                     80 changes, drawn with seed 1
    .venv/bin/python bench/mutation.py --seed 2 --count 400 --json reports/mutation.json

One change at a time is made in a copy of the package: a comparison is turned round, a condition
negated, a number raised by one, `and` becomes `or`, a statement is left out. Each copy is started
in memory with default options, and verified by the code as it is here. What is not noticed is
listed. The modules of PostgreSQL, which such a copy does not run, are left out. A change that was
read, and cannot be seen from outside, stands in `unseen_mutations.txt` with the reason.

    .venv/bin/python bench/mutation.py --again reports/mutation.json   what survived, once more
"""

from __future__ import annotations

import ast
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

import click
import httpx2

ROOT: Final = Path(__file__).resolve().parent.parent
SANDBOX: Final = ROOT / "sandbox"
PACKAGE: Final = SANDBOX / "voice_sandbox"
UNSEEN: Final = Path(__file__).with_name("unseen_mutations.txt")
TABLE: Final = ROOT / "docs" / "examples" / "mutation.txt"
FOLDERS: Final = ("api", "calls", "contract", "http", "journal", "simulation", "store")
_ADDRESS: Final = re.compile(r"http://127\.0\.0\.1:[0-9]+")
START_SECONDS: Final = 15.0
VERIFY_SECONDS: Final = 240
CAUGHT: Final = ("does not start", "noticed")
"""What became of a change that cannot reach anybody unnoticed."""
CANNOT_BE_SEEN: Final = "cannot be seen"

_TURNED: Final[dict[type[ast.cmpop], str]] = {
    ast.Eq: "!=",
    ast.NotEq: "==",
    ast.Lt: "<=",
    ast.LtE: "<",
    ast.Gt: ">=",
    ast.GtE: ">",
    ast.In: "not in",
    ast.NotIn: "in",
    ast.Is: "is not",
    ast.IsNot: "is",
}
_CALCULATED: Final[dict[type[ast.operator], str]] = {
    ast.Add: "-",
    ast.Sub: "+",
    ast.Mult: "+",
    ast.FloorDiv: "*",
    ast.Mod: "*",
}


@dataclass(frozen=True)
class Change:
    """One change of one file: the text between two places becomes another."""

    path: str
    """Within the package, such as ``calls/call.py``."""
    line: int
    kind: str
    start: int
    end: int
    text: str

    @property
    def folder(self) -> str:
        return self.path.partition("/")[0]


@dataclass(frozen=True)
class Result:
    """The result of a change.

    It does not start, was noticed, is unclear, survived, or survived and cannot be seen.
    """

    change: Change
    outcome: str
    by: str = ""
    """The first finding."""


def changes_of(path: Path) -> Iterator[Change]:
    """Every change that can be made in one file."""
    source = path.read_text("utf-8")
    lines = source.encode().splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    raw = source.encode()

    def place(node: ast.expr | ast.stmt) -> tuple[int, int]:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        end = starts[node.end_lineno - 1] + node.end_col_offset
        return starts[node.lineno - 1] + node.col_offset, end

    def text(node: ast.expr) -> str:
        start, end = place(node)
        return raw[start:end].decode()

    name = str(path.relative_to(PACKAGE))
    for node, kind, changed in _candidates(ast.parse(source), text):
        start, end = place(node)
        yield Change(name, node.lineno, kind, start, end, changed)


def _candidates(tree: ast.AST, text: Any) -> Iterator[tuple[ast.expr | ast.stmt, str, str]]:
    """Nodes, what is done to each, and the text that takes its place; no annotation is touched."""
    left_out = {id(child) for node in _untouched(tree) for child in ast.walk(node)}
    for node in ast.walk(tree):
        if id(node) not in left_out:
            yield from _of_conditions(node, text)
            yield from _of_values(node, text)


def _of_conditions(node: ast.AST, text: Any) -> Iterator[tuple[ast.expr | ast.stmt, str, str]]:
    match node:
        case ast.Compare(left=first, ops=[operator], comparators=[second]):
            turned = f"({text(first)} {_TURNED[type(operator)]} {text(second)})"
            yield node, "comparison", turned
        case ast.BoolOp(op=operator, values=values):
            word = " or " if isinstance(operator, ast.And) else " and "
            yield node, "and/or", "(" + word.join(f"({text(one)})" for one in values) + ")"
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield node, "not", f"({text(operand)})"
        case ast.If(test=test) | ast.IfExp(test=test) | ast.While(test=test):
            yield test, "condition", f"(not ({text(test)}))"
        case _:
            pass


def _of_values(node: ast.AST, text: Any) -> Iterator[tuple[ast.expr | ast.stmt, str, str]]:
    match node:
        case ast.BinOp(left=first, op=operator, right=second) if type(
            operator
        ) in _CALCULATED and not _has_text(node):
            sign = _CALCULATED[type(operator)]
            yield node, "calculation", f"(({text(first)}) {sign} ({text(second)}))"
        case ast.Constant(value=bool() as value):
            yield node, "truth", str(not value)
        case ast.Constant(value=int() | float() as number):
            yield node, "number", repr(number + 1)
        case ast.Expr(value=ast.Call() | ast.Await()) | ast.AugAssign() | ast.Raise():
            yield node, "statement", "pass"
        case ast.Return(value=ast.expr() as value) if not isinstance(value, ast.Constant):
            yield value, "result", "None"
        case _:
            pass


def _has_text(node: ast.BinOp) -> bool:
    """Whether texts or types are put together, which is no calculation."""
    return any(
        isinstance(one, ast.JoinedStr)
        or (isinstance(one, ast.Constant) and isinstance(one.value, str | bytes))
        for one in ast.walk(node)
    )


def _untouched(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                yield from filter(None, [node.returns, *node.decorator_list])
            case (
                ast.AnnAssign(annotation=annotation) | ast.arg(annotation=ast.expr() as annotation)
            ):
                yield annotation
            case ast.ClassDef(decorator_list=decorators, bases=bases, keywords=keywords):
                yield from (*decorators, *bases, *keywords)
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                yield node
            case _:
                pass


@contextmanager
def changed_package(change: Change) -> Iterator[Path]:
    """A folder with the package, and one change in it."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "voice_sandbox"
        ignored = shutil.ignore_patterns("__pycache__", "portal")
        shutil.copytree(PACKAGE, copy, ignore=ignored)
        file = copy / change.path
        source = file.read_bytes()
        file.write_bytes(source[: change.start] + change.text.encode() + source[change.end :])
        for contract in ("openapi.yaml", "arazzo.yaml"):
            shutil.copy(ROOT / contract, folder)
        yield Path(folder)


@contextmanager
def served(folder: Path) -> Iterator[str | None]:
    """The address of a sandbox from a folder; none where it does not start."""
    command = [sys.executable, "-m", "voice_sandbox", "serve", "--port", "0"]
    command += ["--database", ":memory:", "--contract", str(ROOT / "openapi.yaml")]
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603  (our own command)
            command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            yield _address(process, log)
        finally:
            process.kill()
            process.wait()


def _address(process: subprocess.Popen[bytes], log: Path) -> str | None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        said = _ADDRESS.search(log.read_text("utf-8", "replace"))
        if said and _responds(said[0]):
            return said[0]
        time.sleep(0.05)
    return None


def _responds(address: str) -> bool:
    try:
        return httpx2.get(f"{address}/healthz", timeout=2).status_code == 200
    except httpx2.HTTPError:
        return False


def tried(change: Change) -> Result:
    """Starts a copy with the change, and verifies it: quickly first, then whole."""
    with changed_package(change) as folder, served(folder) as address:
        if address is None:
            return Result(change, "does not start")
        report = folder / "report.json"
        code = 0
        for options in (["--quick"], []):
            code = _verified(address, report, options)
            if code == 1:
                return Result(change, "noticed", _first_finding(report))
        if code == 2:
            return Result(change, "unclear")
        return Result(change, CANNOT_BE_SEEN if is_unseen(change) else "survived")


@cache
def _unseen() -> frozenset[tuple[str, str, str]]:
    """File, kind and text of the changes that were read, and cannot be seen."""
    lines = UNSEEN.read_text("utf-8").splitlines()
    rows = [line.split(" | ", 3) for line in lines if line and not line.startswith("#")]
    return frozenset((path, kind, text) for _, path, kind, text in rows)


def is_unseen(change: Change) -> bool:
    """Whether somebody found that a change cannot be seen from outside."""
    return (change.path, change.kind, changed_lines(change)) in _unseen()


def changed_lines(change: Change) -> str:
    """The lines that a change is made in, in one, as they are without it."""
    source = (PACKAGE / change.path).read_bytes()
    start = source.rfind(b"\n", 0, change.start) + 1
    end = source.find(b"\n", change.end)
    return " ".join(source[start:end].decode().split())


def _verified(address: str, report: Path, options: list[str]) -> int:
    command = [sys.executable, "-m", "voice_sandbox", "verify", address, "--timeout", "3"]
    try:
        return subprocess.run(  # noqa: S603  (our own command)
            [*command, *options, "--json", str(report)],
            cwd=report.parent.parent,
            env={**os.environ, "PYTHONPATH": str(SANDBOX)},
            capture_output=True,
            timeout=VERIFY_SECONDS,
            check=False,
        ).returncode
    except subprocess.TimeoutExpired:
        return 2


def _first_finding(report: Path) -> str:
    if not report.is_file():
        return "the response that identifies it"
    checks = json.loads(report.read_text("utf-8"))["checks"]
    return next((one["name"] for one in checks if one["result"] == "failed"), "")


def as_table(results: list[Result], *, seed: int, places: int) -> str:
    """The figures by folder, as the page Contract testing shows them."""
    lines = [
        f"Measured on {datetime.now(UTC).date()}: {len(results)} of {places} places, "
        f"drawn with seed {seed}.",
        "",
        "| Folder | Changes | Noticed | Do not start | Cannot be seen | Unclear | Survived |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    words = ("noticed", "does not start", CANNOT_BE_SEEN, "unclear", "survived")
    for title, folder in [*((f"`{name}/`", name) for name in FOLDERS), ("**All**", None)]:
        counts = Counter(one.outcome for one in results if folder in (None, one.change.folder))
        cells = " | ".join(str(counts[word]) for word in words)
        lines.append(f"| {title} | {counts.total()} | {cells} |")
    caught = sum(one.outcome in CAUGHT for one in results)
    seen = sum(one.outcome != CANNOT_BE_SEEN for one in results)
    lines += ["", f"Of {seen} changes that can be seen, {caught} cannot reach anybody unnoticed."]
    return "\n".join(lines) + "\n"


def drawn_again(file: Path) -> tuple[list[Result], list[Change]]:
    """What a run found for good, and the changes that it has to try once more."""
    results = [
        Result(Change(**one["change"]), one["outcome"], one["by"])
        for one in json.loads(file.read_text("utf-8"))
    ]
    known = {one for name in {each.change.path for each in results} for one in _places(name)}
    if any(one.change not in known for one in results):
        raise click.ClickException("The code has changed since that run. Draw a new sample.")
    done = [one for one in results if one.outcome in CAUGHT]
    left = [one.change for one in results if one.outcome not in CAUGHT]
    unseen = [Result(one, CANNOT_BE_SEEN) for one in left if is_unseen(one)]
    return [*done, *unseen], [one for one in left if not is_unseen(one)]


def _places(name: str) -> list[Change]:
    return list(changes_of(PACKAGE / name))


@click.command()
@click.option("--seed", default=1, show_default=True, help="Which places are drawn.")
@click.option("--count", default=80, show_default=True, help="How many places.")
@click.option("--jobs", default=2, show_default=True, help="How many copies run at once.")
@click.option("--json", "file", type=click.Path(path_type=Path), help="Write every result here.")
@click.option(
    "--again",
    type=click.Path(path_type=Path, exists=True),
    help="Try once more what the run of this file left, after a new check or reason.",
)
@click.option("--write", is_flag=True, help="Write the table of the page.")
def main(
    seed: int, count: int, jobs: int, file: Path | None, again: Path | None, write: bool
) -> None:
    """Change the sandbox in one place at a time, and count what verify notices."""
    paths = sorted(
        path
        for name in FOLDERS
        for path in (PACKAGE / name).rglob("*.py")
        if not path.name.startswith("postgres")
    )
    places = [change for path in paths for change in changes_of(path)]
    draw = random.Random(seed)  # noqa: S311  (the same places each time)
    results: list[Result] = []
    drawn = draw.sample(places, min(count, len(places)))
    if again is not None:
        results, drawn = drawn_again(again)
    unchanged = tried(Change("__init__.py", 1, "nothing", 0, 0, ""))
    if unchanged.outcome != "survived":
        raise click.ClickException(f"Without a change: {unchanged.outcome} {unchanged.by}")
    total = len(results) + len(drawn)
    with ThreadPoolExecutor(jobs) as threads:
        for result in threads.map(tried, drawn):
            results.append(result)
            one = result.change
            click.echo(
                f"{len(results)}/{total} {result.outcome}: {one.path}:{one.line} "
                f"{one.kind} {result.by}".rstrip()
            )
            if file is not None:
                file.write_text(json.dumps([asdict(each) for each in results], indent=1), "utf-8")
    table = as_table(results, seed=seed, places=len(places))
    click.echo(f"\n{table}")
    if write:
        TABLE.write_text(table, "utf-8")


if __name__ == "__main__":
    main()
