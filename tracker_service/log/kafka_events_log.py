"""`events_log.EventsLog` on Kafka: a connection without a group per reading, or one for many."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Final

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from steplog_kafka.errors import KafkaProblem
from steplog_kafka.reader import LogReader
from steplog_kafka.settings import Kafka, kafka_settings
from tracker_service.log.events_log import EventsLog, LogBounds, LogRemoved, LogUnreachable
from tracker_service.log.kafka_consumer import LogRefused, read_bounds
from tracker_service.projections.record_header import LogRecord

# Without a single record for this long before the end, the broker is taken to be away.
SILENCE_S: Final = 20.0
# Each reading has a connection and buffers of its own; more wait for their turn.
CONCURRENT_READINGS: Final = 4
# How long the broker holds a request for records that are not there yet. One that is held keeps the
# next from being sent, so it is short where one connection goes from place to place.
BROKER_WAIT_MS: Final = 10


class KafkaEventsLog(EventsLog):
    """The events topic of one namespace."""

    def __init__(self, kafka: Kafka, topic: str, kept: LogReader | None = None) -> None:
        """`kept`: one connection for all readings, which then wait for each other."""
        self.topic = topic
        self._kafka = kafka_settings(kafka)
        self._kept = kept
        self._readings = asyncio.Semaphore(CONCURRENT_READINGS if kept is None else 1)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[EventsLog]:
        """Yield this log over one connection; see the port."""
        async with self._reader(fetch_max_wait_ms=BROKER_WAIT_MS) as reader:
            yield KafkaEventsLog(self._kafka, self.topic, reader)

    async def bounds(self) -> LogBounds:
        """Return where each partition begins and ends now."""
        try:
            async with self._readings:
                return await read_bounds(self._kafka, self.topic)
        except (LogRefused, KafkaError) as error:
            raise LogUnreachable(str(error)) from error

    async def offsets_at(self, time: datetime) -> Mapping[int, int]:
        """Return per partition the first offset stamped at or after a time, else its end."""
        ends = (await self.bounds()).ends
        stamp_ms = int(time.timestamp() * 1000)
        asked = {TopicPartition(self.topic, partition): stamp_ms for partition in ends}
        async with self._reader() as reader:
            found = await reader.consumer.offsets_for_times(asked)
        first = {place.partition: at.offset for place, at in found.items() if at is not None}
        return {**ends, **first}

    async def read(
        self, partition: int, start: int, end: int
    ) -> AsyncGenerator[Sequence[LogRecord], None]:
        """Yield the records in [start, end) in runs; see the port."""
        if start >= end:
            return
        clock = asyncio.get_running_loop()
        heard_s = clock.time()
        async with self._reader() as reader:
            async for run in reader.runs(TopicPartition(self.topic, partition), start, end):
                if run:
                    yield run
                    heard_s = clock.time()
                elif clock.time() - heard_s > SILENCE_S:
                    raise LogUnreachable(
                        f"Nothing came from partition {partition} of {self.topic} for "
                        f"{SILENCE_S:.0f} s; is the broker there?"
                    )

    @asynccontextmanager
    async def _reader(self, **options: int) -> AsyncIterator[LogReader]:
        try:
            async with self._readings:
                if self._kept is not None:
                    yield self._kept
                    return
                async with LogReader(self._kafka, **options) as reader:
                    yield reader
        except OffsetOutOfRangeError as error:
            raise LogRemoved(
                f"Records of {self.topic} were removed by retention ({error}); import an archive "
                "that has them."
            ) from error
        except (KafkaError, KafkaProblem) as error:
            raise LogUnreachable(f"The log can't be read: {error}") from error
