"""The events topic as history is read from it: ranges of a partition, without a group.

A port: Kafka's is in `kafka_events_log`, one process's own file can stand in for it.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from steplog_contracts.epoch import EpochRule
from tracker_service.projections.errors import TrackerError
from tracker_service.projections.record_header import Heading, LogRecord, read_heading


class LogUnreachable(TrackerError):
    """The log does not answer; the same question may be answered later."""

    for_callers = "The log can't be read at the moment; the log lines of the API say why."


class LogNotRead(LogUnreachable):
    """This process has no log to read."""

    for_callers = "This API does not read the log; ask one that does."

    def __init__(self) -> None:
        super().__init__(self.for_callers)


class LogRemoved(TrackerError):
    """What was asked for is not in the log any more: retention removed it."""


@dataclass(frozen=True, slots=True)
class LogBounds:
    """First and next offset of each partition."""

    begins: Mapping[int, int]
    ends: Mapping[int, int]


class EventsLog(Protocol):
    """Reads the log. Every method may raise `LogUnreachable`."""

    async def bounds(self) -> LogBounds:
        """Return where each partition begins and ends now."""

    async def offsets_at(self, time: datetime) -> Mapping[int, int]:
        """Return per partition an offset before which nothing is stamped at or after a time."""

    def read(
        self, partition: int, start: int, end: int
    ) -> AsyncGenerator[Sequence[LogRecord], None]:
        """Yield the records in [start, end) in runs, in offset order.

        Raises:
            LogRemoved: retention removed records of the range, or does so meanwhile.
        """
        raise NotImplementedError

    @asynccontextmanager
    async def opened(self) -> AsyncIterator["EventsLog"]:
        """Yield this log for many short looks, one after another."""
        yield self


async def epoch_before(log: EventsLog, partition: int, offset: int, begin: int) -> EpochRule:
    """Return the rule as it stands just before an offset.

    The first event from there on names its writer's claim. Whether that was still the newest, only
    the records between claim and offset tell; if the claim itself was removed, it is believed.
    """
    bounds = await log.bounds()
    named = await _first_epoch(log, partition, offset, bounds.ends[partition])
    if named is None or not begin <= named < offset:
        return EpochRule(None)
    rule = EpochRule(None)
    async for records in log.read(partition, named, offset):
        for record in records:
            heading = read_heading(record)
            if isinstance(heading, Heading):
                rule.admits(heading.offset, heading.kind, heading.epoch)
    return rule


async def _first_epoch(log: EventsLog, partition: int, start: int, end: int) -> int | None:
    async with aclosing(log.read(partition, start, end)) as runs:
        async for records in runs:
            for record in records:
                heading = read_heading(record)
                if isinstance(heading, Heading) and heading.epoch is not None:
                    return heading.epoch
    return None
