"""The port to the commands topic: a group member that hands out partitions and their records."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from executor_service.ports.resume_point import ResumePoint
from steplog_contracts.envelope import Headers


@dataclass(frozen=True, slots=True)
class ReceivedRecord:
    """A record of the commands topic, not yet looked into."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers


class AssignmentListener(Protocol):
    """Who is told when the group moves partitions."""

    async def revoked(self, partitions: Iterable[int]) -> None:
        """The group takes these back; commits still succeed until this returns."""

    async def assigned(self, partitions: Iterable[int]) -> None:
        """The group gives exactly these, kept ones included; they are paused until resumed."""


class CommandSource(Protocol):
    """The commands topic as one member of the executors' group sees it."""

    async def poll(
        self, room: Mapping[int, int], timeout_ms: int
    ) -> Mapping[int, Sequence[ReceivedRecord]]:
        """Return what has come, of each partition no more than it has room for; the others, and
        what is paused, are left where they are. Also keeps the membership alive."""

    def pause(self, partitions: Iterable[int]) -> None:
        """Fetch nothing more of these until resumed."""

    def resume(self, partitions: Iterable[int]) -> None:
        """Go on fetching."""

    def seek(self, partition: int, offset: int) -> None:
        """Fetch from here next."""

    async def resume_point(self, partition: int) -> ResumePoint:
        """Return what the group last committed for a partition, or its very beginning."""

    async def commit(self, points: Mapping[int, ResumePoint]) -> bool:
        """Commit; False when the group no longer gives this member the partitions."""

    async def set_aside(self, record: ReceivedRecord, reason: str) -> None:
        """Keep a command nobody can read, byte for byte, with where it stood and why."""


def dead_letter_headers(topic: str, record: ReceivedRecord, reason: str) -> Headers:
    """Return the headers of a command set aside; the names follow Kafka Connect's."""
    return [
        *record.headers,
        ("__connect.errors.topic", topic.encode()),
        ("__connect.errors.partition", b"%d" % record.partition),
        ("__connect.errors.offset", b"%d" % record.offset),
        ("__connect.errors.exception.message", reason.encode()),
    ]
