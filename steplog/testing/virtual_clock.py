"""A clock for tests that skips the time in which nothing but waiting is left."""

import asyncio
import heapq
import time
from datetime import UTC, datetime, timedelta


class VirtualClock:
    """Time that passes as ever while something runs, and jumps by `skip`; satisfies `ports.Clock`.

    `running` counts the steps whose code runs: what a step itself takes is real time.
    """

    def __init__(self) -> None:
        self.running = 0
        self._began, self._began_s = datetime.now(UTC), time.monotonic()
        self._skipped = timedelta()
        self._sleepers: list[tuple[datetime, int, asyncio.Future[None]]] = []
        self._count = 0

    def now(self) -> datetime:
        """Return the time, what was skipped included."""
        passed = timedelta(seconds=time.monotonic() - self._began_s)
        return self._began + passed + self._skipped

    monotonic_s = staticmethod(time.monotonic)

    def reached(self, moment: datetime) -> None:
        """Begin no earlier than a time that is on record."""
        self._skipped += max(timedelta(), moment - self.now())

    async def sleep_until(self, due: datetime) -> None:
        """Return once `now()` has reached `due`, by itself or by skipping."""
        loop = asyncio.get_running_loop()
        while (left := due - self.now()) > timedelta():
            woken: asyncio.Future[None] = loop.create_future()
            self._count += 1
            heapq.heappush(self._sleepers, (due, self._count, woken))
            alarm = loop.call_later(left.total_seconds(), _wake, woken)
            try:
                await woken
            finally:
                alarm.cancel()

    def skip(self) -> bool:
        """Skip to the next time that something waits for; False where nothing waits for any."""
        while self._sleepers and self._sleepers[0][2].done():
            heapq.heappop(self._sleepers)
        if not self._sleepers:
            return False
        due = self._sleepers[0][0]
        self.reached(due)
        while self._sleepers and self._sleepers[0][0] <= due:
            _wake(heapq.heappop(self._sleepers)[2])
        return True


def _wake(woken: asyncio.Future[None]) -> None:
    if not woken.done():
        woken.set_result(None)
