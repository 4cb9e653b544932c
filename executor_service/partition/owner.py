"""One partition in the hands of this executor: claim it, recover what runs in it, run its commands.

    claiming -> recovering -> live -> released
                               └────> lost (the log says somebody else claimed)

Losing the log's consent is final for an owner: its executions are dropped where they stand,
recording nothing, and whoever holds the newest claim goes on from what is recorded.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence

import structlog

from executor_service.commands.deliveries import Deliveries
from executor_service.commands.dispatcher import CommandDesk
from executor_service.commands.origin_history import Histories
from executor_service.context import Workplace
from executor_service.dedupe.deduplicator import CommandMemory, ids_in_tail
from executor_service.dedupe.log_search import Lookups
from executor_service.dedupe.seen_ids import SeenIds
from executor_service.dedupe.seen_ids_store import SeenSaving
from executor_service.errors import LogLostRecords, RecordingLost
from executor_service.live.checkpointer import LongRunning
from executor_service.live.drain import come_to_rest, drain
from executor_service.live.supervisor import LiveExecutions
from executor_service.log.claim import claim
from executor_service.log.low_water_mark import LowWaterMark, ResumePoint
from executor_service.log.recovery import RecoveredPartition
from executor_service.log.snapshots import Parking
from executor_service.log.tail import drop_unfounded, fold_tail, read_snapshots
from executor_service.log.truncated_log import end_headless
from executor_service.log.writer import PartitionWriter
from executor_service.ports.command_source import ReceivedRecord
from executor_service.ports.event_log import EventLog
from executor_service.ports.last_record import LastRecord, LastRecords, digest_of

_log = structlog.get_logger(__name__)


class PartitionOwner:
    """Runs the executions of one partition under one claim after another."""

    def __init__(
        self,
        partition: int,
        *,
        events: EventLog,
        parked: EventLog,
        seen: EventLog,
        workplace: Workplace,
        on_lost: Callable[[int], None],
    ) -> None:
        self.partition = partition
        self._events = events
        self._parked = parked
        self._seen_log = seen
        self._workplace = workplace
        self._on_lost = on_lost
        self._deliveries = Deliveries(seen, partition, workplace)
        self._epoch_before: int | None = None
        self._newest_command: ReceivedRecord | LastRecord | None = None
        self._writer: PartitionWriter | None = None
        self._parked_writer: PartitionWriter | None = None
        self._mark: LowWaterMark | None = None
        self._executions: LiveExecutions | None = None
        self._seen: SeenIds | None = None
        self._saving: SeenSaving | None = None
        self._desk: CommandDesk | None = None
        self._long_running: LongRunning | None = None
        self._shortening: asyncio.Task[None] | None = None

    @property
    def live(self) -> bool:
        """True while commands may be given to it."""
        return self._desk is not None

    @property
    def free(self) -> int:
        """Return how many more commands may be given to it now."""
        return 0 if self._desk is None else self._desk.free

    @property
    def next_command(self) -> int:
        """Return the commands offset to be fed next."""
        assert self._mark is not None
        return self._mark.next_command

    async def take_over(self, point: ResumePoint) -> None:
        """Claim the partition, go on with what is unfinished in it, and become live."""
        epoch, record = await claim(self._events, self.partition, self._workplace)
        parked_epoch, parked_record = await claim(self._parked, self.partition, self._workplace)
        parked = await read_snapshots(self._parked, self.partition, parked_epoch)
        fold = await fold_tail(self._events, self.partition, point, epoch, parked)
        recovered = fold.recovered
        self._epoch_before, self._newest_command = point.epoch, point.last.commands
        self._writer = PartitionWriter(self._events, self.partition, epoch, record)
        self._parked_writer = PartitionWriter(
            self._parked, self.partition, parked_epoch, parked_record
        )
        self._mark = LowWaterMark(point, recovered.commands_until)
        parking = Parking(self._parked_writer, self._workplace, parked)
        self._executions = LiveExecutions(
            self.partition,
            self._workplace,
            self._writer,
            self._mark,
            parking,
            self._lose,
        )
        self._long_running = LongRunning(self._writer, self._mark, parking, self._workplace.clock)
        try:
            if point.read_from == 0:
                await drop_unfounded(parking, fold.unfounded(), self.partition)
            self._executions.adopt(recovered)
            # After that, so that what was running goes on while ids are being read.
            self._seen = await self._remember(point, recovered)
            await end_headless(recovered, self._writer, self._workplace, self.partition)
        except BaseException:
            await self.release()
            raise
        self._open_desk(recovered, self._seen)
        _log.info(
            "partition_taken",
            partition=self.partition,
            epoch=epoch,
            resumed=len(recovered.unfinished()),
            parked=len(parked),
            read_events=epoch - point.read_from,
            seen_ids=self._seen.count,
        )

    async def _remember(self, point: ResumePoint, recovered: RecoveredPartition) -> SeenIds:
        """Return the ids dealt with before: those saved, and those the tail tells of."""
        seen = SeenIds(
            self._workplace.clock.now(),
            window=self._workplace.dedupe_window,
            max_ids=self._workplace.dedupe_max_ids,
        )
        self._saving = SeenSaving(self._seen_log, self.partition, seen, self._workplace)
        await self._saving.load(point.ids_from, self._deliveries.learn)
        self._deliveries.be_careful(point.epoch)
        seen.forget_claims(point.read_from)
        seen.know_claims(recovered.claims, saved=False)
        for digest, offset in ids_in_tail(recovered, point.ids_through):
            seen.put(digest, offset)
        return seen

    def _open_desk(self, recovered: RecoveredPartition, seen: SeenIds) -> None:
        assert self._writer is not None
        assert self._mark is not None
        assert self._executions is not None
        if self._writer.lost:
            raise RecordingLost("Another executor took the partition meanwhile.")
        lookups = Lookups(self._events, self.partition, seen)
        self._desk = CommandDesk(
            self.partition,
            workplace=self._workplace,
            writer=self._writer,
            mark=self._mark,
            executions=self._executions,
            memory=CommandMemory(recovered, seen),
            lookups=lookups,
            histories=Histories(self._events, self.partition, seen),
        )

    async def deliver(self, records: Sequence[ReceivedRecord]) -> None:
        """Do as `receive`, with a note of what is being taken while a process may die of it."""
        await self._deliveries.hand_over(records, lambda: self._desk)

    def receive(self, records: Sequence[ReceivedRecord]) -> None:
        """Begin what these commands ask for, in order."""
        assert self._desk is not None
        for record in records:
            self._newest_command = record
            self._desk.take(record)

    def commit_point(self) -> ResumePoint | None:
        """Return what may be committed now, or None while not live."""
        if self._mark is None or self._writer is None or self._seen is None or not self.live:
            return None
        command_offset, mark = self._mark.commit_point(self._writer.next_offset)
        through = self._seen.saved_through(self._writer.next_offset)
        epoch = self._seen.epoch_at(min(mark, through))
        return ResumePoint(
            command_offset,
            mark,
            self._epoch_before if epoch is None else epoch,
            through,
            self._seen.saved_from,
            self._last_records(),
        )

    def _last_records(self) -> LastRecords:
        assert self._writer is not None
        assert self._parked_writer is not None
        assert self._saving is not None
        newest = self._newest_command
        if isinstance(newest, ReceivedRecord):
            newest = LastRecord(newest.offset, digest_of(newest.value, newest.headers))
        return LastRecords(
            commands=newest,
            events=self._writer.last_record,
            parked=self._parked_writer.last_record,
            seen=self._saving.last_record,
        )

    def reached(self) -> Mapping[str, int] | None:
        """Return the offset each log has reached for certain; None while not live."""
        if not self.live or self._writer is None or self._parked_writer is None:
            return None
        assert self._mark is not None
        assert self._seen is not None
        return {
            "commands": self._mark.next_command,
            "events": self._writer.next_offset,
            "parked": self._parked_writer.next_offset,
            "seen": self._seen.records_end,
        }

    @property
    def log_lost(self) -> bool:
        """True once a log of this partition is known to have lost records."""
        found = [writer.log_lost for writer in (self._writer, self._parked_writer) if writer]
        return any(found) or (self._saving is not None and self._saving.loss is not None)

    def lose_log(self, sentence: str) -> None:
        """Give everything up because a log lost records: what is remembered of them is wrong."""
        if self._writer is not None:
            self._writer.give_up(LogLostRecords(sentence))
        self._lose(sentence)

    def save_ids_if_due(self) -> None:
        """Save the ids of what was dealt with, every few seconds; call it before a commit."""
        if self._saving is not None and self.live:
            if self._saving.loss is not None:
                self.lose_log(self._saving.loss)
                return
            self._saving.save_if_due()

    async def save_ids(self) -> None:
        """Save them now."""
        if self._saving is not None and self.live:
            await self._saving.save()

    def shorten_tail(self) -> None:
        """Begin to set down what runs for long, unless that is under way; call it now and then."""
        if self._long_running is not None and self.live and self._shortening is None:
            self._shortening = asyncio.create_task(self._shorten(self._long_running))

    async def _shorten(self, long_running: LongRunning) -> None:
        assert self._executions is not None
        try:
            await long_running.set_down(self._executions.in_memory)
        except RecordingLost as error:
            self._lose(str(error))
        finally:
            self._shortening = None

    async def drain(self, grace_s: float) -> None:
        """Let running steps finish for a while and start nothing new; `release` follows."""
        if self._executions is not None and self._writer is not None:
            self._writer.starts.open()
            await drain(self._executions.in_memory, grace_s)
        await self.save_ids()

    async def pause(self, grace_s: float, at_most_s: float) -> None:
        """Start nothing more, for so long at most; return when running steps are recorded, or the
        grace is over."""
        if self._executions is not None and self._writer is not None and self.live:
            self._writer.starts.hold(at_most_s)
            await come_to_rest(self._executions.in_memory, self._writer, grace_s)

    def go_on(self) -> None:
        """End a pause: the partition stays here."""
        if self._writer is not None:
            self._writer.starts.open()

    async def release(self) -> None:
        """Drop everything at once; the log has what the next owner needs."""
        desk, self._desk = self._desk, None
        if desk is not None:
            desk.close()
        if self._saving is not None:
            await self._saving.stop()
        if self._shortening is not None:
            self._shortening.cancel()
        for writer in (self._writer, self._parked_writer):
            if writer is not None:
                writer.give_up("This executor gave the partition up.")
        if self._executions is not None:
            await self._executions.drop_all()

    def _lose(self, reason: str) -> None:
        """Called once the log shows another claim: nothing this owner still does may count."""
        if self._desk is None:
            return
        self._desk = None
        _log.warning("partition_lost", partition=self.partition, reason=reason)
        self._on_lost(self.partition)
