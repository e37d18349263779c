"""How long the event loop waits for one body: the slowest that a search finds.

    .venv/bin/python bench/decoding.py                 some 20 seconds
    .venv/bin/python bench/decoding.py --examples 5000

A body is a prefix, a small piece again and again until the limit of a body is full, and a suffix.
Hypothesis makes them and looks for longer times. Exits with 1 where one takes more than the limit.
"""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from typing import Final

import click
from hypothesis import HealthCheck, given, settings, target
from hypothesis import strategies as st

from voice_sandbox.http.strict_json import MAX_VALUES, MalformedJSON, decode

BODY_BYTES: Final = 800 * 1024
"""The largest that an operation takes."""
LIMIT_MS: Final = 20.0
TIMES: Final = 3
TOKENS: Final = (
    *('"', ",", ":", "[", "]", "{", "}", "[]", "{}", '""', '"a":', "null", "true", "0", " "),
    *("1e300", "1.5e-300", "9" * 32, "0." + "9" * 30, "-0", "1e308", "NaN", "-", "a", "é", "\n"),
    *("\\\\", '\\"', "\\n", "\\u0041", "\\ud83d\\ude42", "\\ud83d", "\\", "\U0001f642"),
)
PIECES: Final = st.lists(st.sampled_from(TOKENS), max_size=6).map("".join)


def body(prefix: str, piece: str, suffix: str, *, count: int) -> bytes:
    """As many pieces as are asked for or as a body has room for."""
    encoded = piece.encode()
    room = BODY_BYTES - len(prefix.encode()) - len(suffix.encode())
    return prefix.encode() + encoded * min(count, room // max(1, len(encoded))) + suffix.encode()


def milliseconds(text: bytes) -> float:
    """The best of a few processor times, so that no other process is measured."""
    best = float("inf")
    for _ in range(TIMES):
        began = time.thread_time()
        with suppress(MalformedJSON):
            decode(text)
        best = min(best, (time.thread_time() - began) * 1000)
    return best


@click.command()
@click.option("--examples", default=1500, show_default=True, help="Bodies that are tried.")
def main(examples: int) -> None:
    """Searches, and prints the slowest bodies."""
    found: dict[tuple[str, str, str], float] = {}

    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(PIECES, PIECES, PIECES, st.sampled_from([MAX_VALUES - 10, BODY_BYTES]))
    def search(prefix: str, piece: str, suffix: str, count: int) -> None:
        took = milliseconds(body(prefix, piece, suffix, count=count))
        found[prefix, piece, suffix] = took
        target(took)

    search()
    slowest = sorted(found.items(), key=lambda item: -item[1])[:10]
    for (prefix, piece, suffix), took in slowest:
        click.echo(f"{took:7.2f} ms  {prefix!r} + {piece!r} * n + {suffix!r}")
    if slowest[0][1] > LIMIT_MS:
        click.echo(f"A body blocks the event loop for more than {LIMIT_MS:.0f} ms.")
        sys.exit(1)


if __name__ == "__main__":
    main()
