"""Names the step that blocks the event loop, while it does.

An async step that computes or sleeps without awaiting stops every other execution of the process.
A thread looks on: when the loop has not answered for a while, it reads the loop thread's stack for
the step that is running and says so in the log, once for each time it happens.
"""

import asyncio
import sys
import threading
import time
from types import FrameType

import structlog

from executor_service.steps.step import Step

BLOCKED_AFTER_S = 1.0
LOOK_EVERY_S = 0.25

_log = structlog.get_logger(__name__)


class EventLoopMonitor:
    """Watches one event loop from a thread of its own; use as a context manager inside it."""

    def __init__(
        self, blocked_after_s: float = BLOCKED_AFTER_S, look_every_s: float = LOOK_EVERY_S
    ) -> None:
        self._blocked_after_s = blocked_after_s
        self._look_every_s = look_every_s
        self._loop = asyncio.get_running_loop()
        self._loop_thread = threading.get_ident()
        self._answered = self._asked = time.monotonic()
        self.lag_s = 0.0  # How late it answered last, or has not answered yet.
        self._told = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._look_on, name="loop-watch", daemon=True)

    def __enter__(self) -> "EventLoopMonitor":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _look_on(self) -> None:
        while not self._stopping.wait(self._look_every_s):
            now_s = time.monotonic()
            silent_s = now_s - self._answered
            if silent_s > self._blocked_after_s:
                self._tell(silent_s)
            else:
                self._told = False
            if self._answered >= self._asked:
                self._asked = now_s
                self._loop.call_soon_threadsafe(self._answer)
            else:
                self.lag_s = now_s - self._asked

    def _answer(self) -> None:
        self._answered = time.monotonic()
        self.lag_s = self._answered - self._asked

    def _tell(self, silent_s: float) -> None:
        if self._told:
            return
        self._told = True
        step = running_step(sys._current_frames().get(self._loop_thread))
        _log.warning(
            "event_loop_blocked",
            for_s=round(silent_s, 1),
            step=step.name if step else None,
            execution=step.context.execution_id if step else None,
            remedy="make the step a plain `def run`, or await what takes long",
        )


def running_step(frame: FrameType | None) -> Step | None:
    """Return the step whose method is on a stack, the innermost first."""
    while frame is not None:
        owner = frame.f_locals.get("self")
        if isinstance(owner, Step):
            return owner
        frame = frame.f_back
    return None
