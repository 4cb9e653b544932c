"""The events topic on Kafka: one idempotent producer, whole batches, ranges read without a group.

Why batches are built by hand: `create_batch` and `send_batch` cost 2 to 7 us of CPU for an event
where `send` costs 11 to 15 us. Why no transactions: 29 ms at the median for one message.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from executor_service.errors import LogLostRecords
from executor_service.metrics.execution_counts import AppendCounts
from executor_service.ports.event_log import Appended, LoggedRecord
from steplog_contracts.envelope import Record
from steplog_contracts.errors import UnwritablePayload
from steplog_contracts.limits import MAX_RECORD_BYTES, MAX_REQUEST_BYTES
from steplog_kafka.clients import make_consumer
from steplog_kafka.connection import start
from steplog_kafka.producer import LastingProducer
from steplog_kafka.settings import Kafka, KafkaSettings, kafka_settings

READ_TIMEOUT_MS = 500
READ_RECORDS = 2_000
# Ranges are read on takeover and on a hole; more at once would only share the same two cores.
CONCURRENT_READS = 4
# For the ends of partitions; whoever asks does so again.
ENDS_TIMEOUT_S = 5.0
_UNKNOWN_OFFSET = -1


class KafkaEventLog:
    """The events topic; satisfies `event_log.EventLog`. Use as an async context manager."""

    def __init__(self, kafka: Kafka, topic: str, counts: AppendCounts | None = None) -> None:
        self._counts = counts or AppendCounts()
        self._kafka = kafka_settings(kafka)
        self.topic = topic
        self._reads = asyncio.Semaphore(CONCURRENT_READS)
        self._producer = LastingProducer(
            self._kafka,
            linger_ms=0,
            max_batch_size=MAX_RECORD_BYTES,
            max_request_size=MAX_REQUEST_BYTES,
        )
        self._looker: _Reader | None = None

    async def __aenter__(self) -> "KafkaEventLog":
        await self._producer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._drop_looker()
        await self._producer.stop()

    async def append(self, partition: int, records: Sequence[Record]) -> Appended:
        """Append as many as fit one batch; see `EventLog.append`.

        Raises:
            UnwritablePayload: the first record alone is larger than a batch may be.
        """
        batch = (await self._producer.current()).create_batch()
        count = 0
        for record in records:
            added = batch.append(
                key=record.key, value=record.value, timestamp=None, headers=record.headers
            )
            if added is None:
                break
            count += 1
        if count == 0 or batch.size() > MAX_REQUEST_BYTES:
            raise UnwritablePayload(
                f"An event of {_size(records[0])} bytes is larger than the log takes "
                f"({MAX_RECORD_BYTES} bytes); return a reference instead of the data."
            )
        batch.close()
        began_s = time.monotonic()
        offset = (await self._producer.append(self.topic, partition, batch)).offset
        self._counts.take(count, time.monotonic() - began_s)
        return Appended(None if offset == _UNKNOWN_OFFSET else offset, count)

    async def end_offset(self, partition: int) -> int:
        """Return the offset the next append will get."""
        tp = TopicPartition(self.topic, partition)
        async with self._reads, self._reader() as consumer:
            consumer.assign([tp])
            return int((await consumer.end_offsets([tp]))[tp])

    async def begin_offset(self, partition: int) -> int:
        """Return the first offset that retention has left."""
        tp = TopicPartition(self.topic, partition)
        async with self._reads, self._reader() as consumer:
            consumer.assign([tp])
            return int((await consumer.beginning_offsets([tp]))[tp])

    async def ends(self, partitions: Iterable[int]) -> Mapping[int, int]:
        """Return the offset the next append to each partition will get, over a kept connection."""
        places = [TopicPartition(self.topic, partition) for partition in partitions]
        if not places:
            return {}
        try:
            async with asyncio.timeout(ENDS_TIMEOUT_S):
                if self._looker is None:
                    self._looker = self._reader()
                    await self._looker.__aenter__()
                consumer = self._looker.consumer
                if consumer.assignment() != set(places):
                    consumer.assign(places)
                    consumer.pause(*places)  # Nothing is to be fetched.
                ends = await consumer.end_offsets(places)
        except BaseException:
            await self._drop_looker()
            raise
        return {place.partition: int(end) for place, end in ends.items()}

    async def _drop_looker(self) -> None:
        looker, self._looker = self._looker, None
        if looker is not None:
            await looker.__aexit__()

    async def read(self, partition: int, start: int, end: int) -> AsyncIterator[LoggedRecord]:
        """Yield the records in [start, end); what retention removed is skipped.

        Raises:
            LogLostRecords: the log ends before `end` meanwhile.
        """
        if start >= end:
            return
        tp = TopicPartition(self.topic, partition)
        async with self._reads, self._reader() as consumer:
            consumer.assign([tp])
            first = max(start, (await consumer.beginning_offsets([tp]))[tp])
            consumer.seek(tp, first)
            while await consumer.position(tp) < end:
                fetched = await consumer.getmany(
                    tp, timeout_ms=READ_TIMEOUT_MS, max_records=READ_RECORDS
                )
                if not fetched and (ends := (await consumer.end_offsets([tp]))[tp]) < end:
                    raise LogLostRecords(
                        f"Partition {partition} of {self.topic} was to be read up to offset {end} "
                        f"and ends at {ends}: it lost records."
                    )
                for message in fetched.get(tp, ()):
                    if message.offset < first:
                        raise LogLostRecords(
                            f"Partition {partition} of {self.topic} begins anew: it lost records."
                        )
                    if message.offset >= end:
                        return
                    yield LoggedRecord(message.offset, message.value, list(message.headers))

    def _reader(self) -> "_Reader":
        return _Reader(self._kafka)


class _Reader:
    """A consumer without a group, started and stopped around one read."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        self.consumer = make_consumer(
            kafka,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=MAX_REQUEST_BYTES,
        )

    async def __aenter__(self) -> AIOKafkaConsumer:
        await start(self.consumer, self._kafka)
        return self.consumer

    async def __aexit__(self, *_: object) -> None:
        await self.consumer.stop()


def _size(record: Record) -> int:
    return len(record.value or b"") + sum(
        len(name) + len(value or b"") for name, value in record.headers
    )


def encodes_in_c() -> bool:
    """Return whether records are encoded in C; the pure Python path costs ten times as much."""
    return "_crecords" in str(DefaultRecordBatchBuilder.__module__)
