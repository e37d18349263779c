"""Writes what Mockoon plays: two routes for each task, whose responses come one after the other."""

from __future__ import annotations

import json
import sys
from typing import Any
from uuid import uuid4

CALL_ID = "01890a5d-ac96-774b-bcce-b302099a8057"
TALK = "agent: Is half past ten fine?\nuser: Yes."
CREATED: Any = (201, {"call_id": CALL_ID}, {})


def read(status: str, transcript: str | None = None, *, ended: bool = True) -> Any:
    call = {"call_id": CALL_ID, "status": status, "transcript": transcript}
    return 200, {**call, "duration": 0 if ended else None}, {}


QUEUED, RINGING = read("queued", ended=False), read("ringing", ended=False)
LIVE = read("in_progress", ended=False)
COMPLETED = read("completed", TALK)
TASKS: dict[str, tuple[list[Any], list[Any]]] = {
    "busy": ([CREATED], [QUEUED, RINGING, read("busy")]),
    "no_answer": ([CREATED], [QUEUED, RINGING, read("no_answer")]),
    "retry_after_503": ([(503, {}, {}), (503, {}, {}), CREATED], [COMPLETED]),
    "retry_after_429": ([(429, {}, {"Retry-After": "1"}), CREATED], [COMPLETED]),
    "stuck_call": ([CREATED], [RINGING]),
    "late_result": ([CREATED], [QUEUED, LIVE, LIVE, COMPLETED]),
    "own_transcript": ([CREATED], [COMPLETED]),
    "fifty_at_once": ([CREATED], [COMPLETED]),
    "without_sleeping": ([CREATED], [COMPLETED]),
    "what_was_sent": ([CREATED], [COMPLETED]),
}


def route(method: str, path: str, responses: list[Any]) -> dict[str, Any]:
    return {
        "uuid": str(uuid4()),
        "type": "http",
        "method": method,
        "endpoint": path,
        "responseMode": "SEQUENTIAL" if len(responses) > 1 else None,
        "responses": [
            {
                "uuid": str(uuid4()),
                "statusCode": status,
                "bodyType": "INLINE",
                "body": json.dumps(body),
                "headers": [
                    {"key": name, "value": value}
                    for name, value in {"Content-Type": "application/json", **headers}.items()
                ],
                "rules": [],
                "default": number == 0,
            }
            for number, (status, body, headers) in enumerate(responses)
        ],
    }


def environment() -> dict[str, Any]:
    """A data file of Mockoon, with a path of its own for each task."""
    routes = [route("get", "v1/agents", [(200, {"agents": []}, {})])]
    for name, (posts, gets) in TASKS.items():
        routes.append(route("post", f"{name}/v1/calls", posts))
        routes.append(route("get", f"{name}/v1/calls/{CALL_ID}", gets))
    return {"uuid": str(uuid4()), "lastMigration": 33, "name": "tasks", "routes": routes}


if __name__ == "__main__":
    json.dump(environment(), sys.stdout)
