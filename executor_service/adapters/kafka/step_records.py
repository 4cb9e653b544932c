"""Records that steps of type `kafka` write: by a producer of their own, made when one is sent.

Commands and events go by others, so what a step writes, to a topic that is slow or away, holds
nothing of them up.
"""

import asyncio
import os
from contextvars import Context

from aiokafka.errors import (
    InvalidTopicError,
    KafkaError,
    MessageSizeTooLargeError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)
from aiokafka.structs import RecordMetadata

from executor_service.errors import RecordNotSent, RecordRefused
from executor_service.ports.records import Written
from steplog_contracts.envelope import Record
from steplog_kafka.connection import problem_of
from steplog_kafka.errors import KafkaProblem, WrongKafkaSettings
from steplog_kafka.producer import LastingProducer
from steplog_kafka.settings import Kafka, kafka_settings

_ADDRESSES = ("STEPLOG_KAFKA_BOOTSTRAP_SERVERS", "KAFKA_BOOTSTRAP_SERVERS")


class KafkaRecordSender:
    """Writes to any topic of a broker; satisfies `ports.records.RecordSender`."""

    def __init__(self, kafka: Kafka | None = None) -> None:
        """`kafka` is None where the environment's settings are to be read at the first record."""
        self._kafka = kafka
        self._producer: LastingProducer | None = None

    async def send(self, topic: str, record: Record) -> Written:
        """See `RecordSender.send`."""
        # In a context of its own: the connection outlives the step that first asks for it.
        sending = asyncio.get_running_loop().create_task(
            self._deliver(topic, record), context=Context()
        )
        return await sending

    async def aclose(self) -> None:
        """Deliver what is in flight, within a bound, and disconnect."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.stop()

    async def _deliver(self, topic: str, record: Record) -> Written:
        try:
            written = await self._appended(topic, record)
        except (InvalidTopicError, UnknownTopicOrPartitionError) as error:
            raise RecordRefused(
                f"The broker has no topic '{topic}'; create it, or look at its name."
            ) from error
        except MessageSizeTooLargeError as error:
            raise RecordRefused(
                f"The record is larger than topic '{topic}' takes; raise its max.message.bytes, or "
                "send less."
            ) from error
        except WrongKafkaSettings as error:
            raise RecordRefused(str(error)) from error
        except KafkaProblem as error:
            raise RecordNotSent(str(error)) from error
        except KafkaError as error:
            reason = str(await problem_of(error, kafka_settings(self._kafka)))
            if isinstance(error, TopicAuthorizationFailedError):
                raise RecordRefused(reason) from error
            raise RecordNotSent(reason) from error
        return Written(written.partition, written.offset)

    async def _appended(self, topic: str, record: Record) -> RecordMetadata:
        if self._producer is None:
            self._producer = LastingProducer(kafka_settings(self._kafka))
        return await self._producer.deliver(topic, record)


def sender_of_environment() -> KafkaRecordSender | None:
    """Return a sender where the environment names a broker, else None."""
    return KafkaRecordSender() if any(map(os.environ.get, _ADDRESSES)) else None
