"""Faults of `Idempotency-Key`: what is replayed, for how long, and what conflicts."""

import asyncio
import re
from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from fault_injection import FaultInjector, FaultyRequest, FaultyResponse
from faults.altering import (
    CALLS,
    change_responses,
    lenient,
    of_created,
    reject_retries,
    token_of,
)
from faults.fault import fault
from voice_sandbox.calls.call import Call
from voice_sandbox.store.protocol import IdempotencyKey, KeptCall
from voice_sandbox.verification.api import UNKNOWN_CALL_ID


def keep_key(injector: FaultInjector, change: Callable[[IdempotencyKey, Call], Any]) -> None:
    """Keep another Idempotency-Key with a call than was sent."""

    async def created(original: Any, namespace: bytes, call: Call, **more: Any) -> Any:
        key = more["idempotency_key"]
        more["idempotency_key"] = key and change(key, call)
        return await original(namespace, call, **more)

    injector.store("create_call", created)


@fault("idempotency", "retry_returns_the_first_response")
def idempotency_key_is_ignored(injector: FaultInjector) -> None:
    """A retry creates a second call."""
    keep_key(injector, lambda key, call: None)


def compare_bodies(injector: FaultInjector, part: Callable[[Call], str]) -> None:
    """Let a part of the body decide whether two bodies under one key are the same."""
    prints: dict[str, bytes] = {}

    async def created(original: Any, namespace: bytes, call: Call, **more: Any) -> Any:
        kept = await original(namespace, call, **more)
        key = more["idempotency_key"]
        if key is not None and kept is None:
            prints[f"{namespace!r}{key.value}"] = part(call).encode()
        if kept is not None and prints.get(f"{namespace!r}{key.value}") == part(call).encode():
            return KeptCall(kept.call_id, key.fingerprint)
        return kept

    injector.store("create_call", created)


@fault("idempotency", "other_body_under_the_same_key_is_409")
def other_body_is_replayed(injector: FaultInjector) -> None:
    """Another body under the same key gets the first response."""
    compare_bodies(injector, lambda call: "")


@fault("idempotency", "other_body_under_the_same_key_is_409")
def only_the_phone_is_compared(injector: FaultInjector) -> None:
    """Of the body only the phone number is compared."""
    compare_bodies(injector, lambda call: call.phone)


@fault("idempotency", "retry_is_the_same_in_any_order_of_fields")
def body_is_compared_byte_by_byte(injector: FaultInjector) -> None:
    """The same JSON in another order is another body."""
    reject_retries(injector, lambda first, again: first.body != again.body)


@fault("idempotency", "thirty_at_once_create_one_call")
def retries_race(injector: FaultInjector) -> None:
    """Requests at the same moment each create a call, because looking and keeping are two steps."""
    seen: set[str] = set()

    async def created(original: Any, namespace: bytes, call: Call, **more: Any) -> Any:
        key = more["idempotency_key"]
        name = f"{namespace!r}{key and key.value}"
        if key is None or name in seen:
            return await original(namespace, call, **more)
        await asyncio.sleep(0.05)
        kept = await original(namespace, call, **more)
        seen.add(name)
        if kept is not None:
            return await original(namespace, call, **{**more, "idempotency_key": None})
        return None

    injector.store("create_call", created)


@fault("idempotency", "rejected_requests_are_not_kept")
def rejected_requests_are_kept(injector: FaultInjector) -> None:
    """A request that was rejected uses up its key."""
    reject_retries(injector, lambda first, again: lenient(first.body) != lenient(again.body))


@fault("idempotency", "retry_returns_the_first_response")
def replay_is_not_marked(injector: FaultInjector) -> None:
    """A replayed answer does not say so."""
    change_responses(injector, of_created, lambda r: r.put("idempotent-replayed", None))


@fault("idempotency", "new_call_is_found_at_its_location")
def every_response_is_a_replay(injector: FaultInjector) -> None:
    """Every creation says that it is a replay."""
    change_responses(injector, of_created, lambda r: r.put("idempotent-replayed", b"true"))


@fault("idempotency", "retry_returns_the_first_response")
def replay_is_200(injector: FaultInjector) -> None:
    """A replayed answer is 200."""

    def alter(response: FaultyResponse) -> None:
        if response.values("idempotent-replayed"):
            response.status = 200

    change_responses(injector, of_created, alter)


@fault("idempotency", "retry_returns_the_first_response")
def replay_has_no_location(injector: FaultInjector) -> None:
    """A replayed answer has no Location."""

    def alter(response: FaultyResponse) -> None:
        if response.values("idempotent-replayed"):
            response.put("location", None)

    change_responses(injector, of_created, alter)


@fault("idempotency", "idempotency_keys_are_kept_a_day")
def keys_are_forgotten_after_an_hour(injector: FaultInjector) -> None:
    """An Idempotency-Key is kept for an hour."""
    keep_key(injector, lambda key, call: replace(key, expires_at=call.created_at + 3600))


@fault("idempotency", "idempotency_keys_are_kept_a_day")
def keys_are_kept_for_ever(injector: FaultInjector) -> None:
    """An Idempotency-Key is never forgotten."""
    keep_key(injector, lambda key, call: replace(key, expires_at=call.created_at + 10**9))


def change_key(injector: FaultInjector, change: Callable[[bytes], bytes]) -> None:
    """Let the sandbox see another Idempotency-Key than was sent."""

    def alter(request: FaultyRequest) -> None:
        for value in request.values("idempotency-key")[:1]:
            if re.fullmatch(rb"[!-~]{1,255}", value):
                request.put("idempotency-key", change(value))

    injector.on_request(alter)


@fault("idempotency", "idempotency_keys_are_compared_whole")
def keys_ignore_case(injector: FaultInjector) -> None:
    """Idempotency-Keys are compared without regard to case."""
    change_key(injector, bytes.lower)


@fault("idempotency", "idempotency_keys_are_compared_whole")
def keys_are_cut(injector: FaultInjector) -> None:
    """Idempotency-Keys are compared by their first 64 characters."""
    change_key(injector, lambda key: key[:64])


def idempotency_schema(injector: FaultInjector, **changes: Any) -> None:
    def alter(document: dict[str, Any]) -> None:
        document["components"]["parameters"]["IdempotencyKey"]["schema"].update(changes)

    injector.contract(alter)


@fault("idempotency", "idempotency_keys_of_a_wrong_form_are_400")
def long_keys_are_taken(injector: FaultInjector) -> None:
    """An Idempotency-Key of any length is taken."""
    idempotency_schema(injector, maxLength=10**6)


@fault("idempotency", "idempotency_keys_are_compared_whole")
def longest_key_is_rejected(injector: FaultInjector) -> None:
    """An Idempotency-Key of 255 characters is rejected."""
    idempotency_schema(injector, maxLength=254)


@fault("idempotency", "idempotency_keys_of_a_wrong_form_are_400")
def spaces_in_keys_are_taken(injector: FaultInjector) -> None:
    """An Idempotency-Key may hold spaces."""
    idempotency_schema(injector, pattern="^[ -~]+$")


@fault("idempotency", "idempotency_keys_of_a_wrong_form_are_400")
def empty_key_is_no_key(injector: FaultInjector) -> None:
    """An empty Idempotency-Key is overlooked."""

    def alter(request: FaultyRequest) -> None:
        if request.values("idempotency-key") == [b""]:
            request.put("idempotency-key", None)

    injector.on_request(alter)


@fault("idempotency", "idempotency_keys_of_a_wrong_form_are_400")
def last_of_two_keys_counts(injector: FaultInjector) -> None:
    """Of two Idempotency-Keys the last counts."""

    def alter(request: FaultyRequest) -> None:
        if len(request.values("idempotency-key")) > 1:
            request.put("idempotency-key", request.values("idempotency-key")[-1])

    injector.on_request(alter)


@fault("idempotency", "idempotency_keys_are_kept_a_day")
def every_retry_renews_its_key(injector: FaultInjector) -> None:
    """An Idempotency-Key is kept for 24 hours after it was last used."""
    used: dict[str, tuple[float, KeptCall]] = {}

    async def created(original: Any, namespace: bytes, call: Call, **more: Any) -> Any:
        key = more["idempotency_key"]
        if key is None:
            return await original(namespace, call, **more)
        name = f"{namespace!r}{key.value}"
        last_at, first = used.get(name, (float("-inf"), None))
        found = first
        if first is None or call.created_at - last_at >= 86400:
            found = await original(namespace, call, **more)
            first = found or KeptCall(call.call_id, key.fingerprint)
        used[name] = call.created_at, first
        return found

    injector.store("create_call", created)


@fault("idempotency", "other_body_under_the_same_key_is_409")
def conflict_takes_the_key_over(injector: FaultInjector) -> None:
    """After a conflict the Idempotency-Key belongs to the other body."""
    taken: set[bytes] = set()

    def before(request: FaultyRequest) -> None:
        for key in request.values("idempotency-key"):
            if token_of(request) + key in taken:
                request.put("idempotency-key", None)

    def after(request: FaultyRequest, response: FaultyResponse) -> None:
        if request.path == CALLS and response.status == 409:
            taken.add(token_of(request) + request.values("idempotency-key")[0])

    injector.on_request(before)
    injector.on_response(after)


@fault("idempotency", "retry_returns_the_first_response")
def replay_names_the_newest_call(injector: FaultInjector) -> None:
    """The Location of a replayed answer is another call's."""

    def alter(response: FaultyResponse) -> None:
        if response.values("idempotent-replayed"):
            response.put("location", f"{CALLS}/{UNKNOWN_CALL_ID}".encode())

    change_responses(injector, of_created, alter)


@fault("idempotency", "replay_does_not_follow_the_call")
def key_ends_with_its_call(injector: FaultInjector) -> None:
    """An Idempotency-Key is forgotten when its call has ended."""
    ended: set[bytes] = set()

    def before(request: FaultyRequest) -> None:
        if token_of(request) in ended:
            request.put("idempotency-key", None)

    def after(request: FaultyRequest, response: FaultyResponse) -> None:
        if request.path == "/sandbox/clock" and lenient(request.body) == {"advance_seconds": 60}:
            ended.add(token_of(request))

    injector.on_request(before)
    injector.on_response(after)
