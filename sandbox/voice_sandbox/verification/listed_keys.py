"""Sandbox keys that a person gave, for a deployment that accepts the keys on its list alone.

Checks want keys that nobody used before. Where none can be generated, the namespaces of the keys
that were given are emptied before each check, so only keys that nothing else uses will do: one
whose journal holds anything is rejected, and nothing of it is touched. What a verification left
that was killed is an exception: each of its requests says by its ``User-Agent`` whose it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from voice_sandbox import clock
from voice_sandbox.sandbox_key import PATTERN
from voice_sandbox.verification.finding import CannotTell
from voice_sandbox.verification.guard import WEBHOOK_PATH, Guard
from voice_sandbox.verification.http1 import (
    USER_AGENT,
    Http1Client,
    NoResponse,
    ReceivedResponse,
    SentRequest,
)

KEYS_NEEDED: Final = 2
"""No check uses more keys than two at once."""
UNCHANGED_SECONDS: Final = 5.0
"""A verification that still runs sends something within this time."""

_ORDINALS: Final = ("first", "second")
_PROVIDER: Final = "the simulated provider"


class ListedKeys:
    """Hands the keys out one after another, and empties their namespaces in between."""

    def __init__(self, client: Http1Client, keys: Iterable[str]) -> None:
        """Keys of a service, and more keys than are needed, are never sent."""
        fitting = dict.fromkeys(key for key in keys if re.fullmatch(PATTERN, key))
        self.keys = tuple(fitting)[:KEYS_NEEDED]
        self._client = client
        self._handed_out = 0

    def why_not(self) -> str:
        """Why they will not do, and what is needed instead; empty where they do. It only reads.

        Raises: `NoResponse`.
        """
        if len(self.keys) < KEYS_NEEDED:
            was_given = ("none was", "one was")[len(self.keys)]
            return (
                "A verification needs two keys of the list that nothing else uses, and "
                f"{was_given} given. Have two added to the list, and name both: "
                "--key sandbox_… --key sandbox_…, or both in VOICE_API_KEY with a space between."
            )
        guard = Guard(self._client, is_sandbox=False)
        left: dict[str, list[Any]] = {}
        for key, ordinal in zip(self.keys, _ORDINALS, strict=True):
            found = guard.exchange(_signed("GET", "/sandbox/journal", key))
            if found.status == 401:
                return (
                    f"The {ordinal} key that was given is not on the list. "
                    "Have it added, or give another."
                )
            if found.status != 200:
                return (
                    f"The journal of the {ordinal} key that was given cannot be read: "
                    f"GET /sandbox/journal is {found.status}."
                )
            if _is_empty(found):
                continue
            entries = _archived(guard, key)
            if not _are_own(entries):
                return (
                    f"The {ordinal} key that was given is in use: its journal holds requests, "
                    "and a verification empties the namespaces of its keys. Give a key that "
                    "nothing else uses, or empty this one by `voice-sandbox reset`."
                )
            left[key] = entries
        if left:
            clock.sleep(UNCHANGED_SECONDS)
        if any(_archived(guard, key) != entries for key, entries in left.items()):
            return (
                "Another verification uses the keys that were given. "
                "Wait until it has ended, or give other keys."
            )
        return ""

    def next(self) -> str:
        """The next key that was not handed out since the last emptying. Raises: `CannotTell`."""
        if self._handed_out == len(self.keys):
            raise CannotTell("It needs more keys than were given.")
        self._handed_out += 1
        return self.keys[self._handed_out - 1]

    def empty(self) -> str:
        """Empties the namespaces of a proved sandbox; says why where that fails.

        Raises: `NoResponse`.
        """
        self._handed_out = 0
        guard = Guard(self._client, is_sandbox=True)
        for key in self.keys:
            status = guard.exchange(_signed("DELETE", "/sandbox/state", key)).status
            if status != 204:
                return f"DELETE /sandbox/state is {status} for a key that was given."
        return ""


def _signed(method: str, target: str, key: str) -> SentRequest:
    return SentRequest(method, target, (("Authorization", f"Bearer {key}"),))


def _is_empty(journal: ReceivedResponse) -> bool:
    """Whether it certainly holds nothing."""
    try:
        said = journal.json()
    except (ValueError, RecursionError):
        return False
    return isinstance(said, dict) and said.get("exchanges") == []


def _archived(guard: Guard, key: str) -> list[Any]:
    """The whole journal as entries of an HTTP Archive; empty where it cannot be had."""
    try:
        archive = guard.exchange(_signed("GET", "/sandbox/journal/har", key)).json()
        entries = archive["log"]["entries"]
    except (NoResponse, ValueError, RecursionError, KeyError, TypeError):
        return []
    return entries if isinstance(entries, list) else []


def _are_own(entries: list[Any]) -> bool:
    """Whether a verification certainly sent all that the simulated provider did not."""
    try:
        agents = [_agent(entry["request"]) for entry in entries]
    except (KeyError, TypeError, AttributeError):
        return False
    return USER_AGENT in agents and {*agents} <= {USER_AGENT, _PROVIDER}


def _agent(request: dict[str, Any]) -> str:
    headers = {header["name"]: header["value"] for header in request["headers"]}
    # The provider is no client of HTTP, so what it sends names no host.
    is_provider = "host" not in headers and request["url"].endswith(WEBHOOK_PATH)
    return _PROVIDER if is_provider else str(headers.get("user-agent"))
