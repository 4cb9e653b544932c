"""The events of a file as questions about the past read them."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import datetime

from executor_service.adapters.embedded.reader import EmbeddedReader
from executor_service.adapters.embedded.recent_records import StoredRecord
from tracker_service.log.events_log import EventsLog, LogBounds

RUN_RECORDS = 2_000
_PARTITION = 0


class EmbeddedHistory(EventsLog):
    """The events topic of a file, from which nothing is ever removed."""

    def __init__(self, reader: EmbeddedReader) -> None:
        self._reader = reader

    async def bounds(self) -> LogBounds:
        """Return where the partition begins and ends now."""
        ends = await self._reader.ends()
        return LogBounds({_PARTITION: 0}, {_PARTITION: ends["events"]})

    async def offsets_at(self, time: datetime) -> Mapping[int, int]:  # noqa: ARG002 - the port's
        """Return the beginning: a file keeps no times but those inside events."""
        return (await self.bounds()).begins

    async def read(
        self, partition: int, start: int, end: int
    ) -> AsyncGenerator[Sequence[StoredRecord], None]:
        """Yield the records in [start, end) in runs, in offset order."""
        assert partition == _PARTITION, "a file's topics have one partition"
        for first in range(start, end, RUN_RECORDS):
            run = await self._reader.records("events", first, min(first + RUN_RECORDS, end))
            if run:
                yield run
