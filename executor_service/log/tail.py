"""What a new owner reads of its partition: the snapshots of parked executions, and the tail."""

from collections.abc import Mapping, Sequence

import structlog

from executor_service.log.recovery import PartitionFold
from executor_service.log.snapshots import ParkedFold, Snapshot, SnapshotStore
from executor_service.log.truncated_log import MAX_NAMED
from executor_service.ports.event_log import EventLog
from executor_service.ports.resume_point import ResumePoint

_log = structlog.get_logger(__name__)


async def read_snapshots(log: EventLog, partition: int, epoch: int) -> dict[str, Snapshot]:
    """Return the snapshots of executions that were parked when the claim at `epoch` was made."""
    fold = ParkedFold()
    async for logged in log.read(partition, 0, epoch + 1):
        fold.feed(logged)
    return fold.parked


async def fold_tail(
    log: EventLog, partition: int, point: ResumePoint, epoch: int, parked: Mapping[str, Snapshot]
) -> PartitionFold:
    """Fold the events from a resume point to the claim at `epoch`."""
    fold = PartitionFold(point.epoch, parked, keep_ended=False)
    expected = point.read_from
    async for logged in log.read(partition, point.read_from, epoch + 1):
        if logged.offset > max(expected, point.mark):
            fold.miss(logged.offset)
        expected = logged.offset + 1
        fold.feed(logged)
    return fold


async def drop_unfounded(
    snapshots: SnapshotStore, execution_ids: Sequence[str], partition: int
) -> None:
    """Take back snapshots that hold events the log does not have, and say so."""
    for execution_id in execution_ids:
        await snapshots.clear(execution_id)
    if execution_ids:
        _log.error(
            "snapshots_dropped",
            partition=partition,
            executions=execution_ids[:MAX_NAMED],
            count=len(execution_ids),
            reason="they hold events that the log does not have",
        )
