"""Calls as the tests of the stores keep them: a new one, one that has ended, one of an old file."""

from uuid_utils import UUID

from voice_sandbox.calls.call import Call, Result
from voice_sandbox.clock import new_call_id

from .conftest import START

DONE = Result("completed", "agent: Hello", 5)


def new_call(created_at: float = START) -> Call:
    """A call that nobody has ended."""
    return Call(
        call_id=new_call_id(),
        phone="+12025550100",
        agent="a",
        scenario="answered",
        created_at=created_at,
    )


SAMPLE = Call(
    call_id=UUID(int=1),
    phone="+12025550100",
    agent="a",
    scenario="answered",
    created_at=START - 9,
    result=DONE,
    ended_at=START,
)
OLD_CALL = Call(
    call_id=UUID("01890a5d-ac96-774b-bcce-b302099a8057"),
    phone="+12025550131",
    agent="a",
    scenario="answered",
    created_at=START,
    result=DONE,
    ended_at=START + 8,
    completed_by="req_1",
    delivery_statuses=(422, 200),
)
"""A call in the database of the first release."""
