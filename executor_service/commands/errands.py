"""What one partition's commands wait for in the background: the log, and values stored apart."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog

from executor_service.errors import RecordingLost
from executor_service.log.low_water_mark import LowWaterMark

# At once; beyond that a partition is not read.
MAX_ERRANDS = 1_000

_log = structlog.get_logger(__name__)


class Errands:
    """The background tasks of one partition's commands."""

    def __init__(self, partition: int, mark: LowWaterMark) -> None:
        self._partition = partition
        self._mark = mark
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def begin(
        self, offset: int, work: Coroutine[Any, Any, None], *, done: bool = True
    ) -> asyncio.Task[None]:
        """Do something that waits; with `done` the command needs no more work afterwards."""
        errand = asyncio.create_task(self._see_through(offset, work, done=done))
        self._tasks.add(errand)
        errand.add_done_callback(self._tasks.discard)
        return errand

    async def wait(self, at_most_s: float) -> None:
        """Return when all that was begun so far has ended, or time is up."""
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=at_most_s)

    def close(self) -> None:
        """Drop what is still being written; the commands come again."""
        for task in self._tasks:
            task.cancel()

    async def _see_through(
        self, offset: int, work: Coroutine[Any, Any, None], *, done: bool
    ) -> None:
        try:
            await work
        except RecordingLost:
            return  # The next owner is given the command again.
        except Exception:  # It could not even be refused: the next owner is given it again.
            _log.exception("command_unanswered", partition=self._partition, offset=offset)
            return
        if done:
            self._mark.done(offset)
