"""The two logs, each with a second line to the same topic, and a program that appends to it."""

import asyncio
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from executor_service.adapters.embedded.event_log import EmbeddedEventLog
from executor_service.adapters.embedded.file import EmbeddedFile
from executor_service.adapters.kafka.event_log import KafkaEventLog
from executor_service.ports.event_log import EventLog
from steplog_contracts.encoder import ExecutionEncoder
from steplog_contracts.envelope import Record
from steplog_contracts.events import PartitionClaimed, StepCompleted

TIME = b"2026-01-01T00:00:00.000000+00:00"
KAFKA, EMBEDDED = "kafka", "embedded"
EVENTS_PER_APPEND = 3


@dataclass(frozen=True)
class LogUnderTest:
    """An empty log, open, and what a program needs to open it too."""

    kind: str
    place: str
    topic: str
    log: EventLog

    def arguments(self) -> list[str]:
        """Return a command line that appends to the log until it is killed."""
        return [sys.executable, "-m", __name__, self.kind, self.place, self.topic]


@asynccontextmanager
async def kafka_log(bootstrap_servers: str) -> AsyncIterator[LogUnderTest]:
    """Yield a log on a topic of its own."""
    topic = f"log-{uuid.uuid4().hex[:8]}.events"
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    await admin.create_topics([NewTopic(topic, num_partitions=1, replication_factor=1)])
    await admin.close()
    async with opened(KAFKA, bootstrap_servers, topic) as log:
        yield LogUnderTest(KAFKA, bootstrap_servers, topic, log)


@asynccontextmanager
async def embedded_log(path: Path) -> AsyncIterator[LogUnderTest]:
    """Yield a log in a file of its own."""
    async with opened(EMBEDDED, str(path), "events") as log:
        yield LogUnderTest(EMBEDDED, str(path), "events", log)


def opened(kind: str, place: str, topic: str) -> AbstractAsyncContextManager[EventLog]:
    """Return a log to enter: one more line to a topic, or the file itself."""
    return KafkaEventLog(place, topic) if kind == KAFKA else _embedded(place, topic)


@asynccontextmanager
async def _embedded(place: str, topic: str) -> AsyncIterator[EventLog]:
    async with EmbeddedFile(Path(place)) as file:
        yield EmbeddedEventLog(file, topic)


def records(
    count: int, *, output: str = "x", epoch: int | None = None, first: int = 1
) -> list[Record]:
    """Return completions of one execution."""
    encoder = ExecutionEncoder("e-1", source="/test", writer_epoch=epoch)
    return [
        encoder.encode(StepCompleted(step_id="a", output=output), seq=seq, time=TIME)
        for seq in range(first, first + count)
    ]


def claim() -> list[Record]:
    """Return one claim."""
    encoder = ExecutionEncoder("partition/0", source="/other")
    return [encoder.encode(PartitionClaimed(partition=0, owner="other"), seq=0, time=TIME)]


async def _append_for_ever(kind: str, place: str, topic: str) -> None:
    """Append again and again, and print where the log ends each time it is acknowledged."""
    async with opened(kind, place, topic) as log:
        seq = 1
        while True:
            appended = await log.append(0, records(EVENTS_PER_APPEND, first=seq))
            seq += EVENTS_PER_APPEND
            print((appended.base_offset or 0) + appended.count, flush=True)  # noqa: T201


if __name__ == "__main__":
    asyncio.run(_append_for_ever(*sys.argv[1:]))
