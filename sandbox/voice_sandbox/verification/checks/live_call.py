"""The one call that may be placed on a live service, to a number that a person named."""

from __future__ import annotations

from voice_sandbox.verification.api import Api, is_uuid
from voice_sandbox.verification.check import Needs, check
from voice_sandbox.verification.finding import must, must_be
from voice_sandbox.verification.guard import CALLS_PATH


@check(Needs.CALL)
def named_number_is_called(api: Api) -> None:
    """A call to the number named is created, is found by its id, and is read in a legal state."""
    for number in api.target.numbers:
        response = api.post(CALLS_PATH, {"phone": number, "agent": api.agent})
        must_be(response, 201, when="a call to a number that was named is created")
        call_id = response.json()["call_id"]
        must(is_uuid(call_id), "A call_id must be a UUID in lower case.", response)
        must(
            response.header("location") == f"{CALLS_PATH}/{call_id}",
            "Location must be the path of the new call.",
            response,
        )
        call = api.read(call_id)
        must(call["call_id"] == call_id, "Another call was read than was asked for.", api.last())
