"""Time and new names enter here and nowhere else.

A namespace has a virtual clock: it moves with the wall, ``rate`` times as fast, and a client can
advance it. It never goes backward, even where the wall does.
All instants are seconds since the Unix epoch.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from math import inf, modf
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

WALL_MODE: Final = "wall"
MANUAL_MODE: Final = "manual"
POLLS_MODE: Final = "polls"
MODES: Final = (WALL_MODE, MANUAL_MODE, POLLS_MODE)
"""What moves a virtual clock: the wall, an advance alone, or each read of an unfinished call."""

_LONGEST_HOLD_SECONDS: Final = 1.0
"""For which a clock may stand still, so that small corrections do not add up."""

wall: Wall = time.time
monotonic: Callable[[], float] = time.perf_counter
sleep: Callable[[float], None] = time.sleep


def new_call_id() -> UUID:
    """A UUID of version 7 (RFC 9562, section 5.7): ids sort by the time they were made."""
    return uuid_utils.uuid7()


def new_request_id() -> str:
    """The name of one exchange, such as ``req_01890a5dac96774bbcceb302099a8057``."""
    return "req_" + uuid_utils.uuid7().hex


def new_fault_id() -> str:
    """The name of one armed fault, such as ``fault_01890a5dac96774bbcceb302099a8057``."""
    return "fault_" + uuid_utils.uuid7().hex


class SteadyWall:
    """A wall clock that is never put back: when the one below it is, it goes on from where it was.

    A machine that resumes, or that asks a time server, may show an earlier time than a second ago.
    Virtual time, the order of the journal and whatever waits would stand still for as long.
    """

    def __init__(self, wall: Wall) -> None:
        self._wall = wall
        self._offset = 0.0
        self._shown = -inf

    def __call__(self) -> float:
        now = self._wall() + self._offset
        behind = self._shown - now
        if behind <= 0:
            self._shown = now
            return now
        if behind > _LONGEST_HOLD_SECONDS:
            self._offset += behind
        return self._shown

    def at_least(self, instant: float) -> None:
        """Shows that instant from now on where it is later: others have seen it already."""
        self._offset += max(0.0, instant - self())

    def follow(self, instant: float) -> None:
        """Shows from now on what a clock shows that others follow too.

        Nothing that was shown is taken back: where this clock is ahead it waits for a moment, and
        where that would take longer, because the other clock was put back, it goes on by itself.
        """
        ahead = self._wall() + self._offset - instant
        if self._shown == -inf or ahead <= _LONGEST_HOLD_SECONDS:
            self._offset -= ahead


class Sequence:
    """Texts that each sort after the one before, such as ``01890a5dac960fa0001b302099a8057c``.

    They begin with the time in milliseconds, then microseconds, so that those of several processes
    sort by it.
    """

    def __init__(self, wall: Wall) -> None:
        self._wall = wall
        self._microseconds = 0
        self._number = 0
        self._process = secrets.token_hex(6)

    def __call__(self) -> str:
        microseconds = max(int(self._wall() * 1_000_000), self._microseconds)
        self._number = self._number + 1 if microseconds == self._microseconds else 0
        self._microseconds = microseconds
        milliseconds, rest = divmod(microseconds, 1000)
        return f"{milliseconds:012x}{rest:03x}{self._number:05x}{self._process}"


def after_seq(seq: str) -> float:
    """A wall time at which every new `seq` sorts after that one; 0 for an empty one."""
    return (int(seq[:12], 16) + 1) / 1000 if seq else 0.0


def seq_before(seq: str, seconds: float) -> str:
    """A text that sorts as a `seq` made so many seconds earlier. Of an empty one, an empty one."""
    if not seq:
        return ""
    # The first 48 bits are milliseconds since the Unix epoch.
    return f"{max(0, int(seq[:12], 16) - round(seconds * 1000)):012x}"


class VirtualClock(msgspec.Struct, frozen=True):
    """At wall time ``anchor_wall`` this clock showed ``anchor``; since then it ran at ``rate``."""

    anchor_wall: float
    anchor: float
    rate: float = 1.0
    mode: str = WALL_MODE
    """One of `MODES`; with any but the first one the clock stands until it is advanced."""
    has_faults: bool = False
    """Whether an armed fault of the key may strike: read with the clock, which requests need."""
    has_numbers: bool = False
    """Whether the key has numbers of its own."""

    def now(self, wall_now: float) -> float:
        """What the clock shows at that wall time."""
        if self.mode != WALL_MODE:
            return self.anchor
        shown = self.anchor + max(0.0, wall_now - self.anchor_wall) * self.rate
        return min(shown, END_OF_TIME)

    def wall_at(self, instant: float) -> float:
        """The wall time at which the clock will show ``instant``, infinite where it stands."""
        if self.mode != WALL_MODE:
            return inf
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


def as_shown(instant: float) -> float:
    """The instant that `rfc3339` writes of one: whole milliseconds, so that texts compare alike."""
    fraction, second = modf(min(instant, END_OF_TIME))
    return second + round(fraction * 1_000_000) // 1000 / 1000


def rfc3339(instant: float) -> str:
    """Such as ``2026-11-24T09:30:00.250Z`` (RFC 3339, section 5.6), always in UTC."""
    text = datetime.fromtimestamp(as_shown(instant), UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
