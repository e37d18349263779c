"""Faults of isolation: what one key sees or alters of another."""

import re
from collections.abc import Callable
from typing import Any

from uuid_utils import UUID

from fault_injection import FaultInjector, FaultyRequest, FaultyResponse
from faults.altering import (
    WEBHOOK,
    authorize,
    change_reference,
    is_call,
    of_created,
    owners_of_calls,
    remember_calls,
    token_of,
)
from faults.fault import fault
from voice_sandbox.calls.call import Call
from voice_sandbox.sandbox_key import PATTERN
from voice_sandbox.store.protocol import KeptCall
from voice_sandbox.store.sqlite import SQLiteStore


@fault("isolation", "calls_of_other_keys_do_not_exist")
def calls_of_other_keys_are_shown(injector: FaultInjector) -> None:
    """A key reads the calls of every other key."""
    owners: dict[UUID, bytes] = {}

    async def shown(read: Any, namespace: bytes, call_id: UUID) -> Any:
        return await read(owners.get(call_id, namespace), call_id)

    remember_calls(injector, lambda namespace, call: owners.update({call.call_id: namespace}))
    injector.read_calls(shown)


@fault("isolation", "calls_of_other_keys_do_not_exist")
def calls_of_other_keys_are_forbidden(injector: FaultInjector) -> None:
    """Another key's call is 403, which says that it exists."""
    owners: dict[str, bytes] = {}

    def alter(request: FaultyRequest, response: FaultyResponse) -> None:
        token = b"".join(request.values("authorization"))
        if of_created(request, response):
            owners[response.json["call_id"]] = token
        call_id = request.path.rsplit("/", 1)[-1]
        if is_call(request) and response.status == 404 and owners.get(call_id, token) != token:
            response.status = 403
            response.put_json(response.json | {"status": 403, "code": "forbidden"})

    injector.on_response(alter)


@fault("isolation", "completions_stay_in_their_key")
def foreign_reference_is_the_newest_call(injector: FaultInjector) -> None:
    """The provider's id of another key's call is taken for the newest call."""
    owners = owners_of_calls(injector)
    change_reference(
        injector,
        lambda request, reference: owners.get(reference, token_of(request)) != token_of(request),
    )


@fault("isolation", "completions_stay_in_their_key")
def provider_id_opens_every_key(injector: FaultInjector) -> None:
    """A completion with the provider's id of another key's call is taken."""
    owners = owners_of_calls(injector)

    def alter(request: FaultyRequest) -> None:
        for reference, owner in owners.items():
            if request.path == WEBHOOK and reference.encode() in request.body:
                request.put("authorization", owner)

    injector.on_request(alter)


def share_namespaces(injector: FaultInjector, change: Callable[[bytes], bytes]) -> None:
    """Let another token than was sent choose the namespace; only good ones are changed."""
    good = re.compile(b"Bearer " + PATTERN.encode())
    authorize(injector, lambda values: [change(v) if good.fullmatch(v) else v for v in values])


@fault("isolation", "keys_that_differ_in_case_are_two")
def keys_share_a_namespace_in_any_case(injector: FaultInjector) -> None:
    """Keys that differ only in case share their calls."""
    share_namespaces(injector, lambda value: b"Bearer " + value[7:].lower())


@fault("isolation", "keys_that_differ_in_case_are_two")
def keys_share_a_namespace_by_their_start(injector: FaultInjector) -> None:
    """Keys are told apart by their first 31 characters."""
    share_namespaces(injector, lambda value: value[: 7 + 31])


@fault("isolation", "idempotency_keys_belong_to_a_key")
def idempotency_keys_are_shared(injector: FaultInjector) -> None:
    """Two keys that use the same Idempotency-Key get the same response."""
    kept: dict[str, KeptCall] = {}

    async def created(original: Any, namespace: bytes, call: Call, **more: Any) -> Any:
        key = more["idempotency_key"]
        if key is not None and key.value in kept:
            return kept[key.value]
        found = await original(namespace, call, **more)
        if key is not None and found is None:
            kept[key.value] = KeptCall(call.call_id, key.fingerprint)
        return found

    injector.store("create_call", created)


def every_namespace(injector: FaultInjector) -> set[bytes]:
    """The namespaces that were opened so far."""
    known: set[bytes] = set()

    async def opened(original: Any, namespace: bytes, **more: Any) -> Any:
        known.add(namespace)
        return await original(namespace, **more)

    injector.store("open_namespace", opened)
    return known


@fault("isolation", "clocks_belong_to_a_key")
def clock_is_shared(injector: FaultInjector) -> None:
    """Advancing one key's clock advances all."""
    known = every_namespace(injector)

    async def moved(original: Any, namespace: bytes, instant: float, **more: Any) -> Any:
        for other in known - {namespace}:
            await original(other, instant, **more)
        return await original(namespace, instant, **more)

    injector.store("move_clock", moved)


@fault("isolation", "reset_empties_one_key")
def reset_empties_every_key(injector: FaultInjector) -> None:
    """Emptying one namespace empties all."""
    known = every_namespace(injector)

    async def deleted(original: Any, namespace: bytes, **more: Any) -> None:
        for each in [*known]:
            await original(each, **more)

    injector.store("delete_namespace", deleted)


@fault("isolation", "reset_empties_one_key")
def reset_keeps_idempotency_keys(injector: FaultInjector) -> None:
    """Emptying a namespace keeps its Idempotency-Keys."""
    kept: dict[str, KeptCall] = {}

    async def created(original: Any, namespace: bytes, call: Call, **more: Any) -> Any:
        key = more["idempotency_key"]
        found = await original(namespace, call, **more)
        if key is None:
            return found
        first = kept.setdefault(
            f"{namespace!r}{key.value}", KeptCall(call.call_id, key.fingerprint)
        )
        return found if first.call_id == call.call_id else first

    injector.store("create_call", created)


@fault("isolation", "journal_tells_what_was_sent")
def journal_shows_tokens(injector: FaultInjector) -> None:
    """The journal shows the keys that were sent."""

    def alter(request: FaultyRequest, response: FaultyResponse) -> None:
        if request.path == "/sandbox/journal" and response.status == 200:
            found = response.json
            for exchange in found["exchanges"]:
                exchange["why"] = f"Sent with {token_of(request).decode()}."
            response.put_json(found)

    injector.on_response(alter)


@fault("isolation", "journals_belong_to_a_key")
def journal_shows_every_key(injector: FaultInjector) -> None:
    """The journal of a key holds what other keys did."""
    known = every_namespace(injector)

    async def journal(original: Any, namespace: bytes, **more: Any) -> Any:
        return [entry for each in sorted(known) for entry in await original(each, **more)]

    injector.store("journal", journal)


@fault("isolation", "reset_empties_one_key")
def reset_keeps_the_journal(injector: FaultInjector) -> None:
    """Emptying a namespace keeps its journal."""
    kept: dict[bytes, list[bytes]] = {}

    async def deleted(original: Any, namespace: bytes, **more: Any) -> None:
        kept[namespace] = [*await SQLiteStore.journal(original.args[0], namespace, after="")]
        await original(namespace, **more)

    async def journal(original: Any, namespace: bytes, **more: Any) -> Any:
        return [*kept.get(namespace, []), *await original(namespace, **more)]

    injector.store("delete_namespace", deleted)
    injector.store("journal", journal)


@fault("isolation", "reset_empties_one_key")
def reset_keeps_the_clock(injector: FaultInjector) -> None:
    """Emptying a namespace keeps its clock where it was moved to."""
    clocks: dict[bytes, Any] = {}

    async def deleted(original: Any, namespace: bytes, **more: Any) -> None:
        clocks[namespace] = await SQLiteStore.clock(original.args[0], namespace)
        await original(namespace, **more)

    async def opened(original: Any, namespace: bytes, **more: Any) -> Any:
        return await original(namespace, **{**more, "fresh": clocks.get(namespace, more["fresh"])})

    injector.store("delete_namespace", deleted)
    injector.store("open_namespace", opened)
