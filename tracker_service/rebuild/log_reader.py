"""A range of one partition of the log, in runs of records, without a group."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from steplog_kafka.errors import KafkaProblem
from steplog_kafka.reader import LogReader
from steplog_kafka.settings import Kafka
from tracker_service.log.kafka_consumer import LogRefused
from tracker_service.log.kafka_events_log import BROKER_WAIT_MS
from tracker_service.projections.record_header import LogRecord
from tracker_service.rebuild.errors import RebuildRefused, RebuildStopped

# Records handed over at once: enough to fold in one go, few enough for memory to stay flat.
RUN_MAX_RECORDS = 5000
FETCH_BYTES = 2 * 1024 * 1024
# Looks of half a second without a record before a range that should be there is given up.
MAX_EMPTY_LOOKS = 60


@dataclass(frozen=True, slots=True)
class Span:
    """Records of one partition from an offset up to, and without, another."""

    topic: str
    partition: int
    begin: int
    end: int


class SpanReader:
    """Reads spans one after another; made by `span_reader`."""

    def __init__(self, reader: LogReader) -> None:
        self._reader = reader

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
        due, looks = span.begin, 0
        with _log_errors(span.topic):
            async for run in self._reader.runs(place, span.begin, span.end, max_records):
                looks = 0 if run else looks + 1
                if looks > MAX_EMPTY_LOOKS:
                    raise RebuildRefused(_silent(place, due))
                if run:
                    _check_order(span, due, run)
                    due = run[-1].offset + 1
                    yield run
        if due < span.end:
            raise RebuildStopped(_missing(span, due, span.end))

    def tail(self, topic: str, begins: Mapping[int, int]) -> "TailReader":
        """Return a reader that follows all partitions; spans can't be read any more then."""
        return TailReader(self._reader, topic, begins)


class TailReader:
    """Follows all partitions at once from where it is begun; fetches ahead of what is asked for."""

    def __init__(self, reader: LogReader, topic: str, begins: Mapping[int, int]) -> None:
        self._reader = reader
        self._topic = topic
        self._places = {partition: TopicPartition(topic, partition) for partition in begins}
        self._ahead: dict[int, list[LogRecord]] = {partition: [] for partition in begins}
        self._next = dict(begins)
        reader.consumer.assign(list(self._places.values()))
        for partition, begin in begins.items():
            reader.consumer.seek(self._places[partition], begin)

    async def runs(
        self, ends: Mapping[int, int], max_records: int
    ) -> AsyncIterator[Mapping[int, Sequence[LogRecord]]]:
        """Yield the next records of each partition before its end, until all are there.

        Raises:
            RebuildRefused: the broker does not hand them over.
        """
        looks = 0
        while due := [p for p, end in ends.items() if self._next[p] < end]:
            await self._fetch([self._places[p] for p in due if not self._ahead[p]], max_records)
            runs = {p: run for p in due if (run := self._taken(p, ends[p]))}
            looks = 0 if runs else looks + 1
            if looks > MAX_EMPTY_LOOKS:
                raise RebuildRefused(_silent(self._places[due[0]], self._next[due[0]]))
            if runs:
                yield runs

    async def _fetch(self, places: Sequence[TopicPartition], max_records: int) -> None:
        if places:
            with _log_errors(self._topic):
                fetched = await self._reader.fetch(places, max_records)
            for place, records in fetched.items():
                self._ahead[place.partition] += records

    def _taken(self, partition: int, end: int) -> Sequence[LogRecord]:
        ahead = self._ahead[partition]
        count = sum(record.offset < end for record in ahead)
        run, self._ahead[partition] = ahead[:count], ahead[count:]
        if run:
            self._next[partition] = run[-1].offset + 1
        return run


@asynccontextmanager
async def span_reader(kafka: Kafka) -> AsyncIterator[SpanReader]:
    """Yield a reader; raises `LogRefused` if no broker answers."""
    options = {"max_partition_fetch_bytes": FETCH_BYTES, "fetch_max_wait_ms": BROKER_WAIT_MS}
    try:
        async with LogReader(kafka, **options) as reader:
            yield SpanReader(reader)
    except KafkaProblem as error:
        raise LogRefused(str(error)) from error


@contextmanager
def _log_errors(topic: str) -> Iterator[None]:
    try:
        yield
    except OffsetOutOfRangeError as error:
        raise RebuildStopped(
            f"Records of {topic} are not in the log any more; put them back from an archive with "
            "`steplog import`."
        ) from error
    except (KafkaError, KafkaProblem) as error:
        raise RebuildRefused(
            f"{topic} can't be read: {error!r}; check the broker, then run this again."
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
            raise RebuildStopped(_missing(span, expected, record.offset))


def _missing(span: Span, first: int, behind: int) -> str:
    return (
        f"Partition {span.partition} of {span.topic} has no records from offset {first} to "
        f"{behind - 1}; restore them, or rebuild only what began after them with --since."
    )
