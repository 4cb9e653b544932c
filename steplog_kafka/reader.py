"""Topics read without a group: where partitions begin and end, and ranges of one partition."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from types import TracebackType
from typing import Any, Final

from aiokafka import TopicPartition
from aiokafka.structs import ConsumerRecord

from steplog_contracts.limits import MAX_REQUEST_BYTES
from steplog_kafka.clients import make_consumer
from steplog_kafka.connection import close, start
from steplog_kafka.errors import KafkaSilent
from steplog_kafka.settings import Kafka, kafka_settings

FETCH_TIMEOUT_MS: Final = 500
RUN_RECORDS: Final = 2_000
# Of a fetch, which the client bounds by itself unless it has lost its way.
STUCK_AFTER_S: Final = 60.0

Places = Sequence[TopicPartition]


class LogReader:
    """One connection; an async context manager whose start raises `KafkaProblem`."""

    def __init__(self, kafka: Kafka, **options: Any) -> None:
        """`options` are those of `clients.make_consumer`."""
        self._kafka = kafka_settings(kafka)
        bounds = {"auto_offset_reset": "none", "max_partition_fetch_bytes": MAX_REQUEST_BYTES}
        self.consumer = make_consumer(self._kafka, **{**bounds, **options})

    async def __aenter__(self) -> "LogReader":
        await start(self.consumer, self._kafka)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await close(self.consumer)

    async def places(self, topic: str) -> Places:
        """Return the partitions of a topic; none where the broker asked knows no such topic."""
        # The consumer knows only topics it reads; the broker is asked for all of them.
        cluster = await self.consumer._client.fetch_all_metadata()
        return [
            TopicPartition(topic, number)
            for number in sorted(cluster.partitions_for_topic(topic) or ())
        ]

    async def begins(self, places: Places) -> dict[int, int]:
        """Return by partition the first offset that retention has left."""
        self._look_at(places)
        return _by_partition(await self.consumer.beginning_offsets(places))

    async def ends(self, places: Places) -> dict[int, int]:
        """Return by partition the offset that the next record will get."""
        self._look_at(places)
        return _by_partition(await self.consumer.end_offsets(places))

    async def runs(
        self, place: TopicPartition, start: int, end: int, max_records: int = RUN_RECORDS
    ) -> AsyncGenerator[Sequence[ConsumerRecord], None]:
        """Yield the records in [start, end) in order; an empty run says that nothing came lately.

        Raises:
            OffsetOutOfRangeError: they are not in the log any more, and nothing says to go on.
            KafkaError, KafkaSilent: the broker does not hand them over.
        """
        self.consumer.assign([place])
        self.consumer.seek(place, start)
        while await self.consumer.position(place) < end:
            run = (await self.fetch([place], max_records)).get(place, ())
            yield run if not run or run[-1].offset < end else [r for r in run if r.offset < end]

    async def fetch(
        self, places: Places, max_records: int = RUN_RECORDS
    ) -> Mapping[TopicPartition, Sequence[ConsumerRecord]]:
        """Return the next records of places that are assigned; raises as `runs`."""
        try:
            async with asyncio.timeout(STUCK_AFTER_S):
                found: Mapping[TopicPartition, Sequence[ConsumerRecord]]
                found = await self.consumer.getmany(
                    *places, timeout_ms=FETCH_TIMEOUT_MS, max_records=max_records
                )
                return found
        except TimeoutError as error:
            raise KafkaSilent(
                f"Kafka at {self._kafka.bootstrap_servers} hands over no records."
            ) from error

    def _look_at(self, places: Places) -> None:
        if self.consumer.assignment() != set(places):
            self.consumer.assign(places)
            self.consumer.pause(*places)  # Nothing is to be fetched.


def _by_partition(offsets: Mapping[TopicPartition, int]) -> dict[int, int]:
    return {place.partition: int(offset) for place, offset in offsets.items()}
