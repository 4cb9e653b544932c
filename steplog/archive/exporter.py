"""From the log into an archive: one pass per partition, nothing kept in memory but live ids."""

from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from datetime import timedelta
from typing import Final

from steplog.archive.format import ArchivedRecord, ArchiveWriter, Closing
from steplog.archive.selection import Selecting, Wanted
from steplog_contracts.epoch import EpochRule
from tracker_service.log.events_log import EventsLog, LogBounds, epoch_before
from tracker_service.log.execution_records import Stretch
from tracker_service.projections.record_header import Heading, LogRecord, read_heading

# Brokers stamp records by the writer's clock; the events inside may have been timed by another.
CLOCK_MARGIN: Final = timedelta(minutes=10)

Progress = Callable[[int, int], None]  # Records looked at, records in all.


async def export_window(
    log: EventsLog, wanted: Wanted, writer: ArchiveWriter, progress: Progress
) -> Closing:
    """Write the executions of a window, with what was recorded of them up to now."""
    bounds = await log.bounds()
    closing = Closing(dict.fromkeys(bounds.ends, 0))
    starts = await _starts(log, wanted, bounds)
    total = sum(bounds.ends[partition] - start for partition, start in starts.items())
    looked_at = 0
    for partition, start in sorted(starts.items()):
        rule = EpochRule()
        if start > bounds.begins[partition]:
            rule = await epoch_before(log, partition, start, bounds.begins[partition])
        selecting = Selecting(wanted, rule, closing)
        async for record in _records(log, partition, start, bounds.ends[partition]):
            looked_at += 1
            if selecting.takes(record):
                writer.write(archived(partition, record))
                closing.records[partition] += 1
            progress(looked_at, total)
        selecting.close()
    closing.records = {partition: n for partition, n in closing.records.items() if n}
    return closing


async def export_one(
    log: EventsLog, execution_id: str, stretch: Stretch, writer: ArchiveWriter, progress: Progress
) -> Closing:
    """Write what was recorded of one execution, from the stretch of the log that has it."""
    closing, partition, begin = Closing(), stretch.partition, stretch.next_offset
    selecting = Selecting(Wanted(), EpochRule(), closing)
    async with aclosing(stretch.records(log, execution_id)) as found:
        async for recorded in found:
            progress(stretch.next_offset - begin, stretch.end - begin)
            if recorded.stale:
                closing.stale += 1
            elif selecting.takes(recorded.record):
                writer.write(archived(partition, recorded.record))
                closing.records[partition] = closing.records.get(partition, 0) + 1
    selecting.close()
    return closing


def archived(partition: int, record: LogRecord) -> ArchivedRecord:
    """Return a record of the log as an archive keeps it."""
    return ArchivedRecord(
        partition,
        record.offset,
        _stamp_ms(record),
        record.key,
        record.value,
        tuple(record.headers),
    )


def _stamp_ms(record: LogRecord) -> int:
    """Return the broker's time of a record; a log without one has that of the event."""
    stamp: int | None = getattr(record, "timestamp", None)
    if stamp is not None:
        return stamp
    heading = read_heading(record)
    return int(heading.time.timestamp() * 1000) if isinstance(heading, Heading) else 0


async def _starts(log: EventsLog, wanted: Wanted, bounds: LogBounds) -> dict[int, int]:
    if wanted.since is None:
        return dict(bounds.begins)
    found = await log.offsets_at(wanted.since - CLOCK_MARGIN)
    return {
        partition: min(max(found[partition], begin), bounds.ends[partition])
        for partition, begin in bounds.begins.items()
    }


async def _records(
    log: EventsLog, partition: int, start: int, end: int
) -> AsyncIterator[LogRecord]:
    async with aclosing(log.read(partition, start, end)) as runs:
        async for records in runs:
            for record in records:
                yield record
