"""The events topic, and the executor's own ones, in the file of embedded mode."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence

from executor_service.adapters.embedded.file import READ_RECORDS, EmbeddedFile
from executor_service.ports.event_log import Appended, LoggedRecord
from steplog_contracts.envelope import Record
from steplog_contracts.errors import UnwritablePayload
from steplog_contracts.limits import MAX_RECORD_BYTES

# A file has one writer, so more partitions would only make smaller batches.
PARTITIONS = 1
_PARTITION = 0


class EmbeddedEventLog:
    """One topic of the file; satisfies `event_log.EventLog`. It has one partition, 0."""

    def __init__(self, file: EmbeddedFile, topic: str) -> None:
        self._file = file
        self._topic = topic

    async def append(self, partition: int, records: Sequence[Record]) -> Appended:
        """Append all that fit; see `EventLog.append`.

        Raises:
            UnwritablePayload: the first record alone is larger than the log takes.
            FileFailed: the file can't be written any more.
        """
        _check(partition)
        count = _fitting(records)
        if count == 0:
            raise UnwritablePayload(
                f"An event of {len(records[0].value or b'')} bytes is larger than the log takes "
                f"({MAX_RECORD_BYTES} bytes); return a reference instead of the data."
            )
        return Appended(await self._file.append(self._topic, records[:count]), count)

    async def end_offset(self, partition: int) -> int:
        """Return the offset the next append will get."""
        _check(partition)
        return self._file.end(self._topic)

    async def begin_offset(self, partition: int) -> int:
        """Return the first offset; nothing is ever removed."""
        _check(partition)
        return 0

    async def ends(self, partitions: Iterable[int]) -> Mapping[int, int]:
        """Return the offset the next append to each partition will get."""
        return {partition: await self.end_offset(partition) for partition in partitions}

    async def read(self, partition: int, start: int, end: int) -> AsyncIterator[LoggedRecord]:
        """Yield the records in [start, end)."""
        _check(partition)
        while start < end:
            found = await self._file.read(self._topic, start, min(end - start, READ_RECORDS))
            if not found:
                return
            for offset, _key, value, headers in found:
                yield LoggedRecord(offset, value, headers)
            start = found[-1].offset + 1


def _check(partition: int) -> None:
    assert partition == _PARTITION, "the file's topics have one partition"


def _fitting(records: Sequence[Record]) -> int:
    """Return how many records from the front are no larger than any log takes."""
    for index, record in enumerate(records):
        if len(record.value or b"") > MAX_RECORD_BYTES:
            return index
    return len(records)
