"""Executions that ended under a former owner, which may not have been done with them."""

import asyncio

from executor_service.errors import RecordingLost
from executor_service.live.child_commands import ChildCommands, NotTold, owes_its_end
from executor_service.live.partition_context import PartitionContext
from executor_service.log.recovery import RecoveredExecution


class FormerEnds:
    """Tells parents of such ends, and removes the snapshots; the mark waits for that."""

    def __init__(self, context: PartitionContext, children: ChildCommands) -> None:
        self._mark = context.mark
        self._snapshots = context.snapshots
        self._children = children
        self.tasks: set[asyncio.Task[None]] = set()

    def finish(self, execution: RecoveredExecution) -> None:
        """Begin what is left to do of an execution that has ended, if anything is."""
        owes = owes_its_end(execution)
        if owes:
            self._mark.hold(execution.execution_id, execution.first_offset)
        if owes or execution.execution_id in self._snapshots:
            self.tasks.add(asyncio.create_task(self._finish(execution)))

    async def _finish(self, execution: RecoveredExecution) -> None:
        try:
            await self._children.tell_again(execution)
            await self._snapshots.clear(execution.execution_id)
        except (NotTold, RecordingLost):
            return  # The next owner does it.
        self._mark.release(execution.execution_id)
