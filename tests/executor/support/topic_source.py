"""A commands topic in memory whose partitions are all ours."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence

from executor_service.ports.command_source import ReceivedRecord
from executor_service.ports.resume_point import ResumePoint
from steplog_contracts.envelope import Record


class TopicSource:
    """Hands out what is asked for; satisfies `CommandSource`."""

    def __init__(self, topic: dict[int, list[Record]]) -> None:
        self._topic = topic
        self.next = dict.fromkeys(topic, 0)
        self.committed = {partition: ResumePoint(0, 0, None) for partition in topic}

    async def poll(
        self, room: Mapping[int, int], timeout_ms: int
    ) -> Mapping[int, Sequence[ReceivedRecord]]:
        """Return as much of each partition as there is room for."""
        await asyncio.sleep(0)
        return {partition: self._take(partition, count) for partition, count in room.items()}

    def _take(self, partition: int, count: int) -> list[ReceivedRecord]:
        start = self.next[partition]
        records = self._topic[partition][start : start + count]
        self.next[partition] += len(records)
        return [
            ReceivedRecord(partition, start + index, record.key, record.value, record.headers)
            for index, record in enumerate(records)
        ]

    def pause(self, partitions: Iterable[int]) -> None:
        """Nothing is fetched ahead."""

    def resume(self, partitions: Iterable[int]) -> None:
        """Nothing is fetched ahead."""

    def seek(self, partition: int, offset: int) -> None:
        """Go to an offset."""
        self.next[partition] = offset

    async def resume_point(self, partition: int) -> ResumePoint:
        """Return what was committed."""
        return self.committed[partition]

    async def commit(self, points: Mapping[int, ResumePoint]) -> bool:
        """Take it."""
        self.committed |= points
        return True

    async def set_aside(self, record: ReceivedRecord, reason: str) -> None:
        """Nothing unreadable comes."""
