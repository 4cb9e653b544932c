"""Calling a step's code: on the event loop or in a thread, held to its time and to a stop.

Code that swallows its cancellation, or awaits something that does, is left when its grace is over:
in the execution's own task as in a task of the step's own, on the event loop as in a thread.
"""

import asyncio
import contextvars
import functools
import inspect
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final, NamedTuple

from executor_service.engine.plan import StepPlan
from executor_service.engine.user_code import (
    Raised,
    call,
    end_forked_child,
    forks,
)
from executor_service.errors import StepSilent, StepTimedOut
from executor_service.runtime.coroutine_driver import NOTHING, Left, driven
from executor_service.runtime.guarded_loop import Guarded, shed
from executor_service.runtime.step_threads import step_threads, tell

# How long a step that was cancelled, or has used up its time, may clean up before it is left.
STOP_GRACE_SECONDS: Final = 5.0


class StepStopped(Exception):
    """The attempt was stopped by its execution; what it did or raised is not wanted."""


class Suspended(NamedTuple):
    """A step's coroutine that has begun and waits for something."""

    code: Coroutine[Any, Any, Any]
    waits_for: Any


class StepCall:
    """The calls of steps in one task, one after another; stopped from elsewhere by `stop`."""

    # Set in the class: most calls end without ever waiting, and there is one for each branch.
    stopped = False
    _expired = False
    _hurried = _left = False
    _interrupted = False  # CancelledError is still to be thrown into the code.
    _gate: asyncio.Future[None] | None = None  # What the task waits for.
    _waits_for: asyncio.Future[Any] | None = None  # What the code waits for.
    _limit: float | None = None
    _silence: float | None = None  # How long it may say nothing, in seconds.
    _silent = False
    _heard_s = 0.0
    _step: StepPlan | None = None
    _timers: list[asyncio.TimerHandle] | None = None

    def __init__(self, task: Guarded) -> None:
        self.task = task

    def stop(self) -> None:
        """Cancel the code; it has a few seconds to clean up."""
        self.stopped = True
        self._interrupt()

    async def run(self, function: Callable[..., Any], step: StepPlan, *args: Any) -> Any:
        """Call a step's method within the step's `timeout_seconds`, if it has any.

        A plain method runs in a thread, and its time begins when a thread has begun it. A thread
        can't be stopped: one that takes too long is left behind, and what it returns is dropped.

        Raises:
            Raised: what it raised; StepTimedOut if it took too long.
            StepStopped: `stop` was called.
            CancelledError: the task was cancelled by whoever began it.
        """
        self._step, self._limit = step, step.timeout_seconds
        if not is_async(function):
            return await self.hold(self._threaded(function, args))
        self.begun()
        return await self.hold(call(function, *args))

    async def hold(self, code: Coroutine[Any, Any, Any], waits_for: Any = NOTHING) -> Any:
        """Run a coroutine that an order to stop, or the limit, may end; raises as `run` does.

        `waits_for` is what it waits for if it has begun.
        """
        if self.stopped:
            code.close()
            raise StepStopped
        self.task.running = self
        failure: Exception | None = None
        result = None
        try:
            result = await driven(code, self, waits_for)
        except (Raised, Left) as error:
            failure = error
        finally:
            self.task.running = None
            if self._timers is not None:
                self._cancel_timers()
        await self.settle()
        if self.stopped:
            raise StepStopped
        if self._expired:
            silent, self._expired, self._silent = self._silent, False, False
            cause = failure.error if isinstance(failure, Raised) else None
            raise _timed_out(self._step, cause, silent=silent)
        if failure is not None:
            raise failure
        return result

    async def settle(self) -> None:
        """Take back what the code did to its task.

        Raises:
            CancelledError: whoever began the task has cancelled it.
        """
        if self.task.cancelled_from_inside:
            await shed(self.task)
        if self.task.cancelled_from_outside:
            raise asyncio.CancelledError

    def begun(self) -> None:
        """The code begins now, so its time does."""
        if self._limit is not None:
            self._later(self._limit, self._expire)
        if self._silence is not None:
            self.heard()
            self._later(self._silence, self._listen)

    def listen(self, silence_seconds: float | None) -> None:
        """Hold the next call to saying something, by `heard`, before so much time has passed."""
        self._silence = silence_seconds

    def heard(self) -> None:
        """The code says that it is alive, from whatever thread."""
        self._heard_s = time.monotonic()

    def _listen(self) -> None:
        if self._silence is None or self._expired:
            return
        left_s = self._heard_s + self._silence - time.monotonic()
        if left_s > 0:
            self._later(left_s, self._listen)
        else:
            self._silent = True
            self._expire()

    def waits(self, gate: asyncio.Future[None] | None, waits_for: asyncio.Future[Any]) -> None:
        """Know what the code waits for now."""
        self._gate, self._waits_for = gate, waits_for

    def after_wait(self) -> BaseException | None:
        """Return what to throw into the code as it runs on, if anything.

        Raises:
            Left: its grace is over.
        """
        self._gate = self._waits_for = None
        if self._left:
            raise Left
        if self._interrupted:
            self._interrupted = False
            return asyncio.CancelledError()
        return None

    def hurry(self) -> None:
        """Leave the code when its grace is over: its task was cancelled."""
        if not self._hurried:
            self._hurried = True
            self._later(STOP_GRACE_SECONDS, self._leave)

    def _later(self, seconds: float, what: Callable[[], None]) -> None:
        if self._timers is None:
            self._timers = []
        self._timers.append(asyncio.get_running_loop().call_later(seconds, what))

    def _cancel_timers(self) -> None:
        for timer in self._timers or ():
            timer.cancel()
        self._timers = self._limit = self._silence = None
        self._hurried = self._left = self._interrupted = False

    def _expire(self) -> None:
        self._expired = True
        self._interrupt()

    def _interrupt(self) -> None:
        if self._waits_for is None or not self._waits_for.cancel():
            self._interrupted = True
        self.hurry()

    def _leave(self) -> None:
        self._left = True
        if self._gate is not None and not self._gate.done():
            self._gate.set_result(None)

    async def _threaded(self, function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[Any] = loop.create_future()
        context = contextvars.copy_context()
        timed = self._limit is not None or self._silence is not None

        def work() -> None:
            if timed:
                tell(loop, self.begun)
            tell(loop, _end, ended, context.run(_caught, function, args))

        job = step_threads().run(work)
        try:
            result = await ended
        except asyncio.CancelledError:
            step_threads().leave(job)
            raise
        if isinstance(result, Raised):
            raise result
        return await result if inspect.isawaitable(result) else result


def _caught(function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    before = forks()
    try:
        return call(function, *args)
    except Raised as error:
        return error
    finally:
        if before != forks():
            end_forked_child()


def _end(ended: asyncio.Future[Any], result: Any) -> None:
    if not ended.done():
        ended.set_result(result)


def _timed_out(step: StepPlan | None, cause: BaseException | None, *, silent: bool) -> Raised:
    assert step is not None, "only a step has a limit"
    if silent:
        timed_out: StepTimedOut = StepSilent(
            f"Nothing was heard of step '{step.id}' for {step.heartbeat_timeout_seconds:g} s; it "
            "is to call self.context.heartbeat() more often."
        )
    else:
        timed_out = StepTimedOut(f"Step '{step.id}' took longer than {step.timeout_seconds:g} s.")
    timed_out.__cause__ = cause
    return Raised(timed_out)


def is_async(function: Callable[..., Any]) -> bool:
    """Say whether a method is written with `async def`."""
    return _is_async(getattr(function, "__func__", function))


@functools.lru_cache(maxsize=4096)
def _is_async(function: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(function)
