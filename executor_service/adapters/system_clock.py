"""The clock of this machine, followed steadily: a wall clock that is set delays nothing."""

import asyncio
import functools
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

# How much of each second a step of the wall clock is followed by. A wait for a time is off by no
# more than that, whatever the clock is set to meanwhile, and an hour is caught up with in ten.
FOLLOWED: Final = 0.1
# How long the steady clock is followed between two looks at the wall clock.
LOOK_EVERY_S: Final = 0.01
_AT_REST = timedelta()
# How far the wall clock may have been set back between two processes for delays to last as long as
# they are recorded.
MAX_BEHIND: Final = timedelta(days=1)
_BOOT_TIME = getattr(time, "CLOCK_BOOTTIME", None)
# Seconds that only go forward, those in which the machine was suspended included.
steady_s: Final[Callable[[], float]] = (
    time.monotonic if _BOOT_TIME is None else functools.partial(time.clock_gettime, _BOOT_TIME)
)


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
        counts_suspended: bool = _BOOT_TIME is not None,
    ) -> None:
        self._wall = wall
        self._steady = steady
        self._counts_suspended = counts_suspended
        self._at, self._at_s = wall(), steady()
        self._pace = 1.0  # Of `now` beside the steady clock, until the next look.

    def now(self) -> datetime:
        """Return the time in UTC; never earlier than the time before."""
        at_s = self._steady()
        passed_s = at_s - self._at_s
        if passed_s < LOOK_EVERY_S:
            return self._at + timedelta(0, passed_s * self._pace)
        self._look(passed_s)
        self._at_s = at_s
        return self._at

    def reached(self, moment: datetime) -> None:
        """Begin at a time that is on record, where the wall clock was set back since; it is then
        followed slowly as ever. What is further ahead was recorded by a clock that was wrong."""
        behind = moment - self.now()
        if _AT_REST < behind <= MAX_BEHIND:
            self._at += behind

    def _look(self, passed_s: float) -> None:
        """Come nearer to the wall clock: now, for what passed unasked, and until the next look."""
        unasked_s = passed_s - LOOK_EVERY_S
        reached = self._at + timedelta(0, LOOK_EVERY_S * self._pace + unasked_s)
        off = self._wall() - reached
        if off > _AT_REST and not self._counts_suspended:
            followed = off
        else:
            most = timedelta(0, unasked_s * FOLLOWED)
            followed = min(most, max(-most, off))
        self._at = reached + followed
        left = (off - followed) / timedelta(0, LOOK_EVERY_S)
        self._pace = 1 + min(FOLLOWED, max(-FOLLOWED, left))

    monotonic_s = staticmethod(time.monotonic)

    async def sleep_until(self, due: datetime) -> None:
        """Return once `now()` has reached `due`."""
        while (left_s := (due - self.now()).total_seconds()) > 0:  # noqa: ASYNC110 - a time
            await asyncio.sleep(left_s)
