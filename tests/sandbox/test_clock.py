"""The virtual clock: it follows the wall, jumps forward, and never goes back."""

from datetime import datetime
from uuid import RFC_4122

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice_sandbox.clock import (
    Sequence,
    SteadyWall,
    VirtualClock,
    new_call_id,
    new_request_id,
    rfc3339,
)

from .conftest import START

INSTANTS = st.floats(START - 1e6, START + 1e6)
CLOCKS = st.builds(VirtualClock, INSTANTS, INSTANTS, st.floats(0.01, 1e6))


@given(CLOCKS, st.lists(INSTANTS, min_size=2).map(sorted))
def test_never_goes_backward(clock: VirtualClock, walls: list[float]) -> None:
    """As the wall moves on, the clock shows the same time or a later one."""
    shown = [clock.now(wall) for wall in walls]
    assert shown == sorted(shown)


@given(CLOCKS, INSTANTS)
def test_a_wall_before_the_anchor_shows_the_anchor(clock: VirtualClock, wall: float) -> None:
    """A wall clock that was set back does not carry the clock below where it was set."""
    assert clock.now(wall) >= clock.anchor


@given(CLOCKS, st.floats(0, 1e5))
def test_wall_at_undoes_now(clock: VirtualClock, later: float) -> None:
    """What the clock will show at a wall time, it shows at that wall time."""
    wall = clock.anchor_wall + later
    assert clock.wall_at(clock.now(wall)) == pytest.approx(wall, abs=1e-1)


@given(CLOCKS, INSTANTS, INSTANTS)
def test_advancing_never_goes_backward(clock: VirtualClock, instant: float, wall: float) -> None:
    """An instant that has passed moves nothing back."""
    moved = clock.advanced_to(instant, wall_now=wall)
    assert moved.now(wall) == max(instant, clock.now(wall))


@given(CLOCKS, INSTANTS, INSTANTS)
def test_advancing_keeps_the_rate(clock: VirtualClock, instant: float, wall: float) -> None:
    """A clock that was moved runs on as fast as before."""
    assert clock.advanced_to(instant, wall_now=wall).rate == clock.rate


def test_rate_is_virtual_seconds_a_wall_second() -> None:
    """At rate 10 a minute on the wall is ten minutes on the clock."""
    assert VirtualClock(0, 1000, 10).now(60) == 1600


def test_instants_are_written_in_utc_with_milliseconds() -> None:
    """An instant is RFC 3339 with three digits and Z."""
    assert rfc3339(START + 0.25) == "2026-11-24T09:30:00.250Z"


@given(st.floats(0, 253_402_300_799))
def test_written_instants_can_be_read(instant: float) -> None:
    """Every instant up to the year 9999 is written so that it can be read back."""
    read = datetime.fromisoformat(rfc3339(instant)).timestamp()
    assert read == pytest.approx(instant, abs=2e-3)


def test_call_ids_are_uuids_that_sort_by_time() -> None:
    """The newest call is the one with the greatest id, even among ids of one millisecond."""
    ids = [new_call_id() for _ in range(10_000)]
    assert ids == sorted(set(ids))


def test_call_ids_are_of_version_seven() -> None:
    """A call's id is a UUID of RFC 9562, version 7."""
    made = new_call_id()
    assert (made.version, made.variant) == (7, RFC_4122)


def test_request_ids_are_unique() -> None:
    """No two exchanges share a name."""
    assert len({new_request_id() for _ in range(10_000)}) == 10_000


@given(CLOCKS, st.floats(0, 1e300))
def test_no_clock_runs_out_of_the_calendar(clock: VirtualClock, later: float) -> None:
    """However far a clock runs or is advanced, what it shows can be written."""
    moved = clock.advanced_to(START + later, wall_now=clock.anchor_wall)
    for shown in (moved.now(START), clock.now(START + later), START + later):
        assert rfc3339(shown) <= "9999-12-31T23:59:59.000Z"


# A wall that is put back


STEPS = st.floats(-1e7, 1e7, allow_nan=False)


@given(st.lists(STEPS, max_size=20), st.floats(2, 1000))
def test_steady_wall_never_goes_back_and_never_stands_still(
    jumps: list[float], seconds: float
) -> None:
    """Whatever the wall does, time goes on: never backward, and never for long not at all."""
    raw = START
    steady = SteadyWall(lambda: raw)
    for jump in jumps:
        before = steady()
        raw += jump
        assert steady() >= before
        after = steady()
        raw += seconds
        assert steady() - after >= seconds - 1.01


def test_small_corrections_do_not_add_up() -> None:
    """A clock that a time server puts back by a moment every now and then stays right."""
    raw = START
    steady = SteadyWall(lambda: raw)
    for _ in range(1000):
        steady()
        raw += 10
        steady()
        raw -= 0.5
    assert steady() == pytest.approx(raw, abs=1)


@pytest.mark.parametrize("ahead", [-3600.0, -0.5, 0.0, 0.5, 3600.0])
def test_steady_wall_follows_the_clock_of_others(ahead: float) -> None:
    """A process whose own clock is wrong shows the time that all the others show."""
    steady = SteadyWall(lambda: START + ahead)
    steady.follow(START)
    assert steady() == START


@pytest.mark.parametrize("moved", [-3600.0, -0.5, 0.5, 3600.0])
def test_clock_that_is_followed_takes_nothing_back(moved: float) -> None:
    """Where the clock that it follows is put back, a process goes on from what it has shown."""
    steady = SteadyWall(lambda: START)
    steady.follow(START)
    shown = steady()
    steady.follow(START + moved)
    assert steady() == max(shown, START + moved)


def test_steady_wall_goes_on_from_what_others_have_seen() -> None:
    """After a restart with the wall put back time goes on from where it was."""
    raw = START - 3600
    steady = SteadyWall(lambda: raw)
    steady.at_least(START)
    assert steady() == START
    raw += 5
    assert steady() == START + 5


@given(st.lists(STEPS, min_size=1, max_size=50))
def test_sequence_rises_whatever_the_wall_does(jumps: list[float]) -> None:
    """What was given later sorts later, though the wall stood still or went back."""
    raw = START
    sequence = Sequence(lambda: raw)
    given_out = [sequence()]
    for jump in jumps:
        raw = max(0.0, raw + jump)
        given_out += [sequence(), sequence()]
    assert given_out == sorted(set(given_out))


def test_sequences_of_two_processes_sort_by_time() -> None:
    """A microsecond apart is enough, whichever process was first."""
    raw = START
    one, other = Sequence(lambda: raw), Sequence(lambda: raw)
    given_out = []
    for number in range(100):
        raw += 2e-6
        given_out.append((one, other)[number % 2]())
    assert given_out == sorted(given_out)
