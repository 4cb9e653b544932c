"""Who may write to a partition, decided by the log alone.

The offset of a PartitionClaimed is the *epoch* of the executor that appended it. Every reader takes
an event only if its `writerepoch` is the newest claim before it in the partition, so a late append
of a previous owner is ignored by all readers, alike and for ever. An event without an epoch claims
nothing (a program that records its own execution) and is taken as it is.
"""

from steplog_contracts.events import PartitionClaimed


class EpochRule:
    """The newest claim seen so far in one partition; feed it every record in offset order.

    `current` is None until a claim is seen: a log read from its middle, or cut by retention. The
    first epoch met then stands for the claim that is out of sight.
    """

    __slots__ = ("current",)

    def __init__(self, current: int | None = None) -> None:
        self.current = current

    def admits(self, offset: int, record_type: str, writer_epoch: int | None) -> bool:
        """Return whether a reader takes this record; a claim is taken and becomes the epoch."""
        if record_type == PartitionClaimed.event_type:
            self.current = offset
            return True
        if writer_epoch is None:
            return True
        if self.current is None:
            self.current = writer_epoch
        return writer_epoch == self.current
