"""Driving a coroutine of users' code as its task would, and leaving it where it won't end.

A coroutine that is awaited holds its task for as long as it likes. One that is driven is waited for
at a gate of ours: its task runs on when the gate is opened, whatever the code still waits for.
"""

import asyncio
import functools
import types
from collections.abc import Coroutine, Generator
from typing import Any, Final, Protocol

from executor_service.engine.user_code import (
    RUNNING,
    Raised,
    call,
    end_forked_child,
    forks,
    raised,
)
from executor_service.runtime.guarded_loop import Guarded

NOTHING: Final = object()


class Left(Exception):
    """The code was left where it stood."""


class Driven(Protocol):
    """What a drive asks, and tells what the code waits for."""

    task: Guarded

    def waits(self, gate: asyncio.Future[None] | None, waits_for: asyncio.Future[Any]) -> None:
        """Know what the task waits for, and what the code does."""

    def after_wait(self) -> BaseException | None:
        """Return what to throw into the code as it runs on, if anything; raises Left."""

    def hurry(self) -> None:
        """Leave the code when its grace is over: its task was cancelled."""


@types.coroutine
def driven(
    code: Coroutine[Any, Any, Any], call_of_step: Driven, waits_for: Any
) -> Generator[Any, Any, Any]:
    """Run a coroutine of users' code as the task would, until it ends or is left."""
    before = forks()
    thrown: BaseException | None = None
    while True:
        if waits_for is not NOTHING:
            try:
                thrown = yield from _waited(waits_for, call_of_step)
            except BaseException:
                _close(code)
                raise
        token = RUNNING.set(call_of_step)
        try:
            waits_for = code.send(None) if thrown is None else code.throw(thrown)
        except StopIteration as ended:
            return ended.value
        except Raised:
            raise
        except BaseException as error:
            raise raised(error, before) from None
        finally:
            RUNNING.reset(token)
            if before != forks():
                end_forked_child()


def _waited(waits_for: Any, call_of_step: Driven) -> Generator[Any, Any, BaseException | None]:
    """Wait for what the code waits for; return what is to be thrown into it, if anything."""
    if waits_for is None:
        try:
            yield
        except asyncio.CancelledError as cancelled:
            if call_of_step.task.cancelled_from_outside:
                call_of_step.hurry()
            return cancelled
        return call_of_step.after_wait()
    problem = _unfit(waits_for)
    if problem is not None:
        return RuntimeError(problem)
    waits_for._asyncio_future_blocking = False
    loop = asyncio.get_running_loop()
    while True:
        gate = loop.create_future()
        call_of_step.waits(gate, waits_for)
        opening = functools.partial(_open, gate)
        waits_for.add_done_callback(opening)
        try:
            yield from gate
        except asyncio.CancelledError as cancelled:
            waits_for.remove_done_callback(opening)
            if call_of_step.task.cancelled_from_outside:
                call_of_step.hurry()
            if not waits_for.cancel(*cancelled.args):
                return cancelled
        else:
            return call_of_step.after_wait()


def _unfit(waits_for: Any) -> str | None:
    """Return why the code can't wait for what it awaits, as a task would say it."""
    if getattr(waits_for, "_asyncio_future_blocking", None) is not True:
        return f"The step awaits an object of {type(waits_for).__name__}, which is no future."
    if waits_for.get_loop() is not asyncio.get_running_loop():
        return "The step awaits a future of another event loop."
    return "The step's task awaits itself." if waits_for is asyncio.current_task() else None


def _open(gate: asyncio.Future[None], _: object) -> None:
    if not gate.done():
        gate.set_result(None)


def _close(code: Coroutine[Any, Any, Any]) -> None:
    """End code that is left; what it still does or raises is not wanted."""
    try:
        call(code.close)
    except Raised:
        return  # It went on over its own end: nobody drives it any more.
