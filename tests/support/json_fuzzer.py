"""Runs the strict JSON decoder under atheris, guided by coverage, against Python's own decoder.

    python tests/support/json_fuzzer.py -max_total_time=60

Whatever arrives, there is a rejection, or a value that Python's decoder gives too and that can be
sent back. The arguments are libFuzzer's: https://llvm.org/docs/LibFuzzer.html#options.
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import atheris

with atheris.instrument_imports(
    include=["voice_sandbox.http.strict_json", "json.decoder", "json.scanner"]
):
    from voice_sandbox.http.strict_json import MalformedJSON, decode


def one_input(body: bytes) -> None:
    try:
        value = decode(body)
    except MalformedJSON:
        return
    theirs = json.loads(body)
    assert as_doubles(value) == as_doubles(theirs), (value, theirs)
    json.dumps(value, ensure_ascii=False).encode("utf-8")


def as_doubles(value: Any) -> Any:
    """`1e23` is an exact integer here and the nearest double in Python's decoder."""
    if isinstance(value, dict):
        return {key: as_doubles(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_doubles(item) for item in value]
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number else value


# What libFuzzer would take long to make up: the words of JSON, and what is almost one.
WORDS = r"""
    { } [ ] : , " \\ \\u \\ud83d \\ude42 \\u0000 \\n true false null NaN Infinity -Infinity
    -0 0.0 1e400 1e-400 12.0 9007199254740993 \xef\xbb\xbf \xed\xa0\xbd \xf0\x9f\x98\x80 \xc0\xaf
""".split()
SEEDS = [
    b'{"phone": "+12025550100", "agent": "a"}',
    b'[1, -2.5e3, true, false, null, "\\ud83d\\ude42", {"a": {"b": []}}]',
]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        words, seeds = Path(folder, "words"), Path(folder, "seeds")
        words.write_text("".join(f'"{_quoted(word)}"\n' for word in WORDS), "utf-8")
        seeds.mkdir()
        for number, seed in enumerate(SEEDS):
            (seeds / str(number)).write_bytes(seed)
        atheris.Setup([*sys.argv, f"-dict={words}", str(seeds)], one_input)
        atheris.Fuzz()


def _quoted(word: str) -> str:
    return word if word.startswith("\\x") else word.replace('"', '\\"')


if __name__ == "__main__":
    main()
