"""One partition in the hands of this executor, from a takeover until it is lost or released.

    claiming -> recovering -> live -> released
                               └────> lost (the log says somebody else claimed)

`takeover` does the first two. Losing the log's consent is final for an owner: its executions are
dropped where they stand, recording nothing, and the owner of the newest claim resumes from what is
recorded.
"""

import asyncio
from collections.abc import Mapping, Sequence

from executor_service.commands.deliveries import Deliveries
from executor_service.commands.intake import CommandIntake
from executor_service.dedupe.seen_ids_store import SeenIdsStore
from executor_service.errors import LogLostRecords, RecordingLost
from executor_service.live.checkpointer import Checkpointer
from executor_service.live.drain import drain, quiesce
from executor_service.live.partition_context import PartitionContext
from executor_service.live.supervisor import ExecutionSupervisor
from executor_service.ports.command_source import ReceivedRecord
from executor_service.ports.last_record import LastRecord, LastRecords, digest_of
from executor_service.ports.resume_point import ResumePoint


class PartitionOwner:
    """Runs the executions of one partition under one claim."""

    def __init__(
        self,
        context: PartitionContext,
        point: ResumePoint,
        *,
        executions: ExecutionSupervisor,
        saving: SeenIdsStore,
        deliveries: Deliveries,
        intake: CommandIntake,
    ) -> None:
        """`point` is where the owner before had come to."""
        self.partition = context.partition
        self.lost = context.lost
        self._context = context
        self._writer = context.writer
        self._mark = context.mark
        self._executions = executions
        self._seen = saving.seen
        self._saving = saving
        self._deliveries = deliveries
        self._intake = intake
        self._long_running = Checkpointer(context)
        self._epoch_before = point.epoch
        self._newest_mark = point.mark
        self._newest_command: ReceivedRecord | LastRecord | None = point.last.commands
        self._shortening: asyncio.Task[None] | None = None

    @property
    def live(self) -> bool:
        """True while commands may be given to it."""
        return not self.lost.done()

    @property
    def free(self) -> int:
        """Return how many more commands may be given to it now."""
        return self._intake.free if self.live else 0

    @property
    def in_memory(self) -> int:
        """Return how many executions run or wait here."""
        return len(self._executions.in_memory)

    @property
    def parked(self) -> int:
        """Return how many executions are set down until their time."""
        return len(self._context.snapshots.parked)

    @property
    def open_commands(self) -> int:
        """Return how many commands were taken and are not done with."""
        return self._mark.open_commands

    @property
    def mark_lag(self) -> int:
        """Return how many events the next owner would have to read."""
        return self._writer.next_offset - self._newest_mark

    @property
    def next_command(self) -> int:
        """Return the commands offset to be fed next."""
        return self._mark.next_command

    async def deliver(self, records: Sequence[ReceivedRecord]) -> None:
        """Do as `receive`, with a note of what is being taken while a process may die of it."""
        await self._deliveries.hand_over(records, lambda: self._intake if self.live else None)

    def receive(self, records: Sequence[ReceivedRecord]) -> None:
        """Begin what these commands ask for, in order."""
        for record in records:
            self._newest_command = record
            self._intake.take(record)

    def commit_point(self) -> ResumePoint | None:
        """Return what may be committed now, or None while not live."""
        if not self.live:
            return None
        command_offset, mark = self._mark.commit_point(self._writer.next_offset)
        self._newest_mark = mark
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
        newest = self._newest_command
        if isinstance(newest, ReceivedRecord):
            newest = LastRecord(newest.offset, digest_of(newest.value, newest.headers))
        return LastRecords(
            commands=newest,
            events=self._writer.last_record,
            parked=self._context.parked_writer.last_record,
            seen=self._saving.last_record,
        )

    def reached(self) -> Mapping[str, int] | None:
        """Return the offset each log has reached for certain; None while not live."""
        if not self.live:
            return None
        return {
            "commands": self._mark.next_command,
            "events": self._writer.next_offset,
            "parked": self._context.parked_writer.next_offset,
            "seen": self._seen.records_end,
        }

    @property
    def log_lost(self) -> bool:
        """True once a log of this partition is known to have lost records."""
        writers = (self._writer, self._context.parked_writer)
        return any(writer.log_lost for writer in writers) or self._saving.loss is not None

    def lose_log(self, sentence: str) -> None:
        """Give everything up because a log lost records: what is remembered of them is wrong."""
        self._writer.give_up(LogLostRecords(sentence))
        self._context.lose(sentence)

    def save_ids_if_due(self) -> None:
        """Save the ids of what was dealt with, every few seconds; call it before a commit."""
        if not self.live:
            return
        if self._saving.loss is not None:
            self.lose_log(self._saving.loss)
        else:
            self._saving.save_if_due()

    async def save_ids(self) -> None:
        """Save them now."""
        if self.live:
            await self._saving.save()

    def shorten_tail(self) -> None:
        """Begin to set down what runs for long, unless that is under way; call it now and then."""
        if self.live and self._shortening is None:
            self._shortening = asyncio.create_task(self._shorten())

    async def _shorten(self) -> None:
        try:
            await self._long_running.write_snapshot(self._executions.in_memory)
        except RecordingLost as error:
            self._context.lose(str(error))
        finally:
            self._shortening = None

    async def drain(self, grace_s: float) -> None:
        """Let running steps finish for a while and start nothing new; `release` follows."""
        self._writer.starts.open()
        await drain(self._executions.in_memory, grace_s)
        if self.live:
            await self._intake.put_back()
        await self.save_ids()

    async def pause(self, grace_s: float, at_most_s: float) -> None:
        """Start nothing more, for so long at most; return when running steps are recorded, or the
        grace is over."""
        if self.live:
            self._writer.starts.hold(at_most_s)
            await quiesce(self._executions.in_memory, self._writer, grace_s)

    def resume_run(self) -> None:
        """End a pause: the partition stays here."""
        self._writer.starts.open()

    async def release(self) -> None:
        """Drop everything at once; the log has what the next owner needs."""
        self.lost.cancel()
        self._intake.close()
        await self._saving.stop()
        if self._shortening is not None:
            self._shortening.cancel()
        self._context.give_up()
        await self._executions.drop_all()
