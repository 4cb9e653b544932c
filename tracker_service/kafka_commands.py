"""Commands onto the commands topic, for the API; connected when the first one is sent."""

import asyncio
from typing import Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError

from steplog_contracts.commands import Command
from steplog_kafka.clients import make_producer
from steplog_kafka.connection import start
from steplog_kafka.errors import KafkaProblem
from steplog_kafka.settings import Kafka, kafka_settings
from tracker_service.command_sink import CommandNotSent, record_of

MAX_RECORD_BYTES: Final = 1_000_000


class KafkaCommands:
    """`tracker_service.command_sink.CommandSink` over a producer of its own."""

    def __init__(self, kafka: Kafka, topic: str) -> None:
        self._kafka = kafka_settings(kafka)
        self._topic = topic
        self._producer: AIOKafkaProducer | None = None
        self._connecting = asyncio.Lock()

    async def close(self) -> None:
        """Disconnect."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.stop()

    async def send(self, command: Command, command_id: str) -> None:
        """Append one command; every replica has it when this returns.

        Raises:
            CommandNotSent: no broker, no topic, or no acknowledgement in time.
        """
        producer = await self._connected()
        record = record_of(command, command_id)
        try:
            await producer.send_and_wait(
                self._topic, record.value, record.key, headers=record.headers
            )
        except UnknownTopicOrPartitionError as error:
            raise self._no_topic() from error
        except KafkaError as error:
            raise CommandNotSent(
                f"Kafka did not acknowledge the command in time ({error}).", maybe_sent=True
            ) from error

    async def partitions(self) -> int:
        """Return how many partitions the commands topic has; raises `CommandNotSent`."""
        producer = await self._connected()
        try:
            return len(await producer.partitions_for(self._topic))
        except UnknownTopicOrPartitionError as error:
            raise self._no_topic() from error

    async def _connected(self) -> AIOKafkaProducer:
        async with self._connecting:
            if self._producer is None:
                self._producer = await self._connect()
            return self._producer

    async def _connect(self) -> AIOKafkaProducer:
        try:
            producer = make_producer(self._kafka, max_request_size=MAX_RECORD_BYTES)
            await start(producer, self._kafka)
        except KafkaProblem as error:
            raise CommandNotSent(str(error)) from error
        return producer

    def _no_topic(self) -> CommandNotSent:
        return CommandNotSent(
            f"Topic {self._topic} does not exist; create it with `steplog topics apply`."
        )
