"""The commands topic in the file of embedded mode: one partition, and it is always ours."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence

from executor_service.adapters.embedded.file import EmbeddedFile
from executor_service.embedded_errors import FileFailed
from executor_service.ports.command_source import (
    AssignmentListener,
    ReceivedRecord,
    dead_letter_headers,
)
from executor_service.ports.resume_point import ResumePoint
from steplog_contracts.envelope import Record

_PARTITION = 0
MAX_POLL_RECORDS = 500


class EmbeddedCommandSource:
    """Commands as they are appended; satisfies `command_source.CommandSource`."""

    def __init__(self, file: EmbeddedFile, *, topic_name: str) -> None:
        self._file = file
        self._topic_name = topic_name
        self._next = 0
        self._paused = True
        self._resumed = asyncio.Event()

    async def start(self, listener: AssignmentListener) -> None:
        """Give the partition to the listener; nobody will ever take it away."""
        await listener.assigned([_PARTITION])

    async def poll(
        self, room: Mapping[int, int], timeout_ms: int
    ) -> Mapping[int, Sequence[ReceivedRecord]]:
        """See `CommandSource.poll`; new commands end the wait at once."""
        try:
            async with asyncio.timeout(timeout_ms / 1000):
                await self._resumed.wait()
                await self._file.grown("commands", self._next)
        except TimeoutError:
            return {}
        # What is in memory comes without a pause, and others must have their turn.
        await asyncio.sleep(0)
        if self._paused:
            return {}
        count = min(MAX_POLL_RECORDS, room.get(_PARTITION, 0))
        found = await self._file.read("commands", self._next, count) if count else ()
        if not found:
            return {}
        self._next = found[-1].offset + 1
        return {_PARTITION: [ReceivedRecord(_PARTITION, *record) for record in found]}

    def pause(self, partitions: Iterable[int]) -> None:
        """See `CommandSource.pause`."""
        if _PARTITION in set(partitions):
            self._paused = True
            self._resumed.clear()

    def resume(self, partitions: Iterable[int]) -> None:
        """See `CommandSource.resume`."""
        if _PARTITION in set(partitions):
            self._paused = False
            self._resumed.set()

    def seek(self, partition: int, offset: int) -> None:
        """See `CommandSource.seek`."""
        assert partition == _PARTITION, "the file's topics have one partition"
        self._next = offset

    async def resume_point(self, partition: int) -> ResumePoint:
        """See `CommandSource.resume_point`."""
        assert partition == _PARTITION, "the file's topics have one partition"
        return await self._file.committed()

    async def commit(self, points: Mapping[int, ResumePoint]) -> bool:
        """See `CommandSource.commit`; the partition is ours as long as the file can be written."""
        try:
            for point in points.values():
                await self._file.commit(point)
        except FileFailed:
            return False
        return True

    async def set_aside(self, record: ReceivedRecord, reason: str) -> None:
        """See `CommandSource.set_aside`."""
        headers = dead_letter_headers(self._topic_name, record, reason)
        await self._file.append("dead_commands", [Record(record.key, record.value, headers)])

    async def send(self, record: Record) -> None:
        """Append a command; return once it is in the file."""
        await self._file.append("commands", [record])

    async def put_back(self, offsets: Sequence[int]) -> None:
        """Append commands that stand at these offsets once more."""
        for offset in offsets:
            found = await self._file.read("commands", offset, 1)
            await self._file.append("commands", [Record(*one[1:]) for one in found])
