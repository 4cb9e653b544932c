"""Notices a worker that looks alive and applies nothing.

Faust and the Kafka client can stall without an error (a crash-looping actor, a fetcher that never
resumes). So progress is judged by what is applied against where the partitions end.
"""

from collections.abc import Collection
from dataclasses import dataclass, field


@dataclass(slots=True)
class Watchdog:
    """Told of ends, progress and outages; times are seconds of one monotonic clock.

    Waiting for the database is no stall: the worker knows and says so, and a new process could do
    no better.
    """

    stall_timeout_s: float
    started_s: float
    ends: dict[int, int] = field(default_factory=dict)
    positions: dict[int, int] = field(default_factory=dict)
    _alive_s: float = 0.0
    _in_group_s: float | None = None
    _moved_s: dict[int, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._alive_s = self.started_s

    def moved(self, partition: int, next_offset: int, now_s: float) -> None:
        """Note that a partition's position moved."""
        self.positions[partition] = next_offset
        self._moved_s[partition] = now_s

    def assigned(self, positions: dict[int, int], now_s: float) -> None:
        """Note which partitions this worker has, and that none is late yet."""
        self.positions = dict(positions)
        self._moved_s = dict.fromkeys(positions, now_s)
        self.ends = {p: end for p, end in self.ends.items() if p in positions}

    def beat(
        self,
        ends: dict[int, int],
        *,
        store_away: bool,
        now_s: float,
        held: Collection[int] = (),
    ) -> None:
        """Note that the event loop runs, and where partitions end now.

        Those that are `held` are not applied on purpose, so they are never late.
        """
        self._alive_s = now_s
        self.ends.update({p: end for p, end in ends.items() if p in self.positions})
        for partition in self.positions:
            if store_away or partition in held or self.gap(partition) == 0:
                self._moved_s[partition] = now_s

    def in_group(self, now_s: float) -> None:
        """Note that the worker is a member of its group, which Kafka still coordinates."""
        self._in_group_s = now_s

    def alone(self, longest_s: float, now_s: float) -> str | None:
        """Return a sentence if the worker is in no group, or was not for so long, else None."""
        if self._in_group_s is None:
            return "The worker has not joined its group yet."
        if now_s - self._in_group_s > longest_s:
            since_s = now_s - self._in_group_s
            return f"Kafka's coordinator of the group has not answered for {since_s:.0f} s."
        return None

    def gap(self, partition: int) -> int:
        """Return how many events of the partition are not applied, as far as is known."""
        return max(0, self.ends.get(partition, 0) - self.positions.get(partition, 0))

    def stalled(self, now_s: float) -> str | None:
        """Return a sentence if the worker should end, else None."""
        return self.still(self.stall_timeout_s, now_s)

    def still(self, longest_s: float, now_s: float) -> str | None:
        """Return a sentence if something that should move did not for so long, else None."""
        if now_s - self._alive_s > longest_s:
            return f"The event loop has not run for {now_s - self._alive_s:.0f} s."
        for partition, since_s in list(self._moved_s.items()):
            if now_s - since_s > longest_s:
                return (
                    f"Partition {partition} has {self.gap(partition)} events to apply and did not "
                    f"move for {now_s - since_s:.0f} s."
                )
        return None
