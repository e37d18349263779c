"""A client with one fault, named by its argument: each breaks one rule of a rehearsal.

It is otherwise a good client, written with nothing but the standard library. It really waits: how
long a program waits is what the rules measure.
"""

import json
import os
import sys
import time
import uuid
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import Request, urlopen

FAULT = sys.argv[1]
PHONE = "+996700123456"
GIVE_UP_AT = time.monotonic() + float(os.environ.get("CALL_DEADLINE_SECONDS", "20"))
MAY_PASS = {429, 500, 502, 503, 504}


class Rejected(Exception):
    """A response that no retry fixes."""


def once(method: str, path: str, body: Any, headers: dict[str, str]) -> tuple[int, Any, str]:
    """Status, JSON and Retry-After; 0 where no whole response came."""
    url = os.environ["VOICE_API_URL"] + path
    if FAULT == "key_in_wrong_place":
        url += f"?api_key={quote(os.environ['VOICE_API_KEY'])}"
    request = Request(url, method=method, data=body and json.dumps(body).encode())
    request.add_header("Authorization", f"Bearer {os.environ['VOICE_API_KEY']}")
    request.add_header("Content-Type", "application/json")
    for name, value in headers.items():
        request.add_header(name, value)
    try:
        with urlopen(request, timeout=30) as response:
            return response.status, json.load(response), ""
    except HTTPError as error:
        try:
            return error.code, json.load(error), error.headers.get("Retry-After", "")
        except (HTTPException, OSError, ValueError):
            return error.code, None, ""
    except (URLError, HTTPException, OSError, ValueError):
        return 0, None, ""


def send(method: str, path: str, body: Any = None) -> Any:
    key = "reminder" if FAULT == "key_with_other_body" else str(uuid.uuid4())
    attempts = 0
    while True:
        if FAULT == "retry_with_other_key":
            key = str(uuid.uuid4())
        has_key = method == "POST" and FAULT != "retry_without_key"
        headers = {"Idempotency-Key": key} if has_key else {}
        status, response, retry_after = once(method, path, body, headers)
        attempts += 1
        if 200 <= status < 300 and response is not None:
            return response
        if not may_pass(status, response, attempts):
            raise Rejected(f"{method} {path}: {status}")
        pause = pause_after(retry_after)
        if time.monotonic() + pause > GIVE_UP_AT:
            raise TimeoutError(f"{method} {path} did not succeed in time")
        time.sleep(pause)


def may_pass(status: int, response: Any, attempts: int) -> bool:
    if FAULT == "gave_up":
        return False
    if FAULT == "retried_in_vain" and attempts < 3:
        return True
    if FAULT == "relied_on_words" and status == 503:
        return "unavailable" in response["title"].lower()
    return status < 300 or status in MAY_PASS


def pause_after(retry_after: str) -> float:
    if FAULT == "retried_too_early":
        return 0.6
    if FAULT == "no_back_off" and not retry_after:
        return 0.02
    return float(retry_after or 1)


def wait(call_id: str) -> Any:
    pause = 0.2 if FAULT == "polled_too_fast" else 1.2
    reads_after_end = 3 if FAULT == "polled_after_end" else 0
    while True:
        call = send("GET", f"/v1/calls/{call_id}")
        if call["duration"] is not None:
            if not reads_after_end:
                return call
            reads_after_end -= 1
        if FAULT != "hung" and time.monotonic() + pause > GIVE_UP_AT:
            raise TimeoutError("the call does not end")
        time.sleep(pause)


def choose_agent() -> str:
    if FAULT == "unknown_agent":
        return "nobody"
    listed = send("GET", "/v1/agents")["agents"]
    return os.environ["KNOWN_AGENT"] if FAULT == "ignored_agents" else listed[0]["key"]


def work() -> None:
    if FAULT == "nothing_sent":
        print("dry run: nothing is sent")
        return
    phone = "0700 123 456" if FAULT == "malformed_request" else PHONE
    body = {"phone": phone, "agent": choose_agent()}
    call = send("POST", "/v1/calls", body)
    if FAULT == "key_with_other_body":
        second = once(
            "POST", "/v1/calls", body | {"phone": "+996700123457"}, {"Idempotency-Key": "reminder"}
        )
        print("the second creation:", second[0])
    if FAULT == "missed_end":
        return
    call = wait(call["call_id"])
    if FAULT == "double_dial" and call["status"] != "completed":
        call = wait(send("POST", "/v1/calls", body)["call_id"])
    if FAULT == "died":
        print(len(call["transcript"]))
    print(call["status"])


try:
    work()
except (Rejected, TimeoutError) as error:
    print(error, file=sys.stderr)
    sys.exit(0 if FAULT == "wrong_exit_status" else 1)
