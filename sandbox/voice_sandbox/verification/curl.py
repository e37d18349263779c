"""A request as a command for a POSIX shell; keys stay out of it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Final

from voice_sandbox.curl import curl_command
from voice_sandbox.sandbox_key import PREFIX
from voice_sandbox.verification.http1 import SentRequest

LONGEST_LITERAL: Final = 1000
_LEAST_REPEATS: Final = 50
_RUN: Final = re.compile(rb"(.{1,16}?)\1{%d}" % (_LEAST_REPEATS - 1), re.DOTALL)  # how it starts


def as_curl(sent: SentRequest, *, base_url: str, keys: Mapping[str, str]) -> str:
    """Such as ``curl -X POST http://…``; ``keys`` names the shell variable of each key."""
    text = None if sent.body is None else _text(sent.body)
    is_literal = text is not None and len(text) <= LONGEST_LITERAL
    data: list[str] = []
    if text is not None and is_literal:
        data = ["--data-raw", _quoted(text, keys)]
    elif sent.body is not None:
        data = ["--data-binary", "@-"]
    command = curl_command(
        None if sent.method == "GET" and sent.body is None else sent.method,
        base_url + sent.target,
        headers=_headers(sent),
        options=[
            "-i",
            *(["--path-as-is"] if "//" in sent.target or "/." in sent.target else []),
            *(["-H", "'Content-Type:'"] if _has_untyped_body(sent) else []),
        ],
        data=data,
        quote=lambda word: _quoted(word, keys),
    )
    if sent.body is None or is_literal:
        return command
    producer = f"import sys; sys.stdout.buffer.write({_expression(sent.body)})"
    return f"python3 -c {shlex.quote(producer)} | {command}"


def _has_untyped_body(sent: SentRequest) -> bool:
    """Whether curl has to be kept from declaring a type of its own."""
    return sent.body is not None and not any(
        name.lower() == "content-type" for name, _ in sent.headers
    )


def _headers(sent: SentRequest) -> Iterator[tuple[str, str]]:
    yield from sent.headers
    if sent.chunked:
        yield "Transfer-Encoding", "chunked"
    elif sent.declared_length is not None:
        yield "Content-Length", str(sent.declared_length)


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
    if key.startswith(PREFIX):
        turned = f'$(printf %s "${{{variable}#{PREFIX}}}" | tr a-zA-Z A-Za-z)'
        yield PREFIX + key.removeprefix(PREFIX).swapcase(), PREFIX + turned
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
