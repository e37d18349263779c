"""The only way from a check to a deployment. It lets nothing through that could ring a phone.

Against anything that has not proved to be a sandbox it sends reads, and completions of calls that
do not exist; a call is placed only to a number that a person named, and once. Against a sandbox
it calls only numbers that nobody can own, so that even a sandbox that is none rings nobody.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Final

from voice_sandbox.verification.http1 import Http1Client, ReceivedResponse, SentRequest

CALLS_PATH: Final = "/v1/calls"
WEBHOOK_PATH: Final = "/v1/webhooks/call-completed"
UNKNOWN_REFERENCE: Final = "verification-of-no-call"

_PLAIN_TARGET: Final = re.compile(r"/[A-Za-z0-9/_.-]*")
# What stands between the digits of a number as people write it.
_BETWEEN_DIGITS: Final = re.compile(r"[\s().\u002f\u2010-\u2015-]+")
_LONG_NUMBER: Final = re.compile(r"[0-9]{7,}")
# Numbers in +1 202 555 01xx are reserved for fiction, and +999 is no country.
_OWNED_BY_NOBODY: Final = re.compile(r"0*1?20255501[0-9]{2}|999[0-9]+")
# With any other a request could turn into something else on its way, a GET into a POST say.
_PLAIN_HEADERS: Final = frozenset(
    "authorization content-type content-encoding cookie idempotency-key accept accept-language "
    "range if-match if-none-match if-modified-since if-unmodified-since".split()
)
_REFERENCE: Final = re.compile(rb'provider_call_id"?\s*:\s*("[^"]*"|.?)')


class NotAllowed(Exception):
    """A check tried what it must not; that is a bug of the check, and nothing was sent."""


class Guard:
    """Sends what is allowed. ``numbers`` are those that a person named, for one call each."""

    def __init__(
        self, client: Http1Client, *, is_sandbox: bool, numbers: Iterable[str] = ()
    ) -> None:
        self.is_sandbox = is_sandbox
        self._client = client
        self._unspent = list(dict.fromkeys(numbers))

    def exchange(
        self, sent: SentRequest, *, timeout_seconds: float | None = None
    ) -> ReceivedResponse:
        """Raises: `NotAllowed` before anything is sent, `NoResponse`."""
        self._allow(sent)
        return self._client.exchange(sent, timeout_seconds=timeout_seconds)

    def exchange_at_once(self, requests: Sequence[SentRequest]) -> list[ReceivedResponse]:
        """Sends all at the same moment, each over a connection of its own."""
        for sent in requests:
            self._allow(sent)
        barrier = Barrier(len(requests))
        with ThreadPoolExecutor(len(requests)) as threads:
            return list(
                threads.map(lambda sent: self._client.exchange_at_once(sent, barrier), requests)
            )

    def exchange_until(self, sent: SentRequest, holds: Callable[[bytes], bool]) -> ReceivedResponse:
        """Reads a response until something holds of its body so far."""
        self._allow(sent)
        return self._client.exchange_until(sent, holds)

    def exchange_in_turn(self, requests: Sequence[SentRequest]) -> list[ReceivedResponse]:
        """Sends one after another over one connection."""
        for sent in requests:
            self._allow(sent)
        return self._client.exchange_in_turn(requests)

    def allows(self, sent: SentRequest) -> bool:
        """Whether a request may be sent, apart from the calls that a person named."""
        if not self.is_sandbox:
            return self._reads(sent) or self._completes_nothing(sent)
        try:
            self._allow_in_sandbox(sent)
        except NotAllowed:
            return False
        return True

    def _allow(self, sent: SentRequest) -> None:
        if self.is_sandbox:
            self._allow_in_sandbox(sent)
        elif not (self._reads(sent) or self._completes_nothing(sent) or self._spends(sent)):
            raise NotAllowed(f"{sent.method} {sent.target} is not sent to what is no sandbox.")

    def _allow_in_sandbox(self, sent: SentRequest) -> None:
        """Whatever the path, a body may name only numbers that nobody owns."""
        if sent.method in ("GET", "HEAD") or sent.target == WEBHOOK_PATH:
            return
        for number in _numbers(sent.body or b""):
            if not _OWNED_BY_NOBODY.fullmatch(number):
                raise NotAllowed("A check may call only numbers that nobody owns.")

    def _reads(self, sent: SentRequest) -> bool:
        return (
            sent.method in ("GET", "HEAD")
            and sent.body is None
            and not sent.chunked
            and sent.declared_length is None
            and self._is_plain(sent)
        )

    def _completes_nothing(self, sent: SentRequest) -> bool:
        """Whether it is a request to the webhook that cannot end a call, nor hide another one."""
        body = sent.body or b""
        references = _REFERENCE.findall(body)
        return (
            sent.method == "POST"
            and sent.target == WEBHOOK_PATH
            and sent.declared_length is None
            and self._is_plain(sent)
            and b"HTTP/" not in body
            and len(references) == body.count(b"provider_call_id")
            and all(UNKNOWN_REFERENCE.encode() in reference for reference in references)
        )

    def _spends(self, sent: SentRequest) -> bool:
        """Whether it is the one call to a number that was named, and names no other."""
        if sent.method != "POST" or sent.target != CALLS_PATH or not self._is_plain(sent):
            return False
        if sent.chunked or sent.declared_length is not None:
            return False
        named = _numbers(sent.body or b"")
        numbers = [number for number in self._unspent if named == [number.removeprefix("+")]]
        if not numbers or (sent.body or b"").count(b'"phone"') != 1:
            return False
        [number] = numbers
        self._unspent.remove(number)
        return True

    def _is_plain(self, sent: SentRequest) -> bool:
        return bool(_PLAIN_TARGET.fullmatch(sent.target)) and all(
            name.lower() in _PLAIN_HEADERS and not set("\r\n") & set(name + value)
            for name, value in sent.headers
        )


def _numbers(body: bytes) -> list[str]:
    """Everything in a body that could be dialed: digits of any alphabet, however they are set."""
    text = body.decode("utf-8", "replace")
    text = re.sub(r"\\u([0-9a-fA-F]{4})", lambda escape: chr(int(escape[1], 16)), text)
    # A body of a megabyte is looked at character by character only where that can matter.
    digits = text if text.isascii() else "".join(str(unicodedata.decimal(c, c)) for c in text)
    return _LONG_NUMBER.findall(_BETWEEN_DIGITS.sub("", digits))
