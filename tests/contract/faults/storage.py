"""Faults of the store: results that are lost, altered or mixed up."""

import re
import unicodedata
from collections.abc import Callable
from typing import Any

from msgspec.structs import replace
from uuid_utils import UUID

from fault_injection import FaultInjector, FaultyRequest
from faults.altering import (
    CALLS,
    change_answers,
    change_json,
    complete,
    is_call,
    of_calls,
    remember_calls,
    schemas,
)
from faults.fault import fault
from voice_sandbox.calls.call import Result
from voice_sandbox.verification.api import UNKNOWN_CALL_ID


def stored_text(shop: FaultInjector, change: Callable[[str], str]) -> None:
    complete(
        shop,
        lambda result: replace(result, transcript=result.transcript and change(result.transcript)),
    )


@fault("storage", "durations_are_kept")
def duration_is_one_too_long(shop: FaultInjector) -> None:
    """The duration is stored a second too long."""
    complete(shop, lambda r: replace(r, duration_seconds=r.duration_seconds + 1))


@fault("storage", "durations_are_kept")
def duration_is_in_minutes(shop: FaultInjector) -> None:
    """The duration is stored in minutes."""
    complete(shop, lambda r: replace(r, duration_seconds=r.duration_seconds // 60))


@fault("storage", "durations_are_kept")
def long_durations_wrap(shop: FaultInjector) -> None:
    """The duration is stored in 16 bits."""
    complete(shop, lambda r: replace(r, duration_seconds=r.duration_seconds % 65536))


@fault("storage", "text_survives_the_round_trip")
def transcript_is_trimmed(shop: FaultInjector) -> None:
    """Spaces around a transcript are lost."""
    stored_text(shop, lambda text: text.strip() or text)


@fault("storage", "text_survives_the_round_trip")
def transcript_is_composed(shop: FaultInjector) -> None:
    """A transcript is brought into a normal form of Unicode."""
    stored_text(shop, lambda text: unicodedata.normalize("NFC", text))


@fault("storage", "text_survives_the_round_trip")
def transcript_is_escaped(shop: FaultInjector) -> None:
    """A transcript is stored escaped for HTML."""
    stored_text(shop, lambda text: text.replace("&", "&amp;").replace("<", "&lt;"))


@fault("storage", "text_survives_the_round_trip")
def line_breaks_are_changed(shop: FaultInjector) -> None:
    """CR LF in a transcript becomes LF."""
    stored_text(shop, lambda text: text.replace("\r\n", "\n"))


@fault("storage", "text_survives_the_round_trip")
def emoji_are_lost(shop: FaultInjector) -> None:
    """Characters beyond 16 bits become question marks."""
    stored_text(shop, lambda text: re.sub("[\U00010000-\U0010ffff]", "?", text))


@fault("storage", "text_survives_the_round_trip")
def direction_marks_are_lost(shop: FaultInjector) -> None:
    """Invisible characters are filtered out of a transcript."""
    stored_text(shop, lambda text: re.sub("[\u2028\u2029\u202a-\u202e]", "", text))


@fault("storage", "text_survives_the_round_trip")
def control_characters_are_lost(shop: FaultInjector) -> None:
    """Control characters are filtered out of a transcript."""
    stored_text(shop, lambda text: re.sub("[\x01-\x08\x0b-\x1f]", "", text) or text)


@fault("storage", "text_survives_the_round_trip")
def only_latin_is_kept(shop: FaultInjector) -> None:
    """Letters beyond Latin become question marks."""
    stored_text(shop, lambda text: text.encode("latin-1", "replace").decode("latin-1"))


@fault("storage", "longest_transcript_survives")
def transcript_is_cut(shop: FaultInjector) -> None:
    """A transcript is cut at 4096 characters."""
    stored_text(shop, lambda text: text[:4096])


@fault("storage", "longest_transcript_survives")
def transcript_is_cut_in_bytes(shop: FaultInjector) -> None:
    """A transcript is cut at 65536 bytes."""
    stored_text(shop, lambda text: text.encode()[:65536].decode("utf-8", "ignore"))


@fault("storage", "every_call_keeps_its_own_result")
def another_calls_result_is_returned(shop: FaultInjector) -> None:
    """Reading a call returns the result of the newest call."""
    newest: dict[bytes, UUID] = {}

    async def shown(read: Any, namespace: bytes, call_id: UUID) -> Any:
        found = await read(namespace, call_id)
        if found is None or namespace not in newest:
            return found
        return replace(await read(namespace, newest[namespace]), call_id=call_id)

    remember_calls(shop, lambda namespace, call: newest.update({namespace: call.call_id}))
    shop.read_calls(shown)


@fault("storage", "every_call_keeps_its_own_result")
def transcripts_are_shared(shop: FaultInjector) -> None:
    """A completion writes its transcript to every call of the key that is over."""
    newest: dict[bytes, str | None] = {}

    async def saved(
        original: Any, namespace: bytes, call_id: UUID, result: Result, **m: Any
    ) -> Any:
        newest[namespace] = result.transcript
        return await original(namespace, call_id, result, **m)

    async def shown(read: Any, namespace: bytes, call_id: UUID) -> Any:
        found = await read(namespace, call_id)
        if found is None or found.result is None or not found.result.transcript:
            return found
        text = newest.get(namespace, found.result.transcript)
        return replace(found, result=replace(found.result, transcript=text))

    shop.store("complete_call", saved)
    shop.read_calls(shown)


@fault("storage", "every_call_keeps_its_own_result")
def only_the_newest_calls_are_kept(shop: FaultInjector) -> None:
    """A key keeps its last three calls."""
    made: dict[bytes, list[UUID]] = {}

    async def shown(read: Any, namespace: bytes, call_id: UUID) -> Any:
        is_old = call_id in made.get(namespace, [])[:-3]
        return None if is_old else await read(namespace, call_id)

    remember_calls(shop, lambda namespace, c: made.setdefault(namespace, []).append(c.call_id))
    shop.read_calls(shown)


@fault("storage", "call_id_is_read_in_any_case")
def call_id_in_capitals_is_unknown(shop: FaultInjector) -> None:
    """A call_id in capitals is not found."""

    def alter(ask: FaultyRequest) -> None:
        if is_call(ask) and ask.path != ask.path.lower():
            ask.path = f"{CALLS}/{UNKNOWN_CALL_ID}"

    shop.on_request(alter)


@fault("storage", "call_id_is_read_in_any_case")
def call_id_is_echoed(shop: FaultInjector) -> None:
    """A call_id is returned as it was written in the path."""
    shop.on_answer(
        lambda ask, reply: (
            reply.put_json(reply.json | {"call_id": ask.path.rsplit("/", 1)[-1]})
            if of_calls(ask, reply)
            else None
        )
    )


@fault("storage", "agents_are_those_of_the_contract")
def an_agent_is_missing(shop: FaultInjector) -> None:
    """The list of agents lacks one."""
    change_json(
        shop,
        lambda ask, r: ask.path == "/v1/agents" and r.status == 200,
        lambda body: {"agents": body["agents"][:-1]},
    )


@fault("storage", "agents_are_those_of_the_contract")
def agents_show_their_settings(shop: FaultInjector) -> None:
    """The list of agents shows a setting of the provider."""

    def change(body: dict[str, Any]) -> None:
        for agent in body["agents"]:
            agent["sip_trunk"] = "trunk-1"

    change_json(shop, lambda ask, r: ask.path == "/v1/agents" and r.status == 200, change)


@fault("storage", "every_agent_can_be_called")
def second_agent_cannot_be_called(shop: FaultInjector) -> None:
    """An agent of the list is refused by createCall."""

    def change(found: dict[str, Any]) -> None:
        properties = found["NewCall"]["properties"]
        properties["agent"] = {"type": "string", "enum": found["AgentKey"]["enum"][:1]}

    shop.contract(schemas(change))


@fault("storage", "new_call_is_found_at_its_location")
def created_call_is_not_saved(shop: FaultInjector) -> None:
    """A call is acknowledged and never saved."""

    async def created(original: Any, namespace: bytes, call: Any, **more: Any) -> Any:
        return None

    shop.store("create_call", created)


@fault("storage", "agents_are_those_of_the_contract")
def agents_are_listed_backward(shop: FaultInjector) -> None:
    """The agents are listed in another order than the contract has them."""
    change_json(
        shop,
        lambda ask, r: ask.path == "/v1/agents" and r.status == 200,
        lambda body: {"agents": body["agents"][::-1]},
    )


@fault("storage", "call_id_has_one_form")
def call_id_without_dashes_is_found(shop: FaultInjector) -> None:
    """A call_id without its dashes names the call too."""

    def alter(ask: FaultyRequest) -> None:
        last = ask.path.rsplit("/", 1)[-1]
        if is_call(ask) and re.fullmatch("[0-9a-f-]{32,36}", last):
            ask.path = f"{CALLS}/{UUID(last)}"

    shop.on_request(alter)


@fault("storage", "call_id_has_one_form")
def spaces_around_a_call_id_are_dropped(shop: FaultInjector) -> None:
    """A call_id with a space or a line break after it names the call too."""

    def alter(ask: FaultyRequest) -> None:
        if is_call(ask):
            ask.path = ask.path.rstrip()

    shop.on_request(alter)


@fault("storage", "calls_are_not_cached")
def calls_may_be_cached(shop: FaultInjector) -> None:
    """A cache may keep a call that goes on."""
    change_answers(shop, of_calls, lambda r: r.put("cache-control", b"public, max-age=60"))
