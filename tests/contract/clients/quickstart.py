"""The quickstart with a client that openapi-python-client generated: run by test_clients.py."""

import os

from voice_client import AuthenticatedClient
from voice_client.api.agents import list_agents
from voice_client.api.calls import create_call, get_call
from voice_client.api.webhooks import call_completed
from voice_client.models import CallStatus, Completion, NewCall

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
