"""From archives into an empty log; safe to break off and run again.

First everything is read and checked, and compared with what an earlier run has written. Then the
rest is appended in the archives' order, each partition under a claim of the importer's own. If the
log holds anything else, or somebody else writes meanwhile, the import stops and says so.
"""

from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from steplog.archive.archive_set import check_together
from steplog.archive.batches import Placing, batches
from steplog.archive.continuity import Continuity
from steplog.archive.epoch_rebase import Sameness, rebased
from steplog.archive.exporter import Progress
from steplog.archive.format import ArchivedRecord, ArchiveReader, DamagedArchive
from steplog.errors import BadInput
from steplog_contracts.envelope import Record


class LogNotEmpty(BadInput):
    """The log has records that are not of this import."""


class ImportTarget(Protocol):
    """An events log that an importer fills."""

    async def prepare(self, partitions: int) -> None:
        """Make the topics where they are missing, or refuse what is not fit for an import.

        Raises:
            LogNotEmpty: commands, snapshots or claims of others are there.
        """

    def imported(self, partition: int) -> AsyncGenerator[Record, None]:
        """Yield the events an earlier run has written to a partition."""

    async def claim(self, partition: int) -> int:
        """Claim a partition for this run and return the epoch."""

    async def append(self, partition: int, batch: Sequence[tuple[Record, int]]) -> None:
        """Append records with their timestamps in milliseconds, all or a beginning of them.

        Raises:
            LogNotEmpty: somebody else has written in between.
        """


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did: `written` now, `there_before` by a run that was broken off."""

    written: int
    there_before: int
    executions: int


async def import_archives(
    archives: Sequence[ArchiveReader],
    target: ImportTarget,
    progress: Progress,
    *,
    partitions: int | None = None,
    allow_gaps: bool = False,
) -> Imported:
    """Write the archives' events to an empty log, or finish what an earlier run began.

    With another number of `partitions` than the archives have, each execution goes where its key
    belongs among those.

    Raises:
        DamagedArchive, ArchiveHasGap: a file is not what was written, or events are missing.
        LogNotEmpty: the log holds anything but an earlier beginning of this very import.
        BadInput: the archives don't belong together.
    """
    placing = Placing(check_together(archives), partitions)
    # Whole and right before the cluster is so much as looked at.
    checked = _read_all(archives, placing, {}, allow_gaps=allow_gaps)
    await target.prepare(placing.partitions)
    there = {number: await _there(target, number) for number in range(placing.partitions)}
    there_before = sum(same.count for same in there.values())
    if there_before:
        _read_all(archives, placing, there, allow_gaps=allow_gaps)
    there_already = {number: same.count for number, same in there.items()}
    filling = _Filling(target)
    done = there_before
    for partition, batch in batches(archives, placing, there_already):
        await filling.append(partition, batch)
        done += len(batch)
        progress(done, checked.total)
    return Imported(done - there_before, there_before, checked.executions)


class _Filling:
    """Appends under a claim per partition, made when its first records come."""

    def __init__(self, target: ImportTarget) -> None:
        self._target = target
        self._epochs: dict[int, int] = {}

    async def append(self, partition: int, batch: Sequence[ArchivedRecord]) -> None:
        if partition not in self._epochs:
            self._epochs[partition] = await self._target.claim(partition)
        epoch = self._epochs[partition]
        ready = [(rebased(record, epoch), record.timestamp_ms) for record in batch]
        await self._target.append(partition, ready)


@dataclass(frozen=True, slots=True)
class _Contents:
    total: int
    executions: int


def _read_all(
    archives: Sequence[ArchiveReader],
    placing: Placing,
    there: Mapping[int, Sameness],
    *,
    allow_gaps: bool,
) -> _Contents:
    """Read everything; raise unless what is there already is how the archives begin."""
    seen = {partition: Sameness() for partition in there}
    continuity, total = Continuity(allow_gaps=allow_gaps), 0
    for archive in archives:
        for record in _in_place(archive):
            continuity.follow(record)
            total += 1
            place = placing.of(record)
            same = seen.get(place)
            if same is not None and same.count < there[place].count:
                same.add(record.key, record.value, record.headers)
    for partition, wanted in there.items():
        if seen[partition].told != wanted.told:
            raise LogNotEmpty(
                f"Partition {partition} of the log holds {wanted.count} events that are not how "
                "these archives begin; import into an empty cluster, or with --into-namespace."
            )
    return _Contents(total, continuity.executions)


def _in_place(archive: ArchiveReader) -> Iterator[ArchivedRecord]:
    """Yield an archive's records; raise `DamagedArchive` if one is where it can't have been."""
    last: dict[int, int] = {}
    for record in archive.records():
        before = last.get(record.partition, -1)
        if not 0 <= record.partition < archive.opening.partitions or record.offset <= before:
            raise DamagedArchive(
                f"The archive {archive.path} is damaged: a record of partition {record.partition} "
                f"at offset {record.offset} follows one at {before}. Export it again."
            )
        last[record.partition] = record.offset
        yield record


async def _there(target: ImportTarget, partition: int) -> Sameness:
    same = Sameness()
    async for record in target.imported(partition):
        same.add(record.key, record.value, record.headers)
    return same
