"""The events topic on Kafka: one idempotent producer, whole batches, ranges read without a group.

Why batches are built by hand: `create_batch` and `send_batch` cost 2 to 7 us of CPU for an event
where `send` costs 11 to 15 us. Why no transactions: 29 ms at the median for one message.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence

from aiokafka import TopicPartition
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from executor_service.errors import LogLostRecords
from executor_service.metrics.execution_counts import AppendCounts
from executor_service.ports.event_log import Appended, LoggedRecord
from steplog_contracts.envelope import Record
from steplog_contracts.errors import UnwritablePayload
from steplog_contracts.limits import MAX_RECORD_BYTES, MAX_REQUEST_BYTES
from steplog_kafka.connection import close
from steplog_kafka.producer import LastingProducer
from steplog_kafka.reader import LogReader
from steplog_kafka.settings import Kafka, kafka_settings

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
        self._looker: LogReader | None = None

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
        async with self._reads, self._reader() as reader:
            return (await reader.ends([self._place(partition)]))[partition]

    async def begin_offset(self, partition: int) -> int:
        """Return the first offset that retention has left."""
        async with self._reads, self._reader() as reader:
            return (await reader.begins([self._place(partition)]))[partition]

    async def ends(self, partitions: Iterable[int]) -> Mapping[int, int]:
        """Return the offset the next append to each partition will get, over a kept connection."""
        places = [self._place(partition) for partition in partitions]
        if not places:
            return {}
        try:
            async with asyncio.timeout(ENDS_TIMEOUT_S):
                if self._looker is None:
                    self._looker = self._reader()
                    await self._looker.__aenter__()
                return await self._looker.ends(places)
        except BaseException:
            await self._drop_looker()
            raise

    async def _drop_looker(self) -> None:
        looker, self._looker = self._looker, None
        if looker is not None:
            await close(looker.consumer)

    async def read(self, partition: int, start: int, end: int) -> AsyncIterator[LoggedRecord]:
        """Yield the records in [start, end); what retention removed is skipped.

        Raises:
            LogLostRecords: the log ends before `end` meanwhile.
        """
        if start >= end:
            return
        place = self._place(partition)
        async with self._reads, self._reader() as reader:
            first = max(start, (await reader.begins([place]))[partition])
            async for run in reader.runs(place, first, end):
                if not run and (now := (await reader.ends([place]))[partition]) < end:
                    raise LogLostRecords(
                        f"Partition {partition} of {self.topic} was to be read up to offset {end} "
                        f"and ends at {now}: it lost records."
                    )
                for message in run:
                    if message.offset < first:
                        raise LogLostRecords(
                            f"Partition {partition} of {self.topic} begins anew: it lost records."
                        )
                    yield LoggedRecord(message.offset, message.value, list(message.headers))

    def _place(self, partition: int) -> TopicPartition:
        return TopicPartition(self.topic, partition)

    def _reader(self) -> LogReader:
        return LogReader(self._kafka, auto_offset_reset="earliest")


def _size(record: Record) -> int:
    return len(record.value or b"") + sum(
        len(name) + len(value or b"") for name, value in record.headers
    )


def encodes_in_c() -> bool:
    """Return whether records are encoded in C; the pure Python path costs ten times as much."""
    return "_crecords" in str(DefaultRecordBatchBuilder.__module__)
