"""A partition with far more commands than may run holds up no other, and is not taken in whole."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence

from contracts.codec import encode_command
from contracts.commands import RunPipeline
from contracts.envelope import Record, SentCommand
from contracts.payload import JsonObject
from executor_service.command_consumer import CommandConsumer
from executor_service.command_source import ReceivedRecord
from executor_service.low_water_mark import ResumePoint
from tests.executor.service.fakes import FakeEventLog, ManualClock, SharedLog
from tests.executor.service.owning import Owning, linear

FLOODED, OTHER = 0, 1
FLOOD = 10_000
OTHERS = 300
QUIET_TIMEOUT_S = 60.0


class TopicSource:
    """A commands topic in memory whose partitions are all ours; satisfies `CommandSource`."""

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


def commands(prefix: str, count: int, definition: JsonObject) -> list[Record]:
    """Return records that run a definition."""
    now = ManualClock().now()
    runs = [RunPipeline(execution_id=f"{prefix}-{n}", definition=definition) for n in range(count)]
    return [encode_command(SentCommand(run.execution_id, "/test", now, run)) for run in runs]


async def test_a_flooded_partition_holds_up_no_other_and_stays_outside() -> None:
    stuck = linear("Forever") | {"name": "stuck", "max_concurrency": 2}
    source = TopicSource(
        {
            FLOODED: commands("f", FLOOD, stuck),
            OTHER: commands("o", OTHERS, linear("Quick")),
        }
    )
    owning = Owning(capacity=50)
    owning.partition_of = lambda execution_id: FLOODED if execution_id[0] == "f" else OTHER
    logs = [FakeEventLog(SharedLog()) for _ in range(3)]
    consumer = CommandConsumer(source, *logs, owning.workplace, commit_interval_s=0.01)
    stopping = asyncio.Event()
    await consumer.assigned([FLOODED, OTHER])
    running = asyncio.create_task(consumer.run(stopping))
    async with asyncio.timeout(QUIET_TIMEOUT_S):
        while source.committed[OTHER].command_offset < OTHERS:  # noqa: ASYNC110 - of another task
            await asyncio.sleep(0.01)
    stopping.set()
    await running
    await consumer.stop(0)

    assert source.next[FLOODED] <= owning.workplace.max_waiting_commands + 2
    assert source.committed[FLOODED].command_offset == 0
