"""Applies fetched records of one partition to the read model, each exactly once.

Kafka delivers at least once and may hand a batch to two workers at a rebalance; PostgreSQL decides.
`apply` trims what is applied already, refuses a batch that begins beyond the position (records in
between would be lost), and moves position and rows in one transaction by compare-and-set. When that
finds the position elsewhere, another worker or a repair was there: what is remembered of the
partition is dropped, read again, and the batch trimmed anew.

`apply` raises nothing a retry could heal: it waits and tries again, watching for the stop.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from steplog_contracts.epoch import EpochRule
from tracker_service.log.log_loss import names_unseen_claim
from tracker_service.projections.batch_fold import BatchFold, FoldFactory, States
from tracker_service.projections.errors import TrackerError
from tracker_service.projections.record_digest import digest_of
from tracker_service.projections.record_header import Heading, LogRecord, Unreadable, read_heading
from tracker_service.projections.row_changes import Changes, Counts
from tracker_service.projector.rejected_records import WithoutBytes, folded, rejected_changes
from tracker_service.projector.store_retry import Pacing
from tracker_service.store.errors import RowsRejected
from tracker_service.store.write_port import Advance, Position, RawRecord, Store

log = structlog.get_logger(__name__)

# States of executions that have not ended, remembered per partition; the rest is read when needed.
MAX_REMEMBERED_EXECUTIONS = 20_000
# Definitions known to be in the table, so that not each execution writes its own again.
MAX_REMEMBERED_DEFINITIONS = 1_000


class HoleInLog(TrackerError):
    """A batch begins beyond the position: records between were never handed over.

    Going on would lose them; the process must end and begin again from the position.
    """


@dataclass(slots=True)
class Partition:
    """What a worker remembers of one partition between two batches."""

    position: Position
    states: States = field(default_factory=dict)
    quarantined: set[str] = field(default_factory=set)
    definitions: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Applied:
    """How much was done, for metrics and the watchdog."""

    events: int = 0
    batches: int = 0
    set_aside: int = 0
    conflicts: int = 0
    counts: Counts = field(default_factory=Counts)


class Projector:
    """Applies batches of any number of partitions; batches of one partition one after another."""

    def __init__(
        self, store: Store, topic: str, pacing: Pacing, make_fold: FoldFactory = BatchFold
    ) -> None:
        self._store = store
        self._topic = topic
        self._pacing = pacing
        self._make_fold = make_fold
        self._partitions: dict[int, Partition] = {}
        self.applied = Applied()
        self.on_progress: Callable[[int, int], None] = lambda _partition, _next_offset: None
        self.on_changes: Callable[[Changes], None] = lambda _changes: None
        # Asked where records hint at a log that lost some; False: it did, which is noted.
        self.is_whole: Callable[[int], Awaitable[bool]] | None = None

    async def start_positions(self, partitions: Sequence[int]) -> dict[int, int]:
        """Return the next offset to apply per partition and forget what was remembered of them."""
        wanted = list(partitions)
        positions = await self._pacing.persist(
            lambda: self._store.positions(self._topic, wanted), "read positions"
        )
        for partition, position in positions.items():
            self._partitions[partition] = Partition(position)
        return {partition: position.next_offset for partition, position in positions.items()}

    async def apply(
        self, partition: int, records: Sequence[LogRecord], end_offset: int | None = None
    ) -> None:
        """Apply a run of records; returns when they are committed, here or by another worker.

        To a partition whose log lost records nothing is applied.

        Raises:
            HoleInLog: the run begins beyond the position.
        """
        while True:
            known = await self._known(partition)
            due = _after(records, known.position.next_offset)
            if not due or known.position.lost is not None:
                return
            if due[0].offset > known.position.next_offset:
                raise HoleInLog(
                    f"Partition {partition} of {self._topic} is applied up to offset "
                    f"{known.position.next_offset} but the next record handed over is "
                    f"{due[0].offset}; starting again from the position."
                )
            if await self._step(partition, known, due, end_offset):
                return
            self.applied.conflicts += 1
            self._partitions.pop(partition, None)
            log.warning("position moved elsewhere, reading it again", partition=partition)

    def forget(self, partitions: Sequence[int]) -> None:
        """Drop what is remembered of partitions that were given up."""
        for partition in partitions:
            self._partitions.pop(partition, None)

    async def _known(self, partition: int) -> Partition:
        if partition not in self._partitions:
            await self.start_positions([partition])
        return self._partitions[partition]

    async def _step(
        self,
        partition: int,
        known: Partition,
        records: Sequence[LogRecord],
        end_offset: int | None,
    ) -> bool:
        try:
            return await self._advance(partition, known, records, end_offset, rejected=None)
        except RowsRejected as error:
            self._partitions.pop(partition, None)
            return await self._apart(partition, records, end_offset, error)

    async def _apart(
        self,
        partition: int,
        records: Sequence[LogRecord],
        end_offset: int | None,
        error: RowsRejected,
    ) -> bool:
        """Halve a batch the database refuses until the record at fault stands alone."""
        known = await self._known(partition)
        if len(records) == 1:
            try:
                return await self._advance(partition, known, records, end_offset, rejected=error)
            except RowsRejected as again:
                # Not even its bytes can be kept; they are in the log.
                self._partitions.pop(partition, None)
                known = await self._known(partition)
                bare = [WithoutBytes(records[0].offset)]
                return await self._advance(partition, known, bare, end_offset, rejected=again)
        middle = len(records) // 2
        for half in (records[:middle], records[middle:]):
            known = await self._known(partition)
            if not await self._step(partition, known, half, end_offset):
                return False
        return True

    async def _advance(
        self,
        partition: int,
        known: Partition,
        records: Sequence[LogRecord],
        end_offset: int | None,
        *,
        rejected: RowsRejected | None,
    ) -> bool:
        headings = [read_heading(record) for record in records]
        start, current = records[0].offset, known.position.epoch
        if (
            self.is_whole is not None
            and names_unseen_claim(headings, start, current)
            and not await self.is_whole(partition)
        ):
            return False
        await self._recall(known, headings)
        epoch = EpochRule(known.position.epoch)
        if rejected is None:
            changes = folded(
                self._make_fold(partition, known.states, known.quarantined, epoch), headings
            )
        else:
            changes = rejected_changes(headings[0], known.states, known.quarantined, rejected)
        for key in known.definitions & changes.definitions.keys():
            del changes.definitions[key]
        step = Advance(
            topic=self._topic,
            partition=partition,
            before=known.position,
            next_offset=records[-1].offset + 1,
            epoch=epoch.current,
            last_event_at=_newest_time(headings),
            changes=changes,
            raw=_raw(records, changes),
            end_offset=end_offset,
            last_record=_digest(records[-1], headings[-1]),
        )
        moved = await self._pacing.persist(lambda: self._store.advance(step), "write a batch")
        if moved:
            self._settle(known, step)
        return moved

    async def _recall(self, known: Partition, headings: Sequence[Heading | Unreadable]) -> None:
        named = {heading.execution_id for heading in headings if heading.execution_id is not None}
        missing = sorted(named - known.states.keys() - known.quarantined)
        if missing:
            loaded = await self._pacing.persist(lambda: self._store.load(missing), "read states")
            known.states.update(loaded.states)
            known.quarantined |= loaded.quarantined

    def _settle(self, known: Partition, step: Advance) -> None:
        changes = step.changes
        changes.written()
        before = known.position
        known.position = Position(step.next_offset, step.epoch, before.generation, step.last_record)
        known.definitions.update(changes.definitions)
        for execution_id, state in changes.executions.items():
            if state.ended:
                known.states.pop(execution_id, None)
        _bound(known)
        self._count(step)
        self.on_progress(step.partition, step.next_offset)
        self.on_changes(changes)

    def _count(self, step: Advance) -> None:
        applied, counts = self.applied, step.changes.counts
        applied.events += step.next_offset - step.before.next_offset
        applied.batches += 1
        applied.set_aside += len(step.changes.set_aside)
        applied.counts.repeats += counts.repeats
        applied.counts.stale += counts.stale
        applied.counts.unknown += counts.unknown
        applied.counts.after_end += counts.after_end
        for letter in step.changes.set_aside:
            if not letter.parked:
                log.warning(
                    "record set aside",
                    partition=step.partition,
                    offset=letter.offset,
                    execution_id=letter.execution_id,
                    code=letter.code,
                    reason=letter.reason,
                )


def _after(records: Sequence[LogRecord], next_offset: int) -> Sequence[LogRecord]:
    if records and records[0].offset >= next_offset:
        return records
    return [record for record in records if record.offset >= next_offset]


def _raw(records: Sequence[LogRecord], changes: Changes) -> dict[int, RawRecord]:
    wanted = {letter.offset for letter in changes.set_aside}
    if not wanted:
        return {}
    return {
        record.offset: RawRecord(record.key, record.value, tuple(record.headers))
        for record in records
        if record.offset in wanted
    }


def _digest(record: LogRecord, heading: Heading | Unreadable) -> str | None:
    return None if isinstance(record, WithoutBytes) else digest_of(record, heading)


def _newest_time(headings: Sequence[Heading | Unreadable]) -> datetime | None:
    for heading in reversed(headings):
        if isinstance(heading, Heading):
            return heading.time
    return None


def _bound(known: Partition) -> None:
    # The oldest remembered go first; should an event of theirs come, their rows are read again.
    while len(known.states) > MAX_REMEMBERED_EXECUTIONS:
        known.states.pop(next(iter(known.states)))
    if len(known.quarantined) > MAX_REMEMBERED_EXECUTIONS:
        known.quarantined.clear()
        known.states.clear()
    if len(known.definitions) > MAX_REMEMBERED_DEFINITIONS:
        known.definitions.clear()
