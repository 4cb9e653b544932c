"""Who may write to a partition and to a history, decided by the log alone.

The offset of a PartitionClaimed is the *epoch* of the executor that appended it. Every reader takes
an event only if its `writerepoch` is the newest claim before it in the partition, so a late append
of a previous owner is ignored by all readers, alike and for ever. An event without an epoch claims
nothing (a program that records its own execution) and is taken as it is, but only into a history
that began without one: `goes_on` keeps executors' histories and programs' own ones apart. Only
executors refuse commands, so a refusal without an epoch counts nowhere that one was at work.
"""

from steplog_contracts.events import CommandRefused, PartitionClaimed


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
            return self.current is None or record_type != CommandRefused.event_type
        if self.current is None:
            self.current = writer_epoch
        return writer_epoch == self.current


def goes_on(begun_under_epoch: bool | None, writer_epoch: int | None) -> bool:
    """Return whether an admitted event may go on with a history.

    One begun under an epoch takes only events that have one, and one begun without takes only
    events without. Where the beginning is not known (None), the event itself tells.
    """
    return begun_under_epoch is None or begun_under_epoch == (writer_epoch is not None)
