"""Notices that a log lost records the rows were made from, or was replaced by another.

A log loses its newest records when all replicas do (a power cut, an unclean election) or when its
topic is made again; then its offsets begin again further down, and everything appended below the
position would be passed over in silence. So the position is compared with where the partition
begins and ends, and the record before it with the digest stored beside it. What is found is written
beside the position: from then on no worker applies anything to that partition, every answer says
so, and `steplog rebuild` makes rows of what the log holds.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import aclosing
from typing import Final

import structlog

from tracker_service.log.events_log import EventsLog, LogBounds, LogRemoved
from tracker_service.projections.errors import TrackerError
from tracker_service.projections.record_digest import is_other
from tracker_service.projections.record_header import Heading, LogRecord, Unreadable, read_heading
from tracker_service.store.write_port import Position, Positions

log = structlog.get_logger(__name__)

REMEDY: Final = 'see "The log lost records" in the runbook'
# A new leader may answer with an older end for a moment, so a short log is asked about twice.
ASK_AGAIN_AFTER_S: Final = 0.2


def loss_by_bounds(topic: str, partition: int, position: int, begin: int, end: int) -> str | None:
    """Return a sentence if a partition does not hold what comes before or after a position."""
    if position > end:
        return (
            f"The rows are made from {position} records of partition {partition} of {topic} but "
            f"the log ends at {end}: it lost records, or was made again. `steplog rebuild` makes "
            f"rows of what it holds; {REMEDY}."
        )
    if position < begin:
        return (
            f"Records {position} to {begin - 1} of partition {partition} of {topic} were removed "
            "before they were applied. Put them back from an archive with `steplog import`, or "
            f"pass them over with `steplog rebuild --skip-removed`; {REMEDY}."
        )
    return None


def other_record(topic: str, partition: int, offset: int) -> str:
    """Return the sentence for a log that has grown again since it lost records."""
    return (
        f"Record {offset} of partition {partition} of {topic} is not the one that was applied: the "
        "log lost records and has grown again, or was replaced. `steplog rebuild` makes rows of "
        f"what it holds; {REMEDY}."
    )


def names_unseen_claim(
    headings: Iterable[Heading | Unreadable], start: int, current: int | None
) -> bool:
    """Whether a run of records names a claim before it that the rows never came by.

    A reason to look at the log, and no proof: a header says whatever its writer likes.
    """
    if current is None:
        return False
    return any(
        isinstance(heading, Heading)
        and heading.epoch is not None
        and current < heading.epoch < start
        for heading in headings
    )


class LossCheck:
    """Compares positions with the log and writes down what is lost."""

    def __init__(self, store: Positions, log: EventsLog, topic: str) -> None:
        self._store = store
        self._log = log
        self._topic = topic

    async def run(self, partitions: Sequence[int], *, writes: bool = True) -> dict[int, str]:
        """Return what the partitions have lost, as it is now written beside their positions.

        What was found lost before and is whole again is cleared. Without `writes` it is only told.

        Raises:
            TrackerError: log or rows can't be read now.
        """
        known = await self._store.known_partitions(self._topic)
        # Positions before bounds: others apply meanwhile, and a position never passes its end.
        positions = await self._store.positions(self._topic, list(partitions))
        bounds = await self._log.bounds()
        if known and known != len(bounds.ends):
            counts = {partition: self._count_changed(known, bounds) for partition in positions}
            if writes:
                await self._write(positions, counts, bounds)
            return counts
        async with self._log.opened() as log:
            judged = {p: await self._judge(log, p, at, bounds) for p, at in positions.items()}
        lost = {partition: sentence for partition, sentence in judged.items() if sentence}
        if writes:
            await self._write(positions, lost, bounds)
        return lost

    def short(self, known: Mapping[int, int], ends: Mapping[int, int]) -> bool:
        """Whether a partition ends before a position known before its end was asked for."""
        return any(
            ends.get(partition, position) < position for partition, position in known.items()
        )

    async def is_whole(self, partition: int) -> bool:
        """Look at one partition; False where it lost records. True while that can't be told."""
        try:
            return partition not in await self.run([partition])
        except TrackerError as error:
            log.info("the log can't be looked at", partition=partition, reason=str(error))
            return True

    async def _judge(
        self, log: EventsLog, partition: int, position: Position, bounds: LogBounds
    ) -> str | None:
        begin, end = bounds.begins[partition], bounds.ends[partition]
        sentence = loss_by_bounds(self._topic, partition, position.next_offset, begin, end)
        if sentence is not None and position.next_offset > end:
            await asyncio.sleep(ASK_AGAIN_AFTER_S)
            again = await self._log.bounds()
            sentence = loss_by_bounds(
                self._topic, partition, position.next_offset, begin, again.ends[partition]
            )
        if sentence is not None:
            return sentence
        if position.last_record is None or position.next_offset - 1 < begin:
            return position.lost  # It can't be looked at: what is known of it stands.
        record = await _record(log, partition, position.next_offset - 1)
        if record is not None and is_other(position.last_record, record, read_heading(record)):
            return other_record(self._topic, partition, record.offset)
        return None

    def _count_changed(self, known: int, bounds: LogBounds) -> str:
        return (
            f"The topic {self._topic} has {len(bounds.ends)} partitions but the rows are made from "
            f"{known}; the count of an events topic never changes. Restore the topic, or use a new "
            "database."
        )

    async def _write(
        self, positions: Mapping[int, Position], lost: Mapping[int, str], bounds: LogBounds
    ) -> None:
        new = {p: reason for p, reason in lost.items() if positions[p].lost is None}
        for partition, reason in new.items():
            log.error("log_lost_records", partition=partition, reason=reason)
        found = [p for p, position in positions.items() if position.lost and p not in lost]
        for partition in found:
            log.warning("the log is whole again", partition=partition)
        if new:
            ends = {partition: bounds.ends.get(partition, 0) for partition in new}
            await self._store.note_lost(self._topic, new, ends)
        if found:
            await self._store.clear_lost(self._topic, found)


async def _record(log: EventsLog, partition: int, offset: int) -> LogRecord | None:
    try:
        async with aclosing(log.read(partition, offset, offset + 1)) as runs:
            async for records in runs:
                return records[0]
    except LogRemoved:
        pass  # Retention has come that far since: nothing can be said of it.
    return None
