"""A broker that removed the head of a partition: what is left is read from where it begins."""

import uuid

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.records_to_delete import RecordsToDelete

from executor_service.adapters.kafka.event_log import KafkaEventLog
from executor_service.dedupe.log_search import LogSearch, Question
from executor_service.dedupe.seen_ids import SeenIds
from tests.conformance.logs import records
from tests.executor.support.fakes import ManualClock

APPENDED, REMOVED = 6, 4
pytestmark = pytest.mark.broker


async def remove_head(admin: AIOKafkaAdminClient, topic: str) -> None:
    """Do what retention does."""
    await admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(before_offset=REMOVED)})


async def test_what_was_removed_is_seen_and_a_repeat_is_not_taken_for_new(
    kafka_bootstrap: str,
) -> None:
    topic = f"hole-{uuid.uuid4().hex[:8]}.events"
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(topic, num_partitions=1, replication_factor=1)])
    async with KafkaEventLog(kafka_bootstrap, topic) as log:
        await log.append(0, records(APPENDED))
        await remove_head(admin, topic)
        offsets = [logged.offset async for logged in log.read(0, 0, APPENDED)]
        lookups = LogSearch(log, 0, SeenIds(ManualClock().now()))
        found = await lookups.ask(Question(0, execution_id="gone"))
    await admin.close()

    assert offsets == list(range(REMOVED, APPENDED))
    assert found is not None
    assert found.removed
