"""Sending commands and watching what becomes of them, at little cost of its own."""

import asyncio
import time
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from steplog_contracts.codec import encode_command
from steplog_contracts.commands import RunPipeline
from steplog_contracts.envelope import Record, SentCommand
from steplog_contracts.events import ExecutionCompleted
from steplog_contracts.partitioning import partition_of
from steplog_contracts.topics import Topics
from tests.benchmarks.noop import PAYLOAD_BYTES, linear_definition

COMPLETED = ExecutionCompleted.event_type.encode()
ENDED_TIMEOUT_S = 30.0
READABLE_TIMEOUT_S = 30.0
READABLE_POLL_S = 0.001
_IS_COMPLETED = "SELECT 1 FROM pipeline_executions WHERE execution_id = $1 AND status = 'completed'"


def a_command(*, pure: bool = False) -> tuple[str, Record]:
    """Return an execution id and the record of the command that starts it."""
    execution_id = str(uuid.uuid4())
    command = RunPipeline(
        execution_id=execution_id,
        definition=linear_definition(pure=pure),
        input={"payload": "x" * PAYLOAD_BYTES},
    )
    sent = SentCommand(str(uuid.uuid4()), "/benchmark", datetime.now(UTC), command)
    return execution_id, encode_command(sent)


async def send_all(producer: AIOKafkaProducer, topics: Topics, records: Sequence[Record]) -> None:
    """Send many commands in batches, partition by partition."""
    by_partition: dict[int, list[Record]] = {}
    for record in records:
        assert record.key is not None
        number = partition_of(record.key.decode(), topics.commands.partitions)
        by_partition.setdefault(number, []).append(record)
    sends = []
    for partition, waiting in sorted(by_partition.items()):
        batch = producer.create_batch()
        for record in waiting:
            parts = {"key": record.key, "value": record.value, "headers": record.headers}
            if batch.append(timestamp=None, **parts) is None:
                sends.append(
                    await producer.send_batch(batch, topics.commands.name, partition=partition)
                )
                batch = producer.create_batch()
                batch.append(timestamp=None, **parts)
        sends.append(await producer.send_batch(batch, topics.commands.name, partition=partition))
    await asyncio.gather(*sends)


class Watcher:
    """Reads events of some partitions and tells when executions are seen to have ended."""

    def __init__(self, bootstrap_servers: str, topics: Topics, partitions: Sequence[int]) -> None:
        self._consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap_servers)
        self._tps = [TopicPartition(topics.events.name, p) for p in partitions]
        self.ended: dict[str, tuple[float, float]] = {}  # Id -> (event time, seen), epoch seconds.

    async def __aenter__(self) -> "Watcher":
        await self._consumer.start()
        self._consumer.assign(self._tps)
        await self._consumer.seek_to_end(*self._tps)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._consumer.stop()

    async def look(self, timeout_ms: int = 1) -> list[str]:
        """Return the executions newly seen to have completed."""
        fetched = await self._consumer.getmany(timeout_ms=timeout_ms)
        now, found = time.time(), []
        for messages in fetched.values():
            for message in messages:
                if ("ce_type", COMPLETED) in message.headers:
                    at = dict(message.headers)["ce_time"].decode()
                    execution_id = message.key.decode()
                    self.ended[execution_id] = (datetime.fromisoformat(at).timestamp(), now)
                    found.append(execution_id)
        return found

    async def wait_for(self, execution_id: str) -> float:
        """Return when (epoch seconds) an execution was seen to have ended."""
        deadline = time.monotonic() + ENDED_TIMEOUT_S
        while execution_id not in self.ended:
            assert time.monotonic() < deadline, f"{execution_id} has not ended"
            await self.look(timeout_ms=50)
        return self.ended[execution_id][1]


async def readable_after(database: asyncpg.Connection, execution_id: str, since: float) -> float:
    """Return the seconds from `since` until the execution's row reads completed."""
    deadline = time.monotonic() + READABLE_TIMEOUT_S
    while await database.fetchval(_IS_COMPLETED, execution_id) is None:
        assert time.monotonic() < deadline, f"{execution_id} has no row"
        await asyncio.sleep(READABLE_POLL_S)
    return time.time() - since
