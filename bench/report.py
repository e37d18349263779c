"""The results as Markdown and as a picture, for the terminal and for the Performance page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, Final

from profiling import PARTS, Profile
from subjects import KEYS

ROOT: Final = Path(__file__).resolve().parent.parent
TABLES: Final = ROOT / "docs" / "examples" / "performance.txt"
ATTACKS: Final = ROOT / "docs" / "examples" / "attacks.txt"
PICTURE: Final = ROOT / "docs" / "examples" / "performance.svg"

OPERATIONS: Final = ("create a call", "read a call", "list the agents")
Results = Mapping[str, Any]


def markdown(results: Results) -> str:
    """All tables, with what was measured and when."""
    parts = [
        f"Measured on {results['date']} ({results['machine']}): the server on one core, "
        f"the load (wrk, 64 connections, {len(KEYS)} keys in turn) on another.",
        _compared(results["subjects"]),
        *[f"{row['name']} is left out: {row['missing']}." for row in _missing(results)],
        _starts(results),
    ]
    if results["profile"]:
        parts.append(_profiled(results["profile"]))
    for what, rows in results.get("growth", {}).items():
        parts.append(_grown(what, rows))
    if "soak" in results:
        parts.append(_soaked(results["soak"]))
    return "\n\n".join(parts) + "\n"


def write(results: Results) -> None:
    """Puts tables and picture where the Performance page takes them from."""
    TABLES.write_text(markdown(results), "utf-8")
    PICTURE.write_text(picture(results["subjects"]), "utf-8")


def picture(rows: Sequence[Results]) -> str:
    """A bar for each server and operation: its share of the bare server's requests a second."""
    measured = [row for row in rows if row["missing"] is None][1:]
    left, width, bar, gap = 166, 170, 9, 14  # so that it can be read on a phone
    parts: list[str] = []
    y = 28
    for row in measured:
        middle = y + 1.5 * bar + 4
        parts.append(f'<text class="name" x="{left - 8}" y="{middle}">{escape(row["name"])}</text>')
        for number, operation in enumerate(OPERATIONS):
            share = row[operation]["of_floor"]
            length = max(1.0, share * width)
            top = y + number * bar
            parts.append(
                f'<rect class="bar{number}" x="{left}" y="{top}" width="{length:.1f}" '
                f'height="{bar - 2}"/><text class="share" x="{left + length + 4:.1f}" '
                f'y="{top + bar - 2}">{share:.2f}</text>'
            )
        y += 3 * bar + gap
    lines = "".join(
        f'<line x1="{left + width * share}" x2="{left + width * share}" y1="22" y2="{y - gap}"/>'
        for share in (0.25, 0.5, 0.75, 1.0)
    )
    keys = "".join(
        f'<rect class="bar{number}" x="{8 + 116 * number}" y="6" width="9" height="9"/>'
        f'<text x="{8 + 116 * number + 14}" y="14">{operation}</text>'
        for number, operation in enumerate(OPERATIONS)
    )
    told = "; ".join(
        f"{row['name']}: " + ", ".join(f"{o} {row[o]['of_floor']:.2f}" for o in OPERATIONS)
        for row in measured
    )
    return (
        f'<svg class="voice-plot" viewBox="0 0 {left + width + 28} {y}" role="img" '
        f'aria-labelledby="voice-plot-title voice-plot-told">'
        '<title id="voice-plot-title">Requests a second as a share of a bare server\'s</title>'
        f'<desc id="voice-plot-told">{escape(told)}</desc>'
        f"<g>{lines}{keys}{''.join(parts)}</g></svg>\n"
    )


def _compared(rows: Sequence[Results]) -> str:
    """A table for each operation, and one of the memory."""
    measured = [row for row in rows if row["missing"] is None]
    names = ["server", "of bare", "requests/s", "p50 ms", "p99 ms", "CPU µs a request"]
    tables = []
    for operation in OPERATIONS:
        cells = [
            [
                row["name"],
                f"{row[operation]['of_floor']:.2f}",
                f"{row[operation]['per_second']:,.0f}",
                f"{row[operation]['p50_ms']:.1f}",
                f"{row[operation]['p99_ms']:.1f}",
                f"{row[operation]['cpu_us']:.0f}",
            ]
            for row in measured
        ]
        tables.append(f"**{operation.capitalize()}**\n\n{table(names, cells)}")
    memory = [[row["name"], row["about"], f"{row['start_mb']:.0f}"] for row in measured]
    names = ["server", "what it is", "MB"]
    tables.append(f"**Memory at start**\n\n{table(names, memory, texts=2)}")
    return "\n\n".join(tables)


def _starts(results: Results) -> str:
    starts, life = results["starts"], results["life"]
    return (
        f"From the command to the first answer the sandbox takes {starts['sandbox']:.2f} s, "
        f"a bare server {starts['floor']:.2f} s: {starts['ratio']:.1f} times as long. "
        f"It then holds {starts['megabytes']:.0f} MB of memory.\n\n"
        f"Whole calls, created, completed through the webhook and saved: "
        f"{life['per_second']:,.0f} a second."
    )


def _profiled(profile: Profile) -> str:
    names = ["at work", *OPERATIONS]
    rows = [[part, *(f"{profile[o][part]:.0%}" for o in OPERATIONS)] for part in PARTS]
    return f"**Where the sandbox's time goes**\n\n{table(names, rows)}"


def _grown(what: str, rows: Sequence[Results]) -> str:
    names = [what, "read: requests/s", "CPU µs", "p99 ms", "create: requests/s", "CPU µs", "p99 ms"]
    body = []
    for row in rows:
        cells = [f"{row['size']:,}"]
        for operation in ("read", "create"):
            figures = row[operation]
            cells += [
                f"{figures['per_second']:,.0f}",
                f"{figures['cpu_us']:.0f}",
                f"{figures['p99_ms']:.1f}",
            ]
        body.append(cells)
    return f"**By {what}**\n\n{table(names, body)}"


def _soaked(seen: Sequence[tuple[int, float]]) -> str:
    rows = [[f"{seconds}", f"{megabytes:.1f}"] for seconds, megabytes in seen]
    return "**Memory under load**\n\n" + table(["seconds", "MB"], rows)


def _missing(results: Results) -> Iterable[Results]:
    return (row for row in results["subjects"] if row["missing"] is not None)


def table(names: Sequence[str], rows: Iterable[Sequence[str]], *, texts: int = 1) -> str:
    """A table whose first ``texts`` columns are words and the others figures."""
    lines = [names, ["---"] * texts + ["---:"] * (len(names) - texts), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
