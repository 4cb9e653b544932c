"""Commands onto the log, acknowledged by every replica before the caller hears of it."""

import uuid
from datetime import UTC, datetime
from types import TracebackType

from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError

from executor_service.adapters.fsspec_store import FsspecStore
from executor_service.payloads.client import Payloads
from steplog.client.addresses import Addresses
from steplog.client.command_record import record_of
from steplog.client.sender import Submitted
from steplog.errors import ServiceUnreachable, WrongTopic
from steplog_contracts.commands import Command
from steplog_contracts.envelope import SentCommand
from steplog_contracts.limits import MAX_RECORD_BYTES
from steplog_contracts.topics import Topic
from steplog_kafka.connection import problem_of
from steplog_kafka.errors import KafkaProblem, KafkaSilent
from steplog_kafka.producer import LastingProducer
from steplog_kafka.settings import Kafka, kafka_settings

SOURCE = "steplog-client"


class CommandSender:
    """A producer for one commands topic; an async context manager."""

    def __init__(self, kafka: Kafka, topic: Topic, payloads: Payloads | None = None) -> None:
        """Without `payloads` a command that is too large for the log is refused."""
        self._payloads = payloads or Payloads()
        self._kafka = kafka_settings(kafka)
        self._topic = topic
        self._producer = LastingProducer(self._kafka, max_request_size=MAX_RECORD_BYTES)

    async def __aenter__(self) -> "CommandSender":
        try:
            await self._producer.start()
        except KafkaProblem as error:
            raise ServiceUnreachable(str(error)) from error
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
            await self._producer.deliver(self._topic.name, record)
        except KafkaSilent as error:
            raise ServiceUnreachable(
                f"{error} The command may be in the log; send it again with the command id "
                f"{sent.command_id} and the execution id {command.execution_id}: it is carried "
                "out once."
            ) from error
        except KafkaProblem as error:
            raise ServiceUnreachable(str(error)) from error
        except UnknownTopicOrPartitionError as error:
            raise self._no_topic() from error
        except KafkaError as error:
            raise ServiceUnreachable(str(await problem_of(error, self._kafka))) from error
        return Submitted(command.execution_id, sent.command_id)

    async def partitions(self) -> int:
        """Return how many partitions the commands topic has.

        Raises:
            WrongTopic: the commands topic does not exist.
            ServiceUnreachable: no broker says so.
        """
        try:
            return await self._producer.partitions(self._topic.name)
        except KafkaProblem as error:
            raise ServiceUnreachable(str(error)) from error
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
