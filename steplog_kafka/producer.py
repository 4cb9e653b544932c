"""A producer that goes on after any outage, without a restart of the process it is in.

aiokafka numbers a batch when it takes it off its queue, also when it takes it off because no leader
was there in time. The broker never sees that number and refuses every later batch of the partition
(`OutOfOrderSequenceNumber`), for as long as the producer lives. And what a broker may still accept
is repeated for ever. So here each delivery has an end, and a producer that failed at one is
replaced: what others have in flight there still ends, nothing more goes through it.

Connecting has its own time, longer than a delivery's: with silent brokers among those that are
asked it takes a request's time limit for each. A delivery that ends first leaves it going for the
next one; were it begun again each time, it would never end.

A record that is sent again by `deliver` may be in the log twice. All that goes this way has an id
that readers know repeats by: commands have theirs, and what is set aside names its offset.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    InvalidTopicError,
    KafkaConnectionError,
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
from steplog_kafka.producer_end import stop_producer
from steplog_kafka.settings import Kafka, kafka_settings

# A delivery outlasts one request that is never answered, and the next one to another leader.
REQUESTS_PER_DELIVERY = 1.5
RETRY_DELAY_S = 0.1
# Beside one request to each address: for the producer's number and what is asked again.
REQUESTS_TO_CONNECT = 8
# For what a replaced producer still has in flight; after that it is cut off.
FLUSH_TIMEOUT_S = 5.0
# Sending again would not help.
_FINAL = (
    ClusterAuthorizationFailedError,
    InvalidTopicError,
    MessageSizeTooLargeError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)

_CLOSED = "This connection to Kafka was closed."

Enqueued = Awaitable["asyncio.Future[RecordMetadata]"]
Enqueue = Callable[[AIOKafkaProducer], Enqueued]

_log = structlog.get_logger(__name__)


class LastingProducer:
    """One producer at a time, replaced after a failure; every producer of ours is one."""

    def __init__(self, kafka: Kafka, **options: Any) -> None:
        """`options` are those of `clients.make_producer`."""
        self._kafka = kafka_settings(kafka)
        self._options = options
        self._producer: AIOKafkaProducer | None = None
        self._closed = False
        self._connecting: asyncio.Task[AIOKafkaProducer] | None = None
        self._retiring: set[asyncio.Task[None]] = set()
        self.delivery_timeout_s = self._kafka.request_timeout_ms / 1000 * REQUESTS_PER_DELIVERY

    async def start(self) -> None:
        """Connect; raises `KafkaProblem`. Without it the first delivery connects."""
        await self.current()

    async def stop(self) -> None:
        """Deliver what is in flight, within a bound, and disconnect."""
        self._closed = True
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.wait([self._connecting])
        producer, self._producer = self._producer, None
        if producer is not None:
            await stop_producer(producer, FLUSH_TIMEOUT_S)
        await asyncio.gather(*self._retiring)

    async def current(self) -> AIOKafkaProducer:
        """Return a producer that is connected.

        Raises:
            KafkaProblem: none can be, now.
        """
        if self._closed:
            raise KafkaSilent(_CLOSED)
        if self._producer is not None:
            return self._producer
        if self._connecting is None or self._connecting.done():
            self._connecting = asyncio.create_task(self._connect())
            # Whoever waited may be gone; the next one connects afresh and hears why not.
            self._connecting.add_done_callback(lambda done: done.cancelled() or done.exception())
        connecting = self._connecting
        try:
            return await asyncio.shield(connecting)
        except asyncio.CancelledError:
            if connecting.cancelled():
                raise KafkaSilent(_CLOSED) from None
            raise

    async def _connect(self) -> AIOKafkaProducer:
        producer = make_producer(self._kafka, **self._options)
        requests = len(self._kafka.servers) + REQUESTS_TO_CONNECT
        try:
            async with asyncio.timeout(requests * self._kafka.request_timeout_ms / 1000):
                await start(producer, self._kafka)
        except TimeoutError as error:
            raise KafkaSilent(
                f"Kafka at {self._kafka.bootstrap_servers} accepts connections and does not answer."
            ) from error
        self._producer = producer
        return producer

    async def deliver(
        self, topic: str, record: Record, partition: int | None = None
    ) -> RecordMetadata:
        """Append one record and return where; sent again while the delivery's time lasts.

        It goes where its key belongs unless a partition is given. Waiting for a connection takes
        as long again at most.

        Raises:
            KafkaUnreachable, KafkaRefused: no connection; it was not sent.
            KafkaSilent: it was not acknowledged in time and may be in the log.
            KafkaError: the broker refuses it for good.
        """

        def enqueue(producer: AIOKafkaProducer) -> Enqueued:
            return producer.send(  # type: ignore[no-any-return]
                topic, record.value or b"", record.key, partition, headers=record.headers
            )

        await self._connected_in_time()
        ends_s = time.monotonic() + self.delivery_timeout_s
        last: Exception | None = None
        while True:
            try:
                return await self._once(enqueue, ends_s)
            except _FINAL:
                raise
            except KafkaProblem as error:
                if last is None:
                    raise
                last = error
            except (KafkaError, TimeoutError) as error:
                last = error
            if time.monotonic() + RETRY_DELAY_S > ends_s:
                reason = str(last) or type(last).__name__
                raise KafkaSilent(
                    f"Kafka at {self._kafka.bootstrap_servers} did not acknowledge it within "
                    f"{self.delivery_timeout_s:g} s ({reason})."
                ) from last
            await asyncio.sleep(RETRY_DELAY_S)

    async def _connected_in_time(self) -> None:
        try:
            async with asyncio.timeout(self.delivery_timeout_s):
                await self.current()
        except TimeoutError as error:
            raise KafkaSilent(
                f"Kafka at {self._kafka.bootstrap_servers} does not answer."
            ) from error

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
        silent = KafkaSilent(f"Kafka at {self._kafka.bootstrap_servers} does not answer.")
        try:
            async with asyncio.timeout(self.delivery_timeout_s):
                producer = await self.current()
                return len(await producer.partitions_for(topic))
        except TimeoutError as error:
            raise silent from error
        except UnknownTopicOrPartitionError as error:
            if await self._answers(producer):
                raise
            raise silent from error

    async def _once(self, enqueue: Enqueue, ends_s: float | None = None) -> RecordMetadata:
        """Send once; raises `TimeoutError` at `ends_s`, by the monotonic clock."""
        loop = asyncio.get_running_loop()
        when = None if ends_s is None else loop.time() + max(0.0, ends_s - time.monotonic())
        producer: AIOKafkaProducer | None = None
        acknowledgement: asyncio.Future[RecordMetadata] | None = None
        try:
            async with asyncio.timeout_at(when):
                producer = await self.current()
                acknowledgement = await enqueue(producer)
                return await acknowledgement
        except TimeoutError:
            # What is given up must not reach the log after what comes next. Where nothing was
            # given, the producer stays: it is just learning who leads.
            if acknowledgement is not None:
                self._replace(producer, flush_s=0.0)
            raise
        except UnknownTopicOrPartitionError as error:
            # Nothing was numbered: the topic is asked for first. It is also what aiokafka says
            # where nobody answered.
            if producer is None or not await self._answers(producer):
                raise KafkaConnectionError("No broker answers.") from error
            raise
        except KafkaError:
            self._replace(producer, FLUSH_TIMEOUT_S)
            raise

    async def _answers(self, producer: AIOKafkaProducer) -> bool:
        try:
            async with asyncio.timeout(self.delivery_timeout_s):
                return bool(await producer.client.force_metadata_update())
        except TimeoutError:
            return False

    def _replace(self, failed: AIOKafkaProducer | None, flush_s: float) -> None:
        if failed is None or self._producer is not failed:
            return
        self._producer = None
        _log.info("producer_replaced", servers=self._kafka.bootstrap_servers)
        retiring = asyncio.create_task(stop_producer(failed, flush_s))
        self._retiring.add(retiring)
        retiring.add_done_callback(self._retiring.discard)
