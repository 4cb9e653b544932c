"""Where an execution's loop sleeps until a result, a command or a due time comes."""

import asyncio
from datetime import datetime

from executor_service.ports.runtime import Clock


class Wakeup:
    """One sleeper; waking it while it is awake has no effect, so it looks before it sleeps."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._sleeping: asyncio.Future[None] | None = None

    def wake(self) -> None:
        """End the sleep, if there is one."""
        if self._sleeping is not None and not self._sleeping.done():
            self._sleeping.set_result(None)

    async def sleep(self, due_at: datetime | None) -> None:
        """Return when woken, or at the due time."""
        self._sleeping = asyncio.get_running_loop().create_future()
        alarm = None if due_at is None else asyncio.create_task(self._ring(due_at))
        try:
            await self._sleeping
        finally:
            self._sleeping = None
            if alarm is not None:
                alarm.cancel()

    async def _ring(self, due_at: datetime) -> None:
        await self._clock.sleep_until(due_at)
        self.wake()
