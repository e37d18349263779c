"""A request as a command for a POSIX shell; keys stay out of it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Final

from voice_sandbox.verification.http1 import SentRequest

LONGEST_LITERAL: Final = 1000
_START: Final = "sandbox_"
_LEAST_REPEATS: Final = 50
_RUN: Final = re.compile(rb"(.{1,16}?)\1{%d}" % (_LEAST_REPEATS - 1), re.DOTALL)  # how it starts


def as_curl(sent: SentRequest, *, base_url: str, keys: Mapping[str, str]) -> str:
    """Such as ``curl -X POST http://…``; ``keys`` names the shell variable of each key."""
    words = ["curl", "-i"]
    if sent.method == "HEAD":
        words.append("--head")
    elif sent.method != "GET" or sent.body is not None:
        words += ["-X", sent.method]
    if "//" in sent.target or "/." in sent.target:
        words.append("--path-as-is")
    words.append(shlex.quote(base_url + sent.target))
    headers = list(sent.headers)
    if sent.body is not None and not any(name.lower() == "content-type" for name, _ in headers):
        words += ["-H", "'Content-Type:'"]
    if sent.chunked:
        headers.append(("Transfer-Encoding", "chunked"))
    elif sent.declared_length is not None:
        headers.append(("Content-Length", str(sent.declared_length)))
    for name, value in headers:
        words += ["-H", _quoted(f"{name}: {value}" if value else f"{name};", keys)]
    if sent.body is None:
        return " ".join(words)
    text = _text(sent.body)
    if text is not None and len(text) <= LONGEST_LITERAL:
        return " ".join([*words, "--data-raw", _quoted(text, keys)])
    producer = f"import sys; sys.stdout.buffer.write({_expression(sent.body)})"
    return f"python3 -c {shlex.quote(producer)} | " + " ".join([*words, "--data-binary", "@-"])


def _quoted(text: str, keys: Mapping[str, str]) -> str:
    """Shell quoting in which every key has become its variable."""
    words = {
        word: expansion
        for key, variable in keys.items()
        if key
        for word, expansion in _spellings(key, variable)
        if word in text
    }
    if not words:
        return shlex.quote(text)
    quoted = re.sub(r'([\\"$`])', r"\\\1", text)
    for word in sorted(words, key=lambda word: -len(word)):
        quoted = quoted.replace(word, words[word])
    return f'"{quoted}"'


def _spellings(key: str, variable: str) -> Iterator[tuple[str, str]]:
    """A key as checks write it, letters turned around too, and what a shell makes of the variable.

    Whoever reads a key in capitals has read the key. The last wins where two are the same.
    """
    if key.startswith(_START):
        turned = f'$(printf %s "${{{variable}#{_START}}}" | tr a-zA-Z A-Za-z)'
        yield _START + key.removeprefix(_START).swapcase(), _START + turned
    yield key.upper(), f'$(printf %s "${{{variable}}}" | tr a-z A-Z)'
    yield key, f"${{{variable}}}"


def _text(body: bytes) -> str | None:
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def _expression(body: bytes) -> str:
    """A Python expression for the bytes, in which long repetitions are written as such."""
    parts: list[str] = []
    end = 0
    while run := _RUN.search(body, end):
        if run.start() > end:
            parts.append(repr(body[end : run.start()]))
        times = _LEAST_REPEATS + _repeats(run[1], body, run.end())
        parts.append(f"{run[1]!r} * {times}")
        end = run.start() + times * len(run[1])
    if end < len(body) or not parts:
        parts.append(repr(body[end:]))
    return " + ".join(parts)


def _repeats(unit: bytes, body: bytes, start: int) -> int:
    """How often the unit follows from there on, without a step for each time."""
    times, step = 0, 1
    while step:
        if body.startswith(unit * step, start + times * len(unit)):
            times += step
            step *= 2
        else:
            step //= 2
    return times
