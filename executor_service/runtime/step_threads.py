"""Threads for plain `def` steps: as many as may run at once, and one in place of each left behind.

A thread can't be stopped. One whose step took too long, or was cancelled, is left behind, and
another takes its place, up to a bound. They are daemons and nobody joins them at exit: what runs in
one that was left behind holds no stop.
"""

import functools
import os
import threading
from collections import deque
from collections.abc import Callable
from typing import Final

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
        """Call `work`, which raises nothing, in a thread as soon as one is free."""
        job = Job(work)
        with self._changed:
            self._jobs.append(job)
            self._staff()
        return job

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
            self._threads += 1
            threading.Thread(target=self._work, name="steplog-step", daemon=True).start()
        elif self._idle:
            self._changed.notify()

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


@functools.cache
def step_threads() -> StepThreads:
    """Return the threads of this process."""
    return StepThreads()


# A child has none of its parent's threads.
os.register_at_fork(after_in_child=step_threads.cache_clear)
