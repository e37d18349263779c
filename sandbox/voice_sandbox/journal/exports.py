"""Exchanges of the journal in the forms that other tools take: curl and HAR 1.2.

What the journal left out stays out: the key is ``$VOICE_API_KEY``, and a redacted phone number
becomes the number of the same scenario.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Mapping
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qsl, quote

import orjson

from voice_sandbox.calls.scenarios import Scenarios
from voice_sandbox.curl import curl_command
from voice_sandbox.installation import __version__

JournalEntry = Mapping[str, Any]

ORIGIN_VARIABLE: Final = "$VOICE_API_URL"
"""Stands for the address where it is another one each time."""

_REDACTED_PHONE: Final = re.compile(r"\+[1-9][0-9]{2}\*{3,10}[0-9]{2}")
_SENT_HEADERS: Final = ("content-type", "content-encoding", "idempotency-key", "prefer")
_AS_IT_IS: Final = ("--globoff", "--path-as-is")
"""curl otherwise takes brackets for a list of addresses, and goes along ``..`` itself."""
_KEY: Final = "$VOICE_API_KEY"
_PIECE_BYTES: Final = 64 * 1024
_UNREAD_BYTES: Final = 4 * 1024 * 1024
"""More than any operation takes."""


def as_curl(entry: JournalEntry, *, origin: str, scenarios: Scenarios) -> str:
    """A command for a POSIX shell, such as ``curl -X POST http://…``.

    With `ORIGIN_VARIABLE` as the origin the shell puts the address in.
    """

    def command(*data: str) -> str:
        return curl_command(
            entry["method"],
            origin + entry["path"],
            options=_AS_IT_IS,
            headers=[("Authorization", f"Bearer {_KEY}"), *sent_headers(entry)],
            data=data,
            quote=_quoted,
        )

    if entry["request"]["truncated"]:
        first = f"# First write the body of {entry['request']['body_bytes']} bytes into body.json."
        return f"{first}\n{command('--data-binary', '@body.json')}"
    if body := sent_body(entry, scenarios):
        return command("--data-raw", shlex.quote(body))
    if unread := declared_bytes(entry):
        return f"head -c {unread} /dev/zero | {command('--data-binary', '@-')}"
    return command()


def _quoted(text: str) -> str:
    """Shell quoting that lets the shell put key and origin in, where there are such to put in."""
    if text == f"Authorization: Bearer {_KEY}":
        return f'"{text}"'
    if text.startswith(f"{ORIGIN_VARIABLE}/"):
        return f'"{ORIGIN_VARIABLE}"{shlex.quote(text.removeprefix(ORIGIN_VARIABLE))}'
    return shlex.quote(text)


async def as_har(entries: AsyncIterable[JournalEntry], *, origin: str) -> AsyncIterator[bytes]:
    """An HTTP Archive of the entries, in the order given: pieces of a JSON text."""
    creator = {"name": "voice-sandbox", "version": __version__}
    piece = b'{"log":{"version":"1.2","creator":%b,"entries":[' % orjson.dumps(creator)
    separator = b""
    async for entry in entries:
        piece += separator + orjson.dumps(_har_entry(entry, origin))
        separator = b","
        if len(piece) > _PIECE_BYTES:
            yield piece
            piece = b""
    yield piece + b"]}}"


def _har_entry(entry: JournalEntry, origin: str) -> dict[str, Any]:
    request, response = entry["request"], entry["response"]
    return {
        "startedDateTime": entry["at"],
        "time": entry["duration_ms"],
        "request": {
            "method": entry["method"],
            "url": origin + _uri(entry["path"]),
            "httpVersion": "HTTP/1.1",
            "cookies": [],
            "headers": _pairs(request["headers"]),
            "queryString": [
                {"name": name, "value": value}
                for name, value in parse_qsl(entry["path"].partition("?")[2], True)
            ],
            "postData": {"mimeType": _media_type(request), "text": request["body"]},
            "headersSize": -1,
            "bodySize": request["body_bytes"],
        },
        "response": {
            "status": entry["status"],
            "statusText": HTTPStatus(entry["status"]).phrase,
            "httpVersion": "HTTP/1.1",
            "cookies": [],
            "headers": _pairs(response["headers"]),
            "content": {
                "size": response["body_bytes"],
                "mimeType": _media_type(response),
                "text": response["body"],
            },
            "redirectURL": "",
            "headersSize": -1,
            "bodySize": response["body_bytes"],
        },
        "cache": {},
        "timings": {"send": 0, "wait": entry["duration_ms"], "receive": 0},
        "comment": entry["why"] or "",
    }


def _uri(path: str) -> str:
    """The path and query with escapes for all that RFC 3986, section 3, has no place for."""
    whole = re.sub(r"%(?![0-9A-Fa-f]{2})", "%25", path)
    return quote(whole, safe="%/?:@!$&'()*+,;=-._~")


def _pairs(headers: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in headers]


def _media_type(message: Mapping[str, Any]) -> str:
    return next((value for name, value in message["headers"] if name == "content-type"), "")


# What the exports share

PLAIN_PATH: Final = re.compile(r"(?!.*(?:/\.|//))[A-Za-z0-9/_.~-]*(?:\?[A-Za-z0-9/_.~=&-]+)?")
"""What clients send as it stands; everything else they would escape or put in order first."""


def sent_headers(entry: JournalEntry) -> list[tuple[str, str]]:
    """The headers that make a difference, in the order they were sent."""
    return [(name, value) for name, value in entry["request"]["headers"] if name in _SENT_HEADERS]


def sent_body(entry: JournalEntry, scenarios: Scenarios) -> str:
    """The body with a number that can be called where the journal has shortened one."""
    scenario = scenarios.by_name.get(entry["scenario"] or "", scenarios.default)
    body: str = _REDACTED_PHONE.sub(scenario.number, entry["request"]["body"])
    return body


def declared_bytes(entry: JournalEntry) -> int:
    """The length of a body that was too large to be read; 0 for every other."""
    if entry["status"] != HTTPStatus.REQUEST_ENTITY_TOO_LARGE or entry["request"]["body_bytes"]:
        return 0
    lengths = [value for name, value in entry["request"]["headers"] if name == "content-length"]
    # Without a length the body came in pieces.
    length = int(lengths[0]) if lengths and lengths[0].isdecimal() else _UNREAD_BYTES
    return min(length, _UNREAD_BYTES)
