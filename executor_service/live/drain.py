"""How executions come to rest: for good when the process stops, briefly when partitions move."""

import asyncio
from collections.abc import Collection, Sequence
from typing import Final

from executor_service.live.live_execution import LiveExecution
from executor_service.log.writer import PartitionWriter

REST_POLL_S = 0.01
# For steps that run, to end after they were cancelled.
DROP_TIMEOUT_S: Final = 1.0


async def drain(executions: Collection[LiveExecution], grace_s: float) -> None:
    """Let running steps finish and be recorded; nothing new starts."""
    for live in executions:
        live.recorder.drain()
    running = [live.task for live in executions if live.task is not None]
    if running:
        await asyncio.wait(running, timeout=grace_s)


async def drop(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancel what is not wanted any more, recording nothing."""
    for task in tasks:
        task.cancel()
    if tasks:
        # A step that won't end is left a little later, by its own task.
        await asyncio.wait(tasks, timeout=DROP_TIMEOUT_S)


async def quiesce(
    executions: Collection[LiveExecution], writer: PartitionWriter, grace_s: float
) -> None:
    """Return once no step runs and what they did is recorded, or the grace is over.

    The writer's gate is held, so a step that ends is followed by no other.
    """
    try:
        async with asyncio.timeout(grace_s):
            # Asked a few times in a rebalance; a hook at the end of steps would cost every step.
            while any(live.execution.runs_steps for live in executions):  # noqa: ASYNC110
                await asyncio.sleep(REST_POLL_S)
            # Its execution's turn to hand the result to the writer.
            await asyncio.sleep(REST_POLL_S)
            await writer.settle()
    except TimeoutError:
        return  # What still runs is run again by the next owner, if there is one.
