"""The clock of this machine."""

import asyncio
import time
from datetime import UTC, datetime


class SystemClock:
    """Wall time for records, monotonic time for durations; satisfies `ports.Clock`."""

    def now(self) -> datetime:
        """Return the time in UTC."""
        return datetime.now(UTC)

    def monotonic_s(self) -> float:
        """Return seconds that only go forward."""
        return time.monotonic()

    async def sleep_until(self, due: datetime) -> None:
        """Return once `now()` has reached `due`."""
        left_s = (due - self.now()).total_seconds()
        if left_s > 0:
            await asyncio.sleep(left_s)
