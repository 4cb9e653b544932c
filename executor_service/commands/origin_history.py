"""One execution's recorded events, read back from its partition."""

from executor_service.dedupe.seen_ids import SeenIds, execution_digest
from executor_service.errors import CommandNotApplicable
from executor_service.log.recovery import PartitionFold, RecoveredExecution
from executor_service.ports.event_log import EventLog
from steplog_contracts.refusal_codes import RefusalCode


class OriginHistoryReader:
    """Reads whole histories of executions; nothing of them is kept.

    The read begins where the execution is known to have begun and ends with its end, so it costs
    what the partition recorded in that time. What began before the dedupe window is looked for from
    the partition's beginning.
    """

    def __init__(self, log: EventLog, partition: int, seen: SeenIds) -> None:
        self._log = log
        self._partition = partition
        self._seen = seen

    async def read(self, execution_id: str) -> RecoveredExecution:
        """Return the execution's history.

        Raises:
            CommandNotApplicable: `unknown_execution`, or one that can't be read whole.
        """
        start = self._seen.search_offset(execution_digest(execution_id)) or 0
        found = await self._read_from(start, execution_id)
        if found is None and start:
            found = await self._read_from(0, execution_id)  # The hint was another id's.
        if found is None or found.broken:
            raise CommandNotApplicable(
                RefusalCode.UNKNOWN_EXECUTION,
                f"The log has no whole history of {execution_id}; look for it with steplog ls.",
            )
        return found

    async def _read_from(self, start: int, execution_id: str) -> RecoveredExecution | None:
        subject = ("ce_subject", execution_id.encode())
        fold = PartitionFold(self._seen.epoch_at(start))
        end = await self._log.end_offset(self._partition)
        async for logged in self._log.read(self._partition, start, end):
            fold.feed_if(logged, subject)
            if fold.has_ended(execution_id):
                break
        return fold.recovered.executions.get(execution_id)
