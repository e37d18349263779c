"""What happened under a key, as lines for people: exchanges, and the timeline of a call.

The command line and the report of a failed test show them. What a sandbox sends is escaped: it may
hold line breaks and sequences that control a terminal.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from voice_sandbox.clock import from_rfc3339

# Controls (C0, DEL, C1), separators of lines, and what changes the direction of writing.
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def escaped(text: str) -> str:
    """One line without anything that a terminal acts on; valid as JSON too, where it was JSON."""
    return _CONTROLS.sub(lambda control: f"\\u{ord(control[0]):04x}", text)


def exchange_line(entry: Mapping[str, Any], *, status: Callable[[int], str] = str) -> str:
    """One exchange in one line. ``status`` may give a status its colour."""
    sender = "provider" if entry["sender"] == "provider" else ""
    code = f"  {entry['code']}" if entry["code"] else ""
    replayed = "  replayed" if entry["replayed"] else ""
    call_id = f"  {entry['call_id']}" if entry["call_id"] else ""
    request = f"{sender:8}  {entry['method']:6} {entry['path']}{code}{replayed}"
    began = f"{entry['at'][:10]} {entry['at'][11:23]}  "
    told = f" {entry['duration_ms']:8.1f} ms  {request}  {entry['request_id']}{call_id}"
    return escaped(began) + status(entry["status"]) + escaped(told)


def events(inspected: Mapping[str, Any]) -> list[dict[str, Any]]:
    """States and deliveries of a call in order, with seconds from its beginning."""
    began = from_rfc3339(inspected["timeline"][0]["at"])
    found = [{"at": state["at"], "status": state["status"]} for state in inspected["timeline"]]
    found += [
        {
            "at": delivery["due_at"],
            "delivered": delivery["payload"]["status"],
            "answered": delivery["answered"],
        }
        for delivery in inspected["deliveries"]
        if delivery["answered"] is not None
    ]
    # A completion that ends the call is delivered in the very instant of the end.
    found.sort(key=lambda event: (event["at"], "status" in event))
    return [
        {"after_seconds": round(from_rfc3339(event["at"]) - began, 3), **event} for event in found
    ]


def event_line(event: Mapping[str, Any], *, status: Callable[[int], str] = str) -> str:
    """One state or delivery in one line."""
    began = f"{event['after_seconds']:8.1f} s  "
    if "status" in event:
        return escaped(began + event["status"])
    delivers = f"the provider delivers {event['delivered']}: "
    return escaped(began + delivers) + status(event["answered"])


def report(
    exchanges: Sequence[Mapping[str, Any]], calls: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    """The timeline of each call, then every exchange with the reason of its response."""
    for call in calls:
        scenario = f"  scenario {call['scenario']}" if call["scenario"] else ""
        yield escaped(f"{call['call_id']}  {call['status']}{scenario}")
        yield from map(event_line, events(call))
    for entry in exchanges:
        yield exchange_line(entry)
        if entry["why"]:
            yield escaped(f"    {entry['why']}")
