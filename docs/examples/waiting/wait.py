"""Place a call and wait for its end, whatever happens to requests and responses on the way."""

import os
import sys
import time
import uuid

import httpx2

PAUSE_SECONDS = 2
LONGEST_PAUSE_SECONDS = 30
DEADLINE_SECONDS = float(os.environ.get("CALL_DEADLINE_SECONDS", "300"))
MAY_PASS = {429, 500, 502, 503, 504}


def send(service, method, path, give_up_at, **options):
    """The JSON of a response; what may pass is sent again until the deadline."""
    pause = PAUSE_SECONDS
    while True:
        wait = pause
        try:
            response = service.request(method, path, **options)
            if response.status_code not in MAY_PASS:
                response.raise_for_status()  # any other problem: fix the request
                return response.json()
            if response.headers.get("Retry-After", "").isdigit():
                wait = int(response.headers["Retry-After"])
        except (httpx2.TransportError, ValueError):
            pass  # no whole response came, and the work may be done all the same
        if time.monotonic() + wait > give_up_at:
            raise TimeoutError(f"{method} {path} did not succeed in time")
        time.sleep(wait)
        pause = min(2 * pause, LONGEST_PAUSE_SECONDS)


def call_and_wait(service, phone, agent, idempotency_key):
    """The call when it has ended. The same key places no second call."""
    give_up_at = time.monotonic() + DEADLINE_SECONDS
    created = send(
        service,
        "POST",
        "/v1/calls",
        give_up_at,
        json={"phone": phone, "agent": agent},
        headers={"Idempotency-Key": idempotency_key},
    )
    path = f"/v1/calls/{created['call_id']}"
    while True:
        call = send(service, "GET", path, give_up_at)
        if call["duration"] is not None:
            return call
        if time.monotonic() + PAUSE_SECONDS > give_up_at:
            raise TimeoutError(f"the call {call['call_id']} is still {call['status']}")
        time.sleep(PAUSE_SECONDS)


if __name__ == "__main__":
    with httpx2.Client(
        base_url=os.environ.get("VOICE_API_URL", "{{ sandbox_url }}"),
        headers={"Authorization": f"Bearer {os.environ['VOICE_API_KEY']}"},
    ) as service:
        # Save the key beside your order before you send it.
        key = str(uuid.uuid4())
        try:
            call = call_and_wait(service, "{{ quickstart.phone }}", "{{ quickstart.agent }}", key)
        except (httpx2.HTTPStatusError, TimeoutError) as error:
            sys.exit(f"The call was not made, or its end is not known: {error}")
        print(call["status"], call["duration"], call["transcript"], sep="\n")
