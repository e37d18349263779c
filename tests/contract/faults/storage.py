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
    change_json,
    change_responses,
    complete,
    first_agent,
    is_call,
    of_calls,
    remember_calls,
    schemas,
)
from faults.fault import fault
from voice_sandbox.calls.call import Result
from voice_sandbox.verification.api import UNKNOWN_CALL_ID


def stored_text(injector: FaultInjector, change: Callable[[str], str]) -> None:
    complete(
        injector,
        lambda result: replace(result, transcript=result.transcript and change(result.transcript)),
    )


@fault("storage", "durations_are_kept")
def duration_is_one_too_long(injector: FaultInjector) -> None:
    """The duration is stored a second too long."""
    complete(injector, lambda r: replace(r, duration_seconds=r.duration_seconds + 1))


@fault("storage", "durations_are_kept")
def duration_is_in_minutes(injector: FaultInjector) -> None:
    """The duration is stored in minutes."""
    complete(injector, lambda r: replace(r, duration_seconds=r.duration_seconds // 60))


@fault("storage", "durations_are_kept")
def long_durations_wrap(injector: FaultInjector) -> None:
    """The duration is stored in 16 bits."""
    complete(injector, lambda r: replace(r, duration_seconds=r.duration_seconds % 65536))


@fault("storage", "text_survives_the_round_trip")
def transcript_is_trimmed(injector: FaultInjector) -> None:
    """Spaces around a transcript are lost."""
    stored_text(injector, lambda text: text.strip() or text)


@fault("storage", "text_survives_the_round_trip")
def transcript_is_composed(injector: FaultInjector) -> None:
    """A transcript is brought into a normal form of Unicode."""
    stored_text(injector, lambda text: unicodedata.normalize("NFC", text))


@fault("storage", "text_survives_the_round_trip")
def transcript_is_escaped(injector: FaultInjector) -> None:
    """A transcript is stored escaped for HTML."""
    stored_text(injector, lambda text: text.replace("&", "&amp;").replace("<", "&lt;"))


@fault("storage", "text_survives_the_round_trip")
def line_breaks_are_changed(injector: FaultInjector) -> None:
    """CR LF in a transcript becomes LF."""
    stored_text(injector, lambda text: text.replace("\r\n", "\n"))


@fault("storage", "text_survives_the_round_trip")
def emoji_are_lost(injector: FaultInjector) -> None:
    """Characters beyond 16 bits become question marks."""
    stored_text(injector, lambda text: re.sub("[\U00010000-\U0010ffff]", "?", text))


@fault("storage", "text_survives_the_round_trip")
def direction_marks_are_lost(injector: FaultInjector) -> None:
    """Invisible characters are filtered out of a transcript."""
    stored_text(injector, lambda text: re.sub("[\u2028\u2029\u202a-\u202e]", "", text))


@fault("storage", "text_survives_the_round_trip")
def control_characters_are_lost(injector: FaultInjector) -> None:
    """Control characters are filtered out of a transcript."""
    stored_text(injector, lambda text: re.sub("[\x01-\x08\x0b-\x1f]", "", text) or text)


@fault("storage", "text_survives_the_round_trip")
def only_latin_is_kept(injector: FaultInjector) -> None:
    """Letters beyond Latin become question marks."""
    stored_text(injector, lambda text: text.encode("latin-1", "replace").decode("latin-1"))


@fault("storage", "longest_transcript_survives")
def transcript_is_cut(injector: FaultInjector) -> None:
    """A transcript is cut at 4096 characters."""
    stored_text(injector, lambda text: text[:4096])


@fault("storage", "longest_transcript_survives")
def transcript_is_cut_in_bytes(injector: FaultInjector) -> None:
    """A transcript is cut at 65536 bytes."""
    stored_text(injector, lambda text: text.encode()[:65536].decode("utf-8", "ignore"))


@fault("storage", "every_call_keeps_its_own_result")
def another_calls_result_is_returned(injector: FaultInjector) -> None:
    """Reading a call returns the result of the newest call."""
    newest: dict[bytes, UUID] = {}

    async def shown(read: Any, namespace: bytes, call_id: UUID) -> Any:
        found = await read(namespace, call_id)
        if found is None or namespace not in newest:
            return found
        return replace(await read(namespace, newest[namespace]), call_id=call_id)

    remember_calls(injector, lambda namespace, call: newest.update({namespace: call.call_id}))
    injector.read_calls(shown)


@fault("storage", "every_call_keeps_its_own_result")
def transcripts_are_shared(injector: FaultInjector) -> None:
    """A completion writes its transcript to every ended call of the key."""
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

    injector.store("complete_call", saved)
    injector.read_calls(shown)


@fault("storage", "every_call_keeps_its_own_result")
def only_the_newest_calls_are_kept(injector: FaultInjector) -> None:
    """A key keeps its last three calls."""
    made: dict[bytes, list[UUID]] = {}

    async def shown(read: Any, namespace: bytes, call_id: UUID) -> Any:
        is_old = call_id in made.get(namespace, [])[:-3]
        return None if is_old else await read(namespace, call_id)

    remember_calls(injector, lambda namespace, c: made.setdefault(namespace, []).append(c.call_id))
    injector.read_calls(shown)


@fault("storage", "call_id_is_read_in_any_case")
def call_id_in_capitals_is_unknown(injector: FaultInjector) -> None:
    """A call_id in capitals is not found."""

    def alter(request: FaultyRequest) -> None:
        if is_call(request) and request.path != request.path.lower():
            request.path = f"{CALLS}/{UNKNOWN_CALL_ID}"

    injector.on_request(alter)


@fault("storage", "call_id_is_read_in_any_case")
def call_id_is_echoed(injector: FaultInjector) -> None:
    """A call_id is returned as it was written in the path."""
    injector.on_response(
        lambda request, response: (
            response.put_json(response.json | {"call_id": request.path.rsplit("/", 1)[-1]})
            if of_calls(request, response)
            else None
        )
    )


@fault("storage", "agents_are_those_of_the_contract")
def an_agent_is_missing(injector: FaultInjector) -> None:
    """The list of agents lacks one."""
    change_json(
        injector,
        lambda request, r: request.path == "/v1/agents" and r.status == 200,
        lambda body: {"agents": body["agents"][:-1]},
    )


@fault("storage", "agents_are_those_of_the_contract")
def agents_show_their_settings(injector: FaultInjector) -> None:
    """The list of agents shows a setting of the provider."""

    def change(body: dict[str, Any]) -> None:
        for agent in body["agents"]:
            agent["sip_trunk"] = "trunk-1"

    change_json(
        injector, lambda request, r: request.path == "/v1/agents" and r.status == 200, change
    )


@fault("storage", "every_agent_can_be_called")
def second_agent_cannot_be_called(injector: FaultInjector) -> None:
    """An agent of the list is rejected by createCall."""

    def change(found: dict[str, Any]) -> None:
        properties = found["NewCall"]["properties"]
        properties["agent"] = {"type": "string", "enum": [first_agent()]}

    injector.contract(schemas(change))


@fault("storage", "new_call_is_found_at_its_location")
def created_call_is_not_saved(injector: FaultInjector) -> None:
    """A call is acknowledged and never saved."""

    async def created(original: Any, namespace: bytes, call: Any, **more: Any) -> Any:
        return None

    injector.store("create_call", created)


@fault("storage", "agents_are_those_of_the_contract")
def agents_are_listed_backward(injector: FaultInjector) -> None:
    """The agents are listed in another order than the contract has them."""
    change_json(
        injector,
        lambda request, r: request.path == "/v1/agents" and r.status == 200,
        lambda body: {"agents": body["agents"][::-1]},
    )


@fault("storage", "call_id_has_one_form")
def call_id_without_dashes_is_found(injector: FaultInjector) -> None:
    """A call_id without its dashes names the call too."""

    def alter(request: FaultyRequest) -> None:
        last = request.path.rsplit("/", 1)[-1]
        if is_call(request) and re.fullmatch("[0-9a-f-]{32,36}", last):
            request.path = f"{CALLS}/{UUID(last)}"

    injector.on_request(alter)


@fault("storage", "call_id_has_one_form")
def spaces_around_a_call_id_are_dropped(injector: FaultInjector) -> None:
    """A call_id with a space or a line break after it names the call too."""

    def alter(request: FaultyRequest) -> None:
        if is_call(request):
            request.path = request.path.rstrip()

    injector.on_request(alter)


@fault("storage", "calls_are_not_cached")
def calls_may_be_cached(injector: FaultInjector) -> None:
    """A cache may keep a call that goes on."""
    change_responses(injector, of_calls, lambda r: r.put("cache-control", b"public, max-age=60"))
