"""Time and new names enter here and nowhere else.

A namespace has a virtual clock: it moves with the wall, ``rate`` times as fast, and a client can
advance it. It goes backward only where the wall does.
All instants are seconds since the Unix epoch.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import msgspec
import uuid_utils
from uuid_utils import UUID

Wall = Callable[[], float]
"""The wall clock, in seconds since the Unix epoch; tests pass their own."""

START_OF_TIME: Final = -62_135_596_800.0
"""The first second of the year 1: whatever is said to be earlier counts as this."""
DAY_SECONDS: Final = 24 * 60 * 60
END_OF_TIME: Final = 253_402_300_799.0
"""The last second of the year 9999, which RFC 3339 can still write; clocks stop there."""

wall: Wall = time.time
monotonic: Callable[[], float] = time.perf_counter
sleep: Callable[[float], None] = time.sleep


def new_call_id() -> UUID:
    """A UUID of version 7 (RFC 9562, section 5.7): ids sort by the time they were made."""
    return uuid_utils.uuid7()


def first_call_id(instant: float) -> UUID:
    """The least id that can have been made at that wall time."""
    return UUID(int=max(0, int(instant * 1000)) << 80)


def new_request_id() -> str:
    """The name of one exchange, such as ``req_01890a5dac96774bbcceb302099a8057``."""
    return "req_" + uuid_utils.uuid7().hex


def new_seq() -> str:
    """A text that sorts after every earlier one, such as ``01890a5dac96774bbcceb302099a8057``."""
    return uuid_utils.uuid7().hex


def seq_before(seq: str, seconds: float) -> str:
    """A text that sorts as a `seq` made so many seconds earlier. Of an empty one, an empty one."""
    if not seq:
        return ""
    # RFC 9562, section 5.7: the first 48 bits are milliseconds since the Unix epoch.
    return f"{max(0, int(seq[:12], 16) - round(seconds * 1000)):012x}"


class VirtualClock(msgspec.Struct, frozen=True):
    """At wall time ``anchor_wall`` this clock showed ``anchor``; since then it ran at ``rate``."""

    anchor_wall: float
    anchor: float
    rate: float = 1.0

    def now(self, wall_now: float) -> float:
        """What the clock shows at that wall time."""
        shown = self.anchor + max(0.0, wall_now - self.anchor_wall) * self.rate
        return min(shown, END_OF_TIME)

    def wall_at(self, instant: float) -> float:
        """The wall time at which the clock will show ``instant``."""
        return self.anchor_wall + (instant - self.anchor) / self.rate

    def advanced_to(self, instant: float, *, wall_now: float) -> VirtualClock:
        """A clock that shows ``instant`` now, or this clock's time where that is later."""
        shown = max(min(instant, END_OF_TIME), self.now(wall_now))
        return msgspec.structs.replace(self, anchor_wall=wall_now, anchor=shown)


def from_rfc3339(text: str) -> float:
    """The instant of a text such as ``2026-11-24T09:30:00Z``.

    Raises: `ValueError` where RFC 3339, section 5.6, knows no such instant.
    """
    if text.startswith("0000-"):  # a year that RFC 3339 has, and Python has not
        return START_OF_TIME
    second, leap = text[17:19], 0
    if second == "60":  # section 5.7: the last minute of a day may have 61 seconds
        second, leap = "59", 1
    return datetime.fromisoformat(text[:17] + second + text[19:]).timestamp() + leap


def rfc3339(instant: float) -> str:
    """Such as ``2026-11-24T09:30:00.250Z`` (RFC 3339, section 5.6), always in UTC."""
    text = datetime.fromtimestamp(min(instant, END_OF_TIME), UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
