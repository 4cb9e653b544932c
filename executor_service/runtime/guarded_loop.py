"""An event loop that steps share and can't take down: tasks, `stop`, and exits out of tasks.

A step runs on the loop of everything else. What it may reach there is guarded: cancelling a task
that is not its own, stopping the loop, or setting how it makes tasks and handles errors raises in
the step; SystemExit and KeyboardInterrupt out of a task or a callback that it began, which would
end the loop, become an ordinary exception of that task or callback. What it has run in the default
executor runs in the threads of steps: one that hangs there neither starves others nor holds an end.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, TypeVar

from executor_service.engine.user_code import RUNNING, is_of_operator
from executor_service.runtime.step_threads import step_threads

# Whose tasks steps may not cancel: ours, and those of what we stand on.
_OWN_PACKAGES: Final = ("executor_service", "tracker_service", "steplog", "aiokafka", "uvicorn")

ResultT = TypeVar("ResultT")
# What a step can't do to the loop, by the method that does it.
_SHARED: Final = {
    "stop": "stop the event loop",
    "set_exception_handler": "set the event loop's exception handler",
    "set_task_factory": "set the event loop's task factory",
    "set_default_executor": "set the event loop's default executor",
    "shutdown_default_executor": "shut down the event loop's default executor",
    "shutdown_asyncgens": "shut down the event loop's generators",
    "add_signal_handler": "set a handler of signals",
    "remove_signal_handler": "remove a handler of signals",
}
# Methods that take a callback, and at which place.
_CALLBACKS: Final = {
    "call_soon": 0,
    "call_soon_threadsafe": 0,
    "call_later": 1,
    "call_at": 1,
    "add_reader": 1,
    "add_writer": 1,
}
# An attribute of loops that are guarded.
_MARK: Final = "steplog_guards_it"


class NotItsOwn(RuntimeError):
    """A step reached for something that other executions stand on."""


class TaskExited(RuntimeError):
    """A task that a step began raised what would have ended the event loop; `raised` is that."""

    def __init__(self, raised: BaseException) -> None:
        super().__init__(f"A task or callback of a step raised {type(raised).__name__}.")
        self.raised = raised


def itself(error: BaseException) -> BaseException:
    """Return what a task of a step raised, where the loop was kept from it."""
    return error.raised if type(error) is TaskExited else error


class Guarded:
    """What is known of a task in which steps run: who cancels it, its owner or a step inside."""

    made_under: object | None = None  # The call of the step that began it, if one did.
    running: object | None = None  # The call of a step that runs in it now.
    cancelled_from_outside = False
    cancelled_from_inside = False

    def heed(self) -> None:
        """Take note of a cancel; raises NotItsOwn in a step that the task is not of."""
        by = RUNNING.get()
        if by is self.made_under:
            self.cancelled_from_outside = True
        elif self.running is not None and by is self.running:
            self.cancelled_from_inside = True
        else:
            raise NotItsOwn("A step may cancel only tasks that it began itself.")


class GuardedTask(Guarded, asyncio.Task[Any]):
    """A task of ours, guarded from its beginning."""

    def cancel(self, msg: Any | None = None) -> bool:
        """Cancel it, if that may be done from here."""
        self.heed()
        return super().cancel(msg)


def begin_guarded(
    coro: Coroutine[Any, Any, Any], loop: asyncio.AbstractEventLoop, **given: Any
) -> GuardedTask:
    """Run a coroutine of ours in a task that is guarded from its beginning."""
    task = GuardedTask(coro, loop=loop, **given)
    begun_by = RUNNING.get()
    if begun_by is not None:
        task.made_under = begun_by
    return task


class GuardedCancel(Guarded):
    """Takes the place of `cancel` of a task that users began, where steps run in it."""

    def __init__(self, task: asyncio.Task[Any]) -> None:
        self.made_under = RUNNING.get()
        self._cancel = task.cancel

    def __call__(self, msg: Any | None = None) -> bool:
        self.heed()
        return self._cancel(msg)


async def shed(guarded: Guarded) -> None:
    """Take back what a step did to the task it ran in.

    Raises:
        CancelledError: whoever began the task has cancelled it.
    """
    task = asyncio.current_task()
    assert task is not None, "a step runs in a task"
    guarded.cancelled_from_inside = False
    while task.cancelling() > guarded.cancelled_from_outside:
        task.uncancel()
    try:
        await asyncio.sleep(0)  # A cancel may still be on its way, if the step never waited.
    except asyncio.CancelledError:
        if guarded.cancelled_from_outside:
            raise


def run_guarded(
    work: Callable[..., Coroutine[Any, Any, ResultT]], *args: Any
) -> Awaitable[ResultT]:
    """Guard the running loop, and run there what steps run in: `work`, given its task and `args`.

    It runs in this task, where that is no step's already, else in a task of its own. A cancel of
    the caller's goes to it either way.
    """
    task = asyncio.current_task()
    cancel = None if task is None else task.cancel
    # A task whose cancel was replaced runs on a loop that is guarded already.
    guarded = cancel if type(cancel) is GuardedCancel else guard_loop()
    if RUNNING.get() is None and guarded is not None:
        guarded.cancelled_from_outside = guarded.cancelled_from_inside = False
        return work(guarded, *args)

    async def begun() -> ResultT:
        return await work(own, *args)

    own = begin_guarded(begun(), asyncio.get_running_loop())
    return own


def guard_loop() -> Guarded | None:
    """Guard the running loop, and the task that asks for it; return what guards that."""
    loop = asyncio.get_running_loop()
    if not hasattr(loop, _MARK):
        setattr(loop, _MARK, True)
        _guard_tasks(loop)
        for name in _SHARED:
            _refuse_in_steps(loop, name)
        for name, place in _CALLBACKS.items():
            _contain_callbacks(loop, name, place)
        _part_threads(loop)
    task = asyncio.current_task(loop)
    return None if task is None else _guarded_task(task)


def _guarded_task(task: asyncio.Task[Any]) -> Guarded:
    if isinstance(task, GuardedTask):
        return task
    cancel = task.cancel
    if isinstance(cancel, GuardedCancel):
        return cancel
    guarded = GuardedCancel(task)
    task.cancel = guarded  # type: ignore[method-assign]
    return guarded


def _refuse_in_steps(loop: asyncio.AbstractEventLoop, name: str) -> None:
    """Let a method of the loop raise in steps, and do what it does elsewhere."""
    made_under, method = RUNNING.get(), getattr(loop, name)

    def guarded(*args: Any, **given: Any) -> Any:
        if RUNNING.get() is not made_under:
            raise NotItsOwn(f"A step can't {_SHARED[name]}: other executions run on it.")
        return method(*args, **given)

    setattr(loop, name, guarded)


def _contain_callbacks(loop: asyncio.AbstractEventLoop, name: str, place: int) -> None:
    """Keep the loop from exits out of callbacks that steps give to a method, at a place of its."""
    made_under, method = RUNNING.get(), getattr(loop, name)

    def guarded(*args: Any, **given: Any) -> Any:
        if RUNNING.get() is not made_under and len(args) > place:
            args = (*args[:place], _contained_call(args[place]), *args[place + 1 :])
        return method(*args, **given)

    setattr(loop, name, guarded)


def _part_threads(loop: asyncio.AbstractEventLoop) -> None:
    """Have what steps give to the default executor run in threads that can be left behind."""
    made_under, method = RUNNING.get(), loop.run_in_executor

    def guarded(executor: Any, function: Callable[..., Any], *args: Any) -> Any:
        if executor is None and RUNNING.get() is not made_under:
            return step_threads().future_of(loop, function, args)
        return method(executor, function, *args)

    loop.run_in_executor = guarded  # type: ignore[method-assign, assignment]


def _contained_call(callback: Callable[..., Any]) -> Callable[..., Any]:
    # What is ours or asyncio's own ends in a task, which is contained where a step began it.
    if isinstance(getattr(callback, "__self__", None), asyncio.Future):
        return callback

    def contained(*args: Any) -> Any:
        try:
            return callback(*args)
        except (SystemExit, KeyboardInterrupt) as error:
            if is_of_operator(error):
                raise
            raise TaskExited(error) from error

    return contained


def _guard_tasks(loop: asyncio.AbstractEventLoop) -> None:
    made_under, before = RUNNING.get(), loop.get_task_factory()

    def made(loop: asyncio.AbstractEventLoop, coro: Any, **given: Any) -> asyncio.Future[Any]:
        in_step = RUNNING.get() is not made_under
        if in_step:
            coro = _contained(coro)
        elif _is_own(coro):
            return begin_guarded(coro, loop, **given)
        return before(loop, coro, **given) if before else asyncio.Task(coro, loop=loop, **given)

    loop.set_task_factory(made)


async def _contained(coro: Coroutine[Any, Any, Any]) -> Any:
    try:
        return await coro
    except (SystemExit, KeyboardInterrupt) as error:
        if is_of_operator(error):
            raise
        raise TaskExited(error) from error


def _is_own(coro: Any) -> bool:
    code = getattr(coro, "cr_code", None)
    frame = getattr(coro, "cr_frame", None)
    if code is None or frame is None:
        return False
    module = frame.f_globals.get("__name__", "")
    return module.partition(".")[0] in _OWN_PACKAGES
