# The polling code of the page Calls as version 0.1 had it; only the address is read from the
# environment, as `exec` and `rehearse` give it. It waits as it did: that is what is rehearsed.
import os
import time

import httpx

with httpx.Client(
    base_url=os.environ["VOICE_API_URL"],
    headers={"Authorization": f"Bearer {os.environ['VOICE_API_KEY']}"},
) as service:
    created = service.post(
        "/v1/calls",
        json={"phone": "{{ quickstart.phone }}", "agent": "{{ quickstart.agent }}"},
    )
    created.raise_for_status()
    call_id = created.json()["call_id"]
    while (call := service.get(f"/v1/calls/{call_id}").json())["duration"] is None:
        time.sleep(1)
    print(call["status"], call["duration"], call["transcript"], sep="\n")
