"""Threads for plain `def` steps: as many as may run at once, and one in place of each left behind.

A thread can't be stopped. One whose step took too long, or was cancelled, is left behind, and
another takes its place, up to a bound. They are daemons and nobody joins them at exit: what runs in
one that was left behind holds no stop.
"""

import asyncio
import functools
import os
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Final

import structlog

# Plain `def run` steps that run at once in this process; further ones wait for a thread.
MAX_STEP_THREADS: Final = 64
# Threads left behind that are replaced; beyond that fewer steps run at once.
MAX_THREADS_LEFT_BEHIND: Final = 512

_log = structlog.get_logger(__name__)


class Job:
    """One call in a thread: it waits, then it runs, and at any time nobody may want it any more."""

    __slots__ = ("begun", "dropped", "work")

    def __init__(self, work: Callable[[], None]) -> None:
        self.work = work
        self.begun = False
        self.dropped = False


class StepThreads:
    """A pool of daemon threads that grows by one for each thread left behind."""

    def __init__(
        self, at_once: int = MAX_STEP_THREADS, left_behind: int = MAX_THREADS_LEFT_BEHIND
    ) -> None:
        self._at_once = at_once
        self._most_left = left_behind
        self._jobs: deque[Job] = deque()
        self._changed = threading.Condition()
        self._threads = 0
        self._idle = 0
        self._left = 0
        self._said = False

    @property
    def exhausted(self) -> bool:
        """Whether more threads are left behind than are replaced."""
        return self._left > self._most_left

    @property
    def busy(self) -> bool:
        """Whether any call has not returned."""
        with self._changed:
            return self._threads > self._idle

    def run(self, work: Callable[[], None]) -> Job:
        """Call `work`, which raises nothing, in a thread as soon as one is free.

        Raises:
            RuntimeError: there is no thread, and none can be begun.
        """
        job = Job(work)
        with self._changed:
            self._jobs.append(job)
            self._staff()
            if not self._threads:
                self._jobs.remove(job)
                raise RuntimeError("The system lets this process begin no thread for the step.")
        return job

    def future_of(
        self, loop: asyncio.AbstractEventLoop, function: Callable[..., Any], args: tuple[Any, ...]
    ) -> asyncio.Future[Any]:
        """Call a function in a thread; one whose future is cancelled is forgotten or left."""
        future: asyncio.Future[Any] = loop.create_future()

        def work() -> None:
            try:
                give, outcome = future.set_result, function(*args)
            except BaseException as error:
                # No future takes a StopIteration: it would end whatever awaits it.
                is_stop = issubclass(type(error), StopIteration)
                give, outcome = future.set_exception, RuntimeError(error) if is_stop else error
            tell(loop, _settle, future, give, outcome)

        job = self.run(work)
        future.add_done_callback(lambda ended: self.leave(job) if ended.cancelled() else None)
        return future

    def leave(self, job: Job) -> None:
        """Forget a call: one that waits is never made, one that runs is left behind."""
        with self._changed:
            if job.dropped:
                return
            job.dropped = True
            if not job.begun:
                return
            self._left += 1
            exhausted = self.exhausted and not self._said
            self._said = self._said or exhausted
            self._staff()
        if exhausted:
            _log.error(
                "step_threads_exhausted",
                left_behind=self._left,
                remedy="restart this process; plain steps that never return hold its threads",
            )

    def _staff(self) -> None:
        """Begin a thread, or wake one, where a call waits that may run now."""
        working = self._threads - min(self._left, self._most_left)
        if self._idle >= len(self._jobs):
            self._changed.notify()
        elif self._jobs and working < self._at_once:
            self._begin()
        elif self._idle:
            self._changed.notify()

    def _begin(self) -> None:
        try:
            threading.Thread(target=self._work, name="steplog-step", daemon=True).start()
        except RuntimeError as error:  # Users' code may have begun all that the system allows.
            _log.error("step_thread_not_begun", error=str(error), threads=self._threads)
        else:
            self._threads += 1

    def _work(self) -> None:
        while True:
            job = self._next()
            if job is None:
                return
            job.work()
            with self._changed:
                if job.dropped:
                    self._left -= 1
                    self._said = self._said and self.exhausted
                job.begun = False

    def _next(self) -> Job | None:
        """Return the next call; None where this thread's place is taken."""
        with self._changed:
            while True:
                if self._threads - min(self._left, self._most_left) > self._at_once:
                    self._threads -= 1
                    return None
                while self._jobs:
                    job = self._jobs.popleft()
                    if not job.dropped:
                        job.begun = True
                        return job
                self._idle += 1
                self._changed.wait()
                self._idle -= 1


def tell(loop: asyncio.AbstractEventLoop, function: Callable[..., Any], *args: Any) -> None:
    """Call a function on a loop, from a thread."""
    try:
        loop.call_soon_threadsafe(function, *args)
    except RuntimeError:
        return  # The loop is closed: the program ended while the thread was left behind.


def _settle(future: asyncio.Future[Any], give: Callable[[Any], None], outcome: Any) -> None:
    if not future.done():
        give(outcome)


@functools.cache
def step_threads() -> StepThreads:
    """Return the threads of this process."""
    return StepThreads()


# A child has none of its parent's threads.
os.register_at_fork(after_in_child=step_threads.cache_clear)
