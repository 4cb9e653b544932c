"""A range of one partition of the log, in runs of records, without a group."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from tracker_service.events_log import LogRemoved, LogUnreachable
from tracker_service.kafka_events_log import KafkaEventsLog
from tracker_service.log_reader import log_consumer
from tracker_service.projections.headings import LogRecord
from tracker_service.rebuild.errors import RebuildRefused, RebuildStopped

# Records handed over at once: enough to fold in one go, few enough for memory to stay flat.
RUN_MAX_RECORDS = 5000
FETCH_BYTES = 4 * 1024 * 1024
FETCH_WAIT_MS = 1000
STUCK_AFTER_S = 60.0
# Looks without a record before the reader gives up on a range that should be there.
MAX_EMPTY_LOOKS = 30


@dataclass(frozen=True, slots=True)
class Span:
    """Records of one partition from an offset up to, and without, another."""

    topic: str
    partition: int
    begin: int
    end: int


class SpanReader:
    """Reads spans one after another; made by `span_reader`."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer

    async def runs(
        self, span: Span, max_records: int = RUN_MAX_RECORDS
    ) -> AsyncIterator[Sequence[LogRecord]]:
        """Yield the span's records in order.

        Raises:
            RebuildStopped: offsets are missing in between.
            RebuildRefused: the broker does not hand the records over.
        """
        if span.begin >= span.end:
            return
        place = TopicPartition(span.topic, span.partition)
        self._consumer.assign([place])
        self._consumer.seek(place, span.begin)
        due, looks = span.begin, 0
        while due < span.end:
            run = await self._fetch(place, max_records)
            looks = 0 if run else looks + 1
            if looks > MAX_EMPTY_LOOKS:
                raise RebuildRefused(
                    f"Kafka hands over no records of partition {span.partition} of {span.topic} "
                    f"from offset {due}; check the broker, then run this again."
                )
            if not run:
                continue
            _check_order(span, due, run)
            due = run[-1].offset + 1
            yield run if due <= span.end else [r for r in run if r.offset < span.end]

    async def _fetch(self, place: TopicPartition, max_records: int) -> Sequence[Any]:
        try:
            async with asyncio.timeout(STUCK_AFTER_S):
                fetched = await self._consumer.getmany(
                    place, timeout_ms=FETCH_WAIT_MS, max_records=max_records
                )
        except OffsetOutOfRangeError as error:
            raise RebuildStopped(
                f"Records of partition {place.partition} of {place.topic} are not in the log any "
                "more; put them back from an archive with `steplog import`."
            ) from error
        except (KafkaError, TimeoutError) as error:
            raise RebuildRefused(
                f"Partition {place.partition} of {place.topic} can't be read: {error!r}; check the "
                "broker, then run this again."
            ) from error
        records: Sequence[Any] = fetched.get(place, ())
        return records


class SpanLog(KafkaEventsLog):
    """The log over one reader, for many short looks in turn."""

    def __init__(self, reader: SpanReader, bootstrap_servers: str, topic: str) -> None:
        super().__init__(bootstrap_servers, topic)
        self._reader = reader

    async def read(
        self, partition: int, start: int, end: int
    ) -> AsyncGenerator[Sequence[LogRecord], None]:
        """Yield the records in [start, end) in runs; see the port."""
        try:
            async for run in self._reader.runs(Span(self.topic, partition, start, end)):
                yield run
        except RebuildStopped as error:
            raise LogRemoved(str(error)) from error
        except RebuildRefused as error:
            raise LogUnreachable(str(error)) from error


@asynccontextmanager
async def span_reader(bootstrap_servers: str) -> AsyncIterator[SpanReader]:
    """Yield a reader; raises `LogRefused` if no broker answers."""
    async with log_consumer(bootstrap_servers, fetch_bytes=FETCH_BYTES) as consumer:
        yield SpanReader(consumer)


def _check_order(span: Span, due: int, run: Sequence[LogRecord]) -> None:
    if run[0].offset == due and run[-1].offset - due + 1 == len(run):
        return
    for expected, record in enumerate(run, due):
        if record.offset != expected:
            raise RebuildStopped(
                f"Partition {span.partition} of {span.topic} has no records from offset {expected} "
                f"to {record.offset - 1}; restore them, or rebuild only what began after them with "
                "--since."
            )
