import os

from voice_client import ApiError, Client, NewCall

client = Client(os.environ["VOICE_API_URL"], auth={"bearer": os.environ["VOICE_API_KEY"]})
agent = client.list_agents().agents[0].key
try:
    print(client.create_call(NewCall(phone="+12025550100", agent=agent)).call_id)
except ApiError as error:
    raise SystemExit(f"{error.body['code']}: {error.body['detail']}") from None
