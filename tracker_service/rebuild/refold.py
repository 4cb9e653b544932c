"""Single executions folded again from their own stretch of the log."""

from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass

from steplog_contracts.partitioning import partition_of
from tracker_service.log.events_log import EventsLog, LogBounds
from tracker_service.log.execution_records import AFTER_END_RECORDS, Recorded, Stretch
from tracker_service.projections.batch_fold import BatchFold, FoldFactory
from tracker_service.projections.record_header import Heading
from tracker_service.projections.row_changes import Changes
from tracker_service.projections.state import EXECUTION_COMPLETED as COMPLETED
from tracker_service.projections.state import FINAL_STATUSES, ExecutionState
from tracker_service.rebuild.deferred_outcome import Decisions, DeferredRecord, mend
from tracker_service.store.postgres.shadow.replace import Place
from tracker_service.store.write_port import Position, RawRecord

# Records of its partition looked at for one execution; longer stretches are left out, and told.
MAX_STRETCH_RECORDS = 500_000


@dataclass(frozen=True, slots=True)
class Refold:
    """How executions are folded again: from which log, up to where, by whose decisions.

    `thorough` looks for undone steps up to the position and not only shortly after an end.
    """

    log: EventsLog
    bounds: LogBounds
    positions: Mapping[int, Position]
    decisions: Decisions
    make_fold: FoldFactory = BatchFold
    max_records: int = MAX_STRETCH_RECORDS
    thorough: bool = False

    async def changes(self, execution_id: str, place: Place | None) -> Changes | None:
        """Return the rows the log makes of an execution; None if that is too far to read.

        `place` is where its live row stands; without one the partition is searched for it.

        Raises:
            LogRemoved: retention removed its beginning.
        """
        if place is not None:
            changes = await self._folded(execution_id, self._stretch(place))
            if changes is not None and _as_far(changes.executions.get(execution_id), place):
                return changes
        # Nothing the row says of places can be relied on.
        partition = partition_of(execution_id, len(self.bounds.ends))
        partition = partition if place is None else place.partition
        begin, end = self.bounds.begins.get(partition, 0), self._applied(partition)
        return await self._folded(execution_id, Stretch(partition, begin, end))

    async def _folded(self, execution_id: str, stretch: Stretch) -> Changes | None:
        if stretch.end - stretch.next_offset > self.max_records:
            return None
        stretch.max_records = self.max_records
        async with aclosing(stretch.records(self.log, execution_id)) as found:
            records = [_kept(stretch.partition, one) async for one in found if not one.stale]
        if not records:
            return Changes()
        return mend(records, None, self.decisions, self.make_fold).changes

    def _stretch(self, place: Place) -> Stretch:
        end = self._applied(place.partition)
        if place.status == COMPLETED or (place.status in FINAL_STATUSES and not self.thorough):
            # Steps of an execution that failed or was cancelled are undone after its end.
            behind = 0 if place.status == COMPLETED else AFTER_END_RECORDS
            end = min(place.log_offset + 1 + behind, end)
        return Stretch(place.partition, min(place.first_offset, end), end)

    def _applied(self, partition: int) -> int:
        position = self.positions.get(partition, Position())
        return min(position.next_offset, self.bounds.ends.get(partition, 0))


def _kept(partition: int, recorded: Recorded) -> DeferredRecord:
    record, heading = recorded.record, recorded.heading
    raw = RawRecord(record.key, record.value, tuple(record.headers))
    epoch = heading.epoch if isinstance(heading, Heading) else None
    return DeferredRecord(partition, record.offset, epoch, raw)


def _as_far(state: ExecutionState | None, place: Place) -> bool:
    """Whether a fold came to where the row is, so that the row named the right stretch."""
    return state is not None and state.ended == (place.status in FINAL_STATUSES)
