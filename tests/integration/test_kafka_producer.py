"""A refused append is one append's failure: the partition can be written to again."""

import uuid
from collections.abc import AsyncIterator

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

from executor_service.adapters.kafka.event_log import KafkaEventLog
from steplog_contracts.envelope import Record

LIMIT_BYTES = 10_000
SMALL = [Record(b"e-1", b"x", [])]
LARGE = [Record(b"e-1", b"x" * 2 * LIMIT_BYTES, [])]
pytestmark = pytest.mark.broker


@pytest.fixture
async def log(kafka_bootstrap: str) -> AsyncIterator[KafkaEventLog]:
    """Return a log on a topic of two partitions whose broker takes less than we would send."""
    topic = NewTopic(
        f"log-{uuid.uuid4().hex[:8]}.events",
        num_partitions=2,
        replication_factor=1,
        topic_configs={"max.message.bytes": str(LIMIT_BYTES)},
    )
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await admin.start()
    await admin.create_topics([topic])
    await admin.close()
    async with KafkaEventLog(kafka_bootstrap, topic.name) as opened:
        yield opened


async def test_a_partition_takes_appends_again_after_the_broker_refused_one(
    log: KafkaEventLog,
) -> None:
    """The client has numbered what was refused; with its next number nothing would ever fit."""
    await log.append(0, SMALL)
    with pytest.raises(KafkaError):
        await log.append(0, LARGE)
    after = await log.append(0, SMALL)
    beside = await log.append(1, SMALL)

    assert (after.base_offset, beside.base_offset) == (1, 0)
