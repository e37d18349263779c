"""Reminds people of their appointments by phone, and says whom to try again."""

from dataclasses import dataclass

import httpx2

PENDING = {"queued", "ringing", "in_progress"}
NOT_REACHED = {"busy", "no_answer", "canceled"}


@dataclass(frozen=True)
class TryLater(Exception):
    """The service takes no calls now; ask again after so many seconds."""

    seconds: int


class Reminders:
    """Places reminder calls through one agent."""

    def __init__(self, service: httpx2.Client, agent: str) -> None:
        self._service = service
        self._agent = agent

    def remind(self, appointment: str, phone: str) -> str:
        """Calls once for each appointment, however often it is asked to; returns the call_id."""
        response = self._service.post(
            "/v1/calls",
            json={"phone": phone, "agent": self._agent},
            headers={"Idempotency-Key": f"reminder-{appointment}"},
        )
        if response.status_code in (429, 503):
            raise TryLater(int(response.headers["Retry-After"]))
        response.raise_for_status()
        return response.json()["call_id"]

    def outcome(self, call_id: str) -> str:
        """`pending`, `reached`, `try_again` or `check_number`."""
        call = self._service.get(f"/v1/calls/{call_id}").raise_for_status().json()
        if call["status"] in PENDING:
            return "pending"
        if call["status"] == "completed":
            return "reached" if call["transcript"] else "try_again"
        return "try_again" if call["status"] in NOT_REACHED else "check_number"
