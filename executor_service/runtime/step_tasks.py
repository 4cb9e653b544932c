"""Steps that run beside each other, each in a task of its own, and what came out of them."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

from executor_service.engine.state import State
from executor_service.engine.visit import Visit
from executor_service.runtime.attempt import Attempts
from executor_service.runtime.attempt_result import AttemptResult, Returned
from executor_service.runtime.guarded_loop import begin_guarded
from executor_service.runtime.step_invocation import STOP_GRACE_SECONDS, StepCall, StepStopped

# Beyond the grace of the steps themselves: what it takes to leave the last of them.
_LEAVING_SECONDS: Final = 1.0


class StepTasks:
    """Starts steps, collects their results in the order they came, stops them."""

    def __init__(self, attempts: Attempts, wake: Callable[[], None]) -> None:
        self._attempts = attempts
        self._wake = wake
        # Steps that run; asked for at every step.
        self.running: dict[asyncio.Task[None], StepCall] = {}
        self._by_step: dict[str, asyncio.Task[None]] = {}
        self._leaving: set[asyncio.Task[None]] = set()  # Stopped, and still cleaning up.
        self._results: deque[tuple[str, AttemptResult]] = deque()
        self._fault: Exception | None = None

    @property
    def is_busy(self) -> bool:
        """Whether `stop` would wait for something."""
        return bool(self.running or self._leaving)

    @property
    def has_results(self) -> bool:
        """Whether something waits to be taken."""
        return bool(self._results) or self._fault is not None

    def launch(self, state: State, visit: Visit, *, expired: bool) -> None:
        """Run an attempt, or what answers for an expired wait, in a task."""
        task = begin_guarded(self._run(state, visit, expired=expired), asyncio.get_running_loop())
        self.running[task] = StepCall(task)
        self._by_step[visit.step.id] = task

    def take(self) -> list[tuple[str, AttemptResult]]:
        """Return what has come out since the last call; raises a fault of our own code."""
        if self._fault is not None:
            raise self._fault
        taken = list(self._results)
        self._results.clear()
        return taken

    def stop_these(self, step_ids: list[str]) -> None:
        """Stop steps without waiting for them, and clear the list; that they ended is on record, so
        a result that was not taken is dropped."""
        for step_id in step_ids:
            self._stop_one(step_id)
            self._attempts.forget(step_id, for_good=False)
        step_ids.clear()

    def _stop_one(self, step_id: str) -> None:
        self._results = deque(found for found in self._results if found[0] != step_id)
        task = self._by_step.pop(step_id, None)
        calling = None if task is None else self.running.pop(task, None)
        if task is not None and calling is not None:
            calling.stop()
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)

    async def stop(self) -> None:
        """Stop what runs and wait for it to clean up, for a bounded time; results are kept."""
        running, self.running = self.running, {}
        for calling in running.values():
            calling.stop()
        waited_for = running.keys() | self._leaving
        if waited_for:
            await asyncio.wait(waited_for, timeout=STOP_GRACE_SECONDS + _LEAVING_SECONDS)

    async def _run(self, state: State, visit: Visit, *, expired: bool) -> None:
        task = asyncio.current_task()
        assert task is not None, "launched as one"
        try:
            calling = self.running.get(task)
            if calling is None:
                return  # Stopped before it began.
            result: AttemptResult
            if expired:
                result = await self._attempts.expired(state, visit, calling)
            else:
                begun = self._attempts.begin(state, visit, calling)
                result = begun if type(begun) is Returned else await begun  # type: ignore[misc]
            if task in self.running:  # Otherwise it was stopped, and its result is not wanted.
                self._results.append((visit.step.id, result))
        except StepStopped:
            return
        except Exception as fault:
            # Ours: the step's own exceptions are results. The loop must not wait for ever.
            self._fault = fault
        finally:
            self.running.pop(task, None)
            self._wake()
