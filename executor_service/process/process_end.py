"""How a process that runs steps ends: at once, whatever the steps left behind, its exit code kept.

Python waits at its end for threads that asyncio's own pool or a step began, and asyncio for tasks
that swallow their cancellation. What is to be kept is in the log by then, so nobody waits here.
"""

import asyncio
import logging
import os
import sys
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Final, NoReturn, TypeVar

import structlog

from executor_service.runtime.step_threads import step_threads

# For tasks that are left when the program's own has ended.
LAST_TASKS_TIMEOUT_S: Final = 1.0

_programs: list[str] = []  # That ran here.

ResultT = TypeVar("ResultT")
_log = structlog.get_logger(__name__)


def run_to_end(
    main: Coroutine[Any, Any, ResultT],
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> ResultT:
    """Run a program's coroutine as `asyncio.run` does; `leave` is to follow.

    An exit out of a callback that a step left on the loop does not end the program.
    """
    _programs.append(repr(main))
    runner = asyncio.Runner(loop_factory=loop_factory)
    loop = runner.get_loop()
    task = loop.create_task(main)
    try:
        while True:
            try:
                return runner.run(_result_of(task))
            except SystemExit as error:
                if task.done():
                    raise
                _log.error("exit_ignored", code=error.code, reason="A step's callback called it.")
    finally:
        _end_tasks(loop)


def ran_steps() -> bool:
    """Say whether a program that may run steps ran in this process."""
    return bool(_programs)


async def _result_of(task: asyncio.Task[ResultT]) -> ResultT:
    return await task


def _end_tasks(loop: asyncio.AbstractEventLoop) -> None:
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    if left:
        loop.run_until_complete(asyncio.wait(left, timeout=LAST_TASKS_TIMEOUT_S))
    loop.run_until_complete(loop.shutdown_asyncgens())


def leave(code: int | str | None) -> NoReturn:
    """End the process with an exit code, as `sys.exit` does; threads that still run hold nothing
    up."""
    others = [t for t in threading.enumerate() if t is not threading.current_thread()]
    if not step_threads().busy and all(thread.daemon for thread in others):
        sys.exit(code)
    if isinstance(code, str):
        print(code, file=sys.stderr)  # noqa: T201 - as sys.exit does
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))
