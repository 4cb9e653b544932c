"""Steps that run beside each other, each in a task of its own, and what came out of them."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

from executor_service.engine.state import State
from executor_service.engine.visit import Visit
from executor_service.runtime.attempt import AttemptResult, Attempts
from executor_service.runtime.guarded_loop import begin_guarded
from executor_service.runtime.step_invocation import STOP_GRACE_SECONDS, StepCall, StepStopped

# Beyond the grace of the steps themselves: what it takes to leave the last of them.
_LEAVING_SECONDS: Final = 1.0


class StepTasks:
    """Starts steps, collects their results in the order they came, stops them."""

    def __init__(self, attempts: Attempts, wake: Callable[[], None]) -> None:
        self._attempts = attempts
        self._wake = wake
        self._running: dict[asyncio.Task[None], StepCall] = {}
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
        task = begin_guarded(self._run(state, visit, expired=expired), asyncio.get_running_loop())
        self._running[task] = StepCall(task)

    def take(self) -> list[tuple[str, AttemptResult]]:
        """Return what has come out since the last call; raises a fault of our own code."""
        if self._fault is not None:
            raise self._fault
        taken = list(self._results)
        self._results.clear()
        return taken

    async def stop(self) -> None:
        """Stop what runs and wait for it to clean up, for a bounded time; results are kept."""
        running, self._running = self._running, {}
        for calling in running.values():
            calling.stop()
        if running:
            await asyncio.wait(running, timeout=STOP_GRACE_SECONDS + _LEAVING_SECONDS)

    async def _run(self, state: State, visit: Visit, *, expired: bool) -> None:
        task = asyncio.current_task()
        assert task is not None, "launched as one"
        try:
            run = self._attempts.expired if expired else self._attempts.run
            calling = self._running.get(task)
            if calling is None:
                return  # Stopped before it began.
            result = await run(state, visit, calling)
            if task in self._running:  # Otherwise it was stopped, and its result is not wanted.
                self._results.append((visit.step.id, result))
        except StepStopped:
            return
        except Exception as fault:
            # Ours: the step's own exceptions are results. The loop must not wait for ever.
            self._fault = fault
        finally:
            self._running.pop(task, None)
            self._wake()
