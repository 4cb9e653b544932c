"""One execution's records, found in its partition.

The row says where the history begins and how far it is applied, so only that stretch is read; what
lies between belongs to others and is passed over by its key. Without a row the partition is
searched from its beginning, up to a number of records.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from steplog_contracts.epoch import EpochRule, goes_on
from steplog_contracts.partitioning import partition_of
from steplog_contracts.records import ExecutionStatus
from tracker_service.log.events_log import EventsLog, LogBounds, LogRemoved
from tracker_service.projections.payload_decoder import CLAIMED
from tracker_service.projections.record_header import Heading, LogRecord, Unreadable, read_heading
from tracker_service.store.queries import Row

# Records looked at for one answer: some seconds of reading.
MAX_LOOKED_AT: Final = 500_000
# Steps are undone after the end; their records are looked for so far behind it.
AFTER_END_RECORDS: Final = 10_000
_CLAIM: Final = CLAIMED.encode()
_UNDOING: Final = (ExecutionStatus.FAILED.value, ExecutionStatus.CANCELLED.value)


class Recorded(NamedTuple):
    """One record of an execution; a stale one was appended by a former owner and counts nowhere."""

    record: LogRecord
    heading: Heading | Unreadable
    stale: bool


@dataclass(slots=True)
class Stretch:
    """Where an execution's records are looked for, and how far that has come.

    After reading, `next_offset` is the first record not looked at.
    """

    partition: int
    next_offset: int
    end: int
    epoch: int | None = None
    under_epoch: bool | None = None  # How the history began, once that is known.
    looked_at: int = 0
    max_records: int = field(default=MAX_LOOKED_AT, kw_only=True)

    @property
    def finished(self) -> bool:
        """Whether everything was looked at."""
        return self.next_offset >= self.end

    async def records(self, log: EventsLog, execution_id: str) -> AsyncGenerator[Recorded, None]:
        """Yield the execution's records in the order of the log, up to the bound.

        Raises:
            LogRemoved: retention removed the beginning of the stretch.
        """
        rule, key = EpochRule(self.epoch), execution_id.encode()
        end = min(self.end, self.next_offset + self.max_records - self.looked_at)
        async with aclosing(log.read(self.partition, self.next_offset, end)) as runs:
            async for record in _each(runs):
                attributes = dict(record.headers)
                kind = attributes.get("ce_type")
                ours = record.key == key or attributes.get("ce_subject") == key
                found = None
                # Without a type it is in structured mode: its value tells.
                if ours or kind == _CLAIM or kind is None:
                    found = _judged(record, rule, execution_id)
                self._passed(record, rule)
                if found is not None:
                    yield self._of_history(found)
        self.next_offset = max(self.next_offset, end)

    def _of_history(self, found: Recorded) -> Recorded:
        """Return a record as stale if its history has another kind of writer."""
        heading = found.heading
        if isinstance(heading, Unreadable) or found.stale or not heading.seq:
            return found
        if self.under_epoch is None:
            self.under_epoch = heading.epoch is not None
        return found._replace(stale=not goes_on(self.under_epoch, heading.epoch))

    def _passed(self, record: LogRecord, rule: EpochRule) -> None:
        self.looked_at += record.offset + 1 - self.next_offset
        self.next_offset = record.offset + 1
        self.epoch = rule.current


async def _each(runs: AsyncIterator[Sequence[LogRecord]]) -> AsyncIterator[LogRecord]:
    async for records in runs:
        for record in records:
            yield record


def _judged(record: LogRecord, rule: EpochRule, execution_id: str) -> Recorded | None:
    heading = read_heading(record)
    if isinstance(heading, Unreadable):
        return Recorded(record, heading, False) if heading.execution_id == execution_id else None
    admitted = rule.admits(heading.offset, heading.kind, heading.epoch)
    if heading.execution_id != execution_id or heading.kind == CLAIMED:
        return None
    return Recorded(record, heading, not admitted)


def stretch_of(row: Row, bounds: LogBounds) -> Stretch:
    """Return where the records of an execution with a row are.

    Raises:
        LogRemoved: retention removed its beginning.
    """
    partition, first = (int(part) for part in row["first_position"].split(":"))
    last = int(row["position"].split(":")[1])
    begin, log_end = bounds.begins[partition], bounds.ends[partition]
    if first < begin:
        raise LogRemoved(
            f"The history of {row['execution_id']} begins at offset {first} of partition "
            f"{partition}, but the log begins at {begin}: retention removed what was before. "
            "`steplog import` brings it back from an archive, into another namespace."
        )
    if row["completed_at"] is None:
        return Stretch(partition, first, log_end)
    behind = AFTER_END_RECORDS if row["status"] in _UNDOING else 0
    return Stretch(partition, first, min(last + 1 + behind, log_end))


def searched(execution_id: str, bounds: LogBounds, max_records: int) -> Stretch:
    """Return where to search for an execution without a row."""
    partition = partition_of(execution_id, len(bounds.ends))
    begin, end = bounds.begins[partition], bounds.ends[partition]
    return Stretch(partition, begin, end, max_records=max_records)
