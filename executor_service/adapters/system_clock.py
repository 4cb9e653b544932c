"""The clock of this machine, followed steadily: a wall clock that is set delays nothing."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

# How much of each second a step of the wall clock is followed by. A wait for a time is off by no
# more than that, whatever the clock is set to meanwhile, and an hour is caught up with in ten.
FOLLOWED: Final = 0.1
_AT_REST = timedelta()


def steady_s() -> float:
    """Return seconds that only go forward, those in which the machine was suspended included."""
    boot_time = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot_time is None else time.clock_gettime(boot_time)


def _wall() -> datetime:
    return datetime.now(UTC)


class SystemClock:
    """Time for records, and monotonic time for durations; satisfies `ports.Clock`.

    `now` begins at the wall clock's time and goes on by the steady clock. Where the two part,
    because somebody set the wall clock, `now` follows slowly and never goes back: else a delay of a
    second would last as long as the clock was set back. Without a clock that counts suspended time,
    steps forward are followed at once.
    """

    def __init__(
        self,
        wall: Callable[[], datetime] = _wall,
        steady: Callable[[], float] = steady_s,
        *,
        counts_suspended: bool = hasattr(time, "CLOCK_BOOTTIME"),
    ) -> None:
        self._wall = wall
        self._steady = steady
        self._counts_suspended = counts_suspended
        self._at, self._at_s = wall(), steady()

    def now(self) -> datetime:
        """Return the time in UTC; never earlier than the time before."""
        at_s = self._steady()
        passed = timedelta(seconds=at_s - self._at_s)
        off = self._wall() - (self._at + passed)
        if off > _AT_REST and not self._counts_suspended:
            followed = off
        else:
            most = passed * FOLLOWED
            followed = min(most, max(-most, off))
        self._at, self._at_s = self._at + passed + followed, at_s
        return self._at

    def monotonic_s(self) -> float:
        """Return seconds that only go forward."""
        return time.monotonic()

    async def sleep_until(self, due: datetime) -> None:
        """Return once `now()` has reached `due`."""
        while (left_s := (due - self.now()).total_seconds()) > 0:  # noqa: ASYNC110 - a time
            await asyncio.sleep(left_s)
