"""Whether a task was cancelled, or code that ran in it raised that error itself."""

import asyncio


def is_own_end(error: BaseException) -> bool:
    """Say whether this is the running task's being cancelled, and no exception that code raised."""
    task = asyncio.current_task()
    is_cancel = isinstance(error, asyncio.CancelledError)
    return is_cancel and task is not None and task.cancelling() > 0
