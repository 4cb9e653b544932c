"""Moments of a random log, and how the rows must have stood at each, told in two other ways.

One is the oracle, which looks back over the events up to the moment. The other is a tracker that
was given those events alone: what its rows say now is what a question about the moment must say.
"""

import datetime as dt
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.conformance.stores import ReadModelUnderTest, sqlite_read_model
from tests.tracker.histories import BEGINNING, LogEntry
from tests.verification.tracker_oracle import Rows, decoded, expected_rows
from tests.verification.tracker_world import rows_file
from tracker_service.log.events_log import EventsLog, LogBounds

# What an unended row keeps of its place in the log is where it stands now.
NOT_OF_THE_MOMENT = ("seq", "position", "incomplete")


@dataclass
class EntriesLog(EventsLog):
    """The events log over entries in memory; as the port wants it."""

    partitions: Sequence[Sequence[LogEntry]]
    begins: int = 0

    async def bounds(self) -> LogBounds:
        """Return where partitions begin and end."""
        count = range(len(self.partitions))
        ends = {number: len(self.partitions[number]) for number in count}
        return LogBounds(dict.fromkeys(count, self.begins), ends)

    async def offsets_at(self, time: dt.datetime) -> Mapping[int, int]:
        """Return the first offset stamped so late, else the end."""
        ends = (await self.bounds()).ends
        stamp_ms = time.timestamp() * 1000
        return {
            number: next((e.offset for e in entries if e.timestamp >= stamp_ms), ends[number])
            for number, entries in enumerate(self.partitions)
        }

    async def read(
        self, partition: int, start: int, end: int
    ) -> AsyncGenerator[Sequence[LogEntry], None]:
        """Yield the range in runs of three."""
        entries = self.partitions[partition][start:end]
        for place in range(0, len(entries), 3):
            yield entries[place : place + 3]


def moment(after_ms: int) -> dt.datetime:
    """Return a moment after the beginning of histories."""
    return BEGINNING + dt.timedelta(milliseconds=after_ms)


def up_to(entries: Sequence[LogEntry], at: dt.datetime) -> list[LogEntry]:
    """Return the entries recorded by a moment, and all claims: they belong to nobody's history."""
    return [entry for entry in entries if _is_claim(entry) or _time(entry) <= at]


def stood_by_oracle(partitions: Sequence[Sequence[LogEntry]], at: dt.datetime) -> Rows:
    """Return what the oracle says of the events up to a moment."""
    return expected_rows([up_to(entries, at) for entries in partitions])


@asynccontextmanager
async def tracker_of(
    partitions: Sequence[Sequence[LogEntry]], folder: Path
) -> AsyncIterator[ReadModelUnderTest]:
    """Yield rows made from these entries by one clean pass."""
    async with sqlite_read_model(rows_file(folder)) as rows:
        for partition, entries in enumerate(partitions):
            await rows.receives(entries, partition)
        yield rows


def _is_claim(entry: LogEntry) -> bool:
    return dict(entry.headers)["ce_type"] == b"steplog.partition.claimed.v1"


def _time(entry: LogEntry) -> dt.datetime:
    return dt.datetime.fromisoformat(dict(entry.headers)["ce_time"].decode())


__all__ = ["EntriesLog", "decoded", "moment", "stood_by_oracle", "tracker_of", "up_to"]
