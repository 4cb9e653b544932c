"""Commands onto the log, acknowledged by every replica before the caller hears of it."""

import uuid
from datetime import UTC, datetime
from types import TracebackType

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError

from executor_service.adapters.fsspec_store import FsspecStore
from executor_service.payloads import Payloads
from steplog.addresses import Addresses
from steplog.command_records import record_of
from steplog.errors import ServiceUnreachable, WrongTopic
from steplog.sending import Submitted
from steplog_contracts.commands import Command
from steplog_contracts.envelope import SentCommand
from steplog_contracts.topics import Topic
from steplog_kafka.clients import make_producer
from steplog_kafka.connection import start
from steplog_kafka.errors import KafkaProblem
from steplog_kafka.settings import Kafka, kafka_settings

SOURCE = "steplog-client"
MAX_COMMAND_BYTES = 1_000_000


async def start_producer(producer: AIOKafkaProducer, kafka: Kafka) -> None:
    """Connect a producer; one that can't is stopped.

    Raises:
        ServiceUnreachable: no broker answers, or it does not let this client in.
    """
    try:
        await start(producer, kafka)
    except KafkaProblem as error:
        raise ServiceUnreachable(str(error)) from error


class CommandSender:
    """A producer for one commands topic; an async context manager."""

    def __init__(self, kafka: Kafka, topic: Topic, payloads: Payloads | None = None) -> None:
        """Without `payloads` a command that is too large for the log is refused."""
        self._payloads = payloads or Payloads()
        self._kafka = kafka_settings(kafka)
        self._topic = topic
        self._producer: AIOKafkaProducer

    async def __aenter__(self) -> "CommandSender":
        self._producer = make_producer(self._kafka, max_request_size=MAX_COMMAND_BYTES)
        await start_producer(self._producer, self._kafka)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._producer.stop()

    async def send(self, command: Command, command_id: str | None = None) -> Submitted:
        """Append one command; the same command id twice has the effect of once.

        Raises:
            WrongTopic: the commands topic does not exist.
            ServiceUnreachable: the broker did not acknowledge it; it may be in the log anyway.
            BadInput: it is too large for the log and can't be stored.
        """
        sent = SentCommand(command_id or str(uuid.uuid4()), SOURCE, datetime.now(UTC), command)
        record = await record_of(sent, self._payloads)
        try:
            await self._producer.send_and_wait(
                self._topic.name, record.value, record.key, headers=record.headers
            )
        except UnknownTopicOrPartitionError as error:
            raise self._no_topic() from error
        except KafkaError as error:
            raise ServiceUnreachable(
                f"Kafka at {self._kafka.bootstrap_servers} did not take the command ({error}); "
                f"send it again with the command id {sent.command_id}."
            ) from error
        return Submitted(command.execution_id, sent.command_id)

    async def partitions(self) -> int:
        """Return how many partitions the commands topic has.

        Raises:
            WrongTopic: the commands topic does not exist.
        """
        try:
            return len(await self._producer.partitions_for(self._topic.name))
        except UnknownTopicOrPartitionError as error:
            raise self._no_topic() from error

    def _no_topic(self) -> WrongTopic:
        return WrongTopic(
            f"Topic {self._topic.name} does not exist; create it with `steplog topics apply`."
        )


def payloads_of(addresses: Addresses) -> Payloads:
    """Return the payload store that goes with a log."""
    url, shared = addresses.payload_store, addresses.payload_store_shared
    store = FsspecStore(url, shared=shared) if url else None
    return Payloads(store, addresses.max_inline_bytes)
