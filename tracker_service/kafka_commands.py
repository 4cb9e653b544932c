"""Commands onto the commands topic, for the API; connected when the first one is sent."""

import asyncio
from typing import Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError

from steplog_contracts.commands import Command
from tracker_service.command_sink import CommandNotSent, record_of

SEND_TIMEOUT_MS: Final = 10_000
MAX_RECORD_BYTES: Final = 1_000_000


class KafkaCommands:
    """`tracker_service.command_sink.CommandSink` over a producer of its own."""

    def __init__(self, bootstrap_servers: str, topic: str) -> None:
        self._bootstrap_servers = bootstrap_servers
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
                f"Kafka did not take the command ({error}); send it again with the same "
                "Idempotency-Key."
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
        producer = AIOKafkaProducer(
            bootstrap_servers=self._bootstrap_servers,
            acks="all",
            enable_idempotence=True,
            request_timeout_ms=SEND_TIMEOUT_MS,
            max_request_size=MAX_RECORD_BYTES,
        )
        try:
            await producer.start()
        except (KafkaError, OSError) as error:
            await producer.stop()
            raise CommandNotSent(
                f"Kafka does not answer at {self._bootstrap_servers}; start it there or correct "
                "KAFKA_BOOTSTRAP_SERVERS."
            ) from error
        return producer

    def _no_topic(self) -> CommandNotSent:
        return CommandNotSent(
            f"Topic {self._topic} does not exist; create it with `steplog topics apply`."
        )
