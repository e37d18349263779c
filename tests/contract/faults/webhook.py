"""Faults of the webhook: which completions are taken, and for which call."""

import json
import re
from typing import Any

from msgspec.structs import replace
from uuid_utils import UUID

from fault_injection import FaultInjector, FaultyRequest, FaultyResponse, plain_contract
from faults.altering import (
    WEBHOOK,
    change_body,
    change_json,
    change_reference,
    change_responses,
    decode_first,
    judge,
    of_calls,
    remember_calls,
    show_results,
)
from faults.fault import fault
from voice_sandbox.calls.call import CompletionDecision, Result


@fault("webhook", "unknown_word_ends_no_call")
def unknown_word_fails_the_call(injector: FaultInjector) -> None:
    """An unknown word of the provider ends the call as failed."""
    known = plain_contract()["components"]["schemas"]["ProviderStatus"]["enum"]

    def change(value: dict[str, Any]) -> None:
        if isinstance(value.get("status"), str) and value["status"] not in known:
            value["status"] = "failed"

    change_body(injector, change)


@fault("webhook", "unknown_reference_is_404")
def unknown_reference_is_received(injector: FaultInjector) -> None:
    """A completion of a call that does not exist is answered 200."""

    def alter(request: FaultyRequest, response: FaultyResponse) -> None:
        if request.path == WEBHOOK and response.status == 404:
            response.status = 200
            response.put("content-type", b"application/json")
            response.put_json({"received": True})

    injector.on_response(alter)


@fault("webhook", "completion_by_hand_ends_the_newest_call")
def alias_names_the_oldest_call(injector: FaultInjector) -> None:
    """The alias completes the oldest call of a key."""
    oldest: dict[bytes, UUID] = {}

    async def newest(original: Any, namespace: bytes) -> Any:
        return oldest.get(namespace)

    remember_calls(injector, lambda namespace, call: oldest.setdefault(namespace, call.call_id))
    injector.store("newest_call_id", newest)


@fault("webhook", "completion_by_the_provider_id_ends_that_call")
def provider_id_is_ignored(injector: FaultInjector) -> None:
    """Every completion ends the newest call."""
    change_reference(injector, lambda _, reference: reference.startswith("prov_"))


@fault("webhook", "every_outcome_can_be_triggered")
def provider_never_delivers(injector: FaultInjector) -> None:
    """The simulated provider never reports the end of a call."""

    async def created(original: Any, namespace: bytes, call: Any, **more: Any) -> Any:
        return await original(namespace, call, **{**more, "due_at": None})

    injector.store("create_call", created)


@fault("webhook", "end_arrives_whole")
def provider_delivers_no_transcript(injector: FaultInjector) -> None:
    """A completion that the provider posts loses its transcript on the way."""

    async def saved(
        original: Any, namespace: bytes, call_id: UUID, result: Result, **m: Any
    ) -> Any:
        kept = result if m["drop_plan"] else replace(result, transcript=None)
        return await original(namespace, call_id, kept, **m)

    injector.store("complete_call", saved)


@fault("webhook", "every_delivery_gets_a_documented_response")
def second_delivery_is_lost(injector: FaultInjector) -> None:
    """The provider gives up after the first delivery."""

    async def finished(original: Any, due: Any, **more: Any) -> None:
        await original(due, **{**more, "next_due_at": None})

    injector.store("finish_delivery", finished)


@fault("webhook", "completion_by_hand_ends_the_newest_call")
def receipt_says_ok(injector: FaultInjector) -> None:
    """The webhook answers {"ok": true}."""
    change_json(
        injector,
        lambda request, r: request.path == WEBHOOK and r.status == 200,
        lambda _: {"ok": True},
    )


@fault("webhook", "completion_by_hand_ends_the_newest_call")
def receipt_is_202(injector: FaultInjector) -> None:
    """The webhook answers 202."""
    change_responses(
        injector,
        lambda request, r: request.path == WEBHOOK and r.status == 200,
        lambda r: setattr(r, "status", 202),
    )


@fault("webhook", "finished_calls_stay_finished")
def provider_overrules_a_completion_by_hand(injector: FaultInjector) -> None:
    """What the provider had planned overwrites a completion by hand."""
    by_hand = show_results(injector, lambda first, last: last)

    async def keep_plan(original: Any, namespace: bytes, call_id: UUID, r: Result, **m: Any) -> Any:
        by_hand.add(call_id)
        return await original(namespace, call_id, r, **{**m, "drop_plan": False})

    injector.store("complete_call", keep_plan)
    judge(
        injector,
        lambda v, *_: CompletionDecision.ACCEPTED if v is CompletionDecision.ALREADY_ENDED else v,
    )


@fault("webhook", "provider_is_never_named")
def provider_id_is_in_a_header(injector: FaultInjector) -> None:
    """Reading a call shows the provider's id in a header."""
    injector.on_response(
        lambda request, response: (
            response.put("x-provider-call-id", b"prov_" + request.path.rsplit("/", 1)[-1].encode())
            if of_calls(request, response)
            else None
        )
    )


@fault("webhook", "provider_is_never_named")
def rejection_names_the_provider_id(injector: FaultInjector) -> None:
    """A 404 of the webhook repeats the provider's id."""

    def alter(request: FaultyRequest, response: FaultyResponse) -> None:
        if request.path == WEBHOOK and response.status in (404, 409):
            reference = json.loads(request.body)["provider_call_id"]
            response.put_json(response.json | {"detail": f"There is no such call: {reference}."})

    injector.on_response(alter)


@fault("webhook", "every_outcome_can_be_triggered")
def provider_words_are_shown(injector: FaultInjector) -> None:
    """A call shows the provider's own word for its outcome."""
    change_json(
        injector,
        of_calls,
        lambda c: c | {"status": c["status"].replace("no_answer", "no-answer")},
    )


@fault("webhook", "transcript_with_a_provider_id_is_rejected")
def transcript_may_name_the_provider(injector: FaultInjector) -> None:
    """The provider's id in a transcript is masked and the transcript is taken."""
    decode_first(injector, lambda body: re.sub(rb"call is prov_[0-9a-f]+", b"call is ***", body))


@fault("webhook", "provider_ends_a_call_on_demand")
def end_on_demand_is_ignored(injector: FaultInjector) -> None:
    """Ending a call on demand says what stands, and ends nothing."""

    def alter(request: FaultyRequest) -> None:
        if request.path.endswith("/end"):
            request.method, request.path, request.body = (
                "GET",
                request.path.removesuffix("/end"),
                b"",
            )

    injector.on_request(alter)


@fault("webhook", "first_request_of_a_key_may_be_a_completion")
def new_key_knows_no_call(injector: FaultInjector) -> None:
    """The alias names no call until a key has created one."""
    made: set[bytes] = set()

    async def newest(original: Any, namespace: bytes) -> Any:
        return await original(namespace) if namespace in made else None

    remember_calls(injector, lambda namespace, call: made.add(namespace))
    injector.store("newest_call_id", newest)
