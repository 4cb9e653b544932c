"""What is done where retention removed events that were still needed: it is said, and it ends.

An execution whose first events are gone can't be gone on with. It is recorded as failed, behind the
events of it that are left, so that whoever asks for it learns why and nothing waits for it.
"""

import structlog

from executor_service.log.recovery import Headless, RecoveredPartition
from executor_service.log.writer import PartitionWriter
from executor_service.writer_identity import WriterIdentity
from steplog_contracts.encoder import ExecutionEncoder
from steplog_contracts.envelope import Record, format_time
from steplog_contracts.events import ErrorInfo, ExecutionFailed

# Named in one line of the log; each is recorded as failed in any case.
MAX_NAMED = 20
HISTORY_REMOVED = "HistoryRemoved"

_log = structlog.get_logger(__name__)


async def end_headless(
    recovered: RecoveredPartition, writer: PartitionWriter, identity: WriterIdentity, partition: int
) -> None:
    """Record the end of every unfinished execution whose beginning was removed.

    Raises:
        RecordingLost: another executor owns the partition.
    """
    if recovered.removed_until is None:
        return
    unfinished = [one for one in recovered.headless.values() if not one.ended]
    _log.error(
        "history_removed",
        partition=partition,
        up_to_offset=recovered.removed_until,
        executions=[one.execution_id for one in unfinished[:MAX_NAMED]],
        commands=[one.command_id for one in unfinished[:MAX_NAMED]],
        count=len(unfinished),
        remedy="set retention.ms of the events topic to -1; run these pipelines again",
    )
    message = (
        f"Events below offset {recovered.removed_until} were removed from the log while this "
        "execution ran; run its pipeline again."
    )
    failed = ExecutionFailed(error=ErrorInfo(type=HISTORY_REMOVED, message=message))
    for one in unfinished:
        await writer.append([_record(one, failed, writer, identity)])


def _record(
    one: Headless, failed: ExecutionFailed, writer: PartitionWriter, identity: WriterIdentity
) -> Record:
    encoder = ExecutionEncoder(
        one.execution_id,
        source=identity.source,
        correlation_id=one.command_id,
        writer_epoch=writer.epoch,
    )
    time = format_time(identity.clock.now()).encode()
    return encoder.encode(failed, seq=one.seq + 1, time=time)
