"""How many executions may run at once in this process."""

from collections.abc import Callable


class ExecutionSlots:
    """A bound on executions in flight.

    Recovered executions take a slot without asking: they were admitted before. So `free` may be
    negative for a while, and no command is taken until enough of them have ended.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.in_use = 0
        self.when_freed: Callable[[], None] | None = None

    @property
    def free(self) -> int:
        """Return how many more commands may be taken."""
        return self.capacity - self.in_use

    def take(self) -> None:
        """Count one more execution in flight."""
        self.in_use += 1

    def release(self) -> None:
        """Count one fewer and tell whoever waits."""
        self.in_use -= 1
        if self.when_freed is not None:
            self.when_freed()
