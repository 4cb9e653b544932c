"""A producer that goes on after any outage, without a restart of the process it is in.

aiokafka numbers a batch when it takes it off its queue, also when it takes it off because no leader
was there in time. The broker never sees that number and refuses every later batch of the partition
(`OutOfOrderSequenceNumber`), for as long as the producer lives. And what a broker may still accept
is repeated for ever. So here each delivery has an end, and a producer that failed at one is
replaced: what others have in flight there still ends, nothing more goes through it.

A record that is sent again by `deliver` may be in the log twice. All that goes this way has an id
that readers know repeats by: commands have theirs, and what is set aside names its offset.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    InvalidTopicError,
    KafkaError,
    MessageSizeTooLargeError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.structs import RecordMetadata

from steplog_contracts.envelope import Record
from steplog_kafka.clients import make_producer
from steplog_kafka.connection import problem_of, start
from steplog_kafka.errors import KafkaProblem, KafkaSilent
from steplog_kafka.settings import Kafka, kafka_settings

# A delivery outlasts one request that is never answered, and the next one to another leader.
REQUESTS_PER_DELIVERY = 1.5
RETRY_DELAY_S = 0.1
# For what a replaced producer still has in flight; after that it is cut off.
FLUSH_TIMEOUT_S = 5.0
CUT_TIMEOUT_S = 5.0
# Sending again would not help.
_FINAL = (
    ClusterAuthorizationFailedError,
    InvalidTopicError,
    MessageSizeTooLargeError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)

Enqueue = Callable[[AIOKafkaProducer], Awaitable["asyncio.Future[RecordMetadata]"]]

_log = structlog.get_logger(__name__)


class LastingProducer:
    """One producer at a time, replaced after a failure; every producer of ours is one."""

    def __init__(self, kafka: Kafka, **options: Any) -> None:
        """`options` are those of `clients.make_producer`."""
        self._kafka = kafka_settings(kafka)
        self._options = options
        self._producer: AIOKafkaProducer | None = None
        self._closed = False
        self._starting = asyncio.Lock()
        self._retiring: set[asyncio.Task[None]] = set()
        self.delivery_timeout_s = self._kafka.request_timeout_ms / 1000 * REQUESTS_PER_DELIVERY

    async def start(self) -> None:
        """Connect; raises `KafkaProblem`. Without it the first delivery connects."""
        await self.current()

    async def stop(self) -> None:
        """Deliver what is in flight, within a bound, and disconnect."""
        self._closed = True
        producer, self._producer = self._producer, None
        if producer is not None:
            await _stop(producer, FLUSH_TIMEOUT_S)
        await asyncio.gather(*self._retiring)

    async def current(self) -> AIOKafkaProducer:
        """Return a producer that is connected.

        Raises:
            KafkaProblem: none can be, now.
        """
        async with self._starting:
            if self._closed:
                raise KafkaSilent("This connection to Kafka was closed.")
            if self._producer is None:
                producer = make_producer(self._kafka, **self._options)
                await start(producer, self._kafka)
                self._producer = producer
            return self._producer

    async def deliver(
        self, topic: str, record: Record, partition: int | None = None
    ) -> RecordMetadata:
        """Append one record and return where; sent again while the delivery's time lasts.

        It goes where its key belongs unless a partition is given.

        Raises:
            KafkaUnreachable, KafkaRefused: no connection; it was not sent.
            KafkaSilent: it was not acknowledged in time and may be in the log.
            KafkaError: the broker refuses it for good.
        """

        def enqueue(producer: AIOKafkaProducer) -> Awaitable["asyncio.Future[RecordMetadata]"]:
            return producer.send(  # type: ignore[no-any-return]
                topic, record.value or b"", record.key, partition, headers=record.headers
            )

        ends_s = time.monotonic() + self.delivery_timeout_s
        last: Exception | None = None
        while True:
            try:
                async with asyncio.timeout(max(0.0, ends_s - time.monotonic())):
                    return await self._once(enqueue)
            except _FINAL:
                raise
            except KafkaProblem as error:
                if last is None:
                    raise
                last = error
            except TimeoutError as error:
                # What is given up must not reach the log after what comes next.
                self._replace(self._producer, flush_s=0.0)
                last = error
            except KafkaError as error:
                last = error
            if time.monotonic() + RETRY_DELAY_S > ends_s:
                reason = str(last) or type(last).__name__
                raise KafkaSilent(
                    f"Kafka at {self._kafka.bootstrap_servers} did not acknowledge it within "
                    f"{self.delivery_timeout_s:g} s ({reason})."
                ) from last
            await asyncio.sleep(RETRY_DELAY_S)

    async def put(self, topic: str, record: Record, partition: int | None = None) -> None:
        """Append one record as `deliver` does; whatever goes wrong is a `KafkaProblem`."""
        try:
            await self.deliver(topic, record, partition)
        except KafkaError as error:
            raise await problem_of(error, self._kafka) from error

    async def append(self, topic: str, partition: int, batch: BatchBuilder) -> RecordMetadata:
        """Append a batch, once; raises `KafkaError` or `KafkaProblem`.

        What is in flight is repeated by the client itself, under the same number, until the
        broker takes or refuses it.
        """
        return await self._once(
            lambda producer: producer.send_batch(batch, topic, partition=partition)
        )

    async def partitions(self, topic: str) -> int:
        """Return how many partitions a topic has; raises `UnknownTopicOrPartitionError`.

        Raises:
            KafkaSilent: no broker says so in time.
        """
        producer = await self.current()
        try:
            async with asyncio.timeout(self.delivery_timeout_s):
                return len(await producer.partitions_for(topic))
        except TimeoutError as error:
            raise KafkaSilent(
                f"Kafka at {self._kafka.bootstrap_servers} does not answer."
            ) from error

    async def _once(self, enqueue: Enqueue) -> RecordMetadata:
        producer = await self.current()
        try:
            acknowledgement = await enqueue(producer)
            return await acknowledgement
        except UnknownTopicOrPartitionError:
            raise  # Nothing was numbered: the topic is asked for first.
        except KafkaError:
            self._replace(producer, FLUSH_TIMEOUT_S)
            raise

    def _replace(self, failed: AIOKafkaProducer | None, flush_s: float) -> None:
        if failed is None or self._producer is not failed:
            return
        self._producer = None
        _log.info("producer_replaced", servers=self._kafka.bootstrap_servers)
        retiring = asyncio.create_task(_stop(failed, flush_s))
        self._retiring.add(retiring)
        retiring.add_done_callback(self._retiring.discard)


async def _stop(producer: AIOKafkaProducer, flush_s: float) -> None:
    """Stop a producer: what it has in flight may still end for a while, then it is cut off."""
    try:
        async with asyncio.timeout(flush_s):
            await producer.stop()
            return
    except TimeoutError:
        pass
    except KafkaError as error:
        _log.info("producer_stopped_hard", reason=str(error))
    # Its connections first: requests on them end at once, and with them what waits to repeat them.
    with suppress(KafkaError, TimeoutError):
        async with asyncio.timeout(CUT_TIMEOUT_S):
            await producer.client.close()
            await producer._sender.close()
    _fail_rest(producer, KafkaError("The connection was given up."))


def _fail_rest(producer: AIOKafkaProducer, error: KafkaError) -> None:
    """Tell whoever waits for a batch that it will not come; who went away is not missed."""
    accumulator = producer._message_accumulator
    queued = [batch for batches in accumulator._batches.values() for batch in batches]
    # Where batches in flight stand: the end of one takes it out there.
    accumulator._pending_batches.update(queued)
    accumulator._exception = error
    for batch in list(accumulator._pending_batches):
        batch.failure(error)
        for waited_for in (batch.future, batch._drain_waiter):
            if waited_for.done() and not waited_for.cancelled():
                waited_for.exception()
