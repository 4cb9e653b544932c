"""Steps that run beside each other, each in a task of its own, and what came out of them."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

from executor_service.attempt import AttemptResult, Attempts
from executor_service.engine.state import State, Visit

# How long a cancelled step may take to clean up before it is left behind.
STOP_GRACE_SECONDS: Final = 5.0


class StepTasks:
    """Starts steps, collects their results in the order they came, stops them."""

    def __init__(self, attempts: Attempts, wake: Callable[[], None]) -> None:
        self._attempts = attempts
        self._wake = wake
        self._running: dict[asyncio.Task[None], str] = {}
        self._results: deque[tuple[str, AttemptResult]] = deque()
        self._fault: Exception | None = None

    def __bool__(self) -> bool:
        return bool(self._running)

    @property
    def has_results(self) -> bool:
        """Whether something waits to be taken."""
        return bool(self._results) or self._fault is not None

    def launch(self, state: State, visit: Visit, *, expired: bool) -> None:
        """Run an attempt, or what answers for an expired wait, in a task."""
        task = asyncio.create_task(self._run(state, visit, expired=expired))
        self._running[task] = visit.step.id

    def take(self) -> list[tuple[str, AttemptResult]]:
        """Return what has come out since the last call; raises a fault of our own code."""
        if self._fault is not None:
            raise self._fault
        taken = list(self._results)
        self._results.clear()
        return taken

    async def stop(self) -> None:
        """Cancel what runs and wait for it to clean up, for a bounded time; results are kept."""
        running, self._running = list(self._running), {}
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running, timeout=STOP_GRACE_SECONDS)

    async def _run(self, state: State, visit: Visit, *, expired: bool) -> None:
        task = asyncio.current_task()
        try:
            run = self._attempts.expired if expired else self._attempts.run
            result = await run(state, visit)
            if task in self._running:  # Otherwise it was stopped, and its result is not wanted.
                self._results.append((visit.step.id, result))
        except Exception as fault:
            # Ours: the step's own exceptions are results. The loop must not wait for ever.
            self._fault = fault
        finally:
            self._running.pop(task, None)  # type: ignore[arg-type]
            self._wake()
