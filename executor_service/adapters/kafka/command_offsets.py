"""Where the executors' group goes on in the commands topic, set by a person after a loss."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from aiokafka import TopicPartition
from aiokafka.errors import CommitFailedError, KafkaError, UnknownMemberIdError
from aiokafka.structs import OffsetAndMetadata

from executor_service.adapters.kafka.event_log import KafkaEventLog
from executor_service.ports.event_log import EventLog
from executor_service.ports.last_record import loss_of
from executor_service.ports.resume_point import ResumePoint, resume_point
from executor_service.service_errors import GroupBusy
from steplog_kafka.clients import make_admin, make_consumer
from steplog_kafka.connection import problem_of, start
from steplog_kafka.reader import LogReader
from steplog_kafka.rights import missing_right
from steplog_kafka.settings import Kafka


@dataclass(frozen=True, slots=True)
class CommandOffset:
    """One partition: what is committed, what the topic holds, and what it lost, if anything."""

    partition: int
    committed: int
    begin: int
    end: int
    loss: str | None


class CommandOffsets:
    """The committed offsets of one group in one commands topic."""

    def __init__(self, kafka: Kafka, *, topic: str, group_id: str) -> None:
        self._kafka = kafka
        self._topic = topic
        self._group_id = group_id

    async def look(self, partitions: Iterable[int]) -> list[CommandOffset]:
        """Return the committed partitions as they stand; others have no offset to be wrong."""
        points = await self._points(partitions)
        begins, ends = await self._bounds(points)
        async with KafkaEventLog(self._kafka, self._topic) as log:
            return [
                CommandOffset(
                    partition,
                    point.command_offset,
                    begins[partition],
                    ends[partition],
                    await _loss(log, partition, point, begins[partition]),
                )
                for partition, point in points.items()
            ]

    async def reset(self, offsets: Mapping[int, int]) -> None:
        """Commit where partitions go on; what is known of events stays.

        Raises:
            GroupBusy: an executor is in the group.
        """
        points = await self._points(offsets)
        wanted = {
            TopicPartition(self._topic, partition): OffsetAndMetadata(
                offset, _moved(points[partition], offset).metadata()
            )
            for partition, offset in offsets.items()
        }
        consumer = make_consumer(self._kafka, group_id=self._group_id)
        await start(consumer, self._kafka)
        try:
            consumer.assign(list(wanted))
            await consumer.commit(wanted)
        except (CommitFailedError, UnknownMemberIdError) as error:
            raise GroupBusy(
                f"Executors are in the group {self._group_id}; stop them all, wait until their "
                "session is over, and run this again."
            ) from error
        except KafkaError as error:
            raise await problem_of(error, self._kafka) from error
        finally:
            await consumer.stop()

    async def _points(self, partitions: Iterable[int]) -> dict[int, ResumePoint]:
        places = [TopicPartition(self._topic, partition) for partition in partitions]
        admin = make_admin(self._kafka)
        await start(admin, self._kafka)
        try:
            found = await admin.list_consumer_group_offsets(self._group_id, partitions=places)
        except KafkaError as error:
            if lacking := missing_right(error, self._kafka):
                raise lacking from error
            raise GroupBusy(
                f"The offsets of the group {self._group_id} can't be read: {error}; try again."
            ) from error
        finally:
            await admin.close()
        return {
            place.partition: resume_point(at.offset, at.metadata)
            for place, at in sorted(found.items())
            if at.offset >= 0
        }

    async def _bounds(self, partitions: Iterable[int]) -> tuple[dict[int, int], dict[int, int]]:
        places = [TopicPartition(self._topic, partition) for partition in partitions]
        async with LogReader(self._kafka) as reader:
            return await reader.begins(places), await reader.ends(places)


async def _loss(log: EventLog, partition: int, point: ResumePoint, begin: int) -> str | None:
    committed = point.command_offset
    loss = await loss_of(log, "commands", partition, point.last.commands, committed)
    if loss is None and 0 < committed < begin:
        return (
            f"The commands {committed} to {begin - 1} of partition {partition} were removed before "
            "they were taken."
        )
    return loss


def _moved(point: ResumePoint, offset: int) -> ResumePoint:
    return replace(point, command_offset=offset, last=replace(point.last, commands=None))
