"""A deployment as a check sees it: the operations of the contract, and every response looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from itertools import islice
from typing import Any, Final, TypeVar
from uuid import UUID

import orjson

from voice_sandbox import clock
from voice_sandbox.calls.scenarios import Scenario
from voice_sandbox.contract.catalogue import Catalogue
from voice_sandbox.contract.model import Contract
from voice_sandbox.verification.finding import CannotTell, must_be, problem_code
from voice_sandbox.verification.guard import CALLS_PATH, UNKNOWN_REFERENCE, WEBHOOK_PATH, Guard
from voice_sandbox.verification.http1 import (
    JOURNAL_SECONDS,
    PAUSE_SECONDS,
    NoResponse,
    ReceivedResponse,
    SentRequest,
)
from voice_sandbox.verification.response_validation import ResponseValidator

_T = TypeVar("_T")

JSON: Final = ("Content-Type", "application/json")
UNKNOWN_CALL_ID: Final = "00000000-0000-4000-8000-000000000000"
UNFINISHED: Final = ("queued", "ringing", "in_progress")
LIMITED_ATTEMPTS: Final = 20
REST_SECONDS: Final = 1.0
"""After so long a rest a limit of requests a second holds nothing back."""
LIMITED_SECONDS: Final = 30
"""The longest `Retry-After` that is waited for."""
BUSY: Final = (429, 503)
"""What any deployment may answer at any time, whatever was sent."""


@dataclass(slots=True)
class Learned:
    """What a run has learned of the rate at which requests are taken."""

    is_limited: bool = False


@dataclass(frozen=True, slots=True)
class Target:
    """What all checks of one run share. ``new_key`` gives a sandbox key that nothing else uses."""

    guard: Guard
    contract: Contract
    control_contract: Contract
    catalogue: Catalogue
    service: ResponseValidator
    control: ResponseValidator
    scenarios: Sequence[Scenario]
    """Those of the sandbox's catalogue."""
    new_key: Callable[[], str]
    learned: Learned = field(default_factory=Learned)
    numbers: Sequence[str] = ()
    """The numbers that a person named, for checks that need `Needs.CALL`."""
    share: int = 1
    """Checks that generate requests send every so manieth of them."""
    listed_keys: Sequence[str] = ()
    """The keys that ``new_key`` gives, where a sandbox accepts the keys on its list alone."""

    @property
    def played(self) -> list[Scenario]:
        """The scenarios that create a call."""
        return [one for one in self.scenarios if one.rejection is None]

    @property
    def rejecting(self) -> list[Scenario]:
        """The scenarios that reject one."""
        return [one for one in self.scenarios if one.rejection is not None]


class Api:
    """One check's view of a deployment, under one key."""

    def __init__(
        self, target: Target, key: str, exchanges: list[ReceivedResponse] | None = None
    ) -> None:
        self.target = target
        self.key = key
        self.exchanges: list[ReceivedResponse] = [] if exchanges is None else exchanges
        self.waits = True
        """Whether a 429 is waited for: a check that arms one does not."""

    def another_key(self) -> Api:
        """The same deployment under a key that nothing else uses."""
        return Api(self.target, self.target.new_key(), self.exchanges)

    def some(self, generated: Iterable[_T]) -> Iterator[_T]:
        """What a check has generated, or the share of it that this run takes."""
        return islice(generated, 0, None, self.target.share)

    def empty(self) -> Api:
        """The same deployment under a namespace that holds nothing of this check."""
        if not self.target.listed_keys:
            return self.another_key()
        self.reset()
        return self

    # Requests

    def get(self, path: str, *headers: tuple[str, str], signed: bool = True) -> ReceivedResponse:
        return self.send(SentRequest("GET", path, self._headers(headers, signed)))

    def get_until(
        self, path: str, holds: Callable[[ReceivedResponse], bool], *, seconds: float = 0.0
    ) -> ReceivedResponse:
        """Reads until something holds that happens in so many seconds.

        Another worker may write it into the journal a little later.
        """
        deadline = clock.monotonic() + seconds + JOURNAL_SECONDS
        while not holds(response := self.get(path)) and clock.monotonic() < deadline:
            clock.sleep(PAUSE_SECONDS)
        return response

    def head(self, path: str, *headers: tuple[str, str]) -> ReceivedResponse:
        return self.send(SentRequest("HEAD", path, self._headers(headers, True)))

    def post(
        self, path: str, value: Any, *headers: tuple[str, str], signed: bool = True
    ) -> ReceivedResponse:
        """Posts a JSON value."""
        body = orjson.dumps(value)
        return self.send(SentRequest("POST", path, self._headers((JSON, *headers), signed), body))

    def post_bytes(self, path: str, body: bytes, *headers: tuple[str, str]) -> ReceivedResponse:
        """Posts bytes under the headers given, and no other than the key."""
        return self.send(SentRequest("POST", path, self._headers(headers, True), body))

    def send(self, sent: SentRequest, *, timeout_seconds: float | None = None) -> ReceivedResponse:
        """Raises: `Finding` where the response breaks a rule of every response, `NoResponse`."""
        guard = self.target.guard
        [response] = self._in_time(
            [sent], lambda _: [guard.exchange(sent, timeout_seconds=timeout_seconds)]
        )
        return response

    def send_unchecked(self, sent: SentRequest) -> ReceivedResponse | NoResponse:
        """What came of a request that an armed fault may have struck: no rule holds of that."""
        for _ in range(LIMITED_ATTEMPTS):
            try:
                response = self.target.guard.exchange(sent)
            except NoResponse as error:
                return error
            self.exchanges.append(response)
            if not self._is_limited(response):
                return response
            clock.sleep(retry_after(response))
        raise _limited()

    def send_at_once(self, requests: Sequence[SentRequest]) -> list[ReceivedResponse]:
        """Sends all at the same moment; those that a rate limit held back once more together."""
        return self._in_time(requests, self.target.guard.exchange_at_once)

    def follow(
        self, path: str, holds: Callable[[bytes], bool], *headers: tuple[str, str]
    ) -> ReceivedResponse:
        """Reads a stream until something holds of what has come so far."""
        sent = SentRequest("GET", path, self._headers(headers, True))
        [response] = self._in_time(
            [sent], lambda _: [self.target.guard.exchange_until(sent, holds)]
        )
        return response

    def send_in_turn(self, requests: Sequence[SentRequest]) -> list[ReceivedResponse]:
        """Sends one after another over one connection."""
        for _ in range(LIMITED_ATTEMPTS):
            responses = self.target.guard.exchange_in_turn(requests)
            for response in responses:
                self._validate(response)
            if not any(map(self._is_limited, responses)):
                return responses
            clock.sleep(max(map(retry_after, filter(self._is_limited, responses))))
        raise _limited()

    # Facts of the contract

    @property
    def agent(self) -> str:
        """The first agent of the catalogue."""
        return self.target.catalogue.agents[0].key

    @property
    def newest_call_alias(self) -> str:
        """What stands for the newest call of a key in the sandbox."""
        return self.target.catalogue.newest_call_alias

    def new_call(self, scenario: str = "answered") -> dict[str, str]:
        """The body of a creation."""
        return {"phone": self.number(scenario), "agent": self.agent}

    def completion(self, **changes: Any) -> dict[str, Any]:
        """The contract's own completion, for the newest call, with changes."""
        operation = self.target.contract.operations["callCompleted"]
        assert operation.body is not None
        example = next(iter(operation.body.examples.values()))
        return {**example.value, **changes}

    def completion_of_nothing(self, **changes: Any) -> dict[str, Any]:
        """A completion that names no call of anybody."""
        return self.completion(provider_call_id=UNKNOWN_REFERENCE, **changes)

    # What sandboxes can do

    def number(self, scenario: str) -> str:
        """The number that plays a scenario."""
        return self._numbers[scenario]

    def create(
        self, scenario: str = "answered", *headers: tuple[str, str], call: Any = None
    ) -> str:
        """The ``call_id`` of a new call."""
        response = self.post(CALLS_PATH, call or self.new_call(scenario), *headers)
        must_be(response, 201, when="a valid call is created")
        call_id: str = response.json()["call_id"]
        return call_id

    def read(self, call_id: str) -> dict[str, Any]:
        """The call as the service shows it."""
        response = self.get(f"{CALLS_PATH}/{call_id}")
        must_be(response, 200, when="a call of the same key is read")
        call: dict[str, Any] = response.json()
        return call

    def is_open(self, call_id: str) -> bool:
        """Whether a call is not over, however slowly answers come from where it is."""
        return self.read(call_id)["status"] in UNFINISHED

    def complete(self, **changes: Any) -> ReceivedResponse:
        """Posts a completion of the newest call."""
        return self.post(WEBHOOK_PATH, self.completion(**changes))

    def advance(self, seconds: float) -> None:
        """Moves the virtual clock."""
        # A numeral such as 31536e3, since seven digits could be a number to call.
        digits, power = round(seconds * 1000), -3
        while digits and digits % 10 == 0:
            digits, power = digits // 10, power + 1
        body = f'{{"advance_seconds":{digits}e{power}}}'.encode()
        response = self.post_bytes("/sandbox/clock", body, JSON)
        must_be(response, 200, when="the clock is advanced")

    def stop_clock(self) -> None:
        """From now on nothing but an advance moves the clock, however slow the responses are."""
        response = self.post("/sandbox/clock", {"mode": "manual"})
        must_be(response, 200, when="the clock is set to move by advances alone")

    def now(self) -> float:
        """What the clock shows, in seconds."""
        response = self.get("/sandbox/clock")
        must_be(response, 200, when="the clock is read")
        return datetime.fromisoformat(response.json()["now"]).timestamp()

    def reset(self) -> None:
        """Empties the namespace."""
        headers = (("Authorization", f"Bearer {self.key}"),)
        response = self.send(SentRequest("DELETE", "/sandbox/state", headers))
        must_be(response, 204, when="a namespace is emptied")

    def inspect(self, call_id: str) -> dict[str, Any]:
        """The provider's side of a call."""
        response = self.get(f"/sandbox/calls/{call_id}")
        must_be(response, 200, when="a call of the same key is inspected")
        inspected: dict[str, Any] = response.json()
        return inspected

    def last(self) -> ReceivedResponse:
        """The exchange that was made last."""
        return self.exchanges[-1]

    @cached_property
    def _numbers(self) -> Mapping[str, str]:
        response = self.get("/sandbox/scenarios")
        must_be(response, 200, when="the scenarios are listed")
        return {one["name"]: one["number"] for one in response.json()["scenarios"]}

    def _headers(
        self, headers: Sequence[tuple[str, str]], signed: bool
    ) -> tuple[tuple[str, str], ...]:
        authorization = (("Authorization", f"Bearer {self.key}"),) if signed else ()
        return (*authorization, *headers)

    def _in_time(
        self,
        requests: Sequence[SentRequest],
        exchange: Callable[[Sequence[SentRequest]], list[ReceivedResponse]],
    ) -> list[ReceivedResponse]:
        """The responses, once no documented rate limit holds a request back any more."""
        if self.target.learned.is_limited and any(map(self._may_ask_for_a_limit, requests)):
            # Its own 429 could not be told from that of the limit.
            clock.sleep(REST_SECONDS)
        found: dict[int, ReceivedResponse] = {}
        left = list(range(len(requests)))
        for _ in range(LIMITED_ATTEMPTS):
            responses = exchange([requests[index] for index in left])
            for response in responses:
                self._validate(response)
            found.update(zip(left, responses, strict=True))
            left = [index for index in left if self._is_limited(found[index])]
            if not left:
                return [found[index] for index in range(len(requests))]
            clock.sleep(max(retry_after(found[index]) for index in left))
        raise _limited()

    def _is_limited(self, response: ReceivedResponse) -> bool:
        """Whether a sandbox holds a request back, which did not ask for that itself."""
        if response.status != 429 or not self.waits or not self.target.guard.is_sandbox:
            return False
        sent = response.sent
        if problem_code(response) != "rate_limited" or self._may_ask_for_a_limit(sent):
            return False
        self.target.learned.is_limited = True
        return True

    def _may_ask_for_a_limit(self, sent: SentRequest) -> bool:
        """Whether a request prefers a response, or names a number that rejects calls."""
        if any(name.lower() == "prefer" for name, _ in sent.headers):
            return True
        if sent.body is None:
            return False
        return any(one.number.encode() in sent.body for one in self.target.rejecting)

    def _validate(self, response: ReceivedResponse) -> None:
        self.exchanges.append(response)
        if response.status in BUSY and not self.target.guard.is_sandbox:
            raise CannotTell(f"The deployment is busy: it answered {response.status}.")
        is_control = response.sent.target.startswith("/sandbox")
        (self.target.control if is_control else self.target.service).validate(response)


def retry_after(response: ReceivedResponse) -> float:
    """Seconds to wait. Raises: `CannotTell` where that takes too long."""
    text = response.header("retry-after") or ""
    if not text.isdigit() or int(text) > LIMITED_SECONDS:
        raise _limited()
    return float(text)


def _limited() -> CannotTell:
    return CannotTell(
        "The deployment limits its key to fewer requests than this check needs. "
        "Raise the limit, or verify a deployment without one."
    )


def is_uuid(text: object) -> bool:
    """Whether it is a UUID in lower case with dashes."""
    try:
        return str(UUID(str(text))) == text
    except ValueError:
        return False
