"""How many executions may run at once in this process; commands beyond that stay in Kafka."""

import asyncio


class ExecutionSlots:
    """A bound on executions in flight.

    Recovered executions take a slot without asking: they were admitted before. So `free` may be
    negative for a while, and no command is taken until enough of them have ended.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.in_use = 0
        self._freed = asyncio.Event()

    @property
    def free(self) -> int:
        """Return how many more commands may be taken."""
        return self.capacity - self.in_use

    def take(self) -> None:
        """Count one more execution in flight."""
        self.in_use += 1

    def release(self) -> None:
        """Count one fewer and wake whoever waits."""
        self.in_use -= 1
        self._freed.set()

    async def wait_free(self, timeout_s: float) -> None:
        """Return when a slot is free or the time is over, whichever is first."""
        self._freed.clear()
        if self.free > 0:
            return
        try:
            await asyncio.wait_for(self._freed.wait(), timeout_s)
        except TimeoutError:
            return
