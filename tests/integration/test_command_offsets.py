"""Where executors go on after commands were lost, on a real broker."""

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.structs import OffsetAndMetadata

from executor_service.adapters.kafka.command_offsets import CommandOffsets
from executor_service.adapters.kafka.topics import commands_retention_h
from executor_service.ports.last_record import LastRecord, LastRecords, digest_of
from executor_service.ports.resume_point import ResumePoint
from executor_service.service_errors import GroupBusy
from steplog_contracts.topics import Topics
from steplog_kafka.clients import make_consumer
from steplog_kafka.settings import kafka_settings

SENT = 5
pytestmark = pytest.mark.broker


async def send(bootstrap_servers: str, topics: Topics, count: int = SENT) -> None:
    """Put commands on partition 0."""
    async with AIOKafkaProducer(bootstrap_servers=bootstrap_servers) as producer:
        for number in range(count):
            await producer.send_and_wait(topics.commands.name, b"%d" % number, partition=0)


async def commit(bootstrap_servers: str, topics: Topics, group: str, point: ResumePoint) -> None:
    """Commit as an executor does that is gone since."""
    place = TopicPartition(topics.commands.name, 0)
    consumer = make_consumer(kafka_settings(bootstrap_servers), group_id=group)
    await consumer.start()
    consumer.assign([place])
    await consumer.commit({place: OffsetAndMetadata(point.command_offset, point.metadata())})
    await consumer.stop()


def offsets(bootstrap_servers: str, topics: Topics, group: str) -> CommandOffsets:
    """Return the offsets of a group."""
    return CommandOffsets(
        kafka_settings(bootstrap_servers), topic=topics.commands.name, group_id=group
    )


@pytest.mark.parametrize(
    "point",
    [
        ResumePoint(SENT + 4, 7, 3),
        ResumePoint(2, 7, 3, last=LastRecords(commands=LastRecord(1, digest_of(b"other", [])))),
    ],
    ids=["beyond the end", "other commands"],
)
async def test_a_partition_that_lost_commands_is_found_and_goes_on_where_it_is_told(
    kafka_bootstrap: str, topics: Topics, topic_namespace: str, point: ResumePoint
) -> None:
    group = f"{topic_namespace}.executor"
    await send(kafka_bootstrap, topics)
    await commit(kafka_bootstrap, topics, group, point)
    found = await offsets(kafka_bootstrap, topics, group).look([0, 1])

    await offsets(kafka_bootstrap, topics, group).reset({0: found[0].begin})
    after = await offsets(kafka_bootstrap, topics, group).look([0, 1])

    assert [(one.partition, one.end, one.loss is not None) for one in found] == [(0, SENT, True)]
    assert [(one.partition, one.committed, one.loss) for one in after] == [(0, 0, None)]


async def test_whole_commands_are_no_loss(
    kafka_bootstrap: str, topics: Topics, topic_namespace: str
) -> None:
    group = f"{topic_namespace}.executor"
    await send(kafka_bootstrap, topics)
    last = LastRecords(commands=LastRecord(1, digest_of(b"1", [])))
    await commit(kafka_bootstrap, topics, group, ResumePoint(2, 7, 3, last=last))

    found = await offsets(kafka_bootstrap, topics, group).look([0])

    assert [one.loss for one in found] == [None]


async def test_while_an_executor_is_in_the_group_nothing_is_changed(
    kafka_bootstrap: str, topics: Topics, topic_namespace: str
) -> None:
    group = f"{topic_namespace}.executor"
    await commit(kafka_bootstrap, topics, group, ResumePoint(3, 0, None))
    member = make_consumer(kafka_settings(kafka_bootstrap), topics.commands.name, group_id=group)
    await member.start()
    try:
        await member.getmany(timeout_ms=500)

        with pytest.raises(GroupBusy, match="stop them all"):
            await offsets(kafka_bootstrap, topics, group).reset({0: 0})
    finally:
        await member.stop()


async def test_how_long_commands_are_kept_is_told(kafka_bootstrap: str, topics: Topics) -> None:
    kept_h = await commands_retention_h(kafka_settings(kafka_bootstrap), topics.commands.name)

    assert kept_h == 7 * 24
