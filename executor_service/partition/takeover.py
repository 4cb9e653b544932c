"""Takes a partition over: claim, recover what runs in it, remember what was dealt with."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from executor_service.commands.command_tasks import CommandTasks
from executor_service.commands.deliveries import Deliveries
from executor_service.commands.dispatcher import CommandDispatcher
from executor_service.commands.hydrator import Hydrator
from executor_service.commands.intake import CommandIntake
from executor_service.commands.origin_history import OriginHistoryReader
from executor_service.context import ExecutorContext
from executor_service.dedupe.deduplicator import Deduplicator, ids_in_tail
from executor_service.dedupe.log_search import LogSearch
from executor_service.dedupe.seen_ids import SeenIds
from executor_service.dedupe.seen_ids_store import SeenIdsStore
from executor_service.errors import RecordingLost
from executor_service.live.partition_context import PartitionContext
from executor_service.live.supervisor import ExecutionSupervisor
from executor_service.log.claim import claim
from executor_service.log.low_water_mark import LowWaterMark
from executor_service.log.recovery import PartitionFold, RecoveredPartition
from executor_service.log.snapshots import Snapshot, SnapshotStore
from executor_service.log.tail import drop_unfounded, fold_tail, read_snapshots
from executor_service.log.truncated_log import end_headless
from executor_service.log.writer import PartitionWriter
from executor_service.partition.owner import PartitionOwner
from executor_service.ports.event_log import EventLog
from executor_service.ports.resume_point import ResumePoint

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PartitionLogs:
    """The logs that executors write, partition by partition."""

    events: EventLog
    parked: EventLog
    seen: EventLog


class Takeover:
    """One attempt to become the owner of a partition."""

    def __init__(self, partition: int, logs: PartitionLogs, executor: ExecutorContext) -> None:
        self._partition = partition
        self._logs = logs
        self._executor = executor
        self._deliveries = Deliveries(logs.seen, partition, executor)

    async def run(self, point: ResumePoint) -> PartitionOwner:
        """Return the owner: what was unfinished runs on, and commands may be given to it.

        Raises:
            RecordingLost: another executor claimed the partition meanwhile.
            SteplogError: a log can't be read or appended to now.
        """
        context, fold = await self._claimed(point)
        recovered = fold.recovered
        executions = ExecutionSupervisor(context)
        seen = SeenIds(
            self._executor.clock.now(),
            window=self._executor.dedupe_window,
            max_ids=self._executor.dedupe_max_ids,
        )
        saving = SeenIdsStore(self._logs.seen, self._partition, seen, self._executor)
        try:
            if point.read_from == 0:
                await drop_unfounded(context.snapshots, fold.unfounded(), self._partition)
            executions.adopt(recovered)
            # After that, so that what was running goes on while ids are being read.
            await self._remember(seen, saving, point, recovered)
            await end_headless(recovered, context.writer, self._executor, self._partition)
            if context.lost.done() or context.writer.lost:
                raise RecordingLost("Another executor took the partition meanwhile.")
        except BaseException:
            await saving.stop()
            context.give_up()
            await executions.drop_all()
            raise
        _log.info(
            "partition_taken",
            partition=self._partition,
            epoch=context.writer.epoch,
            resumed=len(recovered.unfinished()),
            parked=len(context.snapshots.parked),
            read_events=context.writer.epoch - point.read_from,
            seen_ids=seen.count,
        )
        return PartitionOwner(
            context,
            point,
            executions=executions,
            saving=saving,
            deliveries=self._deliveries,
            intake=self._intake(context, executions, Deduplicator(recovered, seen), seen),
        )

    def _intake(
        self,
        context: PartitionContext,
        executions: ExecutionSupervisor,
        deduplicator: Deduplicator,
        seen: SeenIds,
    ) -> CommandIntake:
        lookups = LogSearch(self._logs.events, self._partition, seen)
        histories = OriginHistoryReader(self._logs.events, self._partition, seen)
        tasks = CommandTasks(context)
        return CommandIntake(
            context,
            deduplicator,
            Hydrator(context, executions, deduplicator, lookups),
            CommandDispatcher(context, executions, deduplicator, histories, tasks),
            tasks,
        )

    async def _claimed(self, point: ResumePoint) -> tuple[PartitionContext, PartitionFold]:
        """Claim the partition, and return what its log says of the owners before."""
        partition, logs, executor = self._partition, self._logs, self._executor
        epoch, record = await claim(logs.events, partition, executor)
        parked_epoch, parked_record = await claim(logs.parked, partition, executor)
        parked = await read_snapshots(logs.parked, partition, parked_epoch)
        fold = await fold_tail(logs.events, partition, point, epoch, parked)
        self._go_on_from(fold.recovered, parked)
        parked_writer = PartitionWriter(logs.parked, partition, parked_epoch, parked_record)
        context = PartitionContext(
            partition,
            executor,
            PartitionWriter(logs.events, partition, epoch, record),
            parked_writer,
            LowWaterMark(point, fold.recovered.commands_until),
            SnapshotStore(parked_writer, executor, parked),
            asyncio.get_running_loop().create_future(),
        )
        return context, fold

    def _go_on_from(self, recovered: RecoveredPartition, parked: Mapping[str, Snapshot]) -> None:
        """Be no earlier than what is recorded, or a clock set back since would prolong delays."""
        times = [one.recorded_at for one in parked.values() if one.recorded_at is not None]
        unfinished = recovered.executions.values()
        times += [one.facts[-1].time for one in unfinished if one.facts and not one.foreign]
        if times:
            self._executor.clock.reached(max(times))

    async def _remember(
        self, seen: SeenIds, saving: SeenIdsStore, point: ResumePoint, recovered: RecoveredPartition
    ) -> None:
        """Fill in the ids dealt with before: those saved, and those in the log's tail."""
        await saving.load(point.ids_from, self._deliveries.learn)
        self._deliveries.be_careful(point.epoch)
        seen.forget_claims(point.read_from)
        seen.add_claims(recovered.claims, saved=False)
        for digest, offset in ids_in_tail(recovered, point.ids_through):
            seen.put(digest, offset)
