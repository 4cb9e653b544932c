"""The newest records of a topic, kept in memory for those who follow it closely.

Whoever reads right behind the writer (the tracker, the command source) gets what was just written
without asking the file again; whoever is further behind reads the file.
"""

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from steplog_contracts.envelope import Headers

# Of one topic; a follower may be this far behind before it reads the file.
MAX_RECENT_RECORDS = 20_000
MAX_RECENT_BYTES = 32 * 1024 * 1024


class StoredRecord(NamedTuple):
    """A record of a topic and its offset."""

    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers


class RecentRecords:
    """A bounded run of consecutive records up to the end of one topic, write by write."""

    def __init__(
        self, max_records: int = MAX_RECENT_RECORDS, max_bytes: int = MAX_RECENT_BYTES
    ) -> None:
        self._max_records = max_records
        self._max_bytes = max_bytes
        self._writes: deque[Sequence[StoredRecord]] = deque()
        self._records = 0
        self._bytes = 0

    def add(self, records: Sequence[StoredRecord]) -> None:
        """Add what one write brought; it follows what was added before."""
        self._writes.append(records)
        self._records += len(records)
        self._bytes += _size(records)
        while self._records > self._max_records or self._bytes > self._max_bytes:
            oldest = self._writes.popleft()
            self._records -= len(oldest)
            self._bytes -= _size(oldest)

    def read(self, start: int, count: int) -> list[StoredRecord] | None:
        """Return up to `count` records from `start`, or None where the file has to be read."""
        if not self._writes or start < self._writes[0][0].offset:
            return None
        # From the newest backwards: followers are a write or two behind.
        index = len(self._writes) - 1
        while self._writes[index][0].offset > start:
            index -= 1
        found: list[StoredRecord] = []
        while index < len(self._writes) and len(found) < count:
            write = self._writes[index]
            first = max(0, start - write[0].offset)
            found += write[first : first + count - len(found)]
            index += 1
        return found


def _size(records: Sequence[StoredRecord]) -> int:
    # Key and headers are about as long for all.
    return sum(len(record.value or b"") + 600 for record in records)
