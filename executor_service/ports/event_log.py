"""The port to the events topic: append to a partition, read a range of it back."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from steplog_contracts.envelope import Headers, Record


class LoggedRecord(NamedTuple):
    """A record with the offset the broker gave it."""

    offset: int
    value: bytes | None
    headers: Headers


@dataclass(frozen=True, slots=True)
class Appended:
    """An acknowledged append.

    `base_offset` is that of its first record, or None when the broker recognised a repeat and no
    longer knows where the original went. `count` records, from the front, were taken; the rest
    did not fit and wait for the next append.
    """

    base_offset: int | None
    count: int


class EventLog(Protocol):
    """The events topic as its one writer per partition sees it."""

    async def append(self, partition: int, records: Sequence[Record]) -> Appended:
        """Append in order, as one batch, and return when every replica in sync has it.

        Waits as long as the broker is away: an execution waits rather than go on unrecorded.
        """

    def read(self, partition: int, start: int, end: int) -> AsyncIterator[LoggedRecord]:
        """Yield the records from offset `start` up to, not including, `end`.

        Offsets that retention removed are skipped.
        """

    async def end_offset(self, partition: int) -> int:
        """Return the offset the next append will get."""

    async def begin_offset(self, partition: int) -> int:
        """Return the first offset that retention has left."""

    async def ends(self, partitions: Iterable[int]) -> Mapping[int, int]:
        """Return the same for several partitions; asked every second, so it is cheap."""
