"""`events_log.EventsLog` on Kafka: a consumer without a group for each reading."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import datetime
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from steplog_kafka.settings import Kafka, kafka_settings
from tracker_service.log.events_log import LogBounds, LogRemoved, LogUnreachable
from tracker_service.log.kafka_consumer import LogRefused, log_consumer, read_bounds
from tracker_service.projections.record_header import LogRecord

FETCH_TIMEOUT_MS: Final = 500
RUN_RECORDS: Final = 2_000
# Without a single record for this long before the end, the broker is taken to be away.
SILENCE_S: Final = 20.0
# Each reading has a connection and buffers of its own; more wait for their turn.
CONCURRENT_READINGS: Final = 4


class KafkaEventsLog:
    """The events topic of one namespace."""

    def __init__(self, kafka: Kafka, topic: str) -> None:
        self.topic = topic
        self._kafka = kafka_settings(kafka)
        self._readings = asyncio.Semaphore(CONCURRENT_READINGS)

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
        try:
            async with self._readings, log_consumer(self._kafka) as consumer:
                found = await consumer.offsets_for_times(asked)
        except (LogRefused, KafkaError) as error:
            raise LogUnreachable(f"The log can't be read: {error}") from error
        first = {place.partition: at.offset for place, at in found.items() if at is not None}
        return {**ends, **first}

    async def read(
        self, partition: int, start: int, end: int
    ) -> AsyncGenerator[Sequence[LogRecord], None]:
        """Yield the records in [start, end) in runs; see the port."""
        if start >= end:
            return
        place = TopicPartition(self.topic, partition)
        try:
            async with self._readings, log_consumer(self._kafka) as consumer:
                consumer.assign([place])
                consumer.seek(place, start)
                async for records in self._runs(consumer, place, end):
                    yield records
        except OffsetOutOfRangeError as error:
            raise LogRemoved(
                f"Records from offset {start} of partition {partition} of {self.topic} were "
                "removed by retention; import an archive that has them."
            ) from error
        except (LogRefused, KafkaError) as error:
            raise LogUnreachable(f"The log can't be read: {error}") from error

    async def _runs(
        self, consumer: AIOKafkaConsumer, place: TopicPartition, end: int
    ) -> AsyncGenerator[Sequence[LogRecord], None]:
        clock = asyncio.get_running_loop()
        heard_s = clock.time()
        while await consumer.position(place) < end:
            fetched = await consumer.getmany(
                place, timeout_ms=FETCH_TIMEOUT_MS, max_records=RUN_RECORDS
            )
            records = fetched.get(place, [])
            if records:
                heard_s = clock.time()
                within = records if records[-1].offset < end else _before(records, end)
                if within:
                    yield within
            elif clock.time() - heard_s > SILENCE_S:
                raise LogUnreachable(
                    f"Nothing came from partition {place.partition} of {self.topic} for "
                    f"{SILENCE_S:.0f} s; is the broker there?"
                )


def _before(records: Sequence[LogRecord], end: int) -> Sequence[LogRecord]:
    return [record for record in records if record.offset < end]
