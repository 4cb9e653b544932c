"""The events topic on a real broker: whole batches, honest offsets, exact ranges."""

import uuid
from collections.abc import AsyncIterator

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from contracts.encoder import ExecutionEncoder
from contracts.envelope import Record
from contracts.errors import UnwritablePayload
from contracts.events import PartitionClaimed, StepCompleted
from executor_service.adapters.kafka_event_log import MAX_BATCH_BYTES, KafkaEventLog
from executor_service.errors import RecordingLost
from executor_service.partition_writer import PartitionWriter

TIME = b"2026-01-01T00:00:00.000000+00:00"
pytestmark = pytest.mark.broker


@pytest.fixture
async def log(kafka_bootstrap: str) -> AsyncIterator[KafkaEventLog]:
    """A fresh topic of two partitions and a log on it."""
    topic = f"log-{uuid.uuid4().hex[:8]}.events"
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(topic, num_partitions=2, replication_factor=1)])
    await admin.close()
    async with KafkaEventLog(kafka_bootstrap, topic) as opened:
        yield opened


def records(count: int, *, output: str = "x", epoch: int | None = None) -> list[Record]:
    """Return completions of one execution."""
    encoder = ExecutionEncoder("e-1", source="/test", writer_epoch=epoch)
    return [
        encoder.encode(StepCompleted(step_id="a", output=output), seq=seq, time=TIME)
        for seq in range(1, count + 1)
    ]


def claim() -> list[Record]:
    """Return one claim."""
    encoder = ExecutionEncoder("partition/0", source="/other")
    return [encoder.encode(PartitionClaimed(partition=0, owner="other"), seq=0, time=TIME)]


async def test_an_append_tells_where_its_first_record_stands(log: KafkaEventLog) -> None:
    first = await log.append(0, records(3))
    second = await log.append(0, records(2))

    assert (first.base_offset, first.count) == (0, 3)
    assert (second.base_offset, second.count) == (3, 2)
    assert await log.end_offset(0) == 5
    assert await log.end_offset(1) == 0


async def test_a_range_is_read_exactly_as_it_was_appended(log: KafkaEventLog) -> None:
    sent = records(10)
    await log.append(1, sent)

    read = [logged async for logged in log.read(1, 2, 7)]

    assert [logged.offset for logged in read] == [2, 3, 4, 5, 6]
    assert [(r.value, r.headers) for r in read] == [(s.value, s.headers) for s in sent[2:7]]


async def test_an_empty_range_asks_nobody(log: KafkaEventLog) -> None:
    assert [logged async for logged in log.read(0, 4, 4)] == []


async def test_more_than_a_batch_holds_goes_out_in_order(log: KafkaEventLog) -> None:
    appended = await log.append(0, claim())
    assert appended.base_offset is not None
    writer = PartitionWriter(log, 0, appended.base_offset)

    await writer.append(records(30, output="y" * (MAX_BATCH_BYTES // 8)))

    seqs = [dict(r.headers)["ce_sequence"] async for r in log.read(0, 1, await log.end_offset(0))]
    assert [int(seq) for seq in seqs] == list(range(1, 31))


async def test_an_event_larger_than_the_log_takes_is_refused_before_it_is_sent(
    log: KafkaEventLog,
) -> None:
    with pytest.raises(UnwritablePayload, match="larger than the log takes"):
        await log.append(0, records(1, output="z" * (MAX_BATCH_BYTES + 100_000)))

    assert await log.end_offset(0) == 0


async def test_a_claim_by_another_process_ends_the_writer(
    log: KafkaEventLog, kafka_bootstrap: str
) -> None:
    mine = await log.append(0, claim())
    assert mine.base_offset is not None
    writer = PartitionWriter(log, 0, mine.base_offset)
    await writer.append(records(1))
    async with KafkaEventLog(kafka_bootstrap, log.topic) as other:
        await other.append(0, claim())

    with pytest.raises(RecordingLost, match="claimed by another"):
        await writer.append(records(1))
