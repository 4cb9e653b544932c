"""Keeps recovery short beside executions that run for long.

Recovery reads a partition from its mark, and the mark can't pass what an unfinished execution has
recorded. One step that takes an hour would have a new owner read an hour's events of everybody. So
an execution whose events lie far behind is set down on the parked topic while it runs on: what it
recorded is in its snapshot then, and the mark passes it. The snapshot wants to be woken at once, so
a new owner goes on with it as with any unfinished execution.
"""

import asyncio
from collections.abc import Collection

from executor_service.live.live_execution import LiveExecution, write_snapshot
from executor_service.live.partition_context import PartitionContext

# How far behind an execution may keep the mark: read in 50 ms.
MAX_BEHIND_EVENTS = 5_000
# Snapshots written in one go; the rest has its turn a second later.
MAX_AT_ONCE = 200


class Checkpointer:
    """Sets down what runs for long, for one partition under one claim."""

    def __init__(self, context: PartitionContext) -> None:
        self._writer = context.writer
        self._mark = context.mark
        self._snapshots = context.snapshots
        self._clock = context.executor.clock

    async def write_snapshot(self, executions: Collection[LiveExecution]) -> None:
        """Return once what lies too far behind is set down; what is just recording waits.

        Raises:
            RecordingLost: another executor owns the partition.
        """
        oldest = self._writer.next_offset - MAX_BEHIND_EVENTS
        late = [live for live in executions if live.since < oldest and live.at_rest]
        await asyncio.gather(*(self._checkpoint(live) for live in late[:MAX_AT_ONCE]))

    async def _checkpoint(self, live: LiveExecution) -> None:
        # Nothing of it is under way: all it will record stands here or after it.
        here, commands = self._writer.next_offset, list(live.commands)
        known = self._snapshots.parked.get(live.execution_id)
        if (known is None or known.seq != live.recorder.seq) and not await write_snapshot(
            live, self._snapshots, self._clock.now()
        ):
            live.since = here  # Too long for a snapshot: asked again much later.
            return
        if live.gone:
            return
        live.since = here
        self._mark.move(live.execution_id, here)
        for offset in commands:
            self._mark.done(offset)
            live.commands.remove(offset)
