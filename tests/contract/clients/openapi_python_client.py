"""openapi-python-client: quickstart, a busy line and three errors, run by test_clients.py."""

import os
from uuid import UUID

from voice_client import AuthenticatedClient
from voice_client.api.agents import list_agents
from voice_client.api.calls import create_call, get_call
from voice_client.api.webhooks import call_completed
from voice_client.models import CallStatus, Completion, NewCall, Problem, ValidationProblem

client = AuthenticatedClient(
    base_url=os.environ["VOICE_API_URL"],
    token=os.environ["VOICE_API_KEY"],
    raise_on_unexpected_status=True,
)
agents = list_agents.sync(client=client).agents
assert agents

created = create_call.sync(
    client=client,
    body=NewCall(phone="+12025550130", agent=agents[0].key),
    idempotency_key="quickstart",
)
call = get_call.sync(call_id=created.call_id, client=client)
assert call.status is CallStatus.QUEUED
assert (call.transcript, call.duration) == (None, None)

receipt = call_completed.sync(
    client=client,
    body=Completion.from_dict(
        {
            "event_type": "call.completed",
            "provider_call_id": "internal-provider-reference",
            "status": "completed",
            "transcript": "agent: Hello\nuser: Hi",
            "duration": 120,
        }
    ),
)
assert receipt.received is True

call = get_call.sync(call_id=created.call_id, client=client)
assert call.status is CallStatus.COMPLETED
assert (call.transcript, call.duration) == ("agent: Hello\nuser: Hi", 120)


# A busy line
busy = create_call.sync(client=client, body=NewCall(phone="+12025550130", agent=agents[0].key))
completion = {
    "event_type": "call.completed",
    "provider_call_id": "internal-provider-reference",
    "status": "busy",
    "transcript": None,
    "duration": 0,
}
call_completed.sync(client=client, body=Completion.from_dict(completion))
call = get_call.sync(call_id=busy.call_id, client=client)
assert (call.status, call.transcript, call.duration) == (CallStatus.BUSY, None, 0)

# Errors are models too, and their fields are read
invalid = create_call.sync(client=client, body=NewCall(phone="123", agent=agents[0].key))
assert isinstance(invalid, ValidationProblem)
assert (invalid.status, [error.pointer for error in invalid.errors]) == (422, ["/phone"])
unknown = get_call.sync(call_id=UUID(int=0), client=client)
assert isinstance(unknown, Problem)
assert (unknown.status, unknown.code) == (404, "call_not_found")
conflict = call_completed.sync(
    client=client, body=Completion.from_dict(completion | {"status": "failed"})
)
assert isinstance(conflict, Problem)
assert (conflict.status, conflict.code) == (409, "call_already_ended")
