"""A range of one partition of the log, in runs of records, without a group."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from steplog_kafka.settings import Kafka
from tracker_service.log.events_log import LogRemoved, LogUnreachable
from tracker_service.log.kafka_consumer import log_consumer
from tracker_service.log.kafka_events_log import KafkaEventsLog
from tracker_service.projections.record_header import LogRecord
from tracker_service.rebuild.errors import RebuildRefused, RebuildStopped

# Records handed over at once: enough to fold in one go, few enough for memory to stay flat.
RUN_MAX_RECORDS = 5000
FETCH_BYTES = 2 * 1024 * 1024
FETCH_WAIT_MS = 1000
BROKER_WAIT_MS = 10
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
            run = (await _getmany(self._consumer, [place], max_records)).get(place, ())
            looks = 0 if run else looks + 1
            if looks > MAX_EMPTY_LOOKS:
                raise RebuildRefused(_silent(place, due))
            if not run:
                continue
            _check_order(span, due, run)
            due = run[-1].offset + 1
            yield run if due <= span.end else [r for r in run if r.offset < span.end]

    def tail(self, topic: str, begins: Mapping[int, int]) -> "TailReader":
        """Return a reader that follows all partitions; spans can't be read any more then."""
        return TailReader(self._consumer, topic, begins)


class TailReader:
    """Follows all partitions at once from where it is begun; fetches ahead of what is asked for."""

    def __init__(self, consumer: AIOKafkaConsumer, topic: str, begins: Mapping[int, int]) -> None:
        self._consumer = consumer
        self._places = {partition: TopicPartition(topic, partition) for partition in begins}
        self._ahead: dict[int, list[LogRecord]] = {partition: [] for partition in begins}
        self._next = dict(begins)
        consumer.assign(list(self._places.values()))
        for partition, begin in begins.items():
            consumer.seek(self._places[partition], begin)

    async def runs(
        self, ends: Mapping[int, int], max_records: int
    ) -> AsyncIterator[Mapping[int, Sequence[LogRecord]]]:
        """Yield the next records of each partition before its end, until all are there.

        Raises:
            RebuildRefused: the broker does not hand them over.
        """
        looks = 0
        while due := [p for p, end in ends.items() if self._next[p] < end]:
            fetched = await _getmany(
                self._consumer, [self._places[p] for p in due if not self._ahead[p]], max_records
            )
            for place, records in fetched.items():
                self._ahead[place.partition] += records
            runs = {p: run for p in due if (run := self._taken(p, ends[p]))}
            looks = 0 if runs else looks + 1
            if looks > MAX_EMPTY_LOOKS:
                raise RebuildRefused(_silent(self._places[due[0]], self._next[due[0]]))
            if runs:
                yield runs

    def _taken(self, partition: int, end: int) -> Sequence[LogRecord]:
        ahead = self._ahead[partition]
        count = sum(record.offset < end for record in ahead)
        run, self._ahead[partition] = ahead[:count], ahead[count:]
        if run:
            self._next[partition] = run[-1].offset + 1
        return run


class SpanLog(KafkaEventsLog):
    """The log over one reader, for many short looks in turn."""

    def __init__(self, reader: SpanReader, kafka: Kafka, topic: str) -> None:
        super().__init__(kafka, topic)
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
async def span_reader(kafka: Kafka) -> AsyncIterator[SpanReader]:
    """Yield a reader; raises `LogRefused` if no broker answers."""
    async with log_consumer(kafka, FETCH_BYTES, BROKER_WAIT_MS) as consumer:
        yield SpanReader(consumer)


async def _getmany(
    consumer: AIOKafkaConsumer, places: Sequence[TopicPartition], max_records: int
) -> Mapping[TopicPartition, Sequence[Any]]:
    if not places:
        return {}
    try:
        async with asyncio.timeout(STUCK_AFTER_S):
            fetched: Mapping[TopicPartition, Sequence[Any]] = await consumer.getmany(
                *places, timeout_ms=FETCH_WAIT_MS, max_records=max_records
            )
            return fetched
    except OffsetOutOfRangeError as error:
        raise RebuildStopped(
            f"Records of {places[0].topic} are not in the log any more; put them back from an "
            "archive with `steplog import`."
        ) from error
    except (KafkaError, TimeoutError) as error:
        raise RebuildRefused(
            f"{places[0].topic} can't be read: {error!r}; check the broker, then run this again."
        ) from error


def _silent(place: TopicPartition, due: int) -> str:
    return (
        f"Kafka hands over no records of partition {place.partition} of {place.topic} from offset "
        f"{due}; check the broker, then run this again."
    )


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
