"""When parked executions want to be woken: one heap and one sleeping task for all of them."""

import asyncio
import heapq
from collections.abc import Callable
from datetime import datetime

from executor_service.ports.runtime import Clock


class WakeTimers:
    """Calls `ring` with an execution id once its time has come."""

    def __init__(self, clock: Clock, ring: Callable[[str], None]) -> None:
        self._clock = clock
        self._ring = ring
        self._heap: list[tuple[datetime, str]] = []
        self._sleeping: asyncio.Task[None] | None = None

    def set(self, execution_id: str, due: datetime) -> None:
        """Ring at `due`; an execution woken before that may be rung for in vain."""
        heapq.heappush(self._heap, (due, execution_id))
        if self._heap[0] == (due, execution_id):
            self.close()
            self._sleeping = asyncio.create_task(self._sleep())

    def close(self) -> None:
        """Ring no more."""
        if self._sleeping is not None:
            self._sleeping.cancel()
            self._sleeping = None

    async def _sleep(self) -> None:
        while self._heap:
            await self._clock.sleep_until(self._heap[0][0])
            while self._heap and self._heap[0][0] <= self._clock.now():
                self._ring(heapq.heappop(self._heap)[1])
        self._sleeping = None
