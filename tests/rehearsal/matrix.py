"""What the rules of a rehearsal are worth: which client breaks which rule, in the whole programme.

    .venv/bin/python -m tests.rehearsal.matrix             prints the matrix
    .venv/bin/python -m tests.rehearsal.matrix --write     puts it and the tables on the page

Each client runs through every act. It takes about fifteen minutes.
"""

import argparse
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from voice_sandbox.contract.reader import find_contract, load_contract
from voice_sandbox.rehearsal.acts import PROGRAMME, read_programme
from voice_sandbox.rehearsal.rules import RULES

from .clients_of_rules import AGENT, BAD, CLIENTS, FOLLOWS, GOOD, ROOT, broken, played_by, rendered

EXAMPLES: Final = ROOT / "docs/examples"
ACTS_FILE: Final = EXAMPLES / "rehearsal-acts.txt"
RULES_FILE: Final = EXAMPLES / "rehearsal-rules.txt"
MATRIX_FILE: Final = EXAMPLES / "rehearsal-matrix.txt"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def acts_table() -> str:
    acts = read_programme(PROGRAMME, load_contract(find_contract()))
    rows = ((f"`{act.name}`", act.line, act.expects) for act in acts)
    return table(("act", "what happens", "what a good program does"), rows)


def rules_table() -> str:
    rows = (
        (f'<span id="{rule.code}"></span>`{rule.code}`', rule.sentence, rule.why, rule.fix)
        for rule in RULES
    )
    return table(("rule", "what a good program does", "why", "how to fix it"), rows)


def _runs(folder: Path) -> Iterator[tuple[str, str, list[str]]]:
    """Client, the rule that it is to break, and its command."""
    for name, program in GOOD.items():
        yield name, "", [program, str(rendered(name, folder))]
    for rule in RULES:
        for name, program in BAD.items():
            yield name, rule.code, [program, str(CLIENTS / name), rule.code]


def matrix() -> str:
    """A row for each rule and for the good clients: what was caught, and what else."""
    os.environ |= {"CALL_DEADLINE_SECONDS": "20", "KNOWN_AGENT": AGENT}

    def play(run: tuple[str, str, list[str]]) -> tuple[str, str, dict[str, list[str]]]:
        name, code, command = run
        return name, code, broken(played_by(command, jobs=25, seconds=30))

    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(2) as pool:
        results = list(pool.map(play, _runs(Path(folder))))
    rows = []
    for name, code, found in results:
        others = sorted(set(found) - {code} - FOLLOWS.get(code, set()))
        follows = sorted(set(found) & FOLLOWS.get(code, set()))
        acts = sorted({each.partition(":")[0] for each in found.get(code, ())})
        rows.append(
            (
                f"`{name} {code}`".replace(" `", "`"),
                f"`{code}`" if code else "none",
                f"in {len(acts)} acts" if acts else ("nothing to catch" if not code else "no"),
                ", ".join(f"`{each}`" for each in follows) or "none",
                ", ".join(f"`{each}`" for each in others) or "none",
            )
        )
    head = ("client", "breaks", "caught", "what follows from it", "false findings")
    said = f"Measured on {datetime.now(UTC).date()}: every client in every act.\n\n"
    return said + table(head, rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--tables", action="store_true", help="only the tables of acts and rules")
    given = parser.parse_args()
    if given.write or given.tables:
        ACTS_FILE.write_text(acts_table(), "utf-8")
        RULES_FILE.write_text(rules_table(), "utf-8")
    if given.tables:
        return
    text = matrix()
    click.echo(text)
    if given.write:
        MATRIX_FILE.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
