"""The servers that tests and the local stack rest on are the real ones."""

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import UnknownTopicOrPartitionError

from steplog.local.health_checks import kafka_answers, postgres_answers


@pytest.mark.broker
def test_the_broker_answers_a_metadata_request(kafka_bootstrap: str) -> None:
    assert kafka_answers(kafka_bootstrap)


@pytest.mark.broker
async def test_a_topic_nobody_applied_is_unknown(
    kafka_bootstrap: str, topic_namespace: str
) -> None:
    """A typo in a topic's name would otherwise create a topic with the wrong partition count."""
    producer = AIOKafkaProducer(bootstrap_servers=kafka_bootstrap, request_timeout_ms=2000)
    await producer.start()

    with pytest.raises(UnknownTopicOrPartitionError):
        await producer.send_and_wait(f"{topic_namespace}.commands", b"{}")

    await producer.stop()


@pytest.mark.database
async def test_each_test_has_an_empty_database(postgres_url: str) -> None:
    connection = await asyncpg.connect(postgres_url)
    tables = await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
    await connection.close()

    assert tables == 0
    assert postgres_answers(postgres_url)
