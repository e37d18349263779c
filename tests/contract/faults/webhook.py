"""Faults of the webhook: which completions are taken, and for which call."""

import json
import re
from typing import Any

from msgspec.structs import replace
from uuid_utils import UUID

from fault_injection import FaultInjector, FaultyRequest, FaultyResponse, plain_contract
from faults.altering import (
    WEBHOOK,
    change_answers,
    change_body,
    change_json,
    change_reference,
    decode_first,
    judge,
    of_calls,
    remember_calls,
    show_results,
)
from faults.fault import fault
from voice_sandbox.calls.call import CompletionDecision, Result


@fault("webhook", "unknown_word_ends_no_call")
def unknown_word_fails_the_call(shop: FaultInjector) -> None:
    """An unknown word of the provider ends the call as failed."""
    known = plain_contract()["components"]["schemas"]["ProviderStatus"]["enum"]

    def change(value: dict[str, Any]) -> None:
        if isinstance(value.get("status"), str) and value["status"] not in known:
            value["status"] = "failed"

    change_body(shop, change)


@fault("webhook", "unknown_reference_is_404")
def unknown_reference_is_received(shop: FaultInjector) -> None:
    """A completion of a call that does not exist is answered 200."""

    def alter(ask: FaultyRequest, reply: FaultyResponse) -> None:
        if ask.path == WEBHOOK and reply.status == 404:
            reply.status = 200
            reply.put("content-type", b"application/json")
            reply.put_json({"received": True})

    shop.on_answer(alter)


@fault("webhook", "completion_by_hand_ends_the_newest_call")
def alias_names_the_oldest_call(shop: FaultInjector) -> None:
    """The alias completes the oldest call of a key."""
    oldest: dict[bytes, UUID] = {}

    async def newest(original: Any, namespace: bytes) -> Any:
        return oldest.get(namespace)

    remember_calls(shop, lambda namespace, call: oldest.setdefault(namespace, call.call_id))
    shop.store("newest_call_id", newest)


@fault("webhook", "completion_by_the_provider_id_ends_that_call")
def provider_id_is_ignored(shop: FaultInjector) -> None:
    """Every completion ends the newest call."""
    change_reference(shop, lambda _, reference: reference.startswith("prov_"))


@fault("webhook", "every_outcome_can_be_provoked")
def provider_never_delivers(shop: FaultInjector) -> None:
    """The simulated provider never reports the end of a call."""

    async def created(original: Any, namespace: bytes, call: Any, **more: Any) -> Any:
        return await original(namespace, call, **{**more, "due_at": None})

    shop.store("create_call", created)


@fault("webhook", "end_arrives_whole")
def provider_delivers_no_transcript(shop: FaultInjector) -> None:
    """A completion that the provider posts loses its transcript on the way."""

    async def saved(
        original: Any, namespace: bytes, call_id: UUID, result: Result, **m: Any
    ) -> Any:
        kept = result if m["drop_plan"] else replace(result, transcript=None)
        return await original(namespace, call_id, kept, **m)

    shop.store("complete_call", saved)


@fault("webhook", "every_delivery_is_answered_as_the_contract_says")
def second_delivery_is_lost(shop: FaultInjector) -> None:
    """The provider gives up after the first delivery."""

    async def finished(original: Any, due: Any, **more: Any) -> None:
        await original(due, **{**more, "next_due_at": None})

    shop.store("finish_delivery", finished)


@fault("webhook", "completion_by_hand_ends_the_newest_call")
def receipt_says_ok(shop: FaultInjector) -> None:
    """The webhook answers {"ok": true}."""
    change_json(
        shop, lambda ask, r: ask.path == WEBHOOK and r.status == 200, lambda _: {"ok": True}
    )


@fault("webhook", "completion_by_hand_ends_the_newest_call")
def receipt_is_202(shop: FaultInjector) -> None:
    """The webhook answers 202."""
    change_answers(
        shop,
        lambda ask, r: ask.path == WEBHOOK and r.status == 200,
        lambda r: setattr(r, "status", 202),
    )


@fault("webhook", "finished_calls_stay_finished")
def provider_overrules_a_completion_by_hand(shop: FaultInjector) -> None:
    """What the provider had planned overwrites a completion by hand."""
    by_hand = show_results(shop, lambda first, last: last)

    async def keep_plan(original: Any, namespace: bytes, call_id: UUID, r: Result, **m: Any) -> Any:
        by_hand.add(call_id)
        return await original(namespace, call_id, r, **{**m, "drop_plan": False})

    shop.store("complete_call", keep_plan)
    judge(
        shop,
        lambda v, *_: CompletionDecision.ACCEPTED if v is CompletionDecision.ALREADY_ENDED else v,
    )


@fault("webhook", "provider_is_never_named")
def provider_id_is_in_a_header(shop: FaultInjector) -> None:
    """Reading a call shows the provider's id in a header."""
    shop.on_answer(
        lambda ask, reply: (
            reply.put("x-provider-call-id", b"prov_" + ask.path.rsplit("/", 1)[-1].encode())
            if of_calls(ask, reply)
            else None
        )
    )


@fault("webhook", "provider_is_never_named")
def refusal_names_the_provider_id(shop: FaultInjector) -> None:
    """A 404 of the webhook repeats the provider's id."""

    def alter(ask: FaultyRequest, reply: FaultyResponse) -> None:
        if ask.path == WEBHOOK and reply.status in (404, 409):
            reference = json.loads(ask.body)["provider_call_id"]
            reply.put_json(reply.json | {"detail": f"There is no such call: {reference}."})

    shop.on_answer(alter)


@fault("webhook", "every_outcome_can_be_provoked")
def provider_words_are_shown(shop: FaultInjector) -> None:
    """A call shows the provider's own word for its outcome."""
    change_json(
        shop,
        of_calls,
        lambda c: c | {"status": c["status"].replace("no_answer", "no-answer")},
    )


@fault("webhook", "transcript_with_a_provider_id_is_refused")
def transcript_may_name_the_provider(shop: FaultInjector) -> None:
    """The provider's id in a transcript is masked and the transcript is taken."""
    decode_first(shop, lambda body: re.sub(rb"call is prov_[0-9a-f]+", b"call is ***", body))


@fault("webhook", "provider_ends_a_call_on_demand")
def end_on_demand_is_ignored(shop: FaultInjector) -> None:
    """Ending a call on demand says what stands, and ends nothing."""

    def alter(ask: FaultyRequest) -> None:
        if ask.path.endswith("/end"):
            ask.method, ask.path, ask.body = "GET", ask.path.removesuffix("/end"), b""

    shop.on_request(alter)


@fault("webhook", "first_request_of_a_key_may_be_a_completion")
def new_key_knows_no_call(shop: FaultInjector) -> None:
    """The alias names no call until a key has created one."""
    made: set[bytes] = set()

    async def newest(original: Any, namespace: bytes) -> Any:
        return await original(namespace) if namespace in made else None

    remember_calls(shop, lambda namespace, call: made.add(namespace))
    shop.store("newest_call_id", newest)
