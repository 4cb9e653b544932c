"""Whatever the wall clock is set to, a wait takes as long as it says."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor_service.adapters.system_clock import FOLLOWED, SystemClock

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Machine:
    """A machine whose wall clock can be set."""

    def __init__(self, *, counts_suspended: bool = True) -> None:
        self.wall, self.seconds = NOON, 0.0
        self.clock = SystemClock(
            lambda: self.wall, lambda: self.seconds, counts_suspended=counts_suspended
        )

    def passes(self, seconds: float) -> datetime:
        """Let time pass, and return what the clock says then."""
        self.seconds += seconds
        self.wall += timedelta(seconds=seconds)
        return self.clock.now()


def test_a_clock_that_nobody_sets_is_the_wall_clock() -> None:
    machine = Machine()

    assert [machine.passes(1.0), machine.passes(100.0)] == [
        NOON + timedelta(seconds=1),
        NOON + timedelta(seconds=101),
    ]


@pytest.mark.parametrize("set_by", [-HOUR, HOUR, -24 * HOUR, timedelta(seconds=-2)])
def test_a_delay_lasts_as_long_as_it_says_when_the_clock_is_set(set_by: timedelta) -> None:
    machine = Machine()
    due = machine.clock.now() + timedelta(seconds=100)
    machine.passes(10.0)
    machine.wall += set_by

    early, late = machine.passes(70.0), machine.passes(32.0)

    assert early < due <= late


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(-1e6, 1e6)), max_size=20))
def test_time_never_goes_back(steps: list[tuple[float, float]]) -> None:
    machine = Machine()
    before = machine.clock.now()
    for passed, set_by in steps:
        machine.wall += timedelta(seconds=set_by)
        now = machine.passes(passed)
        assert before <= now <= before + timedelta(seconds=passed * (1 + FOLLOWED) + 1e-3)
        before = now


@pytest.mark.parametrize("set_by", [-HOUR, HOUR])
def test_a_clock_that_was_set_is_caught_up_with(set_by: timedelta) -> None:
    """A time of day that somebody asked for is the wall clock's."""
    machine = Machine()
    machine.wall += set_by
    for _ in range(12):
        machine.passes(3_600.0)

    assert machine.clock.now() == machine.wall


def test_sleep_of_the_machine_is_time_that_passed() -> None:
    """Where no clock counts it, the wall clock alone tells."""
    machine = Machine(counts_suspended=False)
    machine.wall += 8 * HOUR

    assert machine.passes(1.0) == machine.wall


def test_a_clock_set_back_between_two_processes_goes_on_from_what_is_on_record() -> None:
    machine = Machine()
    machine.clock.reached(NOON + HOUR)
    at_once = machine.clock.now()
    machine.passes(12 * 3_600.0)

    assert at_once == NOON + HOUR
    assert machine.clock.now() == machine.wall


@pytest.mark.parametrize("recorded", [NOON - HOUR, NOON + timedelta(days=400)])
def test_what_is_on_record_sets_no_clock_back_and_none_far_forward(recorded: datetime) -> None:
    machine = Machine()
    machine.clock.reached(recorded)

    assert machine.clock.now() == NOON


async def test_a_sleep_ends_when_its_time_has_come() -> None:
    clock = SystemClock()
    due = clock.now() + timedelta(seconds=0.05)

    await asyncio.wait_for(clock.sleep_until(due), 10.0)

    assert clock.now() >= due
