"""Commands of the API on a real broker: readable by an executor, or an error that says why not."""

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from steplog_contracts.codec import decode_command
from steplog_contracts.commands import CancelExecution
from steplog_contracts.partitioning import partition_of
from steplog_contracts.topics import Topics
from tracker_service.log.command_sink import CommandNotSent
from tracker_service.log.kafka_command_sink import KafkaCommands

pytestmark = pytest.mark.broker
CANCEL = CancelExecution(execution_id="e-1", reason="enough", requested_by="ann")


async def test_a_command_lies_in_its_executions_partition_as_it_was_sent(
    kafka_bootstrap: str, topics: Topics
) -> None:
    name, partitions = topics.commands.name, topics.commands.partitions
    commands = KafkaCommands(kafka_bootstrap, name)
    await commands.send(CANCEL, "c-1")
    counted = await commands.partitions()
    await commands.close()
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka_bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    consumer.assign([TopicPartition(name, partition_of("e-1", partitions))])
    record = await consumer.getone()
    await consumer.stop()

    sent = decode_command(record.value, record.headers)
    assert (sent.command_id, sent.source, sent.command) == ("c-1", "steplog-api", CANCEL)
    assert (record.key, counted) == (b"e-1", partitions)


async def test_a_broker_that_is_away_is_told_with_the_remedy() -> None:
    commands = KafkaCommands("127.0.0.1:9", "nothing")

    with pytest.raises(CommandNotSent, match="KAFKA_BOOTSTRAP_SERVERS"):
        await commands.send(CANCEL, "c-1")
