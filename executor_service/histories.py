"""One execution's recorded events, read back from its partition."""

from executor_service.errors import CommandNotApplicable
from executor_service.event_log import EventLog
from executor_service.recovery import PartitionFold, RecoveredExecution


class Histories:
    """Reads whole histories of ended executions; nothing of them is kept.

    The partition is read from its beginning, since only the log knows where an execution began.
    It costs what the partition holds, and is done only for a command that names an ended execution.
    """

    def __init__(self, log: EventLog, partition: int) -> None:
        self._log = log
        self._partition = partition

    async def read(self, execution_id: str) -> RecoveredExecution:
        """Return the execution's history.

        Raises:
            CommandNotApplicable: `unknown_execution`, or one that can't be read whole.
        """
        subject = ("ce_subject", execution_id.encode())
        fold = PartitionFold(None)
        end = await self._log.end_offset(self._partition)
        async for logged in self._log.read(self._partition, 0, end):
            fold.feed_if(logged, subject)
        found = fold.recovered.executions.get(execution_id)
        if found is None or found.broken:
            raise CommandNotApplicable(
                "unknown_execution",
                f"No whole history of execution {execution_id} is in this partition; check the id.",
            )
        return found
