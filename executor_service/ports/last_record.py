"""A record known to be in a log, by offset and digest: by it a log that was cut is recognised.

An offset alone tells little: a log that lost its tail grows past it again, with other records.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import NamedTuple

from executor_service.ports.event_log import EventLog
from steplog_contracts.envelope import Headers

_DIGEST_BYTES = 12


class LastRecord(NamedTuple):
    """The newest record of one partition that somebody knows of."""

    offset: int
    digest: str


@dataclass(frozen=True, slots=True)
class LastRecords:
    """The newest record known of each log of a partition; None where nothing is known."""

    commands: LastRecord | None = None
    events: LastRecord | None = None
    parked: LastRecord | None = None
    seen: LastRecord | None = None

    def as_json(self) -> dict[str, list[int | str]]:
        """Return what is known, to be stored."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: list(last) for name, last in found.items() if last is not None}

    @classmethod
    def from_json(cls, stored: Mapping[str, list[int | str]]) -> "LastRecords":
        """Return what was stored.

        Raises:
            ValueError, TypeError, KeyError: it was not stored by `as_json`.
        """
        names = {field.name for field in fields(cls)} & stored.keys()
        return cls(
            **{name: LastRecord(int(stored[name][0]), str(stored[name][1])) for name in names}
        )


def digest_of(value: bytes | None, headers: Headers) -> str:
    """Return a digest of a record: 12 bytes, as hexadecimal digits."""
    digest = hashlib.blake2b(value or b"", digest_size=_DIGEST_BYTES)
    for name, text in headers:
        digest.update(b"\x00%b\x00%b" % (name.encode(), text or b""))
    return digest.hexdigest()


async def loss_of(
    log: EventLog, name: str, partition: int, last: LastRecord | None, needed: int = 0
) -> str | None:
    """Return a sentence if a log does not hold any more what somebody knows to have been there.

    Args:
        log: one topic.
        name: what people call it.
        partition: which partition of it.
        last: the newest record known.
        needed: an offset the log is known to have reached.
    """
    end = await log.end_offset(partition)
    reached = max(needed, 0 if last is None else last.offset + 1)
    if end < reached:
        return f"The {name} of partition {partition} reached offset {reached} and end at {end} now."
    if last is None:
        return None
    async for logged in log.read(partition, last.offset, last.offset + 1):
        if digest_of(logged.value, logged.headers) != last.digest:
            return (
                f"The {name} of partition {partition} have another record at offset {last.offset} "
                "than was written there."
            )
    return None
