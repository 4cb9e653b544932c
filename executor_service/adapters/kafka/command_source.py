"""The commands topic on Kafka: group membership, paused partitions, commits with metadata."""

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence

import structlog
from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from aiokafka.structs import ConsumerRecord, OffsetAndMetadata

from executor_service.ports.command_source import (
    AssignmentListener,
    ReceivedRecord,
    dead_letter_headers,
)
from executor_service.ports.resume_point import ResumePoint, resume_point
from steplog_contracts.envelope import Record
from steplog_kafka.clients import make_admin, make_consumer
from steplog_kafka.connection import start
from steplog_kafka.errors import KafkaSilent, KafkaUnreachable
from steplog_kafka.producer import LastingProducer
from steplog_kafka.settings import Kafka, kafka_settings

# Polling goes on while partitions are paused, so long steps never cost the membership.
MAX_POLL_INTERVAL_MS = 60_000
MAX_POLL_RECORDS = 500
# Beyond the time that joining the group may take.
JOIN_MARGIN_MS = 5_000
RETRY_DELAY_S = 1.0
# Between two log lines about commands that can't be set aside.
SAY_POSTPONED_EVERY_S = 30.0
_NO_OFFSET = -1

_log = structlog.get_logger(__name__)


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka is untyped here.
    def __init__(self, source: "KafkaCommandSource", listener: AssignmentListener) -> None:
        self._source = source
        self._listener = listener

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        await self._listener.revoked([tp.partition for tp in revoked])

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        partitions = [tp.partition for tp in assigned]
        self._source.pause(partitions)
        await self._listener.assigned(partitions)


class KafkaCommandSource:
    """One member of the executors' group; satisfies `command_source.CommandSource`."""

    def __init__(
        self,
        kafka: Kafka,
        *,
        topic: str,
        dead_topic: str,
        group_id: str,
        session_timeout_ms: int,
    ) -> None:
        self._topic = topic
        self._dead_topic = dead_topic
        self._group_id = group_id
        self._turn = 0
        self._kafka = kafka_settings(kafka)
        self._consumer = make_consumer(
            self._kafka,
            group_id=group_id,
            auto_offset_reset="earliest",
            session_timeout_ms=session_timeout_ms,
            # Joining waits for the other members, so these requests may take as long as that.
            request_timeout_ms=max(
                self._kafka.request_timeout_ms, session_timeout_ms + JOIN_MARGIN_MS
            ),
            heartbeat_interval_ms=session_timeout_ms // 4,
            max_poll_interval_ms=MAX_POLL_INTERVAL_MS,
            # Keeps partitions where they are when members come and go: a moved one reruns steps.
            partition_assignment_strategy=(StickyPartitionAssignor,),
        )
        self._admin = make_admin(self._kafka)
        self._producer = LastingProducer(self._kafka)
        self._stopping = False
        self._postponed_tries = 0
        self._say_postponed_at = 0.0

    async def start(self, listener: AssignmentListener) -> None:
        """Connect and join the group; the listener hears of partitions from then on."""
        await start(self._admin, self._kafka)
        await self._producer.start()
        self._consumer.subscribe([self._topic], listener=_Listener(self, listener))
        await start(self._consumer, self._kafka)

    async def stop(self) -> None:
        """Leave the group and close the connections."""
        self._stopping = True
        await self._consumer.stop()
        await self._producer.stop()
        await self._admin.close()

    async def poll(
        self, room: Mapping[int, int], timeout_ms: int
    ) -> Mapping[int, Sequence[ReceivedRecord]]:
        """See `CommandSource.poll`; partitions with a backlog get equal shares.

        Left to itself, the client empties one partition before it turns to the next, and then one
        partition's log does all the work while the others rest.
        """
        active = sorted(self._consumer.assignment() - self._consumer.paused())
        wanted = [tp for tp in active if room.get(tp.partition, 0) > 0]
        fetched = await self._shares(wanted, room)
        if not fetched:
            # Without any wanted, all are paused, and this only shows a sign of life.
            least = min((room[tp.partition] for tp in wanted), default=1)
            fetched = await self._consumer.getmany(
                *wanted, timeout_ms=timeout_ms, max_records=least
            )
        return {
            tp.partition: [
                ReceivedRecord(tp.partition, m.offset, m.key, m.value, list(m.headers))
                for m in messages
            ]
            for tp, messages in fetched.items()
        }

    async def _shares(
        self, wanted: list[TopicPartition], room: Mapping[int, int]
    ) -> dict[TopicPartition, list[ConsumerRecord]]:
        """Return a share of what has arrived of each partition, another one first each time."""
        self._turn += 1
        turn = self._turn % max(1, len(wanted))
        share = max(1, MAX_POLL_RECORDS // max(1, len(wanted)))
        fetched: dict[TopicPartition, list[ConsumerRecord]] = {}
        for tp in [*wanted[turn:], *wanted[:turn]]:
            most = min(share, room[tp.partition])
            fetched |= await self._consumer.getmany(tp, timeout_ms=0, max_records=most)
        return fetched

    def pause(self, partitions: Iterable[int]) -> None:
        """See `CommandSource.pause`."""
        self._consumer.pause(*self._mine(partitions))

    def resume(self, partitions: Iterable[int]) -> None:
        """See `CommandSource.resume`."""
        self._consumer.resume(*self._mine(partitions))

    def seek(self, partition: int, offset: int) -> None:
        """See `CommandSource.seek`."""
        for tp in self._mine([partition]):
            self._consumer.seek(tp, offset)

    async def resume_point(self, partition: int) -> ResumePoint:
        """See `CommandSource.resume_point`."""
        tp = TopicPartition(self._topic, partition)
        committed = await self._admin.list_consumer_group_offsets(self._group_id, partitions=[tp])
        found = committed.get(tp)
        if found is None or found.offset == _NO_OFFSET:
            return ResumePoint(command_offset=0, mark=0, epoch=None)
        return resume_point(found.offset, found.metadata)

    async def commit(self, points: Mapping[int, ResumePoint]) -> bool:
        """See `CommandSource.commit`."""
        offsets = {
            TopicPartition(self._topic, partition): OffsetAndMetadata(
                point.command_offset, point.metadata()
            )
            for partition, point in points.items()
        }
        try:
            await self._consumer.commit(offsets)
        except (CommitFailedError, IllegalStateError):
            return False
        except KafkaError as error:
            # A later commit carries the same and more; recovery only reads further back meanwhile.
            _log.warning("commit_postponed", reason=str(error))
        return True

    async def set_aside(self, record: ReceivedRecord, reason: str) -> None:
        """See `CommandSource.set_aside`."""
        headers = dead_letter_headers(self._topic, record, reason)
        kept = Record(record.key, record.value, headers)
        # Its offset holds the mark back, so it is not lost; nor does it stop others.
        await self._deliver(self._dead_topic, kept, record.offset)

    async def send(self, record: Record) -> None:
        """Append a command, to the partition that its key gives; return once it is in the log."""
        await self._deliver(self._topic, record)

    async def _deliver(self, topic: str, record: Record, offset: int | None = None) -> None:
        while True:
            try:
                await self._producer.deliver(topic, record)
                return
            except (KafkaSilent, KafkaUnreachable) as error:
                if self._stopping:
                    raise
                self._say_postponed(offset, str(error))
            await asyncio.sleep(RETRY_DELAY_S)

    def _say_postponed(self, offset: int | None, reason: str) -> None:
        """Log it once in a while: many records may wait, each trying again every second."""
        self._postponed_tries += 1
        if time.monotonic() < self._say_postponed_at:
            return
        self._say_postponed_at = time.monotonic() + SAY_POSTPONED_EVERY_S
        _log.warning(
            "set_aside_postponed", offset=offset, tries=self._postponed_tries, reason=reason
        )
        self._postponed_tries = 0

    def _mine(self, partitions: Iterable[int]) -> list[TopicPartition]:
        assigned = self._consumer.assignment()
        wanted = (TopicPartition(self._topic, partition) for partition in partitions)
        return [tp for tp in wanted if tp in assigned]
