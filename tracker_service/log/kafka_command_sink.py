"""Commands onto the commands topic, for the API; connected when the first one is sent."""

from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError

from steplog_contracts.commands import Command
from steplog_contracts.limits import MAX_RECORD_BYTES
from steplog_kafka.connection import problem_of
from steplog_kafka.errors import KafkaProblem, KafkaSilent
from steplog_kafka.producer import LastingProducer
from steplog_kafka.settings import Kafka, kafka_settings
from tracker_service.log.command_sink import CommandNotSent, record_of


class KafkaCommands:
    """`tracker_service.log.command_sink.CommandSink` over a producer of its own."""

    def __init__(self, kafka: Kafka, topic: str) -> None:
        self._kafka = kafka_settings(kafka)
        self._topic = topic
        self._producer = LastingProducer(self._kafka, max_request_size=MAX_RECORD_BYTES)

    async def close(self) -> None:
        """Disconnect."""
        await self._producer.stop()

    async def send(self, command: Command, command_id: str) -> None:
        """Append one command; every replica has it when this returns.

        Raises:
            CommandNotSent: no broker, no topic, or no acknowledgement in time.
        """
        try:
            await self._producer.deliver(self._topic, record_of(command, command_id))
        except KafkaSilent as error:
            raise CommandNotSent(str(error), maybe_sent=True) from error
        except KafkaProblem as error:
            raise CommandNotSent(str(error)) from error
        except UnknownTopicOrPartitionError as error:
            raise self._no_topic() from error
        except KafkaError as error:
            raise CommandNotSent(str(await problem_of(error, self._kafka))) from error

    async def partitions(self) -> int:
        """Return how many partitions the commands topic has; raises `CommandNotSent`."""
        try:
            return await self._producer.partitions(self._topic)
        except KafkaProblem as error:
            raise CommandNotSent(str(error)) from error
        except UnknownTopicOrPartitionError as error:
            raise self._no_topic() from error

    def _no_topic(self) -> CommandNotSent:
        return CommandNotSent(
            f"Topic {self._topic} does not exist; create it with `steplog topics apply`."
        )
