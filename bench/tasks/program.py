"""The program under test: it places a call and waits for its end. No test changes it."""

from __future__ import annotations

import os
import time
from typing import Any

import httpx2

PAUSE_SECONDS = 0.02
DEADLINE_SECONDS = 3
MAY_PASS = (429, 500, 502, 503, 504)


def call_and_wait(phone: str, idempotency_key: str | None = None) -> dict[str, Any]:
    """The call when it has ended. Raises: `TimeoutError`."""
    give_up_at = time.monotonic() + DEADLINE_SECONDS
    headers = {"Authorization": f"Bearer {os.environ['VOICE_API_KEY']}"}
    with httpx2.Client(base_url=os.environ["VOICE_API_URL"], headers=headers, timeout=1) as client:
        key = {} if idempotency_key is None else {"Idempotency-Key": idempotency_key}
        body = {"phone": phone, "agent": os.environ["VOICE_AGENT"]}
        call_id = _send(client, "POST", "/v1/calls", give_up_at, json=body, headers=key)["call_id"]
        while True:
            call = _send(client, "GET", f"/v1/calls/{call_id}", give_up_at)
            if call["duration"] is not None:
                return call
            _wait(PAUSE_SECONDS, give_up_at)


def _send(
    client: httpx2.Client, method: str, path: str, give_up_at: float, **options: Any
) -> dict[str, Any]:
    while True:
        wait = PAUSE_SECONDS
        try:
            response = client.request(method, path, **options)
            if response.status_code not in MAY_PASS:
                found: dict[str, Any] = response.raise_for_status().json()
                return found
            wait = float(response.headers.get("Retry-After", wait))
        except httpx2.TransportError:
            pass
        _wait(wait, give_up_at)


def _wait(seconds: float, give_up_at: float) -> None:
    if time.monotonic() + seconds > give_up_at:
        raise TimeoutError("the call did not end in time")
    time.sleep(seconds)
