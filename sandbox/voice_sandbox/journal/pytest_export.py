"""An exchange as a test for the fixture ``voice_sandbox``, which first does what led to it.

A test starts with a key of its own, so the exchanges of the same call that came before are sent
again, and the clock is advanced to where the simulated provider delivered. What cannot be sent
again as it was is skipped, and the test says why.
"""

from __future__ import annotations

import json
import re
from collections.abc import Container, Iterable, Iterator
from typing import Any, Final

from voice_sandbox.calls.provider import ID_PREFIX
from voice_sandbox.calls.scenarios import Scenarios
from voice_sandbox.journal.exports import (
    PLAIN_PATH,
    JournalEntry,
    declared_bytes,
    sent_body,
    sent_headers,
)

_PROVIDER_ID: Final = re.compile(rf"{ID_PREFIX}[0-9a-f]{{32}}")
_TEST_LIMIT: Final = 80_000
"""Characters; the control contract allows a little more for what stands around them."""
_OF_THE_MOMENT: Final = frozenset({"rate_limited", "storage_unavailable", "internal_error"})


def as_pytest(
    entry: JournalEntry,
    earlier: Iterable[JournalEntry],
    *,
    scenarios: Scenarios,
    changes_state: Container[str],
    sample_call_id: str,
) -> str:
    """``earlier`` are the exchanges of the same call that came before, in order.

    ``changes_state`` are the operationIds whose exchanges are sent again first.
    """
    name = _snake(entry["operation_id"] or "unknown_path")
    test = _Test(scenarios, changes_state, sample_call_id)
    steps: list[str] = []
    length = 0
    for step in test.lines(entry, earlier):
        steps.append(step)
        length += len(step)
        if length > _TEST_LIMIT:
            steps = ["pytest.skip('Too much has happened to this call to be told in a test.')"]
            break
    head = ["import pytest", "", ""] if any("pytest." in step for step in steps) else []
    head += [
        f"def test_{name}_responds_with_{entry['status']}(voice_sandbox):",
        f'    """Recorded as {entry["request_id"]}."""',
    ]
    return "\n".join([*head, *(f"    {step}" for step in steps)]) + "\n"


class _Test:
    """Writes one test, and knows how far it has got."""

    def __init__(
        self, scenarios: Scenarios, changes_state: Container[str], sample_call_id: str
    ) -> None:
        self._scenarios = scenarios
        self._changes_state = changes_state
        self._sample_call_id = sample_call_id
        self._created: str | None = None
        """The recorded call_id that the test has created anew as ``call_id``."""
        self._deliveries = 0
        self._seconds = 0.0

    def lines(self, entry: JournalEntry, earlier: Iterable[JournalEntry]) -> Iterator[str]:
        if reason := self._hindrance(entry):
            yield f"pytest.skip({reason!r})"
            return
        for exchange in earlier:
            yield from self._repeated(exchange)
        is_of_a_call = entry["call_id"] not in (None, self._sample_call_id)
        if is_of_a_call and self._created is None and entry["status"] != 201:
            yield "pytest.skip('The journal no longer has the creation of this call.')"
            return
        if entry["sender"] == "provider":
            yield from self._delivered(entry)
            return
        if entry["code"] == "impossible_outcome":  # only once somebody has answered the call
            yield from self._advance_to(self._scenario(entry).answered_after_seconds or 0)
        yield f"response = {self._request(entry)}"
        yield f"assert response.status_code == {entry['status']}"
        if entry["code"] and entry["method"] != "HEAD":
            yield f"assert response.json()['code'] == {entry['code']!r}"

    def _repeated(self, exchange: JournalEntry) -> Iterator[str]:
        """Lines that do again what an earlier exchange has changed."""
        if exchange["sender"] == "provider":  # a rejected delivery is due all the same
            yield from self._completion(exchange)
            return
        if exchange["operation_id"] not in self._changes_state:
            return
        if not 200 <= exchange["status"] < 300:
            return
        if exchange["status"] != 201:
            yield self._request(exchange)
        elif not exchange["replayed"]:
            yield f"created = {self._request(exchange)}"
            yield 'call_id = created.json()["call_id"]'
            self._created = exchange["call_id"]

    def _delivered(self, entry: JournalEntry) -> Iterator[str]:
        """Lines that have the provider deliver, and look at what became of it."""
        yield from self._completion(entry)
        yield f"delivered, *_ = voice_sandbox.journal(operation={entry['operation_id']!r})"
        yield f"assert delivered['status'] == {entry['status']}"
        if entry["code"]:
            yield f"assert delivered['code'] == {entry['code']!r}"

    def _hindrance(self, entry: JournalEntry) -> str | None:
        """Why an exchange cannot be had again, or ``None`` where it can."""
        asked_for = any(name == "prefer" for name, _ in entry["request"]["headers"])
        if entry["fault"] is not None:
            return f"An armed fault struck: arm {entry['fault']} first."
        if entry["code"] in _OF_THE_MOMENT and entry["scenario"] is None and not asked_for:
            return "This response was due to the state of the sandbox, not to the request."
        if entry["sender"] == "integrator" and entry["request"]["truncated"]:
            return "The body was longer than what the journal keeps."
        if "\ufffd" in entry["request"]["body"]:
            return "The body was not UTF-8, and the journal keeps text."
        return None

    def _completion(self, exchange: JournalEntry) -> Iterator[str]:
        """Lines that have the provider deliver the same completion."""
        planned = self._scenario(exchange).completions[self._deliveries :]
        sent = _json(exchange["request"]["body"])
        if planned and (sent is None or sent["status"] == planned[0].status):
            yield from self._advance_to(planned[0].after_seconds)
            self._deliveries += 1
        elif sent is not None:  # by endCall, and not as planned
            ending = {name: sent[name] for name in ("status", "transcript", "duration")}
            yield f"voice_sandbox.client.post(f'/sandbox/calls/{{call_id}}/end', json={ending!r})"

    def _advance_to(self, seconds: float) -> Iterator[str]:
        if seconds > self._seconds:
            yield f"voice_sandbox.advance({seconds - self._seconds:g})"
            self._seconds = seconds

    def _scenario(self, exchange: JournalEntry) -> Any:
        scenarios = self._scenarios
        return scenarios.by_name.get(exchange["scenario"] or "", scenarios.default)

    def _request(self, exchange: JournalEntry) -> str:
        arguments = [repr(exchange["method"]), *self._target(exchange["path"])]
        headers = sent_headers(exchange)
        if len(dict(headers)) < len(headers):
            arguments.append(f"headers={headers!r}")
        elif headers:
            arguments.append(f"headers={dict(headers)!r}")
        body = sent_body(exchange, self._scenarios)
        if not body and (unread := declared_bytes(exchange)):
            arguments.append(f"content=b'x' * {unread}")
        elif provider_id := _PROVIDER_ID.search(body):
            known = "voice_sandbox.inspect(call_id)['provider_call_id']"
            arguments.append(f"content={body!r}.replace({provider_id[0]!r}, {known}).encode()")
        elif body:
            arguments.append(f"content={body!r}.encode()")
        return f"voice_sandbox.client.request({', '.join(arguments)})"

    def _target(self, path: str) -> list[str]:
        """The arguments that send a path as it is, with the call that the test has created."""
        is_created = self._created is not None and self._created in path
        replaced = f".replace({self._created!r}, call_id)" if is_created else ""
        if PLAIN_PATH.fullmatch(path):
            return [f"{path!r}{replaced}"]
        return ["'/'", f"extensions={{'target': {path!r}{replaced}.encode()}}"]


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:  # only its beginning was kept
        return None


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
