"""An execution looked at again and again while it runs."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from contracts.records import FINAL_EXECUTION_STATUSES, ExecutionRecord, StepRecord
from steplog.read_api import ReadApi

LOOK_AGAIN_S = 0.2


@dataclass(frozen=True, slots=True)
class Glimpse:
    """An execution and its steps at one moment."""

    execution: ExecutionRecord
    steps: tuple[StepRecord, ...]

    @property
    def ended(self) -> bool:
        """Whether nothing will change any more."""
        return self.execution.status in FINAL_EXECUTION_STATUSES


async def glimpses(
    read: ReadApi, execution_id: str, look_again_s: float = LOOK_AGAIN_S
) -> AsyncIterator[Glimpse]:
    """Yield what is new, the last time when the execution has ended.

    Raises:
        NotFound: there is no such execution.
    """
    before: Glimpse | None = None
    while True:
        execution = await read.execution(execution_id)
        now = Glimpse(execution, await read.steps(execution_id))
        if now != before:
            yield now
        if now.ended:
            return
        before = now
        await asyncio.sleep(look_again_s)
