"""The only way from a check to a deployment. It lets nothing through that could ring a phone.

Against anything that has not proved to be a sandbox it sends reads, and completions of calls that
do not exist; a call is placed only to a number that a person named, and once. Against a sandbox
it calls only numbers that nobody can own, so that even a sandbox that is none rings nobody.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Final

import orjson

from sandbox.verification.wire import Answer, Sent, Wire

CALLS_PATH: Final = "/v1/calls"
WEBHOOK_PATH: Final = "/v1/webhooks/call-completed"
UNKNOWN_REFERENCE: Final = "verification-of-no-call"

_PLAIN_TARGET: Final = re.compile(r"/[A-Za-z0-9/_.-]*")
# Of these, numbers in +1 202 555 01xx are reserved for fiction, and +999 is no country.
_LONG_NUMBER: Final = re.compile(rb"[0-9]{7,}")
_OWNED_BY_NOBODY: Final = re.compile(rb"0*1?(202)?55501[0-9]{2}|999[0-9]+")


class NotAllowed(Exception):
    """A check tried what it must not; that is a bug of the check, and nothing was sent."""


class Guard:
    """Sends what is allowed. ``numbers`` are those that a person named, for one call each."""

    def __init__(self, wire: Wire, *, is_sandbox: bool, numbers: Iterable[str] = ()) -> None:
        self.is_sandbox = is_sandbox
        self._wire = wire
        self._unspent = list(dict.fromkeys(numbers))

    def exchange(self, sent: Sent, *, timeout_seconds: float | None = None) -> Answer:
        """Raises: `NotAllowed` before anything is sent, `NoAnswer`."""
        self._allow(sent)
        return self._wire.exchange(sent, timeout_seconds=timeout_seconds)

    def exchange_together(self, requests: Sequence[Sent]) -> list[Answer]:
        """Sends all at the same moment, each over a connection of its own."""
        for sent in requests:
            self._allow(sent)
        barrier = Barrier(len(requests))
        with ThreadPoolExecutor(len(requests)) as threads:
            return list(
                threads.map(lambda sent: self._wire.exchange_together(sent, barrier), requests)
            )

    def _allow(self, sent: Sent) -> None:
        if self.is_sandbox:
            self._allow_in_sandbox(sent)
        elif not (self._reads(sent) or self._completes_nothing(sent) or self._spends(sent)):
            raise NotAllowed(f"{sent.method} {sent.target} is not sent to what is no sandbox.")

    def _allow_in_sandbox(self, sent: Sent) -> None:
        if sent.method in ("GET", "HEAD") or WEBHOOK_PATH in sent.target:
            return
        for number in _LONG_NUMBER.findall(sent.body or b""):
            if sent.target.startswith(CALLS_PATH) and not _OWNED_BY_NOBODY.fullmatch(number):
                raise NotAllowed("A check may call only numbers that nobody owns.")

    def _reads(self, sent: Sent) -> bool:
        return (
            sent.method in ("GET", "HEAD")
            and sent.body is None
            and not sent.chunked
            and sent.declared_length is None
            and self._is_plain(sent)
        )

    def _completes_nothing(self, sent: Sent) -> bool:
        """Whether it is a request to the webhook that cannot end a call, nor hide another one."""
        body = sent.body or b""
        return (
            sent.method == "POST"
            and sent.target == WEBHOOK_PATH
            and sent.declared_length is None
            and self._is_plain(sent)
            and b"HTTP/" not in body
            and (b"provider_call_id" not in body or UNKNOWN_REFERENCE.encode() in body)
        )

    def _spends(self, sent: Sent) -> bool:
        """Whether it is the one call to a number that was named."""
        if sent.method != "POST" or sent.target != CALLS_PATH or not self._is_plain(sent):
            return False
        try:
            phone = orjson.loads(sent.body or b"")["phone"]
        except (ValueError, KeyError, TypeError):
            return False
        if phone not in self._unspent or sent.chunked or sent.declared_length is not None:
            return False
        self._unspent.remove(phone)
        return True

    def _is_plain(self, sent: Sent) -> bool:
        return bool(_PLAIN_TARGET.fullmatch(sent.target)) and not any(
            set("\r\n") & set(name + value) for name, value in sent.headers
        )
