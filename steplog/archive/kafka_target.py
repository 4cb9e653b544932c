"""`importing.ImportTarget` on Kafka."""

import uuid
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from types import TracebackType
from typing import Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.producer.message_accumulator import BatchBuilder

from steplog.admin.topics import apply_topics
from steplog.archive.epoch_rebase import IMPORT_OWNER, import_claim
from steplog.archive.importer import LogNotEmpty
from steplog.errors import BadInput, ServiceUnreachable
from steplog_contracts.envelope import Record
from steplog_contracts.events import PartitionClaimed
from steplog_contracts.limits import MAX_RECORD_BYTES, MAX_REQUEST_BYTES
from steplog_contracts.topics import Topics
from steplog_kafka.errors import KafkaProblem
from steplog_kafka.producer import LastingProducer
from steplog_kafka.settings import Kafka, kafka_settings
from tracker_service.log.kafka_events_log import KafkaEventsLog
from tracker_service.projections.record_header import LogRecord

_CLAIM: Final = ("ce_type", PartitionClaimed.event_type.encode())
_UNKNOWN_OFFSET: Final = -1


class KafkaImportTarget:
    """The topics of one namespace; an async context manager."""

    def __init__(self, kafka: Kafka, topics: Topics, replication_factor: int | None = None) -> None:
        """Topics that are missing are made with so many replicas; see `apply_topics`."""
        self._kafka = kafka_settings(kafka)
        self._replication_factor = replication_factor
        self._topics = topics
        self._log = KafkaEventsLog(self._kafka, topics.events.name)
        self._next: dict[int, int] = {}
        self._producer = LastingProducer(
            self._kafka,
            linger_ms=0,
            max_batch_size=MAX_RECORD_BYTES,
            max_request_size=MAX_REQUEST_BYTES,
        )

    async def __aenter__(self) -> "KafkaImportTarget":
        try:
            await self._producer.start()
        except KafkaProblem as error:
            raise ServiceUnreachable(str(error)) from error
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._producer.stop()

    async def prepare(self, partitions: int) -> None:
        """Make missing topics; refuse those with another count, and any that others wrote to."""
        assert partitions == self._topics.events.partitions
        await apply_topics(self._kafka, tuple(self._topics), self._replication_factor)
        for topic in (self._topics.commands, self._topics.parked, self._topics.seen):
            bounds = await KafkaEventsLog(self._kafka, topic.name).bounds()
            if any(bounds.ends.values()):
                raise LogNotEmpty(
                    f"The topic {topic.name} is not empty: this cluster has been at work. Import "
                    "into an empty one, or into other topics with --into-namespace."
                )
        self._next = dict((await self._log.bounds()).ends)

    async def imported(self, partition: int) -> AsyncGenerator[Record, None]:
        """Yield the events an earlier run has written; raise `LogNotEmpty` for claims of others."""
        async with aclosing(self._log.read(partition, 0, self._next[partition])) as runs:
            async for records in runs:
                for record in records:
                    if _CLAIM not in record.headers:
                        yield Record(record.key, record.value, list(record.headers))
                    elif not _is_ours(record):
                        raise LogNotEmpty(
                            f"Partition {partition} of {self._topics.events.name} belongs to an "
                            "executor; import into an empty cluster, or with --into-namespace."
                        )

    async def claim(self, partition: int) -> int:
        """Claim a partition for this run and return the epoch."""
        now = datetime.now(UTC)
        epoch = self._next[partition]
        record = import_claim(partition, str(uuid.uuid4()), now)
        await self.append(partition, [(record, int(now.timestamp() * 1000))])
        return epoch

    async def append(self, partition: int, batch: Sequence[tuple[Record, int]]) -> None:
        """Append records one batch after another; each must follow this writer's last."""
        place = 0
        while place < len(batch):
            builder = (await self._connected()).create_batch()
            first = place
            for record, timestamp_ms in batch[place:]:
                added = builder.append(
                    key=record.key,
                    value=record.value,
                    timestamp=timestamp_ms,
                    headers=record.headers,
                )
                if added is None:
                    break
                place += 1
            if place == first:
                raise BadInput(
                    f"An event of {len(batch[place][0].value or b'')} bytes is larger than the log "
                    f"takes ({MAX_RECORD_BYTES} bytes)."
                )
            builder.close()
            await self._send(partition, builder, place - first)

    async def send_commands(self, records: Sequence[Record]) -> None:
        """Append commands, each where its key belongs; they come after all events."""
        try:
            for record in records:
                await self._producer.deliver(self._topics.commands.name, record)
        except (KafkaError, KafkaProblem, OSError) as error:
            raise ServiceUnreachable(
                f"Kafka at {self._kafka.bootstrap_servers} did not take a command ({error}); "
                "fill other topics, with --into-namespace: these have some of the commands already."
            ) from error

    async def _connected(self) -> AIOKafkaProducer:
        try:
            return await self._producer.current()
        except KafkaProblem as error:
            raise ServiceUnreachable(str(error)) from error

    async def _send(self, partition: int, builder: BatchBuilder, count: int) -> None:
        try:
            placed = await self._producer.append(self._topics.events.name, partition, builder)
        except (KafkaError, KafkaProblem, OSError) as error:
            raise ServiceUnreachable(
                f"Kafka at {self._kafka.bootstrap_servers} did not take the events ({error}); "
                "run the same import again, it goes on where it stopped."
            ) from error
        if placed.offset not in (self._next[partition], _UNKNOWN_OFFSET):
            raise LogNotEmpty(
                f"Somebody else writes to partition {partition} of {self._topics.events.name}; "
                "stop the executors there and import into topics nobody uses (--into-namespace)."
            )
        self._next[partition] += count


def _is_ours(record: LogRecord) -> bool:
    return record.value is not None and IMPORT_OWNER.encode() in record.value
