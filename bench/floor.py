"""The floor: an ASGI application that reads the body and answers a constant, and nothing else."""

from __future__ import annotations

from starlette.types import Message, Receive, Scope, Send

BODY = b'{"call_id":"01890a5d-ac96-774b-bcce-b302099a8057"}'
START: Message = {
    "type": "http.response.start",
    "status": 200,
    "headers": [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(BODY)).encode()),
    ],
}
END: Message = {"type": "http.response.body", "body": BODY}


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        return
    while scope["method"] == "POST":
        if not (await receive()).get("more_body", False):
            break
    await send(START)
    await send(END)
