"""redocly generate-client, Python: quickstart, a busy line and three errors."""

import os
from typing import Any

from voice_client import ApiError, CallStatus, Client, Completion, NewCall, ProviderStatus

client = Client(os.environ["VOICE_API_URL"], auth={"bearer": os.environ["VOICE_API_KEY"]})


def complete(status: ProviderStatus, transcript: str, duration: int) -> Completion:
    return Completion(
        event_type="call.completed",
        provider_call_id="internal-provider-reference",
        status=status,
        transcript=transcript,
        duration=duration,
    )


def problem(call: Any, *arguments: Any) -> dict[str, Any]:
    try:
        call(*arguments)
    except ApiError as error:
        found: dict[str, Any] = error.body
        return found
    raise AssertionError("it is not rejected")


agent = client.list_agents().agents[0].key
created = client.create_call(NewCall(phone="+12025550130", agent=agent))
assert client.get_call(created.call_id).status == CallStatus.QUEUED
assert client.call_completed(complete(ProviderStatus.COMPLETED, "agent: Hello", 120)).received
assert client.get_call(created.call_id).duration == 120

busy = client.create_call(NewCall(phone="+12025550130", agent=agent))
client.call_completed(complete(ProviderStatus.BUSY, "", 0))
assert client.get_call(busy.call_id).status == CallStatus.BUSY

invalid = problem(client.create_call, NewCall(phone="123", agent=agent))
assert (invalid["status"], invalid["errors"][0]["pointer"]) == (422, "/phone")
unknown = problem(client.get_call, "00000000-0000-4000-8000-000000000000")
assert (unknown["status"], unknown["code"]) == (404, "call_not_found")
conflict = problem(client.call_completed, complete(ProviderStatus.FAILED, "", 0))
assert (conflict["status"], conflict["code"]) == (409, "call_already_ended")
