"""How fresh an answer is: what is applied, how much is not (gap) and for how long (lag).

A gap is counted in events, a lag in seconds. A partition without a gap has no lag; one with a gap
is late since it was last seen without, or since its newest applied event, whichever is later. When
no worker looks at the log any more, nobody knows of a gap: the lag then grows from the last look.
Where the log lost records that rows were made from, rows are not what it says: that is never fresh.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

LOG_LOST = "log_lost_records"
# A worker looks at the ends every second; after three misses nobody knows of a gap.
LOOK_IS_OLD_AFTER = timedelta(seconds=3)
# On a busy machine a look can take some seconds; a worker that died is missed within about ten.
AWAY_AFTER = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class PartitionFreshness:
    """One partition; `next_offset` is the first event not applied."""

    partition: int
    next_offset: int
    end_offset: int
    last_event_at: datetime | None
    observed_at: datetime | None
    caught_up_at: datetime | None
    # Grows when rows changed without an event being applied: repaired, replaced.
    generation: int = 0
    # What was found where the log lost records, and when.
    lost_reason: str | None = None
    lost_at: datetime | None = None

    @property
    def gap(self) -> int:
        """Events behind."""
        return max(0, self.end_offset - self.next_offset)

    def lag_s(self, now: datetime) -> float:
        """Seconds behind."""
        if self.lost_at is not None:
            return max(0.0, (now - self.lost_at).total_seconds())
        looked_at = self.observed_at
        if looked_at is not None and now - looked_at <= LOOK_IS_OLD_AFTER and self.gap == 0:
            return 0.0
        marks = [at for at in (self.caught_up_at, self.last_event_at) if at is not None]
        if not marks:
            return 0.0
        return max(0.0, (now - max(marks)).total_seconds())


@dataclass(frozen=True, slots=True)
class Freshness:
    """All partitions at one moment; read before the rows it speaks for, so they are no older."""

    now: datetime
    partitions: Sequence[PartitionFreshness]

    @property
    def gap(self) -> int:
        """Events behind, over all partitions."""
        return sum(partition.gap for partition in self.partitions)

    @property
    def lag_s(self) -> float:
        """Seconds behind, of the slowest partition."""
        return max((partition.lag_s(self.now) for partition in self.partitions), default=0.0)

    @property
    def observed_at(self) -> datetime | None:
        """The oldest of the newest looks at each partition's end."""
        looks = [partition.observed_at for partition in self.partitions]
        known = [at for at in looks if at is not None]
        return min(known) if len(known) == len(looks) and known else None

    @property
    def tracker(self) -> str:
        """`fresh`, `behind`, `away` where no worker looks at the log, or `log_lost_records`."""
        if self.lost_reason is not None:
            return LOG_LOST
        looked_at = self.observed_at
        if looked_at is None or self.now - looked_at > AWAY_AFTER:
            return "away"
        return "behind" if self.gap else "fresh"

    @property
    def lost_reason(self) -> str | None:
        """Why rows are not what the log says, of the first partition that lost records."""
        reasons = (partition.lost_reason for partition in self.partitions)
        return next((reason for reason in reasons if reason is not None), None)

    def applied(self, partition: int, offset: int) -> bool:
        """Return whether the event at that offset is in the rows."""
        return any(p.partition == partition and p.next_offset > offset for p in self.partitions)

    def positions(self) -> Mapping[str, int]:
        """Return the next offset by partition, for answers."""
        return {str(p.partition): p.next_offset for p in self.partitions}
