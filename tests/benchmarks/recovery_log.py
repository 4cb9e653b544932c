"""A topic that already holds a long history: ended executions, written as executors write them."""

import asyncio
from collections.abc import Iterator

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.structs import OffsetAndMetadata

from executor_service.ports.resume_point import ResumePoint
from steplog_contracts.encoder import ExecutionEncoder
from steplog_contracts.envelope import Record, format_time
from steplog_contracts.events import (
    ExecutionCompleted,
    ExecutionStarted,
    StepCompleted,
    StepStarted,
)
from steplog_contracts.topics import Topics
from tests.tracker.histories import BEGINNING, claim

BATCH_EXECUTIONS = 500
_TIME = format_time(BEGINNING).encode()
# One step each. The same objects for all: a million histories are to be written in a minute.
_EVENTS = (
    ExecutionStarted(pipeline_id="p", pipeline_name="P", total_steps=1),
    StepStarted(step_id="a", input={"n": 1}),
    StepCompleted(step_id="a", output={"m": 2}, duration_ms=1.5),
    ExecutionCompleted(output={"done": True}, duration_ms=3.0),
)


def _ended(stamp: str, partition: int, executions: int) -> Iterator[list[Record]]:
    """Yield the records of so many ended executions, some hundred at a time; epoch 0 owns them."""
    for first in range(0, executions, BATCH_EXECUTIONS):
        some = range(first, min(first + BATCH_EXECUTIONS, executions))
        yield [record for n in some for record in _history(f"{stamp}-{partition}-{n}")]


def _history(execution_id: str) -> list[Record]:
    encoder = ExecutionEncoder(execution_id, source="/benchmark", writer_epoch=0)
    return [encoder.encode(event, seq=seq, time=_TIME) for seq, event in enumerate(_EVENTS, 1)]


async def preload(producer: AIOKafkaProducer, topics: Topics, executions: int, stamp: str) -> None:
    """Append so many ended executions, spread evenly over the partitions."""
    each = executions // topics.events.partitions
    for partition in range(topics.events.partitions):
        await _append(producer, topics, partition, [claim(partition, owner=stamp)])
        sending = None
        for records in _ended(stamp, partition, each):
            batch = await _append(producer, topics, partition, records)
            if sending is not None:
                await sending  # One in flight, one being made.
            sending = batch
        if sending is not None:
            await sending


async def _append(
    producer: AIOKafkaProducer, topics: Topics, partition: int, records: list[Record]
) -> "asyncio.Future[object]":
    batch = producer.create_batch()
    for record in records:
        parts = {"key": record.key, "value": record.value, "headers": record.headers}
        assert batch.append(timestamp=None, **parts) is not None, "a batch takes what is given"
    sent: asyncio.Future[object] = await producer.send_batch(
        batch, topics.events.name, partition=partition
    )
    return sent


async def commit_the_end(bootstrap_servers: str, topics: Topics, group_id: str) -> None:
    """Commit what a former owner would have: every command done, the mark at the end of the log."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap_servers, group_id=group_id, enable_auto_commit=False
    )
    await consumer.start()
    try:
        events = [TopicPartition(topics.events.name, p) for p in range(topics.events.partitions)]
        ends = await consumer.end_offsets(events)
        commands = [TopicPartition(topics.commands.name, tp.partition) for tp in events]
        consumer.assign(commands)
        points = {
            command: ResumePoint(0, ends[event], epoch=0, ids_through=ends[event])
            for command, event in zip(commands, events, strict=True)
        }
        await consumer.commit(
            {
                tp: OffsetAndMetadata(point.command_offset, point.metadata())
                for tp, point in points.items()
            }
        )
    finally:
        await consumer.stop()
