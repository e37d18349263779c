"""An exchange as a JavaScript module that sends the same request, for Node 18 or newer.

`fetch` puts a path in order, and sends no body with a GET. What it would not send as it was goes
through ``node:http``. The key is the environment variable ``VOICE_API_KEY``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from voice_sandbox.calls.scenarios import Scenarios
from voice_sandbox.journal.exports import (
    PLAIN_PATH,
    JournalEntry,
    declared_bytes,
    sent_body,
    sent_headers,
)

_BODILESS: Final = ("GET", "HEAD")
_FETCHED: Final = (*_BODILESS, "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_KEY: Final = "`Bearer ${process.env.VOICE_API_KEY}`"


def as_javascript(entry: JournalEntry, *, origin: str, scenarios: Scenarios) -> str:
    """A module that prints status and body of the response."""
    body = _body(entry, scenarios)
    lines = ['import { readFile } from "node:fs/promises";', ""] if "readFile" in body else []
    if entry["request"]["truncated"]:
        lines.append(
            f"// First write the body of {entry['request']['body_bytes']} bytes into body.json."
        )
    send = _fetched if _can_be_fetched(entry, body) else _requested
    return "\n".join([*lines, *send(entry, origin, body)]) + "\n"


def _can_be_fetched(entry: JournalEntry, body: str) -> bool:
    names = [name for name, _ in sent_headers(entry)]
    if body and (entry["method"] in _BODILESS or "content-type" not in names):
        return False
    is_plain = PLAIN_PATH.fullmatch(entry["path"]) is not None
    return is_plain and entry["method"] in _FETCHED and len(set(names)) == len(names)


def _body(entry: JournalEntry, scenarios: Scenarios) -> str:
    """An expression for the body, empty where none was sent."""
    if entry["request"]["truncated"]:
        return 'await readFile("body.json")'
    if body := sent_body(entry, scenarios):
        return json.dumps(body, ensure_ascii=False)
    unread = declared_bytes(entry)
    return f"Buffer.alloc({unread})" if unread else ""


def _fetched(entry: JournalEntry, origin: str, body: str) -> Iterator[str]:
    yield f"const response = await fetch({json.dumps(origin + entry['path'])}, {{"
    yield f"  method: {json.dumps(entry['method'])},"
    yield from _headers(entry)
    if body:
        yield f"  body: {body},"
    yield "});"
    yield "console.log(response.status, await response.text());"


def _requested(entry: JournalEntry, origin: str, body: str) -> Iterator[str]:
    scheme, host, prefix, *_ = urlsplit(origin)
    path = (prefix + entry["path"]).encode("utf-8", "replace").decode("latin-1")  # as Node has it
    yield 'import { once } from "node:events";'
    yield f'import {{ request }} from "node:{scheme}";'
    yield 'import { text } from "node:stream/consumers";'
    yield ""
    yield f"const sent = request({json.dumps(f'{scheme}://{host}')}, {{"
    yield f"  method: {json.dumps(entry['method'])},"
    yield f"  path: {json.dumps(path)},"
    yield from _headers(entry)
    yield "});"
    yield f"sent.end({body});"
    yield 'const [response] = await once(sent, "response");'
    yield "console.log(response.statusCode, await text(response));"


def _headers(entry: JournalEntry) -> Iterator[str]:
    values: dict[str, list[str]] = {}
    for name, value in sent_headers(entry):
        values.setdefault(name, []).append(value)
    yield "  headers: {"
    yield f"    Authorization: {_KEY},"
    for name, given in values.items():
        yield f"    {json.dumps(name)}: {json.dumps(given[0] if len(given) == 1 else given)},"
    yield "  },"
