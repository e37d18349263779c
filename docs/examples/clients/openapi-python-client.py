import os

from voice_client import AuthenticatedClient
from voice_client.api.agents import list_agents
from voice_client.api.calls import create_call
from voice_client.models import CreatedCall, NewCall

client = AuthenticatedClient(os.environ["VOICE_API_URL"], token=os.environ["VOICE_API_KEY"])
agent = list_agents.sync(client=client).agents[0].key
created = create_call.sync(client=client, body=NewCall(phone="+12025550100", agent=agent))
if not isinstance(created, CreatedCall):
    raise SystemExit(f"{created.code}: {created.detail}")
print(created.call_id)
