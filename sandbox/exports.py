"""Exchanges of the journal in the forms that other tools take: curl, pytest, HAR 1.2.

What the journal left out stays out: the key is ``$VOICE_API_KEY``, and a redacted phone number
becomes the number of the same scenario.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import sandbox
from sandbox.scenarios import Scenarios

Entry = Mapping[str, Any]

_REDACTED_PHONE: Final = re.compile(r"\+[1-9][0-9]{2}\*{3,10}[0-9]{2}")
_SENT_HEADERS: Final = ("content-type", "idempotency-key", "prefer")


def as_curl(entry: Entry, *, origin: str, scenarios: Scenarios) -> str:
    """A command for a POSIX shell, such as ``curl -X POST http://…``."""
    words = ["curl", "-X", entry["method"], shlex.quote(origin + entry["path"])]
    words += ["-H", '"Authorization: Bearer $VOICE_API_KEY"']
    for name, value in _sent_headers(entry):
        words += ["-H", shlex.quote(f"{name}: {value}")]
    if body := _sent_body(entry, scenarios):
        words += ["--data-raw", shlex.quote(body)]
    return " ".join(words)


def as_pytest(entry: Entry, *, scenarios: Scenarios) -> str:
    """A test for the fixture ``voice_sandbox`` of the sandbox's pytest plugin."""
    name = _snake(entry["operation_id"] or "unknown_path")
    arguments = [repr(entry["method"]), repr(entry["path"])]
    if headers := dict(_sent_headers(entry)):
        arguments.append(f"headers={headers!r}")
    if body := _sent_body(entry, scenarios):
        arguments.append(f"content={body!r}.encode()")
    lines = [
        f"def test_{name}_is_answered_{entry['status']}(voice_sandbox):",
        f'    """Recorded as {entry["request_id"]}."""',
        f"    answer = voice_sandbox.client.request({', '.join(arguments)})",
        f"    assert answer.status_code == {entry['status']}",
    ]
    if entry["code"]:
        lines.append(f'    assert answer.json()["code"] == {entry["code"]!r}')
    return "\n".join(lines) + "\n"


def as_har(entries: Iterable[Entry], *, origin: str) -> dict[str, Any]:
    """An HTTP Archive of the entries, in the order given."""
    return {
        "log": {
            "version": "1.2",
            "creator": {"name": "voice-sandbox", "version": sandbox.__version__},
            "entries": [_har_entry(entry, origin) for entry in entries],
        }
    }


def _har_entry(entry: Entry, origin: str) -> dict[str, Any]:
    request, response = entry["request"], entry["response"]
    return {
        "startedDateTime": entry["at"],
        "time": entry["duration_ms"],
        "request": {
            "method": entry["method"],
            "url": origin + entry["path"],
            "httpVersion": "HTTP/1.1",
            "cookies": [],
            "headers": _pairs(request["headers"]),
            "queryString": [
                {"name": name, "value": value}
                for name, value in parse_qsl(urlsplit(entry["path"]).query, True)
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


def _pairs(headers: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in headers]


def _media_type(message: Mapping[str, Any]) -> str:
    return next((value for name, value in message["headers"] if name == "content-type"), "")


def _sent_headers(entry: Entry) -> list[tuple[str, str]]:
    return [(n, v) for n, v in entry["request"]["headers"] if n in _SENT_HEADERS]


def _sent_body(entry: Entry, scenarios: Scenarios) -> str:
    scenario = scenarios.by_name.get(entry["scenario"] or "", scenarios.default)
    body: str = _REDACTED_PHONE.sub(scenario.number, entry["request"]["body"])
    if not entry["request"]["truncated"]:
        return body
    return json.dumps("the body was too long for the journal")


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
