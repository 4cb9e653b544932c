"""What belongs to one partition under one claim: handed whole to everything that works in it."""

import asyncio
from dataclasses import dataclass

from executor_service.context import ExecutorContext
from executor_service.log.low_water_mark import LowWaterMark
from executor_service.log.snapshots import SnapshotStore
from executor_service.log.writer import PartitionWriter


@dataclass(frozen=True, slots=True)
class PartitionContext:
    """The claimed logs of a partition, its mark, and the process it is owned by."""

    partition: int
    executor: ExecutorContext
    writer: PartitionWriter
    parked_writer: PartitionWriter
    mark: LowWaterMark
    snapshots: SnapshotStore
    # Done once nothing that this owner still does may count: why, or cancelled by a release.
    lost: asyncio.Future[str]

    def lose(self, reason: str) -> None:
        """Give the partition up because its log shows another claim, or lost records."""
        if not self.lost.done():
            self.lost.set_result(reason)

    def give_up(self) -> None:
        """Append nothing more: the next owner has what it needs in the log."""
        for writer in (self.writer, self.parked_writer):
            writer.give_up("This executor gave the partition up.")
