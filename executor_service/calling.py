"""Calling a step's code: on the event loop or in a thread, within its time."""

import asyncio
import contextvars
import functools
import inspect
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

from executor_service.engine.plan import StepPlan
from executor_service.errors import StepTimedOut

# Plain `def run` steps that run at once in this process; further ones wait for a thread.
MAX_STEP_THREADS: Final = 64


async def called(function: Callable[..., Any], step: StepPlan, *args: Any) -> Any:
    """Call a step's method within the step's `timeout_seconds`, if it has any.

    A plain method runs in a thread. A thread can't be stopped: one that takes too long is left
    behind, and what it returns in the end is dropped.

    Raises:
        StepTimedOut: it took too long; anything else it raises is its own.
    """
    if step.timeout_seconds is None:
        return await _called_for_long(function, *args)
    try:
        async with asyncio.timeout(step.timeout_seconds) as limit:
            result = await _called_for_long(function, *args)
    except TimeoutError as error:
        if not limit.expired():
            raise
        raise _timed_out(step) from error
    if limit.expired():
        raise _timed_out(step)
    return result


def _timed_out(step: StepPlan) -> StepTimedOut:
    return StepTimedOut(f"Step '{step.id}' took longer than {step.timeout_seconds:g} s.")


async def _called_for_long(function: Callable[..., Any], *args: Any) -> Any:
    if is_async(function):
        return await function(*args)
    loop = asyncio.get_running_loop()
    context = contextvars.copy_context()
    result = await loop.run_in_executor(_threads(), context.run, _threaded, function, args)
    if isinstance(result, _Stopped):
        raise result.error
    return await result if inspect.isawaitable(result) else result


@dataclass(slots=True)
class _Stopped:
    error: BaseException


def _threaded(function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    try:
        return function(*args)
    except (StopIteration, SystemExit) as error:
        # A future can't carry the one, and the other would end the thread pool's worker.
        return _Stopped(RuntimeError(f"The step raised {type(error).__name__}: {error}."))


def is_async(function: Callable[..., Any]) -> bool:
    """Say whether a method is written with `async def`."""
    return _is_async(getattr(function, "__func__", function))


@functools.lru_cache(maxsize=4096)
def _is_async(function: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(function)


@functools.cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(MAX_STEP_THREADS, thread_name_prefix="steplog-step")
