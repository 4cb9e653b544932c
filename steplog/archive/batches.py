"""How archived records go out: to which partition, and how many at once."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from steplog.archive.format import ArchivedRecord, ArchiveReader
from steplog_contracts.partitioning import partition_of_key

# Appended at once; what is in flight is in memory.
BATCH_RECORDS: Final = 500
BATCH_BYTES: Final = 700_000
# Of all partitions together, before batches that are not full go out too.
MAX_WAITING_BYTES: Final = 32 * 1024 * 1024


class Placing:
    """Which partition a record goes to."""

    def __init__(self, archived: int, wanted: int | None) -> None:
        self.partitions = wanted or archived
        self._as_it_was = self.partitions == archived

    def of(self, record: ArchivedRecord) -> int:
        """Return its own where the numbers are the same, else the one of its key."""
        if self._as_it_was or record.key is None:
            return record.partition % self.partitions
        return partition_of_key(record.key, self.partitions)


@dataclass(slots=True)
class Batch:
    """Records of one partition that go out together."""

    records: list[ArchivedRecord] = field(default_factory=list)
    size_bytes: int = 0

    def is_full_for(self, record: ArchivedRecord) -> bool:
        """Whether it goes out before this record."""
        full = len(self.records) == BATCH_RECORDS
        return full or (
            bool(self.records) and self.size_bytes + len(record.value or b"") > BATCH_BYTES
        )

    def add(self, record: ArchivedRecord) -> None:
        """Take a record."""
        self.records.append(record)
        self.size_bytes += len(record.value or b"")

    def taken(self) -> list[ArchivedRecord]:
        """Return the records and begin anew."""
        records, self.records, self.size_bytes = self.records, [], 0
        return records


def batches(
    archives: Sequence[ArchiveReader], placing: Placing, there: Mapping[int, int]
) -> Iterator[tuple[int, list[ArchivedRecord]]]:
    """Yield what is not there yet, in batches of one partition, in the archives' order.

    `there` says how many records an earlier run has written to each partition.
    """
    to_skip = dict(there)
    waiting = {partition: Batch() for partition in there}
    waiting_bytes = 0
    for record in (record for archive in archives for record in archive.records()):
        partition = placing.of(record)
        if to_skip[partition] > 0:
            to_skip[partition] -= 1
            continue
        batch = waiting[partition]
        if batch.is_full_for(record):
            waiting_bytes -= batch.size_bytes
            yield partition, batch.taken()
        batch.add(record)
        waiting_bytes += len(record.value or b"")
        if waiting_bytes > MAX_WAITING_BYTES:
            waiting_bytes = 0
            yield from _all_of(waiting)
    yield from _all_of(waiting)


def _all_of(waiting: Mapping[int, Batch]) -> Iterator[tuple[int, list[ArchivedRecord]]]:
    for partition, batch in waiting.items():
        if batch.records:
            yield partition, batch.taken()
